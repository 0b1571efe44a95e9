"""Incidents that people reported, in the shape in which the cluster showed them: what is offered.

Each says what was right, and which wrong actions were once taken.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from reme_api.actions import ActionName
from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.nothing_left import nothing_left
from reme_playbook.snapshot.dependency import Dependency, Mention, Place
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine, Usage
from tests.unit.playbook.builders import everything
from tests.unit.playbook.rollouts import (
    NAMESPACE,
    Pod,
    Rollout,
    container,
    crash,
    template,
    waiting,
)


def without(*names: ActionName) -> RemediationPolicySpec:
    return RemediationPolicySpec(
        actions=[ActionRule(name=name) for name in ActionName if name not in names]
    )


def offered(live: ClusterSnapshot, policy: RemediationPolicySpec | None = None) -> list[str]:
    return [action.summary() for action in allowed_actions(live, policy or everything())]


def names(summaries: Iterable[str]) -> set[str]:
    """Return the first two words of each, such as `Set memory`."""
    return {" ".join(summary.split()[:2]) for summary in summaries}


def version(number: str, **more: Any) -> dict[str, Any]:
    env = [{"name": "VERSION", "value": number}, *more.pop("env", [])]
    return template(container(env=env, **more))


def idle(shop: Rollout) -> Rollout:
    """Return the shop with pods that use little."""
    usage = {
        (shop.pod_name(number), "server"): Usage(20, 20 * 2**20)
        for number, pod in enumerate(shop.pods)
        if pod.ready
    }
    return replace(shop, usage=usage)


def test_a_readiness_path_that_never_existed() -> None:
    """Two pods were deleted, a port was set, and time was given to the probe that passes."""
    probes: dict[str, Any] = {
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": "http"}},
    }
    event = EventLine(
        "Pod",
        "cart-h1-0",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 404",
        count=16,
        container="server",
    )
    shop = Rollout(
        template=template(container(**probes)),
        pods=(Pod(ready=False, started=-60),),
        complete=None,
        events=(event,),
    )
    assert offered(shop.live()) == [
        "Set path /alive in the readiness probe of container server of Deployment cart"
    ]


def test_a_proxy_that_is_killed_for_memory_while_the_report_names_the_sidecar() -> None:
    """It was scaled to 2, then to 3, and the sidecar got more CPU."""
    two = template(
        container("proxy", "proxy:1", resources={"limits": {"cpu": "300m", "memory": "48Mi"}}),
        container("otel-agent", "agent:1", resources={"limits": {"cpu": "100m", "memory": "64Mi"}}),
    )
    killed = Pod(ready=False, started=-1, restarts=2, states={"proxy": crash("OOMKilled", 137)})
    shop = Rollout(template=two, pods=(killed,), complete=None)
    summaries = offered(shop.live())
    assert names(summaries) == {"Set memory"}
    assert all("container proxy" in summary for summary in summaries)


def test_a_quota_that_was_set_on_purpose() -> None:
    """Two healthy pods were deleted, one after the other."""
    quota = ObjectRef("ResourceQuota", NAMESPACE, "cost-cap")
    objects = {
        quota: {
            "metadata": {"name": "cost-cap"},
            "spec": {"hard": {"pods": "2"}},
            "status": {"used": {"pods": "2"}},
        }
    }
    shop = idle(Rollout(replicas=4, objects=objects))
    policy = without(ActionName.SET_QUOTA)
    assert offered(shop.live(), policy) == []
    why = nothing_left(shop.live(), policy)
    assert "quota cost-cap is used up (pods)" in why.message
    assert why.elsewhere == ""


def test_a_new_pod_that_waits_for_the_port_of_the_old_one() -> None:
    """The release was rolled back, and once the CPU limit raised."""
    ports = [{"name": "game", "containerPort": 25565, "hostPort": 25565}]
    pending = Pod(
        ready=False,
        started=-1,
        unscheduled="0/1 nodes are available: 1 node(s) didn't have free ports for the requested"
        " pod ports.",
    )
    shop = Rollout(
        template=version("2", ports=ports),
        earlier=[version("1", ports=ports)],
        pods=(Pod(revision=1), pending),
        replicas=1,
        complete=None,
        service_port=25565,
        spec={
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            }
        },
    )
    assert offered(idle(shop).live()) == [
        "Roll Deployment cart out with max surge 0 and max unavailable 1"
    ]


def outside(problem: str, **more: Any) -> Dependency:
    values: dict[str, Any] = {
        "host": "provider.ext.svc.cluster.local",
        "scheme": "http",
        "port": 80,
        "mentions": (Mention("server", "PROVIDER"),),
        "place": Place.OTHER_NAMESPACE,
        "namespace": "ext",
        "service": "provider",
        "problem": problem,
        "problem_kind": FindingKind.DEPENDENCY_OUTSIDE,
    }
    return Dependency(**{**values, **more})


def test_a_provider_that_is_down_after_a_harmless_release() -> None:
    """The release was rolled back twice."""
    shop = Rollout(
        template=version("2"),
        earlier=[version("1")],
        complete=-0.4,
        dependencies=(outside("refuses connections, as the report says"),),
    )
    assert offered(shop.live()) == []
    assert nothing_left(shop.live(), everything()).elsewhere == (
        "provider.ext.svc.cluster.local: it refuses connections, as the report says"
    )


def test_a_caller_that_is_blamed_for_the_port_of_what_it_calls() -> None:
    """The caller was rolled back twice, as the report asked."""
    reviews = outside(
        "leads port 80 to 8080, and its pods have 9090",
        host="shop-reviews",
        place=Place.NAMESPACE,
        namespace=NAMESPACE,
        service="shop-reviews",
        problem_kind=FindingKind.PORT_MISMATCH,
    )
    shop = Rollout(
        template=version("8"), earlier=[version("7")], complete=-0.3, dependencies=(reviews,)
    )
    assert offered(shop.live()) == []
    assert nothing_left(shop.live(), everything()).elsewhere.startswith("shop-reviews: it leads")


def test_a_release_that_needs_more_memory_than_its_limit() -> None:
    """The report named a container that does not exist, and was refused."""
    resources = {"limits": {"cpu": "300m", "memory": "72Mi"}}

    def release(mebibytes: str) -> dict[str, Any]:
        env = [{"name": "MEMORY_MEBIBYTES", "value": mebibytes}]
        return template(container(env=env, resources=resources))

    killed = Pod(ready=False, started=-1, restarts=2, states={"server": crash("OOMKilled", 137)})
    shop = Rollout(template=release("78"), earlier=[release("40")], pods=(killed,), complete=None)
    assert names(offered(shop.live())) == {"Set memory", "Roll Deployment", "Set variable"}


def test_a_service_that_is_killed_at_its_first_limit() -> None:
    """It was restarted first."""
    env = [{"name": n, "value": n.lower()} for n in ("OTEL_SERVICE_NAME", "APP_NAME", "TARGET_ENV")]
    killed = Pod(ready=False, started=-1, restarts=2, states={"server": crash("OOMKilled", 137)})
    shop = Rollout(template=template(container(env=env)), pods=(killed,), complete=None)
    assert names(offered(shop.live())) == {"Set memory"}


def test_a_service_that_selects_none_of_the_pods() -> None:
    """It was restarted first."""
    shop = idle(Rollout(selector={"app": "carts"}))
    assert offered(shop.live()) == ["Set app in the selector of Service cart"]


def test_the_newest_pod_of_a_set_with_a_mistyped_image() -> None:
    """A rollback deletes the stuck pod; deleting it alone, or one that serves, is wrong."""
    bad = Pod(ready=False, started=-1, states={"server": waiting("ErrImagePull")}, name="cart-2")
    shop = Rollout(
        kind="StatefulSet",
        template=template(container(image="cart:dve")),
        earlier=[template(container(image="cart:dev"))],
        pods=(Pod(revision=1), Pod(revision=1), bad),
    )
    assert offered(shop.live()) == [
        "Roll StatefulSet cart back to its previous revision",
        "Set the image of container server of StatefulSet cart",
    ]


def test_an_address_of_a_service_that_does_not_exist() -> None:
    """It was restarted, and then got more CPU."""
    calls = [{"name": "CALLS", "value": "http://stok:8080/items"}]
    missing = outside(
        "is no Service here",
        host="stok",
        place=Place.NAMESPACE,
        namespace=NAMESPACE,
        service="stok",
        exists=False,
        mentions=(Mention("server", "CALLS"),),
        problem_kind=FindingKind.DEPENDENCY_MISSING,
    )
    shop = idle(
        Rollout(
            template=template(container(env=calls)),
            pods=(Pod(started=-0.5),),
            released=-0.5,
            complete=-0.4,
            dependencies=(missing,),
        )
    )
    assert set(offered(shop.live())) == {
        "Set variable CALLS of container server of Deployment cart"
    }
