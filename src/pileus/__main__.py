"""The `pileus` command. Starts things; holds no rules."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pileus import __doc__ as about

if TYPE_CHECKING:
    from pileus.core.config import Settings
    from pileus.doctor.patient import Patient

DEFAULT_STATE = Path("/var/lib/pileus")


class Parser(argparse.ArgumentParser):
    """Tells of a mistyped option in one line."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"pileus: {message}. See '{self.prog} --help'.\n")
        raise SystemExit(2)


def parser() -> Parser:
    top = Parser(prog="pileus", description=about, allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True, parser_class=Parser, metavar="COMMAND")

    up = _command(commands, "up", "start the cloud and return when it answers")
    up.add_argument(
        "--sim", dest="mode", action="store_const", const="sim", help="simulated hosts: no root, no packages"
    )
    up.add_argument("--quiet", action="store_true", help="print nothing but errors")
    up.add_argument("--config", type=Path, metavar="FILE", help="options as TOML (default STATE/pileus.toml)")
    up.add_argument(
        "--foreground", action="store_true", help="stay in front, as containers and service managers want it"
    )
    up.add_argument("--host", help="the address to listen on (127.0.0.1); others mean TLS, and hosts can join there")
    up.add_argument("--port", type=int, help="the port to listen on (8780)")
    up.add_argument("--certificate", type=Path, metavar="FILE", help="for clients, instead of one of our own authority")
    up.add_argument("--certificate-key", type=Path, metavar="FILE", help="its key")
    up.add_argument("--region", help="the region's name in the catalog (RegionOne)")
    up.add_argument("--database", metavar="URL", help="a shared PostgreSQL (default: SQLite in the state directory)")
    up.add_argument("--external-bridge", metavar="NAME", help="the bridge of external networks (br-ex)")
    up.add_argument("--external-address", metavar="ADDRESS/LENGTH", help="this host's address on it (172.24.4.1/24)")
    up.add_argument("--external-interface", metavar="NAME", help="a network card to put into it")
    up.add_argument("--sim-hosts", type=int, metavar="N", help="how many hosts to simulate (1)")

    api = _command(commands, "api", "serve the API by more processes, for a cloud with --database; stays in front")
    api.add_argument("--database", metavar="URL", help="the cloud's PostgreSQL")
    api.add_argument("--host", help="the address to listen on (127.0.0.1)")
    api.add_argument("--port", type=int, help="the port to listen on (8780)")
    api.add_argument("--processes", type=int, default=1, metavar="N", help="how many processes share the port (1)")

    controller = _command(
        commands, "controller", "run one more controller, for a cloud with --database; stays in front"
    )
    controller.add_argument("--database", metavar="URL", help="the cloud's PostgreSQL")

    database = commands.add_parser("database", help="where the cloud keeps its rows", allow_abbrev=False)
    of_database = database.add_subparsers(
        dest="database_command", required=True, parser_class=Parser, metavar="COMMAND"
    )
    text = "go on in a PostgreSQL instead of the SQLite file; guests do not notice"
    move = of_database.add_parser("move", help=text, description=text, allow_abbrev=False)
    move.add_argument("file", type=Path, metavar="SQLITE-FILE", help="STATE/pileus.db")
    move.add_argument("url", metavar="POSTGRESQL-URL", help="postgresql+psycopg://USER:PASSWORD@HOST/NAME, empty")

    join = _command(
        commands, "join", "make this machine a host of a cloud; without URL start it as the host that it is"
    )
    join.add_argument("url", nargs="?", metavar="URL", help="https://ADDRESS:PORT of the cloud")
    join.add_argument("--token", help="what 'pileus host token' printed where the cloud runs")
    join.add_argument("--address", dest="host", help="this machine's address for other hosts (that towards URL)")
    join.add_argument("--external-bridge", metavar="NAME", help="the bridge of external networks (br-ex)")
    join.add_argument("--external-interface", metavar="NAME", help="a network card on external networks")
    join.add_argument("--foreground", action="store_true", help="stay in front, as service managers want it")

    host = commands.add_parser("host", help="hosts that join", allow_abbrev=False)
    of_host = host.add_subparsers(dest="host_command", required=True, parser_class=Parser, metavar="COMMAND")
    token = _command(of_host, "token", "print a token by which machines become hosts of this cloud")
    token.add_argument("--hours", type=float, default=1.0, help="how long it is valid (1)")
    token.add_argument("--uses", type=int, default=1, help="how many hosts it lets in (1)")

    control = commands.add_parser("control", help="machines that share the control plane", allow_abbrev=False)
    of_control = control.add_subparsers(dest="control_command", required=True, parser_class=Parser, metavar="COMMAND")
    token = _command(of_control, "token", "print a token by which machines become part of this cloud's control plane")
    token.add_argument("--hours", type=float, default=1.0, help="how long it is valid (1)")
    token.add_argument("--uses", type=int, default=1, help="how many machines it lets in (1)")
    text = "let this machine serve the API and run controllers: 'pileus api' and 'pileus controller' start them then"
    enter = _command(of_control, "join", text)
    enter.add_argument("url", metavar="URL", help="https://ADDRESS:PORT of the cloud")
    enter.add_argument("--token", help="what 'pileus control token' printed where the cloud runs")
    enter.add_argument("--host", help="the address to listen on (this machine's towards URL)")
    enter.add_argument("--port", type=int, help="the port to listen on (8780)")
    enter.add_argument(
        "--database", metavar="URL", help="the cloud's PostgreSQL, where it is reached otherwise from here"
    )

    sim = _command(commands, "sim", "measure a cloud in sim mode with thousands of simulated hosts; they go again")
    sim.add_argument("--hosts", type=int, default=1000, metavar="N", help="how many hosts (1000)")
    sim.add_argument("--curve", metavar="N,N,...", help="one measurement for each number of hosts, as a table")
    sim.add_argument("--guests", type=int, default=1000, metavar="N", help="how many servers to boot (1000)")
    sim.add_argument("--clients", type=int, default=8, metavar="N", help="how many requests at once (8)")
    sim.add_argument("--together", type=int, default=1, metavar="N", help="how many servers one request makes (1)")
    sim.add_argument(
        "--api", action="append", default=[], metavar="URL", help="another `pileus api` that is to be used too"
    )
    sim.add_argument("--idle", type=float, default=60.0, metavar="S", help="how long idle hosts are watched (60 s)")
    sim.add_argument("--keep", action="store_true", help="leave hosts and servers in the cloud")
    sim.add_argument("--json", action="store_true", help="the numbers as JSON")

    federation = commands.add_parser("federation", help="identity providers that users sign on by", allow_abbrev=False)
    of_federation = federation.add_subparsers(
        dest="federation_command", required=True, parser_class=Parser, metavar="COMMAND"
    )
    for name, text in (
        ("set", "give a protocol its settings (docs/operating.md)"),
        ("show", "show them, without secrets, and what the identity provider must know"),
        ("clear", "take them away"),
    ):
        made = _command(of_federation, name, text)
        made.add_argument("provider", metavar="IDENTITY-PROVIDER")
        made.add_argument("protocol", metavar="PROTOCOL")
        if name == "set":
            made.add_argument("file", type=Path, metavar="FILE", help="TOML; '-' for standard input")

    down = _command(commands, "down", "stop the cloud; guests and their networks go on")
    down.add_argument("--guests", action="store_true", help="stop the guests too; the next 'up' starts them again")
    down.add_argument("--purge", action="store_true", help="stop the guests too, and leave nothing behind")

    keys = _command(commands, "rotate-keys", "make a new key for tokens, as Pileus does by itself every week")
    keys.add_argument("--end-tokens", action="store_true", help="drop the keys before it: every token ends at once")

    _command(commands, "status", "what runs, where, and what is wrong")

    doctor = _command(commands, "doctor", "say what is wrong, what shows it, and what to do")
    doctor.add_argument("about", nargs="*", metavar="server ID-or-name", help="why a server does not answer")
    _command(commands, "audit", "compare rows, guests, disks, ports, OVN and allocations; say what does not agree")

    trace = _command(commands, "trace", "what one request has done: its events, and its lines in the logs of all hosts")
    trace.add_argument("request_id", metavar="REQUEST-ID", help="as X-Openstack-Request-Id and error messages give it")

    routes = _command(commands, "routes", "list the API's operations")
    routes.add_argument("--json", action="store_true", help="as a JSON list of service, method, path, action")

    _command(commands, "load-metadefs", "add the usual metadata definitions that are not there yet")

    openstack = _command(commands, "openstack", "the openstack client, as this cloud's administrator")
    openstack.add_argument("arguments", nargs=argparse.REMAINDER)

    for name in ("serve", "attend"):
        commands.add_parser(name, allow_abbrev=False).add_argument("--state-dir", type=Path)
    return top


def _command(commands: Any, name: str, text: str) -> Parser:
    made: Parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    made.add_argument(
        "--state-dir", type=Path, default=None, metavar="DIR", help=f"where everything is kept ({default_state()})"
    )
    return made


def default_state() -> Path:
    """/var/lib/pileus for root; in the home directory for others."""
    given = os.environ.get("PILEUS_STATE_DIR")
    if given:
        return Path(given)
    return DEFAULT_STATE if os.geteuid() == 0 else Path.home() / ".local" / "share" / "pileus"


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    from pileus.operate.options import OptionError

    try:
        return int(_COMMANDS[given.command](given) or 0)
    except OptionError as error:
        sys.stderr.write(f"pileus: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("pileus: interrupted.\n")
        return 130


def _state_dir(given: argparse.Namespace) -> Path:
    return (given.state_dir or default_state()).absolute()


def _up(given: argparse.Namespace) -> int:
    from pileus.operate import options, up

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    state_dir = _state_dir(given)
    names = (
        "mode",
        "host",
        "port",
        "certificate",
        "certificate_key",
        "region",
        "database",
        "external_bridge",
        "external_address",
        "external_interface",
        "sim_hosts",
    )
    settings = options.load(state_dir, {name: getattr(given, name) for name in names}, given.config)
    if given.foreground:
        return up.foreground(settings)
    up.up(settings)
    if given.quiet:
        return 0
    sys.stdout.write(
        f"Pileus is up in {time.monotonic() - began:.1f} s at {settings.url} ({settings.mode} mode, state in {state_dir}).\n"
        f"  openstack --os-cloud pileus catalog list\n"
    )
    return 0


def _join(given: argparse.Namespace) -> int:
    from pileus.operate import join, options

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    state_dir = _state_dir(given)
    if given.url is None:
        if given.foreground:
            return join.foreground(state_dir)
        member = join.start(state_dir)
    else:
        names = ("host", "external_bridge", "external_interface")
        settings = options.load(state_dir, {name: getattr(given, name) for name in names})
        member = join.join(settings, given.url, given.token or "", given.host is not None)
    sys.stdout.write(
        f"Host {member.name} of {member.url} is up in {time.monotonic() - began:.1f} s (state in {state_dir}).\n"
    )
    return 0


def _host(given: argparse.Namespace) -> int:
    from pileus.operate import tokens

    made = tokens.new(_state_dir(given), "host", given.hours, given.uses)
    sys.stdout.write(f"{made.token}\n")
    sys.stderr.write(f"On the new host: pileus join {made.url} --token TOKEN\n")
    return 0


def _control(given: argparse.Namespace) -> int:
    from pileus.operate import control, options, tokens

    state_dir = _state_dir(given)
    if given.control_command == "token":
        made = tokens.new(state_dir, "control plane", given.hours, given.uses)
        sys.stdout.write(f"{made.token}\n")
        sys.stderr.write(f"On the other machine: pileus control join {made.url} --token TOKEN\n")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = options.load(state_dir, {name: getattr(given, name) for name in ("host", "port", "database")})
    joined = control.join(settings, given.url, given.token or "", given.host is not None)
    sys.stdout.write(
        f"This machine is of the control plane of {given.url} (state in {state_dir}). Let your service manager keep\n"
        f"  pileus api          (at {joined.url})\n  pileus controller\n"
    )
    return 0


def _down(given: argparse.Namespace) -> int:
    from pileus.operate.down import down

    state_dir = _state_dir(given)
    ended = down(state_dir, given.guests, given.purge)
    if given.purge:
        sys.stdout.write(f"Pileus is down; nothing of it is left in {state_dir}.\n")
        return 0
    was = "Pileus is down" if ended.was_running else f"Pileus was not running in {state_dir}"
    if ended.guests_going_on:
        count = "1 guest goes on" if ended.guests_going_on == 1 else f"{ended.guests_going_on} guests go on"
        ending = f"{count}, with the network ('pileus down --guests' stops them too)"
    else:
        ending = "no guest runs"
    sys.stdout.write(f"{was}; {ending}.\n")
    return 0


def _status(given: argparse.Namespace) -> int:
    from pileus.cli.status import status
    from pileus.operate.facts import facts

    found = facts(_state_dir(given))
    wrong: list[str] = []
    if found.serving is not None and found.member is not None:
        from pileus.operate.join import troubles

        wrong = troubles(found.state_dir, found.member)
    elif found.serving is not None:
        from pileus.doctor.checks import QUICK, examine

        with _patient(given) as patient:
            findings = [each for each in examine(patient, QUICK) if each.verdict == "wrong"]
        wrong = [f"{each.about}: {each.says}" for each in findings]
    return status(found, wrong)


def _doctor(given: argparse.Namespace) -> int:
    from pileus.doctor import findings
    from pileus.doctor.checks import examine
    from pileus.doctor.server import explain
    from pileus.operate.options import OptionError

    if given.about and (len(given.about) != 2 or given.about[0] != "server"):
        raise OptionError(
            f"doctor knows nothing about '{' '.join(given.about)}': it is 'doctor' or 'doctor server ID'."
        )
    with _patient(given) as patient:
        if given.about:
            return findings.show(explain(patient, given.about[1]))
        return findings.show(findings.by_priority(examine(patient)))


def _audit(given: argparse.Namespace) -> int:
    from pileus.doctor import findings
    from pileus.doctor.audit import audit

    with _patient(given) as patient:
        found = audit(patient)
    if not found:
        sys.stdout.write("Rows, guests, disks, ports, OVN and allocations agree.\n")
    return findings.show(found)


def _trace(given: argparse.Namespace) -> int:
    from pileus.operate.trace import trace

    with _patient(given) as patient:
        lines, silent = trace(patient.db, patient.settings, given.request_id)
    for line in lines:
        sys.stdout.write(f"{line.at:27} {line.where:16} {line.text}\n")
    if silent:
        sys.stderr.write(f"pileus: nothing could be learnt from {len(silent)} hosts: {', '.join(silent[:5])}.\n")
    if not lines:
        sys.stderr.write(f"pileus: nothing is known of {given.request_id}.\n")
    return 0 if lines and not silent else 1


@contextmanager
def _patient(given: argparse.Namespace) -> Iterator[Patient]:
    from pileus.doctor.patient import NoAnswer, Patient
    from pileus.operate.options import OptionError

    with closing(Patient(_state_dir(given))) as patient:
        try:
            yield patient
        except NoAnswer as error:
            raise OptionError(str(error)) from None


def _api(given: argparse.Namespace) -> int:
    import socket

    from pileus.operate import options, scale_out

    inherited = os.environ.get(scale_out.WORKER)
    if inherited is not None:
        return scale_out.serve_api(_handed_down(), socket.socket(fileno=int(inherited)), os.getppid())
    named = {"database": given.database, "host": given.host, "port": given.port}
    return scale_out.api(options.load(_state_dir(given), named), given.processes)


def _controller(given: argparse.Namespace) -> int:
    from pileus.operate import options, scale_out

    return scale_out.controller(options.load(_state_dir(given), {"database": given.database}))


def _database(given: argparse.Namespace) -> int:
    from pileus.operate.move import move

    moved = move(given.file.absolute(), given.url, lambda line: print(line, flush=True))
    sys.stdout.write(f"{moved.rows} rows of {moved.tables} tables moved.")
    sys.stdout.write(f" The API was away for {moved.gap:.1f} s.\n" if moved.gap else " 'pileus up' starts there.\n")
    return 0


def _rotate_keys(given: argparse.Namespace) -> int:
    from pileus.services.identity import reconcile
    from pileus.services.identity.rules import sealing, tokens

    with _patient(given) as cloud:
        with cloud.db.write() as tx:
            tokens.rotate_keys(tx, cloud.settings)
            sealing.rotate(tx, cloud.settings)
            if given.end_tokens:
                tokens.end_all(tx)
        reconcile.seal_anew(cloud.db, cloud.settings)
    ended = "all tokens made before have ended" if given.end_tokens else "tokens made before stay good until they end"
    sys.stdout.write(f"New tokens are made with a new key; {ended}. Kept secrets are sealed with a new key.\n")
    return 0


def _sim(given: argparse.Namespace) -> int:
    import msgspec

    from pileus.operate import many

    say = (lambda _: None) if given.json else (lambda line: print(line, flush=True))
    curve = _numbers(given.curve) or [given.hosts]
    wish = many.Wish(curve, given.guests, given.clients, given.idle, given.api, given.together, given.keep)
    table = ""
    for found in many.run(_state_dir(given), wish, say):
        table += many.line(found) + "\n"
        if given.json:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        elif not given.curve:
            for name, value in msgspec.structs.asdict(found).items():
                sys.stdout.write(f"{name:18} {value:.2f}\n" if isinstance(value, float) else f"{name:18} {value}\n")
        else:
            sys.stdout.write(f"{many.heading()}\n{table}")
        sys.stdout.flush()
    return 0


def _numbers(text: str | None) -> list[int]:
    from pileus.operate.options import OptionError

    try:
        return [int(number) for number in text.split(",")] if text else []
    except ValueError:
        raise OptionError(f"--curve {text}: numbers of hosts are wanted, such as 100,1000,10000.") from None


def _federation(given: argparse.Namespace) -> int:
    from pileus.operate import federation

    of = (_state_dir(given), given.provider, given.protocol)
    if given.federation_command == "set":
        sys.stdout.write(federation.configure(*of, given.file) + "\n")
    elif given.federation_command == "show":
        sys.stdout.write(federation.describe(*of) + "\n")
    else:
        federation.forget(*of)
    return 0


def _handed_down() -> Settings:
    """The settings that the process which started this one has checked."""
    import msgspec

    from pileus.core.config import Settings

    return msgspec.json.decode(os.environ["PILEUS_SETTINGS"], type=Settings, dec_hook=lambda kind, value: kind(value))


def _serve(given: argparse.Namespace) -> int:
    from pileus.operate import state
    from pileus.operate.options import OptionError

    if "PILEUS_SETTINGS" not in os.environ:
        sys.stderr.write(f"pileus: '{given.command}' is started by 'pileus up' or 'pileus join'.\n")
        return 2
    settings = _handed_down()
    try:
        if given.command == "attend":
            from pileus.operate.join import attend

            return attend(settings)
        gc.set_threshold(10_000, 1_000)  # nearly all that is made while starting stays; to look through it takes 0.2 s
        from pileus.operate.serve import serve

        return serve(settings)
    except OptionError as error:
        state.failure_file(settings.state_dir).write_text(str(error))
        raise


def _routes(given: argparse.Namespace) -> int:
    import msgspec

    from pileus.cloud import services

    rows = [
        {"service": route.service, "method": route.method, "path": service.shown_path(route), "action": route.action}
        for service in services()
        for route in service.described()
    ]
    if given.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(rows)).decode() + "\n")
    else:
        for row in rows:
            sys.stdout.write(
                f"{row['service']:12} {row['method']:7} {row['path']}{'  ' + row['action'] if row['action'] else ''}\n"
            )
    return 0


def _load_metadefs(given: argparse.Namespace) -> int:
    from pileus.core.context import system_caller
    from pileus.services.image import catalogue

    with _patient(given) as patient, patient.db.write() as tx:
        added = catalogue.load(tx, system_caller())
    sys.stdout.write("".join(f"{name}\n" for name in added) or "All of them are there.\n")
    return 0


def _openstack(given: argparse.Namespace) -> int:
    from pileus.operate.options import OptionError

    state_dir = _state_dir(given)
    clouds = state_dir / "clouds.yaml"
    if not clouds.exists():
        raise OptionError(f"There is no cloud in {state_dir}: start one by 'pileus up'.")
    client = Path(sys.executable).with_name("openstack")
    if not client.exists():
        raise OptionError("The openstack client is not installed: pip install 'pileus[cli]'.")
    os.environ |= {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "pileus"}
    os.execv(client, [str(client), *given.arguments])  # noqa: S606


_COMMANDS = {
    "up": _up,
    "api": _api,
    "controller": _controller,
    "database": _database,
    "sim": _sim,
    "rotate-keys": _rotate_keys,
    "federation": _federation,
    "down": _down,
    "status": _status,
    "doctor": _doctor,
    "audit": _audit,
    "trace": _trace,
    "serve": _serve,
    "attend": _serve,
    "join": _join,
    "host": _host,
    "control": _control,
    "routes": _routes,
    "load-metadefs": _load_metadefs,
    "openstack": _openstack,
}

if __name__ == "__main__":
    raise SystemExit(main())
