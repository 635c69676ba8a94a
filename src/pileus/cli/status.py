"""`pileus status`: what runs, where, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from pileus.cli.client import Client, Unreachable
from pileus.cli.steps import console


def status(state_dir: Path, running: Mapping[str, Any] | None, daemons: Sequence[Mapping[str, Any]]) -> int:
    """`running`: who serves (pid, since, url, mode, version), None where nobody does. 0 where nothing is wrong."""
    wrong = [f"{d['name']} is {d['state']}: {d['trouble']}" for d in daemons if d["state"] != "running"]
    if running is None:
        console.print(f"[red]Pileus is not running[/] in {state_dir}. Start it by 'pileus up'.")
        _daemons(daemons)
        return 1
    console.print(
        f"[bold]Pileus {running['version']}[/] in {running['mode']} mode at {running['url']}, "
        f"for {_span(time.time() - running['since'])} (pid {running['pid']}, state in {state_dir})"
    )
    _daemons(daemons)
    try:
        client = Client(state_dir)
        wrong += _hosts(client)
        _counts(client)
    except Unreachable as error:
        wrong.append(str(error))
    for line in wrong:
        console.print(f"[red]![/] {line}")
    if not wrong:
        console.print("[green]Nothing is wrong.[/]")
    return 1 if wrong else 0


def _daemons(daemons: Sequence[Mapping[str, Any]]) -> None:
    if not daemons:
        return
    table = Table("daemon", "state", "pid", "for", "restarts", "last words", box=None, header_style="dim")
    for each in daemons:
        colour = "green" if each["state"] == "running" else "red"
        words = (each["last_words"] or "").strip().splitlines()[-1:] if each["restarts"] or colour == "red" else []
        table.add_row(
            each["name"],
            f"[{colour}]{each['state']}[/]",
            str(each["pid"] or "-"),
            _span(time.time() - each["since"]),
            str(each["restarts"]),
            *(words or [""]),
        )
    console.print(table)


def _hosts(client: Client) -> list[str]:
    """A table of the hosts; returns what is wrong with them."""
    wrong = []
    table = Table("host", "state", "hypervisor", "address", "vCPUs", "memory", "guests", box=None, header_style="dim")
    for host in client.get("compute", "/os-hypervisors/detail", "2.53")["hypervisors"]:
        up = host["state"] == "up"
        colour = "green" if up else "red"
        if not up:
            wrong.append(f"host {host['hypervisor_hostname']} has not been heard of for a while: is its agent running?")
        table.add_row(
            host["hypervisor_hostname"],
            f"[{colour}]{host['state']}[/] {host['status']}",
            f"{host['hypervisor_type']} {host['hypervisor_version']}",
            host["host_ip"],
            f"{host['vcpus_used']}/{host['vcpus']}",
            f"{host['memory_mb_used']}/{host['memory_mb']} MB",
            str(host["running_vms"]),
        )
    console.print(table)
    return wrong


def _counts(client: Client) -> None:
    servers = client.get("compute", "/servers/detail?all_tenants=1&limit=1000")["servers"]
    states: dict[str, int] = {}
    for server in servers:
        states[server["status"]] = states.get(server["status"], 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    console.print(f"servers: {told}")


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
