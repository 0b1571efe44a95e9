import copy
import json
from dataclasses import replace
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.config_value import SetConfigValue, UnsetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.disruption_budget import SetDisruptionBudget
from reme_playbook.actions.env import SetEnv, UnsetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.ingress_backend import SetIngressBackend
from reme_playbook.actions.job import ResumeJob, SuspendJob
from reme_playbook.actions.network_policy import (
    AllowEgress,
    AllowIngress,
    WithdrawEgress,
    WithdrawIngress,
)
from reme_playbook.actions.node import AddTaint, CordonNode, RemoveTaint, UncordonNode
from reme_playbook.actions.node_selector import PatchNodeSelector
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources, UnsetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.rollout import PauseRollout, ResumeRollout, SetUpdateStrategy
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.compiler.playbook import check_conflicts, compile_playbook
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.execution.capture import Capture, capture, pin
from reme_playbook.execution.render import render
from reme_playbook.execution.rollback import plan_rollback
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision
from tests.unit.playbook.builders import (
    CART,
    CONFIG,
    SERVICE,
    Shop,
    container,
    everything,
    key,
    template,
)
from tests.unit.playbook.constrained import (
    ASTRAY,
    BUDGET,
    COMMANDED,
    CORDONED,
    FULL_TWICE,
    GUARDED,
    HELD,
    HPA,
    INGRESS,
    JOB,
    LIMITED,
    MISPLACED,
    NODE,
    POLICY,
    QUOTA,
    SHUT,
    STUCK,
    TAINTED,
)
from tests.unit.playbook.merge import merge
from tests.unit.playbook.shops import shops


def run(
    live: ClusterSnapshot, actions: tuple[Action, ...], *, for_rollback: bool = False
) -> ClusterSnapshot:
    """Return the state after the rendered playbook ran, on a model of the API server."""
    objects: dict[Any, Any] = copy.deepcopy(dict(live.objects))
    revisions = list(live.revisions)
    playbook = render(actions, run_id="run-1")
    assert compile_playbook(json.dumps(playbook), for_rollback=for_rollback) == actions
    for task in playbook[0]["tasks"]:
        ((module, result),) = ((k, v) for k, v in task.items() if k != "name")
        where = key(result.get("kind", "Node"), result["name"], result.get("namespace", "shop"))
        before = objects[where]
        if module == "kubernetes.core.k8s_scale":
            objects[where] = merge(before, {"spec": {"replicas": result["replicas"]}})
        elif module == "reme_rollback":
            then = next(r for r in revisions if r.number == result["revision"])
            objects[where] = copy.deepcopy(before)
            objects[where]["spec"]["template"] = copy.deepcopy(then.template)
        elif module == "kubernetes.core.k8s_json_patch":
            objects[where] = jsonpatch.apply_patch(before, result["patch"])
        elif module == "kubernetes.core.k8s_taint":
            objects[where] = tainted(before, result)
        elif result["state"] == "absent":
            del objects[where]
        else:
            objects[where] = merge(before, result["definition"])
        _roll_out(revisions, objects[live.target]["spec"]["template"])
    return ClusterSnapshot(
        target=live.target,
        objects=objects,
        neighbours=live.neighbours,
        revisions=tuple(sorted(revisions, key=lambda r: -r.number)),
        service_names=live.service_names,
    )


def tainted(node: Any, task: Any) -> Any:
    """Return the node after kubernetes.core.k8s_taint."""
    named = [(taint["key"], taint["effect"]) for taint in task["taints"]]
    captured = [t for t in node["spec"].get("taints", []) if (t["key"], t["effect"]) not in named]
    captured += task["taints"] if task["state"] == "present" else []
    return {**node, "spec": {**node["spec"], "taints": captured}}


def _roll_out(revisions: list[Revision], result: dict[str, Any]) -> None:
    newest = max(r.number for r in revisions)
    if digest(max(revisions, key=lambda r: r.number).template) != digest(result):
        # As the controller does: a template that was there before keeps its ReplicaSet.
        same = [r for r in revisions if digest(r.template) == digest(result)]
        for revision in same:
            revisions.remove(revision)
        revisions.append(
            Revision(newest + 1, copy.deepcopy(result), created=f"2027-01-{newest:02}")
        )


def state(live: ClusterSnapshot) -> Any:
    """Return the objects as they would be compared, with amounts in one spelling."""
    text = json.dumps(
        [[str(k), v] for k, v in sorted(live.objects.items()) if k.kind != "Pod"], sort_keys=True
    )
    return json.loads(text, object_hook=_canonical)


MAY_BE_EMPTY = (
    *("limits", "requests", "resources", "annotations", "env", "data", "nodeSelector"),
    *("ingress", "egress", "taints", "command", "args"),
)


def _canonical(result: dict[str, Any]) -> dict[str, Any]:
    from reme_playbook.snapshot.views import canonical

    if (
        "path" not in result
        and "port" in result
        and "name" not in result
        and "number" not in result
    ):
        result = {"path": "/", **result}
    defaults = {"failureThreshold": 3, "periodSeconds": 10, "timeoutSeconds": 1}
    if "httpGet" in result:
        result = {**defaults, "initialDelaySeconds": 0, **result}
    result = {}
    for name, value in result.items():
        if name in ("cpu", "memory"):
            value = canonical(name, value)
        if name in MAY_BE_EMPTY and not value:
            continue
        if name in ("reme.dev/restarted-at", "creationTimestamp", "pod-template-hash"):
            continue
        if name in ("paused", "suspend", "unschedulable") and value is False:
            continue
        result[name] = value
    if set(result) == {"name"} and isinstance(result["name"], str) and result["name"].isupper():
        result["value"] = ""
    if "protocol" not in result and "port" in result and isinstance(result["port"], int):
        result.setdefault("targetPort", result["port"])
    return result


@st.composite
def repairs(draw: st.DrawFn) -> tuple[Shop, tuple[Action, ...]]:
    shop = draw(shops())
    live = shop.live()
    policy = everything(max_increase_percent=900, max_decrease_percent=90)
    space = list(allowed_actions(live, policy))
    picked: list[Action] = []
    for action in draw(st.lists(st.sampled_from(space), min_size=1, max_size=4)):
        try:
            validate([*picked, action], policy, live)
        except RejectedPlaybookError:
            continue
        picked.append(action)
    return shop, pin(picked, live)


@settings(max_examples=60, deadline=None)
@given(repairs())
def test_a_rollback_restores_what_was_there_before(repair: tuple[Shop, tuple[Action, ...]]) -> None:
    shop, actions = repair
    before = shop.live()
    captured = Capture.model_validate_json(capture(actions, before).model_dump_json())
    after = run(before, actions)
    plan = plan_rollback(captured, after)
    assert plan.conflicts == ()
    if plan.actions:
        check_conflicts(plan.actions, 16)
        again = run(after, plan.actions, for_rollback=True)
    else:
        again = after
    assert state(again) == state(before)
    assert plan_rollback(captured, again).actions == ()


@settings(max_examples=30, deadline=None)
@given(repairs())
def test_what_did_not_run_needs_no_rollback(repair: tuple[Shop, tuple[Action, ...]]) -> None:
    shop, actions = repair
    plan = plan_rollback(capture(actions, shop.live()), shop.live())
    assert (plan.actions, plan.conflicts) == ((), ())


def resources(**values: str) -> SetResources:
    return SetResources(target=CART, container="server", **values)


BARE = Shop(template=template(container(resources={"limits": {"cpu": "300m"}}, env=[])))


def backend(service: str, port: int | str) -> SetIngressBackend:
    return SetIngressBackend(
        target=INGRESS,
        rule=0,
        path=1,
        host="shop.example",
        http_path="/cart",
        service=service,
        port=port,
    )


LET_IN: Any = {"target": POLICY, "position": 1, "labels": {"app": "front"}, "port": 8080}
LET_OUT: Any = {"target": POLICY, "position": 0, "labels": {"app": "stock"}, "port": 8080}

INVERSES: list[tuple[Shop, Action, list[Action]]] = [
    (Shop(replicas=0), Scale(target=CART, replicas=1), [Scale(target=CART, replicas=0)]),
    (Shop(), resources(memory_limit="256Mi"), [resources(memory_limit="128Mi")]),
    (
        BARE,
        resources(cpu_limit="600m", memory_limit="128Mi"),
        [
            resources(cpu_limit="300m"),
            UnsetResources(target=CART, container="server", fields=("memory_limit",)),
        ],
    ),
    (
        Shop(),
        SetImage(target=CART, container="server", image="cart:1"),
        [SetImage(target=CART, container="server", image="registry.example/cart:2")],
    ),
    (
        Shop(),
        SetEnv(target=CART, container="server", variable="LEVEL", value="warn"),
        [SetEnv(target=CART, container="server", variable="LEVEL", value="info")],
    ),
    (
        BARE,
        SetEnv(target=CART, container="server", variable="LEVEL", value="warn"),
        [UnsetEnv(target=CART, container="server", variable="LEVEL")],
    ),
    (
        Shop(),
        SetConfigValue(target=CONFIG, key="color", value="blue"),
        [SetConfigValue(target=CONFIG, key="color", value="red")],
    ),
    (
        Shop(),
        SetConfigValue(target=CONFIG, key="size", value="1"),
        [UnsetConfigValue(target=CONFIG, key="size")],
    ),
    (
        Shop(),
        PatchProbe(
            target=CART,
            container="server",
            probe="readiness",
            handler="httpGet",
            path="/x",
            initial_delay_seconds=5,
        ),
        [
            PatchProbe(
                target=CART,
                container="server",
                probe="readiness",
                handler="httpGet",
                path="/ready",
                initial_delay_seconds=0,
            )
        ],
    ),
    (
        Shop(selector={"app": "card", "v": "1"}),
        PatchServiceSelector(target=SERVICE, selector={"app": "cart", "v": None, "tier": "web"}),
        [PatchServiceSelector(target=SERVICE, selector={"app": "card", "v": "1", "tier": None})],
    ),
    (
        Shop(ports=[{"port": 80}]),
        PatchServicePort(target=SERVICE, port=80, target_port="http"),
        [PatchServicePort(target=SERVICE, port=80, target_port=80)],
    ),
    (Shop(spec={"paused": True}), ResumeRollout(target=CART), [PauseRollout(target=CART)]),
    (
        STUCK,
        SetUpdateStrategy(target=CART, max_surge=0),
        [SetUpdateStrategy(target=CART, max_surge=1)],
    ),
    (
        MISPLACED,
        PatchNodeSelector(target=CART, selector={"disk": "hdd", "zone": "a"}),
        [PatchNodeSelector(target=CART, selector={"disk": "ssd", "zone": None})],
    ),
    (
        COMMANDED,
        SetCommand(target=CART, container="server", command=("/cart",), args=()),
        [SetCommand(target=CART, container="server", command=("/crat",), args=("--fast",))],
    ),
    (
        Shop(template=template(container(command=None))),
        SetCommand(target=CART, container="server", command=("/cart",)),
        [SetCommand(target=CART, container="server", command=())],
    ),
    (
        LIMITED,
        SetAutoscaling(target=HPA, min_replicas=2, max_replicas=4),
        [SetAutoscaling(target=HPA, min_replicas=1, max_replicas=2)],
    ),
    (
        FULL_TWICE,
        SetQuota(target=QUOTA, hard={"pods": "6", "limits.memory": "1Gi"}),
        [SetQuota(target=QUOTA, hard={"pods": "4", "limits.memory": "512Mi"})],
    ),
    (
        GUARDED,
        SetDisruptionBudget(target=BUDGET, min_available=3),
        [SetDisruptionBudget(target=BUDGET, min_available="100%")],
    ),
    (HELD, ResumeJob(target=JOB), [SuspendJob(target=JOB)]),
    (ASTRAY, backend("cart", 80), [backend("cartt", 80)]),
    (ASTRAY, backend("cart", "http"), [backend("cartt", 80)]),
    (SHUT, AllowIngress(**LET_IN), [WithdrawIngress(**LET_IN)]),
    (SHUT, AllowEgress(**LET_OUT), [WithdrawEgress(**LET_OUT)]),
    (
        SHUT,
        AllowEgress(target=POLICY, position=0),
        [WithdrawEgress(target=POLICY, position=0)],
    ),
    (CORDONED, UncordonNode(target=NODE), [CordonNode(target=NODE)]),
    (
        TAINTED,
        RemoveTaint(target=NODE, key="dedicated", effect="NoSchedule"),
        [AddTaint(target=NODE, key="dedicated", effect="NoSchedule", value="batch")],
    ),
    (Shop(), Restart(target=CART), []),
    (Shop(), DeletePod(target=key("Pod", "cart-6d-0")), []),
]


@pytest.mark.parametrize(("shop", "action", "inverse"), INVERSES, ids=lambda v: type(v).__name__)
def test_each_action_has_its_inverse(shop: Shop, action: Action, inverse: list[Action]) -> None:
    before = shop.live()
    after = run(before, (action,))
    plan = plan_rollback(capture([action], before), after)
    assert plan.actions == tuple(inverse)
    assert plan.conflicts == ()
    if inverse:
        assert state(run(after, plan.actions, for_rollback=True)) == state(before)


def test_the_last_change_is_rolled_back_first() -> None:
    actions = (Scale(target=CART, replicas=3), resources(memory_limit="256Mi"))
    live = Shop().live()
    plan = plan_rollback(capture(actions, live), run(live, actions))
    assert [a.action for a in plan.actions] == ["SetResources", "Scale"]


def test_what_somebody_else_changed_meanwhile_is_stored() -> None:
    action, live = resources(memory_limit="256Mi", cpu_limit="600m"), Shop().live()
    after = run(run(live, (action,)), (resources(memory_limit="1Gi"),))
    plan = plan_rollback(capture([action], live), after)
    assert plan.actions == (resources(cpu_limit="300m"),)
    (conflict,) = plan.conflicts
    assert conflict.target == CART
    assert conflict.field == "spec.template.spec.containers[server].resources.limits.memory"
    assert "somebody else" in conflict.message


def test_an_object_that_is_gone_is_a_conflict() -> None:
    action, live = SetConfigValue(target=CONFIG, key="color", value="blue"), Shop().live()
    gone = {k: v for k, v in live.objects.items() if k != CONFIG}
    plan = plan_rollback(
        capture([action], live),
        ClusterSnapshot(target=CART, objects=gone, neighbours=live.neighbours),
    )
    assert plan.actions == ()
    assert [c.target for c in plan.conflicts] == [CONFIG]


OLD = template(container(image="cart:1"))
NEXT = template(container(image="cart:3"))


def test_a_rollback_is_rolled_back_by_going_to_the_template_of_before() -> None:
    live = Shop(earlier=[OLD]).live()
    actions = pin([Rollback(target=CART)], live)
    assert actions == (Rollback(target=CART, revision=1),)
    after = run(live, actions)
    assert digest(after.template) == digest(OLD)
    plan = plan_rollback(capture(actions, live), after)
    assert plan.actions == (Rollback(target=CART, revision=2),)
    again = run(after, plan.actions, for_rollback=True)
    assert digest(again.template) == digest(live.template)
    assert plan_rollback(capture(actions, live), again).actions == ()


def test_a_rollback_is_stored_if_the_template_was_changed_again() -> None:
    live = Shop(earlier=[OLD]).live()
    captured = capture([Rollback(target=CART)], live)
    plan = plan_rollback(captured, Shop(earlier=[template(), OLD], template=NEXT).live())
    assert plan.actions == ()
    assert [c.field for c in plan.conflicts] == ["spec.template"]


def test_a_rollback_whose_revision_of_before_is_gone_is_lost_not_rolled_back() -> None:
    live = Shop(earlier=[OLD]).live()
    plan = plan_rollback(capture([Rollback(target=CART)], live), Shop(template=OLD).live())
    assert plan.actions == ()
    assert plan.conflicts == ()
    assert "does not exist any more" in plan.unrestorable[0].message


def test_replicas_that_an_autoscaler_sets_are_its_own() -> None:
    action, live = Scale(target=CART, replicas=3), Shop().live()
    captured = capture([action], live)
    scaled = Shop(replicas=3).live()
    assert plan_rollback(captured, scaled).actions == (Scale(target=CART, replicas=2),)
    objects = {**scaled.objects, HPA: LIMITED.live().objects[HPA]}
    owned = ClusterSnapshot(target=CART, objects=objects, neighbours=scaled.neighbours)
    plan = plan_rollback(captured, owned)
    assert plan.actions == ()
    assert "an autoscaler" in plan.conflicts[0].message


def test_no_replicas_are_restored_although_an_autoscaler_sets_them_by_now() -> None:
    shop = replace(LIMITED, replicas=0)
    captured = capture([Scale(target=CART, replicas=1)], shop.live())
    after = replace(shop, replicas=1).live()
    assert after.autoscaled
    assert plan_rollback(captured, after).actions == (Scale(target=CART, replicas=0),)


def test_an_autoscaler_is_not_fought_over_replicas() -> None:
    limited = LIMITED.live()
    with pytest.raises(RejectedPlaybookError, match="an autoscaler"):
        validate([Scale(target=CART, replicas=limited.replicas.desired + 1)], everything(), limited)


def test_a_stateful_set_that_waits_for_a_broken_pod_is_freed_of_it() -> None:
    shop = Shop(kind="StatefulSet")
    live = shop.live()
    action = SetImage(target=shop.target, container="server", image="cart:9")
    captured = capture([action], live)
    after = run(live, (action,))
    objects: dict[Any, Any] = copy.deepcopy(dict(after.objects))
    objects[shop.target]["status"] = {"updateRevision": "cart-new"}
    broken, healthy = key("Pod", "cart-1"), key("Pod", "cart-0")
    for where, revision, ready in ((broken, "cart-new", "False"), (healthy, "cart-old", "True")):
        objects[where] = {
            "metadata": {
                "name": where.name,
                "labels": {"app": "cart", "controller-revision-hash": revision},
            },
            "spec": {"containers": [{"name": "server", "image": "cart:9"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
        }
    stuck = ClusterSnapshot(target=shop.target, objects=objects, neighbours=live.neighbours)
    plan = plan_rollback(captured, stuck)
    assert [a.action for a in plan.actions] == ["SetImage", "DeletePod"]
    assert plan.actions[-1].target == broken
    back = {**objects, shop.target: live.objects[shop.target]}
    restored = ClusterSnapshot(target=shop.target, objects=back, neighbours=live.neighbours)
    assert plan_rollback(captured, restored).actions == (), "nothing is deleted but for a template"


def test_a_restart_after_the_rollback_is_no_conflict() -> None:
    live = Shop(earlier=[OLD]).live()
    restarted = copy.deepcopy(OLD)
    restarted["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    plan = plan_rollback(
        capture([Rollback(target=CART)], live),
        Shop(earlier=[OLD, template()], template=restarted).live(),
    )
    assert plan.actions == (Rollback(target=CART, revision=2),)


def test_a_capture_of_a_rollback_holds_no_template() -> None:
    secret = template(container(env=[{"name": "PASSWORD", "value": "hunter2"}]))
    live = Shop(template=secret, earlier=[OLD]).live()
    assert "hunter2" not in capture([Rollback(target=CART)], live).model_dump_json()


def test_what_is_not_there_cannot_be_captured() -> None:
    for action in (Scale(target=key("Deployment", "x"), replicas=1), Rollback(target=CART)):
        with pytest.raises(RejectedPlaybookError) as caught:
            capture([action], Shop().live())
        assert caught.value.rule is RejectionRule.NOT_FOUND
