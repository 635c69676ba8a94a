"""The short form of the fuzzing: the same requests each time. The long one is tests/fuzz/run."""

import pytest

from tests.fuzz.campaign import Campaign
from tests.fuzz.world import World
from tests.support import postgres


@pytest.mark.slow
@pytest.mark.parametrize("dialect", postgres.DATABASES)
def test_no_request_is_answered_wrongly(dialect: str) -> None:
    if dialect == "postgresql" and not postgres.available():
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    world = World(dialect)
    try:
        campaign = Campaign(world, first_seed=1)
        campaign.described(700)
        campaign.hostile(1500)
    finally:
        world.close()
    assert not campaign.findings, "\n\n".join(map(str, campaign.findings.values()))
    answered = campaign.statuses
    assert answered[200] + answered[201] + answered[202] + answered[204] > campaign.count // 10, campaign.summary()
