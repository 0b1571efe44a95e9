"""Times of pods, and of what changed around a target."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_playbook.snapshot.changes import changes_of, last_change
from reme_playbook.snapshot.pod_times import never_ready, ready_since
from reme_playbook.snapshot.times import duration, parse_time, relative_to
from tests.unit.playbook.builders import CART, CONFIG, Shop, key, template
from tests.unit.playbook.builders import container as container_of

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


def at(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def pod(ready: bool, start: int | None = 0, changed: int = 0) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": "PodScheduled", "status": "True"}]}
    if start is not None:
        status["startTime"] = at(start)
        ready_condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": at(changed)}
        status["conditions"].append(ready_condition)
    return {"metadata": {"creationTimestamp": at(start or 0)}, "status": status}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(40, "40 s"), (119, "119 s"), (3720, "62 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_durations_are_in_the_largest_unit_that_fits(seconds: int, text: str) -> None:
    assert duration(seconds) == text
    assert relative_to(NOON - timedelta(seconds=seconds), NOON) == f"{text} before the fault began"


def test_only_times_are_parsed() -> None:
    assert parse_time(at(0)) == NOON
    assert parse_time("2026-01-10T12:00:00") == NOON
    assert parse_time("soon") is None


def test_a_pod_that_lost_its_readiness_has_been_ready() -> None:
    assert never_ready(pod(ready=False, changed=1))
    assert never_ready(pod(ready=False, start=None)), "no node has taken it"
    assert not never_ready(pod(ready=False, changed=40))
    assert not never_ready(pod(ready=True, changed=1))
    unknown = pod(ready=False)
    del unknown["status"]["conditions"][1]["lastTransitionTime"]
    assert not never_ready(unknown)


def test_pods_are_ready_since_the_last_of_them_is() -> None:
    pods = [pod(ready=True, changed=2), pod(ready=True, changed=9)]
    assert ready_since(pods) == NOON + timedelta(seconds=9)
    assert ready_since([*pods, pod(ready=False)]) is None
    assert ready_since([]) is None


def test_a_template_came_when_its_revision_did_and_a_restart_is_no_change() -> None:
    restarted = template()
    restarted["metadata"]["annotations"] = {"reme.dev/restarted-at": "x"}
    shop = Shop(earlier=[template(container_of(image="cart:1")), template()], template=restarted)
    texts = [(c.at.day, c.subject, c.what) for c in changes_of(shop.live())]
    assert texts == [(2, CART, "got the template of revision 2")]


def writer(manager: str, seconds: int, **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": at(seconds), **more}


def test_writers_of_objects_are_changes_unless_they_are_controllers_or_reme() -> None:
    meta = {
        "name": "cart-config",
        "creationTimestamp": at(-3600),
        "managedFields": [
            writer("kubectl-edit", -60, fieldsV1={"f:data": {}}),
            writer("reme-run", 10),
            writer("kube-controller-manager", 20),
            writer("kubectl-edit", 30, subresource="status"),
        ],
    }
    shop = Shop(config={"metadata": meta})
    assert [(c.subject, c.what, c.at) for c in changes_of(shop.live())] == [
        (CONFIG, "was changed", NOON - timedelta(seconds=60)),
        (CONFIG, "was created", NOON - timedelta(hours=1)),
    ]


def test_a_config_map_that_the_target_does_not_use_is_left_out() -> None:
    other = key("ConfigMap", "other")
    shop = Shop(related={other: {"metadata": {"name": "other", "creationTimestamp": at(0)}}})
    assert changes_of(shop.live()) == ()


def test_the_target_was_scaled_by_an_autoscaler() -> None:
    fields = [writer("kube-controller-manager", 5, subresource="scale"), writer("kubectl", 7)]
    live = Shop(metadata={"managedFields": fields}).live()
    assert [(c.subject, c.what) for c in changes_of(live)] == [(CART, "was scaled")]


def test_the_last_change_of_a_workload_is_one_of_its_spec() -> None:
    annotated = writer("helm", 50, fieldsV1={"f:metadata": {}})
    patched = writer("kubectl-patch", 40, fieldsV1={"f:metadata": {}, "f:spec": {}})
    workload = {
        "kind": "Deployment",
        "metadata": {"creationTimestamp": at(0), "managedFields": [annotated, patched]},
    }
    change = last_change(key("Deployment", "stock"), workload)
    assert change is not None
    assert change.at == NOON + timedelta(seconds=40)
    assert last_change(key("Deployment", "stock"), {}) is None
