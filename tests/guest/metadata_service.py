"""Answer one HTTP request on standard input from the files of a folder: QEMU starts this for each connection."""

import sys
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1])
    path = sys.stdin.buffer.readline().split()[1].decode().strip("/")
    while sys.stdin.buffer.readline().strip():
        pass
    file = folder / path
    if file.is_dir():
        status, body = "200 OK", "\n".join(sorted(entry.name for entry in file.iterdir())).encode()
    elif file.is_file():
        status, body = "200 OK", file.read_bytes()
    else:
        status, body = "404 Not Found", b""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    sys.stdout.buffer.write(head.encode() + body)
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read(1)  # what is written must arrive before QEMU sees this end


if __name__ == "__main__":
    main()
