"""Does KVM really run guests here?

A /dev/kvm that opens and starts a guest says little: where the machine itself is a guest without nested hardware
virtualisation, KVM may emulate each instruction of a 64-bit guest's kernel, some thousand times slower than a
processor. QEMU's own emulator (TCG) is then far better. So a small guest (guest_probe.S) computes for the time of
some milliseconds and takes timer interrupts, within a bound of CPU time, as the user that guests run as.
"""

import json
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pileus.supervise.libvirt import QEMU_GROUP, QEMU_USER

CPU_SECONDS = 2
SECONDS = 5
FINISHED = 85
BOOT_SECTOR = (
    bytes.fromhex(
        "fa31c08ed88ec08ed0bc007cb052e6e931c0bf0010b90020fcf3abc70600100320c70600200330c70600308300c7060042d17cc7"
        "0602420800c7060442008e66b8200000000f22e066b8001000000f22d866b9800000c00f32660d000100000f300f0116f87c0f01"
        "1efe7c0f20c0660d010000800f22c0ea7c7c0800b04ce6e9b9002d3101ffc975fcb043e6e9b011e620e6a0b020e621b028e6a1b0"
        "04e621b002e6a1b001e621e6a1b0fee621b0ffe6a1b034e643b052e640b009e64031dbfbf483fb1472fab054e6e9b02ae6f4f4eb"
        "fdffc3b020e62048cf8db42600000000000000000000000000000000009a200000000000009200001700e07c00000f020040"
    ).ljust(510, b"\0")
    + b"\x55\xaa"
)
"""guest_probe.S, assembled."""
_STAGES = {
    "": "it came through the BIOS",
    "R": "it reached 64-bit mode",
    "RL": "it had counted to 20,000,000",
    "RLC": "the timer had interrupted it 20 times",
}


@dataclass(frozen=True)
class Accelerator:
    kind: Literal["kvm", "tcg"]
    reason: str
    """A sentence for the operator."""


def probe(state_dir: Path) -> Accelerator:
    """What guests of this host shall use; asked once a boot, kept in the state directory."""
    kept, key = state_dir / "run/accelerator.json", _key()
    try:
        known = json.loads(kept.read_text())
    except (FileNotFoundError, ValueError):
        known = {}
    if known.get("key") == key:
        return Accelerator(known["kind"], known["reason"])
    trouble = try_guest("kvm", state_dir, QEMU_USER, QEMU_GROUP)
    found = Accelerator("tcg", f"QEMU emulates the processor, as KVM is of no use: {trouble}")
    if trouble is None:
        found = Accelerator("kvm", "KVM ran a test guest.")
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"key": key, **asdict(found)}))
    return found


def try_guest(accelerator: str, state_dir: Path, user: str, group: str) -> str | None:
    """Run the test guest, for 5 seconds and 2 seconds of CPU time at most. None if it ran well, else what was wrong."""
    if accelerator == "kvm" and not Path("/dev/kvm").exists():
        return "there is no /dev/kvm."
    disk = state_dir / "run/guest-probe.img"
    disk.parent.mkdir(parents=True, exist_ok=True)
    disk.write_bytes(BOOT_SECTOR)
    disk.chmod(0o644)
    command = [
        "prlimit", f"--cpu={CPU_SECONDS}", "qemu-system-x86_64",
        "-accel", accelerator, "-m", "32", "-nodefaults", "-display", "none", "-no-reboot",
        "-drive", f"file={disk},format=raw,if=floppy,readonly=on", "-device", "isa-debug-exit,iobase=0xf4",
        "-debugcon", "stdio",
    ]  # fmt: skip
    try:
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, user=user, group=group,
            extra_groups=[],
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        return f"a test guest did not end in {SECONDS} s, before {_stage(late.stdout or b'')}."
    finally:
        disk.unlink()
    if run.returncode == FINISHED:
        return None
    if run.returncode < 0:
        return f"a test guest used up {CPU_SECONDS} s of CPU time before {_stage(run.stdout)}."
    complaint = run.stderr.decode(errors="replace").partition("\n")[0]
    return f"QEMU, run as {user}, said: {complaint}"


def _stage(progress: bytes) -> str:
    return _STAGES.get(progress.decode(errors="replace"), "it did anything sensible")


def _key() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return " ".join([boot, platform.release(), *models[:1]])
