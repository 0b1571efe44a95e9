from typing import Any

import pytest

from reme_playbook.snapshot import views
from reme_playbook.snapshot.object_diff import FieldChange
from reme_playbook.snapshot.pod_template import differences, digest
from reme_playbook.snapshot.snapshot import (
    ClusterSnapshot,
    Revision,
    config_map_references,
)
from tests.unit.playbook.builders import CART, SERVICE, Shop, container, key, template


def test_containers_are_told_with_their_limits_ports_and_probes() -> None:
    result = Shop(template=template(container(resources={"limits": {"cpu": 1, "memory": "0.5Gi"}})))
    server = result.live().container("server")
    assert server is not None
    assert server.resources == views.Resources("1", "512Mi")
    assert server.ports == (views.ContainerPort(8080, "http"),)
    assert server.env == {"STOCK_URL": "http://stock:8080/items", "LEVEL": "info", "KEY": None}
    assert server.probes["readiness"] == views.ProbeView("httpGet", "/ready", 8080, 0, 4, 1, 3)
    assert result.live().container("nobody") is None


def test_replicas_are_told_for_every_kind() -> None:
    live = Shop(replicas=3).live()
    assert live.replicas == views.Replicas(desired=3, current=0, updated=0, ready=0, available=0)
    live = Shop(kind="DaemonSet").live()
    live.objects[live.target]["status"] = {"desiredNumberScheduled": 2, "numberReady": 1}  # type: ignore[index]
    assert (live.replicas.desired, live.replicas.ready) == (2, 1)


def test_services_are_told_with_where_they_lead() -> None:
    live = Shop(selector={"app": "card"}, ports=[{"port": 80, "targetPort": "web"}, {"port": 81}])
    (service,) = live.live().services
    assert service.selector == {"app": "card"}
    assert not service.selects_target
    assert [(p.port, p.target_port) for p in service.ports] == [(80, "web"), (81, 81)]
    assert Shop().live().services[0].selects_target


def test_pods_are_told_with_why_they_do_not_run() -> None:
    pod = views.pod(
        {
            "metadata": {"name": "p", "deletionTimestamp": "x"},
            "status": {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "message": "no room"}],
                "containerStatuses": [
                    {
                        "name": "a",
                        "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "wait"}},
                        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                    },
                    {"name": "b", "ready": True, "restartCount": 1, "image": "b:1"},
                ],
            },
        }
    )
    assert (pod.deleting, pod.ready, pod.restarts, pod.unscheduled) == (True, False, 4, "no room")
    first, second = pod.containers
    assert (first.waiting, first.terminated, first.exit_code) == (
        "CrashLoopBackOff",
        "OOMKilled",
        137,
    )
    assert (second.ready, second.exit_code) == (True, None)


def test_history_tells_what_differs_from_now() -> None:
    old = template(
        container(image="cart:1", env=[{"name": "LEVEL", "value": "info"}, {"name": "X"}])
    )
    live = Shop(earlier=[old]).live()
    now, before = live.history
    assert (now.number, now.current, now.changes) == (2, True, ())
    assert not before.current
    assert before.changes == (
        FieldChange("spec.containers[server].env[KEY].valueFrom.secretKeyRef.key", "key", None),
        FieldChange("spec.containers[server].env[KEY].valueFrom.secretKeyRef.name", "cart", None),
        FieldChange(
            "spec.containers[server].env[STOCK_URL].value", "http://stock:8080/items", None
        ),
        FieldChange("spec.containers[server].env[X]", None, "{}"),
        FieldChange("spec.containers[server].image", "registry.example/cart:2", "cart:1"),
    )


def test_config_maps_are_found_wherever_a_template_refers_to_them() -> None:
    result = template(
        container(
            env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}],
            envFrom=[{"configMapRef": {"name": "b"}}, {"secretRef": {"name": "no"}}],
        ),
        volumes=[
            {"configMap": {"name": "c"}},
            {"projected": {"sources": [{"configMap": {"name": "d"}}]}},
        ],
        initContainers=[{"envFrom": [{"configMapRef": {"name": "e"}}]}],
    )
    assert {n for n in config_map_references(result) if n} == {"a", "b", "c", "d", "e"}


def of(image: str, **marks: str) -> dict[str, Any]:
    result = template(container(image=image))
    if marks:
        result["metadata"]["annotations"] = {"reme.dev/restarted-at": marks["restarted"]}
    return result


def test_a_digest_sees_the_pods_and_not_the_bookkeeping() -> None:
    plain = of("a")
    marked = of("a", restarted="x")
    marked["metadata"]["labels"]["pod-template-hash"] = "1"
    assert digest(plain) == digest(marked)
    assert digest(plain) != digest(of("b"))
    assert differences(plain, marked) == ()
    plain["metadata"]["labels"]["app"] = "x"
    assert digest(plain) != digest(marked)


def test_what_was_applied_is_read_only_if_it_is_an_object() -> None:
    assert Shop(applied={CART: {"spec": {"replicas": 5}}}).live().last_applied(CART)
    live = Shop().live()
    for odd in ("{", "[1]", "5", "[" * 100_000):
        annotations = {"kubectl.kubernetes.io/last-applied-configuration": odd}
        live.objects[CART]["metadata"]["annotations"] = annotations
        assert live.last_applied(CART) == {}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": [], "spec": [], "status": []},
        {"spec": {"template": {"spec": {"containers": [None, 5, {}, {"name": 5}]}}}},
        {"spec": {"selector": 5, "ports": [{"port": "x"}, 7]}, "status": {"conditions": {}}},
        {
            "spec": {
                "replicas": "3",
                "template": {
                    "metadata": {"labels": {"a": 5}},
                    "spec": {
                        "containers": [
                            {
                                "name": "a",
                                "image": 5,
                                "env": [{"name": 1}, {"value": 2}],
                                "ports": [{"containerPort": "80"}],
                                "resources": {"limits": {"cpu": [], "memory": {}}},
                                "livenessProbe": {"httpGet": {"port": []}, "periodSeconds": None},
                            }
                        ],
                        "volumes": [{"configMap": 5}, {"projected": {"sources": 5}}],
                    },
                },
            }
        },
    ],
)
def test_odd_objects_are_read_without_complaint(odd: dict[str, Any]) -> None:
    live = ClusterSnapshot(
        target=CART,
        objects={CART: odd, SERVICE: odd, key("Pod", "p"): odd, key("ConfigMap", "c"): odd},
        neighbours={},
        revisions=(Revision(1, odd), Revision(2, {})),
    )
    assert live.replicas.ready == 0
    assert len(live.pods) == len(live.services) == 1
    assert all(isinstance(c.image, str) for c in live.containers)
    assert len(live.history) == 2
    assert live.config_map("c") == {}
    assert isinstance(live.config_map_names, tuple)
