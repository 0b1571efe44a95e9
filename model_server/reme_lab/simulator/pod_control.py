"""Creates, deletes and restarts the pods of one workload on behalf of its controller."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reme_lab.simulator import scheduling
from reme_lab.simulator.network import Network, network_of
from reme_lab.simulator.pod_status import PodStatus, pod_statuses
from reme_lab.simulator.revisions import name_suffix, template_hash
from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import Pod, ReplicaSet, World
from reme_playbook.snapshot.object_ref import ObjectRef

Json = Mapping[str, Any]


@dataclass
class PodControl:
    """The pods of a world while the controller of one workload changes its own."""

    world: World
    key: ObjectRef
    pods: dict[ObjectRef, tuple[Pod, ...]] = field(init=False)
    own: tuple[Pod, ...] = field(init=False)
    """The pods of the workload."""
    creation_error: str = ""
    replica_sets: tuple[ReplicaSet, ...] | None = None
    _changed: bool = False
    _config_maps: dict[int, tuple[Json | None, ...]] = field(default_factory=dict)
    _network: Network | None = None

    def __post_init__(self) -> None:
        self.pods = dict(self.world.pods)
        self.own = self.pods.get(self.key, ())
        self._program = self.world.program(self.key)
        self._created_pods = self.world.created_pods

    @property
    def workload(self) -> Json:
        """The workload object."""
        return self.world.objects[self.key]

    def pod_statuses(self) -> tuple[PodStatus, ...]:
        """Return the current statuses of the workload's pods."""
        if not any(template_facts(pod.template).awaited_words for pod in self.own):
            return pod_statuses(self.world.ground_truth, self._program, self.own, "")
        if self._network is None:
            self._network = network_of(self.result())
        return self._network.pod_statuses(self.key)

    def result(self) -> World:
        """Return the world with the changes; the same world if there are none."""
        world = self.world
        replica_sets = world.replica_sets
        if self.replica_sets is not None and self.replica_sets != replica_sets.get(self.key, ()):
            replica_sets = {**replica_sets, self.key: self.replica_sets}
        same_error = world.creation_errors.get(self.key, "") == self.creation_error
        if not self._changed and same_error and replica_sets is world.replica_sets:
            return world
        errors = {key: text for key, text in world.creation_errors.items() if key != self.key}
        if self.creation_error:
            errors[self.key] = self.creation_error
        return replace(
            world,
            pods=self.pods,
            created_pods=self._created_pods,
            creation_errors=errors,
            replica_sets=replica_sets,
        )

    def _set_own(self, pods: tuple[Pod, ...]) -> None:
        self.pods[self.key] = self.own = pods
        self._changed = True
        self._network = None

    def remove(self, pod: Pod) -> None:
        """Delete one of the workload's pods."""
        self._set_own(tuple(other for other in self.own if other is not pod))

    def create(self, template: Json, name: str = "", node: str = "") -> bool:
        """Create a pod and schedule it if possible; return False if a quota forbids it."""
        self._created_pods += 1
        name = name or self._generate_name(template)
        self.creation_error = scheduling.quota_refusal(self.world, template, self.pods, name)
        if self.creation_error:
            return False
        placement = (
            scheduling.Placement(node)
            if node
            else scheduling.schedule(self.world, template, self.pods)
        )
        pod = Pod(
            name=name,
            owner=self.key,
            template=template,
            created=self.world.clock,
            config_maps=self._current_config_maps(template),
            node=placement.node,
            unschedulable=placement.message,
        )
        self._set_own((*self.own, pod))
        return True

    def _generate_name(self, template: Json) -> str:
        suffix = name_suffix(self._created_pods * 7919 + 104729, 5)
        if self.key.kind == "DaemonSet":
            return f"{self.key.name}-{suffix}"
        return f"{self.key.name}-{template_hash(template)}-{suffix}"

    def _current_config_maps(self, template: Json) -> tuple[Json | None, ...]:
        """Return the template's ConfigMaps; equal results are the same tuple."""
        config_maps = self._config_maps.get(id(template))
        if config_maps is None:
            names = template_facts(template).config_maps
            config_maps = tuple(self.world.named("ConfigMap", name) for name in names)
            for pod in self.own:
                if _identical(pod.config_maps, config_maps):
                    config_maps = pod.config_maps
                    break
            self._config_maps[id(template)] = config_maps
        return config_maps

    def refresh(self) -> None:
        """Schedule pods that wait for a node, and restart those that could not start."""
        before = self.own
        refreshed = tuple(
            self._refreshed(pod, status)
            for pod, status in zip(before, self.pod_statuses(), strict=True)
        )
        if not _identical(refreshed, before):
            self._set_own(refreshed)

    def _refreshed(self, pod: Pod, status: PodStatus) -> Pod:
        if not pod.node:
            return self._rescheduled(pod)
        current = self._current_config_maps(pod.template)
        outdated = not _identical(pod.config_maps, current)
        if outdated and (pod.starting or not status.running):
            restarts = pod.restarts + bool(status.ended)
            return replace(pod, config_maps=current, restarts=restarts)
        if not status.init and not pod.initialized and template_facts(pod.template).awaited_words:
            return replace(pod, initialized=True)
        return pod

    def _rescheduled(self, pod: Pod) -> Pod:
        others = {**self.pods, self.key: tuple(other for other in self.own if other is not pod)}
        placement = scheduling.schedule(self.world, pod.template, others)
        if placement != (pod.node, pod.unschedulable):
            pod = replace(pod, node=placement.node, unschedulable=placement.message)
            # Two waiting pods must not both get the last free node.
            self.own = tuple(pod if other.name == pod.name else other for other in self.own)
            self.pods[self.key] = self.own
        return pod


def _identical(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def runs_template(pod: Pod, template: Json) -> bool:
    """Return whether a pod was created from this template.

    Compares by identity: `record_revision` makes equal templates one object.
    """
    return pod.template is template


def int_or_percent(value: Any) -> int | str:
    """Return an absolute number or a percentage; 0 for any other value."""
    return value if isinstance(value, int | str) else 0
