"""The probe of KVM, and the list of what real mode needs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.supervise import accelerator, packages
from pileus.supervise.accelerator import Accelerator
from tests.hosts.supervise_host import own_state

SOURCE = Path(accelerator.__file__).with_name("guest_probe.S")


@pytest.fixture
def state() -> Iterator[Path]:
    with own_state() as path:
        yield path


@pytest.mark.skipif(not shutil.which("as"), reason="needs binutils")
def test_the_boot_sector_is_its_source_assembled(tmp_path: Path) -> None:
    subprocess.run(["as", "--32", "-o", tmp_path / "o", SOURCE], check=True)
    link = ["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", tmp_path / "bin", tmp_path / "o"]
    subprocess.run(link, check=True)
    assert (tmp_path / "bin").read_bytes() == accelerator.BOOT_SECTOR


@pytest.mark.real
def test_the_test_guest_runs_where_guests_run(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "SECONDS", 60)  # of a machine that is busy with other tests
    assert accelerator.try_guest("tcg", state, "root", "root") is None


@pytest.mark.real
@pytest.mark.parametrize(("endless", "how"), [("ebfe", "2 s of CPU time"), ("faf4", "did not end in 5 s")])
def test_a_guest_that_does_not_get_on_is_given_up(
    state: Path, monkeypatch: pytest.MonkeyPatch, endless: str, how: str
) -> None:
    sector = bytes.fromhex(f"b052e6e9{endless}").ljust(510, b"\0") + b"\x55\xaa"
    monkeypatch.setattr(accelerator, "BOOT_SECTOR", sector)
    if "CPU" in how:
        monkeypatch.setattr(accelerator, "SECONDS", 60)
    trouble = accelerator.try_guest("tcg", state, "root", "root")
    assert trouble is not None
    assert how in trouble
    assert "it reached 64-bit mode" in trouble


@pytest.mark.real
def test_the_answer_is_kept_for_this_boot(state: Path) -> None:
    first = accelerator.probe(state)
    assert first.reason
    assert accelerator.probe(state) == first
    (state / "run/accelerator.json").write_text('{"key": "another boot", "kind": "kvm", "reason": "old"}')
    assert accelerator.probe(state) == Accelerator(first.kind, first.reason)


@pytest.mark.real
def test_nothing_is_missing_where_these_tests_run() -> None:
    assert packages.missing() == ""


def test_what_is_missing_is_said_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["# a comment", "first-package sh no-such-program", "second-package /no/such/*/file", "third-package sh"]
    listed += ["fourth-package", "fifth-package user:no-such-account", "sixth-package user:root /etc/pass*"]
    (tmp_path / "packages.txt").write_text("\n".join(listed))
    monkeypatch.setattr(packages, "LIST", tmp_path / "packages.txt")
    monkeypatch.setattr(packages, "MODULES", ("no_such_module",))
    apt, pip = packages.missing().splitlines()
    assert apt.endswith("apt-get install fifth-package first-package second-package")
    assert "no_such_module" in pip
