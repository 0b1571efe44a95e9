"""A rollback of a StatefulSet replaces the pods that its controller would wait for."""

import json
from dataclasses import replace
from typing import Any

import pytest

from reme_api.run_grant import Verb
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollback import Rollback
from reme_playbook.compiler.playbook import check_conflicts, compile_playbook
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.execution.capture import capture, pin, planned_changes
from reme_playbook.execution.dry_run import dry_run_tasks, requests
from reme_playbook.execution.grants import grant_rules, run_roles
from reme_playbook.execution.render import render, tasks
from reme_playbook.execution.rollback import plan_rollback
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.stuck_pods import MAX_STUCK_PODS
from tests.unit.playbook.builders import Shop, container, everything, key, template
from tests.unit.playbook.test_dry_run import history

CART = key("StatefulSet", "cart")
GOOD, BAD = template(container(image="cart:1")), template(container(image="cart:2"))
Json = dict[str, Any]


def pod(name: str, revision: str = "cart-bad", *, ready: bool = False, **metadata: Any) -> Json:
    owner = {"kind": "StatefulSet", "name": "cart", "controller": True, "uid": "u"}
    return {
        "metadata": {
            "name": name,
            "labels": {"app": "cart", "tier": "web", "controller-revision-hash": revision},
            "ownerReferences": [owner],
            **metadata,
        },
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def stuck(
    *pods: Json, update: str = "cart-bad", now: Json = BAD, before: Json = GOOD, **spec: Any
) -> ClusterSnapshot:
    """Return a StatefulSet whose template was changed from `before` to `now`."""
    shop = Shop(kind="StatefulSet", template=now, earlier=[before], spec=spec)
    shop.status = {"updateRevision": update}
    snapshot = shop.live()
    objects = {k: v for k, v in snapshot.objects.items() if k.kind != "Pod"}
    objects |= {key("Pod", result["metadata"]["name"]): result for result in pods}
    return replace(snapshot, objects=objects)


THREE = (pod("cart-0", "cart-good", ready=True), pod("cart-1", "cart-good", ready=True))
STUCK = stuck(*THREE, pod("cart-2"))
PINNED = Rollback(target=CART, revision=1, stuck_revision="cart-bad", stuck_pods=("cart-2",))


def pinned(snapshot: ClusterSnapshot, *others: Action) -> Rollback:
    first, *_ = pin((Rollback(target=CART), *others), snapshot)
    assert isinstance(first, Rollback)
    return first


def test_the_pod_that_is_stuck_is_named_with_its_revision() -> None:
    assert pinned(STUCK) == PINNED
    validate((PINNED,), everything(), STUCK)
    assert PINNED.summary() == (
        "Roll StatefulSet cart back to revision 1 and replace its stuck pods cart-2"
    )


@pytest.mark.parametrize(
    "pods",
    [
        (pod("cart-2", ready=True),),
        (pod("cart-2", "cart-good"),),
        (pod("cart-2", deletionTimestamp="2026-01-01T00:00:00Z"),),
        (pod("cart-x"), pod("cart"), pod("cart-02"), pod("other-2")),
    ],
)
def test_no_other_pod_is_stuck(pods: tuple[Json, ...]) -> None:
    assert pinned(stuck(*THREE, *pods)) == Rollback(target=CART, revision=1)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({}, ("cart-0", "cart-1", "cart-2")),
        ({"podManagementPolicy": "OrderedReady"}, ("cart-0", "cart-1", "cart-2")),
        ({"podManagementPolicy": "Parallel"}, ()),
        (
            {"podManagementPolicy": "Parallel", "updateStrategy": {"type": "OnDelete"}},
            ("cart-0", "cart-1", "cart-2"),
        ),
        ({"updateStrategy": {"rollingUpdate": {"partition": 1}}}, ("cart-1", "cart-2")),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": 1}}, "ordinals": {"start": 1}},
            ("cart-2",),
        ),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 2}}},
            ("cart-0", "cart-1", "cart-2"),
        ),
    ],
)
def test_what_the_controller_replaces_or_keeps_is_left_to_it(
    spec: Json, names: tuple[str, ...]
) -> None:
    result = pinned(stuck(*(pod(f"cart-{n}") for n in range(3)), **spec))
    assert result.stuck_pods == names


def test_there_are_no_more_than_a_grant_has_room_for() -> None:
    result = pinned(stuck(*(pod(f"cart-{n}") for n in range(40))))
    assert result.stuck_pods == tuple(f"cart-{n}" for n in range(MAX_STUCK_PODS))
    assert len(grant_rules([result])) < 32


def test_a_pod_that_another_action_deletes_is_left_to_it() -> None:
    delete = DeletePod(target=key("Pod", "cart-2"))
    assert pinned(STUCK, delete) == Rollback(target=CART, revision=1)
    with pytest.raises(RejectedPlaybookError, match="two actions"):
        check_conflicts((PINNED, delete))


def test_only_a_stateful_set_has_stuck_pods() -> None:
    deployment = Shop(earlier=[GOOD], template=BAD, status={"updateRevision": "cart-bad"})
    (result,) = pin((Rollback(target=deployment.target),), deployment.live())
    assert result == Rollback(target=deployment.target, revision=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"stuck_pods": ("cart-2",)},
        {"stuck_revision": "cart-bad"},
        {"stuck_revision": "cart-bad", "stuck_pods": ("cart-2", "cart-2")},
        {"stuck_revision": "cart-bad", "stuck_pods": ("stock-2",)},
        {"stuck_revision": "cart-bad", "stuck_pods": ("cart-x",)},
        {"stuck_revision": "cart-bad", "stuck_pods": ("cart-02",)},
        {"stuck_revision": "cart-bad", "stuck_pods": ("cart-2",), "revision": None},
        {"stuck_revision": "cart-bad", "stuck_pods": tuple(f"cart-{n}" for n in range(99))},
    ],
)
def test_no_playbook_can_name_other_pods(fields: Json) -> None:
    with pytest.raises(ValueError, match="stuck"):
        Rollback(target=CART, **{"revision": 1, **fields})
    name = {"kind": "StatefulSet", "name": "cart", "namespace": "shop", "revision": 1}
    task = {"reme_rollback": {**name, **fields}}
    with pytest.raises(RejectedPlaybookError):
        compile_playbook(json.dumps([task]))


def test_what_runs_is_read_as_the_same_action() -> None:
    (task,) = render([PINNED])[0]["tasks"]
    assert task["reme_rollback"] == {
        "api_version": "apps/v1",
        "kind": "StatefulSet",
        "name": "cart",
        "namespace": "shop",
        "revision": 1,
        "stuck_revision": "cart-bad",
        "stuck_pods": ["cart-2"],
    }
    assert compile_playbook(json.dumps(render([PINNED]))) == (PINNED,)


def test_a_model_writes_what_it_always_wrote() -> None:
    name = {"kind": "StatefulSet", "name": "cart", "namespace": "shop"}
    assert tasks([Rollback(target=CART)]) == [{"kubernetes.core.k8s_rollback": name}]


def test_a_grant_is_for_these_pods_while_they_are_of_the_revision_that_is_left() -> None:
    workload, deletion = grant_rules([PINNED])
    assert (workload.resource, workload.verbs, workload.fields) == (
        "statefulsets",
        [Verb.UPDATE],
        ["spec.template"],
    )
    assert (deletion.resource, deletion.name, deletion.namespace) == ("pods", "cart-2", "shop")
    assert (deletion.verbs, deletion.fields) == ([Verb.DELETE], [])
    assert deletion.match_labels == {"controller-revision-hash": "cart-bad"}
    assert run_roles([PINNED]) == {"statefulsets", "pods"}
    assert run_roles([Rollback(target=CART, revision=1)]) == {"statefulsets"}


def test_the_deletion_is_asked_for_and_recorded() -> None:
    (task,) = dry_run_tasks([PINNED], "run")
    manifest = {**STUCK.workload, "metadata": {"uid": "u", "resourceVersion": "7"}}
    patch, deletion = requests(task, "run", manifest, history(STUCK))
    assert patch.method == "PATCH"
    assert (deletion.method, deletion.path) == ("DELETE", "/api/v1/namespaces/shop/pods/cart-2")
    changes = {(c.object_name, c.field) for c in planned_changes([PINNED], STUCK)}
    assert ("cart-2", "metadata.deletionTimestamp") in changes
    assert ("cart", "spec.template.spec.containers[server].image") in changes


def test_pods_of_another_revision_than_the_present_one_are_not_stuck() -> None:
    moved_on = stuck(*THREE, pod("cart-2", "cart-newer"), update="cart-newer")
    with pytest.raises(RejectedPlaybookError) as refused:
        validate((PINNED,), everything(), moved_on)
    assert refused.value.rule is RejectionRule.NOT_FOUND
    assert "the present revision of StatefulSet cart is cart-newer" in refused.value.message


def test_at_most_one_of_them_may_be_ready_by_now() -> None:
    both = PINNED.model_copy(update={"stuck_pods": ("cart-1", "cart-2")})
    flapping = stuck(pod("cart-1", ready=True), pod("cart-2"))
    validate((both,), everything(), flapping)
    with pytest.raises(RejectedPlaybookError, match="at most one pod"):
        validate((both,), everything(), stuck(pod("cart-1", ready=True), pod("cart-2", ready=True)))


def test_a_rollback_that_is_rolled_back_replaces_the_pods_that_it_left_stuck() -> None:
    captured = capture([PINNED], STUCK)
    after = stuck(*THREE, pod("cart-2", "cart-good"), update="cart-good", now=GOOD, before=BAD)
    plan = plan_rollback(captured, after)
    assert plan.actions == (
        Rollback(target=CART, revision=1, stuck_revision="cart-good", stuck_pods=("cart-2",)),
    )


def test_fields_that_are_restored_come_with_the_deletion_of_stuck_pods() -> None:
    action = SetImage(target=CART, container="server", image="cart:1")
    captured = capture([action], STUCK)
    after = stuck(*THREE, pod("cart-2", "cart-x"), update="cart-x", now=GOOD, before=BAD)
    assert plan_rollback(captured, after).actions == (
        SetImage(target=CART, container="server", image="cart:2"),
        DeletePod(target=key("Pod", "cart-2")),
    )
