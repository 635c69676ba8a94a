"""`pileus down`: stop the serving process; with --purge, leave nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from pileus.operate import access, state


def down(state_dir: Path, purge: bool = False) -> bool:
    """Stop Pileus. Guests and the daemons that carry them stay, unless `purge`. False when it was not running."""
    found = state.running(state_dir)
    if found is not None:
        process = psutil.Process(found.pid)
        process.terminate()
        try:
            process.wait(20)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    if purge:
        _purge(state_dir)
    return found is not None


def _purge(state_dir: Path) -> None:
    if (state_dir / "ovs").exists():
        from pileus.supervise import purge

        purge.purge(state_dir)
    if (state_dir / "state.json").exists():
        shutil.rmtree(state_dir)
    access.forget()
