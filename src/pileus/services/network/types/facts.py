"""Replies about hosts and free addresses."""

from __future__ import annotations

from typing import Any

from pileus.core.body import Reply


class Agent(Reply):
    __wrap__ = "agent"
    id: str
    agent_type: str
    binary: str
    topic: str
    host: str
    admin_state_up: bool
    alive: bool
    availability_zone: str
    created_at: str
    started_at: str
    heartbeat_timestamp: str
    description: str | None
    configurations: dict[str, Any]


class SubnetAvailability(Reply):
    subnet_id: str
    subnet_name: str
    cidr: str
    ip_version: int
    total_ips: int
    used_ips: int


class NetworkAvailability(Reply):
    __wrap__ = "network_ip_availability"
    network_id: str
    network_name: str
    project_id: str
    tenant_id: str
    total_ips: int
    used_ips: int
    subnet_ip_availability: list[SubnetAvailability]
