"""What the metadata service answers to a path (forms: facts of the OpenStack and EC2 metadata services). Pure."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from pileus.node.desired import Documents

Answer = tuple[str, bytes]
"""content type, body."""
OPENSTACK_VERSIONS = (
    "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14", "latest",
)  # fmt: skip
EC2_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04", "latest",
)  # fmt: skip
_VENDOR_DATA_SINCE = "2013-10-17"
_NETWORK_DATA_SINCE = "2015-10-15"
_VENDOR_DATA2_SINCE = "2016-10-06"


def answer(documents: Documents, path: str) -> Answer | None:
    """None where there is nothing."""
    parts = [unquote(part) for part in urlsplit(path).path.split("/") if part]
    if not parts:
        return _lines(EC2_VERSIONS)
    if parts[0] == "openstack":
        return _openstack(documents, parts[1:])
    if parts[0] in EC2_VERSIONS:
        return _ec2(documents, parts[1:])
    return None


def is_password(path: str) -> bool:
    """/openstack/<version>/password, where a guest may leave its password."""
    parts = [part for part in path.split("/") if part]
    return len(parts) == 3 and parts[0] == "openstack" and parts[1] in OPENSTACK_VERSIONS and parts[2] == "password"


def _openstack(documents: Documents, parts: list[str]) -> Answer | None:
    if not parts:
        return _lines(OPENSTACK_VERSIONS)
    version, rest = parts[0], parts[1:]
    if version == "content" and len(rest) == 1:
        return _content(documents, rest[0])
    if version not in OPENSTACK_VERSIONS:
        return None
    files = _openstack_files(documents, version)
    if not rest:
        return _lines(files)
    return files.get(rest[0]) if len(rest) == 1 else None


def _openstack_files(documents: Documents, version: str) -> dict[str, Answer]:
    files = {"meta_data.json": _json(_with_files(documents))}
    if documents.user_data:
        files["user_data"] = ("application/octet-stream", base64.b64decode(documents.user_data))
    if version >= _VENDOR_DATA_SINCE:
        files["vendor_data.json"] = _json(documents.vendor_data)
    if version >= _NETWORK_DATA_SINCE:
        files["network_data.json"] = _json(documents.network_data)
    if version >= _VENDOR_DATA2_SINCE:
        files["vendor_data2.json"] = _json({})
    return files


def _with_files(documents: Documents) -> dict[str, Any]:
    if not documents.files:
        return documents.meta_data
    listed = [{"path": name, "content_path": f"/content/{index:04}"} for index, (name, _) in enumerate(documents.files)]
    return documents.meta_data | {"files": listed}


def _content(documents: Documents, number: str) -> Answer | None:
    if not number.isascii() or not number.isdigit() or int(number) >= len(documents.files):
        return None
    return "application/octet-stream", base64.b64decode(documents.files[int(number)][1])


def _ec2(documents: Documents, parts: list[str]) -> Answer | None:
    if not parts:
        return _lines(["meta-data/", *(["user-data"] if documents.user_data else [])])
    if parts[0] == "user-data" and len(parts) == 1 and documents.user_data:
        return "application/octet-stream", base64.b64decode(documents.user_data)
    if parts[0] != "meta-data":
        return None
    value: Any = documents.ec2
    for part in parts[1:]:
        value = _ec2_child(value, part)
        if value is None:
            return None
    return _ec2_value(value)


def _ec2_child(value: Any, name: str) -> Any:
    """Key pairs stand under INDEX=NAME and are found under INDEX too."""
    if not isinstance(value, dict):
        return None
    return next((inner for key, inner in value.items() if name in (key, key.partition("=")[0])), None)


def _ec2_value(value: Any) -> Answer:
    if isinstance(value, dict):
        return _lines(
            [f"{key}/" if isinstance(inner, dict) and "=" not in key else key for key, inner in value.items()]
        )
    if isinstance(value, list):
        return _lines([str(item) for item in value])
    return "text/plain", ("" if value is None else str(value)).encode()


def _lines(names: Any) -> Answer:
    return "text/plain", "\n".join(names).encode()


def _json(value: Any) -> Answer:
    return "application/json", msgspec.json.encode(value)
