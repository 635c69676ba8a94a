"""The options of Pileus, all of them, each with the reason why the operator knows better than we do."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec


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
    """The address that the API listens on: which network is the clients'."""
    port: int = 8780
    """The API's port: what else runs on the machine."""
    region: str = "RegionOne"
    """The region's name in the catalog: other clouds beside this one."""
    database: str | None = None
    """SQLAlchemy URL of a shared PostgreSQL; by default SQLite in the state directory."""
    external_bridge: str = "br-ex"
    """The bridge of external networks."""
    external_address: str = "172.24.4.1/24"
    """The host's address on the external bridge, with prefix length: which range is free here."""
    external_interface: str | None = None
    """A network card to put into the external bridge; without it the external network ends at this host."""
    sim_hosts: int = 1
    """How many hosts to simulate."""
    token_hours: float = 1.0
    """How long a token is valid."""
    cpu_ratio: float = 4.0
    """Virtual CPUs to promise for one real one."""
    memory_ratio: float = 1.0
    """Memory to promise for what the host has."""
    import_networks: str = ""
    """Networks, separated by commas, that images may be imported from although they are not the internet: who may reach them."""
    image_stores: Mapping[str, AnyImageStore] = {}
    """Places for images' data beside STATE/images: where there is room."""

    @property
    def own_hosts(self) -> list[str]:
        """Names of the hosts that this Pileus starts itself."""
        return host_names(socket.gethostname().split(".")[0], self.sim_hosts if self.mode == "sim" else 1)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.state_dir}/pileus.db"

    @property
    def url(self) -> str:
        """Of the API, without a path."""
        return f"http://{self.host}:{self.port}"


def host_names(base: str, count: int) -> list[str]:
    """One host bears the machine's name; several are numbered."""
    return [base] if count < 2 else [f"{base}-{number}" for number in range(1, count + 1)]
