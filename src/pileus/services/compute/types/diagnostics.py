"""What a server uses of its host, from 2.48 on. Bytes and counts since the guest started; None: not known."""

from __future__ import annotations

import msgspec

from pileus.core.body import Reply


class Memory(msgspec.Struct, kw_only=True):
    maximum: int
    """MiB."""
    used: int
    """MiB of the host's memory."""


class Cpu(msgspec.Struct, kw_only=True):
    id: int
    time: int
    """Nanoseconds."""
    utilisation: int | None
    """Percent, on average since the guest started."""


class Nic(msgspec.Struct, kw_only=True):
    mac_address: str
    rx_octets: int
    rx_packets: int
    rx_errors: int
    rx_drop: int
    rx_rate: int | None = None
    tx_octets: int
    tx_packets: int
    tx_errors: int
    tx_drop: int
    tx_rate: int | None = None


class Disk(msgspec.Struct, kw_only=True):
    read_bytes: int
    read_requests: int
    write_bytes: int
    write_requests: int
    errors_count: int | None = None


class ServerDiagnostics(Reply):
    state: str
    driver: str
    hypervisor: str
    hypervisor_os: str
    uptime: int
    config_drive: bool
    num_cpus: int
    num_nics: int
    num_disks: int
    memory_details: Memory
    cpu_details: list[Cpu]
    nic_details: list[Nic]
    disk_details: list[Disk]
