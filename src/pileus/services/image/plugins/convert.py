"""Images are converted to the format that the operator wants, by a qemu-img that is told what to read and how much it may use."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from pileus.core.errors import BadRequest, ServiceUnavailable, TooLarge
from pileus.services.image.files import no_room
from pileus.services.image.inspect import BadImage
from pileus.services.image.plugins.work import Work
from pileus.services.image.types.images import BARE, Arrival, Plan

DRIVERS = {
    "raw": "raw",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vdi": "vdi",
    "vhd": "vpc",
    "vhdx": "vhdx",
    "ploop": "parallels",
}
"""Disk format -> what qemu-img calls it. An ISO stays one: guests look for it as a CD."""
CPU_SECONDS = 3600
SECONDS = 4 * 3600
MEMORY = 2 << 30
"""Bytes of addresses that qemu-img may have; it uses some hundred MiB of them."""
_MORE = 1 << 30
"""Bytes that a file may have beyond its disk's size."""
_LOOK = 0.2


def step(plan: Plan, arrival: Arrival) -> Callable[[Work], Arrival] | None:
    wanted = arrival.disk_format in DRIVERS and arrival.container_format in BARE
    if plan.disk_format is None or not wanted or arrival.disk_format == plan.disk_format:
        return None
    return partial(_convert, arrival=arrival, disk_format=plan.disk_format)


def _convert(work: Work, arrival: Arrival, disk_format: str) -> Arrival:
    """Raises BadRequest (what qemu-img says against it), TooLarge (no room)."""
    assert arrival.disk_format is not None
    size = arrival.received.virtual_size
    if size is None:
        raise BadImage(f"it does not tell the size of its disk, so it can't be converted to {disk_format}.")
    path, said = work.file(disk_format), work.file("qemu-img")
    line = [
        *("setpriv", "--pdeathsig=KILL", "--no-new-privs"),
        *("prlimit", f"--cpu={CPU_SECONDS}", f"--as={MEMORY}", f"--fsize={size + _MORE}", "--core=0", "--nofile=64"),
        *("qemu-img", "convert", "-p", "-f", DRIVERS[arrival.disk_format], "-O", DRIVERS[disk_format]),
        *(str(arrival.path), str(path)),
    ]
    doing = f"Converting from {arrival.disk_format} to {disk_format}"
    work.tell(f"{doing}.")
    with said.open("xb") as output:
        try:
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=path.parent)
        except FileNotFoundError as error:
            raise ServiceUnavailable(f"Images can't be converted here: {error.filename} is not installed.") from None
        try:
            _wait(process, work, said, doing)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise _refusal(work, arrival, said, process.returncode)
    path.chmod(0o600)
    return work.made(arrival, path, disk_format)


def _wait(process: subprocess.Popen[bytes], work: Work, said: Path, doing: str) -> None:
    """Raises what ends it before its time."""
    deadline, told = time.monotonic() + SECONDS, 0
    with said.open("rb") as output:
        while True:
            try:
                process.wait(_LOOK)
                return
            except subprocess.TimeoutExpired:
                pass
            work.go_on()
            if time.monotonic() > deadline:
                raise TooLarge(f"The conversion took more than {SECONDS // 3600} hours and was ended.")
            if work.room() < 0:
                raise no_room(0)
            percent = _percent(output)
            if percent >= told + 10:
                told = percent
                work.tell(f"{doing}: {percent} %.")


def _percent(output: IO[bytes]) -> int:
    """What qemu-img said last, "(12.34/100%)"."""
    output.seek(max(os.fstat(output.fileno()).st_size - 64, 0))
    number = output.read().rpartition(b"(")[2].partition(b".")[0]
    return int(number) if number.isdigit() else 0


def _refusal(work: Work, arrival: Arrival, said: Path, code: int) -> BadRequest | TooLarge:
    text = said.read_bytes()[-2048:].decode(errors="replace").rpartition("\r")[2].strip()
    if "No space left" in text or "Disk quota" in text:
        return no_room(arrival.received.size)
    text = text.replace(f"{arrival.path.parent}/", "").removeprefix("qemu-img: ")
    return BadRequest(f"The image can't be converted: {text or f'qemu-img ended with status {code}'}.")
