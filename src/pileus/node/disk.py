"""A guest's disks: STATE/instances/<guest>/ with disk.qcow2 over the image, ephemeral.qcow2, swap.qcow2, config.iso."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from pileus.node import config_drive, qemu_img
from pileus.node.desired import GuestSpec, RootDisk
from pileus.node.host import HostError

Download = Callable[[str], AbstractContextManager[Iterator[bytes]]]
"""image id -> its bytes, in pieces."""


class Disks:
    """Idempotent: what is there is kept, what is half made is made again."""

    def __init__(self, state_dir: Path, download: Download) -> None:
        self.instances, self.images = state_dir / "instances", state_dir / "images"
        self._download = download

    def folder(self, guest_id: str) -> Path:
        return self.instances / guest_id

    def root(self, guest_id: str) -> Path:
        return self.folder(guest_id) / "disk.qcow2"

    def image(self, root: RootDisk) -> Path:
        return self.images / root.sha512

    def ensure(self, guest: GuestSpec) -> None:
        folder = self.folder(guest.id)
        folder.mkdir(parents=True, exist_ok=True)
        if not self.root(guest.id).exists():
            self._make_root(guest)
        for name, size in extras(guest).items():
            if not (folder / name).exists():
                _whole(folder / name, partial(qemu_img.create_empty, size=size))
        if guest.config_drive and guest.documents is not None:
            documents = guest.documents
            _whole(folder / "config.iso", lambda path: config_drive.write(path, documents))

    def reset(self, guest: GuestSpec) -> None:
        """The root disk is made anew; ephemeral disk and swap too, as nothing of the old system stays."""
        for name in ("disk.qcow2", *extras(guest)):
            (self.folder(guest.id) / name).unlink(missing_ok=True)
        self.ensure(guest)

    def remove(self, guest_id: str) -> None:
        shutil.rmtree(self.folder(guest_id), ignore_errors=True)

    def guests(self) -> list[str]:
        return [entry.name for entry in self.instances.iterdir() if entry.is_dir()] if self.instances.exists() else []

    def _make_root(self, guest: GuestSpec) -> None:
        root = guest.root
        image = self._fetched(root)
        if root.image_format == "iso":
            _whole(self.root(guest.id), lambda path: qemu_img.create_empty(path, f"{max(root.size_gb, 1)}G"))
        else:
            _whole(
                self.root(guest.id), lambda path: qemu_img.create_overlay(path, image, root.image_format, root.size_gb)
            )

    def _fetched(self, root: RootDisk) -> Path:
        """The image's file; downloaded where this host does not share the image store's directory."""
        path = self.image(root)
        if not path.exists():
            self.images.mkdir(parents=True, exist_ok=True)
            _whole(path, lambda part: self._copy(root, part))
            path.chmod(0o644)
        return path

    def _copy(self, root: RootDisk, part: Path) -> None:
        with self._download(root.image_id) as chunks, part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        if part.stat().st_size != root.image_size:
            raise HostError(f"Image {root.image_id} arrived with {part.stat().st_size} of {root.image_size} bytes.")


def extras(guest: GuestSpec) -> dict[str, str]:
    """File name -> size of the disks beside the root disk, in the order in which the guest sees them."""
    found = {}
    if guest.ephemeral_gb:
        found["ephemeral.qcow2"] = f"{guest.ephemeral_gb}G"
    if guest.swap_mb:
        found["swap.qcow2"] = f"{guest.swap_mb}M"
    return found


def _whole(path: Path, make: Callable[[Path], None]) -> None:
    """Make the file beside its place and move it there: a crash leaves it whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        make(part)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise HostError(f"{path.name} could not be made: {error.strerror}.") from error
