"""What Prometheus reads at /metrics, in its text format (prometheus.io, "Exposition formats").

Several processes on one port keep their numbers in files of the directory PROMETHEUS_MULTIPROC_DIR, and any of them
answers for all. What stands in rows is counted when it is asked for, by the gauges that services give.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable, Iterator

import msgspec
import prometheus_client as prometheus
from prometheus_client import multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.errors import Unauthorized, plain_shape
from pileus.core.http import Request, Response, Service

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = prometheus.Counter("pileus_requests", "Requests answered", ["service", "method", "route", "status"])
REQUEST_SECONDS = prometheus.Histogram(
    "pileus_request_seconds",
    "From the first byte of a request to its answer; streams: to the beginning of the answer",
    ["service", "method", "route"],
    buckets=SECONDS,
)
REFUSED = prometheus.Counter("pileus_rate_limited", "Requests refused by the rate limit of a project")
RECONCILE_SECONDS = prometheus.Histogram(
    "pileus_reconcile_seconds", "A run of a reconciler", ["reconciler"], buckets=SECONDS
)
RECONCILE_LAG = prometheus.Histogram(
    "pileus_reconcile_lag_seconds",
    "From a wake-up to the end of the run that served it",
    ["reconciler"],
    buckets=SECONDS,
)
RECONCILE_FAILURES = prometheus.Counter("pileus_reconcile_failures", "Runs that failed", ["reconciler"])
RECONCILE_DUE = prometheus.Gauge(
    "pileus_reconcile_due", "Wake-ups that no run has served yet", ["reconciler"], multiprocess_mode="livesum"
)

api = Service("metrics", "/metrics", plain_shape, www_authenticate=False)


class Gauge(msgspec.Struct):
    """Numbers out of rows: one for each set of label values."""

    name: str
    text: str
    labels: tuple[str, ...]
    values: dict[tuple[str, ...], float]


Gauges = Callable[[Tx], Iterable[Gauge]]
gauges: list[Gauges] = []
"""Set by the assembly of the cloud."""


@api.get("", public=True)
def show_metrics(db: Database, settings: Settings, request: Request) -> Response:
    _check(settings, request)
    with db.read() as tx:
        found = [gauge for give in gauges for gauge in give(tx)]
    registry = prometheus.CollectorRegistry()
    registry.register(_FromRows(found))
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = prometheus.generate_latest(registry)
    else:
        text = prometheus.generate_latest(prometheus.REGISTRY) + prometheus.generate_latest(registry)
    return Response(text, content_type=prometheus.CONTENT_TYPE_LATEST)


def _check(settings: Settings, request: Request) -> None:
    """Raises Unauthorized for who does not show the token of STATE/metrics-token."""
    file = settings.metrics_token_file
    shown = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    wanted = file.read_text().strip() if file.exists() else ""
    if not wanted or not hmac.compare_digest(shown.encode(), wanted.encode()):
        raise Unauthorized(
            "Metrics are shown to who sends 'Authorization: Bearer' with the text of STATE/metrics-token."
        )


class _FromRows(Collector):
    def __init__(self, found: Iterable[Gauge]) -> None:
        self._found = list(found)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge in self._found:
            family = GaugeMetricFamily(gauge.name, gauge.text, labels=gauge.labels)
            for labels, value in gauge.values.items():
                family.add_metric(labels, value)
            yield family
