"""A namespace with a Deployment that a bad rollout broke, and what acts on it in a real cluster."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reme_api.diagnosis_report import Target
from reme_api.probes import Probe
from reme_operator.probes.sample import Sample
from tests.doubles.api_rules import Json
from tests.doubles.fake_api import FakeApi

NAMESPACE, RELEASE = "shop", "reme-system"
GOOD, BAD = "cart:1", "cart:2"


def template(image: str) -> Json:
    """Return a pod template of the cart."""
    return {
        "metadata": {"labels": {"app": "cart"}},
        "spec": {
            "containers": [
                {
                    "name": "cart",
                    "image": image,
                    "ports": [{"containerPort": 8080}],
                    "resources": {"limits": {"cpu": "200m", "memory": "64Mi"}},
                }
            ]
        },
    }


def open_shop(api: FakeApi, **policy: Any) -> None:
    """Put a broken cart, its history, its Service and a policy there."""
    labels = {"app": "cart"}
    cart = api.put(
        "deployments",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "cart", "namespace": NAMESPACE, "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template(BAD)},
            "status": {"replicas": 1, "availableReplicas": 1, "readyReplicas": 1},
        },
    )
    for number, image in ((1, GOOD), (2, BAD)):
        api.put(
            "replicasets",
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"cart-{number}",
                    "namespace": NAMESPACE,
                    "labels": labels,
                    "creationTimestamp": f"2026-05-04T1{number}:00:00Z",
                    "annotations": {"deployment.kubernetes.io/revision": str(number)},
                    "ownerReferences": [
                        {"uid": cart["metadata"]["uid"], "controller": True, "kind": "Deployment"}
                    ],
                },
                "spec": {"template": template(image)},
            },
        )
    api.put(
        "services",
        {
            "metadata": {"name": "cart", "namespace": NAMESPACE},
            "spec": {"selector": labels, "ports": [{"port": 8080, "targetPort": 8080}]},
        },
    )
    set_policy(api, **policy)


def set_policy(api: FakeApi, **fields: Any) -> None:
    """Set the namespace's policy: Auto and quick."""
    base: Json = {
        "mode": "Auto",
        "maxAttempts": 1,
        "actions": [{"name": n} for n in ("Restart", "Rollback", "Scale")],
        "budgets": {"cooldownSeconds": 0, "maxConcurrent": 5, "maxPerHour": 1000},
        "verification": {"windowSeconds": 1, "timeoutSeconds": 5, "baselineSamples": 1},
    }
    api.put(
        "remediationpolicies",
        {
            "apiVersion": "reme.dev/v1alpha1",
            "kind": "RemediationPolicy",
            "metadata": {"name": "usual", "namespace": NAMESPACE},
            "spec": base | fields,
        },
    )


def file_report(api: FakeApi, name: str = "cart-down", **fields: Any) -> Json:
    """Create a report, as a diagnosis tool would."""
    base: Json = {
        "target": {"kind": "Deployment", "name": "cart"},
        "fault": {"type": "bad-rollout", "summary": "every request fails"},
        "probes": [{"name": "answers", "http": {"service": "cart", "port": 8080}}],
    }
    return api.put(
        "diagnosisreports",
        {
            "apiVersion": "reme.dev/v1alpha1",
            "kind": "DiagnosisReport",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": base | fields,
        },
    )


def image_of(api: FakeApi) -> str:
    """Return the image that the cart runs."""
    cart = api.get("deployments", NAMESPACE, "cart")
    assert cart is not None
    return str(cart["spec"]["template"]["spec"]["containers"][0]["image"])


def rollback() -> Json:
    """Return the task that brings the cart back to its previous revision."""
    where = {"kind": "Deployment", "name": "cart", "namespace": NAMESPACE}
    return {"kubernetes.core.k8s_rollback": where}


def scale(replicas: int) -> Json:
    """Return the task that scales the cart."""
    where = {"kind": "Deployment", "name": "cart", "namespace": NAMESPACE}
    return {"kubernetes.core.k8s_scale": where | {"replicas": replicas}}


def restart() -> Json:
    """Return the task that restarts the cart."""
    meta = {"metadata": {"annotations": {"reme.dev/restarted-at": "now"}}}
    return {
        "kubernetes.core.k8s": {
            "kind": "Deployment",
            "name": "cart",
            "namespace": NAMESPACE,
            "state": "patched",
            "definition": {"spec": {"template": meta}},
        }
    }


@dataclass
class ImageProber:
    """Says that the cart works exactly when it runs the good image."""

    api: FakeApi
    unmeasurable: bool = False
    blind: bool = False  # the probes do not see what is broken
    samples: int = 0

    async def sample(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Measure."""
        self.samples += 1
        if self.unmeasurable:
            return Sample(None, "", "no metrics")
        works = self.blind or image_of(self.api) == GOOD
        return Sample(works, "200" if works else "500", "" if works else "status 500")


@dataclass
class JobRunner:
    """Does what the Job controller, the kubelet and the runner in the pod do together."""

    api: FakeApi
    seconds: float = 0.2
    end: str = "Succeeded"
    claims: bool = True
    apply: bool = True
    ran: list[str] = field(default_factory=list)
    before: Callable[[], None] | None = None
    after: Callable[[], object] | None = None

    def __call__(self, what: str, obj: Json) -> None:
        """React to one change of the store."""
        if what != "ADDED jobs":
            return
        run, later = obj["metadata"]["name"], asyncio.get_running_loop().call_later
        if self.claims:
            later(self.seconds / 2, self._begin, run)
        else:
            later(self.seconds, self._condition, run, "Failed", "DeadlineExceeded")

    def _begin(self, run: str) -> None:
        if not self._write(run, {"claim.json": _claim()}, self._result(run, "Running")):
            return
        self.ran.append(run)
        if self.before:
            self.before()
        if self.apply:
            self._apply(run)
        asyncio.get_running_loop().call_later(self.seconds / 2, self._finish, run)

    def _finish(self, run: str) -> None:
        if self.after:
            self.after()
        if self._write(run, {}, self._result(run, self.end)):
            self._condition(run, "Complete" if self.end == "Succeeded" else "Failed", "")

    def _write(self, run: str, data: Json, result: Json) -> bool:
        name = f"{run}-result"
        config_map = self.api.get("configmaps", RELEASE, name)
        alive = self.api.get("jobs", RELEASE, run) is not None
        if config_map is None or not alive:
            return False
        if data and config_map["data"]["claim.json"]:
            return False
        text = json.dumps(result)
        self.api.edit("configmaps", RELEASE, name, {"data": data | {"result.json": text}})
        return True

    def _result(self, run: str, end: str) -> Json:
        now = datetime.now(UTC).isoformat()
        base: Json = {"run": run, "end": end, "started": now, "firstTask": now, "planned": 1}
        if end != "Running":
            base |= {"finished": now, "tasks": 1, "changed": 1, "message": f"it {end}"}
        return base

    def _apply(self, run: str) -> None:
        """Change what the playbook says, as Ansible would."""
        config_map = self.api.get("configmaps", RELEASE, f"{run}-input")
        assert config_map is not None
        for task in json.loads(config_map["data"]["playbook.json"])[0]["tasks"]:
            for module, parameters in task.items():
                if "rollback" in module:
                    number = parameters.get("revision", 1)
                    revision = self.api.get("replicasets", NAMESPACE, f"cart-{number}")
                    assert revision is not None
                    patch: Json = {"spec": {"template": revision["spec"]["template"]}}
                    self.api.edit("deployments", NAMESPACE, "cart", patch)
                elif "scale" in module:
                    patch = {"spec": {"replicas": parameters["replicas"]}}
                    self.api.edit("deployments", NAMESPACE, parameters["name"], patch)

    def _condition(self, run: str, kind: str, reason: str) -> None:
        if self.api.get("jobs", RELEASE, run) is None:
            return
        condition = {"type": kind, "status": "True", "reason": reason, "message": ""}
        self.api.edit("jobs", RELEASE, run, {"status": {"conditions": [condition]}})


def _claim() -> str:
    now = datetime.now(UTC).isoformat()
    return json.dumps({"pod": "pod-1", "nonce": "n", "time": now})
