"""What a snapshot holds, and what counts as a difference."""

import pytest

from reme_benchmark.scoring import field_paths
from reme_benchmark.scoring.snapshot import Snapshot, diff_snapshots, take_snapshot
from tests.doubles.bench_cluster import NAMESPACE, FakeCluster, Object
from tests.doubles.bench_shop import shop

TEMPLATE = "spec.template.spec.containers[cart]"


@pytest.fixture
def cluster() -> FakeCluster:
    return shop()


@pytest.fixture
async def before(cluster: FakeCluster) -> Snapshot:
    return await take_snapshot(cluster, NAMESPACE)  # type: ignore[arg-type]


async def differences(
    cluster: FakeCluster, before: Snapshot
) -> dict[tuple[str, str], tuple[str, str]]:
    after = await take_snapshot(cluster, NAMESPACE)  # type: ignore[arg-type]
    return {(d.object, d.path): (d.before, d.after) for d in diff_snapshots(before, after)}


def container(cluster: FakeCluster) -> Object:
    cart = cluster.at("Deployment", "cart")
    first: Object = cart["spec"]["template"]["spec"]["containers"][0]
    return first


async def test_nothing_differs_from_itself(cluster: FakeCluster, before: Snapshot) -> None:
    assert await differences(cluster, before) == {}


async def test_it_survives_being_written_down(before: Snapshot) -> None:
    assert Snapshot.from_json(before.to_json()) == before


async def test_what_controllers_write_is_no_difference(
    cluster: FakeCluster, before: Snapshot
) -> None:
    cart = cluster.at("Deployment", "cart")
    cart["status"]["availableReplicas"] = 0
    cart["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "7"
    cart["metadata"]["resourceVersion"] = "999"
    cart["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    cluster.at("Node", "node-0")["spec"]["taints"] = [
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    ]
    cluster.put(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "record",
                "namespace": NAMESPACE,
                "ownerReferences": [{"apiVersion": "reme.dev/v1alpha1", "kind": "Remediation"}],
            },
        }
    )
    assert await differences(cluster, before) == {}


async def test_amounts_are_compared_not_their_spelling(
    cluster: FakeCluster, before: Snapshot
) -> None:
    container(cluster)["resources"]["limits"] = {"cpu": "0.3", "memory": "65536Ki"}
    assert await differences(cluster, before) == {}
    container(cluster)["resources"]["limits"]["memory"] = "128Mi"
    assert await differences(cluster, before) == {
        ("Deployment/cart", f"{TEMPLATE}.resources.limits.memory"): ("64Mi", "128Mi")
    }


async def test_entries_of_lists_are_told_apart_by_their_keys(
    cluster: FakeCluster, before: Snapshot
) -> None:
    container(cluster)["env"] = [
        {"name": "FIRST", "value": ""},
        *container(cluster)["env"],
    ]
    assert await differences(cluster, before) == {
        ("Deployment/cart", f"{TEMPLATE}.env[FIRST]"): ("", '{"name": "FIRST"}'),
        ("Deployment/cart", f"{TEMPLATE}.env[FIRST].value"): ("", ""),
    }


async def test_a_dropped_limit_a_probe_and_replicas_show(
    cluster: FakeCluster, before: Snapshot
) -> None:
    del container(cluster)["resources"]["limits"]
    container(cluster)["readinessProbe"]["periodSeconds"] = 60
    cluster.at("Deployment", "cart")["spec"]["replicas"] = 0
    assert await differences(cluster, before) == {
        ("Deployment/cart", "spec.replicas"): ("2", "0"),
        ("Deployment/cart", f"{TEMPLATE}.readinessProbe.periodSeconds"): ("1", "60"),
        ("Deployment/cart", f"{TEMPLATE}.resources.limits.cpu"): ("300m", ""),
        ("Deployment/cart", f"{TEMPLATE}.resources.limits.memory"): ("64Mi", ""),
    }


async def test_objects_come_and_go(cluster: FakeCluster, before: Snapshot) -> None:
    cluster.drop("Service", "cart")
    quota = {"name": "tight", "namespace": NAMESPACE}
    cluster.put({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota})
    assert await differences(cluster, before) == {
        ("ResourceQuota/tight", ""): ("", "exists"),
        ("Service/cart", ""): ("exists", ""),
    }


async def test_a_service_made_anew_at_another_address_is_the_same(
    cluster: FakeCluster, before: Snapshot
) -> None:
    spec = cluster.at("Service", "cart")["spec"]
    spec["clusterIP"] = "10.0.0.9"
    assert await differences(cluster, before) == {}
    spec["selector"] = {"app": "front"}
    assert await differences(cluster, before) == {
        ("Service/cart", "spec.selector.app"): ("cart", "front")
    }


async def test_a_cordon_and_a_taint_show(cluster: FakeCluster, before: Snapshot) -> None:
    cluster.at("Node", "node-0")["spec"] = {
        "unschedulable": True,
        "taints": [{"key": "broken", "effect": "NoSchedule", "timeAdded": "now"}],
    }
    changed = await differences(cluster, before)
    assert changed["Node/node-0", "spec.unschedulable"] == ("", "true")
    assert ("Node/node-0", "spec.taints[broken:NoSchedule]") in changed


async def test_a_node_may_join_but_not_go(cluster: FakeCluster, before: Snapshot) -> None:
    cluster.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {}})
    assert await differences(cluster, before) == {}
    cluster.drop("Node", "node-0", "")
    assert await differences(cluster, before) == {("Node/node-0", ""): ("exists", "")}


async def test_secrets_differ_without_being_shown(cluster: FakeCluster) -> None:
    secret = {"name": "key", "namespace": NAMESPACE}
    cluster.put(
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "data": {"password": "b25l"}}
    )
    before = await take_snapshot(cluster, NAMESPACE)  # type: ignore[arg-type]
    cluster.at("Secret", "key")["data"]["password"] = "dHdv"
    assert await differences(cluster, before) == {
        ("Secret/key", "data.password"): ("(hidden)", "(hidden)")
    }


async def test_replicas_are_an_autoscalers_to_choose(cluster: FakeCluster) -> None:
    cluster.put(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "cart", "namespace": NAMESPACE},
            "spec": {
                "minReplicas": 1,
                "maxReplicas": 4,
                "scaleTargetRef": {"kind": "Deployment", "name": "cart"},
            },
        }
    )
    before = await take_snapshot(cluster, NAMESPACE)  # type: ignore[arg-type]
    cluster.at("Deployment", "cart")["spec"]["replicas"] = 4
    assert await differences(cluster, before) == {}
    cluster.at("Deployment", "cart")["spec"]["replicas"] = 9
    assert list(await differences(cluster, before)) == [("Deployment/cart", "spec.replicas")]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.replicas", ("spec", "replicas")),
        (
            "spec.template.spec.containers[web].image",
            ("spec", "template", "spec", "containers", "web", "image"),
        ),
        (
            "metadata.labels.app.kubernetes.io/name",
            ("metadata", "labels", "app.kubernetes.io/name"),
        ),
        (
            "metadata.labels[app.kubernetes.io/name]",
            ("metadata", "labels", "app.kubernetes.io/name"),
        ),
        ("spec.hard.limits.cpu", ("spec", "hard", "limits.cpu")),
        ("", ()),
    ],
)
def test_paths_are_read_as_people_write_them(text: str, path: field_paths.Path) -> None:
    assert field_paths.parse(text) == path
    assert field_paths.parse(field_paths.dotted(path)) == path


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("spec.replicas", "spec.replicas", True),
        (
            "spec.template.spec.containers[*].env[*]",
            "spec.template.spec.containers[a].env[b].value",
            True,
        ),
        ("spec.template.spec.containers[*].env", "spec.template.spec.containers[a].image", False),
        ("spec.strategy", "spec.strategy.type", True),
        ("spec.strategy.type", "spec.strategy", False),
        ("", "spec.anything", True),
    ],
)
def test_a_pattern_covers_a_field_and_what_is_in_it(pattern: str, path: str, covered: bool) -> None:
    assert field_paths.covers(field_paths.parse(pattern), field_paths.parse(path)) is covered


@pytest.mark.parametrize(
    ("value", "number"),
    [("64Mi", 64 * 2**20), ("300m", 0.3), (3, 3), ("2", 2), ("many", None), (True, None)],
)
def test_amounts_are_numbers(value: object, number: float | None) -> None:
    assert field_paths.number(value) == number
