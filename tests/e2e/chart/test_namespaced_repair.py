"""A repair by a release that may do nothing outside of one namespace."""

from collections.abc import Iterator

import pytest

from reme_api.reasons import Outcome
from reme_benchmark.harness.scripted_model_client import ENDPOINT, ScriptedModel
from reme_cluster.kubectl import Kubectl
from tests.support.testbed import SYSTEM, Testbed, install, rollback

pytestmark = pytest.mark.cluster

PLACE = "reme-e2e-few-shop"
MODEL = ("model.enabled=false", f"model.endpoint={ENDPOINT}")


@pytest.fixture
def testbed(kubectl: Kubectl) -> Iterator[Testbed]:
    scripted = ScriptedModel(kubectl)
    scripted.deploy()
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}})
    install(*MODEL, f"watchNamespaces={{{PLACE}}}")
    made = Testbed(kubectl, scripted, PLACE)
    made.shop.deploy()
    made.policy()
    yield made
    kubectl.run("delete", "remediations.reme.dev", "--all", "-n", PLACE, timeout_seconds=120)
    install(*MODEL)
    kubectl.delete("namespace", PLACE, wait=False)


def test_a_namespaced_release_repairs(testbed: Testbed) -> None:
    testbed.break_catalog()
    testbed.model.play(rollback(namespace=PLACE))
    ended = testbed.ended(testbed.report("few"))
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    testbed.until("clean-up", lambda: not testbed.leftovers(ended))
    selector = "app.kubernetes.io/part-of=reme"
    roles = {r["metadata"]["name"] for r in testbed.kubectl.list("clusterroles", selector=selector)}
    assert not any("-run-" in name or name.endswith("-operator") for name in roles)
    assert testbed.kubectl.list("jobs", SYSTEM, "reme.dev/attempt") == []
