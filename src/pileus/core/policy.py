"""Who may do what: oslo.policy rules, called by dispatch.

Each service ships its defaults as `policy.json`: {"rules": {name: {"check": ..., "scope": [...]}}, "base": {name: check}}.
The operator's files (STATE/policy.d/<service>.yaml: {name: check}) override any of them while Pileus runs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pileus.core.context import Caller
from pileus.core.errors import Forbidden
from pileus.core.operator import OperatorFile

Check = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
"""(target, credentials) -> whether it passes."""


class Rule(msgspec.Struct):
    check: str
    scope: list[str] | None = None


class Defaults(msgspec.Struct):
    rules: dict[str, Rule]
    base: dict[str, str] = {}


class Policy:
    """The rules of one service."""

    def __init__(self, service: str, defaults: Defaults) -> None:
        self.service = service
        self._scopes = {name: frozenset(rule.scope) if rule.scope else None for name, rule in defaults.rules.items()}
        self._texts = defaults.base | {name: rule.check for name, rule in defaults.rules.items()}
        self._checks: Mapping[str, Check] = _Checks(self._texts)
        self._file: OperatorFile[Mapping[str, Check]] | None = None

    def override_by(self, file: Path) -> None:
        """Let the operator's file override the defaults from now on."""
        self._file = OperatorFile(file, self._overridden)

    @property
    def trouble(self) -> str:
        """Why the operator's file was refused when it was read last; empty where it was not."""
        return self._file.trouble if self._file else ""

    @property
    def names(self) -> list[str]:
        return sorted(self._scopes)

    def allows(self, rule: str, caller: Caller, target: Mapping[str, Any] | None = None) -> bool:
        """Whether `caller` may do `rule` to `target` (own project and user where no target is given)."""
        scopes = self._scopes.get(rule)
        if scopes is not None and caller.scope not in scopes and caller.scope != "unscoped":
            return False
        where = target if target is not None else {"project_id": caller.project_id, "user_id": caller.user_id}
        checks = self._file.current() if self._file else self._checks
        return checks[rule](where, caller.credentials)

    def enforce(self, rule: str, caller: Caller, target: Mapping[str, Any] | None = None) -> None:
        """Raises Forbidden, naming the rule and the scope or roles that were missing."""
        if self.allows(rule, caller, target):
            return
        scopes = self._scopes.get(rule)
        if scopes is not None and caller.scope not in scopes:
            raise Forbidden(
                f"Policy doesn't allow {rule} to be performed with a token of {caller.scope} scope; it takes {' or '.join(sorted(scopes))} scope.",
                code="PolicyNotAuthorized",
            )
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.", code="PolicyNotAuthorized")

    def _overridden(self, found: object) -> Mapping[str, Check]:
        if found is None:
            return self._checks
        if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in found.items()):
            raise ValueError("it must map rule names to check strings")
        unknown = sorted(set(found) - set(self._texts))
        if unknown:
            raise ValueError(f"unknown rules: {', '.join(unknown)}")
        return _parsed(self._texts | found)


class _Checks(dict[str, Check]):
    """Checks by rule name, parsed when first asked for: a service has hundreds, a request needs one."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    def __missing__(self, name: str) -> Check:
        from oslo_policy import _checks, _parser

        text = self._texts[name]
        parsed = _parser.parse_rule(text)
        if isinstance(parsed, _checks.FalseCheck) and text.strip() != "!":
            raise ValueError(f"rule '{name}' has a check that can't be read: {text}")
        check = self[name] = self._compile(parsed)
        return check

    def _compile(self, parsed: Any) -> Check:
        """A parsed check as one function: oslo.policy inspects signatures at each evaluation, which costs more than a query."""
        from oslo_policy import _checks

        if isinstance(parsed, _checks.AndCheck):
            every = [self._compile(part) for part in parsed.rules]
            return lambda target, creds: all(check(target, creds) for check in every)
        if isinstance(parsed, _checks.OrCheck):
            some = [self._compile(part) for part in parsed.rules]
            return lambda target, creds: any(check(target, creds) for check in some)
        if isinstance(parsed, _checks.NotCheck):
            inner = self._compile(parsed.rule)
            return lambda target, creds: not inner(target, creds)
        if isinstance(parsed, _checks.RuleCheck):
            name = parsed.match
            return lambda target, creds: name in self._texts and self[name](target, creds)
        if type(parsed) is _checks.GenericCheck:
            return _comparison(parsed.kind, parsed.match)
        return lambda target, creds: bool(parsed(target, creds, None))


def _comparison(kind: str, match: str) -> Check:
    """`kind:match`: a literal or a credential equals the text that `match` gives with the target's values."""
    try:
        literal: str | None = str(ast.literal_eval(kind))
    except (ValueError, SyntaxError):
        literal = None

    def check(target: Mapping[str, Any], creds: Mapping[str, Any]) -> bool:
        try:
            wanted = match % target
        except KeyError:
            return False
        if literal is not None:
            return wanted == literal
        if match == "None":
            return creds.get(kind) is None
        held = creds.get(kind)
        return wanted in map(str, held) if isinstance(held, list) else held is not None and wanted == str(held)

    return check


def _parsed(texts: Mapping[str, str]) -> Mapping[str, Check]:
    """All of them parsed now, so that a mistake shows now."""
    checks = _Checks(texts)
    for name in texts:
        checks[name]
    return checks


def load(service: str, file: Path) -> Policy:
    """The policy of a service from its `policy.json`."""
    return Policy(service, msgspec.json.decode(file.read_bytes(), type=Defaults))
