"""What an import makes of the bytes before they are an image's: unpacked, then converted, then with properties put on it.

Each step looks at what the one before has made, leaves its file in the upload's work directory, and nothing else behind.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from pileus.services.image.files import Incoming
from pileus.services.image.plugins import convert, decompress
from pileus.services.image.plugins.work import Work
from pileus.services.image.types.images import Arrival, Plan

_workshop = ThreadPoolExecutor(2, thread_name_prefix="image-import", initializer=lambda: os.nice(10))
"""No more than two images are worked on at once; requests go first."""


async def run(incoming: Incoming, plan: Plan, arrival: Arrival, tell: Callable[[str], None]) -> Arrival:
    """What will be the image's; signed bytes stay as they are. Raises BadRequest, TooLarge with the reason why it can't be."""
    work = Work(incoming, tell)
    for step in () if arrival.received.signed_digest else (decompress.step, convert.step):
        doing = step(plan, arrival)
        if doing is not None:
            try:
                arrival = await asyncio.wrap_future(_workshop.submit(doing, work))
            except asyncio.CancelledError:
                work.stopped.set()
                raise
    return msgspec.structs.replace(arrival, properties=plan.properties)
