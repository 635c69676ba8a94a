"""qcow2, versions 2 and 3. Source: QEMU, docs/interop/qcow2.txt."""

from __future__ import annotations

from pileus.services.image.inspect.source import BadImage, Source, sensible

_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = (1 << bit for bit in range(5))
_KNOWN = _DIRTY | _DATA_FILE | _COMPRESSION | _EXTENDED_L2
_END, _BACKING_FORMAT, _NAMED_DATA_FILE = 0, 0xE2792ACA, 0x44415441


def read(source: Source) -> int:
    (version,) = source.unpack(">I", 4, "qcow2 header")
    if version not in (2, 3):
        raise BadImage(f"qcow2 version {version} is not supported; it must be 2 or 3.")
    backing, _length, cluster_bits, size, crypt = source.unpack(">QIIQI", 8, "qcow2 header")
    if backing:
        raise BadImage("the qcow2 image has a backing file. Flatten it first: qemu-img convert -O qcow2 IN OUT.")
    if crypt:
        raise BadImage("the qcow2 image is encrypted.")
    if not 9 <= cluster_bits <= 21:
        raise BadImage(f"the qcow2 header gives 2^{cluster_bits} bytes as the cluster size; 2^9 to 2^21 are possible.")
    length = _header_of_3(source, cluster_bits) if version == 3 else 72
    _extensions(source, length, 1 << cluster_bits)
    return sensible(size, "qcow2")


def _header_of_3(source: Source, cluster_bits: int) -> int:
    """Its length in bytes."""
    (features,) = source.unpack(">Q", 72, "qcow2 header")
    (length,) = source.unpack(">I", 100, "qcow2 header")
    if features & _DATA_FILE:
        raise BadImage("the qcow2 image keeps its data in an external file.")
    if features & _CORRUPT:
        raise BadImage("the qcow2 image is marked as corrupt. Repair it first: qemu-img check -r all IMAGE.")
    if features & ~_KNOWN:
        raise BadImage(f"the qcow2 image has unknown incompatible features ({features & ~_KNOWN:#x}).")
    if length < 104 or length % 8 or length > 1 << cluster_bits:
        raise BadImage(f"the qcow2 header gives {length} bytes as its own length.")
    return length


def _extensions(source: Source, offset: int, end: int) -> None:
    while offset + 8 <= end:
        kind, length = source.unpack(">II", offset, "qcow2 header extensions")
        if kind == _END:
            return
        if kind == _NAMED_DATA_FILE:
            raise BadImage("the qcow2 image names an external data file.")
        if kind == _BACKING_FORMAT:
            raise BadImage("the qcow2 image names the format of a backing file.")
        offset += 8 + (length + 7) // 8 * 8
    if offset > end:
        raise BadImage("a qcow2 header extension reaches out of the header's cluster.")
