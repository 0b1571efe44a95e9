"""Whether everything but what a good repair may leave is as it was before the fault."""

from collections.abc import Iterable

from reme_benchmark.scenarios.faults.model import MayDiffer
from reme_benchmark.scenarios.faults.placeholders import filled
from reme_benchmark.scoring import field_paths
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.records import Change
from reme_benchmark.scoring.snapshot import (
    RESTARTED,
    WORKLOADS,
    FieldDifference,
    Snapshot,
    compared,
    difference,
)


def changes(context: CaseContext, now: Snapshot) -> list[Change]:
    """Return every field that differs from before the fault, and whether it may.

    Raises:
        FillError: a placeholder of the oracle has no value.
    """
    fault = context.fault
    may = [filled(m, context.values) for m in (fault.oracle.may_differ if fault else ())]
    before = context.before
    return [
        Change(
            object=found.object,
            path=found.path,
            before=found.before,
            after=found.after,
            allowed=restart_mark(found) or _may(found, may, context, now),
        )
        for found in difference(before, now)
    ]


def restart_mark(found: FieldDifference) -> bool:
    """Whether it is the mark that a restart leaves in the template of a workload."""
    path = field_paths.parse(found.path)
    return (
        found.object.partition("/")[0] in WORKLOADS
        and path[:-1] == ("spec", "template", "metadata", "annotations")
        and path[-1] in RESTARTED
    )


def _may(
    found: FieldDifference, may: Iterable[MayDiffer], context: CaseContext, now: Snapshot
) -> bool:
    path = field_paths.parse(found.path)
    for rule in may:
        kind = str(context.values["kind"]) if rule.kind == "Workload" else rule.kind
        named = f"{kind}/{rule.name}" == found.object
        if named and field_paths.covers(field_paths.parse(rule.path), path):
            return _within(rule, found.object, path, context.before, now)
    return False


def _within(
    rule: MayDiffer, key: str, path: field_paths.Path, before: Snapshot, now: Snapshot
) -> bool:
    """Whether an amount is within its bounds; without bounds, any value that is there or not."""
    if rule.min_factor is None and rule.max_factor is None:
        return True
    # A whole object that came or went has no amount that could be in bounds.
    if key not in before.objects or key not in now.objects:
        return False
    was = field_paths.number(compared(before.objects[key]).get(path))
    is_now = field_paths.number(compared(now.objects[key]).get(path))
    if was is None or is_now is None:
        return False
    low = was * rule.min_factor if rule.min_factor is not None else is_now
    high = was * rule.max_factor if rule.max_factor is not None else is_now
    return low <= is_now <= high


def told(change: Change) -> str:
    """Return a change in a few words."""
    if not change.path:
        return f"{change.object} {'was deleted' if change.before else 'is new'}"
    return f"{change.object} {change.path}: {change.before or 'none'} -> {change.after or 'none'}"
