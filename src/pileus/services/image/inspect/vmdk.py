"""vmdk in one file: monolithicSparse and streamOptimized. Source: VMware, Virtual Disk Format 1.1."""

from __future__ import annotations

from pileus.services.image.inspect.source import BadImage, Source, sensible

_KINDS = (b"monolithicsparse", b"streamoptimized")
_SECTOR = 512
_AT_END = 0xFFFFFFFFFFFFFFFF
_LONGEST = 1 << 20
_ACCESS = (b"rw", b"rdonly", b"noaccess")
_FOOTER, _END_OF_STREAM = 3, 0


def is_descriptor(head: bytes) -> bool:
    """Whether it is the text that names the files of a disk."""
    return head[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:21].lower() == b"# disk descriptorfile"


def read(source: Source) -> int:
    if source.read(0, 4) != b"KDMV":
        raise BadImage("the vmdk image is a descriptor or a part of several files; it must be one sparse file.")
    (version,) = source.unpack("<I", 4, "vmdk header")
    if version not in (1, 2, 3):
        raise BadImage(f"vmdk version {version} is not supported; it must be 1, 2 or 3.")
    capacity, start, sectors, directory = _fields(source, 0)
    if not capacity:
        raise BadImage("the vmdk header gives no capacity, so that the disk would be looked for in other files.")
    if start != 1 or not 0 < sectors * _SECTOR <= _LONGEST:
        raise BadImage("the vmdk image has no descriptor behind its header.")
    source.unpack("<B", (start + sectors) * _SECTOR - 1, "vmdk descriptor")
    _check_descriptor(source.read(start * _SECTOR, sectors * _SECTOR))
    if directory == _AT_END and source.is_whole:
        _check_footer(source)
    return sensible(capacity * _SECTOR, "vmdk")


def _fields(source: Source, at: int) -> tuple[int, int, int, int]:
    """Capacity, descriptor's start and length in sectors, where the grain directory is."""
    (capacity,) = source.unpack("<Q", at + 12, "vmdk header")
    start, sectors = source.unpack("<QQ", at + 28, "vmdk header")
    (directory,) = source.unpack("<Q", at + 56, "vmdk header")
    return capacity, start, sectors, directory


def _check_descriptor(text: bytes) -> None:
    lines = [line.strip().lower() for line in text.split(b"\x00")[0].splitlines()]
    lines = [line for line in lines if line and not line.startswith(b"#")]
    extents = [line for line in lines if line.split()[0] in _ACCESS]
    fields = [line.partition(b"=") for line in lines if line not in extents]
    if any(not equals or len(name.split()) != 1 for name, equals, _ in fields):
        raise BadImage("the vmdk descriptor has a line that is neither a field nor an extent.")
    kinds = [value.strip(b'" ') for name, _, value in fields if name.strip() == b"createtype"]
    if len(kinds) != 1 or kinds[0] not in _KINDS:
        raise BadImage("the vmdk image is not of the type monolithicSparse or streamOptimized.")
    if any(name.strip() == b"parentfilenamehint" for name, _, _ in fields):
        raise BadImage("the vmdk image names a parent.")
    if len(extents) != 1 or extents[0].split()[2:3] != [b"sparse"] or b"/" in extents[0]:
        raise BadImage("the vmdk image refers to other files.")


def _check_footer(source: Source) -> None:
    """A stream's header is repeated at its end, and read from there: it must say the same."""
    at = source.size - 3 * _SECTOR
    if at < 0:
        raise BadImage("the image ends inside its vmdk footer.")
    _value, size, kind = source.unpack("<QII", at, "vmdk footer")
    ended, end_size, end_kind = source.unpack("<QII", at + 2 * _SECTOR, "vmdk footer")
    if (size, kind) != (0, _FOOTER) or (ended, end_size, end_kind) != (0, 0, _END_OF_STREAM):
        raise BadImage("the vmdk image has no footer at its end.")
    footer = _fields(source, at + _SECTOR)
    same = source.read(at + _SECTOR, 8) == source.read(0, 8) and footer[:3] == _fields(source, 0)[:3]
    if not same or footer[3] == _AT_END:
        raise BadImage("the vmdk footer contradicts the header.")
