"""Where the present template did not bring the fault: Rollback, and its earlier values."""

from datetime import timedelta

from reme_api.actions import ActionName
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollback import Rollback
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.policy.evidence.rule import evidence_rule
from reme_playbook.policy.evidence.timeline import other_change, well_before_fault
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.pod_template import differences
from reme_playbook.snapshot.times import duration

SETTLED = timedelta(minutes=10)
"""A release that was well for so long did not bring the fault: a crash, a wrong setting or a slow
version shows within minutes, also where traffic is low and probes are patient. What grows with time
is excepted: restarts, and containers near their limits."""
SETTLED_BEFORE_OTHER_CHANGE = timedelta(minutes=2)
"""The same where something else changed in between, which is then the nearer cause."""
_EARLIER_TEMPLATE = (
    ActionName.ROLLBACK,
    ActionName.SET_IMAGE,
    ActionName.SET_COMMAND,
    ActionName.SET_ENV,
)
_FIELDS_OF_PLACE = (
    ".resources",
    ".ports",
    "spec.nodeSelector",
    "spec.nodeName",
    "spec.affinity",
    "spec.tolerations",
    "spec.topologySpreadConstraints",
    "spec.volumes",
    "spec.host",
    "spec.priority",
    "spec.runtimeClassName",
    "spec.schedulerName",
    "spec.overhead",
    "metadata.labels",
)


@evidence_rule(
    "WellBeforeFault",
    *_EARLIER_TEMPLATE,
    reason="The pods of the present template were ready, without a restart, for 10 minutes or more"
    " before the fault began; for 2 minutes if something else changed since. The release did not"
    " bring the fault, and earlier values would take it away.",
)
def well_before(action: Action, evidence: Evidence) -> str:
    """Refuse to roll a revision back that worked while there was no fault."""
    length = well_before_fault(evidence)
    if length is None or length < SETTLED_BEFORE_OTHER_CHANGE or _is_new_host(action, evidence):
        return ""
    if evidence.short_of_memory or evidence.short_of_cpu:
        return ""
    since = f"the present template was well for {duration(length.total_seconds())}"
    change = other_change(evidence)
    if change:
        return f"{since} before the fault began, and {change} in between"
    return f"{since} before the fault began" if length >= SETTLED else ""


@evidence_rule(
    "SamePlaceNeeded",
    *_EARLIER_TEMPLATE,
    reason="New pods cannot be placed or created, and those of the earlier revision need the same"
    " place. Earlier values only end the rollout, and take the release away.",
)
def same_place_needed(action: Action, evidence: Evidence) -> str:
    """Refuse to roll back what only finds no place."""
    if not (evidence.unplaced or evidence.full_quotas):
        return ""
    if any(not (pod.view.ready or pod.view.unscheduled) for pod in evidence.pods):
        return ""  # something else is wrong as well
    if not isinstance(action, Rollback):
        return f"new pods find no place, and need the same one after {action.name}"
    snapshot = evidence.snapshot
    try:
        earlier = action.revision_in(snapshot).template
    except RejectedPlaybookError:
        return ""
    paths = (change.path for change in differences(snapshot.template, earlier))
    if any(map(_decides_about_place, paths)):
        return ""
    return "new pods find no place, and those of the earlier revision need the same one"


def _is_new_host(action: Action, evidence: Evidence) -> bool:
    """Return whether the action names an existing Service in place of one that is gone."""
    return isinstance(action, SetEnv) and action.value not in earlier_values.env_values(
        evidence.snapshot, action.container, action.variable
    )


def _decides_about_place(path: str) -> bool:
    # A container that one of them lacks has a path that ends with its name.
    return path.endswith("]") or any(part in path for part in _FIELDS_OF_PLACE)
