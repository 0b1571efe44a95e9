"""The benchmark as people run it: by its command line, on the real cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reme_benchmark.reports.store import Store
from reme_benchmark.scoring.records import State
from reme_cluster.kubectl import Kubectl

pytestmark = pytest.mark.cluster

SYSTEM = "simple-micro"
NAMESPACE = f"bench-{SYSTEM}"


def bench(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "reme_benchmark", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)


def begin(*words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-u", "-m", "reme_benchmark", *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell that starts the tests in its background has told them to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def chosen(results: Path, method: str, cases: str, *more: str) -> tuple[str, ...]:
    return (
        "run", "--suite", "smoke", "--systems", SYSTEM, "--method", method, "--cases", cases,
        "--results", str(results), "--keep", *more,
    )  # fmt: skip


def summary(results: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(bench("summary", str(results), "--json").stdout)
    return document


def templates(kubectl: Kubectl) -> dict[str, Any]:
    deployments = kubectl.list("deployments", NAMESPACE)
    return {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in deployments}


@pytest.fixture(scope="module", autouse=True)
def swept(kubectl: Kubectl) -> Iterator[None]:
    yield
    done = bench("clean")
    assert done.returncode == 0, done.stdout + done.stderr
    for namespace in (NAMESPACE, f"{NAMESPACE}-users", "reme-faults"):
        kubectl.run("wait", f"namespace/{namespace}", "--for=delete", "--timeout=90s",
                    timeout_seconds=100)  # fmt: skip


def test_the_good_playbook_passes_and_the_record_is_whole(tmp_path: Path) -> None:
    results = tmp_path / "oracle"
    done = bench(*chosen(results, "oracle", "/selector-mismatch,/bad-env,/healthy"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    obj = summary(results)
    assert (obj["strict"]["passed"], obj["strict"]["cases"]) == (3, 3), done.stdout[-4000:]
    assert {"suite": "smoke", "method": "oracle"}.items() <= obj.items()
    for name in ("summary.json", "summary.md", "report.html"):
        assert (results / name).stat().st_size > 500
    for result in Store(results).results():
        assert result.strict is not None
        assert result.strict.measured
        assert result.timing.total > 0


def test_doing_nothing_passes_nothing(tmp_path: Path) -> None:
    results = tmp_path / "noop"
    done = bench(*chosen(results, "noop", "/selector-mismatch"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    (result,) = Store(results).results()
    assert result.state is State.JUDGED
    assert not result.passed
    assert result.users.failed_requests > 0


def test_an_interrupted_run_leaves_nothing_broken_and_goes_on(
    tmp_path: Path, kubectl: Kubectl
) -> None:
    results, cases = tmp_path / "stopped", "/selector-mismatch,/bad-env"
    before = templates(kubectl)
    running = begin(*chosen(results, "noop", cases))
    assert running.stdout is not None
    until = time.monotonic() + 120
    while templates(kubectl) == before and broken(kubectl) is False:
        assert time.monotonic() < until, "no fault was injected"
        assert running.poll() is None, running.stdout.read()[-3000:]
        time.sleep(0.3)
    os.kill(running.pid, signal.SIGINT)
    text, _ = running.communicate(timeout=90)
    assert running.returncode == 130, text[-3000:]
    assert "interrupted" in text
    assert templates(kubectl) == before
    assert not broken(kubectl)
    again = bench(*chosen(results, "noop", cases))
    assert again.returncode == 2
    assert "--resume" in again.stderr
    other = bench(*chosen(results, "oracle", cases, "--resume"))
    assert other.returncode == 2
    assert "method" in other.stderr
    count = len(Store(results).results())
    resumed = bench(*chosen(results, "noop", cases, "--resume"))
    assert resumed.returncode == 0, resumed.stdout[-3000:]
    assert len(Store(results).results()) == 2
    assert count < 2


def broken(kubectl: Kubectl) -> bool:
    """Whether a Service of the system selects nothing that is there."""
    return any(
        service["spec"]["selector"].get("app") != service["metadata"]["name"]
        for service in kubectl.list("services", NAMESPACE)
    )


def test_a_method_that_hangs_or_crashes_is_its_own_failure(tmp_path: Path) -> None:
    results = tmp_path / "hangs"
    words = chosen(results, "command", "/selector-mismatch", "--timeout", "3")
    done = bench(*words, "--external", "sh -c 'sleep 600'")
    assert done.returncode == 0, done.stdout[-3000:]
    (result,) = Store(results).results()
    assert (result.state, result.method_report.outcome) == (State.JUDGED, "TimedOut")
    assert not result.passed


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("run", "--suite", "nonsense", "--method", "noop"), "microremed-easy"),
        (("run", "--suite", "smoke", "--method", "nonsense"), "oracle"),
        (("run", "--suite", "smoke", "--method", "noop", "--systems", "nonsense"), "train-ticket"),
        (("run", "--suite", "smoke", "--method", "noop", "--cases", "nonsense"), "no case"),
        (("run", "--suite", "smoke", "--method", "command"), "--external"),
        (("summary", "/nonexistent"), "no results"),
    ],
)
def test_what_cannot_be_is_one_line_that_says_what_can(words: tuple[str, ...], text: str) -> None:
    done = bench(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
