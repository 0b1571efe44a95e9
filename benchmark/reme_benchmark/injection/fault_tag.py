"""The text that identifies everything a fault leaves on a node.

It is an argument of every process, the comment of every packet rule, and an extended attribute of
every control group that a fault changed. The agent finds faults by it and keeps no other list.
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
class FaultTag:
    """Identity of a fault: cluster, owner, id, kind, and its end in seconds since 1970.

    Several clusters may share a host and its processes; each removes only its own faults.
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
        """Return the first tag in a text, if there is one."""
        if not (match := _PATTERN.search(text)):
            return None
        cluster, owner, id_, kind, ends_at = match.groups()
        return cls(cluster, owner, id_, kind, int(ends_at))
