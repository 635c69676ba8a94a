"""Signed images: all kinds of keys; data, signature and certificate that do not belong together."""

import asyncio
import base64
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import NameOID

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.errors import BadRequest
from pileus.services.image import importing, receive, store, stores
from pileus.services.image.rules.images import boot_image, create_image, update_image
from pileus.services.image.rules.imports import Targets
from pileus.services.image.signatures import CURVES, KEYS, METHODS, Signature, certificates, of
from pileus.services.image.types.images import ImageRow, Plan
from pileus.services.image.types.patch import Change
from pileus.services.image.types.tasks import ImageImport, ImportMethod
from tests.support.personas import persona

DATA = b"a signed disk" * 1000
NOW = datetime.now(UTC)


def key(kind: str) -> Any:
    if kind == "RSA-PSS":
        return rsa.generate_private_key(65537, 2048)
    if kind == "DSA":
        return dsa.generate_private_key(2048)
    try:
        return ec.generate_private_key(getattr(ec, kind.removeprefix("ECC_"))())
    except (UnsupportedAlgorithm, AttributeError):
        pytest.skip(f"this OpenSSL has no {kind}")


KEY_PAIRS: dict[str, Any] = {}


def made_key(kind: str) -> Any:
    return KEY_PAIRS.setdefault(kind, key(kind))


def certificate(private: Any, folder: Path, days: tuple[int, int] = (-1, 1)) -> str:
    """Its id, once it lies among the trusted ones."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .sign(private, hashes.SHA256())
    )
    found = str(uuid.uuid4())
    folder.mkdir(exist_ok=True)
    (folder / f"{found}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return found


def signed(private: Any, method: str, data: bytes = DATA, salt: Any = padding.PSS.MAX_LENGTH) -> str:
    algorithm = getattr(hashes, method.replace("-", ""))()
    if isinstance(private, rsa.RSAPrivateKey):
        value = private.sign(data, padding.PSS(padding.MGF1(algorithm), salt), algorithm)
    elif isinstance(private, dsa.DSAPrivateKey):
        value = private.sign(data, algorithm)
    else:
        value = private.sign(data, ec.ECDSA(algorithm))
    return base64.b64encode(value).decode()


def properties(kind: str, method: str, certificate_id: str, signature: str) -> dict[str, str]:
    return {
        "img_signature": signature,
        "img_signature_hash_method": method,
        "img_signature_key_type": kind,
        "img_signature_certificate_uuid": certificate_id,
    }


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[Path]:
    certificates.read_from(tmp_path / "certificates")
    yield tmp_path / "certificates"
    certificates.read_from(tmp_path / "none")


def verify(wish: dict[str, str], data: bytes = DATA) -> None:
    signature = of(wish)
    assert signature is not None
    digest = hashlib.new(wish["img_signature_hash_method"].replace("-", ""), data).digest()
    certificates.verify(signature, digest, NOW.replace(tzinfo=None))


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("method", METHODS)
def test_what_fits(trusted: Path, kind: str, method: str) -> None:
    private = made_key(kind)
    wish = properties(kind, method, certificate(private, trusted), signed(private, method))
    verify(wish)
    with pytest.raises(BadRequest, match="does not fit"):
        verify(wish, DATA + b"!")
    other = METHODS[METHODS.index(method) - 1]
    with pytest.raises(BadRequest, match="does not fit"):
        verify(wish | {"img_signature_hash_method": other})


def test_a_salt_of_any_length(trusted: Path) -> None:
    private = made_key("RSA-PSS")
    for salt in (0, 20, padding.PSS.DIGEST_LENGTH):
        verify(properties("RSA-PSS", "SHA-256", certificate(private, trusted), signed(private, "SHA-256", salt=salt)))


def test_what_does_not_belong_together(trusted: Path) -> None:
    private = made_key("RSA-PSS")
    good = properties("RSA-PSS", "SHA-256", certificate(private, trusted), signed(private, "SHA-256"))
    another = certificate(rsa.generate_private_key(65537, 2048), trusted)
    for change, reason in (
        ({"img_signature_certificate_uuid": another}, "does not fit"),
        ({"img_signature_certificate_uuid": str(uuid.uuid4())}, "there is no key manager here"),
        ({"img_signature_certificate_uuid": "../../etc/passwd"}, "must be a UUID"),
        ({"img_signature_certificate_uuid": certificate(private, trusted, (-9, -8))}, "only"),
        ({"img_signature_certificate_uuid": certificate(private, trusted, (8, 9))}, "only"),
        ({"img_signature_key_type": "DSA"}, "is not DSA"),
        ({"img_signature_key_type": f"ECC_{CURVES[0]}"}, "is not ECC_"),
        ({"img_signature_key_type": "RSA"}, "must be one of"),
        ({"img_signature_hash_method": "MD5"}, "must be one of"),
        ({"img_signature": "?"}, "must be Base64"),
        ({"img_signature": ""}, "does not fit"),
    ):
        with pytest.raises(BadRequest, match=reason):
            verify(good | change)
    with pytest.raises(BadRequest, match="needs img_signature_key_type too"):
        of({name: value for name, value in good.items() if name != "img_signature_key_type"})
    (trusted / f"{another}.pem").write_text("nothing")
    with pytest.raises(BadRequest, match="can't be read"):
        verify(good | {"img_signature_certificate_uuid": another})
    assert of({"img_signature_key_type": "RSA-PSS"}) is None


class Place:
    def __init__(self, directory: Path) -> None:
        self.caller = persona("project-admin")
        self.caller.allows = lambda *_: True
        self.settings = Settings(state_dir=directory, mode="sim")
        self.db = Database(self.settings.database_url)
        self.db.create_tables()
        self.stores = stores.of(self.settings)

    def create(self, wish: dict[str, str]) -> ImageRow:
        with self.db.write() as tx:
            return create_image(tx, self.caller, {"disk_format": "raw", "container_format": "bare", **wish})

    def image(self, image_id: str) -> ImageRow:
        with self.db.read() as tx:
            return store.known_image(tx, image_id)

    def upload(self, image: ImageRow, data: bytes) -> None:
        asyncio.run(receive.upload(self.db, self.stores, self.caller, image, chunks(data), None, "file"))

    def boot(self, image: ImageRow) -> None:
        with self.db.read() as tx:
            boot_image(tx, self.caller, image.id)


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.db.close()


@pytest.mark.parametrize("kind", ["RSA-PSS", "ECC_SECP384R1"])
def test_uploads_and_boots(place: Place, trusted: Path, kind: str) -> None:
    private = made_key(kind)
    wish = properties(kind, "SHA-384", certificate(private, trusted), signed(private, "SHA-384"))
    image = place.create(wish)
    with pytest.raises(BadRequest, match="does not fit"):
        place.upload(image, DATA[:-1])
    assert place.image(image.id).status == "queued"
    place.upload(image, DATA)
    assert place.image(image.id).status == "active"
    place.boot(image)
    with place.db.write() as tx:
        update_image(
            tx, place.caller, image, [Change("replace", "img_signature", signed(private, "SHA-384", b"other"))]
        )
    with pytest.raises(BadRequest, match="does not fit"):
        place.boot(image)
    with place.db.write() as tx:
        update_image(tx, place.caller, image, [Change("replace", "img_signature", wish["img_signature"])])
    place.boot(image)
    (trusted / f"{wish['img_signature_certificate_uuid']}.pem").unlink()
    with pytest.raises(BadRequest, match="not known"):
        place.boot(image)


def test_what_was_signed_afterwards_does_not_boot(place: Place, trusted: Path) -> None:
    private = made_key("RSA-PSS")
    image = place.create({})
    place.upload(image, DATA)
    place.boot(image)
    wish = properties("RSA-PSS", "SHA-256", certificate(private, trusted), signed(private, "SHA-256"))
    with place.db.write() as tx:
        update_image(tx, place.caller, image, [Change("add", name, value) for name, value in wish.items()])
    with pytest.raises(BadRequest, match="never verified"):
        place.boot(image)


def test_what_is_signed_and_staged_stays_as_it_is(place: Place, trusted: Path) -> None:
    private = made_key("RSA-PSS")
    image = place.create(properties("RSA-PSS", "SHA-512", certificate(private, trusted), signed(private, "SHA-512")))
    asyncio.run(receive.stage(place.db, place.stores, place.caller, image, chunks(DATA), None))
    image = place.image(image.id)
    wish, targets = ImageImport(method=ImportMethod(name="glance-direct")), Targets(["file"], False)
    hold = importing.begin_staged(place.db, place.stores, place.caller, image, wish, targets)
    asyncio.run(importing.staged(place.db, place.stores, place.caller, image, hold, Plan(disk_format="qcow2")))
    assert (place.image(image.id).status, place.image(image.id).disk_format) == ("active", "raw")
    place.boot(image)


def test_a_signature_says_what_it_hashes() -> None:
    assert Signature(b"", "SHA-224", "DSA", "x").hasher().name == "sha224"
