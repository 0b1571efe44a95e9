"""What the target depends on: the Services that its environment names, and what is behind them.

Everything is decided from objects that were read already. `problem` says what is known to be wrong
with a dependency, and nothing else: one that only may be at fault is inspected.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reme_playbook.snapshot import reported_failures, unstructured, views
from reme_playbook.snapshot.changes import last_change
from reme_playbook.snapshot.dependency import (
    Dependency,
    DependencyPort,
    Place,
)
from reme_playbook.snapshot.dependency_problem import dependency_problem
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.healthy_settings import unchanged
from reme_playbook.snapshot.named_hosts import NamedHost, named_hosts
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.served_ports import served
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.workloads_behind import dependency_workload, workloads_behind

Json = Mapping[str, Any]

MAX_DEPENDENCIES = 12


def dependent_services(snapshot: ClusterSnapshot, services: Sequence[Json]) -> tuple[Json, ...]:
    """Return the Services of the namespace that the target depends on and that select pods."""
    named = {n.service for n in _calls(snapshot, services) if n.place is Place.NAMESPACE}
    return tuple(
        service
        for service in services
        if unstructured.text(service, "metadata", "name") in named
        and unstructured.strings(service, "spec", "selector")
    )


def dependencies(
    snapshot: ClusterSnapshot,
    services: Sequence[Json],
    workloads: Sequence[Json],
    pods: Mapping[str, Sequence[Json]],
    texts: Sequence[str] = (),
) -> tuple[Dependency, ...]:
    """Return what the target depends on, in the order in which its environment names it.

    `services` and `workloads` are those of the namespace, `pods` those that a Service selects, by
    its name, as far as they were read. `texts` are those of the report.
    """
    by_name = {unstructured.text(s, "metadata", "name"): s for s in services}
    return tuple(
        _dependency(named, snapshot, by_name, workloads, pods, texts)
        for named in _calls(snapshot, services)
    )


def with_findings(
    dependencies: Sequence[Dependency], findings: Iterable[Finding]
) -> tuple[Dependency, ...]:
    """Return the dependencies with what the logs of the target say about those elsewhere."""
    logs = [finding.text for finding in findings if finding.kind is FindingKind.LOG_ERROR]

    def described(dependency: Dependency) -> Dependency:
        if dependency.place is Place.NAMESPACE or dependency.problem:
            return dependency
        return _elsewhere(dependency, logs, "as a log says")

    return tuple(map(described, dependencies))


def _calls(snapshot: ClusterSnapshot, services: Sequence[Json]) -> tuple[NamedHost, ...]:
    """Return the named hosts without the target's own Services, and each only once."""
    own = {
        unstructured.text(s, "metadata", "name")
        for s in services
        if views.selects(unstructured.strings(s, "spec", "selector"), snapshot.pod_labels)
    }
    names = {unstructured.text(s, "metadata", "name") for s in services}
    calls: dict[tuple[str, int | None], NamedHost] = {}
    for named in named_hosts(snapshot, services):
        in_namespace = named.place is Place.NAMESPACE
        if in_namespace and (
            named.service in own or not (named.host.certain or named.service in names)
        ):
            continue
        if named.place is Place.OUTSIDE and not named.host.certain:
            continue
        key = (named.service if in_namespace else named.host.name, named.host.port)
        same = calls.get(key)
        mentions = dict.fromkeys([*(same.mentions if same else ()), *named.mentions])
        calls[key] = named._replace(mentions=tuple(mentions))
    return tuple(calls.values())[:MAX_DEPENDENCIES]


def _dependency(
    named: NamedHost,
    snapshot: ClusterSnapshot,
    services: Mapping[str, Json],
    workloads: Sequence[Json],
    pods: Mapping[str, Sequence[Json]],
    texts: Sequence[str],
) -> Dependency:
    host = named.host
    plain = Dependency(
        host=host.name,
        scheme=host.scheme,
        port=host.port,
        mentions=named.mentions,
        place=named.place,
        namespace=named.namespace,
        service=named.service,
        reported=reported_failures.mentions(host.name, texts),
    )
    if named.place is not Place.NAMESPACE:
        return _elsewhere(plain, texts, "as the report says")
    service = services.get(named.service)
    if service is None:
        return _missing(plain, snapshot, workloads)
    return _in_namespace(plain, snapshot, service, workloads, pods.get(named.service))


def _elsewhere(plain: Dependency, texts: Sequence[str], source: str) -> Dependency:
    """Return a dependency in another namespace or outside: only what texts say is known of it."""
    failure = reported_failures.failure(plain.host, texts)
    if not failure:
        return plain
    return replace(
        plain,
        problem=f"{failure}, {source}",
        problem_kind=FindingKind.DEPENDENCY_OUTSIDE,
    )


def _missing(plain: Dependency, snapshot: ClusterSnapshot, workloads: Sequence[Json]) -> Dependency:
    """Return a dependency whose Service does not exist."""
    was_so = all(unchanged(snapshot, mention) for mention in plain.mentions)
    same_name = tuple(
        workload
        for item in workloads
        if unstructured.text(item, "metadata", "name") == plain.service
        and (workload := dependency_workload(item, plain.namespace, (), selected=False)) is not None
    )
    missing = replace(plain, exists=False, workloads=same_name)
    if was_so and not plain.reported:
        return missing
    return replace(
        missing, problem="is no Service here", problem_kind=FindingKind.DEPENDENCY_MISSING
    )


def _in_namespace(
    plain: Dependency,
    snapshot: ClusterSnapshot,
    service: Json,
    workloads: Sequence[Json],
    pods: Sequence[Json] | None,
) -> Dependency:
    """Return a dependency with the Service, the pods and the workloads behind it."""
    view = views.service(service, {})
    changed = last_change(ObjectRef("Service", plain.namespace, view.name), service)
    known = replace(plain, exists=True, service_changed=changed.at if changed else None)
    if view.type == "ExternalName" or not view.selector:
        return known  # somebody else maintains where it leads
    present = [pod for pod in pods or () if not views.pod(pod).deleting]
    templates = [
        template
        for item in workloads
        if views.selects(
            view.selector,
            unstructured.strings(
                template := unstructured.mapping(item, "spec", "template"), "metadata", "labels"
            ),
        )
    ]
    known = replace(
        known,
        selector=view.selector,
        ports=tuple(
            DependencyPort(p.port, p.target_port, served(p.target_port, present or templates))
            for p in view.ports
        ),
        pods=None if pods is None else len(present),
        ready_endpoints=None if pods is None else sum(views.pod(p).ready for p in present),
        workloads=workloads_behind(view, plain.namespace, workloads, present),
    )
    problem = dependency_problem(known, snapshot, present or templates)
    if problem is None:
        return known
    return replace(known, problem=problem.text, problem_kind=problem.kind)
