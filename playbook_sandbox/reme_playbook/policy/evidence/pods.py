"""The target's pods, as the evidence rules look at them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.pod_template import SERVER_LABELS, digest
from reme_playbook.snapshot.pod_times import never_ready
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import PodView, template_containers
from reme_playbook.snapshot.views import pod as pod_view

KILLED_FOR_MEMORY = "OOMKilled"
START_FAILURES = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""What the template causes before a container has started once."""
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""What a node does at first, and may fail to do: another pod may be on another node."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod of the target that is not being deleted."""

    view: PodView
    present: bool
    """Whether it is of the present template."""
    as_template: bool
    """Whether its images are those of some revision."""
    never_ready: bool
    killed: frozenset[str]
    """The containers that were killed for memory."""

    @property
    def crashing(self) -> bool:
        """Whether a container ended, and the pod is not ready again."""
        return not self.view.ready and any(
            state.waiting == "CrashLoopBackOff" or (state.terminated and state.restarts)
            for state in self.view.containers
        )

    @property
    def starting(self) -> bool:
        """Whether its node prepares it, and nothing else is known to be wrong."""
        return any(state.waiting in _STARTING for state in self.view.containers) and not any(
            state.terminated or state.waiting not in ("", *_STARTING)
            for state in self.view.containers
        )

    def failure(self) -> str:
        """Return what keeps the pod from being ready, in a few words."""
        if self.view.unscheduled:
            return "no node takes it"
        for state in self.view.containers:
            if state.name in self.killed:
                return f"container {state.name} was killed for memory"
            if state.waiting and state.waiting not in _STARTING:
                return f"container {state.name}: {state.waiting}"
        return "it is not ready"


def pod_facts(snapshot: ClusterSnapshot) -> tuple[PodFacts, ...]:
    """Return the facts about the target's pods, by name."""
    present_hashes = _present_hashes(snapshot)
    known_images = {
        (view.name, view.image)
        for containers in (snapshot.containers, *snapshot.earlier_containers.values())
        for view in containers
    }
    names = {view.name for view in snapshot.containers}
    pods = sorted(
        (key.name, manifest)
        for key, manifest in snapshot.objects.items()
        if key.kind == "Pod" and key.namespace == snapshot.target.namespace
    )
    facts = []
    for _, manifest in pods:
        view = pod_view(manifest)
        if view.deleting:
            continue
        images = {
            (unstructured.text(c, "name"), unstructured.text(c, "image"))
            for c in unstructured.items(manifest, "spec", "containers")
        }
        at_start = any(state.waiting in START_FAILURES for state in view.containers)
        facts.append(
            PodFacts(
                view=view,
                present=_is_present(manifest, snapshot, present_hashes),
                as_template=all(i in known_images for i in images if i[0] in names),
                never_ready=never_ready(manifest)
                or (not view.ready and at_start and not view.restarts),
                killed=frozenset(
                    s.name for s in view.containers if s.terminated == KILLED_FOR_MEMORY
                ),
            )
        )
    return tuple(facts)


def _present_hashes(snapshot: ClusterSnapshot) -> frozenset[str]:
    """Return the labels that pods of the present template have; a restart makes one more."""
    hashes = {
        revision.number: unstructured.text(
            revision.template, "metadata", "labels", "pod-template-hash"
        )
        for revision in snapshot.revisions
    }
    labels = {unstructured.text(snapshot.workload, "status", "updateRevision")}
    if any(hashes.values()):
        own = digest(snapshot.template)
        labels |= {hashes[r.number] for r in snapshot.revisions if digest(r.template) == own}
    return frozenset(labels - {""})


def _is_present(pod: Mapping[str, Any], snapshot: ClusterSnapshot, hashes: frozenset[str]) -> bool:
    labels = unstructured.strings(pod, "metadata", "labels")
    own = {labels[name] for name in SERVER_LABELS if name in labels}
    if own and hashes:
        return bool(own & hashes)
    # Of a DaemonSet, no object of the snapshot has the label of its pods: compare what they run.
    containers = {view.name: view for view in template_containers(pod)}
    return all(
        (other := containers.get(view.name)) is not None
        and (other.env, other.command, other.args, other.resources)
        == (view.env, view.command, view.args, view.resources)
        for view in snapshot.containers
    )
