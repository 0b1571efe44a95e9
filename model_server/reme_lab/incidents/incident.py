"""One trace: a broken system, the question that the operator would ask, and an expert's answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from reme_api.actions import ActionName
from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.policy import RemediationPolicySpec
from reme_api.probes import ProbeResult
from reme_lab.incidents import prompt_injections, snapshot
from reme_lab.incidents.broken_system import Incident, Repair
from reme_lab.incidents.faults.catalog import ABSTENTIONS, FAULTS, WEIGHTS
from reme_lab.incidents.grader import Grader, rewards
from reme_lab.incidents.report import Quality, write
from reme_lab.incidents.rng import Draw, Split
from reme_lab.incidents.system import System
from reme_model.inference.generation import ChatMessage
from reme_model.prompt.context import AttemptSummary, describe
from reme_model.prompt.messages import PromptStyle, messages, written
from reme_model.prompt.schema import ABSTAIN, Abstain, reply_schema
from reme_playbook.actions.registry import Action, DeletePod
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import check
from reme_playbook.snapshot.snapshot import ClusterSnapshot

POLICY = RemediationPolicySpec.model_validate({"actions": [{"name": name} for name in ActionName]})
"""Every action within the usual bounds: what is possible is then the cluster's to say."""
UNSEEN = frozenset({"full-cluster"})
"""Faults that the simulator does not show: it has room for every pod."""


class Kind(StrEnum):
    """What a trace teaches."""

    REPAIR = "repair"
    SECOND = "second"
    ABSTAIN = "abstain"
    WRONG_DIAGNOSIS = "wrong-diagnosis"
    INJECTED = "injected"


_KINDS = {
    Kind.REPAIR: 44,
    Kind.WRONG_DIAGNOSIS: 13,
    Kind.SECOND: 7,
    Kind.INJECTED: 8,
    Kind.ABSTAIN: 28,
}
_NOTHING_TO_DO_PERCENT = {Kind.ABSTAIN: 100, Kind.INJECTED: 45, Kind.SECOND: 15}
"""How often nothing is to be done: who injects text finds it easiest to talk a model into acting
where nothing is wrong."""


class Dropped(Exception):  # noqa: N818 (it is no error: another draw is made)
    """A draw that makes no trace, and why."""


@dataclass(frozen=True)
class Case:
    """What a trace was made of: enough to ask and to judge again."""

    live: ClusterSnapshot
    report: DiagnosisReportSpec
    previous: tuple[AttemptSummary, ...]
    measured: tuple[ProbeResult, ...]
    space: tuple[Action, ...]
    accepted: tuple[tuple[Action, ...], ...]
    abstain: Abstain | None


@dataclass(frozen=True)
class Trace:
    """A question with its answer."""

    seed: str
    fault: str
    kind: Kind
    split: Split
    quality: Quality
    messages: list[ChatMessage]
    acceptable: tuple[str, ...]
    schema_digest: str
    candidates: Mapping[str, float] | None
    """What each reply is worth; of one that is not among them, such as a pair, it is not known."""
    case: Case = field(repr=False)

    @property
    def id(self) -> str:
        """A name that follows from the question and its answer."""
        text = json.dumps([self.messages, self.acceptable[0]])
        return sha256(text.encode()).hexdigest()[:16]

    def record(self) -> dict[str, Any]:
        """Return the trace as it is written."""
        record = {
            "id": self.id,
            "seed": self.seed,
            "fault": self.fault,
            "kind": str(self.kind),
            "quality": str(self.quality),
            "split": str(self.split),
            "messages": self.messages,
            "answer": self.acceptable[0],
            "acceptable": list(self.acceptable),
            "schema_digest": self.schema_digest,
        }
        return record if self.candidates is None else {**record, "candidates": self.candidates}


def mix(abstain_percent: float) -> dict[Kind, float]:
    """Return how often each kind is drawn where nothing is to be done in so many of a hundred."""
    rest = sum(share for kind, share in _KINDS.items() if kind is not Kind.ABSTAIN)
    left = 100 - abstain_percent
    return {
        kind: abstain_percent if kind is Kind.ABSTAIN else share * left / rest
        for kind, share in _KINDS.items()
    }


def make(
    seed: str,
    split: Split,
    *,
    candidates: bool = False,
    kinds: Mapping[Kind, float] = MappingProxyType(_KINDS),
) -> Trace:
    """Return the trace of a seed; with what each possible reply is worth, if that is asked for.

    `kinds` says how often each kind is drawn.

    Raises:
        Dropped: the draw makes none, such as a fault that does not fit the system.
    """
    draw = Draw(seed, split)
    kind = draw.weighted(kinds)
    system = System(draw)
    fault, incident = _incident(draw, system, kind)
    if kind is Kind.WRONG_DIAGNOSIS and not incident.astray:
        raise Dropped("no wrong diagnosis for it")
    quality = _quality(draw, kind, incident)
    more = [prompt_injections.clue(draw, system)] if kind is Kind.INJECTED else []
    live = snapshot.live(system)
    report, measured = write(draw, incident, quality, more)
    space: tuple[Action, ...] = allowed_actions(live, POLICY)
    previous: tuple[AttemptSummary, ...] = ()
    if kind is Kind.SECOND:
        tried = _tried(draw, incident, space, measured)
        previous, space = (tried[1],), tuple(a for a in space if a != tried[0])
    if not space:
        raise Dropped("nothing is possible")
    context = describe(live, report, previous, measured)
    grader = Grader(incident, live, report.probes)
    accepted = _told_first(_accepted(incident, space, live), context)
    accepted = _verified(fault, grader, incident, space, accepted)
    replies = _replies(incident, accepted)
    schema = json.dumps(reply_schema(space), separators=(",", ":"))
    return Trace(
        seed=seed,
        fault=fault,
        kind=kind,
        split=split,
        quality=quality,
        messages=messages(context, space, PromptStyle.TRAINED),
        acceptable=replies,
        schema_digest=f"sha256:{sha256(schema.encode()).hexdigest()}",
        candidates=rewards(grader, space, incident.abstain, accepted) if candidates else None,
        case=Case(live, report, previous, measured, space, accepted, incident.abstain),
    )


def _incident(draw: Draw, system: System, kind: Kind) -> tuple[str, Incident]:
    if draw.chance(_NOTHING_TO_DO_PERCENT.get(kind, 0)):
        fault = draw.weighted({name: weight for name, (weight, _) in ABSTENTIONS.items()})
        incident = ABSTENTIONS[fault][1](draw, system)
    else:
        fault = draw.weighted({name: WEIGHTS.get(name, 1) for name in FAULTS})
        incident = FAULTS[fault](draw, system)
    if incident is None:
        raise Dropped(f"{fault} does not fit the system")
    return fault, incident


def _quality(draw: Draw, kind: Kind, incident: Incident) -> Quality:
    if kind is Kind.WRONG_DIAGNOSIS:
        return Quality.WRONG
    weights = {Quality.FULL: 45, Quality.TERSE: 25, Quality.BARE: 30}
    if incident.abstain is Abstain.NO_ACTION and incident.astray:
        weights[Quality.WRONG] = 30
    if incident.abstain is Abstain.ELSEWHERE or kind is Kind.INJECTED:
        weights = {Quality.FULL: 80, Quality.TERSE: 20}
    return draw.weighted(weights)


def _tried(
    draw: Draw, incident: Incident, space: Sequence[Action], measured: Sequence[ProbeResult]
) -> tuple[Action, AttemptSummary]:
    """Return an action that somebody might have tried first, and what came of it."""
    some = list(incident.useless)
    for (wished,) in (r for r in draw.some(some, len(some)) if len(r) == 1):
        action = wished.of(space)
        if action is not None:
            failing = [p.name for p in measured if p.failed] or ["rollout"]
            return action, AttemptSummary(
                number=1,
                actions=(action.summary(),),
                result=draw.one(("ProbesFailed, undone", "ProbesFailed, undone", "ProbesFailed")),
                message=f"still failing at the end: {', '.join(failing)}",
            )
    raise Dropped("nothing useless to try first")


def _accepted(
    incident: Incident, space: Sequence[Action], live: ClusterSnapshot
) -> tuple[tuple[Action, ...], ...]:
    """Return what an expert would accept, of what is possible and passes the gate."""
    if incident.abstain is not None:
        return ()
    found = [actions for r in incident.repairs if (actions := _resolved(r, space, live))]
    if not found or len(found[0]) != len(incident.repairs[0]):
        raise Dropped("the best repair is not possible")
    return tuple(dict.fromkeys(found))


def _told_first(
    accepted: tuple[tuple[Action, ...], ...], context: str
) -> tuple[tuple[Action, ...], ...]:
    """Leave out to delete a pod that nothing points at: a guess would be as good."""
    told = [
        actions
        for actions in accepted
        if not any(isinstance(a, DeletePod) and a.target.name not in context for a in actions)
    ]
    return tuple(told) or accepted


def _verified(
    fault: str,
    grader: Grader,
    incident: Incident,
    space: Sequence[Action],
    accepted: tuple[tuple[Action, ...], ...],
) -> tuple[tuple[Action, ...], ...]:
    """Return the repairs that the simulator finds good; the best has to be among them."""
    reached = incident.abstain is Abstain.NO_ACTION and fault not in UNSEEN
    if reached and any(grader.verdict([action]).good for action in space):
        raise Dropped(f"{fault}: something does help")
    if incident.abstain is not None:
        if incident.abstain is not Abstain.NO_ACTION and grader.unwell:
            raise Dropped(f"{fault}: something is wrong")
        return ()
    if not grader.failing:
        raise Dropped(f"{fault}: nothing is wrong")
    good = tuple(actions for actions in accepted if grader.verdict(actions).good)
    if not good or good[0] != accepted[0]:
        raise Dropped(f"{fault}: the best repair is not verified")
    return good


def _resolved(
    repair: Repair, space: Sequence[Action], live: ClusterSnapshot
) -> tuple[Action, ...] | None:
    actions = tuple(action for wished in repair if (action := wished.of(space)) is not None)
    if len(actions) != len(repair):
        return None
    try:
        check(actions, POLICY, live)
    except RejectedPlaybookError:
        return None
    return actions


def _replies(incident: Incident, accepted: Sequence[Sequence[Action]]) -> tuple[str, ...]:
    if incident.abstain is not None:
        return (json.dumps({ABSTAIN: incident.abstain}, separators=(",", ":")),)
    return tuple(written(actions) for actions in accepted)
