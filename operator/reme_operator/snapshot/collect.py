"""Reads what the cluster looks like around one target, all at once and bounded."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from reme_api.diagnosis_report import (
    DiagnosisReport,
    DiagnosisReportSpec,
    TargetKind,
)
from reme_api.parsing import parse_int
from reme_api.remediation import Remediation
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, Json
from reme_operator.errors import TargetVanishedError
from reme_operator.snapshot import related_objects
from reme_playbook.snapshot import related_services, unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.snapshot import (
    ClusterSnapshot,
    EventLine,
    Revision,
    Usage,
    config_map_references,
)

_MOST_CONFIG_MAPS = 16
_MOST_PODS = 64
_MOST_REVISIONS = 4
_REVISION = "deployment.kubernetes.io/revision"
_WANTED = "deployment.kubernetes.io/desired-replicas"


async def read_report(cluster: Cluster, remediation: Remediation) -> DiagnosisReportSpec:
    """Return what the report says; what the remediation kept of it when the report is gone."""
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
    also: Sequence[ObjectRef] = (),
) -> ClusterSnapshot:
    """Return the live state around the target of a remediation.

    `also` are objects to be read whether they are near or not.

    Raises:
        TargetVanishedError: the target does not exist.
        ClusterError: the API server could not be asked.

    """
    namespace, target = remediation.metadata.namespace, remediation.spec.target
    try:
        workload = await cluster.workload(target.kind, namespace, target.name)
    except NotFoundError:
        raise TargetVanishedError(f"{target.kind} {namespace}/{target.name} is gone") from None
    template = unstructured.mapping(workload, "spec", "template")
    (
        (pods, revisions, services, workloads, usage),
        (config_maps, list_related),
    ) = await asyncio.gather(
        asyncio.gather(
            cluster.pods(workload),
            cluster.revisions(workload),
            cluster.services(namespace),
            cluster.workloads(namespace),
            _usage(
                cluster,
                namespace,
                unstructured.strings(workload, "spec", "selector", "matchLabels"),
            ),
        ),
        asyncio.gather(
            _config_maps(cluster, namespace, config_map_references(template)),
            related_objects.list_related(cluster, namespace),
        ),
    )
    # What keeps pods from being made is said of their owner, which may be a ReplicaSet.
    named = [target.name, *(unstructured.text(p, "metadata", "name") for p in pods[-_MOST_PODS:])]
    names = [
        *named,
        *(unstructured.text(r, "metadata", "name") for r in revisions[:_MOST_REVISIONS]),
    ]
    events = await cluster.events(namespace, names)
    labels = unstructured.strings(template, "metadata", "labels")
    words = _words(report, remediation)
    near = related_services.related_services(services, labels, target.name, words)
    key = ObjectRef(target.kind.value, namespace, target.name)
    objects: dict[ObjectRef, Mapping[str, object]] = {key: workload}
    for kind, found in (("Pod", pods[-_MOST_PODS:]), ("Service", near), ("ConfigMap", config_maps)):
        for item in found:
            if inner := _key(kind, namespace, item):
                objects[inner] = item
    objects |= list_related
    neighbours = _neighbours(workloads, key)
    state = ClusterSnapshot(target=key, objects=objects, neighbours=neighbours)
    node_labels = None
    if state.has_unschedulable_pods:
        refusing, node_labels = await related_objects.nodes(cluster)
        objects |= refusing
    objects |= await related_objects.get_missing(cluster, also, objects)
    return ClusterSnapshot(
        target=key,
        objects=objects,
        neighbours=neighbours,
        revisions=tuple(_revisions(revisions, target.kind)),
        events=tuple(_event(e, now or datetime.now(UTC)) for e in events),
        usage=usage,
        service_names=tuple(sorted(unstructured.text(s, "metadata", "name") for s in services)),
        callers=related_services.callers(workloads, services, state),
        callees=related_services.callees(services, state),
        node_labels=node_labels,
    )


def _key(kind: str, namespace: str, item: Mapping[str, Any]) -> ObjectRef | None:
    try:
        return ObjectRef(kind, namespace, unstructured.text(item, "metadata", "name"))  # type: ignore[arg-type]
    except ValidationError:
        return None  # a name that no action could be about


def _neighbours(workloads: Sequence[Json], target: ObjectRef) -> dict[ObjectRef, dict[str, str]]:
    found = {}
    for item in workloads:
        key = _key(unstructured.text(item, "kind"), target.namespace, item)
        if key is not None and key != target:
            found[key] = unstructured.strings(item, "spec", "template", "metadata", "labels")
    return found


async def _usage(
    cluster: Cluster, namespace: str, labels: Mapping[str, str]
) -> dict[tuple[str, str], Usage]:
    if not labels:
        return {}
    try:
        found = await cluster.pod_metrics(namespace, labels)
    except ClusterError:
        return {}  # no metrics server, or not now: a context without usage is still a context
    usage = {}
    for item in found:
        for container in unstructured.items(item, "containers"):
            place = (
                unstructured.text(item, "metadata", "name"),
                unstructured.text(container, "name"),
            )
            try:
                usage[place] = Usage(
                    cpu_millicores(unstructured.text(container, "usage", "cpu")),
                    memory_bytes(unstructured.text(container, "usage", "memory")),
                )
            except ValueError:
                continue
    return usage


async def _config_maps(cluster: Cluster, namespace: str, names: Iterable[str]) -> list[Json]:
    async def one(name: str) -> Json | None:
        try:
            return await cluster.get(CONFIG_MAPS, namespace, name)
        except NotFoundError:
            return None

    wanted = sorted({name for name in names if name})[:_MOST_CONFIG_MAPS]
    found = await asyncio.gather(*(one(name) for name in wanted))
    return [item for item in found if item is not None]


def _words(report: DiagnosisReportSpec | None, remediation: Remediation) -> str:
    """Return everything that may name a Service, as one text to look names up in."""
    probes = remediation.spec.probes
    asked = [p.http.service for p in probes if p.http] + [p.tcp.service for p in probes if p.tcp]
    evidence = [e.text for e in report.evidence] if report else []
    return " ".join([remediation.spec.fault.summary, *asked, *evidence])


def _revisions(found: Sequence[Json], kind: TargetKind) -> Iterable[Revision]:
    for item in found:
        if kind is TargetKind.DEPLOYMENT:
            annotations = unstructured.strings(item, "metadata", "annotations")
            number = parse_int(annotations.get(_REVISION, ""))
            template = unstructured.mapping(item, "spec", "template")
            replicas = parse_int(annotations.get(_WANTED, ""))
        else:
            number, replicas = unstructured.number(item, "revision"), None
            template = unstructured.mapping(item, "data", "spec", "template")
        if number is not None and template:
            yield Revision(
                number=number,
                template=template,
                created=unstructured.text(item, "metadata", "creationTimestamp"),
                replicas=replicas,
            )


def _event(found: Json, now: datetime) -> EventLine:
    seen = (
        unstructured.text(found, "series", "lastObservedTime")
        or unstructured.text(found, "lastTimestamp")
        or unstructured.text(found, "eventTime")
        or unstructured.text(found, "metadata", "creationTimestamp")
    )
    try:
        age = max(0, int((now - datetime.fromisoformat(seen)).total_seconds()))
    except (ValueError, TypeError):
        age = None
    return EventLine(
        kind=unstructured.text(found, "involvedObject", "kind"),
        name=unstructured.text(found, "involvedObject", "name"),
        reason=unstructured.text(found, "reason"),
        message=unstructured.text(found, "message"),
        count=unstructured.number(found, "count", default=1),
        warning=unstructured.text(found, "type") == "Warning",
        age_seconds=age,
    )
