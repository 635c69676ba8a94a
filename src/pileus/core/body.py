"""Bodies, queries and replies: msgspec structs whose fields carry the version window in which they exist.

    class KeypairCreate(Body):
        __wrap__ = "keypair"
        name: Annotated[str, length(1, 255)]
        user_id: Annotated[str, since("2.10")] | Unset = UNSET

A body's field outside its window is refused by name; a reply's field outside its window is left out.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from pileus.core.errors import BadRequest
from pileus.core.version import ALWAYS, Version, Window

Unset = UnsetType
__all__ = [
    "UNSET",
    "Body",
    "Query",
    "Reply",
    "Unset",
    "decode",
    "encode",
    "given",
    "length",
    "pattern",
    "rename",
    "since",
    "until",
    "window",
]

T = TypeVar("T")
rename = msgspec.field


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A request body. `__wrap__` names the single top-level key around it, where there is one."""

    __wrap__: ClassVar[str | None] = None


class OpenBody(msgspec.Struct, kw_only=True):
    """A request body that keeps unknown fields, as identity's resources do: they arrive in `extra`."""

    __wrap__: ClassVar[str | None] = None
    extra: dict[str, Any] = {}


class Query(msgspec.Struct, kw_only=True):
    """Query parameters. A `list[...]` field collects repeats, any other takes the last value."""

    __wrap__: ClassVar[str | None] = None


class Reply(msgspec.Struct, kw_only=True):
    """A reply body; fields left at UNSET are not sent."""

    __wrap__: ClassVar[str | None] = None


class Pattern(NamedTuple):
    regex: re.Pattern[str]
    window: Window


def window(since: str | None = None, until: str | None = None) -> Window:
    return Window.of(since, until)


def since(version: str) -> Window:
    return Window.of(since=version)


def until(version: str) -> Window:
    return Window.of(until=version)


def pattern(regex: str, since: str | None = None, until: str | None = None) -> Pattern:
    """The whole text must match `regex` in the versions of the window."""
    return Pattern(re.compile(regex), Window.of(since, until))


def length(at_least: int, at_most: int) -> msgspec.Meta:
    return msgspec.Meta(min_length=at_least, max_length=at_most)


class _Field(NamedTuple):
    """What decoding needs of one struct field beyond msgspec: where it exists, what it must match, what lies below."""

    name: str
    wire: str
    window: Window
    patterns: tuple[Pattern, ...]
    inner: type[msgspec.Struct] | None


def _leaves(hint: Any) -> list[Any]:
    """The types and annotations inside unions, lists and dicts of a hint."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return [*hint.__metadata__, *_leaves(hint.__origin__)]
    if origin is typing.Literal:
        return []
    args = typing.get_args(hint)
    return [leaf for arg in args for leaf in _leaves(arg)] if args else [hint]


@cache
def _fields(struct: type[msgspec.Struct]) -> tuple[_Field, ...]:
    """The fields of a struct that need more than msgspec does, here or below."""
    hints = typing.get_type_hints(struct, include_extras=True)
    found = []
    for name, wire in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
        leaves = _leaves(hints[name])
        inner = next((x for x in leaves if isinstance(x, type) and issubclass(x, msgspec.Struct)), None)
        if inner is not None and (inner is struct or not _fields(inner)):
            inner = None
        where = next((x for x in leaves if isinstance(x, Window)), ALWAYS)
        patterns = tuple(x for x in leaves if isinstance(x, Pattern))
        if where is not ALWAYS or patterns or inner is not None:
            found.append(_Field(name, wire, where, patterns, inner))
    return tuple(found)


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    return list(value.values()) if isinstance(value, dict) else (value,)


def _check(value: msgspec.Struct, version: Version, path: str, service: str) -> None:
    for field in _fields(type(value)):
        given = getattr(value, field.name)
        if given is UNSET:
            continue
        here = f"{path}.{field.wire}" if path else field.wire
        if version not in field.window and given != _default(type(value), field.name):
            raise BadRequest(_window_message(here, field.window, service, version))
        if isinstance(given, str):
            for rule in field.patterns:
                if version in rule.window and not rule.regex.fullmatch(given):
                    raise BadRequest(
                        f"Invalid input for field {here}: '{given[:255]}' does not match '{rule.regex.pattern}'."
                    )
        if field.inner is not None:
            for child in _children(given):
                if isinstance(child, msgspec.Struct):
                    _check(child, version, here, service)


@cache
def _default(struct: type[msgspec.Struct], name: str) -> Any:
    for field in msgspec.structs.fields(struct):
        if field.name == name:
            return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    return msgspec.NODEFAULT


def _window_message(path: str, where: Window, service: str, version: Version) -> str:
    if version < where.since:
        return f"{path} needs {service} {where.since}; this request is of version {version}."
    return f"{path} ended with {service} {where.until}; this request is of version {version}."


def _path(message: str, wrap: str | None) -> str:
    """msgspec's `$.a.b` written as the reader knows it, with the body's top-level key."""
    return (
        message.replace("`$.", f"`{wrap}." if wrap else "`")
        .replace("`$[", f"`{wrap}[" if wrap else "`[")
        .replace("`$`", f"`{wrap}`" if wrap else "the body")
    )


def parse_json(raw: bytes) -> Any:
    """Raises BadRequest for what is not JSON, and for NUL characters: not every database can keep them."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"The request body is not valid JSON: {error}") from None
    if b"\\u0000" in raw and _has_nul(found):
        raise BadRequest("The request body has a NUL character (\\u0000).")
    return found


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def learn_types() -> None:
    """Let msgspec learn every struct that there is, before there are threads: it learns a type at its first use, and
    where two threads use one for the first time at once the process crashes (seen with 0.22: SIGSEGV)."""
    waiting: list[type] = [msgspec.Struct]
    while waiting:
        found: list[type] = waiting.pop().__subclasses__()
        for kind in found:
            waiting.append(kind)
            try:
                msgspec.json.Decoder(kind)
            except (TypeError, NameError):  # one that holds what is never decoded
                continue


def decode(raw: bytes, kind: Any, version: Version, service: str, strict: bool = True) -> Any:
    """A request body of type `kind` from its JSON. Raises BadRequest naming field and value."""
    value = parse_json(raw)
    wrap = getattr(kind, "__wrap__", None)
    if wrap is not None:
        if not isinstance(value, dict) or wrap not in value:
            raise BadRequest(f"The request body must be a JSON object with the key '{wrap}'.")
        others = sorted(set(value) - {wrap})
        if others:
            raise BadRequest(
                f"Additional properties are not allowed beside '{wrap}': {', '.join(map(str, others))[:255]}."
            )
        value = value[wrap]
    return convert(value, kind, version, service, wrap, strict)


def convert(value: Any, kind: Any, version: Version, service: str, wrap: str | None = None, strict: bool = True) -> Any:
    if isinstance(kind, type) and issubclass(kind, OpenBody) and isinstance(value, dict):
        known = set(kind.__struct_encode_fields__) - {"extra"}
        value = {k: v for k, v in value.items() if k in known} | {
            "extra": {k: v for k, v in value.items() if k not in known}
        }
    try:
        result = msgspec.convert(value, kind, strict=strict)
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        raise BadRequest(f"Invalid input: {_path(str(error), wrap)}.") from None
    if isinstance(result, msgspec.Struct):
        _check(result, version, wrap or "", service)
    return result


def decode_query(pairs: Sequence[tuple[str, str]], kind: type[T], version: Version, service: str) -> T:
    lists: frozenset[str] = _list_fields(kind)  # type: ignore[arg-type]
    value: dict[str, Any] = {}
    for key, text in pairs:
        if key in lists:
            value.setdefault(key, []).append(text)
        else:
            value[key] = text
    result: T = convert(value, kind, version, service, None, strict=False)
    return result


@cache
def _list_fields(kind: Any) -> frozenset[str]:
    hints = typing.get_type_hints(kind)

    def is_list(hint: Any) -> bool:
        return typing.get_origin(hint) is list or any(is_list(arg) for arg in typing.get_args(hint))

    return frozenset(
        wire
        for name, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        if is_list(hints[name])
    )


def given(value: Any, field: str) -> bool:
    """Whether a dotted field of a body or query was given; of a list, by any of its items."""
    if not field or value is None or value is UNSET:
        return value is not None and value is not UNSET
    if isinstance(value, list | tuple):
        return any(given(item, field) for item in value)
    part, _, rest = field.partition(".")
    return given(value.get(part) if isinstance(value, Mapping) else getattr(value, part, None), rest)


def _drop(value: msgspec.Struct, version: Version) -> None:
    for field in _fields(type(value)):
        if version not in field.window:
            setattr(value, field.name, UNSET)
        elif field.inner is not None:
            given = getattr(value, field.name)
            if given is not UNSET and given is not None:
                for child in _children(given):
                    if isinstance(child, msgspec.Struct):
                        _drop(child, version)


def _unusual(value: Any) -> Any:
    if isinstance(value, datetime):
        return seconds(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


_encoder = msgspec.json.Encoder(enc_hook=_unusual)


def seconds(at: datetime | None) -> str | None:
    """2026-11-20T22:56:17Z, as compute and image write times."""
    if at is None:
        return None
    if at.tzinfo is not None:
        at = at.replace(tzinfo=None)
    # strftime takes eight times as long, and lists are full of times; a keyword or an f-string would double it
    return at.isoformat("T", "seconds") + "Z"


def micros(at: datetime | None) -> str | None:
    """2026-11-20T22:56:17.000000Z, as identity writes times."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """An ISO 8601 time as naive UTC. Raises ValueError."""
    found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text and " " in text else text.strip())
    try:
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    except OverflowError:
        raise ValueError(f"{text} is before the year 1 or after 9999 in UTC") from None


def encode(value: Any, version: Version) -> bytes:
    """The JSON of a reply at a version."""
    wrap = None
    if isinstance(value, msgspec.Struct):
        wrap = getattr(value, "__wrap__", None)
        _drop(value, version)
    return _encoder.encode({wrap: value} if wrap else value)
