"""The pods of one workload while its controller works on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reme_lab.simulator import quotas, scheduling
from reme_lab.simulator.network import Network, network_of
from reme_lab.simulator.pod_status import PodStatus, pod_statuses
from reme_lab.simulator.revisions import name_suffix, template_hash
from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import Pod, ReplicaSet, World
from reme_playbook.snapshot.object_ref import ObjectRef

Json = Mapping[str, Any]


@dataclass
class PodControl:
    """The pods of a world while controllers work on those of one workload."""

    world: World
    key: ObjectRef
    pods: dict[ObjectRef, tuple[Pod, ...]] = field(init=False)
    own: tuple[Pod, ...] = field(init=False)
    """Those of the workload."""
    creation_error: str = ""
    changed: bool = False
    replica_sets: tuple[ReplicaSet, ...] | None = None
    births: int = field(init=False)
    _configs: dict[int, tuple[Json | None, ...]] = field(default_factory=dict)
    _network: Network | None = None

    def __post_init__(self) -> None:
        self.pods = dict(self.world.pods)
        self.own = self.pods.get(self.key, ())
        self._program = self.world.program(self.key)
        self.created_pods = self.world.created_pods

    @property
    def found(self) -> Json:
        """The workload."""
        return self.world.objects[self.key]

    def pod_statuses(self) -> tuple[PodStatus, ...]:
        """Return how its pods are doing now."""
        if not any(template_facts(pod.template).awaited_words for pod in self.own):
            return pod_statuses(self.world.ground_truth, self._program, self.own, "")
        if self._network is None:
            self._network = network_of(self.done())
        return self._network.pod_statuses(self.key)

    def done(self) -> World:
        """Return the world with what was done."""
        sets = self.world.replica_sets
        if self.replica_sets is not None and self.replica_sets != sets.get(self.key, ()):
            sets = {**sets, self.key: self.replica_sets}
        same = (
            sets is self.world.replica_sets
            and self.world.creation_errors.get(self.key, "") == self.creation_error
        )
        if same and not self.changed:
            return self.world
        refused = {k: v for k, v in self.world.creation_errors.items() if k != self.key}
        if self.creation_error:
            refused[self.key] = self.creation_error
        return replace(
            self.world,
            pods=self.pods,
            created_pods=self.created_pods,
            creation_errors=refused,
            replica_sets=sets,
        )

    def set(self, pods: tuple[Pod, ...]) -> None:
        """Let these be its pods."""
        self.pods[self.key] = self.own = pods
        self.changed = True
        self._network = None

    def remove(self, pod: Pod) -> None:
        """Delete one of its pods."""
        self.set(tuple(p for p in self.own if p is not pod))

    def create(self, template: Json, name: str = "", node: str = "") -> bool:
        """Make a pod, and place it if a node takes it; False when a quota forbids it."""
        self.created_pods += 1
        name = name or self._name(template)
        self.creation_error = quotas.quota_refusal(self.world, template, self.pods, name)
        if self.creation_error:
            return False
        found = scheduling.Placement(node) if node else self._place(template)
        pod = Pod(
            name=name,
            owner=self.key,
            template=template,
            created=self.world.clock,
            config_maps=self.config_maps(template),
            node=found.node,
            unschedulable=found.message,
        )
        self.set((*self.own, pod))
        return True

    def _place(self, template: Json) -> scheduling.Placement:
        return scheduling.schedule(self.world, template, self.pods)

    def _name(self, template: Json) -> str:
        end = name_suffix(self.created_pods * 7919 + 104729, 5)
        if self.key.kind == "DaemonSet":
            return f"{self.key.name}-{end}"
        return f"{self.key.name}-{template_hash(template)}-{end}"

    def config_maps(self, template: Json) -> tuple[Json | None, ...]:
        """Return the ConfigMaps of a template as they are now; the same tuple for the same."""
        found = self._configs.get(id(template))
        if found is None:
            names = template_facts(template).config_maps
            found = tuple(self.world.named("ConfigMap", name) for name in names)
            for pod in self.own:
                if _same(pod.config_maps, found):
                    found = pod.config_maps
                    break
            self._configs[id(template)] = found
        return found

    def refresh(self) -> None:
        """Place what waits for a node, and start anew what could not start."""
        before = self.own
        fresh = tuple(
            self._refreshed(pod, life)
            for pod, life in zip(before, self.pod_statuses(), strict=True)
        )
        if any(new is not old for new, old in zip(fresh, before, strict=True)):
            self.set(fresh)

    def _refreshed(self, pod: Pod, life: PodStatus) -> Pod:
        if not pod.node:
            others = {**self.pods, self.key: tuple(p for p in self.own if p is not pod)}
            found = scheduling.schedule(self.world, pod.template, others)
            if found != (pod.node, pod.unschedulable):
                pod = replace(pod, node=found.node, unschedulable=found.message)
                # Two that wait must not both get the last place.
                self.own = tuple(pod if p.name == pod.name else p for p in self.own)
                self.pods[self.key] = self.own
            return pod
        now = self.config_maps(pod.template)
        if (pod.starting or not life.running) and not _same(pod.config_maps, now):
            return replace(pod, config_maps=now, restarts=pod.restarts + bool(life.ended))
        if not life.init and not pod.initialized and template_facts(pod.template).awaited_words:
            return replace(pod, initialized=True)
        return pod


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def runs_template(pod: Pod, template: Json) -> bool:
    """Return whether a pod is of this template: `recorded` sees to it that equal ones are one."""
    return pod.template is template


def int_or_percent(value: Any) -> int | str:
    """Return a number of pods or a share of them; 0 for what is neither."""
    return value if isinstance(value, int | str) else 0
