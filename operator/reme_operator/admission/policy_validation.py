"""Whether a policy can be used: what its type and its schema cannot express. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reme_api.policy import ActionRule, RemediationPolicy, RemediationPolicySpec
from reme_api.windows import TimeWindow, zone_of
from reme_kube.errors import UnreadableError
from reme_kube.object_parsing import parse_object
from reme_playbook.actions.registry import PUBLIC


class UnreadablePolicy(NamedTuple):
    """A policy that does not fit its type: what it says is not known."""

    namespace: str
    name: str
    problem: str


def parse_policy(body: Mapping[str, Any]) -> RemediationPolicy | UnreadablePolicy:
    """Return the policy, or which of its fields does not fit and why."""
    try:
        return parse_object(RemediationPolicy, body)
    except UnreadableError as error:
        meta = body.get("metadata") or {}
        return UnreadablePolicy(
            str(meta.get("namespace", "")), str(meta.get("name", "")), error.problem
        )


def policy_key(policy: RemediationPolicy) -> str:
    """Return the namespace/name of a policy."""
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def outside_windows_message(key: str, windows: Sequence[TimeWindow]) -> str:
    """Return why nothing is changed now by a policy with these windows."""
    times = "; ".join(window.text() for window in windows)[:512]
    return f"outside of the windows of policy {key}: {times}"


def policy_problems(policy: RemediationPolicy, release_namespace: str) -> list[str]:
    """Return everything that contradicts itself in the policy; empty when it can be used."""
    spec = policy.spec
    errors = [*_window_problems("windows", spec.windows)]
    if spec.evidence.min_persistence_seconds >= spec.deadline_seconds:  # also by its profile
        errors.append(
            "evidence.minPersistenceSeconds must be less than deadlineSeconds, or nothing ever runs"
        )
    if spec.namespaces and policy.metadata.namespace != release_namespace:
        errors.append(f"namespaces: only allowed for a policy in namespace {release_namespace}")
    for index, rule in enumerate(spec.actions):
        errors += [f"actions[{index}] {rule.name}: {text}" for text in _rule_problems(rule)]
    return errors


def conflicting_policies(
    policy: RemediationPolicy, others: Sequence[RemediationPolicy]
) -> list[str]:
    """Return the policies of its namespace that match exactly the same: none is ever selected."""
    match_rules = _match_rules(policy.spec)
    return sorted(
        other.metadata.name
        for other in others
        if other.metadata.uid != policy.metadata.uid
        and other.metadata.namespace == policy.metadata.namespace
        and _match_rules(other.spec) == match_rules
    )


def _match_rules(spec: RemediationPolicySpec) -> tuple[object, ...]:
    targets = sorted(rule.model_dump_json() for rule in spec.targets)
    return targets, sorted(spec.namespaces), sorted(spec.faults)


def _rule_problems(rule: ActionRule) -> Iterator[str]:
    action = PUBLIC[rule.name]
    possible_kinds = action.KINDS | action.RULE_KINDS
    if rule.kinds and not possible_kinds & set(rule.kinds):
        yield (
            f"kinds: {', '.join(rule.kinds)} is no kind of this action; it acts on "
            f"{', '.join(sorted(possible_kinds))}"
        )
    if rule.fields and not action.has_field_names():
        yield "fields: this action sets no named fields"
    if rule.containers and "container" not in action.model_fields:
        yield "containers: this action is not about a container"
    yield from _window_problems("windows", rule.windows)


def _window_problems(field: str, windows: Sequence[TimeWindow]) -> Iterator[str]:
    for window in windows:
        if zone_of(window) is None:
            yield f"{field}: time zone {window.time_zone} is not known"
