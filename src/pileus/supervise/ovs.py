"""Open vSwitch of this host: its database and its switch."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from socket import if_nameindex

from pyroute2 import IPRoute

from pileus.supervise import ask, ovsdb, process
from pileus.supervise.daemon import Daemon
from pileus.supervise.ovsdb import LOG_TO_STDERR

INTEGRATION_BRIDGE = "br-int"
USERSPACE_DEVICE = "ovs-netdev"
IN_BAND_OFF = "other-config:disable-in-band=true"
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
Told = subprocess.CompletedProcess[str]
PATIENCE = 10.0
"""Seconds that ovs-vswitchd may take to make what its database says."""


def run_dir(state_dir: Path) -> Path:
    return state_dir / "run/openvswitch"


def connection(state_dir: Path) -> str:
    """Where the Open_vSwitch database listens, in the form that OVS tools and ovsdbapp take."""
    return f"unix:{run_dir(state_dir) / 'db.sock'}"


def environment(state_dir: Path) -> dict[str, str]:
    """For OVS commands (ovs-vsctl, ovs-ofctl, ovs-appctl) that should talk to this Open vSwitch."""
    return {
        "OVS_RUNDIR": str(run_dir(state_dir)),
        "OVS_DBDIR": str(state_dir / "ovs"),
        "OVS_LOGDIR": str(state_dir / "log"),
        "OVS_SYSCONFDIR": str(state_dir / "etc"),
    }


def daemons(state_dir: Path, ready: Callable[[], None] = lambda: None) -> list[Daemon]:
    """`ready`: what to do whenever ovs-vswitchd has started."""
    log_dir, control = state_dir / "log", run_dir(state_dir) / "ovs-vswitchd.ctl"
    switch = Daemon(
        name="ovs-vswitchd",
        argv=("ovs-vswitchd", connection(state_dir), f"--unixctl={control}", *LOG_TO_STDERR),
        log=log_dir / "ovs-vswitchd.log",
        alive=lambda timeout: ask.json_rpc(control, "version", timeout),
        after=("ovsdb",),
        env=environment(state_dir),
        prepare=lambda: _refuse_second_switch(state_dir),
        ready=ready,
    )
    socket = run_dir(state_dir) / "db.sock"
    return [ovsdb.server("ovsdb", state_dir / "ovs/conf.db", SCHEMA, socket, log_dir), switch]


def datapath_type(state_dir: Path) -> str:
    """'system' where the kernel has Open vSwitch and nobody else uses it, otherwise 'netdev' (in user space).

    The kernel has one datapath for all: a second ovs-vswitchd would take away the first one's ports.
    """
    subprocess.run(["modprobe", "--quiet", "openvswitch"])
    in_kernel = Path("/sys/module/openvswitch").exists()
    return "system" if in_kernel and not process.strangers(state_dir, "ovs-vswitchd") else "netdev"


def _refuse_second_switch(state_dir: Path) -> None:
    """Names of bridges and of the userspace datapath's device exist once in a network namespace."""
    taken = {USERSPACE_DEVICE, INTEGRATION_BRIDGE} & {name for _, name in if_nameindex()}
    for stranger in process.strangers(state_dir, "ovs-vswitchd") if taken else ():
        raise OSError(
            f"another Open vSwitch (process {stranger.pid}) runs on this host and holds {' and '.join(sorted(taken))},"
            " which Pileus needs: stop it, or give Pileus a network namespace of its own (ip netns add, ip netns exec)"
        )


def remove_datapath(state_dir: Path) -> None:
    """End ovs-vswitchd together with its datapath and the bridges' devices, which it leaves in place otherwise."""
    command = _appctl(state_dir, "exit", "--cleanup")
    subprocess.run(command, capture_output=True)


def orphans(state_dir: Path) -> list[str]:
    """Devices that this Open vSwitch made and that nobody has marked yet, when it was ended in the middle of a start.

    By name: its bridges, and the userspace datapath's own where no other ovs-vswitchd runs here that could have made it.
    """
    if process.strangers(state_dir, "ovs-vswitchd"):
        return []
    query = ["Open_vSwitch", {"op": "select", "table": "Bridge", "where": [], "columns": ["name"]}]
    command = ["ovsdb-tool", "query", str(state_dir / "ovs/conf.db"), json.dumps(query)]
    run = subprocess.run(command, capture_output=True, text=True)
    bridges = [row["name"] for row in json.loads(run.stdout)[0]["rows"]] if run.returncode == 0 else []
    with IPRoute() as ip:
        here = {link.get_attr("IFLA_IFNAME"): link.get_attr("IFLA_IFALIAS") for link in ip.get_links()}
    return [name for name in (USERSPACE_DEVICE, *bridges) if name in here and here[name] is None]


def vsctl(state_dir: Path, *arguments: str) -> str:
    """One ovs-vsctl call, which is one transaction. Raises OSError with its complaint."""
    command = ["ovs-vsctl", f"--db={connection(state_dir)}", "--timeout=10", *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise OSError(f"{' '.join(command)} failed: {run.stderr.strip()}")
    return run.stdout.strip()


def ensure_bridge(state_dir: Path, name: str, *settings: str) -> None:
    """Make a bridge, or bring it to these settings; returns when ovs-vswitchd has it.

    Its device, and the datapath's, get the state directory as alias: an ovs-vswitchd that is killed leaves them behind.
    """
    datapath = f"datapath_type={datapath_type(state_dir)}"
    add, change = ["--may-exist", "add-br", name], ["set", "bridge", name, datapath, IN_BAND_OFF, *settings]
    vsctl(state_dir, *add, "--", *change)
    _await_bridge(state_dir, name)
    with IPRoute() as ip:
        for link in ip.get_links():
            if link.get_attr("IFLA_IFNAME") in (name, USERSPACE_DEVICE):
                ip.link("set", index=link["index"], ifalias=str(state_dir))


def _await_bridge(state_dir: Path, name: str) -> None:
    """ovs-vsctl waits for what it changes, and a switch that has just started may not have made what was there before."""
    run = switch_told(state_dir, "ofproto/list", wanted=lambda run: name in run.stdout.split(), patience=PATIENCE)
    if name not in run.stdout.split():
        raise OSError(f"ovs-vswitchd has not made the bridge {name} within {PATIENCE:g} s. {run.stderr.strip()}")


def switch_told(state_dir: Path, *command: str, wanted: Callable[[Told], bool], patience: float) -> Told:
    """What ovs-vswitchd answers; it has no way to call back, so it is told again until that is what is wanted, or for
    `patience` seconds."""
    deadline = time.monotonic() + patience
    whole = _appctl(state_dir, *command)
    while not wanted(run := subprocess.run(whole, capture_output=True, text=True)) and time.monotonic() <= deadline:
        time.sleep(0.05)
    return run


def _appctl(state_dir: Path, *command: str) -> list[str]:
    return ["ovs-appctl", "--timeout=5", "-t", str(run_dir(state_dir) / "ovs-vswitchd.ctl"), *command]


def set_external_ids(state_dir: Path, settings: Mapping[str, str]) -> None:
    """Set keys in external_ids of the Open_vSwitch table, leaving the other keys."""
    pairs = [f"external_ids:{key}={json.dumps(value)}" for key, value in settings.items()]
    vsctl(state_dir, "--no-wait", "set", "Open_vSwitch", ".", *pairs)
