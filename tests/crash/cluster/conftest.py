"""A real cluster with the chart's rights, a scripted model, and operators of this tree."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reme_benchmark.kubectl import Kubectl
from reme_benchmark.scripted import ENDPOINT, ScriptedModel
from tests.crash.cluster.operator_process import Operators
from tests.crash.cluster.witness import Witness
from tests.e2e.conftest import kubectl as kubectl
from tests.support.arena import SYSTEM, Arena, install

_ROWS: list[tuple[str, ...]] = []
HEAD = ("on a real cluster", "outcome", "attempts", "Jobs per run", "executions per run", "orphans")


@dataclass
class Crashes:
    """What a test of a crash needs."""

    arena: Arena
    operators: Operators
    witness: Witness
    rows: list[tuple[str, ...]] = field(default_factory=lambda: _ROWS)


@pytest.fixture(scope="session")
def scripted(kubectl: Kubectl) -> ScriptedModel:
    model = ScriptedModel(kubectl)
    model.deploy()
    return model


@pytest.fixture(scope="session")
def operators(
    kubectl: Kubectl, scripted: ScriptedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operators]:
    # None in the cluster: those of this tree take its place, under its identity.
    install("model.enabled=false", f"model.endpoint={ENDPOINT}", "operator.replicas=0")
    folder: Path = tmp_path_factory.mktemp("operators")
    made = Operators(kubectl, folder)
    made.prepare()
    yield made
    made.end_all()


@pytest.fixture(scope="session")
def shop_of_crashes(
    kubectl: Kubectl, scripted: ScriptedModel, operators: Operators
) -> Iterator[Arena]:
    arena = Arena(kubectl, scripted, "reme-crash")
    kubectl.delete("namespace", arena.namespace)  # of an earlier run, which may still be going
    arena.shop.deploy()
    yield arena
    kubectl.delete("namespace", arena.namespace, wait=False)


@pytest.fixture
def crashes(kubectl: Kubectl, shop_of_crashes: Arena, operators: Operators) -> Iterator[Crashes]:
    shop_of_crashes.shop.deploy()
    shop_of_crashes.policy()
    shop_of_crashes.break_catalog()
    witness = Witness(kubectl, shop_of_crashes.namespace)
    yield Crashes(shop_of_crashes, operators, witness)
    witness.end()
    if any(process.poll() is None for process in operators.running):
        # With an operator, so that finalizers are taken off.
        kubectl.run(
            "delete", "remediations.reme.dev,diagnosisreports.reme.dev", "--all",
            "-n", shop_of_crashes.namespace, timeout_seconds=120,
        )  # fmt: skip
    operators.end_all()


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
    found = [c["pid"] for c in status.get("components", []) if c["name"] == "kube-apiserver"]
    if not found:
        pytest.skip("the API server is not a process of this host")
    return ServerOfHost(name, found[0])


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
