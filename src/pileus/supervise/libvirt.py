"""libvirt with everything that it has compiled in (/run/libvirt, /etc/libvirt, ...) kept in the state directory.

libvirtd and virtlogd see our directories at those paths, in mount namespaces of their own; so do the guests that
libvirtd starts. Each start makes a new namespace with the same view, so nothing has to hold one between starts.
"""

import uuid
from pathlib import Path

from pileus.supervise import ask, ovs
from pileus.supervise.daemon import Daemon

QEMU_USER = "libvirt-qemu"
QEMU_GROUP = "kvm"
"""Debian's account for guests: one that breaks out of its QEMU is not root."""
CONSOLE_LOG_LIMIT = 2**20
_VIEW = {
    "/run/libvirt": "run/libvirt",
    "/etc/libvirt": "etc/libvirt",
    "/var/lib/libvirt": "lib/libvirt",
    "/var/cache/libvirt": "cache/libvirt",
    "/var/log/libvirt": "log/libvirt",
}


def socket(state_dir: Path) -> Path:
    return state_dir / "run/libvirt/libvirt-sock"


def uri(state_dir: Path) -> str:
    """The connection URI, for libvirt.open() and `virsh -c`."""
    return f"qemu:///system?socket={socket(state_dir)}"


def on_host(state_dir: Path, path: str) -> Path:
    """Where a path that libvirt names (in a domain's live XML, say) is found outside libvirtd's own view."""
    for target, source in _VIEW.items():
        if Path(path).is_relative_to(target):
            return state_dir / source / Path(path).relative_to(target)
    return Path(path)


def daemons(state_dir: Path, kvm: bool) -> list[Daemon]:
    """virtlogd and libvirtd. `kvm`: guests may use it (see accelerator.py); otherwise libvirt shall not see it, as it
    asks QEMU for its capabilities again and again where the device is there and guests may not open it."""
    view = {target: state_dir / source for target, source in _VIEW.items()}
    if not kvm and Path("/dev/kvm").exists():
        view["/dev/kvm"] = state_dir / "run/no-kvm"
    # No D-Bus: a bus that does not answer costs 25 s a question, and guests are not registered with systemd.
    env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={state_dir}/run/no-dbus", **ovs.environment(state_dir)}
    virtlogd = Daemon(
        name="virtlogd",
        argv=("virtlogd", "--pid-file", "/run/libvirt/virtlogd.pid"),
        log=state_dir / "log/virtlogd.log",
        alive=ask.LibvirtKeepalive(state_dir / "run/libvirt/virtlogd-sock"),
        env=env,
        prepare=lambda: _prepare(state_dir),
        mounts=view,
    )
    libvirtd = Daemon(
        name="libvirtd",
        argv=("libvirtd", "--pid-file", "/run/libvirt/libvirtd.pid"),
        log=state_dir / "log/libvirtd.log",
        alive=ask.LibvirtKeepalive(socket(state_dir)),
        after=("virtlogd",),
        env=env,
        prepare=lambda: _prepare(state_dir),
        mounts=view,
        keeper=True,
    )
    return [virtlogd, libvirtd]


def _prepare(state_dir: Path) -> None:
    _check_reachable(state_dir)
    for source in _VIEW.values():
        (state_dir / source).mkdir(parents=True, exist_ok=True)
    (state_dir / "run/no-kvm").touch(mode=0)
    etc = state_dir / "etc/libvirt"
    (etc / "virtlogd.conf").write_text(f'log_outputs = "3:stderr"\nmax_size = {CONSOLE_LOG_LIMIT}\nmax_backups = 1\n')
    (etc / "libvirtd.conf").write_text(_libvirtd_conf(_host_uuid(etc / "host-uuid")))
    (etc / "qemu.conf").write_text(_qemu_conf())


def _host_uuid(path: Path) -> str:
    """This host for libvirt. Hosts with one UUID cannot migrate guests to each other, and some boards share theirs."""
    if not path.exists():
        path.write_text(str(uuid.uuid4()))
    return path.read_text()


def _libvirtd_conf(host_uuid: str) -> str:
    return f"""\
log_outputs = "3:stderr"
unix_sock_group = "root"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{host_uuid}"
"""


def _qemu_conf() -> str:
    # libvirt gives a guest's disks to its account (dynamic_ownership) and does not remember whose they were: an
    # image that many guests read through has no single owner to go back to.
    return f"""\
user = "{QEMU_USER}"
group = "{QEMU_GROUP}"
dynamic_ownership = 1
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "logd"
"""


def _check_reachable(state_dir: Path) -> None:
    for directory in (state_dir, *state_dir.parents):
        mode = directory.stat().st_mode
        if not mode & 0o001:
            raise OSError(
                f"guests run as {QEMU_USER}, which cannot reach the state directory {state_dir}: {directory} has"
                f" mode {mode & 0o7777:04o}. Choose another state directory, or: chmod o+x {directory}"
            )
