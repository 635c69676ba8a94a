"""The mapping engine: from what an identity provider says of somebody to who they are here. Pure.

Every rule whose remote part fits takes part: the first user wins, groups and projects add up.
Regular expressions are RE2's, which match in linear time and bounded memory (docs/decisions/federation.md).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pileus.core import body as bodies
from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.version import FIRST
from pileus.services.identity.types.mappings import (
    Local,
    LocalDomain,
    LocalGroup,
    LocalProject,
    LocalUser,
    Mapped,
    MappedDomain,
    MappedGroup,
    MappedProject,
    MappedUser,
    Remote,
    Rule,
)

SCHEMA_VERSIONS = ("1.0", "2.0")
"""From 2.0 on, users and projects may be in another domain than the identity provider's."""
Assertion = Mapping[str, Sequence[str]]
"""Attribute -> its values."""
Matches = Sequence[Sequence[str]]
MAX_EXPRESSIONS = 20_000
"""Characters of all regular expressions of a mapping together."""
MAX_VALUES = 1000
"""Of one text, where its matches have several values."""
_MAX_TEXT = 4096
_EXPRESSION_MEMORY = 1 << 18
_PLACE = re.compile(r"\{(\d{1,3})\}")
_JSON = "JSON:"
"""Before a group that is written with its domain, as OpenStack clouds write them for each other."""


# -- reading rules


def read(raw: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Raises BadRequest for rules that no assertion could ever fit as they are meant."""
    rules: list[Rule] = bodies.convert(list(raw), list[Rule], FIRST, "identity", "mapping.rules")
    for number, rule in enumerate(rules):
        here = f"mapping.rules[{number}]"
        for remote in rule.remote:
            _must_be_one_test(here, remote)
        matches = sum(_is_match(remote) for remote in rule.remote)
        for index in (int(found) for found in _PLACE.findall(_templates(rule))):
            if index >= matches:
                raise BadRequest(f"{here}: {{{index}}} has no match; the remote part has {matches}, counted from 0.")
        for local in rule.local:
            _must_say_who(here, local)
    _must_be_expressions(rules)
    return rules


def _must_be_one_test(here: str, remote: Remote) -> None:
    names = ("any_one_of", "not_any_of", "whitelist", "blacklist")
    given = [name for name in names if getattr(remote, name) is not None]
    if len(given) > 1:
        raise BadRequest(f"{here}: {remote.type} has {' and '.join(given)}; each needs a remote entry of its own.")


def _must_say_who(here: str, local: Local) -> None:
    user = local.user
    if user and user.type == "local" and user.id is None and (user.name is None or user.domain is None):
        raise BadRequest(f"{here}: a local user is given by its id, or by its name and domain.")
    if local.group and not _names_one(local.group):
        raise BadRequest(f"{here}: a group is given by its id, or by its name and domain.")
    domains = [one.domain for one in (local, user, local.group, *(local.projects or ())) if one is not None]
    if any(domain and (domain.id is None) == (domain.name is None) for domain in domains):
        raise BadRequest(f"{here}: a domain is given by its id or its name.")


def _names_one(group: LocalGroup) -> bool:
    given = (group.id is not None, group.name is not None, group.domain is not None)
    return given in ((True, False, False), (False, True, True))


def _must_be_expressions(rules: Sequence[Rule]) -> None:
    texts = [text for rule in rules for remote in rule.remote if remote.regex for text in _patterns(remote)]
    size = sum(map(len, texts))
    if size > MAX_EXPRESSIONS:
        raise BadRequest(
            f"The regular expressions of a mapping have {size} characters; the limit is {MAX_EXPRESSIONS}."
        )
    for text in texts:
        _expression(text)


def _expression(text: str) -> Any:
    """Compiled. Raises BadRequest."""
    import re2

    options = re2.Options()
    options.max_mem = _EXPRESSION_MEMORY
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise BadRequest(f"'{text[:64]}' is not a regular expression of RE2: {reason[:128]}.") from None


def _templates(rule: Rule) -> str:
    """All texts of the local part in one."""
    return msgspec.json.encode(rule.local).decode()


# -- the remote part


def _is_match(remote: Remote) -> bool:
    return remote.any_one_of is None and remote.not_any_of is None


def _patterns(remote: Remote) -> list[str]:
    given = (remote.any_one_of, remote.not_any_of, remote.whitelist, remote.blacklist)
    return next((patterns for patterns in given if patterns is not None), [])


def _fitting(remote: Remote, values: Sequence[str]) -> list[str]:
    """Those of the values that the entry's patterns name."""
    if not remote.regex:
        named = set(_patterns(remote))
        return [value for value in values if value in named]
    expressions = [_expression(text) for text in _patterns(remote)]
    return [value for value in values if any(expression.search(value) for expression in expressions)]


def _matches(rule: Rule, assertion: Assertion) -> list[list[str]] | None:
    """The values of each match; None where the rule does not fit. An attribute that is not there fits nothing."""
    found: list[list[str]] = []
    for remote in rule.remote:
        values = list(assertion.get(remote.type, ()))
        if not values:
            return None
        fitting = _fitting(remote, values)
        if remote.any_one_of is not None:
            if not fitting:
                return None
        elif remote.not_any_of is not None:
            if fitting:
                return None
        elif remote.whitelist is not None:
            found.append(fitting)
        elif remote.blacklist is not None:
            found.append([value for value in values if value not in fitting])
        else:
            found.append(values)
    return found


# -- the local part


def _texts(template: str, matches: Matches) -> list[str]:
    """The text for each value, or each combination of values, of the matches that it names."""
    parts = _PLACE.split(template)
    fixed, indices = parts[::2], [int(index) for index in parts[1::2]]
    named = list(dict.fromkeys(indices))
    count = 1
    for index in named:
        count *= len(matches[index])
    if count > MAX_VALUES:
        raise Unauthorized(f"The mapping makes {count} values of '{template[:64]}'; the limit is {MAX_VALUES}.")
    found = []
    for chosen in itertools.product(*(matches[index] for index in named)):
        by_index = dict(zip(named, chosen, strict=True))
        if sum(map(len, fixed)) + sum(len(by_index[index]) for index in indices) > _MAX_TEXT:
            raise Unauthorized(f"The mapping makes more than {_MAX_TEXT} characters of '{template[:64]}'.")
        filled = [by_index[index] for index in indices]
        found.append("".join(itertools.chain.from_iterable(itertools.zip_longest(fixed, filled, fillvalue=""))))
    return found


def _text(template: str | None, matches: Matches) -> str | None:
    """Raises Unauthorized where there is not exactly one value."""
    if template is None:
        return None
    found = _texts(template, matches)
    if len(found) != 1:
        raise Unauthorized(f"The mapping makes {len(found)} values of '{template[:64]}', where one is needed.")
    return found[0]


def _domain(domain: LocalDomain | None, matches: Matches) -> MappedDomain | None:
    return MappedDomain(_text(domain.id, matches), _text(domain.name, matches)) if domain else None


def _groups(local: Local, matches: Matches) -> list[MappedGroup]:
    found: list[MappedGroup] = []
    if local.group is not None and local.group.id is not None:
        found += [MappedGroup(id=text) for text in _texts(local.group.id, matches)]
    elif local.group is not None and local.group.name is not None:
        domain = _domain(local.group.domain, matches)
        found += [MappedGroup(name=text, domain=domain) for text in _texts(local.group.name, matches)]
    if local.group_ids is not None:
        found += [MappedGroup(id=text) for text in _texts(local.group_ids, matches)]
    if local.groups is not None:
        domain = _domain(local.domain, matches)
        found += [_named_group(text, domain) for text in _texts(local.groups, matches)]
    return found


class _JsonGroup(msgspec.Struct):
    name: str
    domain: MappedDomain


def _named_group(text: str, domain: MappedDomain | None) -> MappedGroup:
    """A group may name its own domain only where the mapping names none."""
    if domain is None and text.startswith(_JSON):
        try:
            found = msgspec.json.decode(text.removeprefix(_JSON), type=_JsonGroup)
        except msgspec.MsgspecError:
            raise Unauthorized(f"'{text[:64]}' is not a group with name and domain.") from None
        return MappedGroup(name=found.name, domain=found.domain)
    return MappedGroup(name=text, domain=domain)


def _project(project: LocalProject, default: LocalDomain | None, matches: Matches) -> MappedProject:
    roles = tuple(_text(role.name, matches) or "" for role in project.roles)
    return MappedProject(_text(project.name, matches) or "", roles, _domain(project.domain or default, matches))


def _user(user: LocalUser | None, default: LocalDomain | None, matches: Matches, assertion: Assertion) -> MappedUser:
    """Where the mapping says neither id nor name, it is the one that the identity provider calls by."""
    given_id, name = (_text(user.id, matches), _text(user.name, matches)) if user else (None, None)
    if not given_id and not name:
        name = next(iter(assertion.get("REMOTE_USER", ())), None)
    if not given_id and not name:
        raise Unauthorized("No rule of the mapping says who this is.")
    return MappedUser(
        unique_id=given_id or name or "",
        name=name or given_id or "",
        given_id=given_id,
        email=_text(user.email, matches) if user else None,
        is_local=user is not None and user.type == "local",
        domain=_domain(user.domain or default, matches) if user else None,
    )


def apply(rules: Sequence[Rule], assertion: Assertion, schema_version: str = SCHEMA_VERSIONS[0]) -> Mapped:
    """Raises Unauthorized where no rule fits, or those that do say nothing that can be used."""
    users: list[MappedUser] = []
    groups: dict[MappedGroup, None] = {}
    projects: dict[MappedProject, None] = {}
    any_fits = False
    for rule in rules:
        matches = _matches(rule, assertion)
        if matches is None:
            continue
        any_fits = True
        for local in rule.local:
            if local.user is not None and not users:
                users.append(_user(local.user, local.domain, matches, assertion))
            groups.update(dict.fromkeys(_groups(local, matches)))
            projects.update(dict.fromkeys(_project(one, local.domain, matches) for one in local.projects or ()))
    if not any_fits:
        raise Unauthorized("No rule of the mapping fits what the identity provider says.")
    user = users[0] if users else _user(None, None, (), assertion)
    if schema_version == SCHEMA_VERSIONS[0]:
        if not user.is_local:
            user = msgspec.structs.replace(user, domain=None)
        projects = dict.fromkeys(msgspec.structs.replace(one, domain=None) for one in projects)
    return Mapped(user, tuple(groups), tuple(projects))
