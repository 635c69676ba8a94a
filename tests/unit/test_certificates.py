"""The cloud's own authority: what it signs, what clients and hosts are shown, and renewal while it serves."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from pileus.core import authority, notes, schema
from pileus.core.authority import CONTROL_PLANE, Authority
from pileus.core.config import Settings
from pileus.core.db import Database, metadata
from pileus.core.tls import Folder
from pileus.operate import options
from pileus.operate.certificates import Certificates
from pileus.operate.options import BadValue
from pileus.services.identity.bootstrap import bootstrap
from pileus.services.identity.reconcile import seal_anew
from pileus.services.identity.rules import authorities, sealing
from pileus.services.identity.tables import signing_keys


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/pileus.db")
    schema.upgrade(made)
    with closing(made):
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path, host="127.0.0.1")


def signer(db: Database, state_dir: Path) -> Authority:
    with db.write() as tx:
        return authorities.ensure(tx, Settings(state_dir=state_dir))


def shown(context: ssl.SSLContext, ca: Path, name: str, client: Folder | None = None) -> bytes:
    """The certificate that a client of that name for the server sees; it must trust it, and the server the client's."""
    seen: list[bytes | None] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            with context.wrap_socket(connection, server_side=True) as server:
                seen.append(server.getpeercert(binary_form=True))
                server.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        trusting = ssl.create_default_context(cafile=str(ca))
        if client:
            client.load_own(trusting)
        with (
            socket.create_connection(listener.getsockname()) as plain,
            trusting.wrap_socket(plain, server_hostname=name) as talk,
        ):
            found = talk.getpeercert(binary_form=True)
            talk.send(b"x")
        thread.join()
    assert seen == [ssl.PEM_cert_to_DER_cert(client.certificate.read_text()) if client else None]
    assert found
    return found


def test_made_once_and_the_same_for_all(db: Database, tmp_path: Path) -> None:
    first = signer(db, tmp_path)
    assert signer(db, tmp_path) == first
    assert len(first.fingerprint) == 64


def everything(db: Database) -> str:
    """All that a copy of the database shows."""
    with db.read() as tx:
        return "".join(str(list(tx.execute(sa.select(table)))) for table in metadata.sorted_tables)


def test_a_copy_of_the_database_cannot_sign(db: Database, settings: Settings) -> None:
    Certificates(settings, db)
    assert "BEGIN CERTIFICATE" in everything(db)
    assert "PRIVATE KEY" not in everything(db)


def test_a_key_that_was_kept_unsealed_is_sealed_at_the_start_and_stays(db: Database, settings: Settings) -> None:
    before = authority.new("Pileus certificate authority")
    with db.write() as tx:
        notes.write(tx, "certificate authority", msgspec.json.encode(before).decode())
    assert "PRIVATE KEY" in everything(db)
    for _ in range(2):
        with db.write() as tx:
            bootstrap(tx, settings, "secret", [])
        assert "PRIVATE KEY" not in everything(db)
        assert signer(db, settings.state_dir) == before


def test_keys_of_authorities_are_sealed_anew_with_all_secrets(db: Database, settings: Settings) -> None:
    first, before = signer(db, settings.state_dir), everything(db)
    with db.write() as tx:
        sealing.rotate(tx, settings)
    seal_anew(db, settings)
    assert everything(db) != before
    with db.read() as tx:
        assert tx.scalar(sa.select(signing_keys.c.private_key)).startswith("2:")
    assert signer(db, settings.state_dir) == first


def test_a_machine_without_the_file_cannot_sign(db: Database, settings: Settings, tmp_path: Path) -> None:
    signer(db, settings.state_dir)
    with pytest.raises(sealing.WrongKey, match="pileus control join"):
        signer(db, tmp_path / "other")


def test_clients_know_the_address_and_hosts_the_name(db: Database, settings: Settings) -> None:
    certificates = Certificates(settings, db)
    ca = settings.tls / "ca.pem"
    assert shown(certificates.context, ca, "127.0.0.1") == shown(certificates.context, ca, CONTROL_PLANE)
    assert (settings.tls / "own.key").stat().st_mode & 0o777 == 0o600


def test_renewed_before_its_end_without_a_restart(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = Certificates(settings, db)
    ca = settings.tls / "ca.pem"
    before = shown(certificates.context, ca, CONTROL_PLANE)
    certificates.look()
    assert shown(certificates.context, ca, CONTROL_PLANE) == before
    monkeypatch.setattr(authority, "RENEWED_BEFORE", authority.LIFE + timedelta(days=1))
    certificates.look()
    after = shown(certificates.context, ca, CONTROL_PLANE)
    assert after != before
    assert authority.key_of_certificate(after) == authority.key_of_certificate(before)


def test_another_address_is_another_certificate(db: Database, settings: Settings) -> None:
    Certificates(settings, db)
    first = (settings.tls / "own.pem").read_text()
    Certificates(Settings(state_dir=settings.state_dir, host="127.0.0.2"), db)
    second = (settings.tls / "own.pem").read_text()
    assert (authority.addresses_of(first), authority.addresses_of(second)) == ({"127.0.0.1"}, {"127.0.0.2"})


def test_a_given_certificate_is_for_clients_and_ours_for_hosts(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    bought = Database(f"sqlite:///{tmp_path}/other.db")
    schema.upgrade(bought)
    folder = Folder(tmp_path / "bought")
    request = authority.request_for(folder.ensure_key(), "cloud")
    with closing(bought):
        other = signer(bought, tmp_path / "bought")
    folder.keep(other.sign(request, "control plane", "cloud.example"), other.certificate)
    given = Settings(
        state_dir=settings.state_dir, host="127.0.0.1", certificate=folder.certificate, certificate_key=folder.key
    )
    certificates = Certificates(given, db)
    client = shown(certificates.context, folder.authority, "cloud.example")
    joined = Folder(tmp_path / "joined")
    wish = authority.request_for(joined.ensure_key(), "h")
    joined.keep(signer(db, tmp_path).sign(wish, "host", "h"), signer(db, tmp_path).certificate)
    host = shown(certificates.context, settings.tls / "ca.pem", CONTROL_PLANE, joined)
    assert client != host
    folder.keep(other.sign(request, "control plane", "cloud.example"), other.certificate)
    certificates.look()
    assert shown(certificates.context, folder.authority, "cloud.example") != client


def test_what_is_signed_is_the_key_and_nothing_that_the_request_says(db: Database, tmp_path: Path) -> None:
    key = authority.new_key()
    signed = signer(db, tmp_path).sign(authority.request_for(key, CONTROL_PLANE), "host", "host1")
    der = ssl.PEM_cert_to_DER_cert(signed)
    assert authority.key_of_certificate(der) == authority.key_of_request(authority.request_for(key, "other"))
    assert CONTROL_PLANE.encode() not in der


@pytest.mark.parametrize(
    "request_", ["", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"]
)
def test_what_is_no_request_is_refused(request_: str) -> None:
    with pytest.raises(authority.BadRequest, match="can't be read"):
        authority.key_of_request(request_)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="certificate_key is not given"):
        options.check(Settings(state_dir=tmp_path, host="192.0.2.1", certificate=tmp_path / "none"))
    with pytest.raises(BadValue, match="can't be used"):
        options.check(
            Settings(
                state_dir=tmp_path, host="192.0.2.1", certificate=tmp_path / "none", certificate_key=tmp_path / "none"
            )
        )
