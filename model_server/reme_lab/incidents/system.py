"""A random system around one workload: healthy when it is made, and raw objects when it is read.

Faults change it by its few methods; `live` is then what the operator would have read.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reme_lab.incidents import names
from reme_lab.incidents.rng import Draw
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import EventLine

Json = dict[str, Any]
MIB = 2**20


@dataclass
class Pod:
    """One pod: how it differs from one that runs well."""

    name: str
    template: Json
    hash: str
    ready: bool = True
    phase: str = "Running"
    state: Json = field(default_factory=lambda: {"state": {"running": {}}})
    restarts: int = 0
    unscheduled: str = ""
    image: str = ""
    """Of the first container, where it is not the template's."""


@dataclass
class Neighbour:
    """Another workload of the namespace, with a Service of its name."""

    name: str
    port: int
    calls_target: bool = False
    called: bool = False

    @property
    def addresses(self) -> tuple[str, str]:
        """How a variable may name it."""
        return f"http://{self.name}:{self.port}", self.name


class System:
    """A workload with its pods, revisions, Services and neighbours."""

    def __init__(self, draw: Draw) -> None:
        """Make a healthy system."""
        self.draw = draw
        self.name = names.workload(draw)
        self.namespace = names.namespace(draw)
        self.kind = "StatefulSet" if draw.chance(15) else "Deployment"
        self.replicas = draw.weighted({1: 40, 2: 25, 3: 25, 4: 5, 5: 5})
        self.container = names.container(draw, self.name)
        self.port = names.port(draw)
        self.service_port = self.port if draw.chance(40) else draw.one((81, 443, names.port(draw)))
        self.paused = False
        self.recreate = False
        self.cpu = draw.one((50, 100, 150, 200, 250, 300, 400, 500, 800, 1000, 2000))
        self.memory = draw.one((64, 96, 128, 192, 256, 384, 512, 768, 1024, 2000))
        self.cpu_percent = draw.number(1, 35)
        self.memory_percent = draw.number(8, 38)
        self.neighbours = self._neighbours()
        self.config: dict[str, str] = self._config() if draw.chance(35) else {}
        self.config_from_env = draw.chance(50)
        self.applied = draw.chance(60)
        self.template = self._template()
        self.service: Json = {
            "selector": {"app": self.name},
            "ports": [{"name": "http", "port": self.service_port, "targetPort": self.port}],
        }
        self.around: dict[ObjectRef, Json] = {}
        self.node_labels: frozenset[tuple[str, str]] | None = None
        self.events: list[EventLine] = []
        self.usage: dict[str, tuple[int, int]] = {}
        """Of the first container, in percent of its limits, by pod."""
        self.earlier: list[tuple[Json, int]] = []
        """Earlier templates with the replicas of their time, oldest first."""
        self._age(draw.weighted({0: 50, 1: 25, 2: 15, 3: 10}))
        self.original = copy.deepcopy(self.template)
        self.original_config = dict(self.config)
        self.original_replicas = self.replicas
        self.original_service = copy.deepcopy(self.service)
        self.healthy_around: dict[ObjectRef, Json] = {}
        """What was around it before anything was wrong."""
        self.hash = names.template_hash(draw)
        self.pods: list[Pod] = []
        self.replace_all()

    # What it is made of

    def _neighbours(self) -> list[Neighbour]:
        draw = self.draw
        found: list[Neighbour] = []
        for place in range(draw.number(1, 4)):
            name = names.workload(draw)
            if name != self.name and name not in [n.name for n in found]:
                role = draw.number(0, 2)
                found.append(Neighbour(name, names.port(draw), role == 0 or place == 0, role == 1))
        return found

    def _config(self) -> dict[str, str]:
        draw = self.draw
        data = {names.setting(draw): str(draw.number(1, 64)) for _ in range(draw.number(1, 2))}
        data[names.setting(draw)] = draw.one(("on", "eu", "plain", "blue", "info", "north", "std"))
        return data

    @property
    def config_name(self) -> str:
        """The name of its ConfigMap."""
        return f"{self.name}-settings"

    def _template(self) -> Json:
        draw = self.draw
        env: list[Json] = [{"name": names.tunable(draw), "value": str(draw.number(1, 99))}]
        for other in self.neighbours:
            if other.called:
                value = other.addresses[0 if draw.chance(60) else 1]
                env.append({"name": names.host_variable(draw), "value": value})
        if draw.chance(30):
            env.append({"name": names.flag(draw), "value": draw.one(("info", "utc", "eu", "std"))})
        env = list({e["name"]: e for e in env}.values())
        main: Json = {
            "name": self.container,
            "image": f"{names.repository(draw, self.name)}:{names.tag(draw)}",
            "env": env,
            "ports": [{"name": "http", "containerPort": self.port}],
            "resources": {
                "limits": {"cpu": f"{self.cpu}m", "memory": f"{self.memory}Mi"},
                "requests": {
                    "cpu": f"{max(1, self.cpu // draw.one((2, 4, 5)))}m",
                    "memory": f"{max(16, self.memory // draw.one((2, 4)))}Mi",
                },
            },
            "readinessProbe": {
                "httpGet": {
                    "path": draw.one(("/up", "/health", "/ping", "/live")),
                    "port": self.port,
                },
                "periodSeconds": draw.one((3, 5, 10)),
            },
        }
        if draw.chance(40):
            main["command"] = draw.one(
                (["./run"], ["node", "main.js"], ["/bin/serve"], ["java", "-jar", "app.jar"])
            )
        if draw.chance(50):
            main["livenessProbe"] = {
                "httpGet": {"path": "/alive", "port": self.port},
                "initialDelaySeconds": draw.one((5, 10, 20)),
                "periodSeconds": draw.one((5, 10)),
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
        if draw.chance(15):
            containers.append(
                {
                    "name": draw.one(("proxy", "log-shipper", "exporter", "tls", "agent")),
                    "image": f"{names.word(draw)}:{names.tag(draw)}",
                    "resources": {"limits": {"cpu": "50m", "memory": "64Mi"}},
                }
            )
        return {
            "metadata": {
                "labels": {
                    "app": self.name,
                    **({"tier": names.word(draw, 2)} if draw.chance(30) else {}),
                }
            },
            "spec": {"containers": containers},
        }

    def _age(self, revisions: int) -> None:
        """Give it a past in which nothing was wrong."""
        for _ in range(revisions):
            old = copy.deepcopy(self.template)
            main, what = old["spec"]["containers"][0], self.draw.number(0, 3)
            if what == 0 and main["env"] and "value" in main["env"][0]:
                main["env"][0]["value"] = str(self.draw.number(1, 99))
            else:
                main["image"] = f"{main['image'].rpartition(':')[0]}:{names.tag(self.draw)}"
            self.earlier.insert(0, (old, self.replicas))

    # What a fault may do to it

    @property
    def main(self) -> Json:
        """Its first container."""
        found: Json = self.template["spec"]["containers"][0]
        return found

    @property
    def key(self) -> ObjectRef:
        """The target."""
        return ObjectRef(self.kind, self.namespace, self.name)  # type: ignore[arg-type]

    def other(self, kind: str, name: str) -> ObjectRef:
        """Return the key of another object of the namespace."""
        namespace = "" if kind == "Node" else self.namespace
        return ObjectRef(kind, namespace, name)  # type: ignore[arg-type]

    def roll(self, change: Callable[[Json, Json], None]) -> None:
        """Make a new revision; `change` gets its template and its first container."""
        self.earlier.append((copy.deepcopy(self.template), self.replicas))
        self.template = copy.deepcopy(self.template)
        change(self.template, self.main)
        self.hash = names.template_hash(self.draw)

    def set_env(self, name: str, value: str | None) -> None:
        """Set a variable of the current template, or take it away."""
        env = [e for e in self.main["env"] if e["name"] != name]
        self.main["env"] = env + ([{"name": name, "value": value}] if value is not None else [])

    def pod(self, **how: Any) -> Pod:
        """Return a pod of the current template."""
        if self.kind == "StatefulSet":
            name = f"{self.name}-{len(self.pods)}"
        else:
            name = f"{self.name}-{self.hash}-{names.pod_suffix(self.draw)}"
        return Pod(name, self.template, self.hash, **how)

    def replace_all(self, **how: Any) -> None:
        """Replace every pod by one of the current template."""
        self.pods = []
        for _ in range(self.replicas):
            self.pods.append(self.pod(**how))

    def stick(self, **how: Any) -> None:
        """Have the rollout of the current template get stuck: old pods serve, or none are left."""
        if self.kind == "StatefulSet":
            last = self.pods[-1]
            self.pods[-1] = Pod(last.name, self.template, self.hash, **how)
            return
        self.recreate = self.draw.chance(50)
        if self.recreate:
            self.replace_all(**how)
        else:
            self.pods.append(self.pod(**how))

    def event(self, reason: str, message: str, count: int = 1) -> None:
        """Add a warning about the newest pod."""
        self.events.append(
            EventLine("Pod", self.pods[-1].name if self.pods else self.name, reason, message, count)
        )
