"""Invariants of a world after all faults have passed."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, combinations
from typing import Any

from reme_api.base import ArtifactReference
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation, Run
from tests.crash.control_invariants import control_violations
from tests.crash.follow_up_invariants import follow_up_violations
from tests.crash.investigation_invariants import artifacts, investigation_violations
from tests.crash.scenarios import MAY_BE_DEFEATED, SCENARIOS
from tests.crash.schedule import KILLS
from tests.crash.world import World
from tests.doubles.shop import GOOD, NAMESPACE, RELEASE
from tests.doubles.sim_nodes import Execution

_NEVER_RAN = {Reason.RUN_NOT_STARTED, Reason.PLAYBOOK_REJECTED}
_CHANGED_NOTHING = {
    Outcome.ROLLED_BACK,
    Outcome.REJECTED,
    Outcome.ABSTAINED,
    Outcome.OBSERVED,
    Outcome.NO_ACTION_NEEDED,
    Outcome.CANCELLED,
    Outcome.TIMED_OUT,
    Outcome.FAILED,
}


@dataclass(frozen=True)
class Violation:
    """One violated invariant."""

    kind: str  # repeated, lost, untrue, orphan, incomplete, stuck
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def check(world: World) -> list[Violation]:
    """Return all violations of a world at rest."""
    return [
        *_repeated(world),
        *_lost(world),
        *_stuck(world),
        *_untrue(world),
        *_incomplete(world),
        *(Violation("untrue", f"{one} began while pods were rolling") for one in world.rolling),
        *(Violation(kind, text) for kind, text in control_violations(world)),
        *(Violation(kind, text) for kind, text in investigation_violations(world)),
        *(Violation(kind, text) for kind, text in follow_up_violations(world)),
    ]


def _runs(remediation: Remediation) -> Iterator[Run]:
    """Yield every run of a remediation, of any kind."""
    status = remediation.status
    for holder in (*status.attempts, *status.manual_rollbacks):
        yield from (value for _, value in holder if isinstance(value, Run))


def _claimed(world: World) -> dict[str, list[Execution]]:
    executions: dict[str, list[Execution]] = defaultdict(list)
    for one in world.nodes.executions:
        if one.claimed:
            executions[one.run].append(one)
    return executions


def _repeated(world: World) -> Iterator[Violation]:
    for run, executions in _claimed(world).items():
        if len(executions) > 1:
            yield Violation("repeated", f"{run} was carried out {len(executions)} times")
    by_report: dict[tuple[str, int], set[str]] = defaultdict(set)
    for remediation in world.finals.values():
        reference = remediation.spec.report_ref
        by_report[(reference.uid, reference.generation)].add(remediation.metadata.uid)
    for (uid, generation), uids in by_report.items():
        if len(uids) > 1:
            text = f"{len(uids)} remediations of report {uid}, generation {generation}"
            yield Violation("repeated", text)
    yield from _two_at_once(world)


def _two_at_once(world: World) -> Iterator[Violation]:
    target = {
        run.name: str(remediation.spec.target.name)
        for remediation in world.finals.values()
        for run in _runs(remediation)
    }
    runs = sorted((e for e in world.nodes.executions if e.claimed), key=lambda e: e.started_at)
    for first, second in combinations(runs, 2):
        same = target.get(first.run) == target.get(second.run)
        if same and first.wrote and second.wrote and first.wrote[-1] > second.wrote[0]:
            yield Violation("repeated", f"{first.run} and {second.run} wrote at the same time")


def _lost(world: World) -> Iterator[Violation]:
    recorded = {
        run.name: run for remediation in world.finals.values() for run in _runs(remediation)
    }
    for name, executions in _claimed(world).items():
        applied = [task for one in executions for task in one.applied]
        run = recorded.get(name)
        if run is None:
            yield Violation("lost", f"{name} was carried out and is in no record")
        elif run.reason in _NEVER_RAN and applied:
            yield Violation("lost", f"{name} did {applied} and is recorded as {run.reason}")
    for name, run in recorded.items():
        done = [one for one in world.nodes.executions if one.run == name and one.applied]
        if run.reason is Reason.RUN_SUCCEEDED and not done:
            yield Violation("lost", f"{name} is recorded as a success and changed nothing")
    for name in set(world.nodes.jobs) - set(recorded):
        yield Violation("lost", f"Job {name} is in no record")


def _stuck(world: World) -> Iterator[Violation]:
    for remediation in world.remediations():
        status, name = remediation.status, remediation.metadata.name
        if status.outcome is None:
            last = status.attempts[-1].model_dump_json() if status.attempts else "no attempt"
            yield Violation("stuck", f"{name} has no outcome; {last[:600]}")
        elif any(not run.cleaned_up for run in _runs(remediation)):
            yield Violation("stuck", f"{name} is not cleaned up")
        elif world.api.all("remediations")[0]["metadata"].get("finalizers"):
            yield Violation("stuck", f"{name} keeps its finalizer")
    for name in unreported(world):
        yield Violation("stuck", f"report {name} does not say how it ended")
    for report in world.api.all("diagnosisreports"):
        uid = report["metadata"]["uid"]
        if not any(r.spec.report_ref.uid == uid for r in world.finals.values()):
            yield Violation("lost", f"report {report['metadata']['name']} was never taken")


def unreported(world: World) -> list[str]:
    """Return the names of reports whose status has no result yet."""
    names = []
    for report in world.api.all("diagnosisreports"):
        conditions = report.get("status", {}).get("conditions") or []
        if not any(c["type"] == "Remediated" and c["status"] != "Unknown" for c in conditions):
            names.append(str(report["metadata"]["name"]))
    return names


def _untrue(world: World) -> Iterator[Violation]:
    scenario = SCENARIOS[world.schedule.scenario]
    ends = scenario.ends | (scenario.ends_with_stale_lists if _lists_were_stale(world) else set())
    unharmed = {f.kind for f in world.schedule.faults} <= set(KILLS)
    for target in scenario.targets:
        about = [r for r in world.finals.values() if r.spec.target.name == target]
        outcomes = {_final_outcome(r) for r in about}
        now = _image_and_replicas(world.api.get("deployments", NAMESPACE, target))
        before = _image_and_replicas({"spec": world.before[target]})
        if Outcome.VERIFIED in outcomes:
            if now[0] != GOOD:
                yield Violation("untrue", f"{target} is called repaired and runs {now[0]}")
        elif Outcome.ROLLBACK_FAILED in outcomes:
            if now == before and not _neighbour_lost(world):
                yield Violation(
                    "untrue", f"{target} is as before, and the outcome is RollbackFailed"
                )
        elif (outcomes - {None} <= _CHANGED_NOTHING) and now != before:
            text = ", ".join(sorted(map(str, outcomes)))
            yield Violation("untrue", f"{target} was {before} and is {now}, after {text}")
        for one in about:
            outcome = one.status.outcome
            allowed = ends | (set() if unharmed else MAY_BE_DEFEATED | scenario.ends_with_faults)
            if outcome is not None and ends and outcome not in allowed:
                words = f"{outcome}: {one.status.reason}: {one.status.message}"
                yield Violation("untrue", f"{one.metadata.name} ended as {words}")


def _neighbour_lost(world: World) -> bool:
    """Return whether a neighbour is worse than before the run, which a person has to look at."""
    stock = world.api.get("deployments", NAMESPACE, "stock")
    return stock is not None and stock["status"]["availableReplicas"] == 0


def _lists_were_stale(world: World) -> bool:
    """Return whether a list of workloads was stale after the scenario's event."""
    behind, acted = world.api.behind_at.get("deployments"), world.acted_at
    return behind is not None and acted is not None and behind >= acted


def _final_outcome(remediation: Remediation) -> Outcome | None:
    """Return the last outcome of a remediation, of its manual rollbacks if there are any."""
    rolled_back = [
        u for u in remediation.status.manual_rollbacks if u.outcome is not Outcome.REJECTED
    ]
    return rolled_back[-1].outcome if rolled_back else remediation.status.outcome


def _image_and_replicas(deployment: Any) -> tuple[str, int]:
    spec = deployment["spec"]
    return spec["template"]["spec"]["containers"][0]["image"], spec["replicas"]


# the record --------------------------------------------------------------------------------------


def _incomplete(world: World) -> Iterator[Violation]:
    for remediation in world.remediations():
        if remediation.status.outcome is None:
            continue
        name, status = remediation.metadata.name, remediation.status
        for what, there in {
            "reason": status.reason,
            "message": status.message,
            "start time": status.start_time,
            "end": status.completion_time,
            "conditions": status.conditions,
            "version": status.operator_version,
        }.items():
            if not there:
                yield Violation("incomplete", f"{name} has no {what}")
        for number, attempt in enumerate(status.attempts, 1):
            if attempt.number != number:
                yield Violation("incomplete", f"{name}: attempt {attempt.number} in place {number}")
            rounds = (_text(world, what, text) for what, text in artifacts(attempt))
            for text in (*_of_attempt(world, attempt), *chain.from_iterable(rounds)):
                yield Violation("incomplete", f"{name}, attempt {number}: {text}")


def _of_attempt(world: World, attempt: Attempt) -> Iterator[str]:
    if attempt.outcome is None or attempt.reason is None or attempt.completion_time is None:
        yield "no outcome, reason or end"
    if attempt.generation is not None:
        yield from _text(world, "prompt", attempt.generation.prompt)
        yield from _text(world, "reply", attempt.generation.reply)
        if not attempt.generation.model_digest:
            yield "no digest of the model"
    if attempt.run is not None:
        yield from _text(world, "playbook", attempt.playbook)
        yield from _text(world, "capture", attempt.capture)
        if not attempt.actions or not attempt.timings:
            yield "no actions or no timings"
    yield from _of_rollback(world, attempt)
    for run in filter(None, (attempt.run, attempt.rollback)):
        if run.reason is None or run.completion_time is None or run.created_time is None:
            yield f"{run.name} has no reason, beginning or end"
        if not run.uid and any(e.run == run.name and e.claimed for e in world.nodes.executions):
            yield f"{run.name} was carried out, and its Job's UID is not recorded"
    if attempt.outcome is Outcome.VERIFIED and (
        attempt.verification is None or attempt.verification.completion_time is None
    ):
        yield "verified without a verification"


def _of_rollback(world: World, attempt: Attempt) -> Iterator[str]:
    window = attempt.rollback_verification
    if attempt.rollback is not None:
        yield from _text(world, "rollback playbook", attempt.rollback_playbook)
        if window is None and attempt.outcome is not Outcome.CANCELLED:
            yield "its rollback was not verified"
    if window is not None and attempt.outcome is Outcome.ROLLED_BACK:
        if window.completion_time is None:
            yield "its rollback was verified without an end"
        elif "as it was before" in window.message and not window.probes:
            yield "it is called as before, and nothing was measured"


def _text(world: World, what: str, reference: ArtifactReference | None) -> Iterator[str]:
    if reference is None:
        yield f"no {what}"
        return
    config_map = world.api.get("configmaps", NAMESPACE, reference.name)
    text = (config_map or {}).get("data", {}).get(reference.key, "")
    if f"sha256:{sha256(text.encode()).hexdigest()}" != reference.digest:
        yield f"the {what} does not match its recorded digest"


# leftovers ---------------------------------------------------------------------------------------


def leftovers(world: World) -> list[str]:
    """Return the objects of runs that still exist."""
    kinds = ("jobs", "pods", "serviceaccounts", "rungrants", "rolebindings", "clusterrolebindings")
    lines = [f"{kind}/{o['metadata']['name']}" for kind in kinds for o in world.api.all(kind)]
    return lines + [
        f"configmaps/{o['metadata']['name']}" for o in world.api.all("configmaps", RELEASE)
    ]


def owned(world: World) -> list[str]:
    """Return the artifacts of deleted remediations."""
    return [f"configmaps/{o['metadata']['name']}" for o in world.api.all("configmaps", NAMESPACE)]


def describe(world: World) -> str:
    """Return the outcomes of all remediations as one line."""
    ends = [
        f"{r.metadata.name}={r.status.outcome}/{r.status.reason}" for r in world.finals.values()
    ]
    return json.dumps(ends)
