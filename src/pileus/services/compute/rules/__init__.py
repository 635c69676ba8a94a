"""Decisions and state changes of compute, a file a noun. What other services may call is exported here."""

from pileus.services.compute.rules.gauges import gauges
from pileus.services.compute.rules.interfaces import port_lost
from pileus.services.compute.rules.reports import observe
from pileus.services.compute.rules.specs import admit, hosts_let_in
from pileus.services.compute.store.servers import image_files

__all__ = ["admit", "gauges", "hosts_let_in", "image_files", "observe", "port_lost"]
