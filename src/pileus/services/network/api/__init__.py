"""The network service's routes, a file a noun; importing a noun declares its routes."""

from pileus.services.network.api import address_groups as address_groups
from pileus.services.network.api import networks as networks
from pileus.services.network.api import ports as ports
from pileus.services.network.api import security_groups as security_groups
from pileus.services.network.api import subnetpools as subnetpools
from pileus.services.network.api import subnets as subnets
from pileus.services.network.service import api

__all__ = ["api"]
