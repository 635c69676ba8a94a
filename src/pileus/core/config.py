"""The options of Pileus, all of them, each with the reason why the operator knows better than we do."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

SOUTHBOUND_PORT = 6642
NORTHBOUND_PORT = 6641
AGENT_PORT = 8781
"""Where the agent of a host that has joined listens for the control plane."""

TUNNEL_BRIDGE = "br-tun"
"""The bridge of tunnels, where Open vSwitch works in user space: it has this host's address beside its card."""


class ImageStore(msgspec.Struct, kw_only=True, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """A place for images' data, [image_stores.NAME] in the file of options: where there is room, and of which speed."""

    description: str = ""
    """What its users read in the list of stores."""
    weight: int = 0
    """Of several stores that have an image, the one of the highest weight is read."""
    default: bool = False
    """Whether data goes here when its sender names no store."""


class FileStore(ImageStore, tag="file", kw_only=True, frozen=True):
    directory: Path


class HttpStore(ImageStore, tag="http", kw_only=True, frozen=True):
    """Data that lies on web servers. Images get such locations; nothing is written there."""


class S3Store(ImageStore, tag="s3", kw_only=True, frozen=True):
    endpoint: str
    bucket: str
    access_key: str
    secret_file: Path
    """Holds the secret key alone, so that the options may be shown to others."""
    region: str = "us-east-1"
    prefix: str = ""
    """Of the objects' names: what is below it is this store's own."""


class SwiftStore(ImageStore, tag="swift", kw_only=True, frozen=True):
    auth_url: str
    username: str
    password_file: Path
    """Holds the password alone."""
    project_name: str
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"
    region: str | None = None
    container: str = "images"


class RbdStore(ImageStore, tag="rbd", kw_only=True, frozen=True, forbid_unknown_fields=False):
    """Comes with Ceph: refused at start until then."""


AnyImageStore = FileStore | HttpStore | S3Store | SwiftStore | RbdStore


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """What one Pileus was started with; checked at start, never changed afterwards."""

    state_dir: Path = Path("/var/lib/pileus")
    """Where everything is kept: which disk is large and safe."""
    mode: Literal["real", "sim"] = "real"
    """libvirt and OVN, or simulated hosts."""
    host: str = "127.0.0.1"
    """The address that the API listens on, with TLS unless it is loopback, and that tunnels of other hosts lead to."""
    port: int = 8780
    """The API's port: what else runs on the machine."""
    certificate: Path | None = None
    """A certificate that clients trust already (PEM, with its chain), instead of one of the cloud's own authority."""
    certificate_key: Path | None = None
    """The key of `certificate`."""
    region: str = "RegionOne"
    """The region's name in the catalog: other clouds beside this one."""
    database: str | None = None
    """SQLAlchemy URL of a shared PostgreSQL; by default SQLite in the state directory."""
    public_url: str | None = None
    """Where clients find the API, without a path, if not at host and port: what stands in front of it."""
    external_bridge: str = "br-ex"
    """The bridge of external networks."""
    external_address: str = "172.24.4.1/24"
    """The host's address on the external bridge, with prefix length: which range is free here."""
    external_interface: str | None = None
    """A network card to put into the external bridge; without it the external network ends at this host."""
    sim_hosts: int = 1
    """How many hosts to simulate."""
    trusted_dashboards: str = ""
    """Pages, separated by commas, that tokens of users of identity providers may be sent to: which dashboards are yours."""
    token_hours: float = 1.0
    """How long a token is valid."""
    password_regex: str = ""
    """What a new password must match from its start, such as `.{12,}$`: what your auditors ask for."""
    password_regex_description: str = ""
    """The same in words, for whoever is refused."""
    password_expires_days: int = 0
    """After how many days a password must be changed (0: never): your site's rules."""
    minimum_password_age: int = 0
    """For how many days users keep a password that they chose (0: not at all): the history would be rotated away."""
    unique_last_password_count: int = 0
    """How many of their last passwords users can't take again (0: the present one)."""
    change_password_upon_first_use: bool = False
    """Whether a password that an administrator set is good for nothing but to be changed."""
    lockout_failure_attempts: int = 0
    """After how many wrong passwords in a row a user is locked out (0: never); others can lock users out by it."""
    lockout_duration: int = 1800
    """For how many seconds a user is locked out."""
    disable_user_account_days_inactive: int = 0
    """After how many days without a log-in a user is disabled (0: never)."""
    limit_model: Literal["flat", "strict_two_level"] = "flat"
    """Whether limits of projects stay within those of their domain (and projects have none below them): how limits are given out."""
    cpu_ratio: float = 4.0
    """Virtual CPUs to promise for one real one."""
    memory_ratio: float = 1.0
    """Memory to promise for what the host has."""
    tls_proxy_secret: str = ""
    """What the TLS proxy sends in X-TLS-Proxy-Secret, so that the client certificates that it passes on are believed: who is the proxy."""
    image_format: Literal["raw", "qcow2"] | None = None
    """The disk format that imports are converted to, else they stay as they come: how fast disks or how little of them matters more."""
    import_networks: str = ""
    """Networks, separated by commas, that images may be imported from although they are not the internet: who may reach them."""
    image_cache_gb: int = 10
    """What this machine may keep of images whose stores are elsewhere: how large its disk is."""
    image_stores: Mapping[str, AnyImageStore] = {}
    """Places for images' data beside STATE/images: where there is room."""
    project_requests_per_second: float = 0.0
    """Above it a project is told to come again later (429), by each API process; 0: no limit. How much one user may take."""

    OF_THE_MACHINE: ClassVar[frozenset[str]] = frozenset(
        {
            "state_dir",
            "host",
            "port",
            "database",
            "certificate",
            "certificate_key",
            "external_bridge",
            "external_address",
            "external_interface",
            "sim_hosts",
            "tls_proxy_secret",
            "image_stores",
        }
    )
    """What each process is told by itself, and secrets, which stay in files; all else is the same in every process of a cloud."""

    def of_the_cloud(self) -> dict[str, Any]:
        """What every process of the cloud must have the same."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name not in self.OF_THE_MACHINE}

    def within(self, cloud: Mapping[str, Any]) -> Settings:
        """These settings in a cloud that has settled what is not the machine's own."""
        known = {name: value for name, value in cloud.items() if name in self.of_the_cloud()}
        return msgspec.structs.replace(self, **known)

    @property
    def metrics_token_file(self) -> Path:
        """With what Prometheus shows as its bearer token (`credentials_file` in its configuration)."""
        return metrics_token_file(self.state_dir)

    @property
    def admin_password_file(self) -> Path:
        """The first administrator's."""
        return self.state_dir / "admin-password"

    @property
    def own_hosts(self) -> list[str]:
        """Names of the hosts that this Pileus starts itself."""
        return host_names(host_name(), self.sim_hosts if self.mode == "sim" else 1)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.state_dir}/pileus.db"

    @property
    def url(self) -> str:
        """Of this process's API, without a path."""
        return f"{'https' if self.secure else 'http'}://{bracketed(self.host)}:{self.port}"

    @property
    def secure(self) -> bool:
        """Other machines can reach the API: TLS, and hosts may join."""
        return not ip_address(self.host).is_loopback

    @property
    def tls(self) -> Path:
        """The folder of certificates."""
        return self.state_dir / "tls"

    @property
    def tls_of_ovn(self) -> Path:
        """The folder of certificates for OVN's northbound database."""
        return self.tls / "ovn"

    @property
    def southbound(self) -> str:
        """Where other hosts reach OVN's southbound database; simulated ones have none."""
        return f"ssl:{bracketed(self.host)}:{SOUTHBOUND_PORT}" if self.mode == "real" and self.secure else ""

    @property
    def northbound(self) -> str:
        """Where controllers on other machines reach OVN's databases."""
        return f"ssl:{bracketed(self.host)}:{NORTHBOUND_PORT}" if self.southbound else ""

    @property
    def endpoint_url(self) -> str:
        """Of the API as clients find it in the catalog, without a path."""
        return self.public_url or self.url


def host_name() -> str:
    """This machine's, without a domain."""
    return socket.gethostname().split(".")[0]


def host_names(base: str, count: int) -> list[str]:
    """One host bears the machine's name; several are numbered."""
    return [base] if count < 2 else [f"{base}-{number}" for number in range(1, count + 1)]


def metrics_token_file(state_dir: Path) -> Path:
    return state_dir / "metrics-token"


def bracketed(address: str) -> str:
    """As it stands before a port."""
    return f"[{address}]" if ":" in address else address
