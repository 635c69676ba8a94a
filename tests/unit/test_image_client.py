"""The image service as unmodified clients see it: openstacksdk and the openstack command."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest
from openstack import exceptions, resource

from pileus.services.identity.api import api as identity
from pileus.services.image.api import api as image
from tests.support.live import Live, environment, with_identity

NAMES = [("keystone", "identity", "/identity"), ("glance", "image", "/image")]
DATA = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Live]:
    with with_identity([identity, image], NAMES) as found:
        yield found


@pytest.mark.slow
def test_openstacksdk(cloud: Live, tmp_path: Path) -> None:
    given = environment(cloud.url)
    client = openstack.connect(
        auth_url=given["OS_AUTH_URL"],
        username=given["OS_USERNAME"],
        password=given["OS_PASSWORD"],
        project_name=given["OS_PROJECT_NAME"],
        user_domain_name="Default",
        project_domain_name="Default",
        region_name="RegionOne",
        load_yaml_config=False,
        load_envvars=False,
    )
    file = tmp_path / "disk"
    file.write_bytes(DATA)
    made = client.create_image(
        "debian", filename=str(file), disk_format="raw", container_format="bare", wait=True, os_distro="debian"
    )
    assert (made.status, made.size, made.os_distro) == ("active", len(DATA), "debian")
    assert client.image.download_image(made.id).content == DATA
    client.image.update_image(made.id, name="debian 12", min_ram=64, os_version="12")
    found = client.image.find_image("debian 12")
    assert (found.id, found.min_ram, found.os_version) == (made.id, 64, "12")
    client.image.add_tag(made.id, "golden")
    assert [each.id for each in client.image.images(tag="golden")] == [made.id]
    client.image.deactivate_image(made.id)
    assert client.image.get_image(made.id).status == "deactivated"
    client.image.reactivate_image(made.id)
    client.image.add_member(made.id, member_id="somebody")
    assert [member.member_id for member in client.image.members(made.id)] == ["somebody"]

    staged = client.image.create_image("staged", disk_format="raw", container_format="bare", allow_duplicates=True)
    client.image.stage_image(staged, data=b"bytes")
    client.image.import_image(staged, method="glance-direct")
    staged = resource.wait_for_status(client.image, client.image.get_image(staged.id), "active", ["queued"], 0.05, 20)
    assert staged.checksum == hashlib.md5(b"bytes").hexdigest()

    with pytest.raises(exceptions.BadRequestException, match="declared as qcow2"):
        client.image.create_image(
            "liar", filename=str(file), disk_format="qcow2", container_format="bare", validate_checksum=True
        )
    for index in range(30):
        client.image.create_image(f"many-{index}", disk_format="raw", container_format="bare")
    assert len(list(client.image.images(limit=7))) == 32
    for each in list(client.image.images()):
        client.image.delete_image(each)
    assert list(client.image.images()) == []


@pytest.mark.slow
def test_openstack_command(cloud: Live, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("openstack")
    if not program.exists():
        pytest.skip("python-openstackclient is not installed")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments],
            env={**os.environ, **environment(cloud.url)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "disk").write_bytes(DATA)
    options = ["--disk-format", "raw", "--container-format", "bare", "--property", "os_distro=debian", "--tag", "t"]
    made = json.loads(run("image", "create", "--file", str(tmp_path / "disk"), *options, "-f", "json", "first"))
    assert (made["status"], made["size"], made["tags"]) == ("active", len(DATA), ["t"])
    assert "first" in run("image", "list")
    run("image", "set", "--name", "second", "--min-ram", "64", "--property", "x=y", "first")
    shown = json.loads(run("image", "show", "-f", "json", "second"))
    assert (shown["min_ram"], shown["properties"]["x"]) == (64, "y")
    run("image", "save", "--file", str(tmp_path / "back"), "second")
    assert (tmp_path / "back").read_bytes() == DATA
    run("image", "delete", "second")
    assert run("image", "list", "-f", "value") == ""
