"""The mark that everything of a fault carries, so that it can be found by looking at the system.

It is in the arguments of every process, in the comment of every rule, and in an attribute of every
control group that a fault has changed. No list of faults is kept anywhere else.
"""

import re
from dataclasses import dataclass
from typing import Self

_PREFIX = "reme-fault"
_PATTERN = re.compile(
    rf"{_PREFIX}:(?P<cluster>[a-z0-9]{{1,16}}):(?P<owner>[a-z0-9-]{{1,40}}):(?P<id>[a-z0-9]{{4,16}})"
    r":(?P<kind>[a-z]{2,10}):(?P<ends_at>[0-9]{1,12})(?![0-9])"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose fault it is and when it ends by itself, in seconds since 1970.

    Clusters may share a host and its processes, so that each sweeps only its own.
    """

    cluster: str
    owner: str
    id: str
    kind: str
    ends_at: int

    def __str__(self) -> str:
        return f"{_PREFIX}:{self.cluster}:{self.owner}:{self.id}:{self.kind}:{self.ends_at}"

    @classmethod
    def find(cls, text: str) -> Self | None:
        """Return the first mark in a text, if there is one."""
        if not (found := _PATTERN.search(text)):
            return None
        cluster, owner, id_, kind, ends_at = found.groups()
        return cls(cluster, owner, id_, kind, int(ends_at))
