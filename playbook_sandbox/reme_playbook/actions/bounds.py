"""Numbers: how far an action may move one, from what it is now."""

from math import inf

from reme_api.policy import ActionRule
from reme_playbook.actions.registry import PROBE_TIMINGS, PatchProbe, Scale, SetResources
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView, ProbeView

PROBE_FACTOR = 2
"""A probe may become at most this much more patient, or less, in one step."""


def permitted_range(current: int, rule: ActionRule) -> range:
    """Return the numbers that the rule allows instead of the current one."""
    lowest = current - current * rule.max_decrease_percent // 100
    highest = current + current * rule.max_increase_percent // 100
    return range(lowest, highest + 1)


def check_scale(action: Scale, rules: list[ActionRule], live: ClusterSnapshot) -> None:
    """Reject a number of replicas that no rule allows.

    Numbers of before are within bounds, as is one replica where there is none; `maxReplicas` holds
    for all of them.
    """
    now, wanted = live.replicas.desired, action.replicas
    if wanted < 1:
        raise RejectedPlaybookError(RejectionRule.HIDES_SYMPTOM, "replicas may not become 0")
    if wanted == now:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} has {now} replicas already"
        )
    if live.autoscaled:
        raise RejectedPlaybookError(
            RejectionRule.CONTRADICTION, f"an autoscaler sets the replicas of {action.target}"
        )
    known = {*earlier_values.replica_counts(live), *([1] if now == 0 else [])}
    if not any(
        wanted <= rule.max_replicas and (wanted in known or wanted in permitted_range(now, rule))
        for rule in rules
    ):
        raise RejectedPlaybookError(
            RejectionRule.BOUNDS,
            f"{wanted} replicas instead of {now} are beyond what the policy allows",
        )


def amount(field: str, text: str) -> int:
    """Return millicores or bytes, whichever the field is about."""
    return cpu_millicores(text) if field.startswith("cpu") else memory_bytes(text)


def check_resources(
    action: SetResources, rules: list[ActionRule], live: ClusterSnapshot, container: ContainerView
) -> None:
    """Reject amounts that no rule allows, that change nothing, or that contradict each other.

    Amounts of before are within bounds. What is not set now can only get such an amount.
    `maxCpuMillicores` and `maxMemoryMebibytes` hold for all of them.
    """
    new = container.resources._replace(**action.values())
    if new == container.resources:
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"{action.target} has these amounts already"
        )
    for field, text in action.values().items():
        current = getattr(container.resources, field)
        if text == current:
            continue
        wanted, known = (
            amount(field, text),
            text in earlier_values.resources(live, container.name, field),
        )
        if not any(
            wanted <= _most(field, rule)
            and (
                known
                or (current is not None and wanted in permitted_range(amount(field, current), rule))
            )
            for rule in rules
        ):
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS,
                f"{field.replace('_', ' ')} {text} instead of {current or 'none'} is beyond what "
                "the policy allows",
            )
    for limit, request in (("cpu_limit", "cpu_request"), ("memory_limit", "memory_request")):
        most, least = getattr(new, limit), getattr(new, request)
        if most and least and amount(limit, most) < amount(request, least):
            raise RejectedPlaybookError(
                RejectionRule.VALUE,
                f"{limit.replace('_', ' ')} {most} would be below the request {least}",
            )


def _most(field: str, rule: ActionRule) -> float:
    """Return the millicores or bytes that the rule never lets be exceeded."""
    cpu, memory = rule.max_cpu_millicores, rule.max_memory_mebibytes
    if field.startswith("cpu"):
        return inf if cpu is None else cpu
    return inf if memory is None else memory * 2**20


def check_probe(action: PatchProbe, live: ClusterSnapshot, container: ContainerView) -> None:
    """Reject a probe that would look elsewhere, or be loosened beyond what is harmless."""
    probe = container.probes.get(action.probe)
    if probe is None:
        raise RejectedPlaybookError(
            RejectionRule.NOT_FOUND, f"container {container.name} has no {action.probe} probe"
        )
    if action.handler not in (None, probe.handler):
        raise RejectedPlaybookError(
            RejectionRule.VALUE,
            f"the {action.probe} probe asks by {probe.handler}, not {action.handler}",
        )
    if all(getattr(probe, field) == value for field, value in action.values().items()):
        raise RejectedPlaybookError(
            RejectionRule.NO_CHANGE, f"the {action.probe} probe says so already"
        )
    for field, value in action.values().items():
        known = earlier_values.probe_values(live, container.name, action.probe, field)
        if value in known or value == getattr(probe, field):
            continue
        if field not in PROBE_TIMINGS:
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE, f"the {action.probe} probe never had this {field}"
            )
        _check_patience(field, int(value), probe)


def _check_patience(field: str, value: int, probe: ProbeView) -> None:
    current: int = getattr(probe, field)
    if not current <= value * PROBE_FACTOR or not value <= current * PROBE_FACTOR:
        raise RejectedPlaybookError(
            RejectionRule.HIDES_SYMPTOM,
            f"{field.replace('_', ' ')} {value} instead of {current}: a probe may change at most "
            f"by a factor of {PROBE_FACTOR}, or to what it was before",
        )
