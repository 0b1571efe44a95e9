"""Which pods the texts of a report name."""

import re
from collections.abc import Iterable

_NAME = re.compile(r"[a-z0-9][-a-z0-9]*")


def named_pods(names: Iterable[str], texts: Iterable[str]) -> tuple[str, ...]:
    """Return those of the pods whose whole names are in the texts."""
    words = set(_NAME.findall(" ".join(texts)))
    return tuple(sorted(name for name in names if name in words))
