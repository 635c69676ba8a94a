"""Compute and the hosts' API, with an image, a network and flavors; host h1 is let in."""

from tests.support import compute_cloud

from pileus.core.http import Service


def services() -> list[Service]:
    return compute_cloud.SERVICES


prepare = compute_cloud.prepare
