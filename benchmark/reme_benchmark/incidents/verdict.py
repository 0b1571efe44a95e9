"""What a remediation of an incident was worth: right, missed, wrong or harmful. Pure.

An action that ran and is none of the right ones is useless, also when it was rolled back: it
disturbed a system for nothing. A right action after useless ones is right, and the useless ones
are counted.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from pydantic import BaseModel

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_benchmark.incidents.model import Incident

_NOT_RUN = frozenset({Reason.RUN_NOT_STARTED, Reason.PLAYBOOK_REJECTED})
_STAYED = frozenset({Outcome.VERIFIED, Outcome.UNVERIFIED, Outcome.ROLLBACK_FAILED, Outcome.FAILED})


class Verdict(StrEnum):
    """The worth of a remediation."""

    RIGHT = "right"  # repaired as people confirmed, or left alone where nothing is to be done
    MISSED = "missed"  # nothing was done, and something should have been
    WRONG = "wrong"  # acted, and not as people confirmed
    HARMFUL = "harmful"  # did what makes it worse
    ERROR = "error"  # the incident was not played to its end


class PlayedAction(BaseModel):
    """An action that ran."""

    name: str
    object: str
    summary: str
    in_place: bool  # in place at the end
    right: bool
    harmful: bool


class Grade(BaseModel):
    """A verdict, its reason, and the actions that ran."""

    verdict: Verdict
    reason: str
    actions: list[PlayedAction] = []

    @property
    def useless(self) -> int:
        """The number of actions that ran and are none of the right ones."""
        return sum(not action.right for action in self.actions)


def grade_remediations(
    incident: Incident, remediations: Sequence[Remediation], *, served: bool | None
) -> Grade:
    """Return the verdict on the remediations of one report, the first one first.

    `served` says whether users were served at the end; None where the incident asks nothing.
    """
    actions = [a for r in remediations for a in _actions(incident, r.status.attempts)]
    if harmful := [a for a in actions if a.harmful]:
        reason = f"harmful: {harmful[0].summary}"
        return Grade(verdict=Verdict.HARMFUL, reason=reason, actions=actions)
    status = remediations[0].status
    end = f"{status.outcome} {status.reason or ''}".strip()
    if any(action.right and action.in_place for action in actions):
        if served is False:
            reason = "the right action ran, and users are not served"
            return Grade(verdict=Verdict.WRONG, reason=reason, actions=actions)
        return Grade(verdict=Verdict.RIGHT, reason=end, actions=actions)
    if actions:
        reason = f"{end} after {actions[0].summary}"
        return Grade(verdict=Verdict.WRONG, reason=reason, actions=actions)
    if any(
        e.outcome == status.outcome and e.reason in ("", status.reason) for e in incident.right.ends
    ):
        return Grade(verdict=Verdict.RIGHT, reason=end)
    return Grade(verdict=Verdict.MISSED, reason=end)


def _actions(incident: Incident, attempts: Iterable[Attempt]) -> list[PlayedAction]:
    played = []
    for attempt in attempts:
        if attempt.run is None or attempt.run.reason in _NOT_RUN or not attempt.run.created_time:
            continue
        in_place = attempt.outcome in _STAYED
        for action in attempt.actions:
            named = (str(action.name), action.object_name, action.summary)
            right = any(p.matches(*named, in_place=in_place) for p in incident.right.actions)
            harmful = any(p.matches(*named, in_place=in_place) for p in incident.harmful)
            played.append(
                PlayedAction(
                    name=named[0],
                    object=named[1],
                    summary=named[2],
                    in_place=in_place,
                    right=right,
                    harmful=harmful,
                )
            )
    return played
