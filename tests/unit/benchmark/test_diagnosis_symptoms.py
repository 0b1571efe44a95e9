"""Findings of objects: signs of a fault are marked as telling, others are not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_api.diagnosis_report import EvidenceKind
from reme_benchmark.diagnosis import symptoms
from reme_benchmark.diagnosis.findings import LONGEST, Finding, distinct, finding
from reme_benchmark.scoring.user_sli import UserSli

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def pod(*statuses: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "cart-6c5ffbd6d6-27r8j"},
        "spec": {
            "containers": [{"name": "web", "resources": {"limits": {"cpu": "300m", "memory": "0"}}}]
        },
        "status": {"phase": "Running", "containerStatuses": list(statuses), **status},
    }


def texts(findings: Any) -> list[tuple[str, bool]]:
    return [(f.text, f.telling) for f in findings]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}},
            "container web is waiting: ImagePullBackOff: no such image",
        ),
        (
            {
                "state": {"waiting": {"reason": "ContainerCreating"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                "restartCount": 3,
            },
            "container web was OOMKilled with exit code 137, 3 restarts",
        ),
        (
            {"state": {"running": {}}, "restartCount": 1},
            "container web was restarted 1 times and is not ready",
        ),
    ],
)
def test_a_container_that_is_not_well(status: dict[str, Any], text: str) -> None:
    assert texts(symptoms.of_pod(pod({"name": "web", "ready": False, **status}))) == [(text, True)]


def test_a_pod_that_is_well_and_one_that_finds_no_place() -> None:
    well = pod({"name": "web", "ready": True, "state": {"running": {}}, "restartCount": 0})
    assert texts(symptoms.of_pod(well)) == [("phase Running, ready", False)]
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }
    lost = pod(phase="Pending", conditions=[condition])
    assert texts(symptoms.of_pod(lost)) == [
        ("pending, Unschedulable: 0/1 nodes are available", True)
    ]


def test_what_a_workload_says() -> None:
    findings = symptoms.of_workload(
        {
            "kind": "Deployment",
            "metadata": {"name": "cart"},
            "spec": {"replicas": 3, "paused": True},
            "status": {
                "availableReplicas": 1,
                "conditions": [
                    {
                        "type": "Progressing",
                        "status": "False",
                        "reason": "ProgressDeadlineExceeded",
                        "message": "timed out progressing",
                    },
                    {"type": "Available", "status": "True", "reason": "Fine", "message": "x"},
                ],
            },
        }
    )
    assert texts(findings) == [
        ("1 of 3 replicas are available", True),
        ("its rollout is paused", True),
        ("ProgressDeadlineExceeded: timed out progressing", True),
    ]
    none = {"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"replicas": 0}}
    assert texts(symptoms.of_workload(none)) == [("db is scaled to 0 replicas", True)]


def event(reason: str, ago: float, kind: str = "Warning", **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "reason": reason,
        "message": "m",
        "lastTimestamp": (NOW - timedelta(seconds=ago)).isoformat(),
        "involvedObject": {"kind": "Pod", "name": "cart-1"},
        **fields,
    }


def test_events_of_an_earlier_incident_are_left_out() -> None:
    findings = symptoms.of_events(
        [
            event("Old", 400),
            event("Pulled", 1, "Normal"),
            event("BackOff", 9, count=4),
            event("Unhealthy", 3),
            event("NoTime", 1, lastTimestamp=None),
        ],
        NOW - timedelta(seconds=60),
    )
    assert texts(findings) == [
        ("Unhealthy: m", True),
        ("BackOff (x4): m", True),
        ("Pulled: m", False),
    ]


def test_usage_is_compared_with_limits_where_there_are_some() -> None:
    metrics = [
        {
            "metadata": {"name": "cart-6c5ffbd6d6-27r8j"},
            "containers": [{"name": "web", "usage": {"cpu": "299123456n", "memory": "20480Ki"}}],
        },
        {"metadata": {"name": "gone"}, "containers": [{"name": "web", "usage": {"cpu": "1"}}]},
    ]
    findings = list(symptoms.of_usage([pod()], metrics))
    assert texts(findings) == [("cpu 300m of 300m (100%), memory 20Mi without a limit", True)]
    assert findings[0].kind is EvidenceKind.METRIC


def test_the_last_complaints_of_a_log_the_newest_first() -> None:
    log = "\n".join(
        [
            "2026-01-02T03:04:05.123Z INFO up",
            *(f"2026-01-02T03:04:0{n}Z ERROR number {n}" for n in range(5)),
            "INFO bye",
        ]
    )
    findings = list(symptoms.of_log(log, "cart-1", "web"))
    assert texts(findings) == [(f"ERROR number {n}", True) for n in (4, 3, 2)]
    assert findings[0].source == "Pod/cart-1/web"
    assert texts(symptoms.of_log("a\nall is well\n\n", "p", "c")) == [("all is well", False)]
    assert texts(symptoms.of_log("", "p", "c")) == []


def test_users() -> None:
    good = UserSli(ok=10, p50_milliseconds=9.6, p95_milliseconds=31, end=5)
    assert texts(symptoms.of_users("/", good)) == [
        ("0 of 10 requests of users failed, path /; median 10 ms, p95 31 ms", False)
    ]
    assert texts(symptoms.of_users("/cart", UserSli(ok=6, failed=4, end=5))) == [
        ("4 of 10 requests of users failed, path /cart", True)
    ]
    assert texts(symptoms.of_users("/", UserSli(end=5))) == [
        ("no request of users was answered, path /", True)
    ]
    assert texts(symptoms.of_users("/", UserSli())) == []


def test_repetitions_and_our_own_traces_are_left_out() -> None:
    def log(text: str, telling: bool = False) -> Finding:
        return finding(EvidenceKind.LOG, "s", text, telling=telling)

    findings = distinct(
        [
            log("all is well"),
            log("GET /cart 502 after 31 ms", True),
            log("GET /cart 502 after 47 ms", True),
            log("sh -c reme-fault:reme:x:abcd:cpu:1", True),
            log(""),
            log("x" * 5000, True),
        ],
        most=9,
    )
    assert [f.text[:25] for f in findings] == ["GET /cart 502 after 31 ms", "x" * 25, "all is well"]
    assert len(findings[1].text) == LONGEST
    assert len(distinct(findings, 1)) == 1


def test_a_finding_is_one_line_that_can_be_seen() -> None:
    hidden = finding(EvidenceKind.LOG, "s", "a\n\tb\u202ec\x1b[31m\x00d\ud800")
    assert hidden.text == "a bc [31m d"
