"""OVN: the central part (northbound and southbound databases, northd) and the part of each host (ovn-controller)."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pileus.core.config import NORTHBOUND_PORT, SOUTHBOUND_PORT, bracketed
from pileus.core.tls import Folder
from pileus.supervise import ask, ovs, ovsdb
from pileus.supervise.daemon import Daemon
from pileus.supervise.ovsdb import LOG_TO_STDERR

PROBE_INTERVAL = 30000
"""Milliseconds of silence after which the southbound database and a host ask each other for a sign of life."""
SCHEMAS = Path("/usr/share/ovn")
_LISTENERS = "--remote=db:OVN_{0},{1}_Global,connections"
_TLS = (
    "--private-key=db:OVN_{0},SSL,private_key",
    "--certificate=db:OVN_{0},SSL,certificate",
    "--ca-cert=db:OVN_{0},SSL,ca_cert",
)


def run_dir(state_dir: Path) -> Path:
    return state_dir / "run/ovn"


def northbound(state_dir: Path) -> str:
    return f"unix:{run_dir(state_dir) / 'ovn-nb.sock'}"


def southbound(state_dir: Path) -> str:
    return f"unix:{run_dir(state_dir) / 'ovn-sb.sock'}"


def environment(state_dir: Path) -> dict[str, str]:
    """For OVN commands (ovn-nbctl, ovn-sbctl, ovn-trace, ovn-appctl) that should talk to this OVN."""
    return {
        **ovs.environment(state_dir),
        "OVN_RUNDIR": str(run_dir(state_dir)),
        "OVN_DBDIR": str(state_dir / "ovn"),
        "OVN_LOGDIR": str(state_dir / "log"),
        "OVN_NB_DB": northbound(state_dir),
        "OVN_SB_DB": southbound(state_dir),
    }


def is_central(state_dir: Path) -> bool:
    """OVN's databases are of this state directory."""
    return _file(state_dir, "ovn-nb").exists()


def central_daemons(state_dir: Path, controllers_elsewhere: bool = False) -> list[Daemon]:
    """The databases listen on unix sockets, and on what their own `connections` say (`ovn-sbctl set-connection`).

    `controllers_elsewhere`: the server of the northbound database passes the southbound one on too. A server believes one
    authority: that of the southbound database lets hosts in, for their own chassis alone, and so no controller.
    """
    control = run_dir(state_dir) / "ovn-northd.ctl"
    northd = Daemon(
        name="ovn-northd",
        argv=(
            "ovn-northd", f"--ovnnb-db={northbound(state_dir)}", f"--ovnsb-db={southbound(state_dir)}",
            f"--unixctl={control}", *LOG_TO_STDERR,
        ),
        log=state_dir / "log/ovn-northd.log",
        alive=lambda timeout: ask.json_rpc(control, "version", timeout),
        after=("ovn-nb", "ovn-sb"),
        env=environment(state_dir),
    )  # fmt: skip
    passed_on = (f"relay:OVN_Southbound:{southbound(state_dir)}",) if controllers_elsewhere else ()
    northbound_db = _database(state_dir, "ovn-nb", "Northbound", "NB", *passed_on)
    return [northbound_db, _database(state_dir, "ovn-sb", "Southbound", "SB"), northd]


@dataclass(frozen=True)
class Chassis:
    """This host for OVN. `system_id` must be unique in the cloud and stay; `encap_ip` carries the tunnels."""

    system_id: str
    hostname: str
    encap_ip: str = "127.0.0.1"
    southbound: str = ""
    """Where the southbound database listens (`ssl:192.0.2.1:6642`); empty: this state directory's own."""
    tls: Folder | None = None
    """What it shows there; its common name must be the system id."""


def host_daemons(state_dir: Path, chassis: Chassis) -> list[Daemon]:
    """ovn-controller. Its settings and its bridge are there before it starts: without a system-id it crashes (seen
    with 23.03), without a bridge it waits a second."""
    pid_file = run_dir(state_dir) / "ovn-controller.pid"
    shown = _shown(chassis.tls) if chassis.tls else ()
    return [
        Daemon(
            name="ovn-controller",
            argv=("ovn-controller", ovs.connection(state_dir), f"--pidfile={pid_file}", *shown, *LOG_TO_STDERR),
            log=state_dir / "log/ovn-controller.log",
            alive=lambda timeout: ask.json_rpc(controller_control(state_dir), "version", timeout),
            after=("ovs-vswitchd",),
            env=environment(state_dir),
            prepare=lambda: _prepare_controller(state_dir, chassis),
        )
    ]


def listen_to_hosts(state_dir: Path, address: str, tls: Folder) -> None:
    """Let the southbound database take other hosts' connections: with certificates, each for its own chassis alone."""
    database = ("ovn-sbctl", f"--db={southbound(state_dir)}", "SB_Global")
    _listen(*database, tls, target=f"pssl:{SOUTHBOUND_PORT}:{bracketed(address)}", role="ovn-controller")


def listen_to_controllers(state_dir: Path, address: str, tls: Folder) -> None:
    """Let the northbound database take connections of whoever has a certificate of the authority in `tls`."""
    database = ("ovn-nbctl", f"--db={northbound(state_dir)}", "NB_Global")
    _listen(*database, tls, target=f"pssl:{NORTHBOUND_PORT}:{bracketed(address)}")


def _listen(tool: str, database: str, table: str, tls: Folder, **wanted: str) -> None:
    columns = [f"{name}={json.dumps(value)}" for name, value in wanted.items()]
    command = [
        tool, database, "--timeout=10",
        *("set-ssl", str(tls.key), str(tls.certificate), str(tls.authority), "--"),
        *("--id=@others", "create", "Connection", *columns, f"inactivity_probe={PROBE_INTERVAL}", "--"),
        *("set", table, ".", "connections=@others"),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise OSError(f"{' '.join(command)} failed: {run.stderr.strip()}")


def _shown(tls: Folder) -> tuple[str, ...]:
    """Certificate files, which OVN's programs read again when they change."""
    return f"--private-key={tls.key}", f"--certificate={tls.certificate}", f"--ca-cert={tls.authority}"


def controller_control(state_dir: Path) -> Path:
    """ovn-controller's control socket, for `ovn-appctl -t`; it alone insists on its process number in the name."""
    sockets = list(run_dir(state_dir).glob("ovn-controller.*.ctl"))
    return sockets[0] if sockets else run_dir(state_dir) / "ovn-controller.ctl"


def _prepare_controller(state_dir: Path, chassis: Chassis) -> None:
    run_dir(state_dir).mkdir(parents=True, exist_ok=True)
    for stale in run_dir(state_dir).glob("ovn-controller.*.ctl"):
        stale.unlink()
    settings = {
        "system-id": chassis.system_id,
        "hostname": chassis.hostname,
        "ovn-remote": chassis.southbound or southbound(state_dir),
        "ovn-bridge": ovs.INTEGRATION_BRIDGE,
        "ovn-bridge-datapath-type": ovs.datapath_type(state_dir),
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": chassis.encap_ip,
        "ovn-remote-probe-interval": str(PROBE_INTERVAL),
    }
    ovs.set_external_ids(state_dir, settings)
    ovs.ensure_bridge(state_dir, ovs.INTEGRATION_BRIDGE, "fail_mode=secure")


def _file(state_dir: Path, name: str) -> Path:
    return state_dir / f"ovn/{name}.db"


def _database(state_dir: Path, name: str, title: str, short: str, *more: str) -> Daemon:
    return ovsdb.server(
        name, _file(state_dir, name), SCHEMAS / f"{name}.ovsschema",
        run_dir(state_dir) / f"{name}.sock", state_dir / "log",
        _LISTENERS.format(title, short), *(option.format(title) for option in _TLS), *more,
    )  # fmt: skip
