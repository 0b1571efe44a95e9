"""reme as its users install it, asked by tests through the API, answered by a scripted model."""

from collections.abc import Iterator

import pytest

from reme_benchmark.harness.scripted_model_client import ENDPOINT, ScriptedModel
from reme_cluster.kubectl import Kubectl
from tests.support.testbed import Testbed, install


@pytest.fixture(scope="session")
def scripted(kubectl: Kubectl) -> ScriptedModel:
    model = ScriptedModel(kubectl)
    model.deploy()
    return model


@pytest.fixture(scope="session")
def installed(kubectl: Kubectl, scripted: ScriptedModel) -> None:
    install("model.enabled=false", f"model.endpoint={ENDPOINT}")


@pytest.fixture(scope="session")
def testbed(kubectl: Kubectl, scripted: ScriptedModel, installed: None) -> Iterator[Testbed]:
    made = Testbed(kubectl, scripted, "reme-e2e")
    made.shop.deploy()
    yield made
    # Remediations first: their finalizer needs the operator, which stays.
    kubectl.run(
        "delete", "remediations.reme.dev", "--all", "-n", made.namespace, timeout_seconds=120
    )
    kubectl.delete("namespace", made.namespace, wait=False)


@pytest.fixture
def shop(testbed: Testbed) -> Testbed:
    """The arena with its shop healthy and the usual policy."""
    testbed.shop.deploy()
    testbed.policy()
    return testbed
