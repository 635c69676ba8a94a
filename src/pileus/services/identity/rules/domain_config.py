"""Configurations of single domains: which options there are, who may see them, how they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pileus.core import events
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.services.identity.rules import sealing
from pileus.services.identity.store import directory as directory_store
from pileus.services.identity.store import domain_config as store
from pileus.services.identity.store.kept import kept
from pileus.services.identity.types.base import Pairs
from pileus.services.identity.types.domain_config import GROUPS, SECRET, Config, driver_of
from pileus.services.identity.types.projects import DomainRow


def every_domain(tx: Tx) -> Mapping[str, Config]:
    """What is set, by domain; None in the place of secrets."""
    return kept(tx, "domain options", store.every)


def options_of(tx: Tx, domain_id: str) -> Config:
    return every_domain(tx).get(domain_id, {})


def secret_of(tx: Tx, settings: Settings, domain_id: str, group: str, name: str) -> str | None:
    sealed = store.secret(tx, domain_id, group, name)
    return None if sealed is None else sealing.unseal(tx, settings, sealed)


def limited(tx: Tx, domain_id: str | None, query: Pairs) -> Pairs:
    """The query of a list, with the domain's own limit where it is the smaller one."""
    limit = options_of(tx, domain_id or "").get("identity", {}).get("list_limit")
    asked = dict(query).get("limit")
    if not limit or (asked and asked.isdigit() and int(asked) <= limit):
        return query
    return [*(pair for pair in query if pair[0] != "limit"), ("limit", str(limit))]


def must_be_known(group: str, name: str | None = None) -> None:
    """Raises Forbidden."""
    kind = GROUPS.get(group)
    if kind is None:
        raise Forbidden(f"A domain has no configuration '{group[:64]}'; it has {' and '.join(sorted(GROUPS))}.")
    if name is not None and name not in kind.__struct_fields__:
        known = ", ".join(sorted(kind.__struct_fields__))
        raise Forbidden(f"The group {group} has no option '{name[:64]}'; it has {known}.")


def shown(config: Config, where: str, group: str | None = None, name: str | None = None) -> dict[str, Any]:
    """All of a configuration, one of its groups, or one option; secrets are left out. Raises Forbidden, NotFound."""
    if group is not None:
        must_be_known(group, name)
    visible = _visible(config)
    if group is None:
        return dict(visible)
    if group not in visible or (name is not None and name not in visible[group]):
        option = f"option {name} of " if name is not None else ""
        raise NotFound(f"Could not find {option}group {group} in the configuration of {where}.")
    return {group: visible[group]} if name is None else {name: visible[group][name]}


def _visible(config: Config) -> Config:
    return {
        group: {name: value for name, value in options.items() if (group, name) not in SECRET}
        for group, options in config.items()
    }


def show(tx: Tx, domain: DomainRow, group: str | None = None, name: str | None = None) -> dict[str, Any]:
    """Raises NotFound for what is not set."""
    config = options_of(tx, domain.id)
    if not config and group is None:
        raise NotFound(f"Could not find a configuration of domain {domain.id}.")
    return shown(config, f"domain {domain.id}", group, name)


def show_password_rules(settings: Settings, name: str | None = None) -> dict[str, Any]:
    """What whoever chooses a password is to know; the same for all domains. Raises NotFound for another option."""
    known = {each: getattr(settings, each) or None for each in ("password_regex", "password_regex_description")}
    if name is None:
        return {"security_compliance": known}
    if name not in known:
        raise NotFound(f"Could not find option {name[:64]} of group security_compliance; it has {' and '.join(known)}.")
    return {name: known[name]}


def show_defaults(group: str | None = None, name: str | None = None) -> dict[str, Any]:
    """What holds where nothing is set."""
    defaults: Config = {each: msgspec.to_builtins(kind()) for each, kind in GROUPS.items()}
    return shown(defaults, "all domains", group, name)


def replace(tx: Tx, settings: Settings, caller: Caller, domain: DomainRow, given: Mapping[str, Any]) -> bool:
    """Whether it is the domain's first. Raises Forbidden for unknown options, BadRequest for values that can't be."""
    config, before = _checked(given), options_of(tx, domain.id)
    store.forget(tx, domain.id)
    _put(tx, settings, caller, domain, config)
    _driver_may_change(tx, domain, before)
    return not before


def update(
    tx: Tx,
    settings: Settings,
    caller: Caller,
    domain: DomainRow,
    given: Mapping[str, Any],
    group: str | None = None,
    name: str | None = None,
) -> None:
    """Raises Forbidden, BadRequest as `replace` does; NotFound for a group or an option that has not been set before."""
    if group is not None:
        _must_be_set(tx, domain, group, name)
        wanted = name or group
        if set(given) != {wanted}:
            raise BadRequest(f"The body's config must have the key '{wanted}' alone, as the path has.")
        if name is not None:
            given = {group: given}
    before = options_of(tx, domain.id)
    _put(tx, settings, caller, domain, _checked(given))
    _driver_may_change(tx, domain, before)


def delete(tx: Tx, caller: Caller, domain: DomainRow, group: str | None = None, name: str | None = None) -> None:
    """Raises NotFound for a group or an option that is not set."""
    if group is not None:
        _must_be_set(tx, domain, group, name)
    before = options_of(tx, domain.id)
    store.forget(tx, domain.id, group, name)
    _driver_may_change(tx, domain, before)
    events.record(tx, caller, "identity", "delete", "domain_config", domain.id, group=group, option=name)


def _driver_may_change(tx: Tx, domain: DomainRow, before: Config) -> None:
    """Another driver knows other users. Raises Conflict where the domain has some that it would lose.

    Those of a directory keep what was granted to them, and are disabled until it is asked again.
    """
    after = driver_of(options_of(tx, domain.id))
    if after == driver_of(before):
        return
    if directory_store.has_others(tx, domain.id):
        raise Conflict(
            f"Domain {domain.id} has users or groups of its own, which the driver '{after}' would not know: delete them, "
            "or make another domain for it."
        )
    directory_store.disable_users(tx, domain.id)


def _must_be_set(tx: Tx, domain: DomainRow, group: str, name: str | None) -> None:
    must_be_known(group, name)
    options = options_of(tx, domain.id).get(group)
    if options is None or (name is not None and name not in options):
        what = f"option {name} of group {group}" if name is not None else f"group {group}"
        raise NotFound(f"Could not find {what} in the configuration of domain {domain.id}.")


def _checked(given: Mapping[str, Any]) -> Config:
    config: Config = {}
    for group, options in given.items():
        must_be_known(group)
        if not isinstance(options, dict) or not options:
            raise BadRequest(f"config.{group} must be an object with at least one option.")
        for name in options:
            must_be_known(group, name)
        try:
            msgspec.convert(options, GROUPS[group])
        except msgspec.ValidationError as error:
            raise BadRequest(f"Invalid input: {str(error).replace('$', f'config.{group}')}.") from None
        config[group] = options
    if not config:
        raise BadRequest(f"The body's config is empty; it can have the groups {' and '.join(sorted(GROUPS))}.")
    return config


def _put(tx: Tx, settings: Settings, caller: Caller, domain: DomainRow, config: Config) -> None:
    given = {(group, name): value for group, options in config.items() for name, value in options.items()}
    for group, name in SECRET & set(given):
        store.forget(tx, domain.id, group, name)
    secrets = {key: sealing.seal(tx, settings, given[key]) for key in SECRET & set(given) if given[key] is not None}
    store.put_secrets(tx, domain.id, secrets)
    store.put(tx, domain.id, _visible(config))
    named = {group: sorted(options) for group, options in config.items()}
    events.record(tx, caller, "identity", "update", "domain_config", domain.id, options=named)
