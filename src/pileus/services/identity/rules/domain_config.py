"""Configurations of single domains: which options there are, who may see them, how they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pileus.core import events
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.rules.kept import kept
from pileus.services.identity.store import domain_config as store
from pileus.services.identity.types.domain_config import GROUPS, SECRET, Config
from pileus.services.identity.types.projects import DomainRow


def options_of(tx: Tx, domain_id: str) -> Config:
    """What is set for a domain, secrets too."""
    return kept(tx, "domain options", store.every).get(domain_id, {})


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
    visible: Config = {}
    for each, options in config.items():
        visible[each] = {key: value for key, value in options.items() if (each, key) not in SECRET}
    if group is None:
        return dict(visible)
    if group not in visible or (name is not None and name not in visible[group]):
        option = f"option {name} of " if name is not None else ""
        raise NotFound(f"Could not find {option}group {group} in the configuration of {where}.")
    return {group: visible[group]} if name is None else {name: visible[group][name]}


def show(tx: Tx, domain: DomainRow, group: str | None = None, name: str | None = None) -> dict[str, Any]:
    """Raises NotFound for what is not set."""
    config = options_of(tx, domain.id)
    if not config and group is None:
        raise NotFound(f"Could not find a configuration of domain {domain.id}.")
    return shown(config, f"domain {domain.id}", group, name)


def show_defaults(group: str | None = None, name: str | None = None) -> dict[str, Any]:
    """What holds where nothing is set."""
    defaults: Config = {each: msgspec.to_builtins(kind()) for each, kind in GROUPS.items()}
    return shown(defaults, "all domains", group, name)


def replace(tx: Tx, caller: Caller, domain: DomainRow, given: Mapping[str, Any]) -> bool:
    """Whether it is the domain's first. Raises Forbidden for unknown options, BadRequest for values that can't be."""
    config = _checked(given)
    is_first = not options_of(tx, domain.id)
    store.forget(tx, domain.id)
    _put(tx, caller, domain, config)
    return is_first


def update(
    tx: Tx,
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
    _put(tx, caller, domain, _checked(given))


def delete(tx: Tx, caller: Caller, domain: DomainRow, group: str | None = None, name: str | None = None) -> None:
    """Raises NotFound for a group or an option that is not set."""
    if group is not None:
        _must_be_set(tx, domain, group, name)
    store.forget(tx, domain.id, group, name)
    events.record(tx, caller, "identity", "delete", "domain_config", domain.id, group=group, option=name)


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


def _put(tx: Tx, caller: Caller, domain: DomainRow, config: Config) -> None:
    store.put(tx, domain.id, config)
    named = {group: sorted(options) for group, options in config.items()}
    events.record(tx, caller, "identity", "update", "domain_config", domain.id, options=named)
