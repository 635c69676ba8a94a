"""Quotas: the numbers in use are counted, and nobody gets past the limit, whatever comes at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pileus.core.context import Caller
from pileus.core.db import Database
from pileus.core.errors import QuotaExceeded
from pileus.services.compute.rules import quota, server_groups
from pileus.services.compute.store import quotas

CALLER = Caller(user_id="u", project_id="p", roles=frozenset({"member"}))


def test_the_last_one_is_given_once(db: Database) -> None:
    def one(number: int) -> bool:
        try:
            with db.write() as tx:
                server_groups.create(tx, CALLER, f"group-{number}", "affinity", None)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        made = sum(pool.map(one, range(40)))
    assert made == quota.DEFAULTS["server_groups"]
    with db.read() as tx:
        assert quota.usages(tx, "p")["server_groups"].in_use == made


def test_a_users_own_limit_counts_beside_the_projects(db: Database) -> None:
    other = Caller(user_id="v", project_id="p", roles=frozenset({"member"}))
    with db.write() as tx:
        quotas.set_limit(tx, "p", "u", "server_groups", 1)
        server_groups.create(tx, CALLER, "a", "affinity", None)
        with pytest.raises(QuotaExceeded, match="server_groups: 1 more than the 1 in use are over the limit of 1"):
            server_groups.create(tx, CALLER, "b", "affinity", None)
        server_groups.create(tx, other, "b", "affinity", None)


amount = st.integers(0, 30)
limit = st.integers(-1, 30)


@given(st.dictionaries(st.sampled_from(["instances", "cores", "ram"]), st.tuples(amount, limit, amount), min_size=1))
def test_a_refusal_names_all_that_are_over_and_no_others(wanted: dict[str, tuple[int, int, int]]) -> None:
    more = {name: one[0] for name, one in wanted.items()}
    most = {name: one[1] for name, one in wanted.items()}
    used = {name: one[2] for name, one in wanted.items()}
    over = [name for name in wanted if 0 <= most[name] < used[name] + more[name]]
    if not over:
        quota.refuse_over(more, most, used)
        return
    with pytest.raises(QuotaExceeded) as refusal:
        quota.refuse_over(more, most, used)
    assert all((f"{name}:" in refusal.value.message) == (name in over) for name in wanted)
