"""A real cluster with the chart's rights, a scripted model, and operators of this tree."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reme_benchmark.harness.scripted_model_client import ENDPOINT, ScriptedModel
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl
from tests.crash.cluster.operator_process import Operators
from tests.crash.cluster.run_observer import RunObserver
from tests.e2e.conftest import kubectl as kubectl
from tests.support.testbed import RELEASE, SYSTEM, Testbed, helm, install

_ROWS: list[tuple[str, ...]] = []
_LONGEST_CAUSE = 100
HEAD = ("on a real cluster", "outcome", "attempts", "Jobs per run", "executions per run", "orphans")


@dataclass
class Crashes:
    """What a test of a crash needs."""

    testbed: Testbed
    operators: Operators
    witness: RunObserver
    rows: list[tuple[str, ...]] = field(default_factory=lambda: _ROWS)

    def until(self, what: str, check: Callable[[], Any], seconds: float = 120) -> Any:
        """Return what the check returns as soon as it is true; a kubectl that fails says no."""

        def patient() -> Any:
            with contextlib.suppress(CommandError):
                return check()

        return self.testbed.until(what, patient, seconds)

    def described(self) -> str:
        """Return what there is to be seen after a failure: the records and the operators' words."""
        try:
            kinds = "remediations.reme.dev,diagnosisreports.reme.dev,pods"
            there = self.testbed.kubectl.run(
                "get", kinds, "-n", self.testbed.namespace, "-o", "yaml"
            )
        except CommandError as error:
            there = f"{error}"
        return f"{there[:20_000]}\n{self.operators.last_words()}"


@pytest.fixture(scope="session")
def scripted(kubectl: Kubectl) -> ScriptedModel:
    model = ScriptedModel(kubectl)
    model.deploy()
    return model


@pytest.fixture(scope="session")
def operators(
    kubectl: Kubectl, scripted: ScriptedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operators]:
    before = _deployed()
    # None in the cluster: those of this tree take its place, under its identity.
    install("model.enabled=false", f"model.endpoint={ENDPOINT}", "operator.replicas=0")
    folder: Path = tmp_path_factory.mktemp("operators")
    made = Operators(kubectl, folder)
    made.prepare()
    yield made
    made.close()
    if before:
        helm("rollback", RELEASE, before, "--namespace", SYSTEM)


def _deployed() -> str:
    """Return the revision of the chart that is installed, so that it can come back."""
    try:
        revisions = json.loads(helm("history", RELEASE, "--namespace", SYSTEM, "--output", "json"))
    except AssertionError:
        return ""  # it is not installed
    return next((str(one["revision"]) for one in revisions if one["status"] == "deployed"), "")


@pytest.fixture(scope="session")
def shop_of_crashes(
    kubectl: Kubectl, scripted: ScriptedModel, operators: Operators
) -> Iterator[Testbed]:
    testbed = Testbed(kubectl, scripted, "reme-crash")
    kubectl.delete("namespace", testbed.namespace)  # of an earlier run, which may still be going
    testbed.shop.deploy()
    yield testbed
    kubectl.delete("namespace", testbed.namespace, wait=False)


@pytest.fixture
def crashes(kubectl: Kubectl, shop_of_crashes: Testbed, operators: Operators) -> Iterator[Crashes]:
    testbed = shop_of_crashes
    testbed.shop.deploy()
    # Without the neighbours: on a busy machine their readiness comes and goes by itself.
    quick = {"windowSeconds": 3, "timeoutSeconds": 90, "baselineSamples": 2, "neighbours": "None"}
    testbed.policy(verification=quick)
    witness = RunObserver(kubectl, testbed.namespace)
    made = Crashes(testbed, operators, witness)
    testbed.shop.set_env("catalog", VERSION="2", FAIL_PERCENT="100")
    kubectl.wait_for_rollout("deployment", "catalog", testbed.namespace, 180)
    # Else a baseline could meet the pod of before, which still answers, and be healthy.
    made.until("users see the fault", lambda: _fails(testbed), 60)
    yield made
    witness.end()
    _forget(kubectl, testbed.namespace, operators)
    operators.end_all()


_UNREACHED = ("ServiceUnavailable", "NotFound", "no answer", "refused")


def _fails(testbed: Testbed) -> bool:
    path = f"/api/v1/namespaces/{testbed.namespace}/services/http:catalog:8080/proxy/"
    for _ in range(3):
        try:
            testbed.kubectl.raw(path)
        except CommandError as error:
            if any(word in str(error) for word in _UNREACHED):
                return False
        else:
            return False
    return True


def _forget(kubectl: Kubectl, namespace: str, operators: Operators) -> None:
    """Delete what the test has made; with an operator, so that finalizers are taken off."""
    if not operators.running:
        operators.start()
    kinds = "remediations.reme.dev,diagnosisreports.reme.dev"
    kubectl.run("delete", kinds, "--all", "-n", namespace, timeout_seconds=240)


@dataclass(frozen=True)
class ServerOfHost:
    """The API server of a cluster that reme_cluster runs on this host."""

    name: str
    pid: int

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Kill it, and start it again at the end of the block."""
        os.kill(self.pid, signal.SIGKILL)
        try:
            yield
        finally:
            _cluster("up", "--metrics", "--name", self.name)


def _cluster(*arguments: str) -> str:
    command = [sys.executable, "-m", "reme_cluster", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def api_server() -> ServerOfHost:
    name = os.environ.get("REME_CLUSTER", "")
    if not name:
        pytest.skip("REME_CLUSTER does not name a cluster whose API server may be stopped")
    status = json.loads(_cluster("status", "--json", "--name", name))
    pids = [c["pid"] for c in status.get("components", []) if c["name"] == "kube-apiserver"]
    if not pids:
        pytest.skip("the API server is not a process of this host")
    return ServerOfHost(name, pids[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say with a failure what was there, and have it in the table with its cause."""
    report = yield
    if report.failed:
        cause = call.excinfo.exconly().splitlines()[0] if call.excinfo else ""
        _ROWS.append((item.name, f"FAILED in {report.when}: {cause[:_LONGEST_CAUSE]}", *["?"] * 4))
        crashe = getattr(item, "funcargs", {}).get("crashes")
        if isinstance(crashe, Crashes):
            report.sections.append(("what there was", crashe.described()))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what each crash came to."""
    if not _ROWS:
        return
    rows = [HEAD, *_ROWS]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    terminalreporter.section("crashes")
    for row in rows:
        terminalreporter.line("  ".join(map(str.ljust, row, widths)))


__all__ = ["SYSTEM", "kubectl"]
