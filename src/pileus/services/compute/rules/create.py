"""POST /servers: from a wish to rows, ports, a host and a claim on it, in one transaction."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

import msgspec

from pileus.core import events
from pileus.core.body import UNSET, seconds
from pileus.core.context import Caller
from pileus.core.db import Tx, new_id
from pileus.core.errors import BadRequest, Forbidden, NotFound, QuotaExceeded
from pileus.core.version import Version
from pileus.services.compute import scheduler
from pileus.services.compute.rules import (
    destination,
    flavors,
    interfaces,
    keypairs,
    quota,
    server_groups,
)
from pileus.services.compute.rules.gauges import CLAIM_SECONDS
from pileus.services.compute.store import servers as store
from pileus.services.compute.store.flavors import FlavorRow
from pileus.services.compute.store.server_groups import ServerGroupRow
from pileus.services.compute.store.servers import Action, Fault, FlavorCopy, ImageCopy
from pileus.services.compute.types.fields import flag, whole
from pileus.services.compute.types.servers import InjectedFile, ServerCreate, ServerWish
from pileus.services.image import rules as image_rules
from pileus.services.image.rules import ImageRow

GIB = 1 << 30
MAX_HOSTNAME = 63
MAX_USER_DATA = 65535
INJECTED_FILES, INJECTED_BYTES = 5, 10240
TAGS = 50
_PASSWORD_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Created(msgspec.Struct):
    """What POST /servers tells: the id of the first of the servers, the password of all of them."""

    server_id: str
    admin_password: str
    reservation_id: str


def create(tx: Tx, caller: Caller, body: ServerCreate) -> Created:
    """Make one or several servers.

    Raises BadRequest (something in the wish does not exist or does not fit), Conflict (which network?), Forbidden and
    QuotaExceeded. Where no host has room the server is made all the same, in ERROR, and its fault says why.
    """
    wish = body.server
    _refuse_what_is_not_there(wish)
    least, most = _counts(wish, caller.version)
    flavor = _flavor(tx, caller, wish)
    image_id, image = _image(tx, caller, wish, flavor)
    hints = _hints(body)
    wanted = destination.of_wish(tx, caller, wish)
    flavor_copy = _copy(flavor)
    place = _place(tx, caller, flavor_copy, image, hints, wanted)
    count = _within_quota(tx, caller, wish, flavor, least, most, place.group)
    nics = interfaces.wanted(tx, caller, wish, count)
    common = _common(tx, caller, wish, flavor_copy, image_id, image, hints) | {
        "group_id": place.group.id if place.group else None,
        "pinned_zone": wanted.zone,
    }
    made = [
        _create_one(tx, caller, common | {"launch_index": index, **_names(wish, index, most)}, nics, place)
        for index in range(count)
    ]
    return Created(made[0], common["admin_password"], common["reservation_id"])


def _place(
    tx: Tx,
    caller: Caller,
    flavor: FlavorCopy,
    image: ImageCopy,
    hints: dict[str, Any],
    wanted: destination.Destination,
) -> scheduler.Wish:
    """What the servers need of their hosts."""
    return scheduler.Wish(
        project_id=caller.project_id or "",
        resources=resources(flavor),
        extra_specs=flavor.extra_specs,
        image_properties=image.properties,
        zone=wanted.zone,
        host=wanted.host,
        forced_host=wanted.forced_host,
        hints=hints,
        group=destination.group_of(tx, caller, hints),
    )


def resources(flavor: FlavorCopy) -> dict[str, int]:
    return scheduler.resources_of(
        flavor.vcpus, flavor.ram, flavor.disk, flavor.ephemeral, flavor.swap, flavor.extra_specs
    )


def _within_quota(
    tx: Tx,
    caller: Caller,
    wish: ServerWish,
    flavor: FlavorRow,
    least: int,
    most: int,
    group: ServerGroupRow | None,
) -> int:
    """How many of `least` to `most` servers the project's quota has room for. Raises QuotaExceeded."""
    if wish.metadata:
        quota.check_count(tx, caller.project_id, "metadata_items", len(wish.metadata))
    for count in range(most, least - 1, -1):
        try:
            quota.check(tx, caller, {"instances": count, "cores": count * flavor.vcpus, "ram": count * flavor.ram})
            break
        except QuotaExceeded:
            if count == least:
                raise
    if group is not None:
        server_groups.check_room(tx, caller, group, count)
    return count


def _create_one(
    tx: Tx, caller: Caller, values: Mapping[str, Any], nics: interfaces.Wanted, place: scheduler.Wish
) -> str:
    server_id = new_id()
    values = {**values, "id": server_id, "hostname": values["hostname"] or f"server-{server_id}"}
    with CLAIM_SECONDS.time():
        choice = scheduler.claim(tx, caller, server_id, place)
    events.record(tx, caller, "compute", "create", "server", server_id, outcome="started", name=values["name"])
    if isinstance(choice, scheduler.Refusal):
        fault = Fault(500, choice.message, seconds(tx.now) or "")
        values |= {"vm_state": "error", "task_state": None, "action": None, "fault": fault}
        events.record(tx, caller, "compute", "create", "server", server_id, outcome="error", message=choice.message)
    else:
        values |= {"host": choice.host, "availability_zone": choice.zone}
        values["nics"] = interfaces.make(tx, caller, nics, server_id, choice.host, choice.zone, values["hostname"])
        tx.wake(f"host:{choice.host}")
    store.insert_server(tx, values)
    return server_id


def _refuse_what_is_not_there(wish: ServerWish) -> None:
    """Volumes and image certificates have no service behind them yet."""
    if wish.trusted_image_certificates not in (UNSET, None):
        raise BadRequest(
            "trusted_image_certificates: whose signatures on images are trusted is the operator's to say here; leave it out."
        )
    for mapping in [*(wish.block_device_mapping or []), *(wish.block_device_mapping_v2 or [])]:
        if mapping.get("source_type") != "image" or mapping.get("destination_type", "local") != "local":
            raise BadRequest(
                "block_device_mapping: there is no volume service here, so a server boots from its image on a local"
                " disk; leave the mapping out."
            )


def _counts(wish: ServerWish, version: Version) -> tuple[int, int]:
    """How many servers at least and at most. Raises BadRequest."""
    least = 1 if wish.min_count is UNSET else whole(wish.min_count, "min_count", 1)
    most = least if wish.max_count is UNSET else whole(wish.max_count, "max_count", 1)
    if least > most:
        raise BadRequest(f"min_count must be <= max_count; it is {least}, and max_count is {most}.")
    if most > 1 and wish.hostname is not UNSET:
        raise BadRequest(f"hostname '{wish.hostname}' can be given to one server only, and max_count is {most}.")
    return least, most


def _flavor(tx: Tx, caller: Caller, wish: ServerWish) -> FlavorRow:
    try:
        flavor = flavors.visible_flavor(tx, caller, str(wish.flavorRef))
    except NotFound as error:
        raise BadRequest(error.message) from None
    zero_disk = "os_compute_api:servers:create:zero_disk_flavor"
    if flavor.disk == 0 and not caller.allows(zero_disk, {"project_id": caller.project_id, "user_id": caller.user_id}):
        raise Forbidden(
            f"Flavor {flavor.id} has no disk of its own: only an administrator may boot from an image with it."
        )
    return flavor


def _image(tx: Tx, caller: Caller, wish: ServerWish, flavor: FlavorRow) -> tuple[str, ImageCopy]:
    image_id = "" if wish.imageRef is UNSET else wish.imageRef
    if not image_id:
        raise BadRequest("Invalid imageRef provided: a server boots from an image, give its id.")
    return image_id, bootable(tx, caller, image_id, flavor.ram, flavor.disk)


def bootable(tx: Tx, caller: Caller, image_id: str, ram: int, disk: int) -> ImageCopy:
    """What is kept of an image that fits into `ram` MiB and `disk` GiB. Raises BadRequest."""
    try:
        image: ImageRow = image_rules.boot_image(tx, caller, image_id)
    except NotFound:
        raise BadRequest(f"Can not find requested image: there is no image {image_id[:64]} that you may use.") from None
    if image.min_ram > ram:
        raise BadRequest(
            f"Flavor's memory is too small for requested image: it has {ram} MiB, the image needs {image.min_ram} MiB."
        )
    size = max(image.size or 0, image.virtual_size or 0)
    if disk and size > disk * GIB:
        raise BadRequest(
            f"Flavor's disk is too small for requested image: it has {disk * GIB} bytes, the image has {size} bytes."
        )
    if disk and image.min_disk > disk:
        raise BadRequest(
            f"Flavor's disk is smaller than the minimum size specified in image metadata:"
            f" it has {disk} GiB, the image needs {image.min_disk} GiB."
        )
    return ImageCopy(
        name=image.name or "",
        sha512=image.sha512 or "",
        disk_format=image.disk_format or "",
        size=image.size or 0,
        min_disk=image.min_disk,
        min_ram=image.min_ram,
        properties=dict(image.properties),
    )


def _hints(body: ServerCreate) -> dict[str, Any]:
    given = [hints for hints in (body.hints, body.hints_too) if hints is not UNSET]
    return dict(given[0]) if given else {}


def _copy(flavor: FlavorRow) -> FlavorCopy:
    return FlavorCopy(
        flavor.id,
        flavor.name,
        flavor.vcpus,
        flavor.ram,
        flavor.disk,
        flavor.ephemeral,
        flavor.swap,
        dict(flavor.extra_specs),
    )


def _common(
    tx: Tx,
    caller: Caller,
    wish: ServerWish,
    flavor: FlavorCopy,
    image_id: str,
    image: ImageCopy,
    hints: dict[str, Any],
) -> dict[str, Any]:
    """The columns that all servers of one request have alike."""
    return {
        "project_id": caller.project_id,
        "user_id": caller.user_id,
        "reservation_id": "r-" + secrets.token_hex(4),
        "created_at": tx.now,
        "updated_at": tx.now,
        "power": "running",
        "generation": 1,
        "reboots": 0,
        "hard_reboots": 0,
        "rebuilds": 0,
        "flavor": flavor,
        "image_id": image_id,
        "image": image,
        **key_columns(tx, caller, None if wish.key_name is UNSET else wish.key_name),
        "user_data": user_data(wish.user_data),
        "files": files(wish.personality),
        "admin_password": new_password() if wish.adminPass is UNSET else wish.adminPass,
        "config_drive": False if wish.config_drive in (UNSET, None) else flag(wish.config_drive),
        "disk_config": wish.disk_config,
        "access_ip_v4": None if wish.accessIPv4 is UNSET else address(wish.accessIPv4, "accessIPv4", 4),
        "access_ip_v6": None if wish.accessIPv6 is UNSET else address(wish.accessIPv6, "accessIPv6", 6),
        "metadata": wish.metadata,
        "tags": [] if wish.tags is UNSET else list(dict.fromkeys(wish.tags)),
        "nics": [],
        "locked_by": None,
        "locked_reason": None,
        "scheduler_hints": hints,
        "observed_generation": 0,
        "published": False,
        "vm_state": "building",
        "task_state": "spawning",
        "action": Action("create", caller.request_id, caller.user_id, caller.project_id),
        "power_state": 0,
        "host": None,
        "availability_zone": None,
        "fault": None,
        "description": _description(wish, caller.version),
    }


def _description(wish: ServerWish, version: Version) -> str | None:
    """Before 2.19 nobody could give one, and it was the name."""
    if wish.description is not UNSET:
        return wish.description
    return None if version >= Version(2, 19) else wish.name


def _names(wish: ServerWish, index: int, most: int) -> dict[str, str]:
    name = wish.name if most == 1 else f"{wish.name[:250]}-{index + 1}"
    return {"name": name, "hostname": host_name(name) if wish.hostname is UNSET else wish.hostname}


def key_columns(tx: Tx, caller: Caller, name: str | None) -> dict[str, Any]:
    """The caller's key as the server keeps it. Raises BadRequest."""
    if name is None:
        return {"key_name": None, "public_key": None, "key_type": None}
    try:
        key = keypairs.visible_keypair(tx, caller.user_id, name)
    except NotFound:
        raise BadRequest(f"Invalid key_name provided: user {caller.user_id} has no key pair '{name}'.") from None
    return {"key_name": key.name, "public_key": key.public_key, "key_type": key.type}


def host_name(name: str) -> str:
    """A server's name as a guest's host name; empty where nothing of it can be one."""
    plain = re.sub(r"[ _.]", "-", name.lower())
    return re.sub(r"[^a-z0-9-]", "", plain)[:MAX_HOSTNAME].strip("-")


def new_password() -> str:
    return "".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(12))


def user_data(given: Any) -> str | None:
    if given is UNSET or given is None:
        return None
    _decoded(given, "user_data")
    return str(given)


def files(given: Any) -> list[tuple[str, str]]:
    """Injected files. Raises BadRequest and QuotaExceeded."""
    found: Sequence[InjectedFile] = [] if given is UNSET else given
    if len(found) > INJECTED_FILES:
        raise QuotaExceeded(f"Quota exceeded, too many injected files: {len(found)} of at most {INJECTED_FILES}.")
    for file in found:
        size = len(_decoded(file.contents, f"personality {file.path}"))
        if size > INJECTED_BYTES:
            raise QuotaExceeded(f"Quota exceeded: {file.path} has {size} bytes of at most {INJECTED_BYTES}.")
    return [(file.path, file.contents) for file in found]


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"Invalid input for field {field}: the text is not base64.") from None


def address(text: str, field: str, version: int) -> str | None:
    """An address of one IP version in its usual form; an empty text is none. Raises BadRequest."""
    if not text:
        return None
    try:
        found = ip_address(text)
    except ValueError:
        found = None
    if found is None or found.version != version:
        raise BadRequest(f"Invalid input for field {field}: '{text[:64]}' is not an IPv{version} address.")
    return str(found)
