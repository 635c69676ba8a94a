"""What holds for all tests."""

from importlib.util import find_spec

import structlog

# Errors that tests cause on purpose are logged in plain text: to draw each traceback takes longer than most tests.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ]
)

# Without the extra `real` there is nothing to run these with: `./check --quick` needs none of it.
collect_ignore = (
    []
    if all(find_spec(name) for name in ("libvirt", "ovs", "ovsdbapp", "pycdlib", "pyroute2"))
    else ["e2e", "guest", "hosts", "stories/test_w06_boots.py", "stories/test_w60_purge.py"]
)
