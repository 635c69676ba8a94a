"""Configurations of domains: as a whole, by group, by option; and what holds without one."""

from typing import Any

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Response
from pileus.services.identity.api.projects import domain_of_path
from pileus.services.identity.rules import domain_config as rules
from pileus.services.identity.service import api
from pileus.services.identity.types.domain_config import ConfigBody
from pileus.services.identity.types.projects import DomainRow

CONFIG = "/domains/{domain_id}/config"
GROUP = CONFIG + "/{group}"
OPTION = GROUP + "/{option}"
DEFAULT = "identity:get_domain_config_default"
GET = {"policy": "identity:get_domain_config", "load": domain_of_path}
PASSWORD_RULES = {"policy": "identity:get_security_compliance_domain_config", "load": domain_of_path}
PATCH = {"policy": "identity:update_domain_config", "load": domain_of_path}
DELETE = {"policy": "identity:delete_domain_config", "load": domain_of_path}


@api.get("/domains/config/default", policy=DEFAULT)
def show_defaults() -> dict[str, Any]:
    return {"config": rules.show_defaults()}


@api.get("/domains/config/{group}/default", policy=DEFAULT)
def show_default_group(group: str) -> dict[str, Any]:
    return {"config": rules.show_defaults(group)}


@api.get("/domains/config/{group}/{option}/default", policy=DEFAULT)
def show_default_option(group: str, option: str) -> dict[str, Any]:
    return {"config": rules.show_defaults(group, option)}


@api.get(CONFIG, **GET)
def show_config(tx: Tx, domain: DomainRow) -> dict[str, Any]:
    return {"config": rules.show(tx, domain)}


@api.get(GROUP, **GET)
def show_group(tx: Tx, domain: DomainRow, group: str) -> dict[str, Any]:
    return {"config": rules.show(tx, domain, group)}


@api.get(OPTION, **GET)
def show_option(tx: Tx, domain: DomainRow, group: str, option: str) -> dict[str, Any]:
    return {"config": rules.show(tx, domain, group, option)}


@api.get(CONFIG + "/security_compliance", **PASSWORD_RULES)
def show_password_rules(settings: Settings) -> dict[str, Any]:
    return {"config": rules.show_password_rules(settings)}


@api.get(CONFIG + "/security_compliance/{option}", **PASSWORD_RULES)
def show_password_rule(settings: Settings, option: str) -> dict[str, Any]:
    return {"config": rules.show_password_rules(settings, option)}


@api.put(CONFIG, policy="identity:create_domain_config", load=domain_of_path)
def replace_config(tx: Tx, settings: Settings, caller: Caller, domain: DomainRow, body: ConfigBody) -> Response:
    is_first = rules.replace(tx, settings, caller, domain, body.config)
    return Response({"config": rules.show(tx, domain)}, status=201 if is_first else 200)


@api.patch(CONFIG, **PATCH)
def update_config(tx: Tx, settings: Settings, caller: Caller, domain: DomainRow, body: ConfigBody) -> dict[str, Any]:
    rules.update(tx, settings, caller, domain, body.config)
    return {"config": rules.show(tx, domain)}


@api.patch(GROUP, **PATCH)
def update_group(
    tx: Tx, settings: Settings, caller: Caller, domain: DomainRow, group: str, body: ConfigBody
) -> dict[str, Any]:
    rules.update(tx, settings, caller, domain, body.config, group)
    return {"config": rules.show(tx, domain)}


@api.patch(OPTION, **PATCH)
def update_option(
    tx: Tx, settings: Settings, caller: Caller, domain: DomainRow, group: str, option: str, body: ConfigBody
) -> dict[str, Any]:
    rules.update(tx, settings, caller, domain, body.config, group, option)
    return {"config": rules.show(tx, domain)}


@api.delete(CONFIG, **DELETE)
def delete_config(tx: Tx, caller: Caller, domain: DomainRow) -> None:
    rules.delete(tx, caller, domain)


@api.delete(GROUP, **DELETE)
def delete_group(tx: Tx, caller: Caller, domain: DomainRow, group: str) -> None:
    rules.delete(tx, caller, domain, group)


@api.delete(OPTION, **DELETE)
def delete_option(tx: Tx, caller: Caller, domain: DomainRow, group: str, option: str) -> None:
    rules.delete(tx, caller, domain, group, option)
