"""Restoring on a cluster in memory: what is written, in what order, and what is admitted to."""

import copy
from collections.abc import Callable

import pytest

from reme_benchmark.scoring.restore import RestoreResult, restore
from reme_benchmark.scoring.snapshot import Snapshot, diff_snapshots, take_snapshot
from reme_kube.errors import InvalidError, UnavailableError
from tests.doubles.bench_cluster import NAMESPACE, FakeCluster, Object, QuickClock
from tests.doubles.bench_shop import deployment, pod, shop


class Scene:
    def __init__(self, cluster: FakeCluster, before: Snapshot) -> None:
        self.cluster, self.before, self.clock = cluster, before, QuickClock()
        cluster.after = controllers
        cluster.writes.clear()

    async def restore(self) -> RestoreResult:
        return await restore(
            self.cluster,  # type: ignore[arg-type]
            NAMESPACE,
            self.before,
            ready_seconds=30,
            sleep=self.clock.sleep,
            clock=self.clock.monotonic,
        )

    async def same(self) -> bool:
        now = await take_snapshot(self.cluster, NAMESPACE)  # type: ignore[arg-type]
        return diff_snapshots(self.before, now) == []

    def cart(self) -> Object:
        return self.cluster.at("Deployment", "cart")


def controllers(cluster: FakeCluster) -> None:
    """What the controllers do at once: every Deployment that can work has what it asks for."""
    for (kind, _, _), item in list(cluster.objects.items()):
        if kind == "Deployment":
            replicas = item["spec"]["replicas"]
            item["status"] = {
                "observedGeneration": item["metadata"]["generation"],
                "replicas": replicas,
                "updatedReplicas": replicas,
                "availableReplicas": replicas,
            }
            item["metadata"].setdefault("annotations", {}).setdefault(
                "deployment.kubernetes.io/revision", "1"
            )


@pytest.fixture
async def scene() -> Scene:
    cluster = shop()
    return Scene(cluster, await take_snapshot(cluster, NAMESPACE))  # type: ignore[arg-type]


async def test_nothing_is_written_where_nothing_differs(scene: Scene) -> None:
    done = await scene.restore()
    assert (done.changed, done.deleted, done.missing, done.seconds) == ([], [], [], 0)
    assert scene.cluster.writes == []


def change_the_image(scene: Scene) -> None:
    scene.cart()["spec"]["template"]["spec"]["containers"][0]["image"] = "absent:1"


def drop_the_limits(scene: Scene) -> None:
    del scene.cart()["spec"]["template"]["spec"]["containers"][0]["resources"]


def add_a_variable(scene: Scene) -> None:
    env = scene.cart()["spec"]["template"]["spec"]["containers"][0]["env"]
    env.insert(0, {"name": "EXTRA", "value": "1"})


def scale_to_zero(scene: Scene) -> None:
    scene.cart()["spec"]["replicas"] = 0


def change_labels_and_annotations(scene: Scene) -> None:
    scene.cart()["metadata"]["labels"] = {"app": "other", "new": "1"}
    scene.cart()["metadata"]["annotations"]["note"] = "x"


def delete_the_service(scene: Scene) -> None:
    scene.cluster.drop("Service", "cart")


def delete_the_deployment(scene: Scene) -> None:
    scene.cluster.drop("Deployment", "cart")


def break_the_selector(scene: Scene) -> None:
    scene.cluster.at("Service", "cart")["spec"]["selector"] = {"app": "nobody"}


def give_the_service_another_address(scene: Scene) -> None:
    scene.cluster.at("Service", "cart")["spec"]["clusterIP"] = "10.0.0.99"


def create_a_quota(scene: Scene) -> None:
    meta = {"name": "tight", "namespace": NAMESPACE}
    scene.cluster.put(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {}}}
    )


def create_a_workload(scene: Scene) -> None:
    scene.cluster.put(deployment("stranger"))


def cordon_and_taint(scene: Scene) -> None:
    scene.cluster.at("Node", "node-0")["spec"] = {
        "podCIDR": "10.1.0.0/24",
        "unschedulable": True,
        "taints": [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"},
            {"key": "ours", "effect": "NoExecute"},
        ],
    }


CHANGES: list[Callable[[Scene], None]] = [
    change_the_image,
    drop_the_limits,
    add_a_variable,
    scale_to_zero,
    change_labels_and_annotations,
    delete_the_service,
    delete_the_deployment,
    break_the_selector,
    create_a_quota,
    create_a_workload,
    cordon_and_taint,
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_put_back(scene: Scene, change: Callable[[Scene], None]) -> None:
    change(scene)
    assert not await scene.same()
    done = await scene.restore()
    assert done.ok, done.missing
    assert await scene.same()
    assert len(done.changed) + len(done.deleted) >= 1
    scene.cluster.writes.clear()
    assert (await scene.restore()).changed == []
    assert scene.cluster.writes == []


async def test_all_changes_together_are_put_back(scene: Scene) -> None:
    for change in CHANGES:
        if change not in (delete_the_deployment, break_the_selector):
            change(scene)
    assert (await scene.restore()).ok
    assert await scene.same()


async def test_what_is_in_the_way_goes_first(scene: Scene) -> None:
    scale_to_zero(scene)
    create_a_quota(scene)
    cordon_and_taint(scene)
    await scene.restore()
    assert [w[:2] for w in scene.cluster.writes] == [
        ("delete", "ResourceQuota"),
        ("replace", "Node"),
        ("replace", "Deployment"),
    ]


async def test_a_node_keeps_what_it_is_by_itself(scene: Scene) -> None:
    cordon_and_taint(scene)
    await scene.restore()
    assert scene.cluster.at("Node", "node-0")["spec"] == {
        "podCIDR": "10.1.0.0/24",
        "taints": [{"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}],
    }


async def test_a_node_that_joined_stays(scene: Scene) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {}}
    scene.cluster.put(node)
    scale_to_zero(scene)
    done = await scene.restore()
    assert (done.changed, done.deleted, done.missing) == (["Deployment/cart"], [], [])


async def test_a_service_gets_its_address_back(scene: Scene) -> None:
    give_the_service_another_address(scene)
    assert (await scene.restore()).ok
    assert scene.cluster.at("Service", "cart")["spec"]["clusterIP"] == "10.0.0.1"


async def test_conflicts_are_tried_again(scene: Scene) -> None:
    change_the_image(scene)
    scene.cluster.conflicts = 3
    assert (await scene.restore()).ok
    assert await scene.same()


async def test_endless_conflicts_are_admitted_to(scene: Scene) -> None:
    change_the_image(scene)
    scene.cluster.conflicts = 99
    done = await scene.restore()
    assert not done.ok
    assert done.missing[0].startswith("Deployment/cart: changed since")


async def test_what_cannot_be_changed_is_made_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_the_image(scene)
    old = scene.cart()["metadata"]["uid"]

    async def refuse(body: Object) -> Object:
        raise InvalidError("spec.selector: field is immutable")

    monkeypatch.setattr(scene.cluster, "replace", refuse)
    assert (await scene.restore()).ok
    assert await scene.same()
    assert scene.cart()["metadata"]["uid"] != old


async def test_a_cluster_that_does_not_answer_is_admitted_to(scene: Scene) -> None:
    scene.cluster.fails = UnavailableError("no answer")
    done = await scene.restore()
    assert done.missing == ["shop: no answer"]


async def test_what_does_not_come_back_is_named_and_bounded(scene: Scene) -> None:
    scene.cluster.after = lambda _: None
    scene.cart()["status"]["availableReplicas"] = 1
    done = await scene.restore()
    assert done.missing == ["Deployment cart: 1 of 2 replicas are available"]
    assert 30 <= done.seconds < 31


# --- pods -----------------------------------------------------------------------------------------


def crash(scene: Scene) -> None:
    status = scene.cluster.at("Pod", "cart-1-0")["status"]
    status["containerStatuses"][0] |= {
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }


def swap_the_image(scene: Scene) -> None:
    scene.cluster.at("Pod", "cart-1-0")["spec"]["containers"][0]["image"] = "pause:1"


def raise_its_limit(scene: Scene) -> None:
    resources = scene.cluster.at("Pod", "cart-1-0")["spec"]["containers"][0]["resources"]
    resources["limits"]["cpu"] = "2"


def wait_for_a_node(scene: Scene) -> None:
    scene.cluster.at("Pod", "cart-1-0")["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False"}]
    }


def orphan(scene: Scene) -> None:
    meta = scene.cluster.at("Pod", "cart-1-0")["metadata"]
    del meta["ownerReferences"]
    meta["uid"] = "taken-out"


def forget_its_owner(scene: Scene) -> None:
    scene.cluster.at("Pod", "cart-1-0")["metadata"]["ownerReferences"][0]["uid"] = "gone"


@pytest.mark.parametrize(
    "spoil", [crash, swap_the_image, raise_its_limit, wait_for_a_node, orphan, forget_its_owner]
)
async def test_a_spoiled_pod_is_replaced(scene: Scene, spoil: Callable[[Scene], None]) -> None:
    spoil(scene)
    done = await scene.restore()
    assert done.deleted == ["Pod/cart-1-0"]


async def test_a_pod_that_had_restarted_before_stays(scene: Scene) -> None:
    scene.cluster.at("Pod", "cart-1-0")["status"]["containerStatuses"][0]["restartCount"] = 2
    taken = await take_snapshot(scene.cluster, NAMESPACE)  # type: ignore[arg-type]
    assert (await Scene(scene.cluster, taken).restore()).deleted == []


async def test_a_healthy_pod_of_a_method_stays(scene: Scene) -> None:
    replacement_pod = copy.deepcopy(scene.cluster.at("Pod", "cart-1-0"))
    scene.cluster.drop("Pod", "cart-1-0")
    replacement_pod["metadata"] |= {"name": "cart-1-9", "uid": "new"}
    scene.cluster.put(replacement_pod)
    scene.cluster.at("EndpointSlice", "cart-1")["endpoints"][0]["targetRef"]["name"] = "cart-1-9"
    done = await scene.restore()
    assert (done.ok, done.deleted) == (True, [])


async def test_a_pod_that_does_not_end_is_ended(scene: Scene) -> None:
    scene.cluster.at("Pod", "cart-1-0")["metadata"]["deletionTimestamp"] = "now"
    done = await scene.restore()
    assert done.ok, done.missing
    assert ("delete", "Pod", "cart-1-0") in scene.cluster.writes
    assert 3 <= done.seconds < 5


async def test_a_service_must_lead_to_its_pods_again(scene: Scene) -> None:
    endpoints = scene.cluster.at("EndpointSlice", "cart-1")["endpoints"]
    endpoint = endpoints.pop()
    scene.clock.at(2, lambda: endpoints.append(endpoint))
    done = await scene.restore()
    assert done.ok
    assert 2 <= done.seconds < 3


async def test_who_makes_too_few_pods_is_told_to_look_again(scene: Scene) -> None:
    scene.cart()["status"]["availableReplicas"] = 1
    scene.cluster.at("ReplicaSet", "cart-1")["status"]["replicas"] = 1
    scene.cluster.after = lambda _: None
    scene.clock.at(6, lambda: controllers(scene.cluster))
    assert (await scene.restore()).ok
    # Set and taken away again, and once more after some seconds.
    assert scene.cluster.writes == [("patch", "ReplicaSet", "cart-1")] * 4


# --- what a rollback could fall back to -----------------------------------------------------------


def revision(scene: Scene, number: int, image: str) -> None:
    replica_set = copy.deepcopy(scene.cluster.at("ReplicaSet", "cart-1"))
    meta = replica_set["metadata"]
    meta |= {"name": f"cart-{number}", "uid": f"rs-{number}"}
    meta["annotations"] = {"deployment.kubernetes.io/revision": str(number)}
    replica_set["spec"] |= {"replicas": 0}
    replica_set["spec"]["template"]["spec"]["containers"][0]["image"] = image
    replica_set["status"] = {"replicas": 0}
    scene.cluster.put(replica_set)


async def test_earlier_revisions_are_forgotten(scene: Scene) -> None:
    revision(scene, 2, "bad:1")
    revision(scene, 3, "good:1")
    assert (await scene.restore()).deleted == ["ReplicaSet/cart-2", "ReplicaSet/cart-3"]
    assert scene.cluster.at("ReplicaSet", "cart-1")


async def test_the_revision_in_use_is_the_deployments_own(scene: Scene) -> None:
    revision(scene, 4, "shop:1")
    scene.cart()["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "4"
    for name in ("cart-1-0", "cart-1-1"):
        meta = scene.cluster.at("Pod", name)["metadata"]
        meta["ownerReferences"][0] |= {"name": "cart-4", "uid": "rs-4"}
    assert (await scene.restore()).deleted == ["ReplicaSet/cart-1"]


async def test_revisions_of_a_stateful_set_are_forgotten_too(scene: Scene) -> None:
    body = deployment("store") | {"kind": "StatefulSet"}
    made = scene.cluster.put(
        body,
        observedGeneration=1,
        updatedReplicas=1,
        availableReplicas=1,
        replicas=1,
        currentRevision="store-b",
        updateRevision="store-b",
    )
    scene.cluster.put(pod("store-0", made))
    for number, name in enumerate(("store-a", "store-b")):
        owner = {"kind": "StatefulSet", "uid": made["metadata"]["uid"], "controller": True}
        scene.cluster.put(
            {
                "kind": "ControllerRevision",
                "revision": number,
                "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner]},
            }
        )
    taken = await take_snapshot(scene.cluster, NAMESPACE)  # type: ignore[arg-type]
    done = await Scene(scene.cluster, taken).restore()
    assert done.deleted == ["ControllerRevision/store-a"]
