"""Whom a token is for: the cloud at a URL is believed where its authority fits the token, and told nothing else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import msgspec

from pileus.core import authority
from pileus.core.tls import believing_anybody, trusting
from pileus.node.client import ControlPlane, Refused
from pileus.node.desired import CloudAuthority
from pileus.operate.options import OptionError

_TOKEN = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{48}")


class Cloud(msgspec.Struct, frozen=True):
    url: str
    token: str
    authority: CloudAuthority

    def control_plane(self, host: str) -> ControlPlane:
        """For who has no certificate yet."""
        return ControlPlane(self.url, host, context=trusting(self.authority.certificate))


def cloud_at(url: str, token: str, made_by: str) -> Cloud:
    """`made_by`: the command that prints such tokens. Raises OptionError."""
    url = _checked_url(url)
    if not _TOKEN.fullmatch(token):
        raise OptionError(f"--token is not a join token: '{made_by}' makes one where the cloud runs.")
    return Cloud(url, token, _authority(url, token.partition(".")[0]))


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    try:
        good = parts.scheme == "https" and parts.hostname and (parts.port or True)
    except ValueError:
        good = False
    if not good:
        raise OptionError(f"'{url}' is not a URL of a cloud that machines can join: https://ADDRESS:PORT.")
    return f"https://{parts.netloc}"


def _authority(url: str, fingerprint: str) -> CloudAuthority:
    """Nothing is told to whoever answers, and what it says is believed only where it fits the token."""
    try:
        found = ControlPlane(url, "", context=believing_anybody()).authority()
        same = authority.fingerprint(found.certificate) == fingerprint
    except httpx.TransportError as error:
        raise OptionError(f"{url} does not answer: {error}.") from None
    except (Refused, ValueError) as error:
        raise OptionError(f"{url} is not a cloud that machines can join: {error}.") from None
    if not same:
        raise OptionError(f"{url} is not the cloud that the token is for: its certificate authority is another.")
    return found
