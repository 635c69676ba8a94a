"""One real cloud for all end-to-end tests; each makes and deletes its own guests."""

from collections.abc import Iterator

import pytest

from tests.e2e.cloud import Guest, RealCloud


@pytest.fixture(scope="package")
def cloud() -> Iterator[RealCloud]:
    made = RealCloud()
    try:
        made.start()
        made.prepare()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="package")
def guest(cloud: RealCloud) -> Guest:
    """A guest with a floating IP that several tests look at; none of them changes it for the others."""
    made = cloud.boot(
        "first", user_data="IyEvYmluL3NoCmVjaG8gdXNlciBkYXRhIHJhbiA+IC9ob21lL2NpcnJvcy9yYW4K", config_drive=True
    )
    made.float()
    return made
