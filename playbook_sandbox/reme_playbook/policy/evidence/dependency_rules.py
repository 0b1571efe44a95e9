"""Where the fault is not in the target's pods: in what it calls, or in its Service."""

from reme_api.actions import ActionName
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollback import Rollback
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.evidence.dependency_faults import dependency_faults
from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.policy.evidence.rule import evidence_rule
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.pod_template import differences
from reme_playbook.snapshot.snapshot import ClusterSnapshot

FAULT_OF_DEPENDENCY = "FaultOfDependency"
"""The name of the rule by which a remediation ends with the reason FaultElsewhere."""


@evidence_rule(
    FAULT_OF_DEPENDENCY,
    ActionName.RESTART,
    ActionName.DELETE_POD,
    ActionName.SCALE,
    ActionName.ROLLBACK,
    ActionName.SET_IMAGE,
    ActionName.SET_RESOURCES,
    ActionName.SET_COMMAND,
    ActionName.SET_ENV,
    ActionName.PATCH_PROBE,
    reason="The target shows no fault of its own, and something that it calls does. Nothing that"
    " is changed at the target changes that, except the setting that says what it calls.",
)
def fault_of_dependency(action: Action, evidence: Evidence) -> str:
    """Refuse to change a target that only passes on the fault of what it calls."""
    faults = dependency_faults(evidence.snapshot)
    if not faults or not evidence.all_well or evidence.unserved_service:
        return ""
    if _says_who_is_called(action, evidence.snapshot, {fault.name for fault in faults}):
        return ""
    return f"{evidence.snapshot.target} shows no fault, and {faults[0].name} does: {faults[0].text}"


def _says_who_is_called(action: Action, snapshot: ClusterSnapshot, names: set[str]) -> bool:
    """Return whether the action changes a setting that names what is at fault."""
    if isinstance(action, SetEnv):
        view = snapshot.container(action.container)
        present = (view.env.get(action.variable) if view else None) or ""
        return any(name in present or name in action.value for name in names)
    if isinstance(action, Rollback):
        try:
            earlier = action.revision_in(snapshot).template
        except RejectedPlaybookError:
            return False
        return any(
            name in (change.before or "") or name in (change.after or "")
            for change in differences(snapshot.template, earlier)
            for name in names
        )
    return False


@evidence_rule(
    "ServiceElsewhere",
    ActionName.RESTART,
    ActionName.DELETE_POD,
    ActionName.SCALE,
    reason="All pods are well, and the Service does not lead to them. No new pod changes where a"
    " Service leads.",
)
def service_elsewhere(action: Action, evidence: Evidence) -> str:
    """Refuse to replace or add pods that the Service does not lead to."""
    del action
    if not evidence.unserved_service or not evidence.all_well:
        return ""
    return f"all pods are well, and {evidence.unserved_service}"


@evidence_rule(
    "SettingNamesNothing",
    ActionName.RESTART,
    ActionName.DELETE_POD,
    ActionName.SCALE,
    ActionName.SET_RESOURCES,
    reason="All pods are well, and a setting of the target names something that does not exist. New"
    " or larger pods have the same setting.",
)
def setting_names_nothing(action: Action, evidence: Evidence) -> str:
    """Refuse to replace, add or enlarge pods that call what does not exist."""
    del action
    missing = [
        dependency
        for dependency in evidence.snapshot.dependencies
        if dependency.problem_kind is FindingKind.DEPENDENCY_MISSING and dependency.mentions
    ]
    if not missing or not evidence.all_well:
        return ""
    mention, host = missing[0].mentions[0], missing[0].host
    return f"all pods are well, and {mention} names {host}, which is no Service"
