"""What around a workload is read, what is made of it, and what an error means."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from reme_kube.errors import ForbiddenError, NotFoundError, UnavailableError
from reme_kube.protocols import Cluster
from reme_kube.resources import INGRESSES, JOBS, NODES, RESOURCE_QUOTAS, Resource
from reme_operator.snapshot import related_objects
from reme_playbook.snapshot import related_services
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Json = dict[str, Any]
CART = ObjectRef("Deployment", "shop", "cart")
NODE = ObjectRef("Node", "", "n1")


@dataclass
class Reads:
    """The reading half of a cluster; an error in the place of a list is raised."""

    lists: dict[Resource, list[Json] | Exception] = field(default_factory=dict)
    objects: dict[str, Json | Exception] = field(default_factory=dict)

    async def list_resource(self, resource: Resource, namespace: str | None = None) -> list[Json]:
        items = self.lists.get(resource, [])
        if isinstance(items, Exception):
            raise items
        return items

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        item = self.objects.get(resource.path(namespace, name), NotFoundError("no"))
        if isinstance(item, Exception):
            raise item
        return item


def reads(**fields: Any) -> Cluster:
    return cast("Cluster", Reads(**fields))


def named(name: str, **more: Any) -> Json:
    return {"metadata": {"name": name}, **more}


async def test_what_may_not_be_read_or_is_not_installed_is_not_there() -> None:
    lists = {
        RESOURCE_QUOTAS: [named("all")],
        INGRESSES: ForbiddenError("no"),
        JOBS: NotFoundError("no"),
    }
    assert [*await related_objects.list_related(reads(lists=lists), "shop")] == [
        ObjectRef("ResourceQuota", "shop", "all")
    ]
    assert await related_objects.list_nodes(reads(lists={NODES: ForbiddenError("no")})) == (
        {},
        None,
    )


async def test_an_error_that_may_pass_is_no_absence() -> None:
    with pytest.raises(UnavailableError):
        await related_objects.list_related(
            reads(lists={INGRESSES: UnavailableError("later")}), "shop"
        )
    path = NODES.path("", "n1")
    with pytest.raises(UnavailableError):
        await related_objects.get_missing(
            reads(objects={path: UnavailableError("later")}), [NODE], []
        )


async def test_of_jobs_only_suspended_ones_are_kept_and_of_nodes_those_that_refuse_pods() -> None:
    jobs = [named("done", spec={}), named("held", spec={"suspend": True})]
    related = await related_objects.list_related(reads(lists={JOBS: jobs}), "shop")
    assert [key.name for key in related] == ["held"]
    nodes = [
        named("free", spec={}),
        named("cordoned", spec={"unschedulable": True}),
        named("tainted", spec={"taints": [{"key": "a", "effect": "NoSchedule"}]}),
    ]
    nodes[0]["metadata"]["labels"] = {"disk": "ssd"}
    refusing, labels = await related_objects.list_nodes(reads(lists={NODES: nodes}))
    assert [key.name for key in refusing] == ["cordoned", "tainted"]
    assert labels == frozenset({("disk", "ssd")})


async def test_what_a_run_wrote_is_read_again_whether_it_is_near_or_not() -> None:
    cluster = reads(objects={NODES.path("", "n1"): named("n1")})
    gone = ObjectRef("Ingress", "shop", "gone")
    assert await related_objects.get_missing(cluster, [NODE, gone, NODE], []) == {NODE: named("n1")}
    assert await related_objects.get_missing(cluster, [NODE], [NODE]) == {}


def service(name: str, port: Any = 80, **selector: str) -> Json:
    return named(name, spec={"selector": selector, "ports": [{"port": 80, "targetPort": port}]})


def workload(name: str, *env: str, **more: Any) -> Json:
    variables = [{"name": f"V{n}", "value": value} for n, value in enumerate(env)]
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "env": variables, **more}]},
    }
    return {"kind": "Deployment", **named(name, spec={"template": template})}


SERVICES = [
    service("cart", 8080, app="cart"),
    service("db", "sql", app="db"),
    service("x", app="x"),
]


def test_who_calls_the_target_is_told_by_whole_names() -> None:
    live = ClusterSnapshot(target=CART, objects={CART: workload("cart")}, neighbours={})
    others = [
        workload("cart", "http://cart"),
        workload("front", "http://cart:80/items"),
        workload("job", "cart-db:5432"),
        workload("shop", args=["--cart=cart.shop.svc"]),
    ]
    callers = related_services.callers(others, SERVICES, live)
    assert [key.name for key in callers] == ["front", "shop"]


def test_whom_the_target_calls_is_told_with_where_it_leads() -> None:
    config = ObjectRef("ConfigMap", "shop", "settings")
    target = workload("cart", "x-ray", envFrom=[{"configMapRef": {"name": "settings"}}])
    objects = {CART: target, config: named("settings", data={"url": "postgres://db:5432/cart"})}
    live = ClusterSnapshot(target=CART, objects=objects, neighbours={})
    (callee,) = related_services.callees(SERVICES, live)
    assert (callee.service, callee.labels, callee.ports) == ("db", {"app": "db"}, ("sql",))
