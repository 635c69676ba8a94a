"""The config drive: an ISO 9660 file system labelled config-2 with the metadata documents as files."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import msgspec
import pycdlib

from pileus.node.desired import Documents

LABEL = "config-2"


def write(path: Path, documents: Documents) -> None:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    tree = _Tree(iso)
    for name, content in files(documents).items():
        tree.add(name, content)
    iso.write(str(path))
    iso.close()


def files(documents: Documents) -> dict[str, bytes]:
    """Path -> content, as the OpenStack metadata service has it below / and EC2's below /ec2."""
    meta_data: dict[str, Any] = dict(documents.meta_data)
    found: dict[str, bytes] = {}
    if documents.files:
        meta_data["files"] = [
            {"path": name, "content_path": f"/content/{index:04}"} for index, (name, _) in enumerate(documents.files)
        ]
        for index, (_, content) in enumerate(documents.files):
            found[f"openstack/content/{index:04}"] = base64.b64decode(content)
    for version in ("latest", "2018-08-27"):
        found[f"openstack/{version}/meta_data.json"] = msgspec.json.encode(meta_data)
        found[f"openstack/{version}/network_data.json"] = msgspec.json.encode(documents.network_data)
        found[f"openstack/{version}/vendor_data.json"] = msgspec.json.encode(documents.vendor_data)
        if documents.user_data:
            found[f"openstack/{version}/user_data"] = base64.b64decode(documents.user_data)
    found["ec2/latest/meta-data.json"] = msgspec.json.encode(documents.ec2)
    if documents.user_data:
        found["ec2/latest/user-data"] = base64.b64decode(documents.user_data)
    return found


class _Tree:
    """Adds files with their folders; ISO names are counted, the real ones stand in Rock Ridge and Joliet."""

    def __init__(self, iso: Any) -> None:
        self._iso = iso
        self._iso_names: dict[str, str] = {"": ""}

    def add(self, name: str, content: bytes) -> None:
        folder, _, leaf = name.rpartition("/")
        where = self._folder(folder)
        self._iso.add_fp(
            io.BytesIO(content),
            len(content),
            f"{where}/F{len(self._iso_names):06}.;1",
            rr_name=leaf,
            joliet_path=f"/{name}",
        )
        self._iso_names[name] = "file"

    def _folder(self, path: str) -> str:
        if path not in self._iso_names:
            above, _, leaf = path.rpartition("/")
            where = f"{self._folder(above)}/D{len(self._iso_names):06}"
            self._iso.add_directory(where, rr_name=leaf, joliet_path=f"/{path}")
            self._iso_names[path] = where
        return self._iso_names[path]
