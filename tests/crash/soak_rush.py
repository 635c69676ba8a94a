"""W20 inside the long run: 200 servers are asked for where there is room for 50, while processes die."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from tests.crash.ledger import Violation
from tests.crash.soak_tenant import Tenant, Unanswered
from tests.support.command import until
from tests.support.user import User

ROOM, ASKED, AT_ONCE = 50, 200, 4
RESOURCE = "CUSTOM_SOAK_SLOT"
PATIENCE = 180.0
"""Seconds of faults, and of what they leave."""


class Rush:
    """Of a project without limits. The room is a resource that nobody else takes, spread over all hosts."""

    def __init__(self, admin: User, tenant: Tenant, image: str) -> None:
        self.tenant, self._image = tenant, image
        self._numbers = itertools.count(1)
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._booting: list[Future[None]] = []
        limits = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
        assert admin.call("PUT", f"/compute/os-quota-sets/{tenant.project}", limits).status_code == 200
        self._make_room(admin)
        self._flavor = str(admin.made("/compute/flavors", "flavor", name="slot", vcpus=1, ram=64, disk=1)["id"])
        nothing = {f"resources:{usual}": "0" for usual in ("VCPU", "MEMORY_MB", "DISK_GB")}
        specs = {"extra_specs": {f"resources:{RESOURCE}": "1", **nothing}}
        assert admin.call("POST", f"/compute/flavors/{self._flavor}/os-extra_specs", specs).status_code == 200

    def _make_room(self, admin: User) -> None:
        placement = {"OpenStack-API-Version": "placement 1.39"}
        admin.http.put(f"/placement/resource_classes/{RESOURCE}", headers=placement).raise_for_status()
        providers = admin.get("/placement/resource_providers")["resource_providers"]
        for number, provider in enumerate(providers):
            room = ROOM // len(providers) + (number < ROOM % len(providers))
            path = f"/placement/resource_providers/{provider['uuid']}/inventories"
            body = {"resource_class": RESOURCE, "total": room}
            admin.http.post(path, json=body, headers=placement).raise_for_status()

    def begin(self) -> None:
        self._booting = [self._pool.submit(self._boot) for _ in range(ASKED)]

    def _boot(self) -> None:
        """Until one is acknowledged; each has a name of its own."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            wish = {
                "name": f"rush-{next(self._numbers)}", "imageRef": self._image, "flavorRef": self._flavor, "networks": "none"
            }  # fmt: skip
            with suppress(Unanswered):
                answer = self.tenant.call("POST", "/compute/servers", {"server": wish})
                if answer.status_code == 202:
                    return
                assert answer.status_code >= 500, answer.text
        raise AssertionError(f"no server was taken for {PATIENCE:.0f} s")

    def end(self) -> None:
        """All are asked for."""
        for each in self._booting:
            each.result()

    def judge(self, admin: User) -> Iterator[Violation]:
        """When all has settled. Then they are deleted."""
        servers = self._servers(admin)
        if not servers:
            return
        placed = [each for each in servers if each["OS-EXT-SRV-ATTR:host"]]
        refused = [each for each in servers if not each["OS-EXT-SRV-ATTR:host"]]
        if len(placed) != ROOM:
            faults = Counter(each["fault"]["message"] for each in refused).most_common(3)
            yield Violation(f"{len(placed)} of {len(servers)} servers have room; others: {faults}", "W20", "none")
        for each in refused:
            if each["status"] != "ERROR" or RESOURCE not in each["fault"]["message"]:
                yield Violation(f"it is {each['status']}: {each.get('fault')}", f"servers {each['id']}", "none")
        if self._used(admin) != ROOM:
            yield Violation(f"{self._used(admin)} of {ROOM} {RESOURCE} are used", "W20", "none")
        for each in servers:
            answer = self.tenant.call("DELETE", f"/compute/servers/{each['id']}")
            if answer.status_code != 204:
                yield Violation(f"can't be deleted: {answer.text}", f"servers {each['id']}", "none")
        until(lambda: not self._servers(admin), 60, "the rush's servers are gone")
        if self._used(admin):
            yield Violation(f"{self._used(admin)} {RESOURCE} are used, by no server", "W20", "none")

    def _servers(self, admin: User) -> list[Any]:
        return admin.get(f"/compute/servers/detail?all_tenants=1&project_id={self.tenant.project}&limit=1000")[
            "servers"
        ]  # type: ignore[no-any-return]

    def _used(self, admin: User) -> int:
        found = admin.get("/placement/resource_providers")["resource_providers"]
        usages = [admin.get(f"/placement/resource_providers/{each['uuid']}/usages")["usages"] for each in found]
        return sum(usage.get(RESOURCE, 0) for usage in usages)
