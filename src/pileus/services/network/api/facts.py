"""What there is: agents, availability zones, service providers, free addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.http import Request
from pileus.services.network.api import frame
from pileus.services.network.rules import availability, chassis
from pileus.services.network.rules.networks import ZONE
from pileus.services.network.service import api
from pileus.services.network.store.nouns import AGENTS
from pileus.services.network.types.facts import Agent, NetworkAvailability
from pileus.services.network.types.rows import ChassisRow

AGENT_TYPE = "OVN Controller agent"


def view(tx: Tx, caller: Caller, rows: Sequence[ChassisRow]) -> list[Agent]:
    return [
        Agent(
            id=row.id,
            agent_type=AGENT_TYPE,
            binary="ovn-controller",
            topic="n/a",
            host=row.host,
            admin_state_up=True,
            alive=chassis.is_alive(row, tx.now),
            availability_zone=ZONE,
            created_at=_time(row.started_at),
            started_at=_time(row.started_at),
            heartbeat_timestamp=_time(row.seen_at),
            description=None,
            configurations={"address": row.address, "version": row.version},
        )
        for row in rows
    ]


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


AGENT = frame.Noun("agent", "agents", AGENTS, view, lambda tx, caller, wish: {})


@api.get("/agents", policy="get_agent")
def list_agents(tx: Tx, caller: Caller, request: Request) -> dict[str, Any]:
    """Every host's OVN controller. What all of them have in common is compared here, the rest by the store."""
    common = {"agent_type": AGENT_TYPE, "binary": "ovn-controller", "topic": "n/a", "availability_zone": ZONE}
    for key, value in request.query:
        if key in common and value != common[key]:
            return {"agents": []}
    return frame.listing(AGENT, tx, caller, request, ignored={*common, "admin_state_up", "description"})


@api.get("/agents/{agent_id}", policy="get_agent", load=chassis.visible_chassis)
def show_agent(tx: Tx, caller: Caller, request: Request, agent: ChassisRow) -> dict[str, Any]:
    return frame.showing(AGENT, tx, caller, request, agent)


@api.delete("/agents/{agent_id}", policy="delete_agent", load=chassis.visible_chassis)
def delete_agent(tx: Tx, agent: ChassisRow) -> None:
    chassis.delete_chassis(tx, agent)


@api.get("/availability_zones", policy="get_availability_zone")
def list_availability_zones(tx: Tx, request: Request) -> dict[str, Any]:
    zones = [
        {"name": zone, "resource": resource, "state": "available"}
        for zone in chassis.zones(tx)
        for resource in ("network", "router")
    ]
    for key in {key for key, _ in request.query} & {"name", "resource", "state"}:
        wanted = {value for name, value in request.query if name == key}
        zones = [zone for zone in zones if zone[key] in wanted]
    return {"availability_zones": zones}


@api.get("/service-providers", policy="get_service_provider")
def list_service_providers() -> dict[str, Any]:
    return {"service_providers": [{"service_type": "L3_ROUTER_NAT", "name": "ovn", "default": True}]}


@api.get("/network-ip-availabilities", policy="get_network_ip_availability")
def list_network_ip_availabilities(tx: Tx, request: Request) -> dict[str, Any]:
    asked: dict[str, list[str]] = {}
    for key, value in request.query:
        if key not in ("network_id", "network_name", "tenant_id", "project_id", "ip_version", "fields"):
            raise BadRequest(f"'{key[:64]}' is not an attribute to filter by.")
        asked.setdefault(key, []).append(value)
    return {"network_ip_availabilities": availability.of_networks(tx, asked)}


@api.get("/network-ip-availabilities/{network_id}", policy="get_network_ip_availability")
def show_network_ip_availability(tx: Tx, network_id: str) -> NetworkAvailability:
    return availability.of_network(tx, network_id)
