"""`pileus federation`, beside a running cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.operate import federation
from pileus.operate.options import OptionError
from tests.support.command import Command, free_port
from tests.support.openid_provider import openid_provider
from tests.support.saml_provider import saml_provider


@pytest.fixture(scope="module")
def pileus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    home = tmp_path_factory.mktemp("federation")
    command = Command(home / "home", home / "state")
    command("up", "--sim", "--quiet", "--port", str(free_port()))
    for words in (
        ("identity", "provider", "create", "--remote-id", "https://acme", "acme"),
        ("mapping", "create", "--rules", str(_rules(home)), "people"),
        ("federation", "protocol", "create", "--identity-provider", "acme", "--mapping", "people", "openid"),
        ("federation", "protocol", "create", "--identity-provider", "acme", "--mapping", "people", "saml2"),
    ):
        done = command.run("openstack", "--state-dir", str(command.state_dir), *words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
    yield command
    command("down", "--purge")


def _rules(home: Path) -> Path:
    file = home / "rules.json"
    file.write_text('[{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "sub"}]}]')
    return file


@pytest.mark.slow
def test_settings_for_openid(pileus: Command, tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    with openid_provider() as provider:
        file.write_text(f'kind = "openid"\nissuer = "{provider.issuer}"\nclient_id = "cloud"\nclient_secret = "hush"\n')
        done = pileus("federation", "set", "acme", "openid", str(file))
    assert done.returncode == 0, done.stderr
    assert "/OS-FEDERATION/identity_providers/acme/protocols/openid/callback" in done.stdout
    shown = pileus("federation", "show", "acme", "openid").stdout
    assert "client_id: cloud" in shown
    assert "client_secret: (kept sealed)" in shown
    assert "hush" not in shown
    assert b"hush" not in (pileus.state_dir / "pileus.db").read_bytes()
    assert pileus("federation", "clear", "acme", "openid").returncode == 0
    assert "has no settings" in pileus("federation", "show", "acme", "openid").stderr


@pytest.mark.slow
def test_settings_for_saml2(pileus: Command, tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    with saml_provider() as provider:
        (tmp_path / "idp.xml").write_text(provider.metadata)
    file.write_text('kind = "saml2"\nmetadata = "idp.xml"\n')
    done = pileus("federation", "set", "acme", "saml2", str(file))
    assert done.returncode == 0, done.stderr
    assert "/protocols/saml2/metadata" in done.stdout
    assert "/protocols/saml2/acs" in done.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('kind = "ldap"', "Invalid value 'ldap'"),
        ('kind = "openid"\nclient_id = "x"', "issuer"),
        ('kind = "openid"\nissuer = "http://acme.example"\nclient_id = "x"', "https://"),
        ('kind = "openid"\nissuer = "https://a"\nclient_id = "x"\nclient_secret = 5', "must be a text"),
        ('kind = "openid"\nissuer = "https://a"\nclient_id = "x"\nscope = 5', "scope"),
        ('kind = "saml2"\nmetadata = "nowhere.xml"', "nowhere.xml"),
        ('kind = "saml2"\nmetadata = "acme.toml"', "XML"),
        ("kind", "after a key"),
    ],
)
def test_settings_that_can_not_be(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(text)
    with pytest.raises(OptionError, match=says) as refused:
        federation.read(file)
    assert str(refused.value).startswith(f"{file}: ")


@pytest.mark.slow
def test_a_protocol_that_is_not_there(pileus: Command) -> None:
    done = pileus("federation", "show", "acme", "kerberos")
    assert done.returncode == 1
    assert "Could not find protocol: kerberos" in done.stderr
