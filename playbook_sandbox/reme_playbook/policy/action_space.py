"""The action space: every action that could help now, for a model to choose from.

The policy and the cluster allow it, and the evidence does not speak against it.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicySpec
from reme_playbook.actions.registry import PUBLIC, Action, build
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.evidence_rules import Evidence, NotSupportedError, refusal
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_ACTIONS = 96
"""More would make the grammar slow and the choice no better."""


class Evaluation(NamedTuple):
    """One candidate, and why validation or the evidence rejects it, if so."""

    name: ActionName
    action: Action | None  # None: the candidate is not a valid action
    refusal: RejectedPlaybookError | None


def allowed_actions(
    snapshot: ClusterSnapshot,
    policy: RemediationPolicySpec,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
    with_evidence: bool = True,
) -> tuple[Action, ...]:
    """Return every action that could help now, with a few values each, bounded in number.

    Without evidence, also those that only the policy and the cluster allow: to measure the rules.
    """
    listed = {rule.name for rule in policy.actions}
    evidence = Evidence(snapshot)
    allowed: dict[Action, None] = {}
    for name in PUBLIC:
        if name not in listed:
            continue
        for candidate in evaluate(
            name, snapshot, policy, release_namespace=release_namespace, now=now, evidence=evidence
        ):
            refused = candidate.refusal is not None and (
                with_evidence or not isinstance(candidate.refusal, NotSupportedError)
            )
            if candidate.action is not None and not refused:
                allowed[candidate.action] = None
    return tuple(islice(allowed, MAX_ACTIONS))


def evaluate(
    name: ActionName,
    snapshot: ClusterSnapshot,
    policy: RemediationPolicySpec,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
    evidence: Evidence | None = None,
) -> Iterator[Evaluation]:
    """Yield every candidate of this name, and how validation and the evidence rules decide.

    `evidence` is what the snapshot shows, if that was computed already.
    """
    evidence = evidence or Evidence(snapshot)
    for draft in PUBLIC[name].candidates(snapshot):
        action: Action | None = None
        try:
            action = build({"target": snapshot.target, **draft})
            validate((action,), policy, snapshot, release_namespace=release_namespace, now=now)
        except RejectedPlaybookError as error:
            yield Evaluation(name, action, error)
        else:
            yield Evaluation(name, action, refusal(action, evidence))


def refusals_by_action(
    snapshot: ClusterSnapshot,
    policy: RemediationPolicySpec,
    *,
    release_namespace: str = "",
    now: datetime | None = None,
) -> dict[ActionName, RejectedPlaybookError]:
    """Return, for each action that the policy lists, what the evidence says against it.

    Or else the first refusal by the rule that most of its candidates broke.
    """
    listed = {rule.name for rule in policy.actions}
    evidence = Evidence(snapshot)
    refusals: dict[ActionName, RejectedPlaybookError] = {}
    for name in PUBLIC:
        if name not in listed:
            continue
        errors = [
            candidate.refusal
            for candidate in evaluate(
                name,
                snapshot,
                policy,
                release_namespace=release_namespace,
                now=now,
                evidence=evidence,
            )
            if candidate.refusal is not None
        ]
        if errors:
            refusals[name] = _most_telling(errors)
    return refusals


def _most_telling(errors: list[RejectedPlaybookError]) -> RejectedPlaybookError:
    counts = Counter(error.rule for error in errors)
    counts[RejectionRule.NOT_SUPPORTED] *= len(errors)
    most = counts.most_common(1)[0][0]
    return next(error for error in errors if error.rule is most)
