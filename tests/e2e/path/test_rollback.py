"""Undo where Kubernetes itself would get stuck, or would fight it: on the real cluster."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from reme_api.reasons import Outcome
from reme_benchmark.harness.shop import manifest
from reme_cluster.kubectl import Object
from tests.support.testbed import Testbed, rollback

pytestmark = pytest.mark.cluster

QUICK = {"windowSeconds": 3, "timeoutSeconds": 25, "baselineSamples": 2, "neighbours": "None"}
PATIENCE_SECONDS = 600
PROBE = [{"name": "answers", "http": {"service": "ledger", "port": 8080, "path": "/"}}]


def ledger(testbed: Testbed, version: str, *, port: int, fails: str) -> list[Object]:
    """Return a StatefulSet of two pods and its Service; asked at a dead port it is never ready."""
    objects = manifest("shop.yaml", namespace=testbed.namespace)
    stock = next(
        o for o in objects if o["kind"] == "Deployment" and o["metadata"]["name"] == "stock"
    )
    template: dict[str, Any] = copy.deepcopy(stock["spec"]["template"])
    template["metadata"]["labels"] = {"app": "ledger"}
    container = template["spec"]["containers"][0]
    values = {"NAME": "ledger", "VERSION": version, "FAIL_PERCENT": fails}
    named = [e for e in container["env"] if e["name"] not in values]
    container["env"] = [*named, *({"name": k, "value": v} for k, v in values.items())]
    container["readinessProbe"]["httpGet"]["port"] = port
    labels = {"matchLabels": {"app": "ledger"}}
    spec = {"replicas": 2, "serviceName": "ledger", "selector": labels, "template": template}
    served = {"name": "http", "port": 8080, "targetPort": 8080}
    meta = {"name": "ledger", "namespace": testbed.namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": "ledger"}, "ports": [served]},
        },
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec},
    ]


def ready(testbed: Testbed) -> int:
    stateful_set = testbed.kubectl.get("statefulset", "ledger", testbed.namespace) or {}
    return int(stateful_set.get("status", {}).get("readyReplicas", 0))


@pytest.fixture
def books(shop: Testbed) -> Iterator[Testbed]:
    """A StatefulSet whose version 2 answers with errors, and whose version 1 is never ready."""
    shop.policy(actions=[{"name": "Rollback"}, {"name": "Scale"}], verification=QUICK)
    shop.kubectl.apply(*ledger(shop, "1", port=9, fails="0"))
    shop.until("version 1 is there", lambda: shop.kubectl.get("pod", "ledger-0", shop.namespace))
    shop.kubectl.apply(*ledger(shop, "2", port=8080, fails="100"))
    # As anybody has to who mends a StatefulSet that waits for a broken pod.
    shop.kubectl.delete("pod", "ledger-0", shop.namespace)
    shop.until("version 2 is ready", lambda: ready(shop) == 2, PATIENCE_SECONDS)
    yield shop
    for kind in ("statefulset", "service"):
        shop.kubectl.delete(kind, "ledger", shop.namespace)


def test_a_stateful_set_that_its_rollback_broke_is_whole_again(books: Testbed) -> None:
    task = rollback("ledger")
    task["kubernetes.core.k8s_rollback"]["kind"] = "StatefulSet"
    books.model.play(task)
    target = {"kind": "StatefulSet", "name": "ledger"}
    ended = books.ended(books.report("stuck", target=target, probes=PROBE), PATIENCE_SECONDS)
    assert ended.status.outcome is Outcome.ROLLED_BACK, ended.status.message
    run = ended.status.attempts[0].rollback
    assert run is not None
    # One action restores the template and replaces the pod that the StatefulSet would wait for.
    assert (run.task_count, run.changed_task_count) == (1, 1)
    books.until("it is as before", lambda: ready(books) == 2, PATIENCE_SECONDS)


def test_replicas_that_an_autoscaler_sets_are_left_to_it(shop: Testbed) -> None:
    shop.policy(actions=[{"name": "Scale"}], verification=QUICK)
    shop.break_catalog()
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "catalog"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "catalog"},
            "minReplicas": 1,
            "maxReplicas": 1,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 80},
                    },
                }
            ],
        },
    }
    shop.kubectl.apply(scaler, namespace=shop.namespace)
    try:
        where = {"kind": "Deployment", "name": "catalog", "namespace": shop.namespace}
        shop.model.play({"kubernetes.core.k8s_scale": where | {"replicas": 2}})
        ended = shop.ended(shop.report("owned"), PATIENCE_SECONDS)
    finally:
        shop.kubectl.delete("horizontalpodautoscaler", "catalog", shop.namespace)
    assert ended.status.outcome in {Outcome.REJECTED, Outcome.ABSTAINED}, ended.status.message
    assert shop.jobs(ended) == []
    assert shop.spec_of("deployment", "catalog")["replicas"] == 1
