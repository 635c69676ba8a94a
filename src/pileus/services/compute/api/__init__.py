"""Compute's routes, a file a noun; importing a noun declares its routes."""

from pileus.services.compute.api import actions as actions
from pileus.services.compute.api import aggregates as aggregates
from pileus.services.compute.api import audit as audit
from pileus.services.compute.api import console as console
from pileus.services.compute.api import diagnostics as diagnostics
from pileus.services.compute.api import extensions as extensions
from pileus.services.compute.api import external_events as external_events
from pileus.services.compute.api import flavors as flavors
from pileus.services.compute.api import hypervisors as hypervisors
from pileus.services.compute.api import images as images
from pileus.services.compute.api import interfaces as interfaces
from pileus.services.compute.api import keypairs as keypairs
from pileus.services.compute.api import metadata as metadata
from pileus.services.compute.api import migrations as migrations
from pileus.services.compute.api import networks as networks
from pileus.services.compute.api import quotas as quotas
from pileus.services.compute.api import removed as removed
from pileus.services.compute.api import security_groups as security_groups
from pileus.services.compute.api import server_actions as server_actions
from pileus.services.compute.api import server_groups as server_groups
from pileus.services.compute.api import servers as servers
from pileus.services.compute.api import services as services
from pileus.services.compute.api import usage as usage
from pileus.services.compute.api import versions as versions
from pileus.services.compute.api import zones as zones
from pileus.services.compute.service import api, legacy

legacy.routes += [route for route in api.routes if not route.root]

__all__ = ["api", "legacy"]
