"""How the changes of a plan are recorded: bounded, without secrets, and under one digest."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from reme_api.remediation import Change
from reme_playbook.snapshot.list_keys import ATOMIC_LISTS
from reme_playbook.snapshot.object_diff import Difference
from reme_playbook.snapshot.sensitive import (
    HIDDEN,
    sensitive_command,
    sensitive_name,
    sensitive_value,
)

MAX_CHANGES = 32
MAX_SHORT = 256
MAX_LONG = 4096
"""Characters of one value where all changes are stored in full."""


def digest(playbook: str, changed: Sequence[Difference]) -> str:
    """Return a hash of a playbook's digest and of everything that the playbook changes.

    Two plans share it exactly when they run the same and change the same fields from the same
    values to the same values. Values that are hidden in the record count too.
    """
    canonical = json.dumps([playbook, [asdict(one) for one in changed]], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def changes(changed: Iterable[Difference], max_characters: int = MAX_SHORT) -> list[Change]:
    """Return the differences as they are recorded: bounded, and without possible secrets."""
    return [
        Change.model_construct(
            kind=one.target.kind,
            object_name=one.target.name,
            field=_cut(one.field, MAX_SHORT),
            before=_cut(_shown(one.field, one.before), max_characters),
            after=_cut(_shown(one.field, one.after), max_characters),
        )
        for one in changed
    ]


def fits(changed: Sequence[Difference]) -> bool:
    """Return whether a status has room for all differences in full."""
    return len(changed) <= MAX_CHANGES and all(
        len(one.field) <= MAX_SHORT
        and len(one.before or "") <= MAX_SHORT
        and len(one.after or "") <= MAX_SHORT
        for one in changed
    )


def _shown(field: str, value: str | None) -> str:
    if value is None:
        return ""
    hidden = sensitive_value(value) or any(map(sensitive_name, _names(field)))
    if not hidden and field.rpartition(".")[2] in ATOMIC_LISTS:
        hidden = _is_sensitive_command(value)
    return HIDDEN if value and hidden else value


def _names(field: str) -> Iterator[str]:
    """Yield the names in a path that people chose: of variables, keys, annotations."""
    for part in field.split("[")[1:]:
        yield part.partition("]")[0]


def _is_sensitive_command(value: str) -> bool:
    try:
        words = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return isinstance(words, list) and sensitive_command([str(word) for word in words])


def _cut(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"
