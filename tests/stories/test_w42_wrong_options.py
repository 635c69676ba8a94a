"""W42: a missing section in a config file cost hours; a comment after a value broke the parser."""

import pytest

from tests.support.command import Command, free_port, processes_of


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("# where\n\nprot = 8780\n", 3, "there is no option 'prot'. Did you mean 'port'?"),
        ("[keystone_authtoken]\nauth_url = 'x'\n", 1, "there is no option 'keystone_authtoken'"),
        ("region = 'x'\nport = 'many'\n", 2, "port is 'many'"),
        ("\nport = 70000\n", 2, "port is 70000"),
        ("token_hours = -1 # never\n", 1, "token_hours is -1"),
        ("password_regex = '['\n", 1, "no regular expression"),
        ("minimum_password_age = 9\npassword_expires_days = 7\n", 1, "nobody could change a password"),
        ("mode = 'fake'\n", 1, "mode is 'fake'"),
        ("image_format = 'vmdk'\n", 1, "image_format is 'vmdk'"),
        ("region = 'x\n", 1, "line 1"),
        ("import_networks = '10.0.0.0/8, intranet'\n", 1, "import_networks has 'intranet': no network"),
        ("external_address = '172.24.4.0/32'\n", 1, "leaves no room for floating IPs"),
    ],
)
def test_w42_a_wrong_option_is_named_with_file_and_line(pileus: Command, text: str, line: int, says: str) -> None:
    pileus.state_dir.mkdir()
    file = pileus.state_dir.parent / "pileus.toml"
    file.write_text(text)
    pileus.state_dir.rmdir()
    said = pileus.refused("up", "--config", str(file))
    assert str(file) in said
    assert f"line {line}" in said
    assert says in said
    assert not pileus.state_dir.exists()
    assert processes_of(pileus.state_dir) == []


@pytest.mark.slow
def test_w42_a_comment_after_a_value_is_a_comment(pileus: Command) -> None:
    file = pileus.home.parent / "pileus.toml"
    file.write_text(
        f'mode = "sim"   # no guests here\nport = {free_port()} # free today\nregion = "A#1" # not a comment\n'
    )
    pileus.ok("up", "--config", str(file))
    assert "region_name: A#1" in (pileus.state_dir / "clouds.yaml").read_text()
