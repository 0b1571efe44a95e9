"""Run everything that proves the code, in the order in which a mistake is cheapest to find.

Prints one line per stage as it ends, the output of a stage that failed, and at the very end
`N passed, N failed`. A stage that cannot run counts as failed: what was not run proves nothing.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
ARTIFACTS = ROOT / "artifacts"

WITH_CLUSTER = {"chart", "e2e"}
"""Groups that need the cluster, or programs that are built with it."""


@dataclass(frozen=True)
class Stage:
    """One command; its tests are counted from its report, or it counts as one."""

    group: str
    name: str
    command: tuple[str, ...]
    tests: bool = False
    needs_cluster: bool = False


@dataclass(frozen=True)
class Result:
    """What a stage came to."""

    passed: int
    failed: int
    skipped: int
    seconds: float


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """Return a command of this environment."""
    return (str(Path(PYTHON).parent / name), *arguments)


def stages(cluster: str) -> list[Stage]:
    """Return all stages, in order."""

    def suite(group: str, folder: str, *, needs_cluster: bool = False) -> Stage:
        command = (PYTHON, "-m", "pytest", "-q", "--durations=5", folder)
        return Stage(group, folder, command, tests=True, needs_cluster=needs_cluster)

    up = (PYTHON, "-m", "reme_cluster", "up", "--metrics", "--name", cluster)
    images = (PYTHON, "images/build.py")
    names = ("operator", "sandbox", "tools", "model")
    return [
        Stage("lint", "format", tool("ruff", "format", "--check", ".")),
        Stage("lint", "style", tool("ruff", "check", ".")),
        Stage("lint", "types", tool("mypy")),
        Stage("lint", "layers", tool("lint-imports")),
        Stage("lint", "CRDs are as generated", (PYTHON, "-m", "reme_api.crd_generator", "--check")),
        Stage(
            "lint",
            "API reference is as generated",
            (PYTHON, "-m", "reme_api.api_reference", "--check"),
        ),
        Stage(
            "lint",
            "actions are as generated",
            (PYTHON, "-m", "reme_playbook.action_reference", "--check"),
        ),
        Stage(
            "lint",
            "benchmark results are as kept",
            (PYTHON, "-m", "reme_benchmark.reports.benchmark_page", "--check"),
        ),
        Stage(
            "lint",
            "the fidelity of the simulator is as kept",
            (PYTHON, "-m", "reme_benchmark.fidelity.page", "--check"),
        ),
        Stage(
            "lint",
            "model results are as kept",
            (PYTHON, "-m", "reme_benchmark.reports.model_page", "--check"),
        ),
        Stage("lint", "locks are fresh", (PYTHON, "images/lock.py", "--check")),
        suite("unit", "tests/unit"),
        suite("integration", "tests/integration"),
        suite("integration", "tests/crash/test_schedules.py"),
        suite("integration", "tests/crash/test_harness.py"),
        suite("integration", "tests/crash/test_regressions.py"),
        Stage("chart", "helm is built", (PYTHON, "-m", "reme_cluster", "bin", "helm")),
        suite("chart", "tests/chart"),
        Stage("e2e", "cluster is up", up, needs_cluster=True),
        Stage("e2e", "images are built", (*images, "build", *names), needs_cluster=True),
        Stage(
            "e2e",
            "images are loaded",
            (*images, "load", "--cluster", cluster, *names),
            needs_cluster=True,
        ),
        # The chart first: helm takes no definitions that others made. The cluster's own tests
        # last: they bring up and take down clusters beside this one.
        *(
            suite("e2e", f"tests/e2e/{folder}", needs_cluster=True)
            for folder in ("chart", "crds", "sandbox")
        ),
        Stage(
            "e2e",
            "a share of the attacks",
            (PYTHON, "-m", "pytest", "-q", "--durations=5", "tests/attack", "--share"),
            tests=True,
            needs_cluster=True,
        ),
        *(
            suite("e2e", f"tests/e2e/{folder}", needs_cluster=True)
            for folder in ("path", "bench/test_run.py")
        ),
        # With no operator in the cluster: those of this tree are killed in its place.
        suite("e2e", "tests/crash/cluster/test_partition.py", needs_cluster=True),
        suite("e2e", "tests/e2e/cluster", needs_cluster=True),
    ]


def counts(report: Path) -> tuple[int, int, int]:
    """Return (passed, failed, skipped) of a JUnit report; no report is one failure."""
    try:
        suites = list(ET.parse(report).getroot().iter("testsuite"))
    except (OSError, ET.ParseError):
        return 0, 1, 0
    total = sum(int(s.get("tests", 0)) for s in suites)
    failed = sum(int(s.get("failures", 0)) + int(s.get("errors", 0)) for s in suites)
    skipped = sum(int(s.get("skipped", 0)) for s in suites)
    return total - failed - skipped, failed, skipped


def cluster_environment(cluster: str) -> dict[str, str]:
    """Return where the tests find the cluster and its tools; empty while there is none."""

    def ask(*arguments: str) -> str:
        command = [PYTHON, "-m", "reme_cluster", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    found = {
        "KUBECONFIG": ask("kubeconfig", "--name", cluster),
        "REME_KUBECTL": ask("bin", "kubectl", "--no-build"),
        "REME_HELM": ask("bin", "helm", "--no-build"),
    }
    return {key: value for key, value in found.items() if value} | {"REME_CLUSTER": cluster}


@contextmanager
def building() -> Iterator[None]:
    """Compile the cluster's programs meanwhile, with the core that the first stages leave idle.

    Compiling takes a third of a cold run. A stage that needs a program waits for it, and shows
    the error if there is one.
    """
    command = ("nice", "-n", "19", PYTHON, "-m", "reme_cluster", "build")
    with (ARTIFACTS / "build.log").open("w") as log:
        build = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, process_group=0)
    try:
        yield
    finally:
        if build.poll() is None:
            os.killpg(build.pid, signal.SIGTERM)  # with the compiler that it started
            build.wait()


def run(stage: Stage, cluster: str) -> Result:
    """Run one stage and print how it ended."""
    print(f"── {stage.group}: {stage.name}", flush=True)
    begun = time.monotonic()
    report = ARTIFACTS / f"{stage.name.replace('/', '-')}.xml"
    environment = dict(os.environ)
    command = list(stage.command)
    if stage.tests:
        report.unlink(missing_ok=True)
        command += [f"--junitxml={report}"]
    if stage.group in WITH_CLUSTER:
        environment |= cluster_environment(cluster)
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    passed, failed, skipped = counts(report) if stage.tests else ((0, 1, 0) if code else (1, 0, 0))
    if code and not failed:
        failed = 1  # pytest itself broke: collection, or no test at all
    seconds = time.monotonic() - begun
    word = "FAILED" if failed else "passed"
    print(
        f"   {word} in {seconds:.0f} s: {passed} passed, {failed} failed, {skipped} skipped",
        flush=True,
    )
    return Result(passed, failed, skipped, seconds)


def run_all(chosen: list[Stage], cluster: str) -> list[tuple[Stage, Result]]:
    """Run stages in their order; one that needs what failed before it cannot run."""
    results: list[tuple[Stage, Result]] = []
    for stage in chosen:
        broken = any(r.failed for s, r in results if s.needs_cluster and not s.tests)
        if stage.needs_cluster and broken:
            print(
                f"── {stage.group}: {stage.name}: cannot run without the stages before it",
                flush=True,
            )
            results.append((stage, Result(0, 1, 0, 0)))
            continue
        results.append((stage, run(stage, cluster)))
    return results


def main() -> None:
    """Run the chosen stages; exit with 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="reme-test", help="name of the cluster to test on")
    parser.add_argument(
        "--only", action="append", help="groups to run: lint unit integration chart e2e"
    )
    arguments = parser.parse_args()
    ARTIFACTS.mkdir(exist_ok=True)
    chosen = [
        s for s in stages(arguments.cluster) if not arguments.only or s.group in arguments.only
    ]
    with building() if any(s.group in WITH_CLUSTER for s in chosen) else nullcontext():
        results = run_all(chosen, arguments.cluster)
    print("\nSummary")
    for stage, result in results:
        mark = "✗" if result.failed else "✓"
        tail = f"{result.passed} passed, {result.failed} failed, {result.skipped} skipped"
        print(f"  {mark} {stage.group:12} {stage.name:28} {result.seconds:6.0f} s  {tail}")
    passed = sum(r.passed for _, r in results)
    failed = sum(r.failed for _, r in results)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
