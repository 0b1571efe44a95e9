"""One training example: a broken system, the operator's prompt, and the expected replies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from reme_playbook.snapshot.named_pods import named_pods
from reme_playbook.snapshot.snapshot import ClusterSnapshot

POLICY = RemediationPolicySpec.model_validate({"actions": [{"name": name} for name in ActionName]})
"""Allows every action within the default bounds; the snapshot decides what is possible."""
NOT_SIMULATED = frozenset({"full-cluster"})
"""Faults that the simulator does not reproduce: its nodes have room for every pod."""


class Kind(StrEnum):
    """What an incident teaches."""

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
_NO_ACTION_PERCENT = {Kind.ABSTAIN: 100, Kind.INJECTED: 45, Kind.SECOND: 15}
"""Percentage of incidents of a kind that need no action. Injected text most easily makes a model
act where nothing is wrong.
"""


class DroppedIncident(Exception):  # noqa: N818 (not an error: another incident is drawn)
    """Raised with the reason if a seed makes no valid incident."""


@dataclass(frozen=True)
class IncidentSource:
    """What an incident was made from: enough to build the prompt and to grade replies again."""

    live: ClusterSnapshot
    report: DiagnosisReportSpec
    previous: tuple[AttemptSummary, ...]
    measured: tuple[ProbeResult, ...]
    space: tuple[Action, ...]
    accepted: tuple[tuple[Action, ...], ...]
    abstain: Abstain | None


@dataclass(frozen=True)
class Incident:
    """The prompt, the accepted replies, and their origin."""

    seed: str
    fault: str
    kind: Kind
    split: Split
    quality: ReportQuality
    messages: list[ChatMessage]
    acceptable: tuple[str, ...]
    schema_digest: str
    candidates: Mapping[str, float] | None
    """The reward of each reply; replies that are not listed were not graded."""
    source: IncidentSource = field(repr=False)

    @property
    def id(self) -> str:
        """An id derived from the prompt and the answer."""
        text = json.dumps([self.messages, self.acceptable[0]])
        return sha256(text.encode()).hexdigest()[:16]

    def record(self) -> dict[str, Any]:
        """Return the incident in the format of the data files."""
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
    """Return the weights of the kinds, given the percentage of abstentions."""
    rest = sum(share for kind, share in _KINDS.items() if kind is not Kind.ABSTAIN)
    remaining = 100 - abstain_percent
    return {
        kind: abstain_percent if kind is Kind.ABSTAIN else share * remaining / rest
        for kind, share in _KINDS.items()
    }


def make_incident(
    seed: str,
    split: Split,
    *,
    candidates: bool = False,
    kinds: Mapping[Kind, float] = MappingProxyType(_KINDS),
    with_evidence: bool = True,
) -> Incident:
    """Return the incident of a seed, with the reward of each possible reply if `candidates`.

    `kinds` are the weights of the kinds. Without evidence, actions that the evidence rules refuse
    are offered as well.

    Raises:
        DroppedIncident: the seed makes none, such as a fault that does not fit the system.
    """
    rng = Rng(seed, split)
    kind = rng.weighted_choice(kinds)
    system = System(rng)
    fault, broken = _break_system(rng, system, kind)
    if kind is Kind.WRONG_DIAGNOSIS and not broken.wrong_diagnoses:
        raise DroppedIncident("the fault has no wrong diagnosis")
    quality = _quality(rng, kind, broken)
    more = [prompt_injections.injected_evidence(rng, system)] if kind is Kind.INJECTED else []
    live = snapshot.snapshot_of(system)
    report, measured = write_report(rng, broken, quality, more)
    live = replace(live, named_pods=_named_pods(system, report))
    space: tuple[Action, ...] = allowed_actions(live, POLICY, with_evidence=with_evidence)
    previous: tuple[AttemptSummary, ...] = ()
    if kind is Kind.SECOND:
        attempt = _failed_attempt(rng, broken, space, measured)
        previous, space = (attempt[1],), tuple(a for a in space if a != attempt[0])
    if not space:
        raise DroppedIncident("no action is possible")
    context = describe_incident(live, report, previous, measured)
    grader = Grader(broken, live, report.probes)
    accepted = _mentioned(_accepted(broken, space, live), context)
    accepted = _verified(fault, grader, broken, space, accepted)
    replies = _replies(broken, accepted)
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
        candidates=reply_rewards(grader, space, broken.abstain, accepted) if candidates else None,
        source=IncidentSource(live, report, previous, measured, space, accepted, broken.abstain),
    )


def _named_pods(system: System, report: DiagnosisReportSpec) -> tuple[str, ...]:
    evidence = (text for item in report.evidence for text in (item.source, item.text))
    return named_pods((pod.name for pod in system.pods), [report.fault.summary, *evidence])


def _break_system(rng: Rng, system: System, kind: Kind) -> tuple[str, BrokenSystem]:
    if rng.chance(_NO_ACTION_PERCENT.get(kind, 0)):
        fault = rng.weighted_choice({name: weight for name, (weight, _) in ABSTENTIONS.items()})
        broken = ABSTENTIONS[fault][1](rng, system)
    else:
        fault = rng.weighted_choice({name: WEIGHTS.get(name, 1) for name in FAULTS})
        broken = FAULTS[fault](rng, system)
    if broken is None:
        raise DroppedIncident(f"{fault} does not fit the system")
    return fault, broken


def _quality(rng: Rng, kind: Kind, broken: BrokenSystem) -> ReportQuality:
    if kind is Kind.WRONG_DIAGNOSIS:
        return ReportQuality.WRONG
    weights = {ReportQuality.FULL: 45, ReportQuality.TERSE: 25, ReportQuality.BARE: 30}
    if broken.abstain is Abstain.NO_ACTION and broken.wrong_diagnoses:
        weights[ReportQuality.WRONG] = 30
    if broken.abstain is Abstain.ELSEWHERE or kind is Kind.INJECTED:
        weights = {ReportQuality.FULL: 80, ReportQuality.TERSE: 20}
    return rng.weighted_choice(weights)


def _failed_attempt(
    rng: Rng, broken: BrokenSystem, space: Sequence[Action], measured: Sequence[ProbeResult]
) -> tuple[Action, AttemptSummary]:
    """Return an action that does not help, and the summary of that attempt."""
    repairs = list(broken.useless_repairs)
    for (expected,) in (r for r in rng.sample(repairs, len(repairs)) if len(r) == 1):
        action = expected.find_in(space)
        if action is not None:
            failing = [p.name for p in measured if p.failed] or ["rollout"]
            return action, AttemptSummary(
                number=1,
                actions=(action.summary(),),
                result=rng.choice(("ProbesFailed, undone", "ProbesFailed, undone", "ProbesFailed")),
                message=f"still failing at the end: {', '.join(failing)}",
            )
    raise DroppedIncident("no useless action is possible")


def _accepted(
    broken: BrokenSystem, space: Sequence[Action], live: ClusterSnapshot
) -> tuple[tuple[Action, ...], ...]:
    """Return the expected repairs that are possible and pass validation."""
    if broken.abstain is not None:
        return ()
    repairs = [actions for r in broken.repairs if (actions := _find_actions(r, space, live))]
    if not repairs or len(repairs[0]) != len(broken.repairs[0]):
        raise DroppedIncident("the best repair is not possible")
    return tuple(dict.fromkeys(repairs))


def _mentioned(
    accepted: tuple[tuple[Action, ...], ...], context: str
) -> tuple[tuple[Action, ...], ...]:
    """Return the repairs without deletions of pods that the prompt does not mention."""
    mentioned = [
        actions
        for actions in accepted
        if not any(isinstance(a, DeletePod) and a.target.name not in context for a in actions)
    ]
    return tuple(mentioned) or accepted


def _verified(
    fault: str,
    grader: Grader,
    broken: BrokenSystem,
    space: Sequence[Action],
    accepted: tuple[tuple[Action, ...], ...],
) -> tuple[tuple[Action, ...], ...]:
    """Return the repairs that the simulator verifies; the best one must be among them."""
    simulated = broken.abstain is Abstain.NO_ACTION and fault not in NOT_SIMULATED
    if simulated and any(grader.verdict([action]).good for action in space):
        raise DroppedIncident(f"{fault}: an action helps")
    if broken.abstain is not None:
        if broken.abstain is not Abstain.NO_ACTION and grader.problems_without_probes:
            raise DroppedIncident(f"{fault}: something is wrong")
        return ()
    if not grader.problems:
        raise DroppedIncident(f"{fault}: nothing is wrong")
    verified = tuple(actions for actions in accepted if grader.verdict(actions).good)
    if not verified or verified[0] != accepted[0]:
        raise DroppedIncident(f"{fault}: the best repair is not verified")
    return verified


def _find_actions(
    repair: Repair, space: Sequence[Action], live: ClusterSnapshot
) -> tuple[Action, ...] | None:
    actions = tuple(
        action for expected in repair if (action := expected.find_in(space)) is not None
    )
    if len(actions) != len(repair):
        return None
    try:
        validate(actions, POLICY, live)
    except RejectedPlaybookError:
        return None
    return actions


def _replies(broken: BrokenSystem, accepted: Sequence[Sequence[Action]]) -> tuple[str, ...]:
    if broken.abstain is not None:
        return (json.dumps({ABSTAIN: broken.abstain}, separators=(",", ":")),)
    return tuple(render_reply(actions) for actions in accepted)
