"""Each evidence rule: what it refuses, and what looks alike and is allowed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reme_api.actions import ActionName
from reme_playbook.actions.registry import Action, build
from reme_playbook.errors import RejectionRule
from reme_playbook.policy.action_space import allowed_actions, evaluate, refusals_by_action
from reme_playbook.policy.evidence import rollback_rules
from reme_playbook.policy.evidence_rules import (
    RULES,
    Evidence,
    NotSupportedError,
    check_evidence,
    refusal,
)
from reme_playbook.snapshot.dependency import Dependency, Mention, Place
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import EventLine, Usage
from tests.unit.playbook.builders import everything
from tests.unit.playbook.rollouts import (
    NAMESPACE,
    Pod,
    Rollout,
    at,
    container,
    crash,
    template,
    waiting,
)

QUOTA = ObjectRef("ResourceQuota", NAMESPACE, "team")
FULL = {
    QUOTA: {
        "metadata": {"name": "team"},
        "spec": {"hard": {"pods": "2"}},
        "status": {"used": {"pods": "2"}},
    }
}
STOCK = ObjectRef("Service", NAMESPACE, "stock")
SMALL = {"limits": {"cpu": "500m", "memory": "64Mi"}}
OLD = template(container(image="cart:1"))
NEVER = Pod(ready=False, started=-5, states={"server": crash()}, restarts=4)
PENDING = Pod(ready=False, unscheduled="0/1 nodes are available: 1 node(s) didn't have free ports")


def action(name: ActionName, shop: Rollout, **values: Any) -> Action:
    return build({"target": shop.target, "action": str(name), **values})


def delete(shop: Rollout, number: int) -> Action:
    target = ObjectRef("Pod", NAMESPACE, shop.pod_name(number))
    return build({"target": target, "action": "DeletePod"})


def restart(shop: Rollout) -> Action:
    return action(ActionName.RESTART, shop)


def scale(shop: Rollout, replicas: int) -> Action:
    return action(ActionName.SCALE, shop, replicas=replicas)


def rollback(shop: Rollout) -> Action:
    return action(ActionName.ROLLBACK, shop)


def memory(shop: Rollout, limit: str, name: str = "server") -> Action:
    return action(ActionName.SET_RESOURCES, shop, container=name, memory_limit=limit)


def rule_of(one: Action, shop: Rollout) -> str:
    """Return the rule that refuses the action; empty if none does."""
    error = refusal(one, Evidence(shop.live()))
    if error is None:
        return ""
    assert error.rule is RejectionRule.NOT_SUPPORTED
    assert error.message, "people read it"
    return error.evidence_rule.name


def usage(shop: Rollout, **percent: tuple[int, int]) -> Mapping[tuple[str, str], Usage]:
    """Return usage of `server` as CPU and memory in percent, by the pod's number."""
    return {
        (shop.pod_name(int(number[1:])), "server"): Usage(5 * cpu, 128 * 2**20 * mem // 100)
        for number, (cpu, mem) in percent.items()
    }


# DeletePod of a pod that is as good as any other


def test_a_healthy_pod_among_healthy_ones_is_not_deleted() -> None:
    assert rule_of(delete(Rollout(), 0), Rollout()) == "HealthyPod"


def test_a_healthy_pod_is_not_deleted_while_another_is_down() -> None:
    shop = Rollout(pods=(Pod(), Pod(ready=False, changed=0)))
    assert rule_of(delete(shop, 0), shop) == "HealthyPod"
    assert rule_of(delete(shop, 1), shop) == ""


def test_the_only_pod_of_a_workload_may_be_deleted() -> None:
    shop = Rollout(pods=(Pod(),))
    assert rule_of(delete(shop, 0), shop) == ""


def test_an_old_pod_that_serves_is_not_deleted_for_a_new_one_that_does_not() -> None:
    shop = Rollout(earlier=[OLD], pods=(Pod(revision=1), PENDING), replicas=1)
    assert rule_of(delete(shop, 0), shop) == "HealthyPod"


@pytest.mark.parametrize(
    "different",
    [
        {"named_pods": ("cart-h1-0",)},
        {"pods": (Pod(restarts=3), Pod())},
        {"pods": (Pod(image="busybox:1"), Pod())},
        {"events": (EventLine("Pod", "cart-h1-0", "Unhealthy", "Readiness probe failed: x"),)},
        {"usage": usage(Rollout(), n0=(95, 20), n1=(10, 20))},
        {"usage": usage(Rollout(), n0=(5, 70), n1=(5, 20))},
        {
            "findings": (
                Finding(
                    FindingKind.LOG_ERROR, ObjectRef("Pod", NAMESPACE, "cart-h1-0"), "disk is full"
                ),
            )
        },
    ],
    ids=["named", "restarts", "image", "warning", "cpu", "memory", "log"],
)
def test_a_ready_pod_that_differs_may_be_deleted(different: dict[str, Any]) -> None:
    shop = replace(Rollout(), **different)
    assert rule_of(delete(shop, 0), shop) == ""
    assert rule_of(delete(shop, 1), shop) == "HealthyPod"


def test_what_is_said_of_all_pods_singles_out_none() -> None:
    shop = Rollout(named_pods=("cart-h1-0", "cart-h1-1"))
    assert rule_of(delete(shop, 0), shop) == "HealthyPod"


def test_a_pod_that_waits_to_be_deleted_may_be() -> None:
    on_delete = {"updateStrategy": {"type": "OnDelete"}}
    pods = (Pod(revision=1), Pod(revision=1))
    shop = Rollout(kind="StatefulSet", earlier=[OLD], pods=pods, spec=on_delete)
    assert rule_of(delete(shop, 0), shop) == ""


# New pods that fail as those before


@pytest.mark.parametrize(
    "pod",
    [
        NEVER,
        Pod(ready=False, started=-5, states={"server": waiting("ImagePullBackOff")}),
        Pod(ready=False, started=-5),
    ],
    ids=["crash", "image", "probe"],
)
def test_no_pod_is_made_from_a_template_that_has_never_worked(pod: Pod) -> None:
    shop = Rollout(earlier=[OLD], pods=(Pod(revision=1), pod), replicas=1, complete=None)
    assert rule_of(restart(shop), shop) == "FailsFromStart"
    assert rule_of(delete(shop, 1), shop) == "FailsFromStart"
    assert rule_of(scale(shop, 2), shop) == "FailsFromStart"
    assert rule_of(rollback(shop), shop) == ""


def test_one_pod_of_the_template_that_works_proves_it() -> None:
    shop = Rollout(pods=(Pod(), NEVER))
    assert rule_of(delete(shop, 1), shop) == ""
    assert rule_of(restart(shop), shop) == ""


def test_a_pod_that_was_ready_before_may_be_replaced() -> None:
    shop = Rollout(pods=(Pod(ready=False, changed=0),))
    assert rule_of(delete(shop, 0), shop) == ""
    assert rule_of(restart(shop), shop) == ""


def test_a_pod_that_its_node_does_not_start_may_be_replaced() -> None:
    starting = Pod(ready=False, started=-5, states={"server": waiting("ContainerCreating")})
    shop = Rollout(pods=(starting,))
    assert rule_of(delete(shop, 0), shop) == ""


def test_a_pod_with_a_foreign_image_may_be_replaced() -> None:
    shop = Rollout(pods=(replace(NEVER, image="busybox:1"),))
    assert rule_of(delete(shop, 0), shop) == ""


def test_a_pod_of_an_earlier_template_may_be_replaced() -> None:
    shop = Rollout(kind="StatefulSet", earlier=[OLD], pods=(replace(NEVER, revision=1),))
    assert rule_of(delete(shop, 0), shop) == ""


def test_pods_are_restarted_where_they_read_a_config_map_that_can_be_repaired() -> None:
    uses = template(container(envFrom=[{"configMapRef": {"name": "settings"}}]))
    key = ObjectRef("ConfigMap", NAMESPACE, "settings")
    applied = '{"data": {"mode": "on"}}'
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": applied}
    config = {"metadata": {"name": "settings", "annotations": annotations}, "data": {"mode": "x"}}
    shop = Rollout(template=uses, pods=(NEVER,), objects={key: config})
    assert rule_of(restart(shop), shop) == ""
    assert rule_of(delete(shop, 0), shop) == "FailsFromStart"


def test_a_playbook_that_changes_the_template_may_also_replace_the_pod() -> None:
    pods = (replace(NEVER, states={"server": crash("OOMKilled", 137)}),)
    shop = Rollout(kind="StatefulSet", pods=pods)
    live = shop.live()
    check_evidence([memory(shop, "256Mi"), delete(shop, 0)], live)
    with pytest.raises(NotSupportedError, match="no pod of the present template"):
        check_evidence([restart(shop)], live)


def test_the_pod_for_which_an_ordered_set_waits_may_be_deleted_without_a_rollback() -> None:
    shop = Rollout(kind="StatefulSet", pods=(NEVER,))
    assert rule_of(delete(shop, 0), shop) == ""
    assert rule_of(restart(shop), shop) == "FailsFromStart"


# Scale


@pytest.mark.parametrize(
    "pod",
    [
        Pod(ready=False, changed=0, restarts=3, states={"server": crash()}),
        Pod(restarts=2, states={"server": {"lastState": crash("OOMKilled", 137)["lastState"]}}),
    ],
    ids=["crash", "memory"],
)
def test_pods_that_crash_are_not_multiplied(pod: Pod) -> None:
    shop = Rollout(pods=(Pod(), pod))
    assert rule_of(scale(shop, 3), shop) == "MorePodsCrash"


def test_pods_that_crash_under_load_may_be_multiplied() -> None:
    pods = (Pod(), Pod(ready=False, changed=0, restarts=3, states={"server": crash()}))
    loaded = Rollout(pods=pods)
    loaded = replace(loaded, usage=usage(loaded, n0=(97, 40)))
    assert rule_of(scale(loaded, 3), loaded) == ""


def test_an_earlier_number_of_pods_may_be_restored() -> None:
    pod = Pod(ready=False, changed=0, restarts=3, states={"server": crash()})
    shop = Rollout(pods=(pod,), earlier_replicas=3)
    assert rule_of(scale(shop, 3), shop) == ""
    assert rule_of(scale(shop, 2), shop) == "MorePodsCrash"


def test_healthy_pods_may_be_multiplied_and_none_may_become_one() -> None:
    assert rule_of(scale(Rollout(), 3), Rollout()) == ""
    nothing = Rollout(pods=(), replicas=0)
    assert rule_of(scale(nothing, 1), nothing) == ""


# Quotas and places


def test_no_pod_is_made_or_deleted_against_a_full_quota() -> None:
    shop = Rollout(replicas=4, objects=FULL)
    for one in (restart(shop), scale(shop, 5), scale(shop, 2), delete(shop, 0)):
        assert rule_of(one, shop) == "QuotaFull"
    assert rule_of(memory(shop, "256Mi"), shop) == "QuotaHasNoMore"


def test_a_quota_that_keeps_no_pod_away_does_not_matter() -> None:
    shop = Rollout(objects=FULL)
    assert rule_of(restart(shop), shop) == ""
    assert rule_of(memory(shop, "256Mi"), shop) == ""


def test_no_pod_is_made_that_no_node_takes() -> None:
    shop = Rollout(pods=(Pod(), PENDING))
    assert rule_of(restart(shop), shop) == "NoPlace"
    assert rule_of(scale(shop, 3), shop) == "NoPlace"
    assert rule_of(delete(shop, 1), shop) == "NoPlace"
    assert rule_of(scale(shop, 1), shop) == "", "fewer pods need less"


def test_a_rollback_does_not_make_a_place() -> None:
    shop = Rollout(earlier=[OLD], pods=(Pod(revision=1), PENDING), replicas=1, complete=None)
    assert rule_of(rollback(shop), shop) == "SamePlaceNeeded"
    image = action(ActionName.SET_IMAGE, shop, container="server", image="cart:1")
    assert rule_of(image, shop) == "SamePlaceNeeded"


@pytest.mark.parametrize(
    "earlier",
    [
        template(container(image="cart:1", resources=SMALL)),
        template(container(image="cart:1"), nodeSelector={"pool": "a"}),
        template(container(image="cart:1", ports=[])),
        template(container(image="cart:1"), container("proxy")),
    ],
    ids=["resources", "selector", "ports", "container"],
)
def test_a_rollback_to_pods_with_other_needs_may_help(earlier: dict[str, Any]) -> None:
    shop = Rollout(earlier=[earlier], pods=(Pod(revision=1), PENDING), replicas=1, complete=None)
    assert rule_of(rollback(shop), shop) == ""


def test_a_rollback_may_help_where_pods_also_crash() -> None:
    shop = Rollout(earlier=[OLD], pods=(NEVER, PENDING), complete=None)
    assert rule_of(rollback(shop), shop) == ""


# Rollback over a release that worked


def test_a_release_that_was_well_before_the_fault_is_kept() -> None:
    shop = Rollout(earlier=[OLD], complete=-62)
    assert rule_of(rollback(shop), shop) == "WellBeforeFault"
    image = action(ActionName.SET_IMAGE, shop, container="server", image="cart:1")
    assert rule_of(image, shop) == "WellBeforeFault"


def test_an_existing_service_may_be_named_at_any_time() -> None:
    before = template(container(env=[{"name": "STOCK", "value": "stock-old"}]))
    calls = template(container(env=[{"name": "STOCK", "value": "stock-new"}]))
    shop = Rollout(template=calls, earlier=[before], complete=-62)
    for value, rule in (("stock-old", "WellBeforeFault"), ("stock", "")):
        values = {"container": "server", "variable": "STOCK", "value": value}
        assert rule_of(action(ActionName.SET_ENV, shop, **values), shop) == rule


@pytest.mark.parametrize(
    "different",
    [
        {"complete": -3},
        {"complete": None},
        {"observed": False},
        {"fault_start": None},
        {"pods": (Pod(restarts=1), Pod())},
        {"usage": usage(Rollout(earlier=[OLD]), n0=(10, 93), n1=(10, 92))},
    ],
    ids=["just came", "incomplete", "reported only", "no time", "restarted", "memory"],
)
def test_a_release_that_may_have_brought_the_fault_may_be_left(different: dict[str, Any]) -> None:
    shop = replace(Rollout(earlier=[OLD], complete=-62), **different)
    assert rule_of(rollback(shop), shop) == ""


def test_a_nearer_cause_needs_less_time() -> None:
    key = ObjectRef("HorizontalPodAutoscaler", NAMESPACE, "cart")
    changed = {"metadata": {"name": "cart", "creationTimestamp": at(-1)}}
    shop = Rollout(earlier=[OLD], complete=-4)
    assert rule_of(rollback(shop), shop) == ""
    nearer = replace(shop, objects={key: changed})
    assert rule_of(rollback(nearer), nearer) == "WellBeforeFault"
    earlier = replace(shop, objects={key: {"metadata": {"creationTimestamp": at(-30)}}})
    assert rule_of(rollback(earlier), earlier) == ""


def test_pods_of_a_set_say_since_when_it_is_well() -> None:
    shop = Rollout(kind="StatefulSet", earlier=[OLD])
    assert rule_of(rollback(shop), shop) == "WellBeforeFault"
    young = replace(shop, pods=(Pod(), Pod(started=-4)))
    assert rule_of(rollback(young), young) == ""


# Dependencies and Services


def broken_stock(problem: str = "has no pods: Deployment stock is scaled to 0") -> Dependency:
    return Dependency(
        host="stock",
        scheme="http",
        port=80,
        mentions=(),
        place=Place.NAMESPACE,
        namespace=NAMESPACE,
        service="stock",
        problem=problem,
        problem_kind=FindingKind.NO_ENDPOINTS,
    )


@pytest.mark.parametrize(
    "shown",
    [
        {"dependencies": (broken_stock(),)},
        {"findings": (Finding(FindingKind.PORT_MISMATCH, STOCK, "leads to 8080, pods have 9090"),)},
    ],
    ids=["snapshot", "inspection"],
)
def test_a_target_that_only_passes_a_fault_on_is_left_alone(shown: dict[str, Any]) -> None:
    shop = replace(Rollout(earlier=[OLD], complete=-1), **shown)
    image = action(ActionName.SET_IMAGE, shop, container="server", image="cart:1")
    for one in (rollback(shop), restart(shop), scale(shop, 3), memory(shop, "256Mi"), image):
        assert rule_of(one, shop) == "FaultOfDependency"


def test_a_target_with_a_fault_of_its_own_may_be_changed() -> None:
    pods = (Pod(), Pod(ready=False, changed=0))
    shop = Rollout(earlier=[OLD], pods=pods, complete=-1, dependencies=(broken_stock(),))
    assert rule_of(rollback(shop), shop) == ""
    assert rule_of(restart(shop), shop) == ""


def test_a_dependency_that_is_well_or_missing_refuses_nothing() -> None:
    missing = replace(broken_stock(), problem_kind=FindingKind.DEPENDENCY_MISSING)
    fine = replace(broken_stock(), problem="", problem_kind=None)
    normal = Finding(FindingKind.NORMAL, STOCK, "answers")
    own = Finding(FindingKind.REQUEST_FAILED, ObjectRef("Service", NAMESPACE, "cart"), "502")
    shop = Rollout(earlier=[OLD], complete=-1, dependencies=(missing, fine), findings=(normal, own))
    assert rule_of(rollback(shop), shop) == ""


def test_the_setting_that_names_the_dependency_may_be_changed() -> None:
    calls = template(container(env=[{"name": "STOCK", "value": "http://stock:80"}]))
    before = template(container(env=[{"name": "STOCK", "value": "http://stock-v1:80"}]))
    shop = Rollout(template=calls, earlier=[before], complete=-1, dependencies=(broken_stock(),))
    values = {"container": "server", "variable": "STOCK", "value": "http://stock-v1:80"}
    assert rule_of(action(ActionName.SET_ENV, shop, **values), shop) == ""
    assert rule_of(rollback(shop), shop) == ""
    other = {"container": "server", "variable": "LEVEL", "value": "info"}
    assert rule_of(action(ActionName.SET_ENV, shop, **other), shop) == "FaultOfDependency"


@pytest.mark.parametrize(
    "service", [{"selector": {"app": "carts"}}, {"service_port": 9090}], ids=["selector", "port"]
)
def test_pods_to_which_no_service_leads_are_not_replaced(service: dict[str, Any]) -> None:
    shop = replace(Rollout(earlier=[OLD], complete=-1), **service)
    for one in (restart(shop), scale(shop, 3)):
        assert rule_of(one, shop) == "ServiceElsewhere"
    assert rule_of(rollback(shop), shop) == "", "it may bring the labels or the port back"
    down = replace(shop, pods=(Pod(), Pod(ready=False, changed=0)))
    assert rule_of(restart(down), down) == ""


def test_pods_with_a_setting_that_names_nothing_are_not_replaced() -> None:
    mention = Mention("server", "CALLS")
    missing = replace(
        broken_stock("is no Service here"),
        mentions=(mention,),
        problem_kind=FindingKind.DEPENDENCY_MISSING,
    )
    shop = Rollout(dependencies=(missing,))
    for one in (restart(shop), scale(shop, 3), memory(shop, "256Mi")):
        assert rule_of(one, shop) == "SettingNamesNothing"
    values = {"container": "server", "variable": "CALLS", "value": "http://shop-stock"}
    assert rule_of(action(ActionName.SET_ENV, shop, **values), shop) == ""
    down = replace(shop, pods=(Pod(), Pod(ready=False, changed=0)))
    assert rule_of(restart(down), down) == ""


# Resources

KILLED = Pod(ready=False, changed=0, restarts=3, states={"server": crash("OOMKilled", 137)})
TWO = template(container(), container("agent", "agent:1"))


def cpu(shop: Rollout, limit: str, name: str = "server") -> Action:
    return action(ActionName.SET_RESOURCES, shop, container=name, cpu_limit=limit)


def test_memory_goes_to_the_container_that_was_killed() -> None:
    shop = Rollout(template=TWO, pods=(KILLED,))
    assert rule_of(memory(shop, "256Mi"), shop) == ""
    assert rule_of(memory(shop, "256Mi", "agent"), shop) == "KilledForMemory"
    assert rule_of(cpu(shop, "750m", "agent"), shop) == "KilledForMemory"
    assert rule_of(cpu(shop, "750m"), shop) == "KilledForMemory"
    both = {"container": "server", "cpu_limit": "750m", "memory_limit": "256Mi"}
    assert rule_of(action(ActionName.SET_RESOURCES, shop, **both), shop) == ""


def test_memory_goes_to_the_container_that_is_near_its_limit() -> None:
    shop = Rollout(template=TWO)
    near = replace(shop, usage=usage(shop, n0=(10, 95), n1=(10, 93)))
    assert rule_of(memory(near, "256Mi"), near) == ""
    assert rule_of(memory(near, "256Mi", "agent"), near) == "KilledForMemory"
    assert rule_of(cpu(near, "750m", "agent"), near) == ""


def test_cpu_may_be_what_a_container_lacks_besides_memory() -> None:
    shop = Rollout(pods=(KILLED,))
    loaded = replace(shop, usage=usage(shop, n0=(96, 40)))
    assert rule_of(cpu(loaded, "750m"), loaded) == ""


def test_an_earlier_amount_of_another_container_may_come_back() -> None:
    big = {"limits": {"cpu": "500m", "memory": "512Mi"}}
    before = template(container(), container("agent", "agent:1", resources=big))
    shop = Rollout(template=TWO, earlier=[before], pods=(KILLED,))
    assert rule_of(memory(shop, "512Mi", "agent"), shop) == ""
    assert rule_of(memory(shop, "256Mi", "agent"), shop) == "KilledForMemory"


def test_what_the_kubelet_starts_again_and_again_is_not_restarted() -> None:
    shop = Rollout(pods=(KILLED, KILLED))
    assert rule_of(restart(shop), shop) == "KubeletRestartsIt"
    assert rule_of(delete(shop, 0), shop) == "KubeletRestartsIt"
    once = Rollout(pods=(replace(KILLED, restarts=1),))
    assert rule_of(restart(once), once) == ""
    other = Rollout(pods=(KILLED, Pod()))
    assert rule_of(delete(other, 0), other) == ""


@pytest.mark.parametrize(
    ("states", "refused_memory", "refused_cpu"),
    [
        (waiting("ImagePullBackOff"), True, True),
        (waiting("CreateContainerConfigError"), True, True),
        (crash(code=1), False, True),
        (crash(code=137), False, False),
        ({"state": {"running": {}}}, False, False),
    ],
    ids=["image", "config", "exit", "killed by a probe", "runs"],
)
def test_limits_are_not_raised_for_pods_that_fail_for_another_reason(
    states: dict[str, Any], refused_memory: bool, refused_cpu: bool
) -> None:
    restarts = 3 if "lastState" in states else 0
    pod = Pod(ready=False, started=-5, restarts=restarts, states={"server": states})
    shop = Rollout(pods=(pod,))
    assert (rule_of(memory(shop, "256Mi"), shop) == "OtherThanResources") is refused_memory
    assert (rule_of(cpu(shop, "750m"), shop) == "OtherThanResources") is refused_cpu
    assert rule_of(memory(shop, "64Mi"), shop) == "", "less is another question"


def test_limits_do_not_make_a_place() -> None:
    shop = Rollout(pods=(Pod(), PENDING))
    assert rule_of(cpu(shop, "750m"), shop) == "OtherThanResources"


def test_limits_that_are_not_used_are_not_raised() -> None:
    shop = Rollout()
    idle = replace(shop, usage=usage(shop, n0=(10, 12), n1=(10, 40)))
    assert rule_of(memory(idle, "256Mi"), idle) == "NoShortage"
    assert rule_of(cpu(idle, "750m"), idle) == "NoShortage"
    assert rule_of(memory(idle, "64Mi"), idle) == "", "less is another question"
    busy = replace(shop, usage=usage(shop, n0=(10, 12), n1=(55, 60)))
    assert rule_of(memory(busy, "256Mi"), busy) == ""
    assert rule_of(cpu(busy, "750m"), busy) == ""
    unmeasured = replace(shop, usage=usage(shop, n0=(10, 12)))
    assert rule_of(memory(unmeasured, "256Mi"), unmeasured) == ""


def test_an_amount_that_an_earlier_revision_had_may_come_back() -> None:
    big = {"limits": {"cpu": "500m", "memory": "512Mi"}}
    shop = Rollout(earlier=[template(container(resources=big))])
    idle = replace(shop, usage=usage(shop, n0=(10, 12), n1=(10, 40)))
    assert rule_of(memory(idle, "512Mi"), idle) == ""
    assert rule_of(memory(idle, "256Mi"), idle) == "NoShortage"


# Probes of the kubelet

READINESS = {"httpGet": {"path": "/ready", "port": "http"}}
LIVENESS = {"httpGet": {"path": "/alive", "port": 8080}}
PROBED = template(container(readinessProbe=READINESS, livenessProbe=LIVENESS))
UNREADY = Pod(ready=False, started=-60)


def failing(kind: str, problem: str, **shop: Any) -> Rollout:
    event = EventLine("Pod", "cart-h1-0", "Unhealthy", f"{kind} probe failed: {problem}", count=16)
    values: dict[str, Any] = {"template": PROBED, "pods": (UNREADY,), "events": (event,)}
    return Rollout(**{**values, **shop})


def patch(shop: Rollout, kind: str = "readiness", **fields: Any) -> str:
    """Return the rule that refuses to set these fields of a probe."""
    if "path" in fields or "port" in fields:
        fields["handler"] = "httpGet"
    probe = {"container": "server", "probe": kind, **fields}
    return rule_of(action(ActionName.PATCH_PROBE, shop, **probe), shop)


def test_a_probe_that_asks_a_missing_path_gets_another_path_and_nothing_else() -> None:
    shop = failing("Readiness", "HTTP probe failed with statuscode: 404")
    assert patch(shop, path="/alive") == ""
    assert patch(shop, port=9090) == "ProbeFailsOtherwise"
    assert patch(shop, failure_threshold=6) == "ProbeFailsOtherwise"
    assert patch(shop, "liveness", timeout_seconds=2) == "ProbePasses"
    assert rule_of(memory(shop, "256Mi"), shop) == "OtherThanResources"
    two_ports = container(
        readinessProbe=READINESS,
        ports=[{"name": "http", "containerPort": 8080}, {"containerPort": 9090}],
    )
    other = failing(
        "Readiness", "HTTP probe failed with statuscode: 404", template=template(two_ports)
    )
    assert patch(other, port=9090) == "", "another server may be meant"
    assert patch(other, port=8080) == "ProbeFailsOtherwise", "it asks this port by its name"


def test_a_refused_connection_is_one_of_the_port() -> None:
    shop = failing("Readiness", "dial tcp 10.1.0.7:8080: connect: connection refused")
    assert patch(shop, port=9090) == ""
    assert patch(shop, path="/alive") == "ProbeFailsOtherwise"
    assert patch(shop, initial_delay_seconds=20) == "ProbeFailsOtherwise"


def test_a_liveness_probe_that_does_not_wait_for_the_start_gets_time() -> None:
    killed = Pod(ready=False, started=-5, restarts=4, states={"server": crash(code=137)})
    shop = failing("Liveness", "connection refused", pods=(killed,))
    assert patch(shop, "liveness", initial_delay_seconds=20) == ""
    assert patch(shop, "readiness", initial_delay_seconds=20) == "ProbePasses"


def test_silence_is_one_of_the_time() -> None:
    shop = failing("Readiness", "context deadline exceeded")
    assert patch(shop, timeout_seconds=2) == ""
    assert patch(shop, port=9090) == "ProbeFailsOtherwise"
    busy = failing("Readiness", "HTTP probe failed with statuscode: 503")
    assert patch(busy, initial_delay_seconds=20) == ""


def test_probes_of_pods_that_are_ready_or_fail_otherwise_are_left_alone() -> None:
    assert patch(Rollout(template=PROBED), timeout_seconds=2) == "ProbePasses"
    image = Pod(ready=False, started=-5, states={"server": waiting("ErrImagePull")})
    assert patch(Rollout(template=PROBED, pods=(image,)), timeout_seconds=2) == "ProbePasses"


def test_without_events_a_probe_may_be_the_reason() -> None:
    assert patch(Rollout(template=PROBED, pods=(UNREADY,)), timeout_seconds=2) == ""
    restarted = Rollout(template=PROBED, pods=(Pod(restarts=2),))
    assert patch(restarted, "liveness", timeout_seconds=2) == ""
    assert patch(Rollout(template=PROBED, pods=(), replicas=1), timeout_seconds=2) == ""


# How the rules are used


def test_what_the_evidence_speaks_against_is_not_offered_and_the_refusal_is_kept() -> None:
    live = Rollout(replicas=4, objects=FULL).live()
    policy = everything()
    names = {one.name for one in allowed_actions(live, policy)}
    assert not names & {ActionName.RESTART, ActionName.DELETE_POD, ActionName.SCALE}
    refused = refusals_by_action(live, policy)
    assert refused[ActionName.RESTART].rule is RejectionRule.NOT_SUPPORTED
    (evaluation,) = evaluate(ActionName.RESTART, live, policy)
    assert isinstance(evaluation.refusal, NotSupportedError)
    assert "quota team is used up (pods)" in evaluation.refusal.message


def test_a_policy_refuses_before_the_evidence_does() -> None:
    live = Rollout(replicas=4, objects=FULL).live()
    refused = [e.refusal for e in evaluate(ActionName.SCALE, live, everything(max_replicas=4))]
    assert RejectionRule.BOUNDS in {error.rule for error in refused if error}


def test_without_evidence_nothing_is_refused() -> None:
    live = replace(Rollout(pods=(Pod(),), earlier=[OLD]).live(), fault_start=None, objects={})
    shop = Rollout()
    for one in (restart(shop), scale(shop, 3), rollback(shop), memory(shop, "256Mi")):
        assert refusal(one, Evidence(live)) is None


def test_rules_have_distinct_names_and_a_reason_in_sentences() -> None:
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule.actions
        assert rule.reason.endswith(".")
        assert rule.objection.__doc__


def test_the_constant_of_time_is_as_the_reason_says() -> None:
    assert timedelta(minutes=10) == rollback_rules.SETTLED
    assert timedelta(minutes=2) == rollback_rules.SETTLED_BEFORE_OTHER_CHANGE
