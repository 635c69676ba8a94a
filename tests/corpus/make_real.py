"""Makes tests/corpus/real: small images as real tools write them, packed. Needs qemu-img and pycdlib.

usage: python -m tests.corpus.make_real
"""

import gzip
import io
import subprocess
import tempfile
from pathlib import Path

import pycdlib

REAL = Path(__file__).parent / "real"
FORMATS = {
    "qcow2-v2": ("qcow2", "compat=0.10"),
    "qcow2-v3": ("qcow2", "compat=1.1"),
    "qcow2-zstd-extended": ("qcow2", "compression_type=zstd,extended_l2=on,cluster_size=32k"),
    "vmdk-sparse": ("vmdk", "subformat=monolithicSparse"),
    "vmdk-stream": ("vmdk", "subformat=streamOptimized"),
    "vdi": ("vdi", ""),
    "vhd-dynamic": ("vpc", "subformat=dynamic,force_size=on"),
    "vhd-fixed": ("vpc", "subformat=fixed,force_size=on"),
    "vhdx-dynamic": ("vhdx", "subformat=dynamic"),
    "ploop": ("parallels", ""),
    "qed": ("qed", ""),
    "luks": ("luks", "key-secret=secret,iter-time=200"),
    "raw": ("raw", ""),
    "vmdk-flat": ("vmdk", "subformat=monolithicFlat"),
}
BACKED = {"qcow2-backing": "qcow2", "vmdk-backing": "vmdk"}


def main() -> None:
    REAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        disk = folder / "disk"
        disk.write_bytes((b"pileus" * 1000).ljust(1 << 20, b"\x00"))
        for name, (form, options) in FORMATS.items():
            made = folder / name
            secret = ["--object", "secret,id=secret,data=pileus"] if form == "luks" else []
            _qemu_img("convert", *secret, "-f", "raw", "-O", form, *(["-o", options] if options else []), disk, made)
            _keep(name, made.read_bytes()[: 4096 if form == "luks" else None])
        _qemu_img("create", "-f", "qcow2", "-o", "data_file=outside,data_file_raw=on", "q", "1M", cwd=folder)
        _keep("qcow2-data-file", (folder / "q").read_bytes())
        for name, form in BACKED.items():
            _qemu_img("create", "-f", form, "base", "1M", cwd=folder)
            _qemu_img("create", "-f", form, "-b", "base", "-F", form, name, cwd=folder)
            _keep(name, (folder / name).read_bytes())
    iso = pycdlib.PyCdlib()
    iso.new(vol_ident="pileus")
    iso.add_fp(io.BytesIO(b"hello"), 5, "/HELLO.TXT;1")
    written = io.BytesIO()
    iso.write_fp(written)
    _keep("iso", written.getvalue())


def _qemu_img(command: str, *arguments: object, cwd: Path | None = None) -> None:
    subprocess.run(["qemu-img", command, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, cwd=cwd)


def _keep(name: str, data: bytes) -> None:
    (REAL / f"{name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))


if __name__ == "__main__":
    main()
