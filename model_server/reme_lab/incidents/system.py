"""A random system around one workload; healthy when created.

Faults change it by its methods; `snapshot_of` then returns what the operator would collect.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reme_lab.incidents import names
from reme_lab.incidents.rng import Rng
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import EventLine

Json = dict[str, Any]
MIB = 2**20


@dataclass
class Pod:
    """One pod, described by how it differs from a healthy one."""

    name: str
    template: Json
    hash: str
    ready: bool = True
    phase: str = "Running"
    state: Json = field(default_factory=lambda: {"state": {"running": {}}})
    restarts: int = 0
    unscheduled: str = ""
    image: str = ""
    """Image of the first container, if it differs from the template's."""
    never_ready: bool = False
    """Whether it was created in this state; otherwise it was ready before the fault."""


@dataclass
class Neighbour:
    """Another workload of the namespace, with a Service of the same name."""

    name: str
    port: int
    calls_target: bool = False
    called_by_target: bool = False

    @property
    def addresses(self) -> tuple[str, str]:
        """The two forms in which a variable may name it."""
        return f"http://{self.name}:{self.port}", self.name


class System:
    """A workload with its pods, revisions, Services and neighbours."""

    def __init__(self, rng: Rng) -> None:
        """Create a healthy system."""
        self.rng = rng
        self.name = names.workload(rng)
        self.namespace = names.namespace(rng)
        self.kind = "StatefulSet" if rng.chance(15) else "Deployment"
        self.replicas = rng.weighted_choice({1: 40, 2: 25, 3: 25, 4: 5, 5: 5})
        self.container = names.container(rng, self.name)
        self.port = names.port(rng)
        self.service_port = self.port if rng.chance(40) else rng.choice((81, 443, names.port(rng)))
        self.paused = False
        self.recreate = False
        self.cpu = rng.choice((50, 100, 150, 200, 250, 300, 400, 500, 800, 1000, 2000))
        self.memory = rng.choice((64, 96, 128, 192, 256, 384, 512, 768, 1024, 2000))
        self.cpu_percent = rng.integer(1, 35)
        self.memory_percent = rng.integer(8, 38)
        self.neighbours = self._neighbours()
        self.config: dict[str, str] = self._config() if rng.chance(35) else {}
        self.config_from_env = rng.chance(50)
        self.has_last_applied = rng.chance(60)
        self.template = self._template()
        self.service: Json = {
            "selector": {"app": self.name},
            "ports": [{"name": "http", "port": self.service_port, "targetPort": self.port}],
        }
        self.related_objects: dict[ObjectRef, Json] = {}
        self.node_labels: frozenset[tuple[str, str]] | None = None
        self.events: list[EventLine] = []
        self.usage: dict[str, tuple[int, int]] = {}
        """CPU and memory of the first container in percent of its limits, by pod."""
        self.earlier_templates: list[tuple[Json, int]] = []
        """Earlier templates with their number of replicas, oldest first."""
        self._age(rng.weighted_choice({0: 50, 1: 25, 2: 15, 3: 10}))
        self.original = copy.deepcopy(self.template)
        self.original_config = dict(self.config)
        self.original_replicas = self.replicas
        self.original_service = copy.deepcopy(self.service)
        self.healthy_related_objects: dict[ObjectRef, Json] = {}
        """The related objects before the fault."""
        self.hash = names.template_hash(rng)
        self.earlier_hashes: list[str] = []
        """The hashes of the templates that a fault replaced, oldest first."""
        self.pods: list[Pod] = []
        self.replace_all()

    def _neighbours(self) -> list[Neighbour]:
        rng = self.rng
        neighbours: list[Neighbour] = []
        for index in range(rng.integer(1, 4)):
            name = names.workload(rng)
            if name != self.name and name not in [n.name for n in neighbours]:
                role = rng.integer(0, 2)
                neighbours.append(
                    Neighbour(name, names.port(rng), role == 0 or index == 0, role == 1)
                )
        return neighbours

    def _config(self) -> dict[str, str]:
        rng = self.rng
        data = {names.setting(rng): str(rng.integer(1, 64)) for _ in range(rng.integer(1, 2))}
        data[names.setting(rng)] = rng.choice(("on", "eu", "plain", "blue", "info", "north", "std"))
        return data

    @property
    def config_name(self) -> str:
        """The name of its ConfigMap."""
        return f"{self.name}-settings"

    def _template(self) -> Json:
        rng = self.rng
        env: list[Json] = [{"name": names.tunable(rng), "value": str(rng.integer(1, 99))}]
        for other in self.neighbours:
            if other.called_by_target:
                value = other.addresses[0 if rng.chance(60) else 1]
                env.append({"name": names.host_variable(rng), "value": value})
        if rng.chance(30):
            env.append({"name": names.flag(rng), "value": rng.choice(("info", "utc", "eu", "std"))})
        env = list({e["name"]: e for e in env}.values())
        main: Json = {
            "name": self.container,
            "image": f"{names.repository(rng, self.name)}:{names.tag(rng)}",
            "env": env,
            "ports": [{"name": "http", "containerPort": self.port}],
            "resources": {
                "limits": {"cpu": f"{self.cpu}m", "memory": f"{self.memory}Mi"},
                "requests": {
                    "cpu": f"{max(1, self.cpu // rng.choice((2, 4, 5)))}m",
                    "memory": f"{max(16, self.memory // rng.choice((2, 4)))}Mi",
                },
            },
            "readinessProbe": {
                "httpGet": {
                    "path": rng.choice(("/up", "/health", "/ping", "/live")),
                    "port": self.port,
                },
                "periodSeconds": rng.choice((3, 5, 10)),
            },
        }
        if rng.chance(40):
            main["command"] = rng.choice(
                (["./run"], ["node", "main.js"], ["/bin/serve"], ["java", "-jar", "app.jar"])
            )
        if rng.chance(50):
            main["livenessProbe"] = {
                "httpGet": {"path": "/alive", "port": self.port},
                "initialDelaySeconds": rng.choice((5, 10, 20)),
                "periodSeconds": rng.choice((5, 10)),
                "failureThreshold": 3,
            }
        if self.config and self.config_from_env:
            main["envFrom"] = [{"configMapRef": {"name": self.config_name}}]
        elif self.config:
            env += [
                {
                    "name": key,
                    "valueFrom": {"configMapKeyRef": {"name": self.config_name, "key": key}},
                }
                for key in self.config
                if key not in {e["name"] for e in env}
            ]
        containers = [main]
        if rng.chance(15):
            containers.append(
                {
                    "name": rng.choice(("proxy", "log-shipper", "exporter", "tls", "agent")),
                    "image": f"{names.word(rng)}:{names.tag(rng)}",
                    "resources": {"limits": {"cpu": "50m", "memory": "64Mi"}},
                }
            )
        return {
            "metadata": {
                "labels": {
                    "app": self.name,
                    **({"tier": names.word(rng, 2)} if rng.chance(30) else {}),
                }
            },
            "spec": {"containers": containers},
        }

    def _age(self, revisions: int) -> None:
        """Add earlier revisions without faults."""
        for _ in range(revisions):
            earlier = copy.deepcopy(self.template)
            main, choice = earlier["spec"]["containers"][0], self.rng.integer(0, 3)
            if choice == 0 and main["env"] and "value" in main["env"][0]:
                main["env"][0]["value"] = str(self.rng.integer(1, 99))
            else:
                main["image"] = f"{main['image'].rpartition(':')[0]}:{names.tag(self.rng)}"
            self.earlier_templates.insert(0, (earlier, self.replicas))

    @property
    def main_container(self) -> Json:
        """The first container of the template."""
        container: Json = self.template["spec"]["containers"][0]
        return container

    @property
    def key(self) -> ObjectRef:
        """The target."""
        return ObjectRef(self.kind, self.namespace, self.name)  # type: ignore[arg-type]

    def object_ref(self, kind: str, name: str) -> ObjectRef:
        """Return the reference of another object of the namespace."""
        namespace = "" if kind == "Node" else self.namespace
        return ObjectRef(kind, namespace, name)  # type: ignore[arg-type]

    def roll_out(self, change: Callable[[Json, Json], None]) -> None:
        """Make a new revision; `change` gets its template and its first container."""
        self.earlier_templates.append((copy.deepcopy(self.template), self.replicas))
        self.template = copy.deepcopy(self.template)
        change(self.template, self.main_container)
        self.earlier_hashes.append(self.hash)
        self.hash = names.template_hash(self.rng)

    def set_env(self, name: str, value: str | None) -> None:
        """Set a variable of the current template; None removes it."""
        env = [e for e in self.main_container["env"] if e["name"] != name]
        self.main_container["env"] = env + (
            [{"name": name, "value": value}] if value is not None else []
        )

    def new_pod(self, **state: Any) -> Pod:
        """Return a pod of the current template."""
        if self.kind == "StatefulSet":
            name = f"{self.name}-{len(self.pods)}"
        else:
            name = f"{self.name}-{self.hash}-{names.pod_suffix(self.rng)}"
        never_ready = not state.get("ready", True)
        return Pod(name, self.template, self.hash, never_ready=never_ready, **state)

    def replace_all(self, **state: Any) -> None:
        """Replace every pod by one of the current template."""
        self.pods = []
        for _ in range(self.replicas):
            self.pods.append(self.new_pod(**state))

    def stick_rollout(self, **state: Any) -> None:
        """Make the rollout of the current template get stuck; with Recreate no old pod is left."""
        if self.kind == "StatefulSet":
            last = self.pods[-1]
            self.pods[-1] = self.new_pod(**state)
            self.pods[-1].name = last.name
            return
        self.recreate = self.rng.chance(50)
        if self.recreate:
            self.replace_all(**state)
        else:
            self.pods.append(self.new_pod(**state))

    def add_event(self, reason: str, message: str, count: int = 1) -> None:
        """Add a warning event about the newest pod."""
        self.events.append(
            EventLine("Pod", self.pods[-1].name if self.pods else self.name, reason, message, count)
        )
