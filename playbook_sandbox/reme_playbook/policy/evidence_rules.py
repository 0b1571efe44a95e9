"""Which actions the evidence speaks against, whatever the policy allows.

A rule refuses an action only where the snapshot shows that it cannot help, or that it would take
away what worked; without evidence nothing is refused. The rules bind what a model is offered and
what it writes. A person who edits a plan is not bound by them.
"""

import importlib
from collections.abc import Sequence

from reme_api.actions import ActionName
from reme_playbook.actions.registry import Action
from reme_playbook.policy import evidence as rules_package
from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.policy.evidence.rule import RULES, EvidenceRule, NotSupportedError
from reme_playbook.snapshot.snapshot import ClusterSnapshot

for _module in ("dependency_rules", "pod_rules", "probe_rules", "resource_rules", "rollback_rules"):
    importlib.import_module(f"{rules_package.__name__}.{_module}")

_BY_ACTION = {name: tuple(r for r in RULES if name in r.actions) for name in ActionName}
_REPLACING_PODS = (ActionName.RESTART, ActionName.DELETE_POD)


def refusal(action: Action, evidence: Evidence) -> NotSupportedError | None:
    """Return what speaks against an action, by the first rule that refuses it."""
    for rule in _BY_ACTION[action.name]:
        if message := rule.objection(action, evidence):
            return NotSupportedError(rule, message)
    return None


def check_evidence(actions: Sequence[Action], snapshot: ClusterSnapshot) -> None:
    """Return if the evidence speaks against none of the actions of a playbook.

    Pods may be replaced together with a change of the template: the new ones are different.

    Raises NotSupportedError for the first action that the evidence speaks against.
    """
    evidence = Evidence(snapshot)
    changes_template = any(a.ROLLS_OUT and a.name is not ActionName.RESTART for a in actions)
    for action in actions:
        if changes_template and action.name in _REPLACING_PODS:
            continue
        if (error := refusal(action, evidence)) is not None:
            raise error


__all__ = ["RULES", "Evidence", "EvidenceRule", "NotSupportedError", "check_evidence", "refusal"]
