"""Logs are read over the API as the kubelet serves them: the end counts, and the fault's begin."""

from datetime import UTC, datetime, timedelta

from reme_playbook.inspections.container_logs import MAX_BYTES, ContainerLogs
from reme_playbook.inspections.object_events import ObjectEvents
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.doubles.fake_api import refusal
from tests.doubles.shop import NAMESPACE
from tests.integration.inspections.conftest import CART, Inspected

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
FAILING = {"name": "cart", "ready": False, "restartCount": 2}


def lines(*texts: str, first: int = 0) -> str:
    return "".join(
        f"{(START + timedelta(seconds=first + n)).isoformat()[:19]}.123456789Z {text}\n"
        for n, text in enumerate(texts)
    )


async def test_the_log_of_the_replica_that_fails_is_read(shop: Inspected) -> None:
    shop.pod("cart-2-a", containerStatuses=[{**FAILING, "ready": True, "restartCount": 0}])
    shop.pod("cart-2-b", containerStatuses=[FAILING])
    shop.api.logs["cart-2-b", "cart", False] = lines("ready", "ERROR cannot reach db")
    result = await shop.inspect(ContainerLogs(subject=CART))
    (finding,) = result.findings
    assert finding.kind is FindingKind.LOG_ERROR
    assert finding.subject == CART
    assert finding.text == "cart in cart-2-b: ERROR cannot reach db"


async def test_the_log_before_the_restart_tells_how_it_ended(shop: Inspected) -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    shop.pod("cart-2-b", containerStatuses=[{**FAILING, "lastState": ended}])
    shop.api.logs["cart-2-b", "cart", True] = lines("loading", "loaded 1 GiB")
    result = await shop.inspect(ContainerLogs(subject=CART, container="cart", previous=True))
    assert [f.kind for f in result.findings] == [
        FindingKind.OUT_OF_MEMORY,
        FindingKind.NORMAL,
        FindingKind.NORMAL,
    ]
    assert "memory limit of 64Mi" in result.findings[0].text


async def test_of_a_log_that_is_too_large_the_end_is_read(shop: Inspected) -> None:
    shop.pod("cart-2-b", containerStatuses=[FAILING])
    huge = ["x" * 5000] * 1500
    assert sum(map(len, huge)) > MAX_BYTES
    shop.api.logs["cart-2-b", "cart", False] = lines(*huge, "ERROR at the very end")
    result = await shop.inspect(ContainerLogs(subject=CART))
    assert "at the very end" in result.findings[0].text


async def test_the_begin_of_the_fault_is_read_when_the_last_lines_do_not_reach_it(
    shop: Inspected,
) -> None:
    shop.fault_start = START + timedelta(seconds=100)
    shop.pod("cart-2-b", containerStatuses=[FAILING])
    texts = [f"GET /{n} 200" for n in range(6000)]
    texts[101] = "ERROR the pool is closed"
    shop.api.logs["cart-2-b", "cart", False] = lines(*texts)
    result = await shop.inspect(ContainerLogs(subject=CART))
    (finding,) = result.findings
    assert finding.text.endswith("1 s after the fault began: ERROR the pool is closed")


async def test_only_what_is_not_older_is_read(shop: Inspected) -> None:
    shop.pod("cart-2-b", containerStatuses=[FAILING])
    shop.api.logs["cart-2-b", "cart", False] = lines("ERROR of long ago")
    result = await shop.inspect(ContainerLogs(subject=CART, since_seconds=60))
    assert result.findings[0].text == "the log is empty"


async def test_a_named_pod_is_read(shop: Inspected) -> None:
    shop.pod("cart-2-b", containerStatuses=[FAILING])
    shop.api.logs["cart-2-b", "cart", False] = lines("ERROR x")
    pod = ObjectRef("Pod", NAMESPACE, "cart-2-b")
    assert (await shop.inspect(ContainerLogs(subject=pod))).findings[0].subject == pod


async def test_a_log_that_is_not_there_says_nothing(shop: Inspected) -> None:
    nothing = await shop.inspect(ContainerLogs(subject=CART))
    assert nothing.findings[0].kind is FindingKind.UNAVAILABLE
    shop.pod("cart-2-b", containerStatuses=[FAILING])
    waiting = await shop.inspect(ContainerLogs(subject=CART))
    assert waiting.findings[0].kind is FindingKind.UNAVAILABLE
    assert "not found" in waiting.findings[0].text


async def test_without_the_right_nothing_is_said(shop: Inspected) -> None:
    shop.pod("cart-2-b", containerStatuses=[FAILING])
    shop.api.faults.append(refusal(403, "Forbidden", path="/log"))
    result = await shop.inspect(ContainerLogs(subject=CART))
    assert "no such right" in result.error
    assert result.findings[0].kind is FindingKind.UNAVAILABLE


async def test_events_of_a_workload_are_those_of_its_pods_and_replica_sets_too(
    shop: Inspected,
) -> None:
    shop.fault_start = START
    shop.pod("cart-2-b")

    def event(name: str, kind: str, about: str, reason: str, severity: str, second: int) -> None:
        time = (START + timedelta(seconds=second)).isoformat()
        shop.api.put(
            "events",
            {
                "metadata": {"name": name, "namespace": NAMESPACE},
                "involvedObject": {"kind": kind, "name": about, "namespace": NAMESPACE},
                "type": severity,
                "reason": reason,
                "message": f"message of {reason}",
                "lastTimestamp": time,
                "count": 3,
            },
        )

    event("1", "Pod", "cart-2-b", "Unhealthy", "Warning", 30)
    event("2", "ReplicaSet", "cart-2", "FailedCreate", "Warning", -3600)
    event("3", "Deployment", "cart", "ScalingReplicaSet", "Normal", 60)
    event("4", "Pod", "other", "Unhealthy", "Warning", 30)
    result = await shop.inspect(ObjectEvents(subject=CART))
    assert [(f.kind, f.text.partition(": ")[0]) for f in result.findings] == [
        (
            FindingKind.WARNING_EVENT,
            "Unhealthy of Pod cart-2-b, 3 times, 30 s after the fault began",
        ),
        (
            FindingKind.NORMAL,
            "ScalingReplicaSet of Deployment cart, 3 times, 60 s after the fault began",
        ),
        (
            FindingKind.NORMAL,  # so long before the fault that it is no sign of it
            "FailedCreate of ReplicaSet cart-2, 3 times, 60 min before the fault began",
        ),
    ]
    assert result.findings[0].text.endswith(": message of Unhealthy")


async def test_a_log_that_the_runtime_has_removed_is_no_error_of_the_program(
    shop: Inspected,
) -> None:
    ended = {"terminated": {"reason": "Error", "exitCode": 1}}
    shop.pod("cart-2-b", containerStatuses=[{**FAILING, "lastState": ended}])
    shop.api.logs["cart-2-b", "cart", True] = (
        "unable to retrieve container logs for containerd://0123456789abcdef"
    )
    result = await shop.inspect(ContainerLogs(subject=CART, container="cart", previous=True))
    assert all(finding.kind is not FindingKind.LOG_ERROR for finding in result.findings)
    assert not any("unable to retrieve" in finding.text for finding in result.findings)
