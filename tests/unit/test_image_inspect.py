"""Headers of disk images, well-made, odd and hostile."""

import struct
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pileus.services.image.inspect import HEAD, BadImage, Source, check, detect, virtual_size
from pileus.services.image.types.images import DISK_FORMATS
from tests.corpus.images import EXTENSION, FOUND, MIB, SIZE, corpus, found, gpt, qcow2, vdi, vhd_footer, vmdk

CORPUS = corpus()


def whole(data: bytes) -> Source:
    return Source(lambda offset, length: data[offset : offset + length], len(data), is_whole=True)


@pytest.mark.parametrize("name", [name for name, (_, reason, _) in CORPUS.items() if not reason])
def test_good_ones(name: str) -> None:
    declared, _, data = CORPUS[name]
    size = virtual_size(declared, whole(data))
    assert size is not None
    assert virtual_size(declared, Source.of_head(data[:HEAD])) in (None, size, min(len(data), HEAD))
    if name.startswith("real-") and declared != "iso":
        assert size == MIB
    elif declared == "qcow2":
        assert size == SIZE
    elif declared in ("raw", "iso"):
        assert size == len(data)


@pytest.mark.parametrize("name", [name for name, (_, reason, _) in CORPUS.items() if reason])
def test_bad_ones(name: str) -> None:
    declared, reason, data = CORPUS[name]
    with pytest.raises(BadImage, match=reason):
        virtual_size(declared, whole(data))


@pytest.mark.parametrize("name", FOUND)
def test_nothing_hides_as_another_format(name: str) -> None:
    kind, data = FOUND[name][0], found(name)
    assert detect(whole(data)) == kind
    for declared in set(DISK_FORMATS) - {kind, "aki", "ari", *(("ami",) if kind == "raw" else ())}:
        with pytest.raises(BadImage, match="declared as"):
            virtual_size(declared, whole(data))


def test_what_can_not_be_known_yet_is_not_refused_yet() -> None:
    for declared, data in (("vhd", vhd_footer(3)), ("vhdx", found("vhdx-dynamic")), ("vhd", b"\x00" * HEAD)):
        assert virtual_size(declared, Source.of_head(data[:65536])) in (None, 4096)
    with pytest.raises(BadImage, match="declared as raw"):
        virtual_size("raw", Source.of_head(qcow2()))


def test_a_compressed_container() -> None:
    assert check("raw", "compressed", whole(CORPUS["gzip"][2])) is None
    assert check("raw", "compressed", whole(CORPUS["zip"][2])) is None
    for name in ("xz", "raw", "qcow2-2"):
        with pytest.raises(BadImage, match="declared as compressed"):
            check("raw", "compressed", whole(CORPUS[name][2]))
    assert check("raw", "ova", whole(b"whatever")) is None


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(gpt())
    with Source.of_file(tmp_path / "image") as source:
        assert virtual_size("raw", source) == MIB


MAGICS = [data[:80] for _, _, data in CORPUS.values()]


@given(
    declared=st.sampled_from(DISK_FORMATS),
    magic=st.sampled_from([b"", *MAGICS]),
    rest=st.binary(max_size=2048),
    tail=st.sampled_from([b"", vhd_footer(2), vhd_footer(9)]),
)
@example(declared="qcow2", magic=b"QFI\xfb\x00\x00\x00\x03", rest=b"\xff" * 200, tail=b"")
def test_any_bytes_give_a_size_or_a_reason(declared: str, magic: bytes, rest: bytes, tail: bytes) -> None:
    data = magic + rest + tail
    for source in (whole(data), Source.of_head(data)):
        try:
            size = virtual_size(declared, source)
        except BadImage as reason:
            assert str(reason).endswith(".")  # noqa: PT017
        else:
            assert size is None or 0 <= size < 1 << 62


@given(name=st.sampled_from(sorted(CORPUS)), at=st.integers(0, 4000), byte=st.integers(0, 255))
def test_any_byte_of_a_header_may_be_anything(name: str, at: int, byte: int) -> None:
    declared, _, data = CORPUS[name]
    try:
        virtual_size(declared, whole(data[:at] + bytes([byte]) + data[at + 1 :]))
    except BadImage as reason:
        assert str(reason).endswith(".")  # noqa: PT017


@given(
    version=st.integers(0, 5),
    size=st.integers(0, 2**64 - 1),
    backing=st.sampled_from([0, 0, 0, 1, 104, 2**64 - 1]),
    cluster_bits=st.integers(0, 40),
    crypt=st.sampled_from([0, 0, 0, 1]),
    incompatible=st.integers(0, 64),
    length=st.sampled_from([0, 72, 104, 104, 112, 105, 65536, 2**32 - 1]),
    extensions=st.lists(st.tuples(st.sampled_from([0, 1, 0xE2792ACA, 0x44415441]), st.binary(max_size=40)), max_size=6),
)
def test_no_qcow2_that_refers_to_another_file_is_taken(
    version: int,
    size: int,
    backing: int,
    cluster_bits: int,
    crypt: int,
    incompatible: int,
    length: int,
    extensions: list[tuple[int, bytes]],
) -> None:
    packed = b"".join(
        EXTENSION.pack(kind, len(data)) + data.ljust((len(data) + 7) // 8 * 8, b"\x00") for kind, data in extensions
    )
    made = qcow2(version, size, backing, cluster_bits, crypt, incompatible, length, packed)
    try:
        told = virtual_size("qcow2", whole(made))
    except BadImage:
        return
    assert told == size
    assert not backing
    assert version == 2 or (version == 3 and not incompatible & 4)


LINES = [
    b'createType="monolithicSparse"',
    b'CREATETYPE = "streamOptimized"',
    b'createType="vmfs"',
    b'RW 2048 SPARSE "x.vmdk"',
    b'rw 2048 sparse "../x"',
    b'RW 2048 FLAT "disk" 0',
    b"RDONLY 5 ZERO",
    b"# a word",
    b"parentFileNameHint=x",
    b"ddb.toolsVersion = 1",
    b"RW\t2048\tSPARSE\tx",
]


@given(lines=st.lists(st.sampled_from(LINES) | st.binary(max_size=20), max_size=6), capacity=st.integers(0, 3))
def test_no_vmdk_that_names_another_file_is_taken(lines: list[bytes], capacity: int) -> None:
    try:
        size = virtual_size("vmdk", whole(vmdk(b"# Disk DescriptorFile\n" + b"\n".join(lines), capacity=capacity)))
    except BadImage:
        return
    assert size == 512 * capacity > 0
    kept = [line.strip().lower() for line in b"\n".join(lines).split(b"\x00")[0].splitlines()]
    (extent,) = [line for line in kept if line.split()[:1] in ([b"rw"], [b"rdonly"], [b"noaccess"])]
    assert b"sparse" in extent
    assert b"/" not in extent
    assert not any(b"parentfilenamehint" in line for line in kept if not line.startswith(b"#"))


@settings(deadline=None)
@given(flags=st.integers(0, 7), count=st.integers(0, 5), size=st.integers(0, 2**64 - 1), has_locator=st.booleans())
def test_no_vhdx_with_a_parent_is_taken(flags: int, count: int, size: int, has_locator: bool) -> None:
    data = bytearray(found("vhdx-dynamic")[: 4 << 20])
    table = data.index(b"metadata", 1 << 18)
    struct.pack_into("<H", data, table + 10, count)
    parameters = struct.unpack_from("<I", data, table + 32 + 16)[0] + table
    struct.pack_into("<I", data, parameters + 4, flags)
    disk = data.index(uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le)
    struct.pack_into("<Q", data, struct.unpack_from("<I", data, disk + 16)[0] + table, size)
    if has_locator:
        data[table + 64 + 32 : table + 64 + 48] = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
    try:
        told = virtual_size("vhdx", whole(bytes(data)))
    except BadImage:
        return
    assert told == size
    assert not flags & 2


def accepted_by_oslo(declared: str, data: bytes) -> bool:
    """The community's own reader of headers, as a second opinion."""
    from oslo_utils.imageutils import format_inspector

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            seen = format_inspector.detect_file_format(file.name)
            if seen is None:
                return False
            seen.safety_check()
        except (format_inspector.SafetyCheckFailed, format_inspector.ImageFormatError):
            return False
        names = {"vhd": ("vpc", "vhd"), "raw": ("raw", "gpt")}
        return str(seen) in names.get(declared, (declared,))


STRICTER = {
    "ploop": "not read",
    "real-ploop": "not read",
    "vhd-by-footer": "the footer is not read",
    "real-vhd-fixed": "the footer is not read",
    "qcow2-features": "the feature extended_l2 is not known",
    "real-qcow2-zstd-extended": "the feature extended_l2 is not known",
    "iso-hybrid": "two formats show",
}
"""Where the second opinion is against an image that we take, and why."""


@pytest.mark.parametrize("name", [name for name, (_, reason, _) in CORPUS.items() if not reason])
def test_a_second_opinion(name: str) -> None:
    declared, _, data = CORPUS[name]
    assert accepted_by_oslo(declared, data) == (name not in STRICTER)


def test_a_vdi_of_another_kind() -> None:
    assert virtual_size("vdi", whole(vdi(kind=2))) == MIB
