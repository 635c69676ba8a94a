"""What the builder of the image says before it builds."""

import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[2] / "guest" / "build"


def build(*arguments: str, path: str = "/usr/sbin:/usr/bin:/sbin:/bin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/usr/bin/python3", BUILD, *arguments], env={"PATH": path}, capture_output=True, text=True)


def test_missing_packages_are_named_and_nothing_is_done(tmp_path: Path) -> None:
    done = build(str(tmp_path / "out.qcow2"), "--cache", str(tmp_path / "cache"), path=str(tmp_path))
    assert done.returncode == 1
    for package in ("mtools", "qemu-utils", "syslinux"):
        assert package in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [(), ("out.qcow2", "--kernel", "rt"), ("--nonsense",)])
def test_wrong_arguments_stop_it(arguments: tuple[str, ...]) -> None:
    done = build(*arguments)
    assert done.returncode == 2
    assert "error:" in done.stderr


def test_needed_packages_are_listed() -> None:
    assert {"gcc", "qemu-utils", "syslinux"} <= set(build("--print-packages").stdout.split())
