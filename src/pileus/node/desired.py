"""The typed contract between control plane and host: HostSpec goes down, HostStatus comes up.

HTTP (prefix /node/v1). A host that has joined shows its certificate; one that `pileus up` starts itself shows its token in
the header `X-Pileus-Host-Token`:

    GET  /authority               -> CloudAuthority, to anybody: who joins compares its fingerprint with the token's
    POST /join                    JoinRequest -> Membership; needs a join token
    POST /hosts/{host}/certificate   CertificateRequest -> Certificate; a new one for the same key, before the old one ends
    GET  /hosts/{host}            -> 204 once the host has registered, 404 before
    PUT  /hosts/{host}            HostFacts -> 200; registers the host or renews its facts
    GET  /hosts/{host}/spec?seen=REVISION&wait=SECONDS   long poll -> HostSpec (200), or 304 when nothing changed
    POST /hosts/{host}/status     HostStatus -> 204; only what changed since the last report, or everything when `full`
    POST /hosts/{host}/guests/{guest}/password   what a guest posted as its password to its metadata service -> 204, 409 again
    GET  /images/{image_id}/file  an image's bytes, where the host can't reach the image store's directory

Everything here is idempotent: the same spec applied twice changes nothing, the same status reported twice changes nothing.
A `count` field is an epoch: the host does the thing once more whenever the spec's number is higher than the number it last
reported as done.

The control plane keeps no token, only its hash; with that hash (`proof`) as X-Pileus-Host-Token it calls the agent; an agent
with a certificate wants to see the control plane's:

    GET       {agent_url}/guests/{guest}/console-log?limit=BYTES -> the log's last bytes
    GET       {agent_url}/log?text=TEXT -> JSON list of the lines of the agent's log with the text, such as a request's id
    GET       {agent_url}/guests/{guest}/metadata-requests -> JSON list of the last ones: time, path, status
    GET       {agent_url}/guests/{guest}/diagnostics -> Diagnostics; 404 while it does not run
    WebSocket {agent_url}/guests/{guest}/vnc                     the guest's screen
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

Power = Literal["running", "stopped", "paused", "suspended"]


def proof(token: str) -> str:
    """What the control plane shows to a host's agent, and keeps of the host's token."""
    return hashlib.sha256(token.encode()).hexdigest()


class CloudAuthority(msgspec.Struct, kw_only=True, frozen=True):
    certificate: str
    """PEM, of the cloud's own certificate authority."""
    mode: Literal["real", "sim"]
    mtu: int
    """What an underlay must carry for the networks that are there; 0 where there are none."""


class JoinRequest(msgspec.Struct, kw_only=True, frozen=True):
    token: str
    host: str
    request: str
    """PKCS #10 in PEM, for a key on the curve P-256 that stays on the host."""


class Membership(msgspec.Struct, kw_only=True, frozen=True):
    """What a machine is told when it has become a host."""

    host: str
    certificate: str
    """PEM; its organisation is `host`, its common name the host's name."""
    southbound: str
    """OVN's southbound database (ssl:ADDRESS:PORT); empty in a simulated cloud."""


class ControlRequest(msgspec.Struct, kw_only=True, frozen=True):
    """Of a machine that is to serve the API or run controllers."""

    token: str
    host: str


class ControlKeys(msgspec.Struct, kw_only=True, frozen=True):
    """What each machine of the control plane has the same."""

    credential_key: str
    """The file that the database's secrets are sealed with."""
    admin_password: str
    """Empty where the machine that was asked does not have it."""
    database: str
    """SQLAlchemy URL, as the machine that was asked reaches it."""


class CertificateRequest(msgspec.Struct, kw_only=True, frozen=True):
    request: str


class Certificate(msgspec.Struct, kw_only=True, frozen=True):
    certificate: str


class RootDisk(msgspec.Struct, kw_only=True, frozen=True):
    """A qcow2 overlay on an image. `sha512` names the image's file in a content-addressed store."""

    image_id: str
    sha512: str
    image_format: str
    image_size: int
    """Bytes of the image's file."""
    size_gb: int
    """0: as large as the image."""
    bus: str = "virtio"


class Nic(msgspec.Struct, kw_only=True, frozen=True):
    """One port of a guest, in the order of the guest's NICs."""

    port_id: str
    network_id: str
    mac: str
    mtu: int
    model: str = "virtio"


class GuestSpec(msgspec.Struct, kw_only=True, frozen=True):
    """What one server should be on this host."""

    id: str
    generation: int
    """Goes up with every change of the spec; the host reports the generation that it has reached."""
    name: str
    domain_name: str
    """libvirt's name: instance-0000002a."""
    project_id: str
    user_id: str
    power: Power
    vcpus: int
    memory_mb: int
    root: RootDisk
    nics: tuple[Nic, ...] = ()
    swap_mb: int = 0
    ephemeral_gb: int = 0
    config_drive: bool = False
    reboots: int = 0
    """Epoch of soft reboots (ACPI; hard after 60 s without an answer)."""
    hard_reboots: int = 0
    """Epoch of hard reboots: the domain is made anew from this spec."""
    rebuilds: int = 0
    """Epoch of rebuilds: the root disk is made anew from `root`."""
    properties: dict[str, str] = {}
    """hw_* of image and flavor: hw_disk_bus, hw_vif_model, hw_machine_type, hw_video_model, ..."""
    documents: Documents | None = None
    request_id: str | None = None
    """Of the request that changed it last: for the host's log."""


class Documents(msgspec.Struct, kw_only=True, frozen=True):
    """What metadata service and config drive tell the guest. `ec2` is the tree under /latest/meta-data.

    JSON documents as values, ready to serve; `user_data` is base64 as the API took it.
    """

    meta_data: dict[str, Any]
    network_data: dict[str, Any]
    vendor_data: dict[str, Any] = {}
    user_data: str | None = None
    ec2: dict[str, Any] = {}
    files: tuple[tuple[str, str], ...] = ()
    """Injected files: (path, base64 content)."""


class MetadataPort(msgspec.Struct, kw_only=True, frozen=True):
    """Where guests of one network reach metadata on this host: a local port inside a namespace of its own."""

    network_id: str
    port_id: str
    mac: str
    addresses: tuple[str, ...]
    """The port's own addresses with prefix length, e.g. 10.0.0.2/24."""
    guests: dict[str, str] = {}
    """A guest's address on this network -> the guest's id."""


class HostSpec(msgspec.Struct, kw_only=True, frozen=True):
    """All that one host should be. A guest that is not listed should not be there."""

    host: str
    revision: int
    guests: tuple[GuestSpec, ...] = ()
    metadata_ports: tuple[MetadataPort, ...] = ()
    leaving: dict[str, str] = {}
    """Guests that are to be removed -> the id of the request that asked for it, for the host's log."""
    status_interval: float = 300.0
    """Seconds between two reports that say nothing new. That the host lives, it says by asking for its spec."""


GuestState = Literal["building", "running", "stopped", "paused", "suspended", "crashed", "failed"]


class GuestStatus(msgspec.Struct, kw_only=True, frozen=True):
    """What one guest is. `generation` is the spec's generation that the guest has reached."""

    id: str
    generation: int
    state: GuestState
    wired: tuple[str, ...] = ()
    """Port ids whose flows are in place (OVN says so for this host)."""
    reboots: int = 0
    hard_reboots: int = 0
    rebuilds: int = 0
    fault: str | None = None
    """Why the generation could not be reached, for the reader."""
    step: str | None = None
    """What is being done now: disk, network, domain, ..."""
    vnc_port: int | None = None
    """On the host's loopback."""


class NicCounters(msgspec.Struct, kw_only=True, frozen=True):
    """What went through a NIC since the guest started, from the guest's side."""

    name: str
    """Of the tap on the host."""
    mac: str
    rx_octets: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_drop: int = 0
    tx_octets: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_drop: int = 0


class DiskCounters(msgspec.Struct, kw_only=True, frozen=True):
    name: str
    """As libvirt has it: vda."""
    read_bytes: int = 0
    read_requests: int = 0
    write_bytes: int = 0
    write_requests: int = 0


class Diagnostics(msgspec.Struct, kw_only=True, frozen=True):
    """What a running guest uses of its host, counted since it started."""

    uptime: int
    """Seconds."""
    memory_kib: int
    memory_used_kib: int
    """Of the host's memory."""
    cpu_times: tuple[int, ...]
    """Nanoseconds, by virtual CPU."""
    nics: tuple[NicCounters, ...] = ()
    disks: tuple[DiskCounters, ...] = ()


class HostFacts(msgspec.Struct, kw_only=True, frozen=True):
    """What the host is."""

    host: str
    hypervisor_type: str
    """QEMU or simulated."""
    hypervisor_version: int
    accelerator: str
    """kvm or tcg, with the reason in `accelerator_reason`."""
    accelerator_reason: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    address: str
    agent_url: str
    """Where the agent answers for console logs and console streams."""
    mtu: int | None = None
    """Of the interface that carries the tunnels; None where the host has none."""
    cpu_info: dict[str, Any] = {}
    traits: tuple[str, ...] = ()
    version: str = ""


class HostStatus(msgspec.Struct, kw_only=True, frozen=True):
    host: str
    revision: int
    """Of the spec that was last seen."""
    full: bool = False
    """All guests of the host are listed; a guest of the spec that is not listed does not exist yet."""
    guests: tuple[GuestStatus, ...] = ()
    gone: tuple[str, ...] = ()
    """Guests whose domain, disks and NICs have been removed since the last report."""
    used: dict[str, int] = {}
    """vcpus, memory_mb, disk_gb in use, as the host sees it."""
    problems: tuple[str, ...] = ()
    """What is wrong with the host, for `pileus status`."""
