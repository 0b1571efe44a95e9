"""The ground that is attacked: namespaces, honest runs, and pods that have been taken over."""

import copy
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.disruption_budget import SetDisruptionBudget
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.ingress_backend import SetIngressBackend
from reme_playbook.actions.network_policy import AllowIngress
from reme_playbook.actions.node import RemoveTaint, UncordonNode
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.execution.manifests import RunManifests, manifests
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.attack.attack import Attack, Object, Placeholders
from tests.attack.cluster_hashes import Snapshot, differences, take
from tests.attack.host_attacks import HostAttack
from tests.e2e.sandbox.conftest import RunAdmission, eventually
from tests.e2e.sandbox.test_runs import Sandboxes

AGENT = Path(__file__).with_name("pod_agent.py")
FOREIGN = "reme-ffffffff-1-result"
"""The result of a run that is not attacked."""
Request = tuple[str, str, str, Any, str, dict[str, str]]


@dataclass(frozen=True)
class Answer:
    """What an attempt was answered."""

    status: int
    message: str


@dataclass
class AttackEnvironment:
    """Where attacks take place; runs are made as the operator makes them."""

    admission: RunAdmission
    sandboxes: Sandboxes
    next: str
    faults: str
    node: str

    def places(self, run: str) -> Placeholders:
        admission = self.admission
        return Placeholders(
            admission.system,
            admission.shop,
            self.next,
            self.faults,
            self.node,
            run,
            admission.fullname,
        )

    @property
    def own(self) -> tuple[str, ...]:
        return (self.admission.system, self.admission.shop, self.next, self.faults)

    def key(self, kind: Any, name: str) -> ObjectRef:
        return self.sandboxes.key(kind, name)

    def honest(self) -> tuple[Action, ...]:
        """Return one action of almost every kind: the widest grant that there can be."""
        cart, node = self.key("Deployment", "cart"), ObjectRef("Node", "", self.node)
        return (
            Restart(target=cart),
            SetResources(target=cart, container="app", memory_limit="128Mi"),
            SetImage(target=cart, container="app", image="localhost/cart:2"),
            SetEnv(target=cart, container="app", variable="MODE", value="fast"),
            PatchProbe(
                target=cart,
                container="app",
                probe="readiness",
                handler="httpGet",
                path="/healthy",
                period_seconds=7,
            ),
            Scale(target=cart, replicas=3),
            Rollback(target=self.key("StatefulSet", "db"), revision=1),
            PatchServiceSelector(target=self.key("Service", "cart"), selector={"app": "cart"}),
            PatchServicePort(target=self.key("Service", "cart"), port=80, target_port=8080),
            SetConfigValue(target=self.key("ConfigMap", "settings"), key="url", value="right"),
            DeletePod(target=self.key("Pod", "cart-0")),
            SetAutoscaling(target=self.key("HorizontalPodAutoscaler", "cart"), max_replicas=4),
            SetQuota(target=self.key("ResourceQuota", "all"), hard={"count/pods": "60"}),
            SetDisruptionBudget(target=self.key("PodDisruptionBudget", "cart"), min_available=1),
            SetIngressBackend(
                target=self.key("Ingress", "shop"),
                rule=0,
                path=1,
                host="shop.example",
                http_path="/cart",
                service="cart",
                port=80,
            ),
            AllowIngress(
                target=self.key("NetworkPolicy", "cart"),
                position=0,
                labels={"app": "front"},
                port=8080,
            ),
            UncordonNode(target=node),
            RemoveTaint(target=node, key="dedicated", effect="NoSchedule"),
        )

    def run(self, *actions: Action, created: datetime | None = None) -> RunManifests:
        """Return the objects of an honest run, as the operator would make them."""
        request = self.sandboxes.request(*(actions or self.honest()), seconds=540)
        return manifests(request if created is None else replace(request, created=created))

    def taken(
        self,
        manifests: RunManifests,
        requests: Sequence[Request] = (),
        controls: Sequence[Request] = (),
        host: Sequence[HostAttack] = (),
        *,
        stay: float = 0,
    ) -> RunManifests:
        """Return the run with other code in its pod: the same Job, but for its command."""
        manifests = copy.deepcopy(manifests)
        container = manifests.job["spec"]["template"]["spec"]["containers"][0]
        container["command"] = ["python", "-c", AGENT.read_text()]
        mapping = {
            "requests": requests,
            "controls": controls,
            "host": [(attack.name, attack.code) for attack in host],
            "stay": stay,
        }
        container["env"].append({"name": "ATTEMPTS", "value": json.dumps(mapping)})
        return manifests

    def start(self, manifests: RunManifests) -> str:
        self.sandboxes.prepare(manifests)
        self.sandboxes.create(manifests.job)
        return str(manifests.job["metadata"]["name"])

    def answers(self, run: str, seconds: float = 300) -> dict[str, Answer]:
        """Wait for the end of a run, and return what its pod printed."""
        ended = self.sandboxes.ended(run, seconds)
        log = self.sandboxes.log(run)
        assert ended == "Complete", log[-2000:]
        items = [json.loads(line) for line in log.splitlines()]
        return {e["name"]: Answer(e["status"], e["message"]) for e in items}

    def snapshot(self) -> Snapshot:
        return take(lambda path: self.admission.api("GET", path).body, self.own)

    def at_rest(self) -> Snapshot:
        """Return a snapshot once two in a row are alike: controllers have then caught up.

        A namespace of an earlier test that is still being deleted loses its objects at any time.
        """
        eventually(lambda: not self._terminating(), 120)
        before = self.snapshot()

        def same() -> Snapshot | None:
            nonlocal before
            time.sleep(0.5)
            now = self.snapshot()
            alike, before = not differences(before, now), now
            return now if alike else None

        result: Snapshot = eventually(same, 90)
        return result

    def _terminating(self) -> bool:
        namespaces = self.admission.api("GET", "/api/v1/namespaces").body["items"]
        return any(item["metadata"].get("deletionTimestamp") for item in namespaces)

    def request(self, attack: Attack, run: str, *, dry: bool = False) -> Request:
        """Return the request of an attempt with names filled in; without effect if dry."""
        places = self.places(run)
        path = places.fill(attack.path)
        if dry and not attack.connects and "dryRun=" not in path:
            path += ("&" if "?" in path else "?") + "dryRun=All"
        body, headers = places.fill(attack.body), places.fill(attack.headers)
        return attack.name, attack.method, path, body, attack.form, headers


def of_the_run(change: str, run: str) -> bool:
    """Return whether a change is about the run's own Job and pod, or its record."""
    return f"/{run}" in change and any(
        f"/{kind}: " in change for kind in ("pods", "jobs", "configmaps")
    )


def objects(environment: AttackEnvironment) -> list[Object]:
    """Return what is attacked besides what the fence has: neighbours, injector, reme itself."""

    def deployment(name: str, namespace: str, **labels: str) -> Object:
        chosen = {"app": name}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": chosen},
                "template": {
                    "metadata": {"labels": chosen},
                    "spec": {"containers": [{"name": "app", "image": "localhost/x:1"}]},
                },
            },
        }

    system = environment.admission.system
    agent = deployment("fault-agent", environment.faults)
    agent["kind"] = "DaemonSet"
    del agent["spec"]["replicas"]
    agent["spec"]["template"]["spec"]["nodeSelector"] = {"nowhere": "true"}
    part = {"app.kubernetes.io/part-of": "reme"}

    def config(name: str, namespace: str) -> Object:
        head = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": {"url": "x"}}

    return [
        agent,
        deployment("cart", environment.next),
        deployment(f"{environment.admission.fullname}-operator", system, **part),
        config("settings", environment.next),
        config(FOREIGN, system),
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "reme-operator", "namespace": system},
            "spec": {"holderIdentity": "operator"},
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": f"{environment.admission.fullname}-operator", "namespace": system},
        },
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": environment.node},
            "spec": {
                "taints": [
                    {"key": "dedicated", "value": "batch", "effect": "NoSchedule"},
                    {"key": "reme.dev/test", "effect": "NoSchedule"},
                ]
            },
        },
    ]
