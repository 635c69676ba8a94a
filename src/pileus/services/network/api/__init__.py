"""The network service's routes, a file a noun; importing a noun declares its routes."""

from pileus.services.network.api import address_groups as address_groups
from pileus.services.network.api import facts as facts
from pileus.services.network.api import floating_ips as floating_ips
from pileus.services.network.api import networks as networks
from pileus.services.network.api import ports as ports
from pileus.services.network.api import quotas as quotas
from pileus.services.network.api import rbac as rbac
from pileus.services.network.api import routers as routers
from pileus.services.network.api import security_groups as security_groups
from pileus.services.network.api import subnetpools as subnetpools
from pileus.services.network.api import subnets as subnets
from pileus.services.network.api import tags as tags
from pileus.services.network.api import versions as versions
from pileus.services.network.service import api

__all__ = ["api"]
