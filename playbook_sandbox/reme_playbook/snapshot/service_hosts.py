"""Values that name other Services: which of them lead nowhere, and where they could lead."""

import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from typing import NamedTuple

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_PART = re.compile(
    rf"(?P<before>\s*(?:[A-Za-z][A-Za-z0-9+.:-]{{0,31}}://)?)"
    rf"(?P<host>{_LABEL})"
    rf"(?P<domain>(?:\.{_LABEL}(?:\.svc(?:\.cluster\.local)?)?)?)"
    r"(?P<after>(?::[0-9]{1,5})?(?:[/?][^\s,]*)?\s*)",
    re.ASCII,
)
_HINTS = frozenset(
    {
        "addr",
        "address",
        "backend",
        "broker",
        "brokers",
        "endpoint",
        "endpoints",
        "host",
        "hostname",
        "peer",
        "peers",
        "server",
        "servers",
        "service",
        "target",
        "upstream",
        "uri",
        "url",
    }
)
_NEAR = 0.75


class _Part(NamedTuple):
    before: str
    host: str
    domain: str
    after: str

    @property
    def is_address(self) -> bool:
        """Whether more than a bare word stands there."""
        return "://" in self.before or self.after.startswith(":") or bool(self.domain)


def similarity(one: str, other: str) -> float:
    """Return how alike two names are, from 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def nearest(name: str, candidates: Iterable[str], limit: int) -> tuple[str, ...]:
    """Return the candidates that are most alike, best first."""
    return tuple(sorted(candidates, key=lambda c: (-similarity(name, c), c))[:limit])


def _parts(value: str) -> list[_Part] | None:
    if len(value) > 1024:
        return None
    matches = [_PART.fullmatch(part) for part in value.split(",")]
    found = [_Part(**match.groupdict()) for match in matches if match]
    return found if len(found) == len(matches) else None


def _leads_nowhere(part: _Part, name: str, services: Collection[str], namespace: str) -> bool:
    if part.host in services or not services:
        return False
    if part.domain and part.domain.split(".")[1] != namespace:
        return False  # another namespace, or a host outside
    if part.is_address:
        # With a domain it is a name of this namespace; a bare number is no host.
        return not re.fullmatch("[0-9]+", part.host)
    hinted = bool(set(re.split(r"[^a-z]+", name.lower())) & _HINTS)
    return hinted or max(similarity(part.host, s) for s in services) >= _NEAR


def replaced_hosts(
    name: str, value: str, services: Collection[str], namespace: str, limit: int = 3
) -> tuple[str, ...]:
    """Return the value with a host that leads nowhere replaced by a Service that exists.

    `name` is the variable's. Where several hosts lead nowhere, each is replaced by the nearest.
    """
    parts = _parts(value)
    if parts is None:
        return ()
    broken = [i for i, p in enumerate(parts) if _leads_nowhere(p, name, services, namespace)]
    if not broken:
        return ()
    if len(broken) == 1:
        host = parts[broken[0]].host
        options = [{broken[0]: service} for service in nearest(host, services, limit)]
    else:
        options = [{i: nearest(parts[i].host, services, 1)[0] for i in broken}]
    return tuple(_written(parts, option) for option in options)


def replaces_missing_hosts(
    name: str, value: str, new: str, services: Collection[str], namespace: str
) -> bool:
    """Return whether the new value differs only in hosts that led nowhere, and now do not."""
    old_parts, new_parts = _parts(value), _parts(new)
    if old_parts is None or new_parts is None or len(old_parts) != len(new_parts) or value == new:
        return False
    return all(
        old == found
        or (
            old._replace(host=found.host) == found
            and found.host in services
            and _leads_nowhere(old, name, services, namespace)
        )
        for old, found in zip(old_parts, new_parts, strict=True)
    )


def _written(parts: list[_Part], hosts: dict[int, str]) -> str:
    return ",".join(
        f"{p.before}{hosts.get(i, p.host)}{p.domain}{p.after}" for i, p in enumerate(parts)
    )
