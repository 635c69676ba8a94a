"""A control plane on two machines of a lab, behind the HAProxy example as it is shipped; HAProxy and PostgreSQL at the wire."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from pileus.core import authority
from pileus.core.reconcile import leases
from pileus.core.tls import Folder
from tests.support.command import until
from tests.support.hosts import PORT, UNDERLAY, USERS, Host, Lab
from tests.support.postgres import on_the_wire
from tests.support.user import User

EXAMPLE = Path(__file__).parents[2] / "docs/examples/haproxy.cfg"
PROXY = UNDERLAY.format(USERS)
NETWORK = UNDERLAY.format("0/24")


class Pair:
    """`pileus up` on the first host; `pileus api` and `pileus controller` on the second."""

    def __init__(self, lab: Lab, database: str) -> None:
        self.lab, self.database = lab, database
        self.first, self.second = lab.hosts[:2]
        self.engine = sa.create_engine(database)
        self.hosts_url = f"https://{PROXY}:{PORT}"
        self.trusted = lab.folder / "proxy-ca.pem"
        self._proxy: subprocess.Popen[bytes] | None = None

    def up(self, *words: str, options: str = "") -> None:
        file = self.lab.folder / "cloud.toml"
        file.write_text(f'public_url = "https://{PROXY}"\n{options}')
        self.lab.up("--database", self.database, "--config", str(file), *words)

    def token(self) -> str:
        return self.first.pileus.ok("control", "token").strip()

    def join(self) -> None:
        self.second.control.ok("control", "join", self.lab.url, "--token", self.token())

    def begin(self) -> None:
        """As the second machine's service manager does. The processes end with the machine."""
        for name in ("controller", "api"):
            with (self.second.folder / f"{name}.log").open("ab") as log:
                words = self.second.control.arguments(name)
                subprocess.Popen(words, env=self.second.control.environment, stdout=log, stderr=log)
        try:
            until(lambda: self.answers(self.second), 60)
        except AssertionError:
            raise AssertionError((self.second.folder / "api.log").read_text()) from None

    def boot(self, host: Host) -> None:
        """What was lost comes back."""
        if host is self.second:
            host.open()
            self.begin()
        else:
            host.boot()

    def answers(self, host: Host) -> bool:
        asked = [
            "curl",
            "--insecure",
            "--silent",
            "--fail",
            "--max-time",
            "1",
            f"https://{host.address}:{PORT}/identity/v3",
        ]
        return subprocess.run(asked, capture_output=True).returncode == 0

    def proxy(self) -> None:
        """HAProxy, where users are."""
        made = authority.new("of the proxy")
        self.trusted.write_text(made.certificate)
        folder = Folder(self.lab.folder / "proxy")
        signed = made.sign(authority.request_for(folder.ensure_key(), "proxy"), "control plane", "proxy", [PROXY])
        (self.lab.folder / "cloud.pem").write_text(folder.key.read_text() + signed)
        (self.lab.folder / "pileus-ca.pem").write_bytes((self.first.state_dir / "tls/ca.pem").read_bytes())
        addresses = {"10": PROXY, "11": self.first.address, "12": self.second.address}
        text = re.sub(r"192\.0\.2\.(\d+)", lambda found: addresses[found[1]], EXAMPLE.read_text())
        file = self.lab.folder / "haproxy.cfg"
        file.write_text(text.replace("/etc/haproxy", str(self.lab.folder)))
        self._proxy = subprocess.Popen(["haproxy", "-f", str(file)])

    def user(self) -> User:
        """Through HAProxy."""
        return User(self.first.state_dir, f"https://{PROXY}", self.trusted)

    def owners(self) -> dict[str, str]:
        """Which machine holds each lease that has not run out."""
        live = leases.c.expires_at > sa.func.timezone("utc", sa.func.clock_timestamp())
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(leases.c.name, leases.c.owner).where(live)).all()
        return {name: owner.partition(":")[0] for name, owner in found}

    def close(self) -> None:
        self.engine.dispose()
        if self._proxy:
            self._proxy.terminate()
            self._proxy.wait(10)


@contextmanager
def pair_in(lab: Lab) -> Iterator[Pair]:
    with on_the_wire(PROXY, NETWORK) as database:
        made = Pair(lab, database)
        try:
            yield made
        finally:
            made.close()
            for host in lab.hosts:
                if host.is_open:
                    host.pileus("down", "--purge")
