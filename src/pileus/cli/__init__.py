"""Commands that speak the public HTTP API only, as any client would."""
