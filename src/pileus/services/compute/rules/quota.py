"""Limits of projects and users. What is in use is counted from rows, whenever it is shown and before anybody is refused.

A limit of -1 means none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

import msgspec

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, QuotaExceeded
from pileus.core.quota import count_again, take
from pileus.services.compute.store import keypairs, quotas, server_groups
from pileus.services.identity import rules as identity
from pileus.services.placement import rules as placement

DEFAULTS = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
    "fixed_ips": -1,
    "floating_ips": -1,
    "networks": -1,
    "security_groups": -1,
    "security_group_rules": -1,
}
"""The last five are network's to limit; here they are only shown, to old clients."""
PER_USER = ("key_pairs",)
"""Owned by users, not by projects."""
UNITS = {"ram": " MiB"}


class Usage(msgspec.Struct):
    limit: int
    in_use: int


def defaults(tx: Tx) -> dict[str, int]:
    return DEFAULTS | quotas.defaults(tx)


def limits(tx: Tx, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """By name, those of the user inside the project where `user_id` is given."""
    of_user = quotas.limits(tx, project_id, user_id) if user_id else {}
    return defaults(tx) | quotas.limits(tx, project_id) | of_user


def limit(tx: Tx, project_id: str, name: str) -> int:
    return limits(tx, project_id)[name]


def usages(tx: Tx, project_id: str, user_id: str | None = None) -> dict[str, Usage]:
    used = in_use(tx, project_id, user_id)
    return {name: Usage(most, used.get(name, 0)) for name, most in limits(tx, project_id, user_id).items()}


COUNTED = ("instances", "cores", "ram", "server_groups")
"""What takes rows to know how much of it is in use."""


def in_use(tx: Tx, project_id: str, user_id: str | None = None, names: Collection[str] = COUNTED) -> dict[str, int]:
    """Of each of `names`. Cores and memory are what placement has given to the project's servers."""
    found: dict[str, int] = {}
    if "instances" in names:
        found["instances"] = quotas.instances(tx, project_id, user_id)
    if not {"cores", "ram"}.isdisjoint(names):
        given = placement.used_by_project(tx, project_id, user_id)
        found |= {"cores": given.get("VCPU", 0) + given.get("PCPU", 0), "ram": given.get("MEMORY_MB", 0)}
    if "server_groups" in names:
        found["server_groups"] = server_groups.count(tx, project_id, user_id)
    return found


def check(tx: Tx, caller: Caller, wanted: Mapping[str, int], project_id: str | None = None) -> None:
    """Whether a project (the caller's own) may have so many more of each. Raises QuotaExceeded with the numbers.

    Holds the project until commit: two requests can't both take the last that is left. It costs the same however much
    there is, but where little is left.
    """
    project_id = project_id or caller.project_id or ""
    of_project, of_user = quotas.limits_with_user(tx, project_id, caller.user_id)
    of_project = DEFAULTS | of_project
    if any(most.get(name, -1) >= 0 for name in wanted for most in (of_project, of_user)):
        quotas.hold(tx, project_id)
    for most, user_id in ((of_project, None), (of_user, caller.user_id)):
        count = partial(in_use, tx, project_id, user_id)
        refuse_over(wanted, most, take(tx, _owner(project_id, user_id), wanted, most, count))


def _owner(project_id: str, user_id: str | None) -> str:
    return f"compute:{project_id}:{user_id or ''}"


def check_keypairs(tx: Tx, project_id: str | None, user_id: str) -> None:
    """Whether a user may have one key pair more."""
    quotas.hold(tx, user_id)
    most = limits(tx, project_id or "")["key_pairs"]
    refuse_over({"key_pairs": 1}, {"key_pairs": most}, {"key_pairs": keypairs.count(tx, user_id)})


def refuse_over(wanted: Mapping[str, int], most: Mapping[str, int], used: Mapping[str, int]) -> None:
    """A pure function. Raises QuotaExceeded naming every limit that would be passed, with the numbers."""
    over = [
        f"{name}: {amount}{UNITS.get(name, '')} more than the {used.get(name, 0)} in use are over the limit of {most[name]}"
        for name, amount in wanted.items()
        if name in most and most[name] >= 0 and used.get(name, 0) + amount > most[name]
    ]
    if over:
        raise QuotaExceeded(
            f"Quota exceeded for {'; '.join(over)}. Remove what is not needed, or have an administrator raise the limit."
        )


def check_count(tx: Tx, project_id: str | None, name: str, count: int) -> None:
    """Whether one thing may have `count` parts: metadata_items, injected_files, server_group_members."""
    most = limits(tx, project_id or "")[name]
    if 0 <= most < count:
        raise QuotaExceeded(f"Quota exceeded for {name}: {count} are over the limit of {most}.")


def set_limits(
    tx: Tx, caller: Caller, project_id: str, user_id: str | None, wanted: Mapping[str, int], force: bool
) -> None:
    """Raises BadRequest where a limit is below what is in use (unless `force`), or a user's above the project's."""
    if not identity.project_exists(tx, project_id):
        raise BadRequest(f"Project ID {project_id} is not a valid project.")
    used = {} if force else in_use(tx, project_id, user_id)
    most = limits(tx, project_id) if user_id else {}
    for name, value in wanted.items():
        if 0 <= value < used.get(name, 0):
            raise BadRequest(
                f"Quota limit {value} for {name} must be at least the {used[name]} that are in use; or use force."
            )
        if user_id and most[name] >= 0 and not 0 <= value <= most[name]:
            raise BadRequest(f"Quota limit {value} for {name} of a user must be within the project's {most[name]}.")
        quotas.set_limit(tx, project_id, user_id or "", name, value)
    count_again(tx, _owner(project_id, None))
    events.record(tx, caller, "compute", "update", "quota", project_id, user=user_id, limits=dict(wanted))


def set_defaults(tx: Tx, caller: Caller, wanted: Mapping[str, int]) -> None:
    for name, value in wanted.items():
        quotas.set_default(tx, name, value)
    count_again(tx, "compute:")
    events.record(tx, caller, "compute", "update", "quota_defaults", "default", limits=dict(wanted))


def forget(tx: Tx, caller: Caller, project_id: str, user_id: str | None) -> None:
    """Back to the defaults."""
    quotas.forget(tx, project_id, user_id)
    count_again(tx, _owner(project_id, None))
    events.record(tx, caller, "compute", "delete", "quota", project_id, user=user_id)
