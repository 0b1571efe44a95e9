"""Where a setting is not what the container lacks: SetResources, PatchProbe."""

from reme_api.actions import ActionName
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources, amount
from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.policy.evidence.rule import evidence_rule
from reme_playbook.snapshot import earlier_values

UNUSED_PERCENT = 20
"""A container that uses less of its memory limit than this in every pod needs no higher one. It is
so low since some programs take a share of the limit, a quarter for example, and fail within it."""


@evidence_rule(
    "MemoryOfAnother",
    ActionName.SET_RESOURCES,
    reason="Another container was killed for memory or is near its limit. A higher limit of this"
    " one does not help it, whichever the report names.",
)
def memory_of_another(action: Action, evidence: Evidence) -> str:
    """Refuse more memory for a container that is not the one that lacks it."""
    if not isinstance(action, SetResources) or "memory_limit" not in raised_limits(
        action, evidence
    ):
        return ""
    killed, short = evidence.killed_for_memory, evidence.short_of_memory
    if not (killed or short) or action.container in killed | short:
        return ""
    what = "was killed for memory" if killed else "is near its memory limit"
    return f"container {min(killed or short)} {what}, and {action.container} was not"


@evidence_rule(
    "MemoryUnused",
    ActionName.SET_RESOURCES,
    reason="The container uses less than 20 % of its memory limit in every pod, and was never"
    " killed for memory. A higher limit changes nothing.",
)
def memory_unused(action: Action, evidence: Evidence) -> str:
    """Refuse more memory for a container that does not use what it has."""
    if not isinstance(action, SetResources) or list(action.values()) != ["memory_limit"]:
        return ""
    share = evidence.memory_percent.get(action.container)
    if share is None or share >= UNUSED_PERCENT:
        return ""
    if action.container in evidence.killed_for_memory or not raised_limits(action, evidence):
        return ""
    return f"{action.container} uses at most {share} % of its memory limit"


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


@evidence_rule(
    "ProbeIsAnswered",
    ActionName.PATCH_PROBE,
    ActionName.SET_RESOURCES,
    reason="The container answers the probe, with a status that says that the path does not exist."
    " With more patience or more resources it answers the same.",
)
def probe_is_answered(action: Action, evidence: Evidence) -> str:
    """Refuse timings and resources where the probe asks a path that does not exist."""
    answered = evidence.missing_paths
    if not answered:
        return ""
    if isinstance(action, PatchProbe):
        if action.handler is not None or action.probe not in answered:
            return ""
    elif not isinstance(action, SetResources) or (
        evidence.killed_for_memory or len(raised_limits(action, evidence)) != len(action.values())
    ):
        return ""
    kind, status = next(iter(answered.items()))
    return f"the {kind} probe is answered with status {status}: its path does not exist"


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
