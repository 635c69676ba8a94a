"""A part of a directory in which entries are users, or groups: found, read, made and changed.

What is searched for is always escaped (RFC 4515, RFC 4514): nothing that a request says can change the meaning of a filter or
of a DN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import ldap
import ldap.dn
import ldap.modlist
import structlog
from ldap.controls import SimplePagedResultsControl
from ldap.filter import escape_filter_chars

from pileus.core.db import new_hex_id
from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.services.identity.drivers.ldap_connection import Connections
from pileus.services.identity.types.directory import Entry, Kind
from pileus.services.identity.types.domain_config import LdapOptions

E = TypeVar("E", bound=Entry)
log = structlog.get_logger("pileus.ldap")
_IDS_AT_ONCE = 50
"""In one filter."""
_LONGEST = {"user": 255, "group": 64}
"""Characters of a name."""
_BINARY = frozenset({"objectguid", "objectsid"})
"""Ids that are no text: they are written as hexadecimal digits."""


class Found:
    """One entry: its DN, and its attributes by name in any case."""

    def __init__(self, dn: str, attributes: Mapping[str, list[bytes]]) -> None:
        self.dn = dn
        self._values = {name.lower(): values for name, values in attributes.items()}

    def texts(self, attribute: str) -> list[str]:
        values = self._values.get(attribute.lower(), []) if attribute else []
        if attribute.lower() in _BINARY:
            return [value.hex() for value in values]
        return [value.decode(errors="replace") for value in values]

    def text(self, attribute: str) -> str | None:
        """The first value; None where there is none, or the attribute is ""."""
        values = self.texts(attribute)
        return values[0] if values else None


class Tree:
    def __init__(self, kind: Kind, domain_id: str, options: LdapOptions, connections: Connections) -> None:
        def option(name: str) -> Any:
            return getattr(options, f"{kind}_{name}")

        self.kind, self._domain_id, self._connections = kind, domain_id, connections
        self.dn: str = option("tree_dn")
        self.id_attribute: str = option("id_attribute")
        self.name_attribute: str = option("name_attribute")
        self._objectclass: str = option("objectclass")
        own: str = option("filter")
        self._own_filter = own if not own or own.startswith("(") else f"({own})"
        pairs = [pair.rpartition(":") for pair in option("additional_attribute_mapping")]
        self.fields: dict[str, str] = {field: attribute for attribute, _, field in pairs}
        """Which attribute holds a field of the API."""
        self.further: list[str] = []
        """Attributes that are read besides: a directory gives some only to those who name them."""
        self._may = {change for change in ("create", "update", "delete") if option(f"allow_{change}")}
        self._scope = ldap.SCOPE_SUBTREE if options.query_scope == "sub" else ldap.SCOPE_ONELEVEL
        self._page_size = options.page_size

    # -- reading

    def search(
        self, name: str | None = None, ids: Iterable[str] | None = None, having: Mapping[str, str] | None = None
    ) -> list[Found]:
        """All entries, or those with a name, with an id out of several, and with the values of attributes."""
        wanted = dict(having or {})
        if name is not None:
            wanted[self.name_attribute] = name
        conditions = "".join(equals(attribute, value) for attribute, value in wanted.items())
        if ids is None:
            return self._all(conditions)
        every = list(ids)
        parts = [every[start : start + _IDS_AT_ONCE] for start in range(0, len(every), _IDS_AT_ONCE)]
        return [found for part in parts for found in self._all(f"{conditions}{self._with_id(part)}")]

    def at(self, dn: str) -> list[Found]:
        """The entry at a DN, if it is one of this tree's kind."""

        def read(link: Any) -> list[Any]:
            try:
                found: list[Any] = link.search_s(dn, ldap.SCOPE_BASE, self._filter(""), self._attributes)
                return found
            except (ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX):
                return []

        return _entries(self._connections.ask(read))

    def one(self, local_id: str) -> Found:
        """Raises NotFound."""
        found = self.search(ids=[local_id])
        if not found:
            raise NotFound(f"Could not find {self.kind}: the directory of domain {self._domain_id} has it no more.")
        return found[0]

    def id_of(self, found: Found) -> str:
        return found.text(self.id_attribute) or ""

    def name_of(self, found: Found) -> str:
        return found.text(self.name_attribute) or ""

    def extra_of(self, found: Found) -> dict[str, Any]:
        values = {field: found.text(attribute) for field, attribute in self.fields.items()}
        return {field: value for field, value in values.items() if value is not None}

    def usable(self, entries: Iterable[E]) -> list[E]:
        """By id; without those that the cloud could not tell apart or name."""
        known: dict[str, E] = {}
        for entry in sorted(entries, key=lambda entry: entry.local_id):
            fits = 0 < len(entry.name) <= _LONGEST[self.kind] and 0 < len(entry.local_id) <= 255
            if fits and entry.name not in known:
                known[entry.name] = entry
                continue
            log.warning(
                "an entry of a directory is left out: its id and name must be there, fit, and be its own",
                domain=self._domain_id,
                kind=self.kind,
                id=entry.local_id,
                name=entry.name,
            )
        return list(known.values())

    @property
    def _attributes(self) -> list[str]:
        named = [self.id_attribute, self.name_attribute, *self.fields.values(), *self.further]
        return [attribute for attribute in dict.fromkeys(named) if attribute]

    def _filter(self, conditions: str) -> str:
        return f"(&(objectClass={self._objectclass}){self._own_filter}{conditions})"

    def _with_id(self, ids: Sequence[str]) -> str:
        return "(|" + "".join(equals(self.id_attribute, each) for each in ids) + ")"

    def _all(self, conditions: str) -> list[Found]:
        text = self._filter(conditions)
        if not self._page_size:
            return _entries(
                self._connections.ask(lambda link: link.search_s(self.dn, self._scope, text, self._attributes))
            )
        return _entries(self._connections.ask(lambda link: list(self._pages(link, text))))

    def _pages(self, link: Any, text: str) -> Iterator[Any]:
        control = SimplePagedResultsControl(True, size=self._page_size, cookie="")
        while True:
            asked = link.search_ext(self.dn, self._scope, text, self._attributes, serverctrls=[control])
            _, found, _, answers = link.result3(asked)
            yield from found
            cookies = [each.cookie for each in answers if each.controlType == SimplePagedResultsControl.controlType]
            if not cookies or not cookies[0]:
                return
            control.cookie = cookies[0]

    # -- changing

    def must_allow(self, change: str) -> None:
        """Raises Forbidden."""
        if not self.dn:
            raise Forbidden(f"Domain {self._domain_id} has no {self.kind}s: ldap.{self.kind}_tree_dn is not set.")
        if change not in self._may:
            raise Forbidden(
                f"The {self.kind}s of domain {self._domain_id} are in a directory, and Pileus may not {change} them there "
                f"(ldap.{self.kind}_allow_{change})."
            )

    def add(self, name: str, fields: Mapping[str, Any], attributes: Mapping[str, str]) -> str:
        """The id of a new entry. Raises Conflict, Forbidden, BadRequest as the directory decides."""
        local_id = name if self.id_attribute.lower() == self.name_attribute.lower() else new_hex_id()
        has = {attribute: [value.encode()] for attribute, value in attributes.items()}
        has["objectClass"] = [self._objectclass.encode()]
        has |= {attribute: [value.encode()] for attribute, value in self._texts(fields).items() if value}
        has[self.name_attribute] = [name.encode()]
        has[self.id_attribute] = [local_id.encode()]
        dn = self.new_dn(local_id)

        def work(link: Any) -> None:
            try:
                link.add_s(dn, ldap.modlist.addModlist(has))
            except (ldap.INVALID_DN_SYNTAX, ldap.NAMING_VIOLATION):
                raise BadRequest(
                    f"The directory of domain {self._domain_id} takes no {self.kind} at {dn}: "
                    f"ldap.{self.kind}_id_attribute must be an attribute that Pileus may choose."
                ) from None

        self._write(work)
        return local_id

    def new_dn(self, local_id: str) -> str:
        return f"{self.id_attribute}={ldap.dn.escape_dn_chars(local_id)},{self.dn}"

    def change(self, found: Found, name: str | None, fields: Mapping[str, Any]) -> None:
        """Another name, other values of the fields that the directory has. Raises Forbidden for the name that is the id."""
        wanted = self._texts(fields)
        if name is not None and name != self.name_of(found):
            if self.id_attribute.lower() == self.name_attribute.lower():
                raise Forbidden(
                    f"The name of a {self.kind} of domain {self._domain_id} is its id and can't be changed."
                )
            wanted[self.name_attribute] = name
        changes = [
            (ldap.MOD_REPLACE, attribute, [value.encode()] if value else None)
            for attribute, value in wanted.items()
            if (found.text(attribute) or "") != value
        ]
        if changes:
            self._write(lambda link: link.modify_s(found.dn, changes))

    def put(self, found: Found, attribute: str, value: str) -> None:
        self._write(lambda link: link.modify_s(found.dn, [(ldap.MOD_REPLACE, attribute, [value.encode()])]))

    def remove(self, found: Found) -> None:
        self._write(lambda link: link.delete_s(found.dn))

    def set_password(self, found: Found, password: str) -> None:
        """RFC 3062: the directory hashes it."""
        self._write(lambda link: link.passwd_s(found.dn, None, password))

    def _texts(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Of the fields that the directory has, by attribute; "" for one that is to go."""
        return {
            attribute: "" if fields[field] is None else str(fields[field])
            for field, attribute in self.fields.items()
            if field in fields
        }

    def _write(self, work: Any) -> None:
        self._connections.ask(work, again=False)


class Members:
    """The values of a group's attribute that names its members."""

    NOBODY = "cn=nobody"
    """A group of RFC 4519 must have a member: this one where it has none."""

    def __init__(self, attribute: str, connections: Connections) -> None:
        self.attribute, self._connections = attribute, connections

    def add(self, group_dn: str, member: str) -> None:
        """Nothing happens where it is one."""
        change = [(ldap.MOD_ADD, self.attribute, [member.encode()])]

        def work(link: Any) -> None:
            try:
                link.modify_s(group_dn, change)
            except ldap.TYPE_OR_VALUE_EXISTS:
                return

        self._connections.ask(work, again=False)

    def remove(self, group_dn: str, member: str) -> None:
        """Nothing happens where it is none."""
        gone = (ldap.MOD_DELETE, self.attribute, [member.encode()])

        def work(link: Any) -> None:
            try:
                link.modify_s(group_dn, [gone])
            except (ldap.NO_SUCH_ATTRIBUTE, ldap.NO_SUCH_OBJECT):
                return
            except ldap.OBJECT_CLASS_VIOLATION:
                link.modify_s(group_dn, [(ldap.MOD_ADD, self.attribute, [self.NOBODY.encode()]), gone])

        self._connections.ask(work, again=False)


def normal_dn(dn: str) -> str:
    """The same text for DNs that differ in case and spaces alone."""
    try:
        return str(ldap.dn.dn2str(ldap.dn.str2dn(dn))).lower()
    except ldap.DECODING_ERROR:
        return dn.lower()


def equals(attribute: str, value: str) -> str:
    if attribute.lower() in _BINARY:
        try:
            return f"({attribute}={escape_filter_chars(bytes.fromhex(value).decode('latin-1'), 1)})"
        except ValueError:
            return "(!(objectClass=*))"
    return f"({attribute}={escape_filter_chars(value)})"


def _entries(found: Iterable[Any]) -> list[Found]:
    """Without the references to other servers, which have no DN."""
    return [Found(dn, attributes) for dn, attributes, *_ in found if dn is not None]
