"""Images, as the image service's own client does them, in a cloud with several stores."""

import contextlib
import hashlib
import http.server
import io
import json
import os
import pty
import re
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from glanceclient.exc import HTTPException
from glanceclient.shell import OpenStackImagesShell

from tests.support.command import Command, free_port, until

pytestmark = pytest.mark.slow
DATA = b"abc" * 100_000
SHA512 = hashlib.sha512(DATA).hexdigest()
NOT_RUN = {"bash-completion"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("web") / "disk.raw"
    file.write_bytes(DATA)
    return file


@pytest.fixture(scope="module")
def url(disk: Path) -> Iterator[str]:
    """Where a web server has the disk."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(disk.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{disk.name}"
    server.shutdown()
    thread.join()
    server.server_close()


class Glance:
    """`glance("image-list")` gives what it printed; it ended with status 0. Its own shell, in this process."""

    def __init__(self) -> None:
        self.ran: set[str] = set()

    def __call__(self, *arguments: str) -> str:
        self.ran.add(arguments[0])
        status, out = self._run(arguments)
        assert status == 0, f"glance {' '.join(arguments)}: {out}"
        return out

    def refused(self, *arguments: str) -> str:
        status, out = self._run(arguments)
        assert status != 0, f"glance {' '.join(arguments)}: {out}"
        return out

    def image(self, *arguments: str) -> str:
        """The id of the image that a command has made."""
        found = re.search(r"^\| id +\| (\S+)", self(*arguments), re.M)
        assert found
        return found[1]

    def until(self, image: str, **wanted: str) -> None:
        """Wait until an image is so."""
        lines = [rf"\| {name} +\| {value} " for name, value in wanted.items()]
        until(lambda: all(re.search(line, self("image-show", image)) for line in lines), 30)

    def _run(self, arguments: tuple[str, ...]) -> tuple[int, str]:
        """At a terminal: where there is none it takes what stands at its input for an image's data."""
        above, below = pty.openpty()
        out, status = io.StringIO(), 0
        with open(below) as terminal, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", terminal)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                try:
                    OpenStackImagesShell().main(list(arguments))
                except SystemExit as ended:
                    status = ended.code if isinstance(ended.code, int) else 1
                except HTTPException as refused:
                    status = 1
                    out.write(str(refused))
        os.close(above)
        return status, out.getvalue()


@pytest.fixture(scope="module")
def glance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glance]:
    directory = tmp_path_factory.mktemp("glance")
    second, options = directory / "second", directory / "pileus.toml"
    second.mkdir()
    stores = f'[image_stores.second]\ntype = "file"\ndirectory = "{second}"\n[image_stores.web]\ntype = "http"\n'
    options.write_text(f'import_networks = "127.0.0.0/8"\n{stores}')
    pileus, port = Command(directory / "home", directory / "state"), free_port()
    pileus.ok("up", "--sim", "--port", str(port), "--config", str(options))
    told = re.findall(r"^export (OS_\w+)='(.*)'$", (directory / "state/openrc").read_text(), re.M)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in [*told, ("OS_IMAGE_URL", f"http://127.0.0.1:{port}/image"), ("HOME", str(pileus.home))]:
            patch.setenv(name, value)
        yield Glance()
    pileus("down", "--purge")


FORMATS = ("--disk-format", "raw", "--container-format", "bare")


def test_images(glance: Glance, disk: Path, tmp_path: Path) -> None:
    image = glance.image("image-create", "--name", "one", *FORMATS, "--property", "os=x")
    glance("image-upload", "--file", str(disk), image)
    glance("image-update", image, "--name", "two", "--min-ram", "64")
    glance("image-tag-update", image, "golden")
    assert "golden" in glance("image-show", image)
    glance("image-tag-delete", image, "golden")
    glance("image-deactivate", image)
    glance("image-reactivate", image)
    assert "two" in glance("image-list")
    glance("image-download", "--file", str(tmp_path / "back"), image)
    assert (tmp_path / "back").read_bytes() == DATA
    assert "image_count_total" in glance("usage")
    assert "MD5 of the data" in glance("explain", "image")
    glance("member-create", image, "somebody")
    assert "somebody" in glance("member-list", "--image-id", image)
    assert "pending" in glance("member-get", image, "somebody")
    glance("member-delete", image, "somebody")
    glance("image-delete", image)


def test_members_answer(glance: Glance) -> None:
    """The administrator's own project: it may not answer for others."""
    image = glance.image("image-create", "--name", "offered", *FORMATS)
    owner = re.search(r"\| owner +\| (\S+)", glance("image-show", image))
    assert owner
    glance("member-create", image, owner[1])
    assert "accepted" in glance("member-update", image, owner[1], "accepted")
    glance("image-delete", image)


def test_imports(glance: Glance, disk: Path, url: str) -> None:
    assert "web-download" in glance("import-info")
    image = glance.image("image-create", "--name", "staged", *FORMATS)
    glance("image-stage", "--file", str(disk), image)
    assert "uploading" in glance("image-show", image)
    glance("image-import", image, "--import-method", "glance-direct")
    glance.until(image, status="active", size=str(len(DATA)))
    assert "success" in glance("image-tasks", image)
    assert "api_image_import" in glance("task-list")
    direct = glance.image(
        "image-create-via-import",
        "--import-method",
        "glance-direct",
        "--file",
        str(disk),
        *FORMATS,
        "--all-stores",
        "True",
    )
    glance.until(direct, status="active", stores="file,second")
    web = glance.image("image-create-via-import", "--import-method", "web-download", "--uri", url, *FORMATS)
    glance.until(web, status="active", stores="file")
    wish = {
        "import_from": url,
        "import_from_format": "raw",
        "image_properties": dict(zip(("disk_format", "container_format"), ("raw", "bare"), strict=True)),
    }
    task = glance.image("task-create", "--type", "import", "--input", json.dumps(wish))
    until(lambda: "success" in glance("task-show", task), 30)


def test_stores(glance: Glance, disk: Path) -> None:
    assert "second" in glance("stores-info")
    assert "data_dir" in glance("stores-info", "--detail")
    image = glance.image("image-create", "--name", "spread", *FORMATS, "--file", str(disk))
    glance("image-import", image, "--import-method", "copy-image", "--stores", "second")
    glance.until(image, stores="file,second", os_glance_importing_to_stores="")
    glance("stores-delete", "--store", "file", image)
    glance.until(image, stores="second")
    assert "is the only one" in glance.refused("stores-delete", "--store", "second", image)
    glance("cache-list")
    glance("cache-nodes-list", image)
    for command in ("cache-queue", "cache-delete"):
        glance(command, image)
    for command in ("cache-clear", "cache-clean", "cache-prune"):
        glance(command)


def test_locations(glance: Glance, url: str) -> None:
    image = glance.image("image-create", "--name", "elsewhere", *FORMATS)
    wrong = json.dumps({"os_hash_algo": "sha512", "os_hash_value": "0" * 128})
    glance("add-location", "--url", url, "--validation-data", wrong, image)
    until(lambda: "failure" in glance("image-tasks", image), 30)
    assert SHA512 in glance("image-tasks", image)
    glance.until(image, status="queued")
    right = json.dumps({"os_hash_algo": "sha512", "os_hash_value": SHA512})
    glance("add-location", "--url", url, "--validation-data", right, image)
    glance.until(image, status="active", stores="web")
    glance("location-add", "--url", url + "?again", image)
    glance("location-update", "--url", url, "--metadata", '{"rack": "7"}', image)
    glance("location-delete", "--url", url, image)
    assert "again" in glance("image-show", image)


TONE = json.dumps({"enum": ["red"]})
MD_COMMANDS = [
    "md-namespace-create md --display-name MD --visibility public",
    "md-namespace-list",
    "md-namespace-show md",
    "md-namespace-update md --description d",
    "md-namespace-import --file FOLDER/import.json",
    "md-resource-type-list",
    "md-namespace-resource-type-list md",
    "md-resource-type-associate md --name OS::Glance::Image --prefix hw_",
    "md-resource-type-deassociate md OS::Glance::Image",
    "md-property-create md --name tone --title Tone --type string --schema " + TONE.replace(" ", ""),
    "md-property-list md",
    "md-property-show md tone",
    "md-property-update md tone --title Shade",
    "md-object-create md --name paint --schema {}",
    "md-object-list md",
    "md-object-show md paint",
    "md-object-update md paint --name paint",
    "md-object-property-show imported paint tone",
    "md-tag-create md --name one",
    "md-tag-create-multiple md --names two:three --delim :",
    "md-tag-list md",
    "md-tag-show md two",
    "md-tag-update md two --name four",
    "md-tag-delete md four",
    "md-namespace-tags-delete md",
    "md-object-delete md paint",
    "md-namespace-objects-delete md",
    "md-property-delete md tone",
    "md-namespace-properties-delete md",
    "md-namespace-delete md",
    "md-namespace-delete imported",
]


def test_metadefs(glance: Glance, tmp_path: Path) -> None:
    shape = {"title": "Tone", "type": "string"}
    imported = {"namespace": "imported", "objects": [{"name": "paint", "properties": {"tone": shape}}]}
    (tmp_path / "import.json").write_text(json.dumps(imported))
    for command in MD_COMMANDS:
        glance(*command.replace("FOLDER", str(tmp_path)).split())


def test_all_commands_were_run(glance: Glance) -> None:
    """By the tests above, which are of one process."""
    known = set(re.findall(r"^    ([a-z]+(?:-[a-z0-9]+)*)\s", glance("help"), re.M))
    assert "md-tag-list" in known
    assert known - glance.ran == NOT_RUN
