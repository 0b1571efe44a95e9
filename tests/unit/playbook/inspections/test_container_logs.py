"""What a log tells: the worst first, redacted, and nothing that was so while all was well."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_model.prompt.redact import redact
from reme_playbook.inspections.container_logs import (
    ContainerLog,
    ContainerLogs,
    choose_containers,
    log_findings,
    termination_of,
)
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind
from reme_playbook.snapshot.snapshot import Callee, ClusterSnapshot
from tests.unit.playbook.builders import CART, STOCK, Shop, key

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
LOGS = ContainerLogs(subject=CART)
ENDED = {"reason": "Error", "exitCode": 1, "finishedAt": "2026-01-02T03:00:30Z"}


def log(*lines: str, first: int = 0, pod: str = "cart-1", **more: Any) -> ContainerLog:
    """Return a log with one line per second, the first so many seconds after the fault began."""
    text = "".join(
        f"{(START + timedelta(seconds=first + n)).isoformat()[:19]}.5Z {line}\n"
        for n, line in enumerate(lines)
    )
    return ContainerLog(pod, "server", text, **more)


def findings(*logs: ContainerLog, start: datetime | None = START) -> list[Finding]:
    return list(log_findings(LOGS, logs, start, redact))


def test_one_huge_line_among_thousands_is_the_first_finding() -> None:
    lines = [f"GET /items/{n} 200 {n}ms" for n in range(2000)]
    lines[900] = f"{'x ' * 15_000}db connection refused, password=hunter2 {'y ' * 15_000}"
    assert len(lines[900]) > 60_000
    worst = findings(log(*lines))[0]
    assert worst.kind is FindingKind.LOG_ERROR
    assert "db connection refused" in worst.text
    assert "15 min after the fault began" in worst.text
    assert "hunter2" not in worst.text
    assert len(worst.text) <= MAX_TEXT


def test_repetitions_are_counted_and_rare_errors_come_first() -> None:
    errors = [f"ERROR cannot save item {n}" for n in range(50)]
    shown = findings(log(*errors, "ERROR disk is full"))
    assert [f.text for f in shown] == [
        "server in cart-1, 50 s after the fault began: ERROR disk is full",
        "server in cart-1, 50 times, first 0 s after the fault began: ERROR cannot save item 49",
    ]
    assert shown[0].at == START + timedelta(seconds=50.5)


def test_what_was_logged_the_same_way_while_all_was_well_is_normal() -> None:
    noise = log(*["ERROR cannot send statistics"] * 1200, first=-1000)
    sign = log("ERROR cannot reach db", first=10)
    shown = findings(ContainerLog("cart-1", "server", noise.text + sign.text))
    assert [f.kind for f in shown] == [FindingKind.LOG_ERROR, FindingKind.NORMAL]
    assert "cannot reach db" in shown[0].text
    assert "1200 times, first 17 min before the fault began" in shown[1].text


def test_without_a_known_start_nothing_is_called_early() -> None:
    (shown,) = findings(log(*["ERROR cannot reach db"] * 3, first=-1000), start=None)
    assert shown.kind is FindingKind.LOG_ERROR
    assert "3 times, within 2 s" in shown.text


def test_without_a_known_start_what_was_last_logged_long_ago_is_normal() -> None:
    for hours, kind in ((0.5, FindingKind.LOG_ERROR), (3, FindingKind.NORMAL)):
        now = START + timedelta(hours=hours)
        shown = list(log_findings(LOGS, [log("ERROR no db yet")], None, redact, now))[-1]
        assert shown.kind is kind
        assert ("last 3 h ago: ERROR" in shown.text) is (kind is FindingKind.NORMAL)


def test_no_error_is_said_with_how_much_was_read() -> None:
    (shown,) = findings(log("started", "ready"))
    assert shown == Finding(FindingKind.NORMAL, CART, "no error in 2 records of the log")
    assert findings(log())[0].text == "the log is empty"
    assert findings()[0].kind is FindingKind.UNAVAILABLE


def test_the_last_line_before_a_crash_comes_first() -> None:
    shown = findings(log("ERROR a", "ERROR b", "panic: no config", termination=ENDED))
    assert shown[0].text == "server in cart-1, last before exit code 1: panic: no config"
    assert len(shown) == 3


def test_of_a_stack_trace_the_line_that_tells_is_shown_from_its_begin() -> None:
    trace = ["Traceback (most recent call last):", *["  frame"] * 60, "BrokenPipeError: x"]
    (shown,) = findings(log(*trace))
    assert shown.text.endswith("the fault began: BrokenPipeError: x")


def test_the_log_of_a_container_that_waits_is_that_of_its_last_run() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    state = {"state": waiting, "lastState": {"terminated": ENDED}}
    assert termination_of(state, previous=False) == ENDED
    assert termination_of({**state, "state": {"running": {}}}, previous=False) == {}


def test_a_last_line_that_names_no_error_is_shown_too() -> None:
    shown = findings(log("ready", "bye", termination=ENDED))
    assert [f.kind for f in shown] == [FindingKind.NORMAL] * 2
    assert "last before exit code 1: bye" in shown[1].text


def test_a_container_that_was_killed_for_memory_is_a_finding() -> None:
    ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-01-02T03:00:30Z"}
    shown = findings(log("ready", termination=ended, memory_limit="64Mi"))
    assert shown[0].kind is FindingKind.OUT_OF_MEMORY
    assert shown[0].text == "container server of pod cart-1 was killed at its memory limit of 64Mi"
    assert shown[0].at == START + timedelta(seconds=30)


def test_the_same_of_two_pods_is_one_finding() -> None:
    (shown,) = findings(log("ERROR x is down"), log("ERROR x is down", pod="cart-2"))
    assert "server in 2 pods, 2 times" in shown.text


@pytest.mark.parametrize(
    "secret",
    [
        "password=hunter2hunter2",
        "https://user:hunter2hunter2@db/",
        "Authorization: Bearer hunter2.hunter2",
        "token=ghp_hunter2hunter2hunter2hunter2",
        "--password hunter2hunter2",
    ],
)
@pytest.mark.parametrize("padding", [0, 100, 250, 7_000, 60_000])
def test_no_secret_of_a_log_is_shown(secret: str, padding: int) -> None:
    for line in (
        f"{'x ' * padding}ERROR refused {secret} {'y ' * padding}",
        f"{'x ' * padding}{secret} ERROR refused {'y ' * padding}",
    ):
        for shown in findings(log(line, termination=ENDED)):
            assert "hunter2" not in shown.text


def pod(name: str, *states: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"containerStatuses": list(states)}}


def state(name: str = "server", *, ready: bool = True, restarts: int = 0) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts}


def chosen(inspection: ContainerLogs, *pods: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (pod["metadata"]["name"], status["name"])
        for pod, status in choose_containers(inspection, pods)
    ]


def test_the_replica_and_the_container_that_fail_are_read() -> None:
    pods = [
        pod("a", state("proxy"), state(ready=False, restarts=2)),
        pod("b", state("proxy"), state(ready=False, restarts=5)),
        pod("c", state("proxy"), state()),
    ]
    assert chosen(LOGS, *pods) == [("b", "server"), ("a", "server")]
    proxy = ContainerLogs(subject=CART, container="proxy")
    assert chosen(proxy, *pods) == [("c", "proxy"), ("b", "proxy")]
    before = ContainerLogs(subject=CART, previous=True)
    assert chosen(before, pods[2]) == []
    assert chosen(ContainerLogs(subject=CART, container="none"), *pods) == []


def test_the_newest_replicas_are_read_if_none_fails() -> None:
    assert chosen(LOGS, *(pod(name, state()) for name in "abc")) == [
        ("c", "server"),
        ("b", "server"),
    ]


def failing(*, ready: bool = False) -> ClusterSnapshot:
    live = Shop().live()
    broken = {
        **live.objects[key("Pod", "cart-6d-1")],
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [state("proxy"), state(ready=ready, restarts=2)],
        },
    }
    return replace(live, objects={**live.objects, key("Pod", "cart-6d-1"): broken})


def test_the_container_that_fails_is_offered_first_with_its_log_before_the_restart() -> None:
    labels = [candidate.label() for candidate in ContainerLogs.candidates(failing())]
    assert labels == [
        "ContainerLogs Deployment/cart container=server previous=true",
        "ContainerLogs Deployment/cart container=server",
        "ContainerLogs Deployment/cart container=proxy",
    ]
    named = replace(failing(), named_pods=("cart-6d-0", "cart-6d-1"))
    assert [c.label() for c in ContainerLogs.candidates(named)][3:] == [
        "ContainerLogs Pod/cart-6d-1"  # the other has no container yet
    ]


def test_the_workloads_that_the_target_calls_are_offered() -> None:
    live = replace(Shop().live(), callees=(Callee("stock", {"app": "stock"}, (8080,)),))
    assert ContainerLogs(subject=STOCK) in list(ContainerLogs.candidates(live))


@pytest.mark.parametrize("name", ["Server", "a b", "a\n", "$(id)", "x" * 64, "../etc"])
def test_no_text_becomes_the_name_of_a_container(name: str) -> None:
    with pytest.raises(ValueError, match="container"):
        ContainerLogs(subject=CART, container=name)
