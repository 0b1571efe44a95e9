"""One admission policy and one testbed for all attacks, and the table at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reme_cluster.kubectl import Kubectl
from tests.attack.attack import Object
from tests.attack.environment import FOREIGN, AttackEnvironment, objects
from tests.attack.installed_release import admission_of_release
from tests.attack.verdicts import Verdict, keep, table
from tests.e2e.conftest import kubectl
from tests.e2e.sandbox.conftest import Api, RunAdmission, api, eventually
from tests.e2e.sandbox.conftest import admission as own_admission
from tests.e2e.sandbox.test_runs import Sandboxes

__all__ = ["api", "kubectl", "own_admission"]

ROOT = Path(__file__).parents[2]
VERDICTS = pytest.StashKey[list[Verdict]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share", action="store_true", help="a share of the attacks, in half a minute"
    )
    parser.addoption(
        "--release",
        action="store_true",
        help="attack the release that is installed, and the operator too, with a scripted model",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--share"):
        items[:] = [item for item in items if item.path.name == "test_pod.py"]
    elif not config.getoption("--release"):
        items[:] = [item for item in items if item.path.parent.name != "installed"]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[VERDICTS] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    verdicts = config.stash[VERDICTS]
    if verdicts:
        terminalreporter.section("attacks")
        terminalreporter.write_line(table(verdicts))
        keep(verdicts, ROOT / "artifacts" / "attacks.json")


@pytest.fixture(scope="session")
def verdicts(pytestconfig: pytest.Config) -> list[Verdict]:
    """Return where tests leave what became of each attempt."""
    return pytestconfig.stash[VERDICTS]


@pytest.fixture(scope="session")
def admission(request: pytest.FixtureRequest, kubectl: Kubectl, api: Api) -> Iterator[RunAdmission]:
    """Yield the admission policy to attack: that of the release, or one only of the tests."""
    if not request.config.getoption("--release"):
        yield request.getfixturevalue("own_admission")
        return
    with admission_of_release(kubectl, api) as run_admission:
        yield run_admission


@pytest.fixture(scope="session")
def environment(kubectl: Kubectl, admission: RunAdmission) -> Iterator[AttackEnvironment]:
    mark = admission.mark
    attack_environment = AttackEnvironment(
        admission, Sandboxes(admission), f"next-{mark}", f"faults-{mark}", f"node-{mark}"
    )
    for namespace in (attack_environment.next, attack_environment.faults):
        kubectl.run("create", "namespace", namespace)
    kubectl.run("label", "namespace", attack_environment.faults, "reme.dev/protected=true")
    related = Path(__file__).parents[1] / "e2e" / "sandbox" / "related.yaml"
    try:
        kubectl.run("apply", "-n", admission.shop, "-f", str(related))
        # Something to scale, and something to go back to; no pod of it ever needs to start.
        nowhere = {"template": {"spec": {"nodeSelector": {"nowhere": "true"}}}}
        patient = {"replicas": 2, "progressDeadlineSeconds": 86400, **nowhere}
        kubectl.patch("deployment", "cart", admission.shop, {"spec": patient})
        kubectl.patch("deployment", "other", admission.shop, {"spec": nowhere})
        account = f"/api/v1/namespaces/{attack_environment.next}/serviceaccounts/default"
        eventually(lambda: admission.api("GET", account).status == 200)
        kubectl.apply(*(o for o in objects(attack_environment) if not exists(kubectl, o)))
        yield attack_environment
    finally:
        kubectl.run("delete", "node", attack_environment.node, "--ignore-not-found")
        owned = "app.kubernetes.io/managed-by=reme,reme.dev/remediation-name=e2e"
        kubectl.run("delete", "clusterrolebindings", "-l", owned, "--ignore-not-found")
        kubectl.run("delete", "clusterrolebinding", f"careless-{mark}", "--ignore-not-found")
        kubectl.run("delete", "configmap", FOREIGN, "-n", admission.system, "--ignore-not-found")
        kubectl.run(
            "delete",
            "namespace",
            attack_environment.next,
            attack_environment.faults,
            "--wait=false",
        )


def exists(kubectl: Kubectl, obj: Object) -> bool:
    """Return whether it is there: what the release has of its own is not made anew."""
    meta = obj["metadata"]
    return kubectl.get(obj["kind"], meta["name"], meta.get("namespace", "")) is not None
