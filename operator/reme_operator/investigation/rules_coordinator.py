"""The coordinator with rules: the default, and the baseline for models. Pure.

In order: a workload that the target calls and that is down is followed. An own fault of the target
is repaired at once. A workload that fails when it is asked is followed. A dependency outside that
fails ends the attempt. Otherwise what is worth the most is inspected, until something is wrong or
nothing is worth it; then the playbook is written.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reme_api.investigation import Cause, Choice, InspectionName
from reme_api.reasons import Reason
from reme_operator.investigation.coordinator import (
    Candidate,
    CoordinatorChoice,
    CoordinatorView,
    PossibleCause,
    StoredFinding,
    Symptom,
)
from reme_operator.investigation.view import LONG_BEFORE, is_part_of
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef

_WORTH: Mapping[InspectionName, Mapping[Symptom, int]] = {
    InspectionName.CONTAINER_LOGS: {
        Symptom.CRASHING: 9,
        Symptom.NOT_READY: 6,
        Symptom.PROBES_FAILING: 6,
    },
    InspectionName.INIT_CONTAINERS: {Symptom.INIT_FAILING: 9},
    InspectionName.DEPENDENCY: {
        Symptom.PROBES_FAILING: 8,
        Symptom.NOT_READY: 5,
        Symptom.CRASHING: 5,
        Symptom.INIT_FAILING: 4,
    },
    InspectionName.SERVICE_ENDPOINTS: {Symptom.PROBES_FAILING: 7},
    InspectionName.OBJECT_EVENTS: {Symptom.PODS_MISSING: 7, Symptom.NOT_READY: 4},
    InspectionName.QUOTA_STATE: {Symptom.PODS_MISSING: 8},
    InspectionName.NODE_STATE: {Symptom.UNSCHEDULED: 9},
    InspectionName.RESOURCE_USAGE: {Symptom.OVERLOADED: 7, Symptom.OUT_OF_MEMORY: 7},
    InspectionName.REVISION_DIFF: {Symptom.RECENT_CHANGE: 4},
    InspectionName.SERVICE_REQUEST: {Symptom.PROBES_FAILING: 4},
    InspectionName.METRICS_QUERY: {Symptom.PROBES_FAILING: 3, Symptom.OVERLOADED: 3},
}
"""What an inspection is worth for a symptom; the highest counts."""

_WORTH_ANOTHER_ROUND = 6
"""What an inspection must be worth in a later round: each round delays the repair."""

_NAMED = 3
"""Added for a subject that the report or a finding names."""

_MOST_OF_A_KIND = 2
"""Inspections of the same name in a round; of dependencies all but one place."""

_FAILS_ITSELF = frozenset(
    {
        FindingKind.NO_ENDPOINTS,
        FindingKind.PORT_MISMATCH,
        FindingKind.FOREIGN_ENDPOINTS,
        FindingKind.OUT_OF_MEMORY,
        FindingKind.INIT_CONTAINER_FAILED,
    }
)
"""Of a called workload: no revision of the target can be the cause of these."""

_MAY_FAIL_ITSELF = frozenset(
    {
        FindingKind.REQUEST_FAILED,
        FindingKind.WORKLOAD_NOT_READY,  # others of its pods may be
        FindingKind.RECENT_CHANGE,
        FindingKind.LOG_ERROR,
        FindingKind.USAGE_HIGH,
        FindingKind.QUOTA_EXCEEDED,
    }
)
"""Of a called workload: two of these together, or one when the target did not change."""

_OWN_FAULTS = frozenset(
    {
        FindingKind.PORT_MISMATCH,
        FindingKind.FOREIGN_ENDPOINTS,
        FindingKind.OUT_OF_MEMORY,
        FindingKind.QUOTA_EXCEEDED,
        FindingKind.NODE_UNHEALTHY,
    }
)
"""Of the target: a repair of the target can help."""

_SAYS_NOTHING = frozenset({FindingKind.NORMAL, FindingKind.UNAVAILABLE, FindingKind.EARLIER_CHANGE})

_MOST_EVIDENCE = 4


class RulesCoordinator:
    """Chooses by rules."""

    async def choose(self, view: CoordinatorView) -> CoordinatorChoice:
        """Return the choice."""
        return choose_by_rules(view)


def choose_by_rules(view: CoordinatorView) -> CoordinatorChoice:
    """Return the choice; the same for the same view."""
    own = own_fault(view)
    for possible in view.possible_causes:
        # A repair of the target cannot be verified while what it calls is down.
        evidence = certain_evidence(view, possible)
        if evidence and (view.follow_cause or not own):
            return follow(view, possible, evidence)
    if own and view.attempt == 1:
        return act(f"the target has a fault of its own: {own}")
    if not own:
        for possible in view.possible_causes:
            if evidence := likely_evidence(view, possible):
                return follow(view, possible, evidence)
        if outside := _failing_outside(view):
            return _abstain(outside)
    if chosen := _worth_inspecting(view):
        return CoordinatorChoice(
            choice=Choice.INSPECT, inspections=chosen, message=_why(view, chosen)
        )
    if view.failing_outside and not own:
        return _abstain(view.failing_outside[0])
    return act("the findings name no other workload as the cause" if view.findings else "")


def _abstain(outside: str) -> CoordinatorChoice:
    return CoordinatorChoice(
        choice=Choice.ABSTAIN,
        reason=Reason.FAULT_ELSEWHERE,
        message=f"a dependency outside of the namespace fails: {outside}",
    )


def act(message: str) -> CoordinatorChoice:
    """Return the choice that a playbook is written."""
    text = message or "nothing more is worth inspecting"
    return CoordinatorChoice(choice=Choice.ACT, message=text)


def follow(
    view: CoordinatorView, possible: PossibleCause, evidence: Sequence[str]
) -> CoordinatorChoice:
    """Return the choice that another workload is repaired first."""
    workload = possible.workload
    return CoordinatorChoice(
        choice=Choice.FOLLOW_CAUSE,
        reason=Reason.FAULT_ELSEWHERE,
        message=f"the fault is in a workload that {view.target} calls",
        cause=Cause(
            kind=workload.kind, name=workload.name, evidence=list(evidence[:_MOST_EVIDENCE])
        ),
    )


def own_fault(view: CoordinatorView) -> str:
    """Return what is wrong with the target itself; empty if nothing is."""
    if view.own_faults:
        return view.own_faults[0]
    for finding in view.findings:
        if finding.kind in _OWN_FAULTS and not _is_elsewhere(view, finding):
            return finding.text
    return ""


def certain_evidence(view: CoordinatorView, possible: PossibleCause) -> tuple[str, ...]:
    """Return what is wrong with a called workload whatever the target does; empty if nothing."""
    texts = [finding.text for finding in _about(view, possible) if finding.kind in _FAILS_ITSELF]
    return tuple(dict.fromkeys([*possible.faults, *texts]))


def likely_evidence(view: CoordinatorView, possible: PossibleCause) -> tuple[str, ...]:
    """Return what speaks against a called workload that fails when it is asked; empty if little.

    A failed request is enough where the target did not change: else its release may ask too much,
    and a second sign is needed, such as an error in the log of the target that names the workload.
    """
    likely = [finding for finding in _about(view, possible) if finding.kind in _MAY_FAIL_ITSELF]
    kinds = {finding.kind for finding in likely}
    kinds |= {FindingKind.REQUEST_FAILED} if possible.failed_requests else set()
    kinds |= {FindingKind.RECENT_CHANGE} if possible.recent_change else set()
    kinds |= {FindingKind.WORKLOAD_NOT_READY} if possible.partly_ready else set()
    logs = [f for f in view.findings if f.kind is FindingKind.LOG_ERROR and f not in likely]
    named = [f for f in logs if any(names(f.text, service) for service in possible.services)]
    unchanged = Symptom.RECENT_CHANGE not in view.symptoms
    if FindingKind.REQUEST_FAILED not in kinds or not (unchanged or named or len(kinds) > 1):
        return ()
    findings = (one.text for one in (*likely, *named))
    known = (*possible.failed_requests, possible.partly_ready, possible.recent_change)
    texts = [*known, *findings]
    return tuple(text for text in dict.fromkeys(texts) if text)


def _about(view: CoordinatorView, possible: PossibleCause) -> list[StoredFinding]:
    return [
        finding
        for finding in view.findings
        if is_part_of(finding.subject, possible) and not _is_stale(view, finding)
    ]


def _is_stale(view: CoordinatorView, finding: StoredFinding) -> bool:
    start, at = view.fault_start, finding.at
    return start is not None and at is not None and at < start - LONG_BEFORE


def _is_elsewhere(view: CoordinatorView, finding: StoredFinding) -> bool:
    return any(is_part_of(finding.subject, possible) for possible in view.possible_causes)


def _failing_outside(view: CoordinatorView) -> str:
    outside = (f.text for f in view.findings if f.kind is FindingKind.DEPENDENCY_OUTSIDE)
    return next(outside, "")


# what is worth inspecting ------------------------------------------------------------------------


def _worth_inspecting(view: CoordinatorView) -> tuple[Candidate, ...]:
    """Return the inspections of this round, the most useful first; empty when enough is known."""
    if not view.rounds_left or not view.max_inspections:
        return ()
    least = _WORTH_ANOTHER_ROUND if view.performed else 1
    scored = [(score, place, one) for place, one, score in _scores(view) if score >= least]
    if any(finding.kind not in _SAYS_NOTHING for finding in view.findings):
        # Something is wrong already: only others that a finding names are worth another round.
        texts = _finding_texts(view)
        scored = [
            entry
            for entry in scored
            if not _is_own(view, entry[2].subject) and names(texts, entry[2].subject.name)
        ]
    chosen: list[Candidate] = []
    counts: Counter[InspectionName] = Counter()
    for _, _, one in sorted(scored, key=lambda entry: (-entry[0], entry[1])):
        dependencies = one.name is InspectionName.DEPENDENCY
        most = max(1, view.max_inspections - 1) if dependencies else _MOST_OF_A_KIND
        if len(chosen) < view.max_inspections and counts[one.name] < most:
            chosen.append(one)
            counts[one.name] += 1
    own_logs = [one for _, _, one in scored if _is_own_log(view, one)]
    if own_logs and not view.performed and not any(_is_own_log(view, one) for one in chosen):
        chosen[-1] = own_logs[0]  # whatever else fails, the log of the target is read first
    return tuple(chosen)


def _is_own_log(view: CoordinatorView, candidate: Candidate) -> bool:
    return candidate.name is InspectionName.CONTAINER_LOGS and candidate.subject == view.target


def _scores(view: CoordinatorView) -> Iterator[tuple[int, Candidate, int]]:
    texts = f"{view.fault} {view.incident} {_finding_texts(view)}"
    performed = {one.label for one in view.performed}
    for place, one in enumerate(view.candidates):
        if one.label in performed or _is_included(view, one):
            continue
        worth = max((_WORTH[one.name].get(symptom, 0) for symptom in view.symptoms), default=0)
        others = not _is_own(view, one.subject)
        yield (
            place,
            one,
            worth + (_NAMED if worth and others and names(texts, one.subject.name) else 0),
        )


def _is_included(view: CoordinatorView, candidate: Candidate) -> bool:
    """Return whether another candidate shows the same: events of a workload are of its pods too."""
    events = candidate.name is InspectionName.OBJECT_EVENTS
    return events and candidate.subject.kind == "Pod" and _is_own(view, candidate.subject)


def _is_own(view: CoordinatorView, subject: ObjectRef) -> bool:
    """Return whether an object is the target or one of its pods."""
    return subject == view.target or (
        subject.kind == "Pod" and subject.name.startswith(f"{view.target.name}-")
    )


def _finding_texts(view: CoordinatorView) -> str:
    return " ".join(finding.text for finding in view.findings)


def names(text: str, name: str) -> bool:
    """Return whether a text has the name as a whole word: `cart-db` does not name `cart`."""
    return re.search(rf"(?<![-A-Za-z0-9]){re.escape(name)}(?![-A-Za-z0-9])", text) is not None


def _why(view: CoordinatorView, chosen: Sequence[Candidate]) -> str:
    symptoms = ", ".join(sorted(view.symptoms)) or "none"
    subjects = dict.fromkeys(f"{one.name} of {one.subject}" for one in chosen)
    return f"symptoms: {symptoms}; inspects {', '.join(subjects)}"
