"""What is wrong with a policy that its schema cannot say: pure."""

from collections.abc import Iterator, Sequence

from reme_api.policy import ActionRule, RemediationPolicy, RemediationPolicySpec
from reme_api.windows import TimeWindow, zone_of
from reme_playbook.actions.registry import PUBLIC


def problems(policy: RemediationPolicy, release_namespace: str) -> list[str]:
    """Return everything about the policy that cannot be meant; empty when it can be used."""
    spec = policy.spec
    found = [*_times("windows", spec.windows)]
    if spec.evidence.min_persistence_seconds >= spec.deadline_seconds:  # the profile's, too
        found.append("deadlineSeconds: it is over before evidence.minPersistenceSeconds is")
    if spec.namespaces and policy.metadata.namespace != release_namespace:
        found.append(f"namespaces: only for a policy in {release_namespace}")
    for place, rule in enumerate(spec.actions):
        found += [f"actions[{place}] {rule.name}: {said}" for said in _rule(rule)]
    return found


def conflicting_policies(
    policy: RemediationPolicy, others: Sequence[RemediationPolicy]
) -> list[str]:
    """Return the policies beside it that match exactly what it matches: none is ever chosen."""
    mine = _matched(policy.spec)
    return sorted(
        other.metadata.name
        for other in others
        if other.metadata.uid != policy.metadata.uid
        and other.metadata.namespace == policy.metadata.namespace
        and _matched(other.spec) == mine
    )


def _matched(spec: RemediationPolicySpec) -> tuple[object, ...]:
    targets = sorted(rule.model_dump_json() for rule in spec.targets)
    return targets, sorted(spec.namespaces), sorted(spec.faults)


def _rule(rule: ActionRule) -> Iterator[str]:
    action = PUBLIC[rule.name]
    possible = action.KINDS | action.RULE_KINDS
    if rule.kinds and not possible & set(rule.kinds):
        yield f"it is never about a {', '.join(rule.kinds)}"
    if rule.fields and not action.has_field_names():
        yield "it sets no field that fields could name"
    if rule.containers and "container" not in action.model_fields:
        yield "it is not about a container"
    yield from _times("windows", rule.windows)


def _times(where: str, windows: Sequence[TimeWindow]) -> Iterator[str]:
    for window in windows:
        if zone_of(window) is None:
            yield f"{where}: no time zone {window.time_zone} is known here"
