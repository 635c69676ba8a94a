"""qemu-img: makes overlays and empty disks. Never asked about a file that a tenant gave us before it was inspected."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pileus.node.host import HostError


def create_overlay(path: Path, backing: Path, backing_format: str, size_gb: int) -> None:
    """A qcow2 at `path` over `backing`; of `size_gb` GiB, or as large as the backing file where that is 0."""
    size = [f"{size_gb}G"] if size_gb else []
    _run("create", "-q", "-f", "qcow2", "-F", backing_format, "-b", str(backing), str(path), *size)


def create_empty(path: Path, size: str) -> None:
    """A qcow2 without content; `size` as qemu-img takes it (10G, 512M)."""
    _run("create", "-q", "-f", "qcow2", str(path), size)


def _run(*arguments: str) -> None:
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise HostError(f"qemu-img {arguments[0]} failed: {done.stderr.strip() or done.returncode}")
