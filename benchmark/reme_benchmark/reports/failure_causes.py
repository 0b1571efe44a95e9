"""Why a case was not passed: one cause each, sorted from the record alone.

The first that holds is taken. It goes from what kept the case from being judged, over what the
method did or did not do, to what the oracle still found. Only with the fault's own good repairs at
hand can a right action that did not suffice be told from a wrong one.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from reme_benchmark.reports.playbook_similarity import same_kind
from reme_benchmark.scenarios.faults.model import Check, Fault
from reme_benchmark.scoring.records import CaseResult, State, Verdict


class Cause(StrEnum):
    """Why a case was not passed."""

    NONE = ""  # it was
    INJECTION_FAILED = "injection-failed"
    HARNESS_ERROR = "harness-error"
    INJECTOR_TOUCHED = "injector-touched"
    TIMED_OUT = "timed-out"
    MODEL_ERROR = "model-error"
    METHOD_ERROR = "method-error"
    NOT_ACCEPTED = "not-accepted"
    ABSTAINED = "abstained"
    NOT_HEALED = "not-healed"
    SAW_NOTHING_WRONG = "saw-nothing-wrong"
    REJECTED = "rejected"
    ACTED_ON_CONTROL = "acted-on-control"
    ROLLBACK_FAILED = "undo-failed"
    ROLLED_BACK = "undone"
    CAME_BACK = "came-back"
    NOT_SUFFICIENT = "right-action-insufficient"
    WRONG_ACTION = "wrong-action"
    NEIGHBOUR_HARMED = "neighbour-harmed"
    LEFT_CHANGED = "left-changed"
    USERS_NOT_SERVED = "users-not-served"
    NOT_MEASURED = "not-measured"
    DID_NOTHING = "did-nothing"
    UNKNOWN = "unknown"


MEANING: Mapping[Cause, str] = {
    Cause.INJECTION_FAILED: "the fault did not bite, so there was nothing to repair",
    Cause.HARNESS_ERROR: "the benchmark itself failed, or the system was not healthy before",
    Cause.INJECTOR_TOUCHED: "the method got at what injects the fault",
    Cause.TIMED_OUT: "there was no outcome in the time it had",
    Cause.MODEL_ERROR: "the model did not answer, or with nothing that can be used",
    Cause.METHOD_ERROR: "the method crashed or gave up",
    Cause.NOT_ACCEPTED: "the report was not taken",
    Cause.ABSTAINED: "it abstained, although there is a good repair",
    Cause.NOT_HEALED: "it rightly did nothing, and the fault did not go by itself",
    Cause.SAW_NOTHING_WRONG: "it took the broken service for healthy",
    Cause.REJECTED: "its playbook was not allowed or did not compile, and nothing ran",
    Cause.ACTED_ON_CONTROL: "it acted where nothing should be done",
    Cause.ROLLBACK_FAILED: "it did not help, and the rollback was not complete",
    Cause.ROLLED_BACK: "it did not help, and was rolled back",
    Cause.CAME_BACK: "the effect was gone for a while and came back",
    Cause.NOT_SUFFICIENT: "it was the right kind of action, and the effect remained",
    Cause.WRONG_ACTION: "it did something else, and the effect remained",
    Cause.NEIGHBOUR_HARMED: "the effect is gone, and something beside the target is worse off",
    Cause.LEFT_CHANGED: "the effect is gone, and something is left changed that should not be",
    Cause.USERS_NOT_SERVED: "the effect is gone, and users are not served as before",
    Cause.NOT_MEASURED: "it could not be measured whether it helped",
    Cause.DID_NOTHING: "it did nothing and gave no reason",
    Cause.UNKNOWN: "the record does not say",
}

_BY_OUTCOME: Mapping[str, Cause] = {
    "TimedOut": Cause.TIMED_OUT,
    "Cancelled": Cause.TIMED_OUT,
    "NotAccepted": Cause.NOT_ACCEPTED,
    "Abstained": Cause.ABSTAINED,
    "NoActionNeeded": Cause.SAW_NOTHING_WRONG,
    "Rejected": Cause.REJECTED,
    "RollbackFailed": Cause.ROLLBACK_FAILED,
    "RolledBack": Cause.ROLLED_BACK,
}
_SIDE_EFFECTS: Mapping[str, Cause] = {
    "neighbours": Cause.NEIGHBOUR_HARMED,
    "changes": Cause.LEFT_CHANGED,
    "users": Cause.USERS_NOT_SERVED,
}
"""Cause by name of a measurement other than the effect; the first that fails counts."""
_INJECTOR = "injector"
_CHANGES = "changes"
_EFFECT = frozenset(Check.model_fields)
"""What the name of a measurement of the effect begins with."""
_CAME_BACK = re.compile(r"\bcame back\b")


def cause_of(result: CaseResult, fault: Fault | None = None) -> Cause:
    """Return why a case was not passed; `fault` sorts wrong actions better."""
    if result.passed:
        return Cause.NONE
    if result.state is State.INJECTION_FAILED:
        return Cause.INJECTION_FAILED
    if result.state is not State.JUDGED or result.strict is None:
        return Cause.HARNESS_ERROR
    method_report, verdict = result.method_report, result.strict
    if failed(verdict, _INJECTOR):
        return Cause.INJECTOR_TOUCHED
    if result.case.control is not None:
        return _of_control(result, verdict)
    if method_report.outcome in _BY_OUTCOME:
        return _BY_OUTCOME[method_report.outcome]
    if method_report.error or method_report.outcome == "Failed":
        return _of_error(f"{method_report.error} {method_report.message}")
    if not method_report.acted:
        return Cause.REJECTED if method_report.rejected else Cause.DID_NOTHING
    if (cause := _cause_in_verdict(verdict)) is not Cause.UNKNOWN:
        return cause
    if fault is None or not fault.repairs:
        return Cause.WRONG_ACTION
    right = same_kind(method_report.playbooks, fault, result.case)
    return Cause.NOT_SUFFICIENT if right else Cause.WRONG_ACTION


def _of_error(text: str) -> Cause:
    low = text.lower()
    if any(word in low for word in ("no outcome within", "timed out", "timeout", "deadline")):
        return Cause.TIMED_OUT
    return Cause.MODEL_ERROR if "model" in low else Cause.METHOD_ERROR


def acted(result: CaseResult) -> bool:
    """Return whether something was done: by the method's word, or by what was seen.

    Seen it can only be where nothing may be done: elsewhere the fault's own changes are among them.
    """
    if result.method_report.acted:
        return True
    if result.case.control is None or result.strict is None:
        return False
    return failed(result.strict, _CHANGES)


def effect_gone(verdict: Verdict) -> bool:
    """Return whether every measurement of the fault's effect holds."""
    return all(m.ok for m in verdict.measured if _begins(m.name) in _EFFECT)


def failed(verdict: Verdict, name: str) -> bool:
    """Return whether a measurement other than of the effect was bad, and not only unknown."""
    return any(m.ok is False for m in verdict.measured if _begins(m.name) == name)


def _of_control(result: CaseResult, verdict: Verdict) -> Cause:
    if acted(result):
        return Cause.ACTED_ON_CONTROL
    if any(m.ok is False for m in verdict.measured):
        return Cause.NOT_HEALED
    return Cause.NOT_MEASURED


def _cause_in_verdict(verdict: Verdict) -> Cause:
    """Return what failed besides the effect, or UNKNOWN when the effect remained."""
    if _CAME_BACK.search(" ".join(verdict.reasons)):
        return Cause.CAME_BACK
    bad = [m for m in verdict.measured if m.ok is not True]
    # Where the fault is still there, neighbours and users suffer from it: the effect goes first.
    if not any(m.ok is False and _begins(m.name) in _EFFECT for m in bad):
        for name, cause in _SIDE_EFFECTS.items():
            if failed(verdict, name):
                return cause
    return Cause.NOT_MEASURED if bad and all(m.ok is None for m in bad) else Cause.UNKNOWN


def _begins(name: str) -> str:
    return name.partition(" ")[0]
