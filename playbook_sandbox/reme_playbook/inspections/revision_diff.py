"""RevisionDiff: how the current pod template differs from an earlier one, and since when."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import MAX_FINDINGS, Inspection, change_kind
from reme_playbook.inspections.shorten import shorten
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_diff import FieldChange
from reme_playbook.snapshot.pod_template import differences
from reme_playbook.snapshot.sensitive import HIDDEN, sensitive_command, sensitive_name, shown
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision
from reme_playbook.snapshot.times import parse_time, relative_to

_MAX_CANDIDATES = 3
_MAX_VALUE = 100
_MAX_PATH = 80


class RevisionDiff(Inspection):
    """The fields of the pods that differ between an earlier revision and the current one."""

    NAME = InspectionName.REVISION_DIFF
    READS = "the ReplicaSets or ControllerRevisions of the target"
    RIGHTS = ("replicasets.apps", "controllerrevisions.apps")
    SHOWS = (FindingKind.RECENT_CHANGE, FindingKind.EARLIER_CHANGE)
    BOUNDS = "one revision against the current one; values of secrets are hidden"

    revision: int = Field(ge=0, description="The earlier revision.")

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the revision to which a rollback would go first, then the newest others."""
        before = snapshot.previous_revision
        numbers = [before.number] if before else []
        numbers += [view.number for view in snapshot.history if view.changes]
        for number in list(dict.fromkeys(numbers))[:_MAX_CANDIDATES]:
            yield cls(subject=snapshot.target, revision=number)


def revision_findings(
    inspection: RevisionDiff,
    revisions: Sequence[Revision],
    current: Revision | None,
    fault_start: datetime | None,
    clean: Callable[[str], str],
) -> Iterator[Finding]:
    """Yield when the current template replaced the earlier one, and what differs.

    `clean` redacts a text.
    """
    earlier = next((r for r in revisions if r.number == inspection.revision), None)
    if earlier is None or current is None:
        text = f"revision {inspection.revision} does not exist any more"
        yield Finding(FindingKind.UNAVAILABLE, inspection.subject, text)
        return
    changes = differences(earlier.template, current.template)
    at = parse_time(current.created)
    if not changes:
        text = f"the pods of revisions {earlier.number} and {current.number} are the same"
        yield Finding(FindingKind.NORMAL, inspection.subject, text, at)
        return
    kind = change_kind(at, fault_start)
    when = f" {relative_to(at, fault_start)}" if at and fault_start else ""
    fields = "1 field differs" if len(changes) == 1 else f"{len(changes)} fields differ"
    head = f"revision {current.number} came{when}; from revision {earlier.number} {fields}"
    yield Finding(kind, inspection.subject, head, at)
    hidden = _hidden_commands(earlier.template, current.template)
    for change in changes[: MAX_FINDINGS - 1]:
        yield Finding(kind, inspection.subject, _text(change, hidden, clean), at)


def _text(change: FieldChange, hidden: tuple[str, ...], clean: Callable[[str], str]) -> str:
    names = change.path.replace("]", "[").split("[")
    secret = any(map(sensitive_name, names)) or change.path.startswith(hidden)
    before, after = (
        "not set" if value is None else HIDDEN if secret else _value(value, clean)
        for value in (change.before, change.after)
    )
    path = shorten(clean(change.path.removeprefix("spec.")), _MAX_PATH)
    return f"{path}: was {before}, is {after}"


def _value(value: str, clean: Callable[[str], str]) -> str:
    return shorten(clean(shown("", value)), _MAX_VALUE)


def _hidden_commands(*templates: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of commands with a secret: `x` in `--password x` looks like none."""
    return tuple(
        f"spec.{kind}[{unstructured.text(container, 'name')}].{part}"
        for template in templates
        for kind in ("containers", "initContainers")
        for container in unstructured.items(template, "spec", kind)
        if sensitive_command(_words(container))
        for part in ("command", "args")
    )


def _words(container: Mapping[str, Any]) -> list[str]:
    parts = (container.get("command"), container.get("args"))
    return [str(word) for part in parts if isinstance(part, list) for word in part]
