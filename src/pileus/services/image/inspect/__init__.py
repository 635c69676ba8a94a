"""What the bytes of a disk image are: a tenant's file is never trusted to be what it is said to be.

Nothing here opens what a header names: readers look at a bounded part of one file, and give a size or a reason against it.
"""

from __future__ import annotations

from collections.abc import Callable

from pileus.services.image.inspect import others, qcow2, vmdk
from pileus.services.image.inspect.source import HEAD, WHOLE_HEAD, BadImage, NotYet, Source
from pileus.services.image.types.images import BARE

COMPRESSIONS = ("gzip", "zip", "bzip2", "xz", "zstd", "lz4", "7z")
UNPACKED = ("gzip", "zip")
"""Those that an import unpacks."""
_MAGICS = (
    ("qcow2", 0, b"QFI\xfb"),
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"COWD"),
    ("vhd", 0, b"conectix"),
    ("vhdx", 0, b"vhdxfile"),
    ("qed", 0, b"QED\x00"),
    ("luks", 0, b"LUKS\xba\xbe"),
    ("luks", 0, b"SKUL\xba\xbe"),
    ("ploop", 0, b"WithoutFreeSpace"),
    ("ploop", 0, b"WithouFreSpacExt"),
    ("gzip", 0, b"\x1f\x8b\x08"),
    ("zip", 0, b"PK\x03\x04"),
    ("bzip2", 4, b"1AY&SY"),
    ("xz", 0, b"\xfd7zXZ\x00"),
    ("zstd", 0, b"\x28\xb5\x2f\xfd"),
    ("lz4", 0, b"\x04\x22\x4d\x18"),
    ("7z", 0, b"7z\xbc\xaf\x27\x1c"),
    ("vdi", 64, b"\x7f\x10\xda\xbe"),
    ("iso", 32769, b"CD001"),
    ("iso", 32769, b"BEA01"),
)
"""(format, offset, the bytes there). A hybrid ISO begins with a partition table, so what is at 0 goes first."""
_READERS: dict[str, Callable[[Source], int | None]] = {
    "qcow2": qcow2.read,
    "vmdk": vmdk.read,
    "vhd": others.vhd,
    "vhdx": others.vhdx,
    "vdi": others.vdi,
    "ploop": others.ploop,
}


def check(disk_format: str | None, container_format: str | None, source: Source) -> int | None:
    """The virtual size of an image, where it is known. Raises BadImage where the bytes are not what they are said to be."""
    if container_format == "compressed":
        _check_compressed(source)
    elif disk_format is not None and container_format in BARE:
        return virtual_size(disk_format, source)
    return None


def detect(source: Source) -> str:
    """A disk format, 'qed', 'luks', a compression; 'raw' when nothing shows, as on disks with and without partitions."""
    head = source.read(0, 32774)
    for name, offset, magic in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return name
    if vmdk.is_descriptor(head):
        return "vmdk"
    if source.is_whole and source.read(max(source.size - 512, 0), 512).startswith(b"conectix"):
        return "vhd"
    return "raw"


def virtual_size(declared: str, source: Source) -> int | None:
    """The size in bytes of the disk in an image that is said to be `declared`; None where that can't be told (yet).

    Raises BadImage when the content is of another format, is damaged, or refers to anything outside itself.
    """
    if declared in ("aki", "ari"):
        return None
    wanted = "raw" if declared == "ami" else declared
    found = detect(source)
    if found != wanted:
        if wanted == "vhd" and found == "raw" and not source.is_whole:
            return None
        raise BadImage(
            f"the image is declared as {declared}, but its content is {_called(found)}.{_advice(wanted, found)}"
        )
    reader = _READERS.get(wanted)
    try:
        return source.size if reader is None else reader(source)
    except NotYet:
        return None


def _check_compressed(source: Source) -> None:
    found = detect(source)
    if found not in UNPACKED:
        raise BadImage(
            f"the image is declared as compressed, but its content is {_called(found)}; it must be {' or '.join(UNPACKED)}."
        )


def _called(found: str) -> str:
    return "not of any known image format" if found == "raw" else found


def _advice(wanted: str, found: str) -> str:
    if found in UNPACKED:
        return " Unpack it first, or import it with container_format=compressed."
    if found in COMPRESSIONS:
        return " Unpack it first."
    if found in ("qed", "luks"):
        return f" Images of the format {found} are not taken."
    return f" Create it with disk_format={found}." if wanted == "raw" else ""


__all__ = ["COMPRESSIONS", "HEAD", "UNPACKED", "WHOLE_HEAD", "BadImage", "Source", "check", "detect", "virtual_size"]
