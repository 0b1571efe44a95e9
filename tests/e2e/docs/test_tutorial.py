"""The tutorial works as it is written: its blocks run in order on a cluster, with the real model.

Two blocks are done in another way here: the cluster of the tests is up and has the images, so that
`make install` is the chart's installation alone, and it stays up at the end.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reme_cluster.kubectl import Kubectl
from tests.support.documentation import ROOT, SHELL, Block, blocks
from tests.support.testbed import SYSTEM, helm

pytestmark = [pytest.mark.cluster, pytest.mark.model]

PAGE = ROOT / "docs" / "tutorials" / "first-repair.md"
NAMESPACE = "shop"
BLOCK_SECONDS = 700
"""Time of a block: the longest waits ten minutes for the model's repair."""


def install() -> str:
    """Install the chart as `make install` does, without building and loading images again."""
    return helm(
        "upgrade", "--install", "reme", str(ROOT / "charts" / "reme"), "--namespace", SYSTEM,
        "--create-namespace", "--values", str(ROOT / "charts" / "reme" / "ci" / "demo-values.yaml"),
        "--take-ownership", "--wait", "--timeout", "14m",
    )  # fmt: skip


def tool_path(folder: Path) -> str:
    """Return a PATH on which `kubectl` is the one of the cluster, as the tutorial sets it."""
    kubectl = folder / "kubectl"
    kubectl.symlink_to(os.environ["REME_KUBECTL"])
    return os.pathsep.join([str(Path(sys.executable).parent), str(folder), os.environ["PATH"]])


def run_block(block: Block, environment: dict[str, str], state: Path) -> str:
    """Run a block in bash and return its output; variables of earlier blocks are set."""
    script = f"""set -e
[ ! -f {state} ] || source {state}
{block.text}
declare -p NAME > {state} 2>/dev/null || true
"""
    process = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=BLOCK_SECONDS, check=False,
    )  # fmt: skip
    output = process.stdout + process.stderr
    assert process.returncode == 0, f"{block.page}:{block.line}: {block.text}\n{output}"
    return process.stdout


def assert_shows(block: Block, output: str) -> None:
    """Assert that the output has the lines of an output block, in order; `...` is any text."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    for expected in block.text.splitlines():
        parts = [re.escape(" ".join(part.split())) for part in expected.split("...")]
        pattern = re.compile(r"\s*.*?\s*".join(parts))
        matches = [number for number, line in enumerate(lines) if pattern.fullmatch(line)]
        assert matches, f"{block.page}:{block.line}: no line {expected!r} in\n{output}"


@pytest.fixture
def no_shop(kubectl: Kubectl) -> Iterator[None]:
    """The namespace of the tutorial does not exist before and after."""
    remove(kubectl)
    yield
    remove(kubectl)


def remove(kubectl: Kubectl) -> None:
    """Delete the namespace of the tutorial, remediations first: they have a finalizer."""
    if kubectl.get("namespace", NAMESPACE) is not None:
        kinds = "diagnosisreports.reme.dev,remediations.reme.dev"
        kubectl.run("delete", kinds, "--all", "-n", NAMESPACE, timeout_seconds=120)
        kubectl.delete("namespace", NAMESPACE)


def test_a_stranger_can_follow_the_tutorial(
    kubectl: Kubectl, no_shop: None, tmp_path: Path
) -> None:
    environment = os.environ | {"PATH": tool_path(tmp_path)}
    state = tmp_path / "variables"
    replaced = {"install", "environment", "remove"}
    output, commands = "", 0
    for block in blocks(PAGE):
        if block.comment.removeprefix("tutorial: ") in replaced:
            replaced.remove(block.comment.removeprefix("tutorial: "))
            if block.comment == "tutorial: install":
                install()
        elif block.language in SHELL:
            start = time.monotonic()
            output, commands = run_block(block, environment, state), commands + 1
            print(f"{time.monotonic() - start:6.1f} s  {block.text.splitlines()[-1]}")
        else:
            assert_shows(block, output)
    assert commands > 8
    assert not replaced
    assert kubectl.get("namespace", NAMESPACE) is None
    remaining = [
        f"{kind}/{item['metadata']['name']}"
        for kind in ("jobs", "serviceaccounts", "rungrants.reme.dev")
        for item in kubectl.list(kind, SYSTEM, "reme.dev/remediation-uid")
    ]
    assert not remaining
