"""Following the cause: the caller is reported, and the workload that it calls is repaired."""

from dataclasses import dataclass
from typing import Any

import pytest

from reme_api.conditions import find_condition
from reme_api.diagnosis_report import DiagnosisReport, Target
from reme_api.probes import Probe
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Remediation
from reme_operator.names import REMEDIATION_UID_LABEL
from reme_operator.probes.sample import Sample
from tests.doubles.shop import (
    BAD,
    GOOD,
    NAMESPACE,
    ImageProber,
    file_report,
    image_of,
    open_shop,
    rollback,
    scale,
)
from tests.integration.operator.conftest import World

FRONT = {"kind": "Deployment", "name": "front"}
THINK: dict[str, Any] = {
    "method": "ThinkRemed",
    "budgets": {"cooldownSeconds": 0, "maxConcurrent": 1, "maxPerHour": 1000},
}


def open_front(world: World, **policy: Any) -> None:
    """Put a healthy front there that calls the broken cart, whose pods are not ready."""
    open_shop(world.api, **(THINK | policy))
    world.api.edit(
        "deployments", NAMESPACE, "cart", {"status": {"availableReplicas": 0, "readyReplicas": 0}}
    )
    put_caller(world, "front", "http://cart:8080/", ready=1)


def put_caller(world: World, name: str, url: str, *, ready: int) -> None:
    """Put a Deployment with its Service there that calls another Service."""
    labels = {"app": name}
    container = {"name": name, "image": "front:1", "env": [{"name": "UPSTREAM_URL", "value": url}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    world.api.put(
        "deployments",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
            "status": {"replicas": 1, "availableReplicas": ready, "readyReplicas": ready},
        },
    )
    world.api.put(
        "services",
        {
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )


def report_front(world: World) -> None:
    probe = {"name": "answers", "http": {"service": "front", "port": 80}}
    fault = {"type": "errors", "summary": "every page fails", "confidencePercent": 90}
    file_report(world.api, "front-down", target=FRONT, probes=[probe], fault=fault)


def of_target(world: World, name: str) -> Remediation | None:
    return next((r for r in world.remediations() if r.spec.target.name == name), None)


async def ended(world: World, name: str, seconds: float = 30) -> Remediation:
    def check() -> Remediation | None:
        remediation = of_target(world, name)
        return remediation if remediation and remediation.status.outcome else None

    value = await world.until(check, seconds)
    assert isinstance(value, Remediation)
    return value


async def followed(world: World) -> Remediation:
    """Return the first remediation once its report about the cause exists."""

    def check() -> Remediation | None:
        first = of_target(world, "front")
        return first if first and first.status.follow_up and first.status.follow_up.uid else None

    value = await world.until(check)
    assert isinstance(value, Remediation)
    return value


def follow_up_report(world: World, first: Remediation) -> DiagnosisReport:
    assert first.status.follow_up is not None
    return world.report(first.status.follow_up.report)


async def test_the_cause_is_repaired_by_a_report_of_its_own(world: World) -> None:
    open_front(world)
    world.model.say([rollback()])
    async with world.operator():
        report_front(world)
        first = await ended(world, "front")
    assert (first.status.outcome, first.status.reason) == (
        Outcome.VERIFIED,
        Reason.CAUSE_REPAIRED,
    ), first.status.message
    assert image_of(world.api) == GOOD
    assert len(world.runner.ran) == 1, "nothing was done to the first target"
    (attempt,) = first.status.attempts
    assert attempt.run is None
    assert attempt.generation is None
    follow_up = first.status.follow_up
    assert follow_up is not None
    assert follow_up.outcome is Outcome.VERIFIED
    report, second = follow_up_report(world, first), of_target(world, "cart")
    assert second is not None
    # both name each other
    assert follow_up.remediation == second.metadata.name
    link = second.spec.follow_up_of
    assert link is not None
    assert (link.remediation, link.uid, link.depth) == (
        first.metadata.name,
        first.metadata.uid,
        1,
    )
    assert report.spec.follow_up_of == link
    assert report.metadata.labels[REMEDIATION_UID_LABEL] == first.metadata.uid
    assert report.spec.target.name == "cart"
    assert report.spec.fault.type == "errors"
    assert report.spec.fault.confidence_percent == 90
    assert follow_up.cause.evidence
    assert {e.text for e in report.spec.evidence} >= set(follow_up.cause.evidence)
    assert "cause-rollout" in {probe.name for probe in report.spec.probes}
    texts = [event.get("note") or event.get("message", "") for event in world.api.all("events")]
    assert any(f"opened report {report.metadata.name} about Deployment cart" in t for t in texts)
    assert any(f"opened by remediation {first.metadata.name}" in t for t in texts)
    assert world.leftovers() == []


async def test_a_refused_report_ends_the_first_one_with_the_place_of_the_fault(
    world: World,
) -> None:
    open_front(world, targets=[{"names": ["front"]}])
    async with world.operator():
        report_front(world)
        first = await ended(world, "front")
    assert (first.status.outcome, first.status.reason) == (
        Outcome.ABSTAINED,
        Reason.FAULT_ELSEWHERE,
    )
    for text in ("Deployment cart", "NoPolicyMatches"):
        assert text in first.status.message
    assert world.runner.ran == []


async def test_a_cause_that_is_not_repaired_is_said(world: World) -> None:
    open_front(world)
    world.model.say([scale(2)])
    async with world.operator():
        report_front(world)
        first = await ended(world, "front")
    assert (first.status.outcome, first.status.reason) == (
        Outcome.ABSTAINED,
        Reason.CAUSE_NOT_REPAIRED,
    )
    second = of_target(world, "cart")
    assert second is not None
    assert second.status.outcome is Outcome.ROLLED_BACK
    assert second.metadata.name in first.status.message
    assert image_of(world.api) == BAD


async def test_a_cancelled_remediation_leaves_the_report_of_the_cause_alone(world: World) -> None:
    # The cause's own policy asks a person.
    open_front(world, mode="Approve")
    world.model.say([rollback()])
    async with world.operator():
        report_front(world)
        first = await followed(world)
        world.api.edit("remediations", NAMESPACE, first.metadata.name, {"spec": {"cancel": True}})
        first = await ended(world, "front")
        assert (first.status.outcome, first.status.reason) == (
            Outcome.CANCELLED,
            Reason.CANCELLED,
        )
        assert "goes on by itself" in first.status.message
        report = follow_up_report(world, first)
    assert report.spec.target.name == "cart"
    assert not report.spec.suspend


async def test_it_waits_for_the_person_who_decides_about_the_cause(world: World) -> None:
    open_front(world, mode="Approve")
    world.model.say([rollback()])
    async with world.operator():
        report_front(world)

        def waits() -> bool:
            first, second = of_target(world, "front"), of_target(world, "cart")
            conditions = first.status.conditions if first else []
            summary = find_condition(conditions, ConditionType.SUCCEEDED)
            approved = find_condition(
                second.status.conditions if second else [], ConditionType.APPROVED
            )
            return (
                summary is not None
                and summary.reason is Reason.FOLLOWING_CAUSE
                and approved is not None
                and approved.reason is Reason.WAITING_FOR_APPROVAL
            )

        await world.until(waits, 20)
        first = of_target(world, "front")
        assert first is not None
        assert first.status.outcome is None


async def test_a_restart_adopts_the_report_and_the_first_one_ends(world: World) -> None:
    open_front(world)
    world.model.say([rollback()])
    async with world.operator() as operator:
        report_front(world)
        await followed(world)
        world.kill(operator)
    async with world.operator():
        first = await ended(world, "front")
    assert first.status.reason is Reason.CAUSE_REPAIRED, first.status.message
    about_cart = [
        r for r in world.api.all("diagnosisreports") if r["spec"]["target"]["name"] == "cart"
    ]
    assert len(about_cart) == 1
    assert len(world.runner.ran) == 1


async def test_a_suspended_remediation_opens_no_report(world: World) -> None:
    open_front(world)
    async with world.operator():
        file_report(world.api, "front-down", target=FRONT, suspend=False)
        world.api.hooks.append(_suspend_first(world))

        def waits() -> bool:
            first = of_target(world, "front")
            summary = find_condition(
                first.status.conditions if first else [], ConditionType.SUCCEEDED
            )
            return summary is not None and summary.reason is Reason.SUSPENDED

        await world.until(waits)
        reports = world.api.all("diagnosisreports")
    assert [r["metadata"]["name"] for r in reports] == ["front-down"]


def _suspend_first(world: World) -> Any:
    done: list[str] = []

    def hook(what: str, obj: Any) -> None:
        if what == "MODIFIED remediations" and not done and obj["status"].get("baseline"):
            done.append(obj["metadata"]["name"])
            world.api.edit("remediations", NAMESPACE, done[0], {"spec": {"suspend": True}})

    return hook


@pytest.mark.parametrize("claims", ["another-uid", "front-down"])
async def test_a_link_that_no_remediation_confirms_is_ignored(world: World, claims: str) -> None:
    """A report of a person that says that a remediation opened it is one like any other."""
    open_shop(world.api)
    world.model.say([rollback()])
    link = {"remediation": claims, "uid": claims, "depth": 2}
    async with world.operator():
        file_report(world.api, "forged", followUpOf=link)
        remediation = await ended(world, "cart")
    assert remediation.status.outcome is Outcome.VERIFIED
    assert remediation.spec.follow_up_of is None


async def test_the_cause_of_the_cause_is_followed_too(world: World) -> None:
    """front calls middle, and middle calls the broken cart; one remediation acts at a time."""
    open_front(world)
    put_caller(world, "middle", "http://cart:8080/", ready=0)
    put_caller(world, "front", "http://middle/", ready=1)
    world.model.say([rollback()])
    async with world.operator():
        report_front(world)
        first = await ended(world, "front")
    assert first.status.reason is Reason.CAUSE_REPAIRED, first.status.message
    depths = {
        r.spec.target.name: r.spec.follow_up_of.depth if r.spec.follow_up_of else 0
        for r in world.remediations()
    }
    assert depths == {"front": 0, "middle": 1, "cart": 2}
    assert {r.status.outcome for r in world.remediations()} == {Outcome.VERIFIED}
    assert len(world.runner.ran) == 1


@dataclass
class TwoFaultsProber(ImageProber):
    """The front works once the cart does, and has two replicas itself."""

    async def sample(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Measure."""
        sample = await super().sample(probe, target, namespace)
        front = self.api.get("deployments", NAMESPACE, "front")
        if target.name != "front" or (front and front["spec"]["replicas"] == 2):
            return sample
        return Sample(False, "503", "overloaded")


async def test_a_fault_of_the_target_itself_is_repaired_after_its_cause(world: World) -> None:
    quick = {"windowSeconds": 1, "timeoutSeconds": 5, "baselineSamples": 1, "neighbours": "None"}
    open_front(world, maxAttempts=2, verification=quick)
    world.prober = TwoFaultsProber(world.api)
    own = {"kind": "Deployment", "name": "front", "namespace": NAMESPACE, "replicas": 2}
    world.model.say([rollback()], [{"kubernetes.core.k8s_scale": own}])
    async with world.operator():
        report_front(world)
        first = await ended(world, "front", 60)
    assert first.status.outcome is Outcome.VERIFIED, first.status.message
    following, last = first.status.attempts
    assert following.reason is Reason.CAUSE_NOT_REPAIRED
    assert following.run is None
    assert last.run is not None
    # Until it had room in the budgets again, it was on hold.
    assert first.status.hold is None
    assert first.status.held_seconds >= 1
    assert image_of(world.api) == GOOD
    assert len(world.runner.ran) == 2


async def test_two_that_call_each_other_do_not_follow_each_other_for_ever(world: World) -> None:
    open_front(world)
    put_caller(world, "middle", "http://front/", ready=0)
    put_caller(world, "front", "http://middle/", ready=0)
    async with world.operator():
        report_front(world)
        await ended(world, "front")
        second = of_target(world, "middle")
    assert second is not None
    assert second.status.reason is Reason.FAULT_ELSEWHERE
    assert "it led here" in second.status.message
    assert len(world.api.all("diagnosisreports")) == 2
