"""An attacker's text in the raw data of every inspection is bounded, inert, redacted data."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reme_api.investigation import InspectionName
from reme_api.probes import HttpProbe, Probe
from reme_model.prompt.redact import redact
from reme_operator.investigation.inspector import bounded
from reme_operator.investigation.readers.base import redacted
from reme_playbook.inspections.answers import Answer, answer_finding
from reme_playbook.inspections.base import MAX_FINDINGS, Inspection
from reme_playbook.inspections.container_logs import ContainerLog, ContainerLogs, log_findings
from reme_playbook.inspections.dependency import DependencyInspection, dependency_findings
from reme_playbook.inspections.init_containers import InitContainers, init_findings
from reme_playbook.inspections.metrics_query import (
    Metric,
    MetricsQuery,
    Series,
    metric_findings,
)
from reme_playbook.inspections.node_state import NodeState, node_findings
from reme_playbook.inspections.object_events import ObjectEvents, event_findings
from reme_playbook.inspections.quota_state import QuotaState, quota_findings
from reme_playbook.inspections.registry import PUBLIC, all_candidates
from reme_playbook.inspections.resource_usage import ResourceUsage, UsageSample, usage_findings
from reme_playbook.inspections.revision_diff import RevisionDiff, revision_findings
from reme_playbook.inspections.service_endpoints import (
    Endpoints,
    ServiceEndpoints,
    endpoint_findings,
)
from reme_playbook.inspections.service_request import ServiceRequest
from reme_playbook.snapshot.dependencies import dependencies
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision
from tests.attack.injection_corpus import Injection, injections
from tests.unit.model.test_injections import inert
from tests.unit.playbook.builders import CART, Shop, container, key, template

EVERY = pytest.mark.parametrize("attempt", injections(), ids=lambda attempt: attempt.id)
START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
NOW = datetime(2026, 1, 2, 4, 0, tzinfo=UTC)
Raw = Callable[[str], tuple[Inspection, Iterable[Finding]]]
LABEL = re.compile(r"[A-Za-z]+ [A-Za-z]+/[a-z0-9.-]+(?: [a-z_]+=[\w./-]+)*")


def meta(text: str) -> dict[str, Any]:
    return {"name": text, "labels": {text: text}, "annotations": {text: text}}


def status(text: str) -> dict[str, Any]:
    ended = {"reason": text, "message": text, "exitCode": 1, "finishedAt": text}
    return {
        "name": text,
        "image": text,
        "restartCount": 3,
        "state": {"waiting": {"reason": text, "message": text}},
        "lastState": {"terminated": ended},
    }


def pod(text: str) -> dict[str, Any]:
    return {
        "metadata": meta(text),
        "spec": {
            "nodeName": text,
            "containers": [{"name": text, "resources": {"limits": {"memory": text, "cpu": "1m"}}}],
        },
        "status": {
            "phase": text,
            "containerStatuses": [
                status(text),
                {**status(text), "lastState": {"terminated": {"reason": "OOMKilled"}}},
            ],
            "initContainerStatuses": [status(text), {**status(text), "lastState": {}}],
        },
    }


def logs(text: str) -> tuple[Inspection, Iterable[Finding]]:
    lines = (text, f"ERROR {text}", f"2026-01-02T03:00:01Z {text}", f'{{"msg":"failed {text}"}}')
    log = ContainerLog(text, text, "\n".join(lines), {"reason": text, "exitCode": 1}, text)
    killed = ContainerLog(text, text, "", {"reason": "OOMKilled"}, text)
    inspection = ContainerLogs(subject=CART)
    return inspection, log_findings(inspection, [log, killed], START, redact)


def events(text: str) -> tuple[Inspection, Iterable[Finding]]:
    about = {"kind": text, "name": text}
    raw = [
        {"type": kind, "reason": text, "message": text, "involvedObject": about, "eventTime": time}
        for kind in (text, "Warning")
        for time in (text, "2026-01-02T03:00:01Z")
    ]
    inspection = ObjectEvents(subject=CART)
    return inspection, event_findings(inspection, redacted(raw), START)


def revisions(text: str) -> tuple[Inspection, Iterable[Finding]]:
    env = [{"name": "GREETING", "value": text}, {"name": text, "value": "x"}]
    changed = container(image=text, env=env, command=["run", text])
    live = Shop(template=template(changed), earlier=[template()]).live()
    inspection = RevisionDiff(subject=CART, revision=1)
    current = live.current_revision
    return inspection, revision_findings(inspection, live.revisions, current, START, redact)


def usage(text: str) -> tuple[Inspection, Iterable[Finding]]:
    amounts = [
        {"name": text, "usage": {"cpu": "5m", "memory": "1Gi"}},
        {"name": text, "usage": {"cpu": text}},
    ]
    metrics = [{"metadata": meta(text), "timestamp": text, "containers": amounts}]
    inspection = ResourceUsage(subject=CART)
    samples = [UsageSample(redacted(metrics))] * 2
    return inspection, usage_findings(inspection, redacted([pod(text)]), samples, START)


def init_containers(text: str) -> tuple[Inspection, Iterable[Finding]]:
    inspection = InitContainers(subject=CART)
    log = ContainerLog(text, text, f"ERROR {text}\n{text}", {"reason": text, "exitCode": 2})
    raw = redacted([pod(text)])
    return inspection, init_findings(inspection, raw, [log], NOW, START, redact)


def nodes(text: str) -> tuple[Inspection, Iterable[Finding]]:
    node = {
        "metadata": meta(text),
        "spec": {
            "unschedulable": True,
            "taints": [
                {"key": text, "value": text, "effect": text},
                {"key": f"node.kubernetes.io/{text}", "effect": text},
            ],
        },
        "status": {
            "conditions": [
                {"type": text, "status": text, "message": text},
                {"type": "Ready", "status": text, "message": text, "lastTransitionTime": text},
                {"type": "DiskPressure", "status": "True", "message": text},
            ]
        },
    }
    inspection = NodeState(subject=CART)
    return inspection, node_findings(inspection, redacted([pod(text)]), redacted([node]), START)


def quotas(text: str) -> tuple[Inspection, Iterable[Finding]]:
    def quota(name: str) -> dict[str, Any]:
        return {
            "metadata": {
                **meta(text),
                "name": name,
                "managedFields": [{"manager": text, "time": "2026-01-02T03:00:01Z"}],
            },
            "spec": {"hard": {"pods": "1", text: text}},
            "status": {"used": {"pods": "1", text: text}, "hard": {"pods": "1"}},
        }

    limits = {
        "metadata": meta(text),
        "spec": {"limits": [{"type": text, "max": {"cpu": "1", text: text, "memory": text}}]},
    }
    live = replace(Shop().live(), fault_start=START, fault_start_observed=True)
    inspection = QuotaState(subject=CART)
    raw = redacted([quota(text), quota("compute")])
    return inspection, quota_findings(inspection, raw, redacted([limits]), live)


def hostile_service(text: str) -> dict[str, Any]:
    return {
        "metadata": {**meta(text), "creationTimestamp": "2026-01-02T03:00:01Z"},
        "spec": {
            "type": text,
            "selector": {"app": "stock", text: text},
            "ports": [{"port": 80, "targetPort": text, "name": text}],
        },
    }


def hostile_workload(text: str) -> dict[str, Any]:
    labels = {"app": "stock", text: text}
    return {
        "kind": "Deployment",
        "metadata": {"name": "stock"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "stock"}},
            "template": {**pod(text), "metadata": {"labels": labels}},
        },
    }


def hostile_dependency(text: str) -> tuple[ClusterSnapshot, Dependency]:
    """Return a dependency from a report, a Service, a workload and pods of an attacker."""
    service, workload = hostile_service(text), hostile_workload(text)
    service["metadata"]["name"] = "stock"
    pods = [{**pod(text), "metadata": workload["spec"]["template"]["metadata"]}]
    live = replace(Shop().live(), fault_start=START, fault_start_observed=True)
    named = dependencies(live, [service], [workload], {"stock": pods}, [f"stock: {text}"])
    return live, named[0]


def endpoints(text: str) -> tuple[Inspection, Iterable[Finding]]:
    inspection = ServiceEndpoints(subject=key("Service", "stock"))
    read = Endpoints(hostile_service(text), [pod(text)], [hostile_workload(text)])
    return inspection, endpoint_findings(inspection, read, CART, redact)


def dependency(text: str) -> tuple[Inspection, Iterable[Finding]]:
    inspection = DependencyInspection(subject=key("Service", "stock"))
    live, named = hostile_dependency(text)
    history = [
        Revision(2, hostile_workload(text)["spec"]["template"], "2026-01-02T03:00:01Z"),
        Revision(1, template(), "2026-01-01T03:00:01Z"),
    ]
    answer = request(text)[1]
    revisions_of = {key("Deployment", "stock"): history}
    return inspection, dependency_findings(
        named, redacted(hostile_service(text)), revisions_of, next(iter(answer)), live, redact
    )


def request(text: str) -> tuple[Inspection, Iterable[Finding]]:
    inspection = ServiceRequest(subject=key("Service", "stock"), port=80)
    request = Probe(name="p", http=HttpProbe(service="stock", port=80))
    answers = [Answer(False, text, text)]
    return inspection, [answer_finding(inspection.subject, request, answers, may_be_kept_out=False)]


def metrics(text: str) -> tuple[Inspection, Iterable[Finding]]:
    inspection = MetricsQuery(subject=CART, metric=Metric.MEMORY_SHARE)
    series = [Series({"container": text, text: text}, 0.95)]
    return inspection, metric_findings(inspection, series, series, "before")


RAW: dict[InspectionName, Raw] = {
    InspectionName.METRICS_QUERY: metrics,
    InspectionName.DEPENDENCY: dependency,
    InspectionName.SERVICE_ENDPOINTS: endpoints,
    InspectionName.SERVICE_REQUEST: request,
    InspectionName.CONTAINER_LOGS: logs,
    InspectionName.OBJECT_EVENTS: events,
    InspectionName.REVISION_DIFF: revisions,
    InspectionName.RESOURCE_USAGE: usage,
    InspectionName.INIT_CONTAINERS: init_containers,
    InspectionName.NODE_STATE: nodes,
    InspectionName.QUOTA_STATE: quotas,
}
"""The findings of each inspection from raw data in which everything is the text of an attacker."""


def test_every_inspection_is_attacked() -> None:
    assert set(RAW) == set(PUBLIC)


@EVERY
@pytest.mark.parametrize("name", RAW, ids=str)
def test_results_are_bounded_inert_redacted_lines(name: InspectionName, attempt: Injection) -> None:
    inspection, raw = RAW[name](attempt.text)
    findings = bounded(inspection, raw)
    assert 0 < len(findings) <= MAX_FINDINGS
    known = {FindingKind.NORMAL, FindingKind.UNAVAILABLE, *inspection.SHOWS}
    for finding in findings:
        inert(finding.text)
        assert "\n" not in finding.text
        assert len(finding.text) <= MAX_TEXT
        assert finding.kind in known
        assert isinstance(finding.subject, ObjectRef)
        assert attempt.text not in (finding.kind, finding.subject.kind)
        if attempt.hides:
            assert attempt.hides not in finding.text, finding.text


def hostile(text: str) -> ClusterSnapshot:
    """Return a snapshot in which every name that can be one is the text of an attacker."""
    env = {"STOCK_URL": text, text: "x"}
    manifest = template(
        {
            **container(image=text),
            "name": text,
            "env": [{"name": k, "value": v} for k, v in env.items()],
        },
        initContainers=[{"name": text, "image": text}],
    )
    live = Shop(template=manifest, earlier=[template()], ready=False, unplaced=True).live()
    broken = {
        **live.objects[key("Pod", "cart-6d-0")],
        "metadata": {"name": "cart-6d-0"},
        "status": {"containerStatuses": [status(text)]},
    }
    return replace(live, objects={**live.objects, key("Pod", "cart-6d-0"): broken})


@EVERY
def test_no_text_becomes_an_argument(attempt: Injection) -> None:
    for candidate in all_candidates(hostile(attempt.text)):
        assert LABEL.fullmatch(candidate.label()), candidate.label()
        assert isinstance(candidate, Inspection)
