"""Courses that went wrong once, each by the order of events that did it."""

import asyncio

from aiohttp import web

from tests.crash.conftest import quietly
from tests.crash.invariants import check, unsaid
from tests.crash.scenarios import STORIES, begin, prepare
from tests.crash.schedule import Schedule
from tests.crash.world import labelled, opened
from tests.doubles.sim_api import Answer, Asked
from tests.doubles.sim_loop import SimulatedLoop

pytestmark = quietly


def test_a_policy_that_comes_while_a_report_is_looked_at_is_not_missed() -> None:
    """The look found no policy, the policy came, and only then was the report refused: for ever."""
    loop = SimulatedLoop()
    try:
        loop.run_until_complete(_policy_comes_late())
    finally:
        loop.close()


async def _policy_comes_late() -> None:
    async def slow(asked: Asked, answer: Answer) -> web.StreamResponse:
        if asked.step == "kopf" and asked.what == "GET remediationpolicies":
            await asyncio.sleep(1)
        elif asked.step == "desk" and asked.what == "PUT diagnosisreports/status":
            await asyncio.sleep(3)
        return await answer()

    schedule = Schedule(1, "verified")
    with labelled():
        async with opened(schedule, list(STORIES["verified"].answers)) as world:
            world.api.gate = slow
            prepare(world)
            begin(world)
            replica = asyncio.create_task(world.replica("op0"))
            await asyncio.sleep(120)
            wrong = [*check(world), *unsaid(world)]
            replica.cancel()
            for process in world.processes:
                await process.kill()
    assert not wrong, wrong
