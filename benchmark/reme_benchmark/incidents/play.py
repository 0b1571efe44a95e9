"""Plays one incident on a cluster: healthy, broken, reported, followed to the end, removed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from reme_api.remediation import Remediation
from reme_benchmark.incidents.model import Incident, Request
from reme_benchmark.incidents.verdict import Grade, Verdict, grade_remediations
from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.methods.reme import model_exchanges
from reme_benchmark.scoring.records import ModelExchange
from reme_kube.errors import ClusterError, NotFoundError

_READY_SECONDS = 150
_GONE_SECONDS = 180
_SYMPTOM_SECONDS = 20
"""How long the fault is left alone before it is reported, as an alert would."""
_RECOVERY_SECONDS = 90
_REQUESTS = 6
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


class IncidentError(Exception):
    """The incident could not be played; the message says why."""


class Played(BaseModel):
    """The record of one incident that was played."""

    incident: str
    method: str
    started: datetime
    grade: Grade
    outcome: str = ""
    message: str = ""
    broken: bool | None = Field(default=None, description="Users were not served before.")
    served: bool | None = Field(default=None, description="Users were served at the end.")
    seconds: float = Field(default=0, description="From the report to the outcome.")
    attempts: int = 0
    rounds: int = 0
    inspections: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    remediations: list[dict[str, Any]] = []
    report: dict[str, Any] = {}
    exchanges: list[ModelExchange] = Field(default=[], description="Prompts and replies.")


async def play(
    cluster: Cluster, incident: Incident, method: str, spec: dict[str, Any], *, wait_seconds: float
) -> Played:
    """Play an incident with a method and return the record; nothing of it is left.

    `method` is `noop`, `repair` (the known good one) or any name of a policy spec for reme.
    """
    started = datetime.now(UTC)
    try:
        async with _system(cluster, incident):
            return await _play(cluster, incident, method, spec, wait_seconds, started)
    except (IncidentError, ClusterError, TimeoutError) as error:
        grade = Grade(verdict=Verdict.ERROR, reason=str(error)[:500])
        return Played(incident=incident.id, method=method, started=started, grade=grade)


@asynccontextmanager
async def _system(cluster: Cluster, incident: Incident) -> AsyncIterator[None]:
    await _remove(cluster, incident)
    try:
        await cluster.apply(incident.documents("system.yaml"))
        await _wait_ready(cluster, incident)
        await _command("bash", str(incident.folder / "inject.sh"))
        yield
    finally:
        await asyncio.shield(_remove(cluster, incident))


async def _play(
    cluster: Cluster,
    incident: Incident,
    method: str,
    spec: dict[str, Any],
    wait_seconds: float,
    started: datetime,
) -> Played:
    await asyncio.sleep(_SYMPTOM_SECONDS)
    before = await _served(cluster, incident)
    played = Played(
        incident=incident.id,
        method=method,
        started=started,
        grade=Grade(verdict=Verdict.MISSED, reason=method),
        broken=None if before is None else not before,
    )
    if method in ("noop", "repair"):
        for arguments in incident.repair if method == "repair" else ():
            await _command(_kubectl(), "-n", incident.namespace, *arguments)
        healthy = await _recovers(cluster, incident)
        verdict = Verdict.RIGHT if healthy else Verdict.MISSED
        grade = Grade(verdict=verdict, reason="healthy" if healthy else "not healthy")
        served = await _served(cluster, incident)
        return played.model_copy(update={"grade": grade, "served": served})
    await cluster.apply([incident.policy(spec)])
    reported = time.monotonic()
    report = await cluster.create(incident.report())
    remediations, refusal = await _follow(cluster, incident, report, reported + wait_seconds)
    seconds = time.monotonic() - reported
    served = await _served(cluster, incident)
    stored = await cluster.get("DiagnosisReport", report["metadata"]["name"], incident.namespace)
    update: dict[str, Any] = {"seconds": seconds, "served": served, "report": stored or {}}
    if not remediations:
        missed = Grade(verdict=Verdict.MISSED, reason=refusal or "no remediation in time")
        return played.model_copy(update={**update, "grade": missed, "message": refusal})
    update["exchanges"] = [
        exchange
        for remediation in remediations
        for attempt in remediation.status.attempts
        for exchange in await model_exchanges(cluster, incident.namespace, attempt)
    ]
    return played.model_copy(update={**update, **_figures(incident, remediations, served)})


def _figures(
    incident: Incident, remediations: Sequence[Remediation], served: bool | None
) -> dict[str, Any]:
    attempts = [a for r in remediations for a in r.status.attempts]
    rounds = [one for attempt in attempts for one in attempt.investigation]
    made = [attempt.generation for attempt in attempts if attempt.generation]
    return {
        "grade": grade_remediations(incident, remediations, served=served),
        "outcome": str(remediations[0].status.outcome or "NotEnded"),
        "message": remediations[0].status.message,
        "attempts": len(attempts),
        "rounds": len(rounds),
        "inspections": sum(len(one.inspections) for one in rounds),
        "prompt_tokens": sum(m.prompt_tokens for m in made) + sum(r.prompt_tokens for r in rounds),
        "completion_tokens": sum(m.completion_tokens for m in made)
        + sum(r.completion_tokens for r in rounds),
        "remediations": [r.manifest() for r in remediations],
    }


async def _follow(
    cluster: Cluster, incident: Incident, report: Object, until: float
) -> tuple[list[Remediation], str]:
    """Return the remediations once the report's own has ended, or why there is none."""
    uid, refusal, refused_since = report["metadata"]["uid"], "", 0.0
    while time.monotonic() < until:
        await asyncio.sleep(1)
        remediations = [
            Remediation.model_validate(item)
            for item in await cluster.list("Remediation", incident.namespace)
        ]
        remediations.sort(key=lambda r: (r.spec.report_ref.uid != uid, r.metadata.name))
        if remediations and remediations[0].spec.report_ref.uid == uid:
            refusal = ""
            if remediations[0].status.outcome is not None or time.monotonic() + 1.5 > until:
                return remediations, ""
            continue
        current = await cluster.get(
            "DiagnosisReport", report["metadata"]["name"], incident.namespace
        )
        refusal = _refusal(current or {})
        refused_since = (refused_since or time.monotonic()) if refusal else 0.0
        if refused_since and time.monotonic() - refused_since > 30:
            break
    return [], refusal


def _refusal(report: Object) -> str:
    for condition in report.get("status", {}).get("conditions", []):
        if condition["type"] == "Accepted" and condition["status"] == "False":
            return f"{condition['reason']}: {condition.get('message', '')}"
    return ""


async def _served(cluster: Cluster, incident: Incident) -> bool | None:
    """Return whether every request is answered; None when the incident has none."""
    if not incident.served:
        return None
    answers = [
        await _answers(cluster, incident.namespace, request)
        for request in incident.served
        for _ in range(_REQUESTS)
    ]
    return all(answers)


async def _answers(cluster: Cluster, namespace: str, request: Request) -> bool:
    """Ask a Service through the API server, which any cluster can."""
    name = f"http:{request.service}:{request.port}"
    path = f"/api/v1/namespaces/{namespace}/services/{name}/proxy{request.path}"
    try:
        return (await cluster.api.get_raw(path, timeout_seconds=5)).status < 400
    except ClusterError:
        return False


async def _recovers(cluster: Cluster, incident: Incident) -> bool:
    """Return whether users are served, pods are ready and may be evicted, for three looks in a row.

    A pod that is killed for memory again and again is ready in between.
    """
    until, healthy = time.monotonic() + _RECOVERY_SECONDS, 0
    while time.monotonic() < until:
        await asyncio.sleep(10)
        blocked = [
            budget
            for budget in await cluster.list("PodDisruptionBudget", incident.namespace)
            if not budget.get("status", {}).get("disruptionsAllowed")
        ]
        waiting = await _waiting(cluster, incident)
        served = await _served(cluster, incident) is not False
        healthy = healthy + 1 if served and not blocked and not waiting else 0
        if healthy == 3:
            return True
    return False


async def _waiting(cluster: Cluster, incident: Incident) -> list[str]:
    return [
        f"{kind} {item['metadata']['name']}"
        for kind in _WORKLOADS
        for item in await cluster.list(kind, incident.namespace)
        if _unready(item)
    ]


async def _wait_ready(cluster: Cluster, incident: Incident) -> None:
    until = time.monotonic() + _READY_SECONDS
    while True:
        waiting = await _waiting(cluster, incident)
        if not waiting:
            return
        if time.monotonic() > until:
            raise IncidentError(f"the system is not ready: {', '.join(waiting)}")
        await asyncio.sleep(1)


def _unready(workload: Object) -> bool:
    status, spec = workload.get("status", {}), workload["spec"]
    desired = status.get("desiredNumberScheduled", spec.get("replicas", 1))
    observed = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 1)
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    updated = status.get("updatedReplicas", status.get("updatedNumberScheduled", 0))
    surplus = status.get("replicas", 0) > desired
    return not observed or min(ready, updated) < desired or surplus


async def _remove(cluster: Cluster, incident: Incident) -> None:
    labels = {"incident": f"c{incident.number}"}
    until = time.monotonic() + _GONE_SECONDS
    while namespaces := await cluster.list("Namespace", labels=labels):
        for namespace in namespaces:
            try:
                await cluster.delete("Namespace", namespace["metadata"]["name"])
            except NotFoundError:
                continue
        if time.monotonic() > until:
            raise IncidentError("the namespace of an earlier run does not go away")
        await asyncio.sleep(1)


def _kubectl() -> str:
    return os.environ.get("REME_KUBECTL") or "kubectl"


async def _command(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "KUBECTL": _kubectl()},
    )
    output, _ = await asyncio.wait_for(process.communicate(), 240)
    if process.returncode:
        tail = output.decode(errors="replace").strip()[-300:]
        raise IncidentError(f"{words[0]} {words[-1][:80]}: {tail}")
