"""Usage by host and month, in the form in which it was once collected; here it is counted when it is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pileus.core.body import parse_time
from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.services.compute.rules import usage as rules
from pileus.services.compute.service import api

FORM = "%Y-%m-%d %H:%M:%S"


def log(tx: Tx, before: datetime) -> dict[str, Any]:
    """Of the last whole month before a time. Every host is done: there is nothing to wait for."""
    end = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    start = (end.replace(year=end.year - 1, month=12)) if end.month == 1 else end.replace(month=end.month - 1)
    counts = rules.servers_by_host(tx, rules.Period(start, end))
    hosts = {
        host: {"state": "DONE", "instances": count, "errors": 0, "message": f"{count} instances"}
        for host, count in counts.items()
    }
    return {
        "period_beginning": start.strftime(FORM),
        "period_ending": end.strftime(FORM),
        "num_hosts": len(hosts),
        "num_hosts_done": len(hosts),
        "num_hosts_running": 0,
        "num_hosts_not_run": 0,
        "hosts_not_run": [],
        "total_instances": sum(counts.values()),
        "total_errors": 0,
        "overall_status": "ALL hosts done. 0 errors.",
        "log": hosts,
    }


@api.get("/os-instance_usage_audit_log", policy="os_compute_api:os-instance-usage-audit-log:list")
def list_logs(tx: Tx) -> dict[str, Any]:
    return {"instance_usage_audit_logs": log(tx, tx.now)}


@api.get("/os-instance_usage_audit_log/{before}", policy="os_compute_api:os-instance-usage-audit-log:show")
def show_log(tx: Tx, before: str) -> dict[str, Any]:
    try:
        at = parse_time(before)
    except ValueError:
        raise BadRequest(f"Invalid timestamp for date {before[:64]}: it must be like 2026-11-20 22:56:17.") from None
    return {"instance_usage_audit_log": log(tx, at)}
