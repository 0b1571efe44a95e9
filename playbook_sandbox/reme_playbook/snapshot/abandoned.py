"""Which revisions of a workload were abandoned as bad: none of them is the way back.

A workload that went back to an older template abandoned the newer ones. The API server shows that:
a template that is used again keeps the time of its first revision and gets the highest number. So
a revision is abandoned if another one was there before it and came back after it. A restart makes
a new revision of the same template, and a person who rolls the newer template out again makes it
the newest, so that it is not abandoned any more.

A repair that made a new template abandoned the one before, which is older. Only the record of the
repair shows that: it is a `Replacement`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.times import parse_time

if TYPE_CHECKING:
    from reme_playbook.snapshot.snapshot import Revision

Template = Mapping[str, Any]


class Replacement(NamedTuple):
    """One pod template that took the place of another, by their digests."""

    before: str
    after: str


def abandoned_templates(
    revisions: Iterable["Revision"], template: Template, repairs: Iterable[Replacement] = ()
) -> frozenset[str]:
    """Return the digests of the templates that were abandoned.

    `template` is the present one. `repairs` are those that helped. A revision without a readable
    time of creation proves nothing about another one.
    """
    numbers: dict[str, float] = {}
    created: dict[str, datetime] = {}
    for revision in revisions:
        key = digest(revision.template)
        numbers[key] = max(numbers.get(key, 0), revision.number)
        at = parse_time(revision.created)
        if at is not None:
            created[key] = min(created.get(key, at), at)
    numbers[digest(template)] = inf  # it came last, whether its revision says so yet or not
    came_back = {
        newer
        for newer, when in created.items()
        for older, first in created.items()
        if first < when and numbers[older] > numbers[newer]
    }
    repaired = {
        one.before for one in repairs if numbers.get(one.before, 0) <= numbers.get(one.after, inf)
    }
    return frozenset((came_back | repaired) - {digest(template)})


def previous(
    revisions: tuple["Revision", ...], template: Template, repairs: Iterable[Replacement] = ()
) -> "Revision | None":
    """Return the revision to roll back to: the newest that differs and was not abandoned."""
    excluded = {digest(template), *abandoned_templates(revisions, template, repairs)}
    others = [r for r in revisions if digest(r.template) not in excluded]
    return max(others, key=lambda r: r.number, default=None)


def was_applied(applied: Any, whole: Any) -> bool:
    """Return whether an object was made from what its owner applied: all of it is there, the same.

    The API server adds defaults, so the object has more.
    """
    if isinstance(applied, Mapping):
        return isinstance(whole, Mapping) and all(
            value is None or was_applied(value, whole.get(key)) for key, value in applied.items()
        )
    if isinstance(applied, list):
        if not isinstance(whole, list) or len(whole) != len(applied):
            return False
        return all(was_applied(a, b) for a, b in zip(applied, whole, strict=True))
    return bool(applied == whole) or str(applied) == str(whole) or _same_amount(applied, whole)


def _same_amount(applied: Any, whole: Any) -> bool:
    """Return whether two texts are the same quantity: the API server writes 0.5 as 500m."""
    for amount in (cpu_millicores, memory_bytes):
        try:
            return amount(str(applied)) == amount(str(whole))
        except ValueError:
            continue
    return False
