"""Run every check of the repository: style, types, generated files, tests, the real cluster.

Stages run in three lanes side by side: `host` needs nothing but this machine, `images` builds the
container images, and `cluster` works with the test cluster. Each stage writes its output to a log
in `artifacts/`, which is printed when the stage fails. A stage that cannot run counts as failed.
The last lines list every skipped test with its reason, and end with `N passed, N failed`.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
ARTIFACTS = ROOT / "artifacts"

GROUPS = ("lint", "unit", "integration", "chart", "e2e")
LANES = ("host", "images", "cluster")
NICENESS = {"host": 0, "images": 10, "cluster": 0}
"""Building images gives way to the stages that report a mistake early."""
USES_CLUSTER_TOOLS = frozenset({"chart", "e2e"})
"""Groups that get the environment variables with the cluster and the programs built with it."""
FAILURE_LOG_LINES = 300


@dataclass(frozen=True)
class Stage:
    """One command. With `tests` it is pytest, and its tests are counted from its JUnit report."""

    group: str
    name: str
    command: tuple[str, ...]
    lane: str = "host"
    tests: bool = False
    after: tuple[str, ...] = ()  # stages, also of other lanes, that must have passed before

    @property
    def file(self) -> str:
        """The name of its log and report, without a suffix."""
        return self.name.replace("/", "-").replace(" ", "-")


@dataclass(frozen=True)
class Result:
    """The outcome of one stage."""

    passed: int = 0
    failed: int = 0
    skipped: tuple[str, ...] = ()  # "test: reason"
    seconds: float = 0.0


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    """Return a command of this virtual environment."""
    return (str(Path(PYTHON).parent / name), *arguments)


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a Python module."""
    return (PYTHON, "-m", name, *arguments)


def suite(group: str, target: str, *options: str, lane: str = "host", name: str = "") -> Stage:
    """Return the stage that runs pytest on a file or folder."""
    command = module("pytest", "-q", "--durations=5", target, *options)
    after = ("images are loaded",) if lane == "cluster" else ()
    return Stage(group, name or target, command, lane=lane, tests=True, after=after)


def host_stages() -> list[Stage]:
    """Return the stages that need no cluster, the quickest feedback first."""
    generated = {
        "CRDs": "reme_api.crd_generator",
        "API reference": "reme_api.api_reference",
        "action reference": "reme_playbook.action_reference",
        "inspection reference": "reme_playbook.inspection_reference",
        "metrics and settings reference": "reme_operator.app.reference",
        "command line reference": "reme_operator.cli.reference",
        "benchmark page": "reme_benchmark.reports.benchmark_page",
        "incidents page": "reme_benchmark.reports.incidents_page",
        "fidelity page": "reme_benchmark.fidelity.page",
        "model page": "reme_benchmark.reports.model_page",
    }
    return [
        Stage("lint", "format", tool("ruff", "format", "--check", ".")),
        Stage("lint", "style", tool("ruff", "check", ".")),
        Stage("lint", "layers", tool("lint-imports")),
        Stage("lint", "words", (PYTHON, "tests/lint/check_words.py")),
        *(
            Stage("lint", f"{what}: generated file is current", module(name, "--check"))
            for what, name in generated.items()
        ),
        Stage("lint", "locks are current", (PYTHON, "images/lock.py", "--check")),
        Stage("lint", "documentation site", tool("mkdocs", "build", "--strict", "--quiet")),
        Stage("lint", "types", tool("mypy")),
        suite("unit", "tests/unit"),
        suite("integration", "tests/integration"),
        suite("integration", "tests/crash/test_schedules.py"),
        suite("integration", "tests/crash/test_harness.py"),
        suite("integration", "tests/crash/test_regressions.py"),
        Stage("chart", "helm is built", module("reme_cluster", "bin", "helm")),
        suite("chart", "tests/chart"),
    ]


def cluster_stages(cluster: str) -> list[Stage]:
    """Return the stages that build images and that use the cluster, in their order."""
    build, names = (PYTHON, "images/build.py"), ("operator", "sandbox", "tools", "model")
    up = module("reme_cluster", "up", "--metrics", "--name", cluster)
    load = (*build, "load", "--cluster", cluster, *names)
    ready = ("cluster is up", "images are built")
    return [
        Stage("e2e", "images are built", (*build, "build", *names), lane="images"),
        Stage("e2e", "cluster programs are built", module("reme_cluster", "build"), "cluster"),
        Stage("e2e", "cluster is up", up, lane="cluster", after=("cluster programs are built",)),
        Stage("e2e", "images are loaded", load, lane="cluster", after=ready),
        # The chart comes first, because helm refuses definitions that somebody else applied.
        suite("e2e", "tests/e2e/chart", lane="cluster"),
        suite("e2e", "tests/e2e/crds", lane="cluster"),
        suite("e2e", "tests/e2e/sandbox", lane="cluster"),
        suite("e2e", "tests/attack", "--share", lane="cluster", name="a share of the attacks"),
        suite("e2e", "tests/e2e/path", lane="cluster"),
        # The last test of the path leaves the real model server, which the tutorial needs.
        suite("e2e", "tests/e2e/docs", lane="cluster"),
        suite("e2e", "tests/e2e/bench/test_run.py", lane="cluster"),
        # These run an operator of their own, and need that no other is installed.
        suite("e2e", "tests/crash/cluster/test_sample.py", lane="cluster"),
        # These bring up and remove other clusters on this machine.
        suite("e2e", "tests/e2e/cluster", lane="cluster"),
    ]


def skip_reason(skipped: ET.Element) -> str:
    """Return why a test was skipped; pytest puts the reason of a whole module into the text."""
    message = skipped.get("message") or "no reason given"
    if message == "collection skipped" and skipped.text:
        return skipped.text.partition("Skipped: ")[2].removesuffix('")') or message
    return message


def read_report(report: Path) -> Result:
    """Read a JUnit report; a missing or unreadable one is one failure."""
    try:
        suites = list(ET.parse(report).getroot().iter("testsuite"))
    except (OSError, ET.ParseError):
        return Result(failed=1)

    def total(attribute: str) -> int:
        return sum(int(suite.get(attribute, 0)) for suite in suites)

    skipped = tuple(
        f"{case.get('classname')}.{case.get('name')}: {skip_reason(reason)}"
        for suite in suites
        for case in suite.iter("testcase")
        for reason in case.iter("skipped")
    )
    failed = total("failures") + total("errors")
    return Result(total("tests") - failed - total("skipped"), failed, skipped)


def cluster_environment(cluster: str) -> dict[str, str]:
    """Return the environment variables by which tests find the cluster and its programs."""

    def ask(*arguments: str) -> str:
        command = module("reme_cluster", *arguments)
        process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        return process.stdout.strip() if process.returncode == 0 else ""

    variables = {
        "KUBECONFIG": ask("kubeconfig", "--name", cluster),
        "REME_KUBECTL": ask("bin", "kubectl", "--no-build"),
        "REME_HELM": ask("bin", "helm", "--no-build"),
    }
    return {key: value for key, value in variables.items() if value} | {"REME_CLUSTER": cluster}


def run_stage(stage: Stage, environment: Mapping[str, str]) -> Result:
    """Run one stage and return its outcome."""
    start = time.monotonic()
    report = ARTIFACTS / f"{stage.file}.xml"
    command = ["nice", "-n", str(NICENESS[stage.lane]), *stage.command]
    if stage.tests:
        report.unlink(missing_ok=True)
        command.append(f"--junitxml={report}")
    with (ARTIFACTS / f"{stage.file}.log").open("w") as log:
        code = subprocess.run(
            command, cwd=ROOT, env=dict(environment), stdout=log, stderr=log, check=False
        ).returncode
    seconds = time.monotonic() - start
    if not stage.tests:
        return Result(passed=int(code == 0), failed=int(code != 0), seconds=seconds)
    result = read_report(report)
    # A code without a failed test means that pytest itself failed, such as at collection.
    failed = result.failed or int(code != 0)
    return Result(result.passed, failed, result.skipped, seconds)


@dataclass
class Scheduler:
    """Runs the lanes side by side, and the stages of one lane one after the other."""

    stages: list[Stage]
    cluster: str
    results: dict[str, Result] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def run(self) -> None:
        """Run all stages and return when the last one has ended."""
        threads = [threading.Thread(target=self._lane, args=(lane,), daemon=True) for lane in LANES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self, lane: str) -> None:
        for stage in (s for s in self.stages if s.lane == lane):
            result = Result(failed=1)
            try:
                result = self._run(stage)
            finally:  # also when this thread fails, or the other lanes would wait for ever
                with self._changed:
                    self.results[stage.name] = result
                    self._changed.notify_all()

    def _run(self, stage: Stage) -> Result:
        failed = self._wait_for(stage.after)
        if failed:
            print(f"✗ {stage.group}: {stage.name}: cannot run, {failed!r} failed", flush=True)
            return Result(failed=1)
        print(f"… {stage.group}: {stage.name}", flush=True)
        environment = dict(os.environ)
        if stage.group in USES_CLUSTER_TOOLS:
            environment |= cluster_environment(self.cluster)
        result = run_stage(stage, environment)
        self._print(stage, result)
        return result

    def _wait_for(self, names: Iterable[str]) -> str:
        """Wait until these stages have ended; return one that failed, or nothing."""
        chosen = {stage.name for stage in self.stages}
        needed = [name for name in names if name in chosen]
        with self._changed:
            self._changed.wait_for(lambda: all(name in self.results for name in needed))
        return next((name for name in needed if self.results[name].failed), "")

    def _print(self, stage: Stage, result: Result) -> None:
        mark = "✗" if result.failed else "✓"
        lines = [f"{mark} {stage.group}: {stage.name}: {counts(result)} in {result.seconds:.0f} s"]
        if result.failed:
            log = ARTIFACTS / f"{stage.file}.log"
            output = log.read_text(errors="replace").splitlines()[-FAILURE_LOG_LINES:]
            lines += [*output, f"(all output: {log})"]
        print("\n".join(lines), flush=True)


def counts(result: Result) -> str:
    """Return the counts of a result in words."""
    return f"{result.passed} passed, {result.failed} failed, {len(result.skipped)} skipped"


def summary(stages: Iterable[Stage], results: Mapping[str, Result]) -> str:
    """Return what is printed at the end: each stage, each skipped test, and the total."""
    lines = ["", "Summary"]
    for stage in stages:
        result = results[stage.name]
        mark = "✗" if result.failed else "✓"
        lines.append(
            f"  {mark} {stage.group:12} {stage.name:48} {result.seconds:6.0f} s  {counts(result)}"
        )
    skipped = [reason for result in results.values() for reason in result.skipped]
    if skipped:
        lines += ["", "Skipped", *(f"  {reason}" for reason in sorted(skipped))]
    passed = sum(result.passed for result in results.values())
    failed = sum(result.failed for result in results.values())
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed"])


def main() -> None:
    """Run the chosen stages; exit with 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="reme-test", help="name of the cluster to test on")
    parser.add_argument("--only", action="append", choices=GROUPS, help="groups to run")
    arguments = parser.parse_args()
    ARTIFACTS.mkdir(exist_ok=True)
    stages = [
        stage
        for stage in (*host_stages(), *cluster_stages(arguments.cluster))
        if not arguments.only or stage.group in arguments.only
    ]
    start = time.monotonic()
    scheduler = Scheduler(stages, arguments.cluster)
    scheduler.run()
    print(f"\nAll stages: {time.monotonic() - start:.0f} s")
    print(summary(stages, scheduler.results), flush=True)
    sys.exit(1 if any(result.failed for result in scheduler.results.values()) else 0)


if __name__ == "__main__":
    main()
