"""What libvirt counts of a running domain, as the contract has it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from pileus.node.desired import Diagnostics, DiskCounters, NicCounters


def read(stats: Mapping[str, Any], xml: str, uptime: int) -> Diagnostics:
    """`stats`: virConnectGetAllDomainStats of vCPUs, memory, interfaces and disks; `xml`: of the domain as it runs."""
    return Diagnostics(
        uptime=uptime,
        memory_kib=stats.get("balloon.maximum", 0),
        memory_used_kib=stats.get("balloon.rss", 0),
        cpu_times=tuple(stats.get(f"vcpu.{cpu}.time", 0) for cpu in range(stats.get("vcpu.current", 0))),
        nics=tuple(_nics(stats, _macs(xml))),
        disks=tuple(_disks(stats)),
    )


def _nics(stats: Mapping[str, Any], macs: Mapping[str, str]) -> Iterator[NicCounters]:
    for number in range(stats.get("net.count", 0)):
        name = stats[f"net.{number}.name"]
        counted = {
            f"{way}_{ours}": stats.get(f"net.{number}.{way}.{theirs}", 0)
            for way in ("rx", "tx")
            for ours, theirs in (("octets", "bytes"), ("packets", "pkts"), ("errors", "errs"), ("drop", "drop"))
        }
        yield NicCounters(name=name, mac=macs.get(name, ""), **counted)


def _disks(stats: Mapping[str, Any]) -> Iterator[DiskCounters]:
    for number in range(stats.get("block.count", 0)):
        yield DiskCounters(
            name=stats[f"block.{number}.name"],
            read_bytes=stats.get(f"block.{number}.rd.bytes", 0),
            read_requests=stats.get(f"block.{number}.rd.reqs", 0),
            write_bytes=stats.get(f"block.{number}.wr.bytes", 0),
            write_requests=stats.get(f"block.{number}.wr.reqs", 0),
        )


def _macs(xml: str) -> dict[str, str]:
    """Tap -> the NIC's address."""
    found = {}
    for element in ElementTree.fromstring(xml).iterfind("./devices/interface"):
        tap, mac = element.find("./target"), element.find("./mac")
        if tap is not None and mac is not None:
            found[tap.get("dev", "")] = mac.get("address", "")
    return found
