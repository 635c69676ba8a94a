"""Who a token speaks for: what dispatch asks of identity."""

from pileus.services.identity.rules.tokens import authenticate

__all__ = ["authenticate"]
