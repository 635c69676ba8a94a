"""`pileus status`: what runs, where, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from pileus.cli.client import Client, Unreachable
from pileus.cli.steps import console
from pileus.operate.facts import Facts


def status(facts: Facts, wrong: Sequence[str]) -> int:
    """`wrong`: what the doctor's quick checks say, or a joined host of its control plane. 0 where nothing is wrong."""
    wrong = list(wrong)
    _head(facts)
    _facts(facts)
    _daemons(facts.daemons)
    if facts.serving is not None and facts.member is None:
        try:
            client = Client(facts.state_dir)
            _hosts(client)
            _servers(client)
        except Unreachable as error:
            wrong.append(str(error))
    if facts.guests:
        _print(f"guests running here: {facts.guests}")
    for line in wrong:
        _print(f"[red]✗[/] {escape(line)}")
    if wrong and facts.member is None:
        _print("[dim]'pileus doctor' says what to do.[/]")
    elif facts.serving is not None and not wrong:
        _print("[green]Nothing is wrong.[/]")
    return 1 if wrong or (facts.serving is None and facts.control is None) else 0


def _head(facts: Facts) -> None:
    where = escape(str(facts.state_dir))
    as_host = f", host {escape(facts.member.name)} of a cloud," if facts.member else ""
    command = "join" if facts.member else "up"
    if facts.serving is not None:
        since = _span(time.time() - facts.serving.started)
        _print(
            f"[bold]Pileus {facts.versions['Pileus']}[/]{as_host} in {facts.mode} mode, for {since}"
            f" (pid {facts.serving.pid}, state in {where})"
        )
    elif facts.control is not None:
        _print(
            f"[bold]Pileus {facts.versions['Pileus']}[/], of the control plane of {facts.control} (state in {where})"
        )
    elif facts.mode is None:
        _print(f"[red]There is no cloud[/] in {where}. Start one by 'pileus up'.")
    else:
        going_on = "1 guest goes on" if facts.guests == 1 else f"{facts.guests} guests go on"
        more = f" {going_on} without it." if facts.guests else ""
        _print(f"[red]Pileus is not running[/] in {where}.{more} Start it by 'pileus {command}'.")


def _facts(facts: Facts) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, address in facts.addresses.items():
        table.add_row(name, escape(address))
    if len(facts.versions) > 1:
        table.add_row("versions", ", ".join(f"{name} {text}" for name, text in facts.versions.items()))
    if facts.accelerator:
        table.add_row("accelerator", escape(facts.accelerator))
    if table.row_count:
        console.print(table)


def _daemons(daemons: Sequence[Mapping[str, Any]]) -> None:
    if not daemons:
        return
    table = Table("daemon", "state", "pid", "for", "restarts", "last words", box=None, header_style="dim")
    for each in daemons:
        colour = "green" if each["state"] == "running" else "red"
        words = (each["last_words"] or "").strip().splitlines()[-1:] if each["restarts"] or colour == "red" else []
        trouble = f"{each['trouble']}: " if each["trouble"] and words else each["trouble"]
        table.add_row(
            each["name"],
            f"[{colour}]{each['state']}[/]",
            str(each["pid"] or "-"),
            _span(time.time() - each["since"]),
            str(each["restarts"]),
            escape(trouble + "".join(words)),
        )
    console.print(table)


def _hosts(client: Client) -> None:
    table = Table("host", "state", "hypervisor", "address", "vCPUs", "memory", "guests", box=None, header_style="dim")
    for host in client.get("compute", "/os-hypervisors/detail", "2.53")["hypervisors"]:
        colour = "green" if host["state"] == "up" else "red"
        table.add_row(
            escape(host["hypervisor_hostname"]),
            f"[{colour}]{host['state']}[/] {host['status']}",
            host["hypervisor_type"],
            host["host_ip"],
            f"{host['vcpus_used']}/{host['vcpus']}",
            f"{host['memory_mb_used']}/{host['memory_mb']} MB",
            str(host["running_vms"]),
        )
    if table.row_count:
        console.print(table)


def _servers(client: Client) -> None:
    servers = client.get("compute", "/servers/detail?all_tenants=1&limit=1000")["servers"]
    states: dict[str, int] = {}
    for server in servers:
        states[server["status"]] = states.get(server["status"], 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    _print(f"servers: {told}")


def _print(text: str) -> None:
    console.print(text, soft_wrap=True)


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
