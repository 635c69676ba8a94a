"""Options: command line over STATE/pileus.toml over defaults, checked before anything starts."""

from __future__ import annotations

import difflib
import errno
import importlib.util
import ipaddress
import os
import re
import shutil
import socket
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pileus.core.config import AnyImageStore, FileStore, HttpStore, RbdStore, S3Store, Settings, SwiftStore

FILE = "pileus.toml"
CONVERTERS = ("qemu-img", "prlimit", "setpriv")


class OptionError(Exception):
    """An option that can't be: the message names the option, its value, where it stands, and what is possible."""


class BadValue(OptionError):
    """Of one option, by its name: `load` says where the value stands."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def load(state_dir: Path, given: Mapping[str, Any], file: Path | None = None) -> Settings:
    """The settings to start with. `given`: what the command line says (None where it says nothing)."""
    path = file or state_dir / FILE
    if file is not None and not file.exists():
        raise OptionError(f"--config {file}: there is no such file.")
    written = _read(path) if path.exists() else {}
    values = written | {key: value for key, value in given.items() if value is not None}
    values["state_dir"] = state_dir
    try:
        settings = msgspec.convert(
            {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}, Settings, dec_hook=_decode
        )
    except msgspec.ValidationError as error:
        raise OptionError(_explain(str(error), values, path)) from None
    try:
        check(settings)
    except BadValue as error:
        if error.name in written and given.get(error.name) is None:
            raise OptionError(f"{path}, line {_line(path.read_text(), error.name)}: {error}") from None
        raise
    return settings


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise TypeError(kind)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} can't be read: {error}.") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        end = f"at line {len(text.splitlines())}, the end"
        raise OptionError(f"{path}: {str(error).replace('at end of document', end)}.") from None
    known = set(Settings.__struct_fields__) - {"state_dir"}
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Possible are {', '.join(sorted(known))}."
            raise OptionError(f"{path}, line {_line(text, key)}: there is no option '{key}'.{hint}")
    return values


def _line(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*[\[\"']*{re.escape(key)}\b", line):
            return number
    return 1


def _explain(message: str, values: Mapping[str, Any], path: Path) -> str:
    found = re.search(r"`\$\.(\w+)", message)
    key = found[1] if found else "?"
    where = (
        f"{path}, line {_line(path.read_text(), key)}"
        if path.exists() and key in path.read_text()
        else f"--{key.replace('_', '-')}"
    )
    reason = message.split(" - at", maxsplit=1)[0]
    if isinstance(values.get(key), dict):
        # its values stay unsaid: one may be a secret in the wrong place
        return f"{where}: {key}: {_of_store(values[key]) if key == 'image_stores' else ''}{reason}."
    return f"{where}: {key} is {values.get(key)!r}: {reason}."


def _of_store(stores: Mapping[str, Any]) -> str:
    """Which of the stores it is that can't be read."""
    for name, table in stores.items():
        try:
            msgspec.convert(table, AnyImageStore, dec_hook=_decode)
        except msgspec.ValidationError:
            return f"of store '{name}': "
    return ""


def check(settings: Settings) -> None:
    """Values that are of the right type and still can't be."""
    if not 1 <= settings.port <= 65535:
        raise BadValue("port", f"port is {settings.port}: a port is a number from 1 to 65535.")
    if not 1 <= settings.sim_hosts <= 10000:
        raise BadValue("sim_hosts", f"sim_hosts is {settings.sim_hosts}: from 1 to 10000 hosts can be simulated.")
    for name in ("token_hours", "cpu_ratio", "memory_ratio"):
        if getattr(settings, name) <= 0:
            raise BadValue(name, f"{name} is {getattr(settings, name)}: it must be more than 0.")
    missing = [name for name in CONVERTERS if shutil.which(name) is None] if settings.image_format else []
    if missing:
        raise BadValue(
            "image_format",
            f"image_format is '{settings.image_format}': to convert images takes {', '.join(missing)}, which is not "
            "installed (Debian: qemu-utils, util-linux).",
        )
    if not 0 <= settings.project_requests_per_second < float("inf"):
        found = settings.project_requests_per_second
        raise BadValue("project_requests_per_second", f"project_requests_per_second is {found}: 0 means no limit.")
    _check_passwords(settings)
    try:
        network = ipaddress.ip_interface(settings.external_address)
    except ValueError:
        raise BadValue(
            "external_address",
            f"external_address is '{settings.external_address}': it must be ADDRESS/LENGTH, such as 172.24.4.1/24.",
        ) from None
    if network.network.prefixlen > 30 and network.version == 4:
        raise BadValue(
            "external_address",
            f"external_address is '{settings.external_address}': a /{network.network.prefixlen} leaves no room for floating IPs; use at most /30.",
        )
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,14}", settings.external_bridge):
        raise BadValue(
            "external_bridge",
            f"external_bridge is '{settings.external_bridge}': a bridge's name has at most 15 letters, digits, '-', '_', '.'.",
        )
    check_image_stores(settings)
    for part in filter(None, (part.strip() for part in settings.import_networks.split(","))):
        try:
            ipaddress.ip_network(part)
        except ValueError as error:
            raise BadValue("import_networks", f"import_networks has '{part}': no network: {error}.") from None
    check_listen(settings.host)
    _check_certificate(settings)


def _check_certificate(settings: Settings) -> None:
    """A given certificate and its key are there and belong together."""
    if settings.certificate is None and settings.certificate_key is None:
        return
    if settings.certificate is None or settings.certificate_key is None:
        lacks = "certificate" if settings.certificate is None else "certificate_key"
        raise BadValue(lacks, f"{lacks} is not given: a certificate and its key go together.")
    if not settings.secure:
        raise BadValue("certificate", f"certificate is given, but on {settings.host} the API speaks HTTP without TLS.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.certificate_key)
    except OSError as error:
        raise BadValue(
            "certificate",
            f"certificate {settings.certificate} with certificate_key {settings.certificate_key} can't be used: {error}.",
        ) from None


def _check_passwords(settings: Settings) -> None:
    for name in (
        "password_expires_days",
        "minimum_password_age",
        "unique_last_password_count",
        "lockout_failure_attempts",
        "lockout_duration",
        "disable_user_account_days_inactive",
    ):
        if getattr(settings, name) < 0:
            raise BadValue(name, f"{name} is {getattr(settings, name)}: it must not be less than 0.")
    try:
        re.compile(settings.password_regex)
    except re.error as error:
        raise BadValue(
            "password_regex", f"password_regex is '{settings.password_regex}': no regular expression: {error}."
        ) from None
    if 0 < settings.password_expires_days <= settings.minimum_password_age:
        raise BadValue(
            "minimum_password_age",
            f"minimum_password_age is {settings.minimum_password_age}: nobody could change a password before it expires "
            f"after {settings.password_expires_days} days (password_expires_days).",
        )


def check_image_stores(settings: Settings) -> None:
    if settings.image_cache_gb < 0:
        raise BadValue("image_cache_gb", f"image_cache_gb is {settings.image_cache_gb}: it must not be less than 0.")
    stores = settings.image_stores
    for name, store in stores.items():
        where = f"image_stores.{name}"
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name) or name == "file":
            raise BadValue(
                "image_stores",
                f"{where}: a store's name has at most 32 lower-case letters, digits, '-', '_', and is not 'file', "
                "which is the store in the state directory.",
            )
        if isinstance(store, RbdStore):
            raise BadValue(
                "image_stores", f"{where} is of type rbd, which comes with Ceph; possible are file, http, s3, swift."
            )
        if isinstance(store, FileStore) and not store.directory.is_dir():
            raise BadValue("image_stores", f"{where}: the directory {store.directory} is not there.")
        if isinstance(store, HttpStore) and store.default:
            raise BadValue(
                "image_stores", f"{where} is of type http and can't be the default: nothing is written there."
            )
        secret, library = {S3Store: ("secret_file", "boto3"), SwiftStore: ("password_file", "swiftclient")}.get(
            type(store), (None, None)
        )
        if library is not None and importlib.util.find_spec(library) is None:
            raise BadValue("image_stores", f"{where} needs the Python package {library}: pip install 'pileus[stores]'.")
        if secret is not None and not os.access(getattr(store, secret), os.R_OK):
            raise BadValue("image_stores", f"{where}: {secret} is {getattr(store, secret)}, which can't be read.")
    defaults = [name for name, store in stores.items() if store.default]
    if len(defaults) > 1:
        raise BadValue("image_stores", f"image_stores: only one can be the default, not {' and '.join(defaults)}.")


def check_listen(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise BadValue("host", f"host is '{host}': it must be an IP address of this machine.") from None
    if address.is_unspecified or address.is_multicast:
        raise BadValue(
            "host",
            f"host is '{host}': name one address of this machine, by which clients and other hosts reach it.",
        )


def check_port_free(settings: Settings, to_do: str = "choose another with --port") -> None:
    """Raises OptionError when something else listens there."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OptionError(
                    f"port {settings.port} on {settings.host} is in use{_by_whom(settings.port)}; {to_do}."
                ) from None
            raise OptionError(f"host is '{settings.host}': {error.strerror}.") from None


def _by_whom(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
