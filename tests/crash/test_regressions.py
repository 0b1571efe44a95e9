"""Regressions: sequences of events that once violated an invariant."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from aiohttp import web

from reme_api.reasons import Outcome
from tests.crash import user_actions
from tests.crash.conftest import ignores_unraisable
from tests.crash.history import SWITCH
from tests.crash.invariants import Violation, check, unreported
from tests.crash.scenarios import SCENARIOS, act, begin, prepare
from tests.crash.schedule import Fault, Schedule
from tests.crash.simulate import simulate
from tests.crash.world import World, labelled, simulated_world
from tests.doubles.shop import RELEASE, file_report, scale
from tests.doubles.sim_api import Answer, ApiRequest, Interceptor
from tests.doubles.sim_loop import SimulatedLoop

pytestmark = ignores_unraisable


Does = Callable[[World], Coroutine[Any, Any, None]]


class Course:
    """One scenario under a gate of its own; what came of it."""

    world: World
    wrong: list[Violation | str]

    def lead(
        self, scenario: str, gate: Interceptor, seconds: float = 120, action: Does = act
    ) -> "Course":
        """Carry it out; the gate may use the world."""
        loop = SimulatedLoop()
        try:
            loop.run_until_complete(self._lead(scenario, gate, seconds, action))
        finally:
            loop.close()
        return self

    async def _lead(self, scenario: str, gate: Interceptor, seconds: float, action: Does) -> None:
        schedule = Schedule(1, scenario)
        with labelled():
            async with simulated_world(schedule, list(SCENARIOS[scenario].answers)) as world:
                self.world = world
                world.api.gate = world.history.gate(gate)
                prepare(world)
                begin(world)
                replica = asyncio.create_task(world.replica("op0"), context=Context())
                actions = asyncio.create_task(action(world), context=Context())
                await asyncio.sleep(seconds)
                self.wrong = [*check(world), *unreported(world)]
                replica.cancel()
                actions.cancel()
                for process in world.processes:
                    await process.kill()


def test_a_policy_that_comes_while_a_report_is_looked_at_is_not_missed() -> None:
    """The look found no policy, the policy came, and only then was the report refused: for ever."""

    async def slow(request: ApiRequest, answer: Answer) -> web.StreamResponse:
        if request.step == "kopf" and request.what == "GET remediationpolicies":
            await asyncio.sleep(1)
        elif request.step == "admission" and request.what == "PUT diagnosisreports/status":
            await asyncio.sleep(3)
        return await answer()

    course = Course().lead("verified", slow)
    assert not course.wrong, course.wrong


def test_a_job_is_not_tried_again_when_the_kill_switch_came_meanwhile() -> None:
    """The client repeated a request without an answer, ten seconds after the switch was on."""
    lost: list[ApiRequest] = []
    course = Course()

    async def once(request: ApiRequest, answer: Answer) -> web.StreamResponse:
        if request.what != "POST jobs" or lost:
            return await answer()
        lost.append(request)
        meta = {"name": SWITCH, "namespace": RELEASE}
        course.world.api.put("configmaps", {"metadata": meta, "data": {"inFlight": "Drain"}})
        asyncio.get_running_loop().call_later(
            30, course.world.api.remove, "configmaps", RELEASE, SWITCH, context=Context()
        )
        await asyncio.sleep(300)
        return web.Response(status=504)

    course.lead("verified", once)
    assert lost, "no Job was ever made"
    assert not [d for d in course.world.history.ignored_kill_switches if d.at - d.observed_at > 0.1]
    (one,) = course.world.remediations()
    assert one.status.outcome in {Outcome.VERIFIED, Outcome.CANCELLED}


def slow_acceptance() -> Course:
    """Request a rollback while the creation of the next remediation is in flight.

    Admission has not observed the rollback then, and the rollback observes no other remediation.
    """
    requests: list[ApiRequest] = []
    course = Course()

    async def slow_creation(request: ApiRequest, answer: Answer) -> web.StreamResponse:
        if request.what == "POST remediations":
            requests.append(request)
            if len(requests) == 2:
                user_actions.send_rollback_request(course.world, course.world.remediations()[0])
                await asyncio.sleep(0.5)
        return await answer()

    async def report_again(world: World) -> None:
        await user_actions.ended(world)
        # It still goes on when the other begins, which finds the target broken all the same.
        world.nodes.task_seconds, world.probes.down = 20, True
        # The way back leads nowhere from here: the newer revision was abandoned.
        world.model.answers.append(json.dumps([scale(2)]))
        file_report(world.api, "cart-again")

    course.lead("manual-rollback-during-report", slow_creation, 300, report_again)
    assert len(requests) == 2
    return course


def test_a_manual_rollback_and_a_slowly_accepted_remediation_do_not_run_at_once() -> None:
    """Both checked and both ran: one overwrote the other."""
    course = slow_acceptance()
    assert not course.world.history.concurrent_targets
    again, first = sorted(course.world.remediations(), key=lambda r: r.metadata.name)
    assert again.status.outcome is Outcome.ROLLED_BACK, again.status.message
    assert first.status.manual_rollbacks[0].outcome is Outcome.ROLLED_BACK


def test_a_stale_list_of_policies_is_not_the_last_word() -> None:
    report = simulate(Schedule(0, "verified", (Fault("stale-lists", 0, "5"),)))
    assert not report.violations
    assert "=Verified/" in report.ends


def test_a_list_that_was_read_before_a_hold_ended_does_not_bring_it_back() -> None:
    """What was resumed was taken for still on hold, and its target was given to another one."""
    faults = "cut-before@133:2 kill-after@201 kill-before@61 partition@299:20 partition@427:20"
    chosen = tuple(map(Fault.parse, faults.split()))
    report = simulate(Schedule(19, "suspended", chosen, replicas=2))
    assert not report.violations, report.violations
