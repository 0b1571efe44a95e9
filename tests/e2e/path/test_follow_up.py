"""The caller is blamed: the Service that it calls is repaired by a report of its own."""

import json
from collections.abc import Iterator

import pytest

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Object
from tests.support.testbed import Testbed, rollback

pytestmark = pytest.mark.cluster

THINK = {
    "method": "ThinkRemed",
    "actions": [{"name": name} for name in ("PatchServicePort", "Rollback", "Restart", "Scale")],
    # The remediation of the cause needs the only slot while the first one waits for it.
    "budgets": {"cooldownSeconds": 0, "maxConcurrent": 1, "maxPerHour": 1000},
}
FRONT = [{"name": "answers", "http": {"service": "front", "port": 8080, "path": "/"}}]
SUMMARY = "The front is broken since its release 8 this morning. Please roll it back."


def lead_to(testbed: Testbed, port: int) -> None:
    """Have the Service of the catalog lead to a port of its pods."""
    patch = json.dumps([{"op": "replace", "path": "/spec/ports/0/targetPort", "value": port}])
    testbed.kubectl.run(
        "patch", "service", "catalog", "-n", testbed.namespace, "--type", "json", "-p", patch
    )


@pytest.fixture
def blamed(shop: Testbed) -> Iterator[Testbed]:
    """A harmless release of the front, and a Service of the catalog that leads nowhere."""
    shop.shop.set_env("front", VERSION="8")
    shop.kubectl.wait_for_rollout("deployment", "front", shop.namespace, 60)
    lead_to(shop, 9090)
    path = f"/api/v1/namespaces/{shop.namespace}/services/front:8080/proxy/"

    def fails() -> bool:
        try:
            shop.kubectl.run("get", "--raw", path)
        except CommandError:
            return True
        return False

    shop.until("the front fails", fails)
    yield shop
    lead_to(shop, 8080)


def report(testbed: Testbed, name: str) -> Object:
    fault = {"type": "bad-rollout", "summary": SUMMARY, "confidencePercent": 90}
    log = {"kind": "Log", "text": "ERROR dependency failed: http://catalog:8080/: refused"}
    return testbed.report(name, "front", probes=FRONT, fault=fault, evidence=[log])


def right_port(testbed: Testbed) -> Object:
    ports = [{"port": 8080, "targetPort": 8080}]
    return {
        "kubernetes.core.k8s": {
            "kind": "Service",
            "name": "catalog",
            "namespace": testbed.namespace,
            "state": "patched",
            "definition": {"spec": {"ports": ports}},
        }
    }


def version_of_front(testbed: Testbed) -> str:
    (container,) = testbed.spec_of("deployment", "front")["template"]["spec"]["containers"]
    (value,) = [entry["value"] for entry in container["env"] if entry["name"] == "VERSION"]
    return str(value)


def follow_up_of(testbed: Testbed, first: Remediation) -> tuple[Object, Remediation]:
    """Return the report that a remediation opened, and its remediation."""
    record = first.status.follow_up
    assert record is not None
    opened = testbed.kubectl.get("diagnosisreports.reme.dev", record.report, testbed.namespace)
    assert opened is not None
    second = testbed.remediation(opened)
    assert second is not None
    return opened, second


def test_a_cause_that_may_not_be_repaired_is_named_and_left(blamed: Testbed) -> None:
    blamed.policy(**THINK, targets=[{"names": ["front"]}])
    # It lists no action. The cooldown of another policy for the catalog would be waited for.
    metadata = {"name": "catalog-observed", "namespace": blamed.namespace}
    budgets = {"cooldownSeconds": 0, "maxConcurrent": 5, "maxPerHour": 1000}
    spec = {"mode": "Observe", "targets": [{"names": ["catalog"]}], "budgets": budgets}
    kind = {"apiVersion": "reme.dev/v1alpha1", "kind": "RemediationPolicy"}
    blamed.kubectl.apply(kind | {"metadata": metadata, "spec": spec})
    blamed.model.play(rollback("front", blamed.namespace))
    try:
        first = blamed.ended(report(blamed, "only-the-front"), seconds=120)
    finally:
        blamed.kubectl.delete("remediationpolicies.reme.dev", "catalog-observed", blamed.namespace)
    assert (first.status.outcome, first.status.reason) == (
        Outcome.ABSTAINED,
        Reason.FAULT_ELSEWHERE,
    ), first.status.message
    assert "Deployment catalog" in first.status.message
    assert version_of_front(blamed) == "8"


def test_the_called_service_is_repaired_and_the_release_stays(blamed: Testbed) -> None:
    blamed.policy(**THINK)
    blamed.model.play(right_port(blamed))
    first = blamed.ended(report(blamed, "front-is-blamed"), seconds=240)
    assert (first.status.outcome, first.status.reason) == (
        Outcome.VERIFIED,
        Reason.CAUSE_REPAIRED,
    ), first.status.message
    assert all(attempt.run is None for attempt in first.status.attempts)
    assert version_of_front(blamed) == "8"
    assert blamed.spec_of("service", "catalog")["ports"][0]["targetPort"] == 8080
    opened, second = follow_up_of(blamed, first)
    assert second.status.outcome is Outcome.VERIFIED
    assert second.spec.target.name == "catalog"
    link = second.spec.follow_up_of
    assert link is not None
    assert (link.remediation, link.uid) == (first.metadata.name, first.metadata.uid)
    assert opened["metadata"]["ownerReferences"][0]["uid"] == first.metadata.uid
    assert blamed.leftovers(first) == blamed.leftovers(second) == []
