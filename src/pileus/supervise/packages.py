"""What real mode needs on the machine: programs and Debian's packages that carry them."""

import pwd
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pileus.supervise.libvirt import QEMU_USER

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "libvirtd": "libvirt-daemon",
    "virtlogd": "libvirt-daemon",
    "ovsdb-server": "openvswitch-common",
    "ovsdb-tool": "openvswitch-common",
    "ovs-vsctl": "openvswitch-switch",
    "ovs-vswitchd": "openvswitch-switch",
    "ovn-northd": "ovn-central",
    "ovn-controller": "ovn-host",
    "ovn-trace": "ovn-common",
    "nft": "nftables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "mount": "mount",
}
FILES = {
    "/usr/share/openvswitch/vswitch.ovsschema": "openvswitch-switch",
    "/usr/share/ovn/ovn-nb.ovsschema": "ovn-central",
    "/usr/share/ovn/ovn-sb.ovsschema": "ovn-central",
    "/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so": "libvirt-daemon-driver-qemu",
}
ACCOUNTS = {QEMU_USER: "libvirt-daemon-system"}
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
    sbin = "/usr/local/sbin:/usr/sbin:/sbin"
    for program, package in PROGRAMS.items():
        if not shutil.which(program) and not shutil.which(program, path=sbin):
            yield package
    for pattern, package in FILES.items():
        if not any(Path("/").glob(pattern.lstrip("/"))):
            yield package
    for account, package in ACCOUNTS.items():
        try:
            pwd.getpwnam(account)
        except KeyError:
            yield package
