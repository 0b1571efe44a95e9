"""Which rules of a policy allow an action: by kind, name, container, field, time, disruption."""

from collections.abc import Callable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_api.windows import is_open, next_opening
from reme_playbook.actions.registry import Action
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.snapshot import ClusterSnapshot


def matching_rules(
    action: Action,
    policy: RemediationPolicySpec,
    snapshot: ClusterSnapshot,
    now: datetime | None = None,
) -> list[ActionRule]:
    """Return the rules that allow the action; each of them may bound its values.

    Without `now`, windows are ignored: a person who asks for a plan chooses the time.

    Raises RejectedPlaybookError that names the first thing that no rule allows.
    """
    rules = [rule for rule in policy.actions if rule.name is action.name]
    if not rules:
        raise RejectedPlaybookError(
            RejectionRule.NOT_ALLOWED, f"the policy does not list the action {action.name}"
        )
    for what, allows in _tests(action, snapshot):
        narrowed = [rule for rule in rules if allows(rule)]
        if not narrowed:
            raise RejectedPlaybookError(
                RejectionRule.NOT_ALLOWED, f"the policy does not allow {action.name} {what}"
            )
        rules = narrowed
    _check_disruption(action, policy, snapshot)
    return rules if now is None else _open(action, rules, now)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether one of the patterns matches the name; without patterns, all names match."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _tests(
    action: Action, snapshot: ClusterSnapshot
) -> list[tuple[str, Callable[[ActionRule], bool]]]:
    kinds, names = {action.target.kind}, {action.target.name}
    if action.RULE_KINDS:
        kinds, names = kinds | {snapshot.target.kind}, names | {snapshot.target.name}
    container, fields = getattr(action, "container", None), action.field_names()
    return [
        (f"on a {action.target.kind}", lambda r: not r.kinds or bool(kinds & set(r.kinds))),
        (f"on {action.target}", lambda r: any(matches(name, r.names) for name in names)),
        (
            f"in container {container}",
            lambda r: container is None or matches(container, r.containers),
        ),
        (
            f"of {', '.join(fields)}",
            lambda r: all(matches(field, r.fields) for field in fields),
        ),
    ]


def _open(action: Action, rules: list[ActionRule], now: datetime) -> list[ActionRule]:
    open_now = [rule for rule in rules if is_open(rule.windows, now)]
    if open_now:
        return open_now
    opening = next_opening([window for rule in rules for window in rule.windows], now)
    again = f"next at {opening:%Y-%m-%d %H:%M} UTC" if opening else "with no opening to come"
    raise RejectedPlaybookError(
        RejectionRule.OUTSIDE_WINDOW,
        f"the policy allows {action.name} only in its windows, {again}",
    )


def _check_disruption(
    action: Action, policy: RemediationPolicySpec, snapshot: ClusterSnapshot
) -> None:
    disruption = action.current_disruption(snapshot)
    if disruption.exceeds(policy.max_disruption):
        raise RejectedPlaybookError(
            RejectionRule.TOO_DISRUPTIVE,
            f"the disruption of {action.name} is {disruption}, and maxDisruption of the policy is "
            f"{policy.max_disruption}",
        )
