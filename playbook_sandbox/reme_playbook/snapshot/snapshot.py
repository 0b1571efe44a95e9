"""The read-only state of the cluster around one target: everything that decisions depend on."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from reme_api.probes import Probe
from reme_playbook.snapshot import related_views, unstructured, views
from reme_playbook.snapshot.abandoned import (
    Replacement,
    abandoned_templates,
    previous,
    was_applied,
)
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.object_diff import FieldChange
from reme_playbook.snapshot.object_ref import CLUSTER_SCOPED, ObjectRef
from reme_playbook.snapshot.pod_template import differences, digest
from reme_playbook.snapshot.siblings import Sibling

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Usage(NamedTuple):
    """What one container uses at present."""

    cpu_millicores: int
    memory_bytes: int


@dataclass(frozen=True)
class EventLine:
    """One event about the target or one of its pods: untrusted text."""

    kind: str
    name: str
    reason: str
    message: str
    count: int = 1
    warning: bool = True
    age_seconds: int | None = None
    container: str = ""  # that it is about, if it says so


@dataclass(frozen=True)
class Revision:
    """A pod template of the workload, earlier or present."""

    number: int
    template: Mapping[str, Any]
    created: str = ""  # of its ReplicaSet or ControllerRevision, RFC 3339
    replicas: int | None = None  # desired while it was the current one, if known


@dataclass(frozen=True)
class RevisionView:
    """A revision, described by how it differs from the current one."""

    number: int
    current: bool
    changes: tuple[FieldChange, ...]  # from the current template to this one


@dataclass(frozen=True)
class Callee:
    """A Service that the target's template or configuration names, and where it leads."""

    service: str
    labels: Mapping[str, str]
    ports: tuple[int | str, ...]  # of its pods


@dataclass(frozen=True)
class ClusterSnapshot:
    """A snapshot; `objects` and `revisions` are raw JSON as the API server returned it.

    `neighbours` are the pod template labels of all other workloads of the namespace: a Service
    that selects them may not be changed. `callers` are those that name a Service of the target.
    Nodes are included only if they refuse pods; `node_labels` are those of all nodes, and None
    if nodes may not be read.
    """

    target: ObjectRef
    objects: Mapping[ObjectRef, Mapping[str, Any]]
    neighbours: Mapping[ObjectRef, Mapping[str, str]]
    revisions: tuple[Revision, ...] = ()  # newest first, with the current one
    events: tuple[EventLine, ...] = ()
    usage: Mapping[tuple[str, str], Usage] = field(default_factory=dict)  # by pod and container
    service_names: tuple[str, ...] = ()
    callers: tuple[ObjectRef, ...] = ()
    callees: tuple[Callee, ...] = ()
    node_labels: frozenset[tuple[str, str]] | None = None
    findings: tuple[Finding, ...] = ()  # of inspections, in order
    fault_start: datetime | None = None  # the earliest known sign of the fault
    fault_start_observed: bool = False  # stated or observed; otherwise the fault may be older
    collected_at: datetime | None = None
    named_pods: tuple[str, ...] = ()  # pods of the target that the report names
    dependencies: tuple[Dependency, ...] = ()  # that its environment names
    siblings: Mapping[ObjectRef, Sibling] = field(default_factory=dict)
    repairs: tuple[Replacement, ...] = ()  # of earlier remediations that helped
    useless: tuple[Replacement, ...] = ()  # of earlier ones that did not, and were rolled back
    probes: tuple[Probe, ...] = ()  # of the report and the policy
    has_prometheus: bool = False  # whether metrics can be queried

    @cached_property
    def workload(self) -> Mapping[str, Any]:
        """The raw target; empty if it does not exist."""
        return self.objects.get(self.target, {})

    @cached_property
    def template(self) -> Mapping[str, Any]:
        """The pod template of the target."""
        return unstructured.mapping(self.workload, "spec", "template")

    @cached_property
    def pod_labels(self) -> dict[str, str]:
        """The labels that the target gives its pods."""
        return unstructured.strings(self.template, "metadata", "labels")

    @cached_property
    def containers(self) -> tuple[views.ContainerView, ...]:
        """The containers of the target's template."""
        return views.template_containers(self.template)

    def container(self, name: str) -> views.ContainerView | None:
        """Return a container of the target's template, or None."""
        return next((c for c in self.containers if c.name == name), None)

    @cached_property
    def replicas(self) -> views.Replicas:
        """How many pods the target desires and has."""
        return views.replicas(self.workload)

    @cached_property
    def paused(self) -> bool:
        """Whether the target's rollout is paused."""
        return unstructured.at(self.workload, "spec", "paused") is True

    @cached_property
    def pods(self) -> tuple[views.PodView, ...]:
        """The target's pods, by name."""
        return tuple(views.pod(manifest) for _, manifest in self._of_kind("Pod"))

    @cached_property
    def services(self) -> tuple[views.ServiceView, ...]:
        """The Services that are related to the target, by name."""
        labels = self.pod_labels
        return tuple(views.service(manifest, labels) for _, manifest in self._of_kind("Service"))

    def service(self, name: str) -> views.ServiceView | None:
        """Return a Service that is related to the target, or None."""
        return next((s for s in self.services if s.name == name), None)

    @cached_property
    def autoscalers(self) -> tuple[related_views.AutoscalerView, ...]:
        """The HorizontalPodAutoscalers of the namespace, by name."""
        return tuple(
            related_views.autoscaler(f) for _, f in self._of_kind("HorizontalPodAutoscaler")
        )

    @cached_property
    def autoscaled(self) -> bool:
        """Whether an autoscaler sets the replicas of the target; none does while they are 0."""
        scaled = (self.target.kind, self.target.name)
        return self.replicas.desired > 0 and any(
            (a.kind, a.scales) == scaled for a in self.autoscalers
        )

    @cached_property
    def quotas(self) -> tuple[related_views.QuotaView, ...]:
        """The ResourceQuotas of the namespace, by name."""
        return tuple(
            related_views.quota(manifest) for _, manifest in self._of_kind("ResourceQuota")
        )

    @cached_property
    def budgets(self) -> tuple[related_views.DisruptionBudgetView, ...]:
        """The PodDisruptionBudgets of the namespace, by name."""
        return tuple(
            related_views.budget(manifest) for _, manifest in self._of_kind("PodDisruptionBudget")
        )

    @cached_property
    def ingresses(self) -> tuple[related_views.IngressView, ...]:
        """The Ingresses of the namespace, by name."""
        return tuple(related_views.ingress(manifest) for _, manifest in self._of_kind("Ingress"))

    @cached_property
    def network_policies(self) -> tuple[related_views.NetworkPolicyView, ...]:
        """The NetworkPolicies that select the target's pods, by name."""
        policies = (related_views.network_policy(m) for _, m in self._of_kind("NetworkPolicy"))
        return tuple(view for view in policies if view.selector.matches(self.pod_labels))

    @cached_property
    def jobs(self) -> tuple[related_views.JobView, ...]:
        """The Jobs of the namespace in the snapshot, by name."""
        return tuple(related_views.job(manifest) for _, manifest in self._of_kind("Job"))

    @cached_property
    def nodes(self) -> tuple[related_views.NodeView, ...]:
        """The nodes that refuse pods."""
        return tuple(related_views.node(manifest) for _, manifest in self._of_kind("Node"))

    @cached_property
    def node_selector(self) -> dict[str, str]:
        """The labels that a node must have for the target's pods."""
        return unstructured.strings(self.template, "spec", "nodeSelector")

    @cached_property
    def has_unschedulable_pods(self) -> bool:
        """Whether no node takes some of the pods, or a DaemonSet matches no node."""
        without_nodes = self.target.kind == "DaemonSet" and self.replicas.desired == 0
        return without_nodes or any(pod.unscheduled for pod in self.pods if not pod.deleting)

    @cached_property
    def config_map_names(self) -> tuple[str, ...]:
        """The ConfigMaps that the target's template refers to, by name."""
        return tuple(sorted({name for name in config_map_references(self.template) if name}))

    def config_map(self, name: str) -> dict[str, str]:
        """Return the data of a ConfigMap in the snapshot."""
        return unstructured.strings(self._named("ConfigMap", name), "data")

    @cached_property
    def history(self) -> tuple[RevisionView, ...]:
        """The revisions, newest first, each by how it differs from the current template."""
        current = self.current_revision
        return tuple(
            RevisionView(r.number, r is current, differences(self.template, r.template))
            for r in self.revisions
        )

    @cached_property
    def current_revision(self) -> Revision | None:
        """The revision of the current template."""
        own = digest(self.template)
        return next((r for r in self.revisions if digest(r.template) == own), None)

    @cached_property
    def previous_revision(self) -> Revision | None:
        """The revision to which a Rollback without a number goes back, if there is one."""
        return previous(self.revisions, self.template, self.repairs)

    @cached_property
    def abandoned(self) -> frozenset[str]:
        """The digests of the templates that were abandoned as bad."""
        return abandoned_templates(self.revisions, self.template, self.repairs)

    @cached_property
    def other_templates(self) -> tuple[Mapping[str, Any], ...]:
        """Templates that differ from the current one: of other revisions, and the applied one."""
        own = digest(self.template)
        others = [r.template for r in self.revisions if digest(r.template) != own]
        return (*others, self._applied_template) if self._applied_template else tuple(others)

    @cached_property
    def earlier_templates(self) -> tuple[Mapping[str, Any], ...]:
        """The other templates without the abandoned ones: values may be taken from them."""
        abandoned = [r.template for r in self.revisions if digest(r.template) in self.abandoned]
        good = [r.template for r in self.revisions if digest(r.template) not in self.abandoned]
        own, applied = digest(self.template), self._applied_template
        earlier = [template for template in good if digest(template) != own]
        if not applied:
            return tuple(earlier)
        # What is applied lacks the defaults, so that its digest is no revision's.
        of_good = any(was_applied(applied, template) for template in (self.template, *good))
        if not of_good and any(was_applied(applied, template) for template in abandoned):
            return tuple(earlier)
        return (*earlier, applied)

    @cached_property
    def _applied_template(self) -> Mapping[str, Any]:
        return unstructured.mapping(self.last_applied(self.target), "spec", "template")

    @cached_property
    def earlier_containers(self) -> Mapping[str, tuple[views.ContainerView, ...]]:
        """Each container in earlier templates, newest first, by name; without abandoned ones."""
        earlier: dict[str, tuple[views.ContainerView, ...]] = {}
        for template in self.earlier_templates:
            for view in views.template_containers(template):
                earlier[view.name] = (*earlier.get(view.name, ()), view)
        return earlier

    def last_applied_config(self, name: str) -> Mapping[str, Any]:
        """Return that ConfigMap as its owner last applied it with kubectl."""
        return last_applied(self._named("ConfigMap", name))

    def last_applied(self, key: ObjectRef) -> Mapping[str, Any]:
        """Return an object as its owner last applied it with kubectl; empty if that is unknown."""
        return last_applied(self.objects.get(key, {}))

    def _named(self, kind: str, name: str) -> Mapping[str, Any]:
        return next((manifest for key, manifest in self._of_kind(kind) if key.name == name), {})

    def _of_kind(self, kind: str) -> list[tuple[ObjectRef, Mapping[str, Any]]]:
        return sorted(
            (
                (key, manifest)
                for key, manifest in self.objects.items()
                if key.kind == kind
                and (kind in CLUSTER_SCOPED or key.namespace == self.target.namespace)
            ),
            key=lambda pair: pair[0],
        )


def config_map_references(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the name of every ConfigMap that a pod template refers to; empty if it is invalid."""
    spec = unstructured.mapping(template, "spec")
    for container in (
        *unstructured.items(spec, "containers"),
        *unstructured.items(spec, "initContainers"),
    ):
        for entry in unstructured.items(container, "env"):
            yield unstructured.text(entry, "valueFrom", "configMapKeyRef", "name")
        for source in unstructured.items(container, "envFrom"):
            yield unstructured.text(source, "configMapRef", "name")
    for volume in unstructured.items(spec, "volumes"):
        yield unstructured.text(volume, "configMap", "name")
        for source in unstructured.items(volume, "projected", "sources"):
            yield unstructured.text(source, "configMap", "name")


def last_applied(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object as its owner last applied it with kubectl; empty if that is unknown."""
    text = unstructured.text(manifest, "metadata", "annotations", LAST_APPLIED)
    try:
        applied = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return applied if isinstance(applied, Mapping) else {}
