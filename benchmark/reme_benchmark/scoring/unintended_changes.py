"""Finds what a repair changed, and whether the fault's oracle allows it."""

from collections.abc import Iterable

from reme_benchmark.scenarios.faults.model import MayDiffer
from reme_benchmark.scenarios.faults.placeholders import filled
from reme_benchmark.scoring import field_paths
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.records import Change
from reme_benchmark.scoring.snapshot import (
    RESTART_ANNOTATIONS,
    WORKLOADS,
    FieldDifference,
    Snapshot,
    compared_fields,
    diff_snapshots,
)


def find_changes(context: CaseContext, now: Snapshot) -> list[Change]:
    """Return every field that differs from before the fault, and whether that is allowed.

    Raises:
        FillError: a placeholder of the oracle has no value.
    """
    fault = context.fault
    rules = [filled(rule, context.values) for rule in (fault.oracle.may_differ if fault else ())]
    return [
        Change(
            object=difference.object,
            path=difference.path,
            before=difference.before,
            after=difference.after,
            allowed=is_restart_annotation(difference)
            or _is_allowed(difference, rules, context, now),
        )
        for difference in diff_snapshots(context.before, now)
    ]


def is_restart_annotation(difference: FieldDifference) -> bool:
    """Return whether it is the annotation that a restart writes into a workload's template."""
    path = field_paths.parse(difference.path)
    return (
        difference.object.partition("/")[0] in WORKLOADS
        and path[:-1] == ("spec", "template", "metadata", "annotations")
        and path[-1] in RESTART_ANNOTATIONS
    )


def _is_allowed(
    difference: FieldDifference, rules: Iterable[MayDiffer], context: CaseContext, now: Snapshot
) -> bool:
    path = field_paths.parse(difference.path)
    for rule in rules:
        kind = str(context.values["kind"]) if rule.kind == "Workload" else rule.kind
        same_object = f"{kind}/{rule.name}" == difference.object
        if same_object and field_paths.covers(field_paths.parse(rule.path), path):
            return _within_bounds(rule, difference.object, path, context.before, now)
    return False


def _within_bounds(
    rule: MayDiffer, key: str, path: field_paths.Path, before: Snapshot, now: Snapshot
) -> bool:
    """Return whether a quantity is within the rule's bounds; without bounds, any value is."""
    if rule.min_factor is None and rule.max_factor is None:
        return True
    # An object that was created or deleted has no quantity to compare.
    if key not in before.objects or key not in now.objects:
        return False
    was = field_paths.number(compared_fields(before.objects[key]).get(path))
    is_now = field_paths.number(compared_fields(now.objects[key]).get(path))
    if was is None or is_now is None:
        return False
    low = was * rule.min_factor if rule.min_factor is not None else is_now
    high = was * rule.max_factor if rule.max_factor is not None else is_now
    return low <= is_now <= high


def describe_change(change: Change) -> str:
    """Return a change as text."""
    if not change.path:
        return f"{change.object} {'was deleted' if change.before else 'was created'}"
    return f"{change.object} {change.path}: {change.before or 'none'} -> {change.after or 'none'}"
