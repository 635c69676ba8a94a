"""What `pileus status` shows of a machine."""

import json
import time
from pathlib import Path

import pytest

from pileus.cli.status import status
from pileus.core.config import Settings
from pileus.operate import state
from pileus.operate.facts import facts

DAEMONS = [
    {"name": "ovsdb", "state": "running", "pid": 7, "since": time.time(), "restarts": 0, "trouble": "", "last_words": ""},
    {
        "name": "libvirtd", "state": "waiting to restart", "pid": None, "since": time.time(), "restarts": 3,
        "trouble": "it was ended by SIGSEGV", "last_words": "one\ncannot open [bold]disk",
    },
]  # fmt: skip


def test_a_cloud_that_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.prepare(tmp_path, "real")
    settings = Settings(state_dir=tmp_path)
    state.note_running(settings)
    noted = tmp_path / "run/pileus.json"
    noted.write_text(json.dumps({**json.loads(noted.read_text()), "started": 1.0}))
    (tmp_path / "run/daemons.json").write_text(json.dumps(DAEMONS))
    (tmp_path / "run/accelerator.json").write_text(json.dumps({"kind": "tcg", "reason": "there is no /dev/kvm."}))
    found = facts(tmp_path)
    assert found.serving is None
    assert found.addresses == {"API": settings.url, "external network": "172.24.4.1/24 on br-ex"}
    assert {"Pileus", "QEMU", "libvirt", "Open vSwitch", "OVN"} == set(found.versions)
    assert status(found, []) == 1
    said = capsys.readouterr().out
    for words in ("Pileus is not running", "tcg: there is no /dev/kvm.", "SIGSEGV", "disk"):
        assert words in said


def test_no_cloud_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(facts(tmp_path), []) == 1
    assert "There is no cloud" in capsys.readouterr().out
