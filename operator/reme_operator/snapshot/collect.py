"""Collects a snapshot of the cluster around one target: everything at once, and bounded."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportSpec
from reme_api.remediation import Remediation
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, Json
from reme_operator.errors import TargetVanishedError
from reme_operator.snapshot.fault_start import fault_start
from reme_operator.snapshot.parsing import (
    by_ref,
    container_usage,
    neighbour_labels,
    parse_event,
    parse_revisions,
)
from reme_operator.snapshot.read_dependencies import read_dependencies
from reme_operator.snapshot.related_objects import get_missing, list_nodes, list_related
from reme_operator.snapshot.repair_history import read_repair_history
from reme_playbook.snapshot import related_services, unstructured
from reme_playbook.snapshot.named_pods import named_pods
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.siblings import siblings
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Usage, config_map_references

_MAX_CONFIG_MAPS = 16
_MAX_PODS = 64
_MAX_REVISIONS_WITH_EVENTS = 4


async def read_report(cluster: Cluster, remediation: Remediation) -> DiagnosisReportSpec:
    """Return the report; what the remediation has copied of it when the report is gone."""
    spec = remediation.spec
    try:
        report = await cluster.get_object(
            DiagnosisReport, remediation.metadata.namespace, spec.report_ref.name
        )
    except NotFoundError:
        report = None
    if report is not None and report.metadata.uid == spec.report_ref.uid:
        return report.spec.model_copy(update={"target": spec.target, "fault": spec.fault})
    return DiagnosisReportSpec(target=spec.target, fault=spec.fault, probes=spec.probes)


async def collect_snapshot(
    cluster: Cluster,
    remediation: Remediation,
    report: DiagnosisReportSpec | None = None,
    now: datetime | None = None,
    *,
    include: Sequence[ObjectRef] = (),
) -> ClusterSnapshot:
    """Return a snapshot around the target of a remediation, with the `include` objects in any case.

    Raises:
        TargetVanishedError: the target does not exist.
        ClusterError: the API server could not be read.

    """
    namespace, target = remediation.metadata.namespace, remediation.spec.target
    try:
        workload = await cluster.workload(target.kind, namespace, target.name)
    except NotFoundError:
        raise TargetVanishedError(f"{target.kind} {namespace}/{target.name} is gone") from None
    template = unstructured.mapping(workload, "spec", "template")
    selector = unstructured.strings(workload, "spec", "selector", "matchLabels")
    now = now or datetime.now(UTC)
    (
        (pods, revisions, services, workloads, usage),
        (config_maps, related, history),
    ) = await asyncio.gather(
        asyncio.gather(
            cluster.pods(workload),
            cluster.revisions(workload),
            cluster.services(namespace),
            cluster.workloads(namespace),
            _usage(cluster, namespace, selector),
        ),
        asyncio.gather(
            _config_maps(cluster, namespace, config_map_references(template)),
            list_related(cluster, namespace),
            read_repair_history(cluster, remediation, now),
        ),
    )
    pods = pods[-_MAX_PODS:]
    # Why no pod is created is an event of the owner, which may be a ReplicaSet.
    named = [*pods, *revisions[:_MAX_REVISIONS_WITH_EVENTS]]
    names = [target.name, *(unstructured.text(item, "metadata", "name") for item in named)]
    events = await cluster.events(namespace, names)
    created = remediation.metadata.creation_timestamp or now
    began = fault_start(remediation.spec.fault.start_time, created, workload, pods, events)
    service_candidates = related_services.related_services(
        services,
        unstructured.strings(template, "metadata", "labels"),
        target.name,
        _texts_that_name_services(report, remediation),
    )
    ref = ObjectRef(target.kind.value, namespace, target.name)
    objects: dict[ObjectRef, Mapping[str, Any]] = {
        ref: workload,
        **by_ref("Pod", namespace, pods),
        **by_ref("Service", namespace, service_candidates),
        **by_ref("ConfigMap", namespace, config_maps),
        **related,
    }
    neighbours = neighbour_labels(workloads, ref)
    snapshot = ClusterSnapshot(target=ref, objects=objects, neighbours=neighbours)
    node_labels = None
    if snapshot.has_unschedulable_pods:
        nodes, node_labels = await list_nodes(cluster)
        objects |= nodes
    objects |= await get_missing(cluster, include, objects)
    snapshot = ClusterSnapshot(
        target=ref,
        objects=objects,
        neighbours=neighbours,
        revisions=tuple(parse_revisions(revisions, target.kind)),
        events=tuple(parse_event(event, now) for event in events),
        usage=usage,
        service_names=tuple(sorted(unstructured.text(s, "metadata", "name") for s in services)),
        callers=related_services.callers(workloads, services, snapshot),
        callees=related_services.callees(services, snapshot),
        node_labels=node_labels,
        fault_start=began.at,
        fault_start_observed=began.observed,
        collected_at=now,
        named_pods=named_pods(
            (unstructured.text(pod, "metadata", "name") for pod in pods),
            [*_reported_texts(report, remediation), *_sources(report)],
        ),
        siblings=siblings(workloads, ref, template),
        repairs=history.repairs,
        useless=history.useless,
        probes=tuple(remediation.spec.probes),
    )
    dependencies = await read_dependencies(
        cluster, snapshot, services, workloads, _reported_texts(report, remediation)
    )
    return replace(snapshot, dependencies=dependencies)


async def _usage(
    cluster: Cluster, namespace: str, labels: Mapping[str, str]
) -> dict[tuple[str, str], Usage]:
    if not labels:
        return {}
    try:
        return container_usage(await cluster.pod_metrics(namespace, labels))
    except ClusterError:
        return {}  # no metrics server, or not now: the snapshot is useful without usage


async def _config_maps(cluster: Cluster, namespace: str, names: Iterable[str]) -> list[Json]:
    async def get(name: str) -> Json | None:
        try:
            return await cluster.get(CONFIG_MAPS, namespace, name)
        except NotFoundError:
            return None

    referenced = sorted(set(filter(None, names)))[:_MAX_CONFIG_MAPS]
    config_maps = await asyncio.gather(*map(get, referenced))
    return [config_map for config_map in config_maps if config_map is not None]


def _texts_that_name_services(report: DiagnosisReportSpec | None, remediation: Remediation) -> str:
    """Return everything that may name a Service, as one text."""
    probed = [probe.request.service for probe in remediation.spec.probes if probe.request]
    return " ".join([*_reported_texts(report, remediation), *probed])


def _reported_texts(report: DiagnosisReportSpec | None, remediation: Remediation) -> list[str]:
    """Return the summary and the evidence."""
    evidence = [item.text for item in report.evidence] if report else []
    return [remediation.spec.fault.summary, *evidence]


def _sources(report: DiagnosisReportSpec | None) -> list[str]:
    """Return what the evidence is about."""
    return [item.source for item in report.evidence] if report else []
