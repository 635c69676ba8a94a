"""Starts a cloud of its own, points Tempest at it, runs a list, and says what no longer passes."""

import argparse
import configparser
import csv
import gzip
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import openstack

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.corpus.images import write as write_images
from tests.support.command import free_port

HERE = Path(__file__).parent
FORMATS = ".test_images_formats."
ROOT = HERE.parents[1]
GUEST_IMAGE = Path(os.environ.get("PILEUS_GUEST_IMAGE", "/var/cache/pileus/guest.qcow2"))


COMPLIANCE = {"unique_last_password_count": 2, "lockout_failure_attempts": 3, "lockout_duration": 5}
"""Options of the cloud that the community's tests of password rules are for."""


class Cloud:
    """A Pileus in a state directory of its own, gone at the end."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        base = "/var/lib" if mode == "real" else None
        self.state_dir = Path(tempfile.mkdtemp(prefix="pileus-tempest-", dir=base))
        self.state_dir.rmdir()
        self.folder = Path(tempfile.mkdtemp(prefix="pileus-tempest-stores-"))
        self.port = free_port()

    def __enter__(self) -> "Cloud":
        (self.folder / "archive").mkdir()
        options = self.folder / "pileus.toml"
        options.write_text(
            f'import_networks = "127.0.0.0/8,{own_address()}/32"\n'
            + "".join(f"{name} = {value}\n" for name, value in COMPLIANCE.items())
            + f'[image_stores.archive]\ntype = "file"\nweight = 5\ndirectory = "{self.folder}/archive"\n'
            '[image_stores.web]\ntype = "http"\n'
        )
        arguments = ["--port", str(self.port), "--config", str(options)]
        self.pileus("up", *arguments, *(["--sim", "--sim-hosts", "2"] if self.mode == "sim" else []))
        os.environ |= {"OS_CLIENT_CONFIG_FILE": str(self.state_dir / "clouds.yaml")}
        return self

    def __exit__(self, *_: object) -> None:
        self.pileus("down", "--purge")
        shutil.rmtree(self.folder)

    def pileus(self, command: str, *arguments: str) -> None:
        home = {"HOME": tempfile.gettempdir()}
        line = [sys.executable, "-m", "pileus", command, "--state-dir", str(self.state_dir), *arguments]
        subprocess.run(line, check=True, env=os.environ | home)


def own_address() -> str:
    """Of this machine on its network: a server of files that a test starts listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@contextmanager
def files_on_the_web() -> Iterator[str]:
    """Where images lie that the cloud fetches."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "image").write_bytes(os.urandom(1 << 20))
        qcow2 = gzip.decompress((HERE.parent / "corpus" / "real" / "qcow2-v3.gz").read_bytes())
        (Path(directory) / "image.qcow2").write_bytes(qcow2)
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=directory)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def configure(cloud: Cloud, folder: Path, web: str) -> None:
    """tempest.conf, from what the cloud says of itself."""
    admin = openstack.connect(cloud="pileus")
    images = [_image(admin, name, cloud.mode) for name in ("tempest-1", "tempest-2")]
    flavors = [
        _flavor(admin, name, memory)
        for name, memory in (("tempest-small", 96 if cloud.mode == "real" else 64), ("tempest-large", 160))
    ]
    public = admin.network.find_network("public", ignore_missing=False)
    extensions = sorted(each.alias for each in admin.network.extensions())
    auth = admin.config.auth
    conf = configparser.RawConfigParser(delimiters=("=",))
    conf.optionxform = str  # type: ignore[assignment, method-assign]
    conf.read_dict(
        {
            "DEFAULT": {"log_dir": folder / "logs", "log_file": "tempest.log"},
            "oslo_concurrency": {"lock_path": folder / "lock"},
            "auth": {
                "admin_username": auth["username"],
                "admin_password": auth["password"],
                "admin_project_name": auth["project_name"],
                "admin_domain_name": "Default",
                "admin_system": "all",
            },
            "identity": {
                "uri_v3": auth["auth_url"],
                "region": "RegionOne",
                "auth_version": "v3",
                **{f"user_{name}": value for name, value in COMPLIANCE.items()},
            },
            "identity-feature-enabled": {
                "application_credentials": True,
                "access_rules": True,
                "security_compliance": True,
            },
            "enforce_scope": {"keystone": True},
            "compute": {
                "image_ref": images[0],
                "image_ref_alt": images[1],
                "flavor_ref": flavors[0],
                "flavor_ref_alt": flavors[1],
                "min_microversion": "2.1",
                "max_microversion": "2.104",
                "min_compute_nodes": 2 if cloud.mode == "sim" else 1,
            },
            "compute-feature-enabled": {
                "resize": False,
                "snapshot": False,
                "shelve": False,
                "rescue": False,
                "live_migration": False,
                "cold_migration": False,
                "attach_encrypted_volume": False,
                "vnc_console": cloud.mode == "real",
                "console_output": True,
                "change_password": False,
                "personality": True,
            },
            "network": {"public_network_id": public.id, "floating_network_name": "public"},
            "image": {
                "disk_formats": "raw,qcow2,iso",
                "container_formats": "ovf,ova,docker,bare",
                "image_caching_enabled": True,
                "http_image": f"{web}/image",
                "http_qcow2_image": f"{web}/image.qcow2",
            },
            "image-feature-enabled": {
                "image_format_enforcement": False,
                "import_image": True,
                "os_glance_reserved": True,
                "manage_locations": True,
                "do_secure_hash": True,
                "http_store_enabled": True,
                "store_weight_enabled": True,
            },
            "network-feature-enabled": {"api_extensions": ",".join(extensions), "ipv6_subnet_attributes": True},
            "validation": {
                "run_validation": cloud.mode == "real",
                "image_ssh_user": "cirros",
                "image_alt_ssh_user": "cirros",
                "ssh_timeout": 300,
                "ping_timeout": 180,
            },
            "scenario": {"dhcp_client": "udhcpc"},
            "service_available": {
                "cinder": False,
                "swift": False,
                "horizon": False,
                "neutron": True,
                "nova": True,
                "glance": True,
            },
        }
    )
    register_limits(admin)
    (folder / "etc").mkdir()
    (folder / "lock").mkdir()
    (folder / "logs").mkdir()
    with (folder / "etc" / "tempest.conf").open("w") as file:
        conf.write(file)


def enforce_formats(folder: Path) -> None:
    """Real images, for the tests of formats; the others skip themselves where their random data is refused."""
    file = folder / "etc" / "tempest.conf"
    conf = configparser.RawConfigParser(delimiters=("=",))
    conf.optionxform = str  # type: ignore[assignment, method-assign]
    conf.read(file)
    conf["image"]["disk_formats"] = "raw,qcow2,iso,vmdk,vdi,vhd,vhdx,ploop"
    conf["image"]["images_manifest_file"] = str(write_images(folder / "images"))
    conf["image-feature-enabled"].update({"image_format_enforcement": "True", "image_conversion": "True"})
    with file.open("w") as written:
        conf.write(written)


def register_limits(admin: Any) -> None:
    """High ones: the tests of quotas give their own projects lower ones."""
    service = admin.identity.find_service("glance", ignore_missing=False)
    for resource in ("image_count_total", "image_count_uploading", "image_size_total", "image_stage_total"):
        admin.identity.create_registered_limit(
            service_id=service.id, region_id="RegionOne", resource_name=resource, default_limit=1_000_000
        )


def _image(admin: Any, name: str, mode: str) -> str:
    if mode == "real":
        made = admin.image.create_image(
            name=name, filename=str(GUEST_IMAGE), disk_format="qcow2", container_format="bare", visibility="public"
        )
    else:
        made = admin.image.create_image(
            name=name, data=os.urandom(1 << 16), disk_format="raw", container_format="bare", visibility="public"
        )
    return str(made.id)


def _flavor(admin: Any, name: str, memory: int) -> str:
    return str(admin.compute.create_flavor(name=name, ram=memory, vcpus=1, disk=1).id)


def run(venv: Path, folder: Path, wanted: list[str], concurrency: int) -> dict[str, str]:
    """Test name -> success, fail, skip."""
    env = os.environ | {
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "TEMPEST_CONFIG_DIR": str(folder / "etc"),
        "TEMPEST_CONFIG": "tempest.conf",
        "PYTHONWARNINGS": "ignore",
        "PYTHON": str(venv / "bin" / "python"),
    }
    env.pop("PYTHONPATH", None)
    tempest = next(venv.glob("lib/python*/site-packages/tempest"))
    (folder / ".stestr.conf").write_text(
        f"[DEFAULT]\ntest_path={tempest}/test_discover\ntop_dir={tempest}\ngroup_regex=([^\\.]*\\.)*\n"
    )

    def call(*command: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(command, cwd=folder, env=env, text=True, **more)

    if not (folder / ".stestr").exists():
        call("stestr", "init", check=True, capture_output=True)
    known = call("tempest", "run", "--list-tests", capture_output=True).stdout.split()
    scenarios: dict[str, list[str]] = {}
    for name in known:
        if "." in name:
            scenarios.setdefault(_plain(name), []).append(name)
            if "(" in name:
                scenarios.setdefault(_plain(name.partition("(")[0]), []).append(name)
    load = list(dict.fromkeys(each for name in map(_plain, wanted) for each in scenarios.get(name, [])))
    (folder / "load.txt").write_text("\n".join(load) + "\n")
    with (folder / "run.log").open("a") as log:
        call("tempest", "run", "--load-list", "load.txt", "--concurrency", str(concurrency), stdout=log, stderr=log)
    stream = subprocess.run(["stestr", "last", "--subunit"], cwd=folder, env=env, capture_output=True).stdout
    table = subprocess.run(
        ["subunit2csv", "--no-passthrough"], input=stream, cwd=folder, env=env, capture_output=True
    ).stdout.decode()
    found = {_plain(name): "missing" for name in wanted}
    for name, status, *_ in list(csv.reader(table.splitlines()))[1:]:
        if _plain(name) in found:
            found[_plain(name)] = status
        elif _plain(name.partition("(")[0]) in found:
            _scenario(found, _plain(name.partition("(")[0]), status)
        elif name.startswith(("setUpClass (", "tearDownClass (")):
            _whole_class(found, name.partition("(")[2].rstrip(")"), status)
    return found


def _scenario(found: dict[str, str], name: str, status: str) -> None:
    """The worst of a test's scenarios is what became of it; one that ran says more than those that were skipped."""
    worst = ("missing", "skip", "success", "fail")
    found[name] = max(found[name], status, key=lambda each: worst.index(each) if each in worst else len(worst))


def _whole_class(found: dict[str, str], name: str, status: str) -> None:
    """A class that is skipped or broken as a whole is told once, for all its tests."""
    for test, known in list(found.items()):
        if test.startswith(f"{name}.") and known == "missing":
            found[test] = status


def _plain(name: str) -> str:
    """Without the tags in brackets; scenarios keep theirs in parentheses."""
    head, bracket, tail = name.partition("[")
    return head + tail.partition("]")[2] if bracket else name


def names(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--sim", dest="modes", action="append_const", const="sim")
    parser.add_argument("--real", dest="modes", action="append_const", const="real")
    parser.add_argument("--rbac", dest="modes", action="append_const", const="rbac")
    parser.add_argument("--list", type=Path, help="instead of the lists of what passes")
    parser.add_argument("--out", type=Path, help="write test -> result as JSON")
    parser.add_argument("--concurrency", type=int, default=2)
    given = parser.parse_args()
    bad = 0
    for mode in given.modes or ["sim", "rbac", "real"]:
        wanted = names(given.list or HERE / f"passing-{mode}.txt")
        folder = Path(tempfile.mkdtemp(prefix="pileus-tempest-run-"))
        began = time.monotonic()
        with Cloud("real" if mode == "real" else "sim") as cloud, files_on_the_web() as web:
            configure(cloud, folder, web)
            formats = [name for name in wanted if FORMATS in name]
            found = run(given.venv.absolute(), folder, [n for n in wanted if n not in formats], given.concurrency)
            if formats:
                enforce_formats(folder)
                found |= run(given.venv.absolute(), folder, formats, given.concurrency)
        if given.out:
            given.out.write_text(json.dumps(found, indent=1, sort_keys=True))
        lost = sorted(name for name, status in found.items() if status not in ("success", "skip"))
        bad += len(lost)
        for name in lost:
            print(f"{found[name]:8} {name}")
        counts = {status: list(found.values()).count(status) for status in sorted(set(found.values()))}
        print(f"tempest, {mode}: {counts} in {time.monotonic() - began:.0f} s (log: {folder}/run.log)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
