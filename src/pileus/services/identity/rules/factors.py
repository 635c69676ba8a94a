"""Several proofs from one user (multi-factor authentication): the rules, and the receipt for what was proved so far."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import msgspec
from cryptography.fernet import InvalidToken

from pileus.core.body import micros
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Unauthorized
from pileus.services.identity.rules import packing, tokens
from pileus.services.identity.types.projects import DomainRow
from pileus.services.identity.types.users import UserRow

LIFE = timedelta(minutes=5)
_MARK = b"receipt "
"""No token begins like this, so that neither can be taken for the other."""


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """Times are microseconds since 1970."""

    user_id: str
    methods: tuple[str, ...]
    issued_at: int
    expires_at: int


class MoreProofNeeded(Unauthorized):
    """One of the user's rules must still be met; `receipt` says what was proved, `answer` is what the user is told."""

    def __init__(self, receipt: str, answer: dict[str, object]) -> None:
        super().__init__("This user must prove more: see required_auth_methods.")
        self.receipt, self.answer = receipt, answer


def must_be_known(rules: Collection[Collection[str]]) -> None:
    """Raises BadRequest for a rule that nobody could ever meet."""
    unknown = sorted({method for rule in rules for method in rule} - set(packing.METHODS))
    if unknown:
        raise BadRequest(
            f"multi_factor_auth_rules names methods that are not here: {', '.join(unknown)}. There are {', '.join(packing.METHODS)}."
        )


def enough(user: UserRow, methods: Collection[str]) -> bool:
    rules = user.options.get("multi_factor_auth_rules")
    if not rules or user.options.get("multi_factor_auth_enabled") is False:
        return True
    return any(set(rule) <= set(methods) for rule in rules)


def more_needed(tx: Tx, user: UserRow, domain: DomainRow, methods: Collection[str]) -> MoreProofNeeded:
    now = tokens.now_stamp()
    receipt = Receipt(user.id, tuple(methods), now, now + LIFE // timedelta(microseconds=1))
    text = tokens.box(tx).encrypt(_MARK + msgspec.msgpack.encode(receipt)).decode().rstrip("=")
    shown = {
        "methods": receipt.methods,
        "user": {"id": user.id, "name": user.name, "domain": {"id": domain.id, "name": domain.name}},
        "issued_at": micros(tokens.time_of(receipt.issued_at)),
        "expires_at": micros(tokens.time_of(receipt.expires_at)),
    }
    rules = user.options["multi_factor_auth_rules"]
    return MoreProofNeeded(text, {"receipt": shown, "required_auth_methods": rules})


def read(tx: Tx, text: str) -> Receipt:
    """Raises Unauthorized for what is no receipt or one that has ended."""
    try:
        raw = tokens.box(tx).decrypt(text + "=" * (-len(text) % 4))
        if not raw.startswith(_MARK):
            raise ValueError
        receipt = msgspec.msgpack.decode(raw.removeprefix(_MARK), type=Receipt)
    except (InvalidToken, ValueError, msgspec.MsgspecError):
        raise Unauthorized("The receipt in Openstack-Auth-Receipt is not valid: begin again without it.") from None
    if receipt.expires_at <= tokens.now_stamp():
        raise Unauthorized("The receipt in Openstack-Auth-Receipt has ended: begin again without it.")
    return receipt


def is_outdated(receipt: Receipt, user: UserRow) -> bool:
    """Whether the user's password was changed after it was proved."""
    return user.tokens_valid_after is not None and tokens.time_of(receipt.issued_at) < user.tokens_valid_after
