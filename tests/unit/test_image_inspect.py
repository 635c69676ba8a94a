"""Headers of disk images, well-made, odd and hostile."""

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pileus.services.image.inspect import HEAD, BadImage, detect, virtual_size
from pileus.services.image.types.images import DISK_FORMATS


def qcow2(
    version: int = 3,
    size: int = 1 << 30,
    backing: int = 0,
    cluster_bits: int = 16,
    crypt: int = 0,
    incompatible: int = 0,
    length: int = 104,
    extensions: bytes = b"\x00" * 8,
) -> bytes:
    head = b"QFI\xfb" + struct.pack(">IQIIQI", version, backing, 0, cluster_bits, size, crypt) + b"\x00" * 36
    if version == 3:
        head += struct.pack(">QQQII", incompatible, 0, 0, 4, length)
    return (head + extensions).ljust(65536, b"\x00")


def test_good_ones() -> None:
    assert virtual_size("qcow2", qcow2(), b"", 1) == 1 << 30
    assert virtual_size("qcow2", qcow2(version=2), b"", 1) == 1 << 30
    assert virtual_size("qcow2", qcow2(incompatible=0b11001), b"", 1) == 1 << 30
    feature_names = struct.pack(">II", 0x6803F857, 48) + b"\x00" * 48
    assert virtual_size("qcow2", qcow2(extensions=feature_names), b"", 1) == 1 << 30
    assert virtual_size("raw", b"anything", b"", 8) == 8
    gpt = (b"\x00" * 510 + b"\x55\xaa" + b"EFI PART").ljust(4096, b"\x00")
    assert virtual_size("raw", gpt, gpt[-512:], 4096) == 4096


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (qcow2(backing=104), "backing file"),
        (qcow2(version=2, backing=72), "backing file"),
        (qcow2(incompatible=4), "external file"),
        (qcow2(incompatible=2), "corrupt"),
        (qcow2(incompatible=1 << 40), "unknown incompatible features"),
        (qcow2(crypt=2), "encrypted"),
        (qcow2(version=4), "version 4"),
        (qcow2(size=1 << 63), "size of the disk"),
        (qcow2(cluster_bits=4), "cluster size"),
        (qcow2(length=99), "own length"),
        (qcow2(extensions=struct.pack(">II", 0x44415441, 8) + b"/etc/pwd"), "external data file"),
        (qcow2(extensions=struct.pack(">II", 0xE2792ACA, 3) + b"raw"), "backing file"),
        (qcow2(extensions=struct.pack(">II", 0x12345678, 0xFFFFFFF0)), "out of the header's cluster"),
        (b"QFI\xfb", "ends inside"),
        (b"", "not of any known"),
    ],
)
def test_bad_qcow2(head: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        virtual_size("qcow2", head, head[-512:], len(head))


FORMATS = {
    "qcow2": qcow2(),
    "vmdk": b"KDMV" + b"\x00" * 600,
    "vhd": b"conectix" + b"\x00" * 600,
    "vhdx": b"vhdxfile" + b"\x00" * 600,
    "vdi": b"\x00" * 64 + b"\x7f\x10\xda\xbe" + b"\x00" * 600,
    "iso": b"\x00" * 32769 + b"CD001",
    "ploop": b"WithouFreSpacExt" + b"\x00" * 600,
    "qed": b"QED\x00" + b"\x00" * 600,
    "luks": b"LUKS\xba\xbe\x00\x02",
}


@pytest.mark.parametrize("found", FORMATS)
def test_nothing_hides_as_another_format(found: str) -> None:
    head = FORMATS[found]
    assert detect(head) == found
    for declared in set(DISK_FORMATS) - {found, "aki", "ari"}:
        with pytest.raises(BadImage, match="declared as"):
            virtual_size(declared, head, head[-512:], len(head))


def test_vmdk_of_several_files() -> None:
    def vmdk(descriptor: bytes) -> bytes:
        head = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 2048, 128, 1, 20)
        return head.ljust(512, b"\x00") + descriptor.ljust(20 * 512, b"\x00")

    good = b'# Disk DescriptorFile\ncreateType="monolithicSparse"\nRW 2048 SPARSE "me.vmdk"\n'
    assert virtual_size("vmdk", vmdk(good), b"", 1) == 1 << 20
    for bad in (
        b"",
        good.replace(b"monolithicSparse", b"monolithicFlat"),
        good.replace(b"me.vmdk", b"/etc/passwd"),
        good.replace(b"SPARSE", b"FLAT"),
        good + b'RW 2048 SPARSE "other.vmdk"\n',
        good + b'createType="streamOptimized"\n',
    ):
        with pytest.raises(BadImage):
            virtual_size("vmdk", vmdk(bad), b"", 1)
    with pytest.raises(BadImage, match="descriptor"):
        virtual_size("vmdk", good, b"", 1)


def test_vhd_by_its_footer() -> None:
    def footer(kind: int) -> bytes:
        return (b"conectix" + b"\x00" * 40 + struct.pack(">QII", 4096, 0, kind)).ljust(512, b"\x00")

    assert virtual_size("vhd", b"\x00" * 4096, footer(2), 4608) == 4096
    assert virtual_size("vhd", footer(3), footer(3), 4608) == 4096
    with pytest.raises(BadImage, match="difference"):
        virtual_size("vhd", footer(4), footer(4), 4608)


MAGICS = [head[:80] for head in FORMATS.values()]


@given(
    declared=st.sampled_from(DISK_FORMATS),
    magic=st.sampled_from([b"", *MAGICS]),
    rest=st.binary(max_size=2048),
    tail=st.binary(max_size=512),
)
@example(declared="qcow2", magic=b"QFI\xfb\x00\x00\x00\x03", rest=b"\xff" * 200, tail=b"")
def test_any_bytes_give_a_size_or_a_reason(declared: str, magic: bytes, rest: bytes, tail: bytes) -> None:
    head = (magic + rest)[:HEAD]
    try:
        size = virtual_size(declared, head, tail, len(head))
    except BadImage as reason:
        assert str(reason).endswith(".")  # noqa: PT017
    else:
        assert size is None or 0 <= size < 1 << 62


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
        struct.pack(">II", kind, len(data)) + data.ljust((len(data) + 7) // 8 * 8, b"\x00") for kind, data in extensions
    )
    head = qcow2(version, size, backing, cluster_bits, crypt, incompatible, length, packed)
    try:
        found = virtual_size("qcow2", head, b"", len(head))
    except BadImage:
        return
    assert found == size
    assert not backing
    assert version == 2 or (version == 3 and not incompatible & 4)


@pytest.mark.parametrize("form", ["raw", "qcow2", "vdi", "vmdk", "vhdx", "vpc"])
def test_what_qemu_makes_is_taken(tmp_path: Path, form: str) -> None:
    made = tmp_path / "image"
    try:
        subprocess.run(["qemu-img", "create", "-q", "-f", form, str(made), "8M"], check=True)
    except FileNotFoundError:
        pytest.skip("qemu-img is not installed")
    data = made.read_bytes()
    size = virtual_size({"vpc": "vhd"}.get(form, form), data[:HEAD], data[-512:], len(data))
    if form == "vhdx":
        assert size is None
    else:
        assert size is not None
        assert 8 << 20 <= size < 9 << 20
