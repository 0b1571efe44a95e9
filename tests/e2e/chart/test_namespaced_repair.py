"""A repair by a release that may do nothing outside of one namespace."""

from collections.abc import Iterator

import pytest

from reme_api.reasons import Outcome
from reme_benchmark.harness.scripted_model_client import ENDPOINT, ScriptedModel
from reme_benchmark.kube.kubectl import Kubectl
from tests.support.testbed import SYSTEM, Arena, install, rollback

pytestmark = pytest.mark.cluster

PLACE = "reme-e2e-few-shop"
MODEL = ("model.enabled=false", f"model.endpoint={ENDPOINT}")


@pytest.fixture
def arena(kubectl: Kubectl) -> Iterator[Arena]:
    scripted = ScriptedModel(kubectl)
    scripted.deploy()
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}})
    install(*MODEL, f"watchNamespaces={{{PLACE}}}")
    made = Arena(kubectl, scripted, PLACE)
    made.shop.deploy()
    made.policy()
    yield made
    kubectl.run("delete", "remediations.reme.dev", "--all", "-n", PLACE, timeout_seconds=120)
    install(*MODEL)
    kubectl.delete("namespace", PLACE, wait=False)


def test_a_namespaced_release_repairs(arena: Arena) -> None:
    arena.break_catalog()
    arena.model.play(rollback(namespace=PLACE))
    ended = arena.ended(arena.report("few"))
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    arena.until("clean-up", lambda: not arena.leftovers(ended))
    selector = "app.kubernetes.io/part-of=reme"
    roles = {r["metadata"]["name"] for r in arena.kubectl.list("clusterroles", selector=selector)}
    assert not any("-run-" in name or name.endswith("-operator") for name in roles)
    assert arena.kubectl.list("jobs", SYSTEM, "reme.dev/attempt") == []
