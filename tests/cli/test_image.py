"""Images, as the `openstack` command does them."""

import hashlib
from pathlib import Path

import pytest

from tests.cli.conftest import Client

pytestmark = pytest.mark.slow


def test_images(openstack: Client, tmp_path: Path) -> None:
    file, saved = tmp_path / "disk", tmp_path / "saved"
    file.write_bytes(b"abc" * 100_000)
    made = openstack(
        f"image create --disk-format raw --container-format bare --min-ram 64 --property os=x --tag t debian --file {file}",
    )
    assert made["name"] == "debian"
    shown = openstack("image show debian")
    assert (shown["status"], shown["size"], shown["min_ram"]) == ("active", 300_000, 64)
    assert shown["checksum"] == hashlib.md5(file.read_bytes()).hexdigest()
    assert shown["properties"]["os"] == "x"
    assert shown["properties"]["os_hash_algo"] == "sha512"
    assert {"container_format", "created_at", "disk_format", "file", "id", "min_disk", "owner", "protected", "schema", "tags",
            "updated_at", "virtual_size", "visibility"} <= set(shown)  # fmt: skip
    assert {"ID": shown["id"], "Name": "debian", "Status": "active"} in openstack("image list")
    openstack.text(
        "image set --name debian12 --min-disk 2 --property a=b --protected --community debian",
    )
    shown = openstack("image show debian12")
    assert (shown["min_disk"], shown["protected"], shown["visibility"], shown["properties"]["a"]) == (
        2,
        True,
        "community",
        "b",
    )
    assert "protected" in openstack.refused("image delete debian12")
    openstack.text("image unset --property a --tag t debian12")
    openstack.text("image set --unprotected --shared debian12")
    openstack.text(f"image save --file {saved} debian12")
    assert saved.read_bytes() == file.read_bytes()
    openstack("project create borrower")
    openstack("image add project debian12 borrower")
    assert [one["Status"] for one in openstack("image member list debian12")] == ["pending"]
    openstack.text("image remove project debian12 borrower")
    openstack.text("project delete borrower")
    openstack.text("image delete debian12")
    assert "debian12" not in {one["Name"] for one in openstack("image list --all")}


def test_a_bad_image_is_refused_in_words(openstack: Client) -> None:
    assert "No Image found" in openstack.refused("image show nothing")
