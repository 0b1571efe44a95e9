"""An operator that ends in mid-run, well or badly: the next one goes on, and repeats nothing."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from reme_api.reasons import Outcome, Reason
from reme_kube.clock import SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_operator.admission.remediation_index import RemediationIndex, remediation_info
from reme_operator.app.garbage_collector import remove_expired, remove_orphans
from tests.doubles.fake_model import Answer
from tests.doubles.shop import (
    GOOD,
    NAMESPACE,
    RELEASE,
    file_report,
    image_of,
    open_shop,
    rollback,
)
from tests.integration.operator.conftest import World

RIGHT = json.dumps([rollback()])


def requests(world: World) -> object:
    return world.model.asked


def replied(world: World) -> object:
    return any(a.generation for r in world.remediations() for a in r.status.attempts)


def named(world: World) -> object:
    return any(a.run for r in world.remediations() for a in r.status.attempts)


def with_job(world: World) -> object:
    return world.api.all("jobs")


def running(world: World) -> object:
    return world.runner.ran


def verifying(world: World) -> object:
    return any(a.verification for r in world.remediations() for a in r.status.attempts)


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("moment", [requests, replied, named, with_job, running, verifying])
async def test_the_next_operator_goes_on(
    world: World, moment: Callable[[World], object], killed: bool
) -> None:
    open_shop(world.api)
    world.runner.seconds = 1.0
    world.model.say(Answer(RIGHT, delay_seconds=0.3))
    async with world.operator() as operator:
        file_report(world.api)
        await world.until(lambda: moment(world))
        if killed:
            world.kill(operator)
    async with world.operator():
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert image_of(world.api) == GOOD
    (attempt,) = ended.status.attempts
    assert attempt.run is not None
    assert world.runner.ran == [attempt.run.name]
    assert len(world.api.writes("/jobs")) == 1
    assert len(world.api.writes("/remediations")) == 1
    assert world.leftovers() == []


async def test_a_run_that_ended_while_nobody_looked_is_recorded(world: World) -> None:
    open_shop(world.api)
    world.runner.seconds = 0.6
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.runner.ran)
    await asyncio.sleep(1)
    async with world.operator():
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.VERIFIED
    assert len(world.api.writes("/jobs")) == 1


async def test_a_deletion_while_nobody_looked_is_cleaned_up(world: World) -> None:
    open_shop(world.api)
    world.runner.seconds = 4
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.runner.ran)
    (remediation,) = world.remediations()
    world.api.remove("remediations", NAMESPACE, remediation.metadata.name)
    assert world.remediations()  # the finalizer holds it
    world.runner.seconds = 0.2
    async with world.operator():
        await world.until(lambda: not world.remediations(), 30)
    assert world.leftovers() == []


async def test_who_does_not_lead_any_more_writes_nothing(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT, delay_seconds=0.5))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.model.asked)
        world.leads = False
        before = len(world.api.calls)
        await asyncio.sleep(1.5)
        after = [c for c in world.api.calls[before:] if c.verb in ("PUT", "POST", "DELETE")]
    # The reply that was being kept when the lease was lost may still get there: it repeats nothing.
    assert [c for c in after if "/configmaps" not in c.path] == []
    assert world.api.writes("/jobs") == []


async def test_what_nobody_drives_is_removed(world: World) -> None:
    open_shop(world.api)
    labels = {
        "app.kubernetes.io/managed-by": "reme",
        "reme.dev/remediation-uid": "gone",
        "reme.dev/remediation-namespace": NAMESPACE,
    }
    world.api.hooks.clear()
    meta = {"name": "reme-gone-1", "namespace": RELEASE, "labels": labels}
    for plural in ("jobs", "rungrants", "serviceaccounts"):
        world.api.put(plural, {"metadata": dict(meta)})
    world.api.put("configmaps", {"metadata": meta | {"name": "reme-gone-1-result"}})
    world.api.put(
        "rolebindings",
        {"metadata": meta | {"name": "reme-gone-1-deployments", "namespace": NAMESPACE}},
    )
    async with ApiClient(Credentials(world.api.url, None)) as server:
        assert await remove_orphans(ApiCluster(server), RELEASE) == 1
    assert world.leftovers() == []


class Later(SystemClock):
    """A clock that is two hours ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=2)


async def test_what_has_had_its_time_is_removed(world: World) -> None:
    open_shop(world.api, ttlSecondsAfterFinished=0)
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(30)
        await world.until(
            lambda: not world.api.all("remediations")[0]["metadata"].get("finalizers")
        )
        index, clock = RemediationIndex(), SystemClock()
        index.add(remediation_info(ended, clock.now()))
        async with ApiClient(Credentials(world.api.url, None)) as server:
            # For an hour the budgets count it: gone before, it would make room for another.
            assert await remove_expired(ApiCluster(server), clock, index) == 0
            assert await remove_expired(ApiCluster(server), Later(), index) == 1
        await world.until(lambda: not world.remediations())
        # The report remembers that it has had its remediation.
        await asyncio.sleep(0.5)
        assert world.remediations() == []
    assert world.report().status.remediations[0].outcome is Outcome.VERIFIED
    assert ended.status.reason is Reason.PROBES_PASSED
