"""What an evidence rule is, and the list of them: each is a function next to its reason."""

from collections.abc import Callable
from typing import NamedTuple

from reme_api.actions import ActionName
from reme_playbook.actions.registry import Action
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.evidence.facts import Evidence

Objection = Callable[[Action, Evidence], str]
"""Returns what speaks against an action, as a sentence without a full stop; empty if nothing."""


class EvidenceRule(NamedTuple):
    """A rule, the actions that it is about, and why it exists."""

    name: str
    actions: tuple[ActionName, ...]
    reason: str
    objection: Objection


class NotSupportedError(RejectedPlaybookError):
    """The evidence speaks against an action."""

    def __init__(self, rule: EvidenceRule, message: str) -> None:
        self.evidence_rule = rule
        super().__init__(RejectionRule.NOT_SUPPORTED, message)


RULES: list[EvidenceRule] = []
"""All rules, in the order in which they are asked."""


def evidence_rule(name: str, *actions: ActionName, reason: str) -> Callable[[Objection], Objection]:
    """Register a function as a rule about these actions."""

    def register(objection: Objection) -> Objection:
        RULES.append(EvidenceRule(name, actions, reason, objection))
        return objection

    return register
