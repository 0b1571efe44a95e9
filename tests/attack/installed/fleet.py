"""Small services in a namespace of their own: broken by a rollout, repaired by the next."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reme_api.remediation import Remediation
from reme_benchmark.harness.scripted_model_client import ScriptedModel
from reme_benchmark.harness.shop import manifest
from reme_cluster.kubectl import Kubectl

Object = dict[str, Any]
API = {"apiVersion": "reme.dev/v1alpha1"}
# Who decides is the target alone: on a busy machine its neighbours come and go.
QUICK = {"windowSeconds": 3, "timeoutSeconds": 60, "baselineSamples": 2, "neighbours": "None"}


@dataclass(frozen=True)
class Fleet:
    """Services that are made after one of the shop, and what reme is asked about them."""

    kubectl: Kubectl
    model: ScriptedModel
    namespace: str

    def deploy(self, calls: Mapping[str, str]) -> None:
        """Bring them up, healthy; `calls` says of each which other it asks, if any."""
        head = {"name": self.namespace}
        self.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": head})
        self.kubectl.apply(*(o for n, other in calls.items() for o in self._service(n, other)))
        self.rolled_out(*calls)

    def _service(self, name: str, other: str) -> Sequence[Object]:
        items = [
            json.loads(json.dumps(o).replace('"catalog"', json.dumps(name)))
            for o in manifest("shop.yaml", namespace=self.namespace)
            if o["metadata"]["name"] == "catalog"
        ]
        deployment = next(o for o in items if o["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        where = f"http://{other}:8080/" if other else ""
        container["env"] = [e for e in container["env"] if e["name"] != "CALLS"]
        container["env"].append({"name": "CALLS", "value": where})
        return items

    def rolled_out(self, *names: str) -> None:
        """Wait until the newest template of each is available."""
        for name in names:
            self.kubectl.wait_for_rollout("deployment", name, self.namespace, 120)

    def fail(self, *names: str, percent: int = 100) -> None:
        """Roll out a version that fails, or with 0 one that does not."""
        env = [{"name": "FAIL_PERCENT", "value": str(percent)}]
        for name in names:
            spec = {"containers": [{"name": name, "env": env}]}
            body = {"spec": {"template": {"spec": spec}}}
            self.kubectl.patch("deployment", name, self.namespace, body)
        self.rolled_out(*names)

    def policy(self, **spec: Any) -> None:
        """Set the one policy of the namespace."""
        self.kubectl.delete("remediationpolicies.reme.dev", "test", self.namespace)
        head = {"name": "test", "namespace": self.namespace}
        base = {"mode": "Auto", "maxAttempts": 1, "verification": QUICK}
        self.kubectl.apply(
            API | {"kind": "RemediationPolicy", "metadata": head, "spec": base | spec}
        )

    def report(self, name: str, target: str, **spec: Any) -> Object:
        """Return a report about a service that does not answer; it is not sent."""
        probe = {"name": "answers", "http": {"service": target, "port": 8080, "path": "/"}}
        base: Object = {
            "target": {"kind": "Deployment", "name": target},
            "fault": {"type": "bad-rollout", "summary": "Every request fails."},
            "probes": [probe],
        }
        head = {"name": name, "namespace": self.namespace}
        return {**API, "kind": "DiagnosisReport", "metadata": head, "spec": base | spec}

    def repair(self, name: str) -> Object:
        """Return the task that takes the failing version's setting back."""
        return self.patched(name, {"env": [{"name": "FAIL_PERCENT", "value": "0"}]})

    def patched(self, name: str, fields: Object) -> Object:
        """Return a task that changes the container of a service."""
        spec = {"containers": [{"name": name, **fields}]}
        where = {"kind": "Deployment", "name": name, "namespace": self.namespace}
        body = {"spec": {"template": {"spec": spec}}}
        return {"kubernetes.core.k8s": where | {"state": "patched", "definition": body}}

    def scaled(self, name: str, replicas: int) -> Object:
        """Return a task that changes how many there are of a service."""
        where = {"kind": "Deployment", "name": name, "namespace": self.namespace}
        return {"kubernetes.core.k8s_scale": where | {"replicas": replicas}}

    def answer(self, target: str, *tasks: Object) -> Object:
        """Return what the model is told to say whenever it is asked about a service."""
        return {"when": f"Deployment {target} in {self.namespace},", "content": list(tasks)}

    def remediations(self) -> list[Remediation]:
        """Return all remediations of the namespace."""
        objects = self.kubectl.list("remediations.reme.dev", self.namespace)
        return [Remediation.model_validate(o) for o in objects]

    def reports(self) -> list[Object]:
        """Return all reports of the namespace, as they are."""
        return self.kubectl.list("diagnosisreports.reme.dev", self.namespace)

    def until(self, what: str, check: Callable[[], Any], seconds: float) -> Any:
        """Return what the check returns as soon as it is true."""
        deadline = time.monotonic() + seconds
        while not (result := check()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
            time.sleep(0.3)
        return result

    def ended(self, uids: set[str], seconds: float) -> dict[str, Remediation]:
        """Return the remediation of each report, once all of them have an outcome."""

        def every() -> dict[str, Remediation] | None:
            mapping = {r.spec.report_ref.uid: r for r in self.remediations() if r.status.outcome}
            return mapping if uids <= mapping.keys() else None

        mapping: dict[str, Remediation] = self.until("every report is answered", every, seconds)
        return {uid: mapping[uid] for uid in uids}

    def clear(self) -> None:
        """Take the reports and records away, so that the next try begins anew."""
        for kind in ("diagnosisreports.reme.dev", "remediations.reme.dev"):
            self.kubectl.run("delete", kind, "--all", "-n", self.namespace, timeout_seconds=120)

    def remove(self) -> None:
        """Take everything away: records first, their finalizer needs the operator."""
        self.clear()
        self.kubectl.delete("namespace", self.namespace, wait=False)
