"""A directory of the tests' own: Debian's slapd, its data in a private directory, on ports of the loopback.

with Slapd() as slapd:
    slapd.add("uid=ann,ou=people,dc=example", objectClass=["inetOrgPerson"], uid="ann", cn="Ann", sn="A")
"""

from __future__ import annotations

import ipaddress
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.command import free_port

PROGRAM = Path("/usr/sbin/slapd")
SUFFIX = "dc=example,dc=org"
PEOPLE, TEAMS = f"ou=people,{SUFFIX}", f"ou=teams,{SUFFIX}"
MANAGER, SECRET = f"cn=manager,{SUFFIX}", "the manager's"
CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit size.soft={sizelimit} size.hard={sizelimit} size.pr=100 size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=stranger,{suffix}" none by * read
database mdb
maxsize 104857600
suffix "{suffix}"
rootdn "{manager}"
rootpw "{secret}"
directory {folder}/data
index objectClass,uid,cn,member eq
"""
TOP = [
    (SUFFIX, {"objectClass": ["domain"], "dc": "example"}),
    (PEOPLE, {"objectClass": ["organizationalUnit"], "ou": "people"}),
    (TEAMS, {"objectClass": ["organizationalUnit"], "ou": "teams"}),
]


def available() -> bool:
    try:
        import ldap  # noqa: F401
    except ImportError:
        return False
    return PROGRAM.exists()


class Slapd:
    def __init__(self, sizelimit: str = "unlimited") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pileus-slapd-"))
        (self.folder / "data").mkdir()
        self.port, self.tls_port = free_port(), free_port()
        self.ca = self.folder / "server.pem"
        _certificate(self.folder)
        facts = {"folder": self.folder, "suffix": SUFFIX, "manager": MANAGER, "secret": SECRET, "sizelimit": sizelimit}
        (self.folder / "slapd.conf").write_text(CONFIGURATION.format(**facts))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def __enter__(self) -> Slapd:
        self.start()
        for dn, attributes in TOP:
            self.add(dn, **attributes)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Returns when it answers."""
        urls = f"{self.url}/ {self.tls_url}/"
        command = [str(PROGRAM), "-f", str(self.folder / "slapd.conf"), "-h", urls, "-d", "0"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "slapd does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    # -- what is in it, changed behind Pileus' back

    def connection(self) -> Any:
        import ldap

        link = ldap.initialize(self.url)
        link.simple_bind_s(MANAGER, SECRET)
        return link

    def add(self, dn: str, **attributes: str | Sequence[str]) -> None:
        from ldap.modlist import addModlist

        link = self.connection()
        link.add_s(dn, addModlist({name: _values(value) for name, value in attributes.items()}))
        link.unbind_s()

    def change(self, dn: str, **attributes: str | Sequence[str]) -> None:
        import ldap

        link = self.connection()
        link.modify_s(dn, [(ldap.MOD_REPLACE, name, _values(value)) for name, value in attributes.items()])
        link.unbind_s()

    def delete(self, dn: str) -> None:
        link = self.connection()
        link.delete_s(dn)
        link.unbind_s()

    def read(self, dn: str) -> dict[str, list[str]] | None:
        import ldap

        link = self.connection()
        try:
            found = link.search_s(dn, ldap.SCOPE_BASE)
        except ldap.NO_SUCH_OBJECT:
            return None
        finally:
            link.unbind_s()
        return {name: [value.decode() for value in values] for name, values in found[0][1].items()}

    def person(self, uid: str, password: str = "", **more: str | Sequence[str]) -> str:
        """Its DN."""
        dn = f"uid={uid},{PEOPLE}"
        secret = {"userPassword": password} if password else {}
        self.add(dn, **{"objectClass": ["inetOrgPerson"], "uid": uid, "cn": uid, "sn": uid, **secret, **more})
        return dn

    def team(self, name: str, *members: str) -> str:
        """Its DN. `members` are DNs."""
        dn = f"cn={name},{TEAMS}"
        self.add(dn, objectClass=["groupOfNames"], cn=name, member=members or ["cn=nobody"])
        return dn

    def options(self, **more: Any) -> dict[str, Any]:
        """What a domain says of this directory."""
        return {
            "url": self.url,
            "user": MANAGER,
            "password": SECRET,
            "user_tree_dn": PEOPLE,
            "user_id_attribute": "uid",
            "user_name_attribute": "uid",
            "group_tree_dn": TEAMS,
            "group_name_attribute": "cn",
            **more,
        }


def _values(value: str | Sequence[str]) -> list[bytes]:
    return [one.encode() for one in ([value] if isinstance(value, str) else value)]


def _certificate(folder: Path) -> None:
    """Signed by itself, for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    at = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(secret)
