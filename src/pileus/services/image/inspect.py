"""What the bytes of a disk image are, read from their head: a tenant's file is never trusted to be what it is said to be.

Readers look at the first HEAD bytes (and the last TAIL ones, for fixed VHD) and never follow an offset out of them.
Sources: QEMU docs/interop/qcow2.txt, ECMA-119 (ISO 9660), VMware Virtual Disk Format 1.1, Microsoft VHD 1.0 and VHDX 1.0,
VirtualBox VDI 1.1, QEMU docs/interop/qed_spec.txt, LUKS1/LUKS2 on-disk formats, Parallels (QEMU docs/interop/parallels.txt).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

HEAD = 1 << 18
"""Bytes of the head that a reader may want."""
TAIL = 512
_MAX = 1 << 62


class BadImage(Exception):
    """Why the bytes can't be taken; a sentence for the reader."""


def detect(head: bytes, tail: bytes = b"") -> str:
    """The format that the bytes show: a disk format, 'qed', 'luks', or 'raw' when they show none."""
    for name, offset, magic in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return name
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:21].lower() == b"# disk descriptorfile":
        return "vmdk"
    if tail[-TAIL:].startswith(b"conectix"):
        return "vhd"
    return "raw"


_MAGICS = (
    ("qcow2", 0, b"QFI\xfb"),
    ("vmdk", 0, b"KDMV"),
    ("vmdk", 0, b"COWD"),
    ("vhd", 0, b"conectix"),
    ("vhdx", 0, b"vhdxfile"),
    ("qed", 0, b"QED\x00"),
    ("luks", 0, b"LUKS\xba\xbe"),
    ("ploop", 0, b"WithoutFreeSpace"),
    ("ploop", 0, b"WithouFreSpacExt"),
    ("vdi", 64, b"\x7f\x10\xda\xbe"),
    ("iso", 32769, b"CD001"),
    ("iso", 32769, b"NSR0"),
)


def virtual_size(declared: str, head: bytes, tail: bytes, size: int) -> int | None:
    """The size in bytes of the disk in an image of `size` bytes that is said to be `declared`; None where its head doesn't tell.

    Raises BadImage when the content is of another format, or refers to anything outside itself.
    """
    if declared in ("aki", "ari"):
        return None
    wanted = "raw" if declared == "ami" else declared
    found = detect(head, tail)
    if found != wanted:
        raise BadImage(
            f"the image is declared as {declared}, but its content is {_called(found)}.{_advice(wanted, found)}"
        )
    reader = _READERS.get(wanted)
    return size if reader is None else reader(head, tail)


def _called(found: str) -> str:
    return "not of any known image format" if found == "raw" else found


def _advice(wanted: str, found: str) -> str:
    return f" Create it with disk_format={found}." if wanted == "raw" and found in (*_READERS, "iso") else ""


def _unpack(form: str, head: bytes, offset: int, what: str) -> tuple[int, ...]:
    if offset + struct.calcsize(form) > len(head):
        raise BadImage(f"the image ends inside its {what}.")
    return struct.unpack_from(form, head, offset)


def _sensible(size: int, what: str) -> int:
    if not 0 <= size < _MAX:
        raise BadImage(f"the {what} header gives {size} bytes as the size of the disk.")
    return size


_QCOW2_DIRTY, _QCOW2_CORRUPT, _QCOW2_DATA_FILE, _QCOW2_COMPRESSION, _QCOW2_EXTENDED_L2 = (1 << n for n in range(5))
_QCOW2_KNOWN = _QCOW2_DIRTY | _QCOW2_DATA_FILE | _QCOW2_COMPRESSION | _QCOW2_EXTENDED_L2
_EXTENSION_END, _EXTENSION_BACKING_FORMAT, _EXTENSION_DATA_FILE = 0, 0xE2792ACA, 0x44415441


def _qcow2(head: bytes, _tail: bytes) -> int:
    (version,) = _unpack(">I", head, 4, "qcow2 header")
    if version not in (2, 3):
        raise BadImage(f"qcow2 version {version} is not supported; it must be 2 or 3.")
    backing, _backing_length, cluster_bits, size, crypt = _unpack(">QIIQI", head, 8, "qcow2 header")
    if backing:
        raise BadImage("the qcow2 image has a backing file. Flatten it first: qemu-img convert -O qcow2 IN OUT.")
    if crypt:
        raise BadImage("the qcow2 image is encrypted.")
    if not 9 <= cluster_bits <= 21:
        raise BadImage(f"the qcow2 header gives 2^{cluster_bits} bytes as the cluster size; 2^9 to 2^21 are possible.")
    length = 72
    if version == 3:
        (features,) = _unpack(">Q", head, 72, "qcow2 header")
        (length,) = _unpack(">I", head, 100, "qcow2 header")
        if features & _QCOW2_DATA_FILE:
            raise BadImage("the qcow2 image keeps its data in an external file.")
        if features & _QCOW2_CORRUPT:
            raise BadImage("the qcow2 image is marked as corrupt. Repair it first: qemu-img check -r all IMAGE.")
        if features & ~_QCOW2_KNOWN:
            raise BadImage(f"the qcow2 image has unknown incompatible features ({features & ~_QCOW2_KNOWN:#x}).")
        if length < 104 or length % 8 or length > 1 << cluster_bits:
            raise BadImage(f"the qcow2 header gives {length} bytes as its own length.")
    _qcow2_extensions(head, length, 1 << cluster_bits)
    return _sensible(size, "qcow2")


def _qcow2_extensions(head: bytes, offset: int, end: int) -> None:
    while offset + 8 <= end:
        kind, length = _unpack(">II", head, offset, "qcow2 header extensions")
        if kind == _EXTENSION_END:
            return
        if kind == _EXTENSION_DATA_FILE:
            raise BadImage("the qcow2 image names an external data file.")
        if kind == _EXTENSION_BACKING_FORMAT:
            raise BadImage("the qcow2 image names the format of a backing file.")
        offset += 8 + (length + 7) // 8 * 8
    if offset > end:
        raise BadImage("a qcow2 header extension reaches out of the header's cluster.")


_VMDK_KINDS = (b"monolithicsparse", b"streamoptimized")


def _vmdk(head: bytes, _tail: bytes) -> int:
    if not head.startswith(b"KDMV"):
        raise BadImage("the vmdk image is a descriptor or a part of several files; it must be one sparse file.")
    (capacity,) = _unpack("<Q", head, 12, "vmdk header")
    start, sectors = _unpack("<QQ", head, 28, "vmdk header")
    if not start or (start + sectors) * 512 > len(head):
        raise BadImage("the vmdk image has no descriptor in its head.")
    lines = head[start * 512 : (start + sectors) * 512].split(b"\x00")[0].lower().splitlines()
    kinds = [
        line.partition(b"=")[2].strip(b'" ') for line in lines if line.replace(b" ", b"").startswith(b"createtype=")
    ]
    if len(kinds) != 1 or kinds[0] not in _VMDK_KINDS:
        raise BadImage("the vmdk image is not of the type monolithicSparse or streamOptimized.")
    extents = [line for line in lines if line.split(b" ")[0] in (b"rw", b"rdonly", b"noaccess")]
    if len(extents) != 1 or b" sparse " not in extents[0] or b"/" in extents[0]:
        raise BadImage("the vmdk image refers to other files.")
    return _sensible(capacity * 512, "vmdk")


def _vhd(head: bytes, tail: bytes) -> int:
    footer = head if head.startswith(b"conectix") else tail[-TAIL:]
    size, kind = _unpack(">Q", footer, 48, "vhd footer")[0], _unpack(">I", footer, 60, "vhd footer")[0]
    if kind not in (2, 3):
        raise BadImage(
            f"the vhd image is of type {kind}; it must be fixed (2) or dynamic (3), not a difference to another."
        )
    return _sensible(size, "vhd")


def _vhdx(_head: bytes, _tail: bytes) -> None:
    """Its size lies in a metadata table that may be anywhere in the file."""


def _vdi(head: bytes, _tail: bytes) -> int:
    (kind,) = _unpack("<I", head, 76, "vdi header")
    if kind not in (1, 2):
        raise BadImage(
            f"the vdi image is of type {kind}; it must be dynamic (1) or fixed (2), not a difference to another."
        )
    return _sensible(_unpack("<Q", head, 368, "vdi header")[0], "vdi")


def _ploop(head: bytes, _tail: bytes) -> int:
    (sectors,) = _unpack("<Q", head, 36, "ploop header")
    return _sensible((sectors if head.startswith(b"WithouFreSpacExt") else sectors & 0xFFFFFFFF) * 512, "ploop")


_READERS: dict[str, Callable[[bytes, bytes], int | None]] = {
    "qcow2": _qcow2,
    "vmdk": _vmdk,
    "vhd": _vhd,
    "vhdx": _vhdx,
    "vdi": _vdi,
    "ploop": _ploop,
}
