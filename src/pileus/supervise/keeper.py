"""Runs a command and collects the dead among everything that comes of it. Run as a script, alone, without Pileus.

A guest's QEMU detaches itself from libvirtd, so its end is reported to the first process of the machine. Where that
one is slow to take notice (containers, machines without an init system), libvirtd waits for seconds at each end of
a guest. The keeper takes notice at once. It stays until its command and all of the guests have ended, so that the
guests keep theirs when libvirtd is restarted with a keeper of its own.
"""

import ctypes
import os
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


def main(argv: list[str]) -> int:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    command, code = subprocess.Popen(argv), 0
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return code
        if pid == command.pid:
            code = os.waitstatus_to_exitcode(status)
            how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
            print(f"{argv[0]} (process {pid}) {how}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
