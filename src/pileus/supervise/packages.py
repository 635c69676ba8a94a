"""What real mode needs on the machine: programs and Debian's packages that carry them."""

import pwd
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

LIST = Path(__file__).with_name("packages.txt")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
MODULES = ("libvirt", "ovs", "ovsdbapp", "pyroute2")


def missing() -> str:
    """What to install before real mode can start, as one message; empty if all is there."""
    lacking = sorted(set(_missing_packages()))
    modules = [module for module in MODULES if find_spec(module) is None]
    lines = []
    if lacking:
        lines.append(f"Real mode needs Debian packages: apt-get install {' '.join(lacking)}")
    if modules:
        lines.append(f"Real mode needs Python modules ({', '.join(modules)}): pip install 'pileus[real]'")
    return "\n".join(lines)


def _missing_packages() -> Iterator[str]:
    for line in LIST.read_text().splitlines():
        package, *wanted = line.partition("#")[0].split() or [""]
        if not all(map(_is_here, wanted)):
            yield package


def _is_here(wanted: str) -> bool:
    """A program, a file by its pattern from / on, or user:NAME."""
    if wanted.startswith("/"):
        return any(Path("/").glob(wanted.lstrip("/")))
    kind, _, account = wanted.partition(":")
    if kind != "user":
        return bool(shutil.which(wanted) or shutil.which(wanted, path=SBIN))
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True
