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
from reme_lab.incidents.broken_system import BrokenSystem, Repair
from reme_lab.incidents.faults.catalog import ABSTENTIONS, FAULTS, WEIGHTS
from reme_lab.incidents.grader import Grader, reply_rewards
from reme_lab.incidents.report import ReportQuality, write_report
from reme_lab.incidents.rng import Rng, Split
from reme_lab.incidents.system import System
from reme_model.prompt.context import AttemptSummary, describe_incident
from reme_model.prompt.messages import ChatMessage, PromptStyle, build_messages, render_reply
from reme_model.prompt.schema import ABSTAIN, Abstain, reply_schema
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import Action
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.snapshot import ClusterSnapshot

POLICY = RemediationPolicySpec.model_validate({"actions": [{"name": name} for name in ActionName]})
"""Every action within the usual bounds: what is possible is then the cluster's to say."""
NOT_SIMULATED = frozenset({"full-cluster"})
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


class DroppedIncident(Exception):  # noqa: N818 (it is no error: another draw is made)
    """A draw that makes no trace, and why."""


@dataclass(frozen=True)
class IncidentSource:
    """What a trace was made of: enough to ask and to judge again."""

    live: ClusterSnapshot
    report: DiagnosisReportSpec
    previous: tuple[AttemptSummary, ...]
    measured: tuple[ProbeResult, ...]
    space: tuple[Action, ...]
    accepted: tuple[tuple[Action, ...], ...]
    abstain: Abstain | None


@dataclass(frozen=True)
class Incident:
    """A question with its answer."""

    seed: str
    fault: str
    kind: Kind
    split: Split
    quality: ReportQuality
    messages: list[ChatMessage]
    acceptable: tuple[str, ...]
    schema_digest: str
    candidates: Mapping[str, float] | None
    """What each reply is worth; of one that is not among them, such as a pair, it is not known."""
    source: IncidentSource = field(repr=False)

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


def kind_weights(abstain_percent: float) -> dict[Kind, float]:
    """Return how often each kind is drawn where nothing is to be done in so many of a hundred."""
    rest = sum(share for kind, share in _KINDS.items() if kind is not Kind.ABSTAIN)
    left = 100 - abstain_percent
    return {
        kind: abstain_percent if kind is Kind.ABSTAIN else share * left / rest
        for kind, share in _KINDS.items()
    }


def make_incident(
    seed: str,
    split: Split,
    *,
    candidates: bool = False,
    kinds: Mapping[Kind, float] = MappingProxyType(_KINDS),
) -> Incident:
    """Return the trace of a seed; with what each possible reply is worth, if that is asked for.

    `kinds` says how often each kind is drawn.

    Raises:
        Dropped: the draw makes none, such as a fault that does not fit the system.
    """
    rng = Rng(seed, split)
    kind = rng.weighted_choice(kinds)
    system = System(rng)
    fault, incident = _incident(rng, system, kind)
    if kind is Kind.WRONG_DIAGNOSIS and not incident.wrong_diagnoses:
        raise DroppedIncident("no wrong diagnosis for it")
    quality = _quality(rng, kind, incident)
    more = [prompt_injections.injected_evidence(rng, system)] if kind is Kind.INJECTED else []
    live = snapshot.snapshot_of(system)
    report, measured = write_report(rng, incident, quality, more)
    space: tuple[Action, ...] = allowed_actions(live, POLICY)
    previous: tuple[AttemptSummary, ...] = ()
    if kind is Kind.SECOND:
        tried = _tried(rng, incident, space, measured)
        previous, space = (tried[1],), tuple(a for a in space if a != tried[0])
    if not space:
        raise DroppedIncident("nothing is possible")
    context = describe_incident(live, report, previous, measured)
    grader = Grader(incident, live, report.probes)
    accepted = _told_first(_accepted(incident, space, live), context)
    accepted = _verified(fault, grader, incident, space, accepted)
    replies = _replies(incident, accepted)
    schema = json.dumps(reply_schema(space), separators=(",", ":"))
    return Incident(
        seed=seed,
        fault=fault,
        kind=kind,
        split=split,
        quality=quality,
        messages=build_messages(context, space, PromptStyle.TRAINED),
        acceptable=replies,
        schema_digest=f"sha256:{sha256(schema.encode()).hexdigest()}",
        candidates=reply_rewards(grader, space, incident.abstain, accepted) if candidates else None,
        source=IncidentSource(live, report, previous, measured, space, accepted, incident.abstain),
    )


def _incident(rng: Rng, system: System, kind: Kind) -> tuple[str, BrokenSystem]:
    if rng.chance(_NOTHING_TO_DO_PERCENT.get(kind, 0)):
        fault = rng.weighted_choice({name: weight for name, (weight, _) in ABSTENTIONS.items()})
        incident = ABSTENTIONS[fault][1](rng, system)
    else:
        fault = rng.weighted_choice({name: WEIGHTS.get(name, 1) for name in FAULTS})
        incident = FAULTS[fault](rng, system)
    if incident is None:
        raise DroppedIncident(f"{fault} does not fit the system")
    return fault, incident


def _quality(rng: Rng, kind: Kind, incident: BrokenSystem) -> ReportQuality:
    if kind is Kind.WRONG_DIAGNOSIS:
        return ReportQuality.WRONG
    weights = {ReportQuality.FULL: 45, ReportQuality.TERSE: 25, ReportQuality.BARE: 30}
    if incident.abstain is Abstain.NO_ACTION and incident.wrong_diagnoses:
        weights[ReportQuality.WRONG] = 30
    if incident.abstain is Abstain.ELSEWHERE or kind is Kind.INJECTED:
        weights = {ReportQuality.FULL: 80, ReportQuality.TERSE: 20}
    return rng.weighted_choice(weights)


def _tried(
    rng: Rng, incident: BrokenSystem, space: Sequence[Action], measured: Sequence[ProbeResult]
) -> tuple[Action, AttemptSummary]:
    """Return an action that somebody might have tried first, and what came of it."""
    some = list(incident.useless_repairs)
    for (wished,) in (r for r in rng.sample(some, len(some)) if len(r) == 1):
        action = wished.find_in(space)
        if action is not None:
            failing = [p.name for p in measured if p.failed] or ["rollout"]
            return action, AttemptSummary(
                number=1,
                actions=(action.summary(),),
                result=rng.choice(("ProbesFailed, undone", "ProbesFailed, undone", "ProbesFailed")),
                message=f"still failing at the end: {', '.join(failing)}",
            )
    raise DroppedIncident("nothing useless to try first")


def _accepted(
    incident: BrokenSystem, space: Sequence[Action], live: ClusterSnapshot
) -> tuple[tuple[Action, ...], ...]:
    """Return what an expert would accept, of what is possible and passes the gate."""
    if incident.abstain is not None:
        return ()
    found = [actions for r in incident.repairs if (actions := _resolved(r, space, live))]
    if not found or len(found[0]) != len(incident.repairs[0]):
        raise DroppedIncident("the best repair is not possible")
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
    incident: BrokenSystem,
    space: Sequence[Action],
    accepted: tuple[tuple[Action, ...], ...],
) -> tuple[tuple[Action, ...], ...]:
    """Return the repairs that the simulator finds good; the best has to be among them."""
    reached = incident.abstain is Abstain.NO_ACTION and fault not in NOT_SIMULATED
    if reached and any(grader.verdict([action]).good for action in space):
        raise DroppedIncident(f"{fault}: something does help")
    if incident.abstain is not None:
        if incident.abstain is not Abstain.NO_ACTION and grader.problems_without_probes:
            raise DroppedIncident(f"{fault}: something is wrong")
        return ()
    if not grader.problems:
        raise DroppedIncident(f"{fault}: nothing is wrong")
    good = tuple(actions for actions in accepted if grader.verdict(actions).good)
    if not good or good[0] != accepted[0]:
        raise DroppedIncident(f"{fault}: the best repair is not verified")
    return good


def _resolved(
    repair: Repair, space: Sequence[Action], live: ClusterSnapshot
) -> tuple[Action, ...] | None:
    actions = tuple(action for wished in repair if (action := wished.find_in(space)) is not None)
    if len(actions) != len(repair):
        return None
    try:
        validate(actions, POLICY, live)
    except RejectedPlaybookError:
        return None
    return actions


def _replies(incident: BrokenSystem, accepted: Sequence[Sequence[Action]]) -> tuple[str, ...]:
    if incident.abstain is not None:
        return (json.dumps({ABSTAIN: incident.abstain}, separators=(",", ":")),)
    return tuple(render_reply(actions) for actions in accepted)
