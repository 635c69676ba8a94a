"""Requests that no client sends by mistake: good ones with one part of them made hostile, and plain nonsense."""

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from hypothesis import strategies as st

from tests.fuzz import recipes
from tests.fuzz.world import SERVICES, Request, World

TEXTS = [
    "", " ", "\x00", "a\x00b", "\ud800", "a\udfffb", "\U0001f600" * 300, "e\u0301", "\u00e9", "\u202e\u200b\ufeff",
    "\ufdd0\uffff", "a" * 256, "a" * 70_000, "../../../etc/passwd", "..", "/", "a/b", "%00", "%s%n%d", "{}", "{0}", "{x}",
    "{id.__class__}", "$(x)s", "%(x)s", "'; DROP TABLE x; --", "\\", '"', "<script>", "\r\nX-Bad: 1", "null", "true",
    "-1", "1e999", "NaN", "Infinity", "9" * 400, "٣", "²", "１", "0x10", "1_000", "00000000-0000-0000-0000-000000000000",
    "{00000000-0000-0000-0000-000000000000}", "urn:uuid:00000000-0000-0000-0000-000000000000", "0.0.0.0/0", "::/0",
    "::ffff:1.2.3.4", "256.1.1.1", "1.2.3", "fe80::1%eth0", "10.0.0.0/33", "10.9.0.0/-1", "9999-99-99T99:99:99Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2020-01-01T00:00:00.1234567890Z", "gt:", "in:", 'in:"',
    "in:,", "lt:x:y", "VCPU:", "VCPU:0", "VCPU:99999999999999999999", "!", "a:b:c", ",", ",,,,", "latest", "*", "?", "auto",
    "aGVsbG8", "=" * 10, "http://[::1", "http://\u2028/", "file:///etc/passwd", "ssh-rsa AAAA", "-----BEGIN", "[", "(", "(" * 500,
]  # fmt: skip

NUMBERS = [
    "0", "-0", "-1", "1", "65535", "65536", "2147483647", "2147483648", "-2147483649", "4294967296", "9223372036854775807",
    "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" + "0" * 400, "-1" + "0" * 400, "0.5", "1e2",
    "1e308", "1e999", "-1e999", "1e-999", "NaN", "Infinity", "9" * 5000, "1." + "3" * 4000,
]  # fmt: skip

OTHERS = [
    "null", "true", "false", "[]", "{}", '[""]', "[null]", "[[]]", "[{}]", '{"":""}', '{"a":{"a":{"a":{"a":{}}}}}',
    "[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500, '{"\\u0000":1}', '{"\\ud800":1}', "[" + ",".join("1" * 3000) + "]",
    '{"id":1}', '{"id":"x"}', '{"name":null}', '["a","a"]', '"\\ud800"', '"\\u0000"',
]  # fmt: skip

BODIES = [
    b"", b" ", b"null", b"[]", b"{}", b'""', b"0", b"true", b"{", b'{"a"', b'{"a":1,"a":2}', b"\xff\xfe{}", b"\xef\xbb\xbf{}",
    b"\x00", b"\x80abc", b"NaN", b"1e999", b"[" * 100_000, b'{"a":' * 100_000, b"[" * 900 + b"]" * 900, b"a=b&c=d",
    b"<xml/>", b"x" * (1 << 20), b'"' + b"\\ud800" * 10 + b'"', b"9" * 100_000, '{"a":1}'.encode("utf-16"),
]  # fmt: skip

HEADERS = [
    ("OpenStack-API-Version", value)
    for value in (
        "", "compute", "compute ", "compute 2", "compute 2.", "compute 2.1.1", "compute -2.1", "compute 2.99999999999999999999",
        "compute 99999999999999999999.1", "compute ²", "compute 2.²", "compute 2.001", "compute two", "compute latest, compute 2.1",
        "placement 1.99999", "placement 0.0", "placement latest latest", "placement ٣.1".encode().decode("latin-1"),
        "compute 2." + "9" * 5000, ",,,,", "\xff\xfe", "identity 3.0", "x" * 7000,
    )
] + [
    ("X-OpenStack-Nova-API-Version", "2.²".encode("latin-1").decode("latin-1")),
    ("X-OpenStack-Nova-API-Version", "9" * 5000 + ".1"),
    ("Content-Type", ""), ("Content-Type", "text/plain"), ("Content-Type", "application/xml"), ("Content-Type", "multipart/form-data"),
    ("Content-Type", "application/json; charset=\xff"), ("Content-Type", "/"), ("Content-Type", "a" * 7000),
    ("Content-Type", "application/octet-stream"), ("Content-Type", "application/openstack-images-v2.1-json-patch"),
    ("Accept", "text/html"), ("Accept", "*/*;q=x"), ("Accept", "\xff"), ("Accept-Encoding", "x"), ("Accept-Language", "\xff"),
    ("Content-Length", "9" * 18), ("Content-Length", "5"), ("Content-Length", "0"),
    ("Range", "bytes=5-1"), ("Range", "bytes=-"), ("Range", "bytes=99999999999999999999-"), ("Range", "bytes=0-0,2-3"), ("Range", "x"),
    ("Range", "bytes=-0"), ("Range", "bytes=1-2-3"), ("Range", "bytes=²-"), ("Content-Range", "bytes 1-2/x"), ("Content-Range", "x"),
    ("X-Auth-Token", ""), ("X-Auth-Token", "\xff"), ("X-Auth-Token", "gAAAAA" + "x" * 200), ("X-Auth-Token", "a" * 20_000),
    ("X-Subject-Token", ""), ("X-Subject-Token", "\xff\x00"), ("X-Subject-Token", "gAAAAABl"), ("X-Service-Token", "\xff"),
    ("X-Openstack-Request-Id", "req-\xff"), ("X-Openstack-Request-Id", "req-" + "\xff" * 36), ("X-Openstack-Request-Id", "x" * 9000),
    ("Host", ""), ("Host", "\xff"), ("Host", "a:b"), ("X-Forwarded-Host", "a:b:c"), ("X-Forwarded-Proto", "\xff"), ("Forwarded", "host=;;="),
    ("Forwarded", 'for="[::'), ("X-Image-Meta-Size", "x"), ("X-Pileus-Host-Token", "\xff"), ("Cookie", "=;\xff"), ("Expect", "x"),
    ("If-Match", "\xff"), ("X-OpenStack-Image-Size", "-1"), ("X-OpenStack-Image-Size", "9" * 400), ("Transfer-Encoding", "x"),
]  # fmt: skip

KEYS = [
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "sort",
    "fields",
    "offset",
    "",
    "x",
    "id",
    "name",
    "a[b]",
    "\x00",
    "é",
    "page_reverse",
]

texts = st.sampled_from(TEXTS) | st.text(st.characters(codec=None), max_size=40)
fragments = texts.map(json.dumps) | st.sampled_from(NUMBERS) | st.sampled_from(OTHERS)
"""JSON as text, so that it can be what no encoder writes."""
words = texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
_MARK = "\u2603here\u2603"


def requests(world: World) -> st.SearchStrategy[Request]:
    """One hostile request of a kind drawn at random."""
    known = world.known
    gladly = [
        Request(
            recipe.method, known.fill(recipe.path), b"", tuple(recipe.headers.items()), _body(known.fill(recipe.body))
        )
        for recipe in [*recipes.FIRST, *recipes.LATER]
    ]
    gladly += [_query_request(known.fill(line)) for line in recipes.QUERIES]
    bodies = [request for request in gladly if request.body]
    queries = [request for request in gladly if request.query]
    plain = st.sampled_from([*gladly, *_every_route(world)])
    return st.one_of(
        st.sampled_from(bodies).flatmap(_spoil_body),
        st.sampled_from(bodies).flatmap(_spoil_body),
        st.sampled_from(queries).flatmap(_spoil_query),
        plain.flatmap(_spoil_query),
        plain.flatmap(_spoil_path),
        plain.flatmap(_spoil_header),
        plain.flatmap(_replace_body),
    ).map(lambda request: _signed(request, world.token))


def _signed(request: Request, token: str) -> Request:
    names = {name.lower() for name, _ in request.headers}
    extra = [("X-Auth-Token", token)] if "x-auth-token" not in names else []
    if "content-type" not in names and request.body:
        extra.append(("Content-Type", "application/json"))
    return Request(request.method, request.path, request.query, (*request.headers, *extra), request.body)


def _body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()


def _query_request(line: str) -> Request:
    path, _, query = line.partition("?")
    return Request("GET", path, query.encode(), tuple(recipes.LATEST.items()))


def _every_route(world: World) -> Iterator[Request]:
    for service in SERVICES:
        for route in service.routes:
            path = route.path if route.root else service.prefix + route.path
            known = {name: world.known.of_parameter(path, name) for name in route.parameters}
            for name, ids in known.items():
                path = path.replace(f"{{{name}}}", quote(ids[0], safe="") if ids else "x")
            yield Request(route.method, path, b"", tuple(recipes.LATEST.items()), b"{}" if route.body_type else b"")


@st.composite
def _spoil_body(draw: st.DrawFn, request: Request) -> Request:
    """One value anywhere in the body is something else, or there is one key too many."""
    try:
        body = json.loads(request.body)
    except ValueError:
        return request
    places = list(_places(body))
    where = draw(st.sampled_from(places))
    spoilt = copy.deepcopy(body)
    if draw(st.integers(0, 9)) == 0:
        inner = spoilt
        for step in where[:-1]:
            inner = inner[step]
        if isinstance(inner, dict):
            inner[draw(texts)] = _MARK
        else:
            inner.append(_MARK)
    else:
        spoilt = _put(spoilt, where, _MARK)
    raw = json.dumps(spoilt).replace(json.dumps(_MARK), draw(fragments))
    return Request(request.method, request.path, request.query, request.headers, raw.encode("utf-8", "surrogatepass"))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _places(inner, (*path, step))


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return value


@st.composite
def _spoil_query(draw: st.DrawFn, request: Request) -> Request:
    """Few of its keys, one of them hostile, repeated or unknown."""
    pairs: list[tuple[str, Any]] = list(parse_qsl(request.query.decode(), keep_blank_values=True))
    kept = [pair for pair in pairs if draw(st.integers(0, 3)) == 0]
    key = draw(st.sampled_from([*sorted({key for key, _ in pairs}), *KEYS]))
    for _ in range(draw(st.integers(1, 2))):
        kept.append((key, draw(words)))
    query = urlencode(kept).encode()
    if draw(st.integers(0, 9)) == 0:
        query = draw(
            st.sampled_from([b"%", b"%zz", b"%ff=%ff", b"&&&", b"=", b"a" * 9000, b"limit=1&" * 1500, b";", b"?"])
        )
    return Request(request.method, request.path, query, request.headers, request.body)


@st.composite
def _spoil_path(draw: st.DrawFn, request: Request) -> Request:
    """One part of the path is something else, or there is one too many; now and then the method does not fit."""
    parts = request.path.split("/")
    method = draw(st.sampled_from([*[request.method] * 9, "OPTIONS", "HEAD", "PURGE", "TRACE", "DELETE"]))
    where = draw(st.integers(min(3, len(parts) - 1), len(parts) - 1))
    parts[where] = quote(draw(words), safe=draw(st.sampled_from(["", "/"])))
    if draw(st.integers(0, 9)) == 0:
        parts.append(draw(st.sampled_from(["", "%ff", "%00", ".", "..", "a" * 9000, "%2f"])))
    return Request(method, "/".join(parts), request.query, request.headers, request.body)


@st.composite
def _spoil_header(draw: st.DrawFn, request: Request) -> Request:
    name, value = draw(st.sampled_from(HEADERS))
    kept = tuple((n, v) for n, v in request.headers if n.lower() != name.lower())
    return Request(request.method, request.path, request.query, (*kept, (name, value)), request.body)


@st.composite
def _replace_body(draw: st.DrawFn, request: Request) -> Request:
    raw = draw(st.sampled_from(BODIES) | fragments.map(lambda text: text.encode("utf-8", "surrogatepass")))
    if draw(st.booleans()):
        try:
            (key,) = json.loads(request.body)
        except (ValueError, TypeError):
            key = draw(st.sampled_from(["server", "network", "user", "os-start", "reboot"]))
        raw = b'{"%s": %s}' % (str(key).encode(), draw(fragments).encode("utf-8", "surrogatepass"))
    return Request(request.method, request.path, request.query, request.headers, raw)
