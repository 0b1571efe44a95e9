"""Revisions, usage and init containers: what the raw data of the API server shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_model.prompt.redact import redact
from reme_playbook.inspections.init_containers import (
    InitContainers,
    init_findings,
    waiting_init_containers,
)
from reme_playbook.inspections.resource_usage import ResourceUsage, UsageSample, usage_findings
from reme_playbook.inspections.revision_diff import RevisionDiff, revision_findings
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import Callee, ClusterSnapshot
from tests.unit.playbook.builders import CART, STOCK, Shop, container, template

START = datetime(2026, 1, 2, 0, 0, tzinfo=UTC)  # the current revision of two came at 00:00
NOW = START + timedelta(minutes=30)


# RevisionDiff


def diff(live: ClusterSnapshot, start: datetime | None = START, revision: int = 1) -> list[Finding]:
    inspection = RevisionDiff(subject=CART, revision=revision)
    current = live.current_revision
    return list(revision_findings(inspection, live.revisions, current, start, redact))


def released(**changes: Any) -> ClusterSnapshot:
    return Shop(template=template(container(**changes)), earlier=[template()]).live()


def test_a_release_just_before_the_fault_is_a_recent_change() -> None:
    findings = diff(released(image="registry.example/cart:3"), START + timedelta(minutes=3))
    assert [f.kind for f in findings] == [FindingKind.RECENT_CHANGE] * 2
    assert [f.text for f in findings] == [
        "revision 2 came 3 min before the fault began; from revision 1 1 field differs",
        "containers[server].image: was registry.example/cart:2, is registry.example/cart:3",
    ]
    assert findings[0].at == START


@pytest.mark.parametrize(
    ("minutes", "kind"),
    [
        (60, FindingKind.EARLIER_CHANGE),
        (-2, FindingKind.RECENT_CHANGE),  # the start is known to some minutes only
        (-60, FindingKind.NORMAL),
    ],
)
def test_the_time_says_whether_a_release_may_be_the_cause(minutes: int, kind: FindingKind) -> None:
    findings = diff(released(image="x:1"), START + timedelta(minutes=minutes))
    assert {finding.kind for finding in findings} == {kind}


def test_without_a_known_start_every_release_may_be_the_cause() -> None:
    (first, *_) = diff(released(image="x:1"), None)
    assert first.kind is FindingKind.RECENT_CHANGE
    assert first.text == "revision 2 came; from revision 1 1 field differs"


def test_the_values_of_secrets_are_hidden() -> None:
    env = [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "URL", "value": "a://b:hunter2@c"}]
    live = released(env=env, command=["serve", "--password", "hunter2"])
    texts = " ".join(finding.text for finding in diff(live))
    assert "DB_PASSWORD" in texts
    assert "(hidden)" in texts
    assert "hunter2" not in texts


def test_equal_revisions_and_missing_ones() -> None:
    assert diff(Shop(earlier=[template()]).live())[0].kind is FindingKind.NORMAL
    assert diff(Shop().live(), revision=7)[0].kind is FindingKind.UNAVAILABLE


def test_the_previous_revision_is_offered_first() -> None:
    live = Shop(
        template=template(container(image="c")),
        earlier=[template(container(image="a")), template(container(image="b"))],
    ).live()
    assert [c.revision for c in RevisionDiff.candidates(live)] == [2, 1]
    assert list(RevisionDiff.candidates(Shop().live())) == []


# ResourceUsage


def pod(name: str = "cart-1", memory: str = "64Mi", **state: Any) -> dict[str, Any]:
    limits = {"cpu": "200m", "memory": memory}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "server", "resources": {"limits": limits}}]},
        "status": {"containerStatuses": [{"name": "server", **state}]},
    }


def sample(second: int, cpu: str, memory: str, name: str = "cart-1") -> UsageSample:
    usage = {"name": "server", "usage": {"cpu": cpu, "memory": memory}}
    time = (START + timedelta(seconds=second)).isoformat()
    return UsageSample([{"metadata": {"name": name}, "timestamp": time, "containers": [usage]}])


def usage(*samples: UsageSample, pods: list[dict[str, Any]] | None = None) -> list[Finding]:
    inspection = ResourceUsage(subject=CART)
    return list(usage_findings(inspection, pods or [pod()], samples, START))


def test_usage_is_compared_with_the_limit_that_the_pod_has() -> None:
    # A new template may have another limit already.
    findings = usage(sample(0, "10m", "62Mi"), sample(15, "10m", "63Mi"))
    assert [(f.kind, f.text) for f in findings] == [
        (FindingKind.NORMAL, "cpu of server in pod cart-1: 10m of 200m (5%), steady for 15 s"),
        (
            FindingKind.USAGE_HIGH,
            "memory of server in pod cart-1: 63Mi of 64Mi (98%), steady for 15 s",
        ),
    ]


def test_a_trend_needs_samples_of_different_times() -> None:
    rising = usage(sample(0, "10m", "20Mi"), sample(30, "10m", "40Mi"))[1]
    assert rising.text.endswith("40Mi of 64Mi (62%), rising from 20Mi within 30 s")
    once = usage(sample(0, "10m", "20Mi"), sample(0, "10m", "20Mi"))[1]
    assert once.text.endswith("20Mi of 64Mi (31%)")


def test_how_many_pods_are_high_is_said() -> None:
    pods = [pod("a"), pod("b"), pod("c")]
    amounts = {"a": "1Mi", "b": "63Mi", "c": "60Mi"}
    samples = [sample(0, "1m", memory, name) for name, memory in amounts.items()]
    assert "in 2 of 3 pods: 63Mi" in usage(*samples, pods=pods)[1].text


def test_a_container_that_was_killed_for_memory_is_a_finding_also_without_metrics() -> None:
    ended = {"reason": "OOMKilled", "finishedAt": (START + timedelta(seconds=30)).isoformat()}
    killed = pod(restartCount=4, lastState={"terminated": ended})
    findings = usage(pods=[killed])
    assert [f.kind for f in findings] == [FindingKind.OUT_OF_MEMORY, FindingKind.UNAVAILABLE]
    assert findings[0].text == (
        "container server of pod cart-1 was killed at its memory limit of 64Mi and has restarted"
        " 4 times, the last time 30 s after the fault began"
    )


def test_usage_without_a_limit_is_said_so() -> None:
    unlimited = pod()
    unlimited["spec"]["containers"][0]["resources"] = {}
    assert "5m, without a limit" in usage(sample(0, "5m", "1Gi"), pods=[unlimited])[0].text


def test_usage_of_what_the_target_calls_is_offered() -> None:
    live = replace(Shop().live(), callees=(Callee("stock", {"app": "stock"}, (8080,)),))
    assert [c.subject for c in ResourceUsage.candidates(live)] == [CART, STOCK]


# InitContainers


def init(**state: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "cart-1"},
        "status": {"initContainerStatuses": [{"name": "migrate", **state}]},
    }


def init_texts(status: dict[str, Any]) -> list[tuple[FindingKind, str]]:
    inspection = InitContainers(subject=CART)
    findings = init_findings(inspection, [status], [], NOW, START, redact)
    return [(finding.kind, finding.text) for finding in findings]


FAILED = {"terminated": {"exitCode": 3, "reason": "Error"}}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff"}}
LONG = {"running": {"startedAt": "2026-01-02T00:10:00Z"}}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (
            {"state": BACK_OFF, "lastState": FAILED, "restartCount": 4},
            "failed with exit code 3, restarted 4 times",
        ),
        ({"state": FAILED}, "failed with exit code 3"),
        (
            {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}},
            "cannot start: ErrImagePull (no such image)",
        ),
        ({"state": LONG}, "has been running for 20 min without an end"),
        (
            {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
            "failed with exit code 137 (killed for memory)",
        ),
    ],
)
def test_an_init_container_that_keeps_a_pod_from_starting(state: dict[str, Any], text: str) -> None:
    assert init_texts(init(**state)) == [
        (
            FindingKind.INIT_CONTAINER_FAILED,
            f"init container migrate of pod cart-1 {text}",
        )
    ]


@pytest.mark.parametrize(
    "state",
    [
        {"state": {"terminated": {"exitCode": 0}}},
        {"state": {"waiting": {"reason": "PodInitializing"}}},
        {"state": {"running": {"startedAt": "2026-01-02T00:29:50Z"}}},
        {"state": LONG, "started": True},  # a sidecar
    ],
)
def test_an_init_container_that_is_well(state: dict[str, Any]) -> None:
    assert waiting_init_containers([init(**state)], NOW) == []
    ((kind, _),) = init_texts(init(**state))
    assert kind is FindingKind.NORMAL


def test_init_containers_are_offered_only_if_the_template_has_some() -> None:
    assert list(InitContainers.candidates(Shop().live())) == []
    live = Shop(template=template(initContainers=[{"name": "migrate"}])).live()
    assert list(InitContainers.candidates(live)) == [InitContainers(subject=CART)]
