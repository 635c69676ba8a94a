"""Disk images, well-made and hostile: what each is, and whether it may be taken. The real ones are made by make_real.py."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

REAL = Path(__file__).parent / "real"
MIB = 1 << 20
SIZE = 1 << 30
END = b"\x00" * 8


def qcow2(
    version: int = 3,
    size: int = SIZE,
    backing: int = 0,
    cluster_bits: int = 16,
    crypt: int = 0,
    incompatible: int = 0,
    length: int = 104,
    extensions: bytes = END,
) -> bytes:
    head = b"QFI\xfb" + struct.pack(">IQIIQI", version, backing, 0, cluster_bits, size, crypt) + b"\x00" * 36
    if version == 3:
        head += struct.pack(">QQQII", incompatible, 0, 0, 4, length)
    return (head + extensions).ljust(65536, b"\x00")


SPARSE = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicSparse"\nRW 2048 SPARSE "me.vmdk"\nddb.x = "1"\n'
STREAM = SPARSE.replace(b"monolithicSparse", b"streamOptimized")
AT_END = 2**64 - 1


def vmdk_header(
    capacity: int = 2048, start: int = 1, sectors: int = 20, directory: int = 26, version: int = 1
) -> bytes:
    head = b"KDMV" + struct.pack("<IIQQQQIQQ", version, 3, capacity, 128, start, sectors, 512, 21, directory)
    return head.ljust(512, b"\x00")


def vmdk(descriptor: bytes = SPARSE, footer: bytes | None = None, **header: int) -> bytes:
    head = vmdk_header(**({"directory": AT_END} if footer is not None else {}) | header)
    end = b""
    if footer is not None:
        end = struct.pack("<QII", 1, 0, 3).ljust(512, b"\x00") + footer + b"\x00" * 512
    return head + descriptor.ljust(20 * 512, b"\x00") + end


def vhd_footer(kind: int, size: int = 4096) -> bytes:
    return (b"conectix" + b"\x00" * 40 + struct.pack(">QII", size, 0, kind)).ljust(512, b"\x00")


def vdi(kind: int = 1, size: int = MIB, parent: int = 0) -> bytes:
    head = bytearray(1024)
    struct.pack_into("<4sIII", head, 64, b"\x7f\x10\xda\xbe", 0x10001, 400, kind)
    struct.pack_into("<Q", head, 368, size)
    struct.pack_into("<Q", head, 440, parent)
    return bytes(head)


def mbr() -> bytes:
    entry = struct.pack("<B3sB3sII", 0x80, b"\x00\x02\x00", 0x83, b"\x00\x02\x00", 1, 2047)
    return (b"\xfa" * 446 + entry).ljust(510, b"\x00") + b"\x55\xaa" + b"\x00" * (MIB - 512)


def gpt() -> bytes:
    entry = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, 2047)
    return ((b"\x00" * 446 + entry).ljust(510, b"\x00") + b"\x55\xaa" + b"EFI PART").ljust(MIB, b"\x00")


def zipped(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return made.getvalue()


EXTENSION = struct.Struct(">II")
MADE: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "qcow2-2": ("qcow2", "", lambda: qcow2(version=2)),
    "qcow2-features": ("qcow2", "", lambda: qcow2(incompatible=0b11001)),
    "qcow2-named-features": ("qcow2", "", lambda: qcow2(extensions=EXTENSION.pack(0x6803F857, 48) + b"\x00" * 56)),
    "qcow2-backed": ("qcow2", "backing file", lambda: qcow2(backing=104)),
    "qcow2-2-backed": ("qcow2", "backing file", lambda: qcow2(version=2, backing=72)),
    "qcow2-outside": ("qcow2", "external file", lambda: qcow2(incompatible=4)),
    "qcow2-corrupt": ("qcow2", "corrupt", lambda: qcow2(incompatible=2)),
    "qcow2-unknown-feature": ("qcow2", "unknown incompatible features", lambda: qcow2(incompatible=1 << 40)),
    "qcow2-encrypted": ("qcow2", "encrypted", lambda: qcow2(crypt=2)),
    "qcow2-1": ("qcow2", "version 1", lambda: qcow2(version=1)),
    "qcow2-4": ("qcow2", "version 4", lambda: qcow2(version=4)),
    "qcow2-endless": ("qcow2", "size of the disk", lambda: qcow2(size=1 << 63)),
    "qcow2-tiny-clusters": ("qcow2", "cluster size", lambda: qcow2(cluster_bits=4)),
    "qcow2-odd-length": ("qcow2", "own length", lambda: qcow2(length=99)),
    "qcow2-data-file-name": (
        "qcow2",
        "external data file",
        lambda: qcow2(extensions=EXTENSION.pack(0x44415441, 8) + b"/etc/pwd"),
    ),
    "qcow2-backing-format": ("qcow2", "backing file", lambda: qcow2(extensions=EXTENSION.pack(0xE2792ACA, 3) + b"raw")),
    "qcow2-long-extension": (
        "qcow2",
        "out of the header's cluster",
        lambda: qcow2(extensions=EXTENSION.pack(0x12345678, 0xFFFFFFF0)),
    ),
    "qcow2-cut": ("qcow2", "ends inside", lambda: b"QFI\xfb"),
    "vmdk": ("vmdk", "", vmdk),
    "vmdk-footer": ("vmdk", "", lambda: vmdk(STREAM, vmdk_header())),
    "vmdk-other-footer": ("vmdk", "contradicts", lambda: vmdk(STREAM, vmdk_header(capacity=0))),
    "vmdk-footer-elsewhere": ("vmdk", "contradicts", lambda: vmdk(STREAM, vmdk_header(start=7))),
    "vmdk-footer-again": ("vmdk", "contradicts", lambda: vmdk(STREAM, vmdk_header(directory=AT_END))),
    "vmdk-no-footer": ("vmdk", "no footer", lambda: vmdk(STREAM, directory=AT_END)),
    "vmdk-no-capacity": ("vmdk", "no capacity", lambda: vmdk(capacity=0)),
    "vmdk-far-descriptor": ("vmdk", "no descriptor", lambda: vmdk(start=9)),
    "vmdk-long-descriptor": ("vmdk", "no descriptor", lambda: vmdk(sectors=1 << 40)),
    "vmdk-9": ("vmdk", "version 9", lambda: vmdk(version=9)),
    "vmdk-nothing": ("vmdk", "not of the type", lambda: vmdk(b"")),
    "vmdk-flat-kind": ("vmdk", "not of the type", lambda: vmdk(SPARSE.replace(b"Sparse", b"Flat"))),
    "vmdk-path": ("vmdk", "other files", lambda: vmdk(SPARSE.replace(b"me.vmdk", b"/etc/passwd"))),
    "vmdk-flat-extent": ("vmdk", "other files", lambda: vmdk(SPARSE.replace(b"SPARSE", b"FLAT"))),
    "vmdk-two-extents": ("vmdk", "other files", lambda: vmdk(SPARSE + b'RW 2048 SPARSE "other.vmdk"\n')),
    "vmdk-two-kinds": ("vmdk", "not of the type", lambda: vmdk(SPARSE + b'createType="streamOptimized"\n')),
    "vmdk-parent": ("vmdk", "names a parent", lambda: vmdk(SPARSE + b'parentFileNameHint="base.vmdk"\n')),
    "vmdk-odd-line": ("vmdk", "neither a field nor", lambda: vmdk(SPARSE + b"whatever this is\n")),
    "vmdk-only-descriptor": ("vmdk", "a part of several files", lambda: SPARSE),
    "vmdk-cowd": ("vmdk", "a part of several files", lambda: b"COWD" + b"\x00" * 600),
    "vhd-by-footer": ("vhd", "", lambda: b"\x00" * 4096 + vhd_footer(2)),
    "vhd-by-header": ("vhd", "", lambda: vhd_footer(3) + b"\x00" * 1024 + vhd_footer(3)),
    "vhd-difference": ("vhd", "difference", lambda: vhd_footer(4) * 2),
    "vhdx-cut": ("vhdx", "ends inside", lambda: b"vhdxfile" + b"\x00" * 600),
    "vhdx-empty": ("vhdx", "no region table", lambda: b"vhdxfile".ljust(MIB, b"\x00")),
    "vdi": ("vdi", "", vdi),
    "vdi-difference": ("vdi", "difference", lambda: vdi(kind=4)),
    "vdi-with-parent": ("vdi", "difference", lambda: vdi(parent=7)),
    "ploop": ("ploop", "", lambda: b"WithouFreSpacExt".ljust(36, b"\x00") + struct.pack("<Q", 2048)),
    "raw": ("raw", "", lambda: b"anything"),
    "raw-empty": ("raw", "", lambda: b""),
    "raw-mbr": ("raw", "", mbr),
    "raw-gpt": ("raw", "", gpt),
    "iso": ("iso", "", lambda: b"\x00" * 32769 + b"CD001" + b"\x00" * 2048),
    "iso-hybrid": ("iso", "", lambda: mbr()[:32769] + b"CD001" + b"\x00" * 2048),
    "gzip": ("raw", "content is gzip", lambda: gzip.compress(b"disk")),
    "zip": ("raw", "content is zip", lambda: zipped(("disk", b"disk"))),
    "xz": ("raw", "content is xz", lambda: b"\xfd7zXZ\x00" + b"x" * 64),
    "bzip2": ("raw", "content is bzip2", lambda: b"BZh91AY&SY" + b"x" * 64),
    "zstd": ("raw", "content is zstd", lambda: b"\x28\xb5\x2f\xfd" + b"x" * 64),
    "luks-raw": ("raw", "content is luks", lambda: b"LUKS\xba\xbe\x00\x02" + b"\x00" * 600),
    "qed-raw": ("raw", "content is qed", lambda: b"QED\x00" + b"\x00" * 600),
    "nothing-as-qcow2": ("qcow2", "not of any known", lambda: b""),
}
"""name -> declared disk format, why it is refused ('' where it is not), bytes."""
FOUND = {
    "qcow2-v2": ("qcow2", ""),
    "qcow2-v3": ("qcow2", ""),
    "qcow2-zstd-extended": ("qcow2", ""),
    "qcow2-backing": ("qcow2", "backing file"),
    "qcow2-data-file": ("qcow2", "external file"),
    "vmdk-sparse": ("vmdk", ""),
    "vmdk-stream": ("vmdk", ""),
    "vmdk-flat": ("vmdk", "several files"),
    "vmdk-backing": ("vmdk", "names a parent"),
    "vdi": ("vdi", ""),
    "vhd-dynamic": ("vhd", ""),
    "vhd-fixed": ("vhd", ""),
    "vhdx-dynamic": ("vhdx", ""),
    "ploop": ("ploop", ""),
    "qed": ("qed", "is qed"),
    "luks": ("luks", "is luks"),
    "iso": ("iso", ""),
    "raw": ("raw", ""),
}
"""name -> what it is, why it is refused."""


def corpus() -> dict[str, tuple[str, str, bytes]]:
    """name -> declared disk format, why it is refused ('' where it is not), bytes."""
    made = {name: (form, reason, make()) for name, (form, reason, make) in MADE.items()}
    real = {f"real-{name}": (form, reason, found(name)) for name, (form, reason) in FOUND.items()}
    return made | {
        name: ("raw" if form in ("qed", "luks") else form, reason, data) for name, (form, reason, data) in real.items()
    }


@cache
def found(name: str) -> bytes:
    """A real one."""
    return gzip.decompress((REAL / f"{name}.gz").read_bytes())


def write(folder: Path) -> Path:
    """Those that are taken as files, with a manifest as the community's tests of formats read it."""
    folder.mkdir()
    listed = []
    for name, (form, reason, data) in corpus().items():
        if not reason:
            (folder / name).write_bytes(data)
            listed.append({"name": name, "filename": name, "format": form, "usable": True})
    manifest = folder / "manifest.yaml"
    manifest.write_text(yaml.safe_dump({"images": listed}))
    return manifest
