"""reme as its users install it, asked by tests through the API, answered by a scripted model."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reme_api.conditions import Condition
from reme_api.reasons import Outcome
from reme_api.remediation import Remediation
from reme_benchmark.cli.remediation_progress import remediations_of
from reme_benchmark.harness.scripted_model_client import ScriptedModel
from reme_benchmark.harness.shop import Shop
from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl, Object

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASE, SYSTEM = "reme", "reme-system"


def helm(*arguments: str, timeout_seconds: int = 900) -> str:
    """Run helm; its own words are the error."""
    done = subprocess.run(
        [os.environ.get("REME_HELM", "helm"), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"helm {' '.join(arguments)}: {done.stderr[-3000:]}")
    return done.stdout


def install(*settings: str) -> None:
    """Install the chart, or change what is installed, and wait until it is ready."""
    sets = [word for setting in settings for word in ("--set", setting)]
    chart = str(ROOT / "charts" / "reme")
    values = str(ROOT / "charts" / "reme" / "ci" / "e2e-values.yaml")
    helm(
        "upgrade", "--install", RELEASE, chart, "--namespace", SYSTEM, "--create-namespace",
        "--values", values, *sets, "--take-ownership", "--wait", "--timeout", "14m",
    )  # fmt: skip


@dataclass
class Testbed:
    """One namespace with a shop, a policy and what the tests ask in it."""

    __test__ = False  # pytest must not collect it for its name

    kubectl: Kubectl
    model: ScriptedModel
    namespace: str
    shop: Shop = field(init=False)

    def __post_init__(self) -> None:
        self.shop = Shop(self.kubectl, self.namespace)

    def policy(self, **spec: Any) -> None:
        """Set the namespace's policy: Auto, quick windows, and what the test says."""
        actions = [{"name": n} for n in ("Restart", "Rollback", "Scale", "SetResources")]
        base: dict[str, Any] = {
            "mode": "Auto",
            "maxAttempts": 1,
            "actions": actions,
            "budgets": {"cooldownSeconds": 0, "maxConcurrent": 5, "maxPerHour": 1000},
            "verification": {"windowSeconds": 3, "timeoutSeconds": 25, "baselineSamples": 2},
        }
        kind = {"apiVersion": "reme.dev/v1alpha1", "kind": "RemediationPolicy"}
        # Deleted first: an apply would keep the fields of the test before.
        self.kubectl.delete("remediationpolicies.reme.dev", "test", self.namespace)
        metadata = {"name": "test", "namespace": self.namespace}
        self.kubectl.apply(kind | {"metadata": metadata, "spec": base | spec})

    def report(self, name: str, service: str = "catalog", **spec: Any) -> Object:
        """Create a report as a diagnosis tool would, and return it."""
        base: dict[str, Any] = {
            "target": {"kind": "Deployment", "name": service},
            "fault": {"type": "bad-rollout", "summary": "Every request fails since the rollout."},
            "probes": [
                {"name": "answers", "http": {"service": service, "port": 8080, "path": "/"}},
            ],
        }
        kind = {"apiVersion": "reme.dev/v1alpha1", "kind": "DiagnosisReport"}
        self.kubectl.delete("diagnosisreports.reme.dev", name, self.namespace)
        metadata = {"name": name, "namespace": self.namespace}
        self.kubectl.apply(kind | {"metadata": metadata, "spec": base | spec})
        created = self.kubectl.get("diagnosisreports.reme.dev", name, self.namespace)
        assert created is not None
        return created

    def remediation(self, report: Object) -> Remediation | None:
        """Return the newest remediation of a report."""
        remediations = remediations_of(self.kubectl, self.namespace, report["metadata"]["uid"])
        return remediations[-1] if remediations else None

    def until(self, what: str, check: Callable[[], Any], seconds: float = 60) -> Any:
        """Return what the check returns as soon as it is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := check():
                return value
            time.sleep(0.3)
        raise AssertionError(f"{what}: not within {seconds:.0f} s")

    def ended(self, report: Object, seconds: float = 180) -> Remediation:
        """Wait for the outcome of a report's remediation."""

        def outcome() -> Remediation | None:
            remediation = self.remediation(report)
            return remediation if remediation and remediation.status.outcome else None

        remediation = self.until(f"outcome of {report['metadata']['name']}", outcome, seconds)
        assert isinstance(remediation, Remediation)
        return remediation

    def condition(self, report: Object, kind: str, status: str, seconds: float = 30) -> Condition:
        """Wait until a report's condition has that status."""

        def matching_condition() -> Condition | None:
            name = report["metadata"]["name"]
            now = self.kubectl.get("diagnosisreports.reme.dev", name, self.namespace) or {}
            for item in now.get("status", {}).get("conditions", []):
                if item["type"] == kind and item["status"] == status:
                    return Condition.model_validate(item)
            return None

        condition = self.until(f"{kind}={status}", matching_condition, seconds)
        assert isinstance(condition, Condition)
        return condition

    def jobs(self, remediation: Remediation) -> list[Object]:
        """Return the Jobs that exist for a remediation."""
        selector = f"reme.dev/remediation-uid={remediation.metadata.uid}"
        return self.kubectl.list("jobs", SYSTEM, selector)

    def leftovers(self, remediation: Remediation) -> list[str]:
        """Return every identity, grant and Job that is left of a remediation."""
        selector = f"reme.dev/remediation-uid={remediation.metadata.uid}"
        kinds = ("jobs", "serviceaccounts", "rungrants.reme.dev", "configmaps", "rolebindings")
        return [
            f"{kind}/{item['metadata']['name']}"
            for kind in kinds
            for item in self.kubectl.list(kind, SYSTEM, selector)
        ] + [
            f"rolebindings/{item['metadata']['name']}"
            for item in self.kubectl.list("rolebindings", self.namespace, selector)
        ]

    def spec_of(self, kind: str, name: str) -> Any:
        """Return what is declared of an object now."""
        obj = self.kubectl.get(kind, name, self.namespace)
        assert obj is not None, f"{kind}/{name} is gone"
        return obj["spec"]

    def break_catalog(self) -> None:
        """Roll out a version that fails, and wait until it serves its errors."""
        self.shop.set_env("catalog", VERSION="2", FAIL_PERCENT="100")
        self.kubectl.wait_for_rollout("deployment", "catalog", self.namespace, 60)
        # A pod of the version before may answer for some time after the rollout is complete.
        path = f"/api/v1/namespaces/{self.namespace}/services/catalog:8080/proxy/"
        until, failures = time.monotonic() + 30, 0
        while failures < 3:
            assert time.monotonic() < until, "the broken version does not serve errors"
            try:
                self.kubectl.run("get", "--raw", path)
                failures = 0
            except CommandError:
                failures += 1
            time.sleep(0.2)


def rollback(name: str = "catalog", namespace: str = "reme-e2e") -> Object:
    """Return the task that brings a Deployment back to its previous revision."""
    return {
        "kubernetes.core.k8s_rollback": {"kind": "Deployment", "name": name, "namespace": namespace}
    }


def restart(name: str = "catalog", namespace: str = "reme-e2e") -> Object:
    """Return the task that replaces a Deployment's pods."""
    template = {"metadata": {"annotations": {"reme.dev/restarted-at": "now"}}}
    return {
        "kubernetes.core.k8s": {
            "kind": "Deployment",
            "name": name,
            "namespace": namespace,
            "state": "patched",
            "definition": {"spec": {"template": template}},
        }
    }


def never_verified(remediation: Remediation) -> None:
    """State that a repair that did not help is never called one that did."""
    assert remediation.status.outcome is not Outcome.VERIFIED
    assert all(a.outcome is not Outcome.VERIFIED for a in remediation.status.attempts)
