"""Images, as the `openstack` and `glance` commands do them."""

import hashlib
import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import openstack as sdk
import pytest

from tests.cli.commands import not_run
from tests.cli.conftest import Client
from tests.unit.test_image_signatures import certificate, made_key, serialization

pytestmark = pytest.mark.slow
HERE = Path(__file__)
NOT_RUN: dict[str, str] = {}
"""Command -> why it is not run."""


def test_every_command_is_run() -> None:
    """Or stands in NOT_RUN."""
    assert not_run("openstack.image.v2", HERE) == set(NOT_RUN)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("disk") / "disk"
    file.write_bytes(b"abc" * 100_000)
    return file


def test_images(openstack: Client, tmp_path: Path, disk: Path) -> None:
    saved = tmp_path / "saved"
    made = openstack(
        f"image create --disk-format raw --container-format bare --min-ram 64 --property os=x --tag t debian --file {disk}",
    )
    assert made["name"] == "debian"
    shown = openstack("image show debian")
    assert (shown["status"], shown["size"], shown["min_ram"]) == ("active", 300_000, 64)
    assert shown["checksum"] == hashlib.md5(disk.read_bytes()).hexdigest()
    assert shown["properties"]["os"] == "x"
    assert shown["properties"]["os_hash_algo"] == "sha512"
    assert {"container_format", "created_at", "disk_format", "file", "id", "min_disk", "owner", "protected", "schema", "tags",
            "updated_at", "virtual_size", "visibility"} <= set(shown)  # fmt: skip
    assert {"ID": shown["id"], "Name": "debian", "Status": "active"} in openstack("image list")
    assert [one["Name"] for one in openstack("image list --property os=x --tag t --status active --shared")] == [
        "debian"
    ]
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
    assert saved.read_bytes() == disk.read_bytes()
    openstack.text("image set --deactivate debian12")
    assert openstack("image show debian12")["status"] == "deactivated"
    openstack.text("image set --activate --hidden debian12")
    assert "debian12" not in {one["Name"] for one in openstack("image list")}
    assert "debian12" in {one["Name"] for one in openstack("image list --hidden")}
    openstack.text("image set --unhidden debian12")
    openstack.text("image delete debian12")
    assert "debian12" not in {one["Name"] for one in openstack("image list --all")}


def test_members(openstack: Client, disk: Path) -> None:
    openstack(f"image create --disk-format raw --container-format bare --file {disk} offered")
    openstack("project create borrower")
    openstack("image add project offered borrower")
    assert [one["Status"] for one in openstack("image member list offered")] == ["pending"]
    openstack.text("image set --accept --project borrower offered")
    borrower = openstack("project show borrower")["id"]
    assert openstack(f"image member get offered {borrower}")["status"] == "accepted"
    openstack.text("image remove project offered borrower")
    assert openstack("image member list offered") == []
    openstack.text("project delete borrower")
    openstack.text("image delete offered")


def test_imports(openstack: Client, disk: Path) -> None:
    assert "web-download" in openstack.text("image import info")
    assert openstack("image stores list")[0]["ID"] == "file"
    assert openstack("image stores list --detail")[0]["ID"] == "file"
    imported = "image create --disk-format raw --container-format bare --import"
    openstack(f"{imported} --file {disk} staged-at-once")
    sdk.connect(cloud="pileus").image.create_image(name="staged", disk_format="raw", container_format="bare")
    openstack.text(f"image stage --file {disk} staged")
    openstack("image import --method glance-direct --store file --wait staged")
    shown = openstack("image show staged")
    assert (shown["status"], shown["checksum"]) == ("active", hashlib.md5(disk.read_bytes()).hexdigest())
    tasks = openstack("image task list --status success")
    assert openstack(f"image task show {tasks[0]['ID']}")["status"] == "success"
    openstack.text("image delete staged staged-at-once")


def test_signed(openstack: Client, cloud: Path, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osc_lib.utils.get_password", lambda *_, **__: "")
    private = made_key("RSA-PSS")
    key = tmp_path / "key.pem"
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    known = certificate(private, cloud / "image-certificates")
    signed = f"--disk-format raw --container-format bare --sign-key-path {key} --file {disk}"
    openstack(f"image create {signed} --sign-cert-id {known} signed")
    assert openstack("image show signed")["status"] == "active"
    unknown = "12345678-1234-4234-8234-123456789012"
    assert "no key manager" in openstack.refused(f"image create {signed} --sign-cert-id {unknown} unknown")
    openstack.text("image delete signed")


def test_the_cache(openstack: Client, disk: Path) -> None:
    openstack(f"image create --disk-format raw --container-format bare kept --file {disk}")
    openstack.text("cached image queue kept")
    assert isinstance(openstack("cached image list"), list)
    openstack.text("cached image delete kept")
    openstack.text("cached image clear --queue")
    openstack.text("image delete kept")


def test_metadefs(openstack: Client) -> None:
    openstack("image metadef namespace create --display-name Colours --description d --public --unprotected colours")
    assert "colours" in {one["namespace"] for one in openstack("image metadef namespace list")}
    openstack.text("image metadef namespace set --display-name Colors colours")
    assert openstack("image metadef namespace show colours")["display_name"] == "Colors"
    openstack("image metadef object create --namespace colours paint")
    assert [one["name"] for one in openstack("image metadef object list colours")] == ["paint"]
    assert openstack("image metadef object show colours paint")["name"] == "paint"
    openstack.text("image metadef object update --name lacquer colours paint")
    schema = json.dumps({"enum": ["red", "blue"]})
    openstack(f"image metadef property create --name tone --title Tone --type string --schema '{schema}' colours")
    assert [one["name"] for one in openstack("image metadef property list colours")] == ["tone"]
    openstack.text("image metadef property set --title Shade colours tone")
    assert openstack("image metadef property show colours tone")["title"] == "Shade"
    openstack("image metadef resource type association create colours OS::Glance::Image")
    listed = openstack("image metadef resource type association list colours")
    assert [one["Name"] for one in listed] == ["OS::Glance::Image"]
    assert "OS::Nova::Flavor" in {one["Name"] for one in openstack("image metadef resource type list")}
    openstack.text("image metadef resource type association delete colours OS::Glance::Image")
    openstack.text("image metadef property delete colours tone")
    openstack.text("image metadef object delete colours lacquer")
    openstack.text("image metadef namespace delete colours")


@pytest.mark.skipif(
    "image_metadef_namespace_unset" not in entry_points(group="openstack.image.v2").names,
    reason="python-openstackclient knows tags of namespaces since 10.0",
)
def test_tags_of_metadefs(openstack: Client) -> None:
    openstack("image metadef namespace create tagged")
    openstack.text("image metadef namespace set --tag red tagged")
    assert [tag["name"] for tag in openstack("image metadef namespace show tagged")["tags"]] == ["red"]
    openstack.text("image metadef namespace unset --tag red tagged")
    assert not openstack("image metadef namespace show tagged").get("tags")
    openstack.text("image metadef namespace delete tagged")


def test_properties_of_objects_in_the_usual_definitions(openstack: Client, cloud: Path) -> None:
    for added in (True, False):
        line = [sys.executable, "-m", "pileus", "load-metadefs", "--state-dir", str(cloud)]
        said = subprocess.run(line, check=True, capture_output=True, text=True).stdout
        assert ("OS::Software::DBMS" in said) == added
    shown = openstack("image metadef object property show OS::Software::DBMS PostgreSQL sw_database_version")
    assert shown["type"] == "string"
    assert "is protected" in openstack.refused("image metadef namespace delete OS::Software::DBMS")


def test_a_bad_image_is_refused_in_words(openstack: Client) -> None:
    assert "No Image found" in openstack.refused("image show nothing")
