"""Speaks with identity providers: OpenID Connect and SAML 2.0. The libraries for it are loaded when the first user comes."""
