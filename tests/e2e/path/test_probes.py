"""Faults that only the right probe sees: a POST, the health of a gRPC server, or none at all."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from reme_api.probe_coverage import ProbeSource
from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_cluster.kubectl import Object
from tests.support import grpc_server
from tests.support.testbed import ROOT, Testbed, rollback

pytestmark = pytest.mark.cluster

HEALTH = "health-server"
LABELS = {"app": HEALTH}
CHECKOUT = "POST /cart/checkout answers 500 for every user since the rollout."


def break_posts(shop: Testbed) -> None:
    """Roll out a version whose every POST fails, while every GET answers."""
    shop.shop.set_env("catalog", VERSION="2", POST_FAIL_PERCENT="100")
    shop.kubectl.wait_for_rollout("deployment", "catalog", shop.namespace, 60)
    spec = shop.spec_of("deployment", "catalog")
    labels = ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items())

    def settled() -> bool:
        """Return whether no pod of the version before is left, to which a GET could still go."""
        return len(shop.kubectl.list("pods", shop.namespace, labels)) == int(spec["replicas"])

    shop.until("the pods of the version before are gone", settled)
    time.sleep(1)  # every node knows by then


def env_of(shop: Testbed) -> list[Object]:
    containers = shop.spec_of("deployment", "catalog")["template"]["spec"]["containers"]
    env: list[Object] = containers[0]["env"]
    return env


def test_a_failing_post_is_seen_and_repaired(shop: Testbed) -> None:
    break_posts(shop)
    shop.model.play(rollback())
    post = {
        "service": "catalog",
        "port": 8080,
        "method": "POST",
        "path": "/cart/checkout",
        "headers": [{"name": "X-Synthetic", "value": "true"}],
        "body": '{"quantity": 1}',
    }
    ended = shop.ended(
        shop.report(
            "post",
            fault={"type": "checkout-fails", "summary": CHECKOUT},
            probes=[{"name": "checkout", "http": post}],
        )
    )
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert ended.status.baseline is not None
    assert ended.status.baseline.probes[0].message == "catalog answered 500"
    assert ended.spec.coverage.uncovered == []
    assert {"name": "POST_FAIL_PERCENT", "value": "100"} not in env_of(shop)


def test_a_failing_post_that_no_probe_sends_is_never_called_healthy(shop: Testbed) -> None:
    break_posts(shop)
    shop.policy(evidence={"requireProbeFailure": True})
    fault = {
        "type": "checkout-fails",
        "summary": CHECKOUT,
        "severity": "critical",
        "confidencePercent": 0.95,
    }
    ended = shop.ended(shop.report("get-only", fault=fault))
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.ABSTAINED,
        Reason.TOO_LITTLE_EVIDENCE,
    )
    assert "POST /cart/checkout" in ended.status.message
    # Without that requirement the model is asked, and what it does is at best unverified.
    shop.policy()
    shop.model.play(rollback())
    ended = shop.ended(shop.report("get-only", fault=fault))
    assert ended.status.outcome is Outcome.UNVERIFIED, ended.status.message
    assert "POST /cart/checkout" in ended.status.message


def test_a_report_without_probes_gets_some(shop: Testbed) -> None:
    shop.break_catalog()
    shop.model.play(rollback())
    report = shop.report("help", fault={"type": "down", "summary": "catalog is down!!"}, probes=[])
    ended = shop.ended(report)
    assert ended.spec.coverage.source is ProbeSource.DERIVED
    assert "rollout" in {probe.name for probe in ended.spec.probes}
    assert ended.status.baseline is not None
    assert ended.status.baseline.verdict is ProbeVerdict.FAILED
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    written = shop.kubectl.get("diagnosisreports.reme.dev", "help", shop.namespace)
    assert written is not None
    assert "derived ones are used: " in written["status"]["notes"][0]


def test_derived_probes_that_pass_do_not_prove_health(shop: Testbed) -> None:
    report = shop.report("no-fault", fault={"type": "down"}, probes=[])
    ended = shop.ended(report)
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.ABSTAINED,
        Reason.TOO_LITTLE_EVIDENCE,
    )
    assert "add a probe to the report" in ended.status.message


def health_server(state: str) -> list[Object]:
    pod: Object = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "server",
                "image": "localhost/reme-operator:dev",
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "/server/grpc_server.py", "7070", "$(STATE)"],
                "env": [{"name": "STATE", "value": state}],
                "ports": [{"name": "grpc", "containerPort": 7070}],
                "readinessProbe": {"tcpSocket": {"port": 7070}, "periodSeconds": 1},
                "resources": {
                    "requests": {"cpu": "10m", "memory": "32Mi"},
                    "limits": {"cpu": "300m", "memory": "96Mi"},
                },
                "volumeMounts": [{"name": "server", "mountPath": "/server"}],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
        "volumes": [{"name": "server", "configMap": {"name": HEALTH}}],
    }
    source = (ROOT / "tests/support" / f"{grpc_server.__name__.rpartition('.')[2]}.py").read_text()
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": HEALTH},
            "data": {"grpc_server.py": source},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": HEALTH},
            "spec": {
                "selector": LABELS,
                "ports": [{"name": "grpc", "port": 50, "targetPort": "grpc"}],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": HEALTH},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": pod},
            },
        },
    ]


@pytest.fixture
def health(shop: Testbed) -> Iterator[Testbed]:
    """A gRPC server whose second revision does not serve."""
    for state in ("SERVING", "NOT_SERVING"):
        shop.kubectl.apply(*health_server(state), namespace=shop.namespace)
        shop.kubectl.wait_for_rollout("deployment", HEALTH, shop.namespace, 120)
    yield shop
    for kind in ("deployment", "service", "configmap"):
        shop.kubectl.delete(kind, HEALTH, shop.namespace)


def test_the_health_of_a_grpc_server_is_seen_and_repaired(health: Testbed) -> None:
    health.model.play(rollback(HEALTH, health.namespace))
    probe: dict[str, Any] = {"name": "health", "grpc": {"service": HEALTH, "port": "grpc"}}
    ended = health.ended(health.report("grpc", service=HEALTH, probes=[probe]))
    assert ended.status.baseline is not None
    assert ended.status.baseline.probes[0].message == f"{HEALTH} answered NOT_SERVING"
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
