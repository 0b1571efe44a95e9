"""Where more CPU or memory is not what the pods lack: SetResources."""

from reme_api.actions import ActionName
from reme_playbook.actions.base import spaced
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources, amount
from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.policy.evidence.rule import evidence_rule
from reme_playbook.policy.evidence.symptoms import Symptom
from reme_playbook.snapshot import earlier_values

UNUSED_PERCENT = 50
"""A container that uses less of a limit than this in every pod needs no higher one."""
_MEMORY_MAY_HELP = {Symptom.KILLED_FOR_MEMORY, Symptom.EXITED, Symptom.UNKNOWN}
"""Some programs end by themselves when they get no memory."""
_CPU_MAY_HELP = {Symptom.UNKNOWN}


@evidence_rule(
    "KilledForMemory",
    ActionName.SET_RESOURCES,
    reason="A container was killed for memory, or is near its memory limit. It is helped by more"
    " memory of its own: not by that of another container, whichever the report names, and not by"
    " CPU.",
)
def killed_for_memory(action: Action, evidence: Evidence) -> str:
    """Refuse other resources than the memory of the container that lacks it."""
    killed, short = evidence.killed_for_memory, evidence.short_of_memory
    if not (killed or short) or not isinstance(action, SetResources):
        return ""
    raised = raised_limits(action, evidence)
    if action.container in killed | short:
        if raised != {"cpu_limit"} or not killed or action.container in evidence.short_of_cpu:
            return ""
        return f"container {action.container} was killed for memory, which more CPU does not give"
    if not raised or (not killed and "memory_limit" not in raised):
        return ""
    what = "was killed for memory" if killed else "is near its memory limit"
    return f"container {min(killed or short)} {what}, and {action.container} was not"


@evidence_rule(
    "OtherThanResources",
    ActionName.SET_RESOURCES,
    reason="The pods are not ready for a reason that a higher limit does not touch: an image, a"
    " setting, no place, a path that does not exist; of CPU also a program that ends by itself.",
)
def other_than_resources(action: Action, evidence: Evidence) -> str:
    """Refuse higher limits for pods that fail for another reason."""
    symptoms = evidence.symptoms
    if not symptoms or not isinstance(action, SetResources):
        return ""
    raised = raised_limits(action, evidence)
    if len(raised) != len(action.values()):
        return ""
    if action.container in evidence.short_of_cpu | evidence.short_of_memory:
        return ""
    may_help = _MEMORY_MAY_HELP if "memory_limit" in raised else _CPU_MAY_HELP
    if may_help & set(symptoms.values()):
        return ""
    pod, symptom = next(iter(symptoms.items()))
    return f"pod {pod} is not ready for another reason: {symptom}"


@evidence_rule(
    "NoShortage",
    ActionName.SET_RESOURCES,
    reason="The container uses less than half of the limit in every pod that runs, and was not"
    " killed for memory. A higher limit changes nothing.",
)
def no_shortage(action: Action, evidence: Evidence) -> str:
    """Refuse a higher limit for a container that does not use what it has."""
    if not isinstance(action, SetResources) or evidence.symptoms:
        return ""
    raised = raised_limits(action, evidence)
    if len(raised) != len(action.values()) or action.container in evidence.killed_for_memory:
        return ""
    shares = {field: evidence.highest_percent(field, action.container) for field in raised}
    if any(share is None or share >= UNUSED_PERCENT for share in shares.values()):
        return ""
    used = " and ".join(f"{share} % of its {spaced(f)}" for f, share in sorted(shares.items()))
    return f"{action.container} uses at most {used}"


@evidence_rule(
    "QuotaHasNoMore",
    ActionName.SET_RESOURCES,
    reason="A quota refuses new pods of the target. Pods that ask for more are refused as well.",
)
def quota_has_no_more(action: Action, evidence: Evidence) -> str:
    """Refuse higher limits against a quota that is used up."""
    if not evidence.full_quotas or not isinstance(action, SetResources):
        return ""
    if len(raised_limits(action, evidence)) != len(action.values()):
        return ""
    name, amounts = evidence.full_quotas[0]
    return f"quota {name} is used up ({', '.join(amounts)}), so that no pod can be created"


def raised_limits(action: SetResources, evidence: Evidence) -> set[str]:
    """Return the limits that would be higher than they are, and than they were in any revision."""
    snapshot = evidence.snapshot
    view = snapshot.container(action.container)
    raised = set()
    for field, text in action.values().items():
        present = getattr(view.resources, field) if view else None
        if (
            field.endswith("_limit")
            and present is not None
            and amount(field, text) > amount(field, present)
            and text not in earlier_values.resources(snapshot, action.container, field)
        ):
            raised.add(field)
    return raised
