"""`reme-bench time-path`: measures each step of a repair, without the time of a model.

The same fault is repaired several times with the scripted model. The steps come from
Remediation.status. For comparison the same playbook runs with plain ansible-playbook on this host.
`reme_benchmark.reports.performance_page` writes docs/lab/performance.md from the results.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reme_api.reasons import Outcome, Step
from reme_api.remediation import Remediation
from reme_benchmark.cli.remediation_progress import FollowError, updates
from reme_benchmark.harness.scripted_model_client import ENDPOINT, ScriptedModel
from reme_benchmark.harness.shop import Shop, ShopError, manifest
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl, Object

NAMESPACE = "reme-bench"
SYSTEM = "reme-system"
ROLLBACK: Object = {
    "kubernetes.core.k8s_rollback": {
        "kind": "Deployment",
        "name": "catalog",
        "namespace": NAMESPACE,
    }
}


@dataclass(frozen=True)
class Row:
    """The samples of one figure, in seconds."""

    name: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.samples)

    @property
    def p95(self) -> float:
        """The 95th percentile by nearest rank: the highest of fewer than 20 samples."""
        ordered = sorted(self.samples)
        return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]


def steps_of(remediation: Remediation) -> dict[str, tuple[float, float]]:
    """Return (duration, operator's own work) in seconds, by step."""
    timings = list(remediation.status.timings)
    for attempt in remediation.status.attempts:
        timings += attempt.timings
    seconds: dict[str, tuple[float, float]] = {}
    for timing in timings:
        duration, own_work = seconds.get(timing.step, (0.0, 0.0))
        seconds[timing.step] = (
            duration + timing.duration_milliseconds / 1000,
            own_work + timing.operator_milliseconds / 1000,
        )
    return seconds


def to_first_task(remediation: Remediation) -> float | None:
    """Return the seconds from the creation of the Job to its first task."""
    for attempt in remediation.status.attempts:
        run = attempt.run
        if run and run.created_time and run.first_task_time:
            return (run.first_task_time - run.created_time).total_seconds()
    return None


def rows_of(ended: Sequence[Remediation]) -> list[Row]:
    """Return the figures of all runs: each step, then the figures that have a goal."""
    steps = [steps_of(r) for r in ended]
    rows = [
        Row(step.value, tuple(s[step][0] for s in steps if step in s))
        for step in Step
        if any(step in s for s in steps)
    ]
    rows.append(Row("operator's own work", tuple(sum(b for _, b in s.values()) for s in steps)))
    first = tuple(t for r in ended if (t := to_first_task(r)) is not None)
    if first:
        rows.append(Row("Job created to first task", first))
    report_to_outcome = tuple(
        (r.status.completion_time - r.metadata.creation_timestamp).total_seconds()
        for r in ended
        if r.status.completion_time and r.metadata.creation_timestamp
    )
    rows.append(Row("report to outcome", report_to_outcome))
    return rows


def repair(shop: Shop, number: int) -> Remediation:
    """Break catalog, report it, and return the ended remediation.

    Raises:
        FollowError: it did not start or did not end.
    """
    shop.deploy()
    shop.set_env("catalog", VERSION="2", FAIL_PERCENT="100")
    shop.kubectl.wait_for_rollout("deployment", "catalog", NAMESPACE, 60)
    report = manifest("report-catalog.yaml", namespace=NAMESPACE)[0]
    report["metadata"]["name"] = f"run-{number}"
    shop.kubectl.delete("diagnosisreports.reme.dev", f"run-{number}", NAMESPACE)
    shop.kubectl.apply(report)
    (last,) = deque(updates(shop.kubectl, NAMESPACE, f"run-{number}", 180), maxlen=1)
    return last


def collections() -> Path:
    """Return a directory with the collection of the sandbox image; fetch it when it is missing."""
    cache = Path(os.environ.get("REME_CACHE", Path.home() / ".cache" / "reme")) / "collections"
    if not (cache / "ansible_collections").is_dir():
        with tempfile.TemporaryDirectory() as bundle:
            lock = "requirements/collection.txt"
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
            ]
            subprocess.run([*pip, "--require-hashes", "-r", lock, "-d", bundle], check=True)
            extract = [sys.executable, "images/collection.py", bundle, "kubernetes.core"]
            subprocess.run([*extract, str(cache)], check=True)
    return cache


def plain_ansible(kubectl: Kubectl, shop: Shop) -> float:
    """Return the seconds of the same playbook with ansible-playbook on the host."""
    shop.set_env("catalog", VERSION=f"plain-{time.time():.0f}")
    shop.kubectl.wait_for_rollout("deployment", "catalog", NAMESPACE, 60)
    module = "kubernetes.core.k8s_rollback"
    arguments = ROLLBACK[module] | {"kubeconfig": kubectl.kubeconfig, "api_version": "apps/v1"}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [{module: arguments}],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "playbook.json"
        path.write_text(json.dumps([play]))
        environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(collections())}
        start = time.monotonic()
        subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", str(path)],
            env=environment,
            check=True,
            capture_output=True,
            timeout=120,
        )
        return time.monotonic() - start


def operator_memory(kubectl: Kubectl) -> int | None:
    """Return the operator's memory in MiB, as metrics.k8s.io reports it."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{SYSTEM}/pods"
    try:
        pods = json.loads(kubectl.raw(path))["items"]
    except (CommandError, ValueError):
        return None
    for pod in pods:
        if pod["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "operator":
            usage = sum(int(c["usage"]["memory"].rstrip("Ki")) for c in pod["containers"])
            return usage // 1024
    return None


def scripted_install(console: Console, kubectl: Kubectl) -> ScriptedModel:
    """Configure the installed reme to use the scripted model, and return the model."""
    model = ScriptedModel(kubectl)
    model.deploy()
    helm = os.environ.get("REME_HELM", "helm")
    values = "charts/reme/ci/e2e-values.yaml"
    console.print("helm upgrade: reme uses the scripted model")
    subprocess.run(
        [
            helm, "upgrade", "--install", "reme", "charts/reme", "--namespace", SYSTEM,
            "--create-namespace", "--take-ownership", "--values", values,
            "--set", "model.enabled=false", "--set", f"model.endpoint={ENDPOINT}",
            "--wait", "--timeout", "5m",
        ],
        check=True,
        env=os.environ | {"KUBECONFIG": kubectl.kubeconfig},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return model


def result(rows: Sequence[Row], ended: Sequence[Remediation], memory: int | None) -> dict[str, Any]:
    """Return the content of the result file."""
    return {
        "version": 1,
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "runs": len(ended),
        "outcomes": [str(r.status.outcome) for r in ended],
        "rows": [asdict(r) | {"median": r.median, "p95": r.p95} for r in rows],
        "operator_memory_mebibytes": memory,
        "machine": {"cores": os.cpu_count(), "system": platform.system()},
    }


def time_path(*, runs: int = 5, output: Path = Path("benchmark/results/path.json")) -> int:
    """Measure the duration of each step of a repair with a scripted model.

    Args:
        runs: Number of repairs.
        output: File of the results.
    """
    console, kubectl = Console(), Kubectl.from_environment()
    shop = Shop(kubectl, NAMESPACE)
    ended: list[Remediation] = []
    plain: list[float] = []
    try:
        model = scripted_install(console, kubectl)
        shop.kubectl.apply(*manifest("shop.yaml", namespace=NAMESPACE)[:1])
        shop.kubectl.apply(*manifest("policy.yaml", namespace=NAMESPACE))
        model.play(ROLLBACK)
        for number in range(1, runs + 1):
            ended.append(repair(shop, number))
            plain.append(plain_ansible(kubectl, shop))
            console.print(f"run {number}: {ended[-1].status.outcome}, plain {plain[-1]:.1f} s")
        memory = operator_memory(kubectl)
    except (FollowError, CommandError, ShopError, subprocess.CalledProcessError) as error:
        console.print(f"[bold red]error:[/] {error}")
        return 1
    finally:
        kubectl.delete("namespace", NAMESPACE, wait=False)
    rows = [*rows_of(ended), Row("plain ansible-playbook on the host", tuple(plain))]
    table = Table("step", "median s", "p95 s", title=f"{len(ended)} runs, scripted model")
    for row in rows:
        table.add_row(row.name, f"{row.median:.2f}", f"{row.p95:.2f}")
    console.print(table)
    console.print(f"operator memory: {memory} MiB")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result(rows, ended, memory), indent=1) + "\n")
    return 0 if all(r.status.outcome is Outcome.VERIFIED for r in ended) else 1
