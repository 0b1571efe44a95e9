"""A StatefulSet that is stuck at a broken revision, repaired from report to record.

Its controller waits for the pod that is not ready before it does anything else, so the rollback
has to replace that pod as well.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reme_api.reasons import Outcome
from reme_cluster.kubectl import Object
from tests.support.testbed import Testbed

pytestmark = pytest.mark.cluster

NAME, REPLICAS = "ledger", 3
STUCK = f"{NAME}-{REPLICAS - 1}"
LABELS = {"app": NAME}
PATIENT = {"windowSeconds": 3, "timeoutSeconds": 90, "baselineSamples": 2}
IMAGE = "localhost/reme-tools:dev"


def container(**fields: Any) -> Object:
    return {
        "name": "ledger",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "reme_benchmark.workload"],
        "env": [{"name": "NAME", "value": NAME}, {"name": "FAIL_PERCENT", "value": "0"}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "200m", "memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **fields,
    }


def stateful_set() -> list[Object]:
    pod: Object = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container()],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"clusterIP": "None", "selector": LABELS, "ports": [{"port": 8080}]},
    }
    workload = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": NAME},
        "spec": {
            "serviceName": NAME,
            "replicas": REPLICAS,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        },
    }
    return [service, workload]


def pods(testbed: Testbed) -> dict[str, Object]:
    found = testbed.kubectl.list("pods", testbed.namespace, f"app={NAME}")
    return {pod["metadata"]["name"]: pod for pod in found}


def ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def revision(pod: Object) -> str:
    return str(pod["metadata"]["labels"]["controller-revision-hash"])


@pytest.fixture
def ledger(shop: Testbed) -> Iterator[Testbed]:
    """A healthy StatefulSet of three pods."""
    shop.policy(verification=PATIENT)
    shop.kubectl.apply(*stateful_set(), namespace=shop.namespace)
    shop.kubectl.wait_for_rollout("statefulset", NAME, shop.namespace, 120)
    yield shop
    for kind in ("statefulset", "service"):
        shop.kubectl.delete(kind, NAME, shop.namespace)


def change(testbed: Testbed, **fields: Any) -> None:
    """Change the container, and wait until the last pod is stuck with it."""
    before = {name: pod["metadata"]["uid"] for name, pod in pods(testbed).items()}
    body = {"spec": {"template": {"spec": {"containers": [{"name": "ledger", **fields}]}}}}
    testbed.kubectl.patch("statefulset", NAME, testbed.namespace, body)

    def stuck() -> bool:
        pod = pods(testbed).get(STUCK)
        if pod is None or pod["metadata"]["uid"] == before[STUCK] or ready(pod):
            return False
        statuses = pod.get("status", {}).get("containerStatuses", [])
        waiting = [s.get("state", {}).get("waiting", {}).get("reason", "") for s in statuses]
        return any("Err" in reason or "BackOff" in reason for reason in waiting)

    testbed.until(f"{STUCK} is stuck", stuck)


def rollback(testbed: Testbed) -> Object:
    where = {"kind": "StatefulSet", "name": NAME, "namespace": testbed.namespace}
    return {"kubernetes.core.k8s_rollback": where}


def repaired(testbed: Testbed, name: str) -> Any:
    testbed.model.play(rollback(testbed))
    report = testbed.report(
        name,
        target={"kind": "StatefulSet", "name": NAME},
        fault={"type": "rollout-stuck", "summary": f"The rollout waits for {STUCK}."},
        probes=[{"name": "rollout", "rollout": {"minReplicas": REPLICAS}}],
    )
    return testbed.ended(report, seconds=300)


BAD_IMAGE: dict[str, Any] = {"image": "localhost/reme-tools:no-such-version"}
BAD_SETTING: dict[str, Any] = {"env": [{"name": "FAIL_PERCENT", "value": "many"}]}


@pytest.mark.parametrize("fields", [BAD_IMAGE, BAD_SETTING], ids=["bad-image", "bad-setting"])
def test_a_rollback_replaces_the_pod_that_is_stuck(
    ledger: Testbed, fields: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    good = pods(ledger)
    change(ledger, **fields)
    broken = pods(ledger)[STUCK]
    ended = repaired(ledger, f"stuck-{request.node.callspec.id}")
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    now = pods(ledger)
    assert now.keys() == good.keys()
    assert all(map(ready, now.values()))
    assert {revision(pod) for pod in now.values()} == {revision(good[STUCK])}
    # Only the pod that was stuck is another one.
    same = {name for name in good if good[name]["metadata"]["uid"] == now[name]["metadata"]["uid"]}
    assert same == good.keys() - {STUCK}
    (attempt,) = ended.status.attempts
    (action,) = attempt.actions
    assert action.summary.endswith(f"replace its stuck pods {STUCK}")
    deleted = [c for c in attempt.changes if c.field == "metadata.deletionTimestamp"]
    assert [(c.kind, c.object_name) for c in deleted] == [("Pod", STUCK)]
    assert revision(broken) != revision(now[STUCK])
    ledger.until("clean-up", lambda: not ledger.leftovers(ended))


def test_the_template_alone_would_leave_the_pod_as_it_is(ledger: Testbed) -> None:
    """What the rollback is for: Kubernetes itself does not replace the pod."""
    change(ledger, **BAD_IMAGE)
    broken = pods(ledger)[STUCK]
    ledger.kubectl.run("rollout", "undo", f"statefulset/{NAME}", "-n", ledger.namespace)
    observed: Callable[[], bool] = lambda: (  # noqa: E731
        (ledger.kubectl.get("statefulset", NAME, ledger.namespace) or {})["status"][
            "updateRevision"
        ]
        != revision(broken)
    )
    ledger.until("the template is observed", observed)
    with pytest.raises(AssertionError, match="replaced"):
        ledger.until(
            "the pod is replaced",
            lambda: pods(ledger)[STUCK]["metadata"]["uid"] != broken["metadata"]["uid"],
            seconds=10,
        )
