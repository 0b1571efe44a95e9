"""What the actions change, field by field, before and after: for the record and for approval."""

from collections.abc import Iterator, Sequence
from typing import Any

from reme_api.remediation import Change
from reme_playbook.actions.field_paths import Entry, Path, dotted, held, read, writes
from reme_playbook.actions.registry import Action, DeletePod, Restart, Rollback
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution.capture import revision_of
from reme_playbook.snapshot.pod_template import differences
from reme_playbook.snapshot.sensitive import HIDDEN, sensitive_name, sensitive_value
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_CHANGES = 32
MAX_TEXT = 256


def changes(actions: Sequence[Action], live: ClusterSnapshot) -> list[Change]:
    """Return the changes in the order of the actions, without what looks like a secret."""
    found = [
        Change(
            kind=action.target.kind,
            object_name=action.target.name,
            field=_cut(field),
            before=_cut(before),
            after=_cut(after),
        )
        for action in actions
        for field, before, after in _fields(action, live)
    ]
    return found[:MAX_CHANGES]


def _fields(action: Action, live: ClusterSnapshot) -> Iterator[tuple[str, str, str]]:
    match action:
        case DeletePod():
            yield "metadata.deletionTimestamp", "", "now"
        case Rollback():
            yield from _rollback(action, live)
        case _:
            found = live.objects.get(action.target, {})
            for write in writes(action):
                before = None if isinstance(action, Restart) else read(found, write.path)
                name = _name(write.path)
                after = held(write.value)
                if before != after:
                    yield dotted(write.path), _shown(name, before), _shown(name, after)


def _rollback(action: Rollback, live: ClusterSnapshot) -> Iterator[tuple[str, str, str]]:
    try:
        revision = revision_of(action, live)
    except RejectedPlaybookError:
        return
    for path, before, after in differences(live.template, revision.template):
        # The name of a variable is what stands in the last brackets.
        name = path.rpartition("[")[2].partition("]")[0]
        yield f"spec.template.{path}", _shown(name, before), _shown(name, after)


def _name(path: Path) -> str:
    entries = [str(step.key) for step in path if isinstance(step, Entry)]
    return entries[-1] if entries else ""


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value).lower()
    hidden = text and (sensitive_name(name) or sensitive_value(text))
    return HIDDEN if hidden else text


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
