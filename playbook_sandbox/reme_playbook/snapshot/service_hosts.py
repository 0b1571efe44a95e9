"""Values that name other Services: which hosts are missing, and which Services could be meant."""

import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from typing import NamedTuple

from reme_playbook.snapshot.hosts import hosts_in

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_PART = re.compile(
    rf"(?P<before>\s*(?:[A-Za-z][A-Za-z0-9+.:-]{{0,31}}://)?)"
    rf"(?P<host>{_LABEL})"
    rf"(?P<domain>(?:\.{_LABEL}(?:\.svc(?:\.cluster\.local)?)?)?)"
    r"(?P<after>(?::[0-9]{1,5})?(?:[/?][^\s,]*)?\s*)",
    re.ASCII,
)


class _Part(NamedTuple):
    before: str
    host: str
    domain: str
    after: str


_MUCH_ALIKE = 0.8
"""Similarity of a misspelt name to the right one, such as that of a peer in the same cluster."""


def similarity(one: str, other: str) -> float:
    """Return how similar two names are, from 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def nearest(name: str, candidates: Iterable[str], limit: int) -> tuple[str, ...]:
    """Return the most similar candidates, best first."""
    return tuple(sorted(candidates, key=lambda c: (-similarity(name, c), c))[:limit])


def _parts(value: str) -> list[_Part] | None:
    if len(value) > 1024:
        return None
    matches = [_PART.fullmatch(part) for part in value.split(",")]
    parts = [_Part(**match.groupdict()) for match in matches if match]
    return parts if len(parts) == len(matches) else None


def _is_missing(
    part: _Part, name: str, services: Collection[str], namespace: str, *, resolved: bool
) -> bool:
    if part.host in services or not services:
        return False
    if part.domain and part.domain.split(".")[1] != namespace:
        return False  # another namespace, or a host outside
    host = part.host + part.domain
    # With the namespace behind it a name is one of this namespace.
    hosts = hosts_in(name, "".join(part), resolved=resolved or bool(part.domain))
    return any(h.name == host and h.certain for h in hosts)


def missing_hosts(
    name: str, value: str, services: Collection[str], namespace: str, *, resolved: bool = False
) -> tuple[str, ...]:
    """Return the Services that the value names and that do not exist.

    `name` is the variable's; `resolved` says that an earlier value of it is a Service.
    """
    return tuple(
        part.host
        for part in _parts(value) or ()
        if _is_missing(part, name, services, namespace, resolved=resolved)
    )


def replaced_hosts(
    name: str,
    value: str,
    services: Collection[str],
    namespace: str,
    limit: int = 3,
    *,
    resolved: bool = False,
    own: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the value with a missing host replaced by a Service that exists, the nearest first.

    Of several missing hosts, each is replaced by the nearest Service. `own` are the target's own
    Services: a program rarely calls itself, so they replace only a name that is much like theirs.
    """
    parts = _parts(value) or []
    broken = [
        i
        for i, part in enumerate(parts)
        if _is_missing(part, name, services, namespace, resolved=resolved)
    ]
    if not broken:
        return ()
    possible = {i: _replacements(parts[i].host, services, own, limit) for i in broken}
    if len(broken) == 1:
        options = [{broken[0]: service} for service in possible[broken[0]]]
    else:
        options = [{i: names[0] for i, names in possible.items()}] if all(possible.values()) else []
    return tuple(_joined(parts, option) for option in options)


def _replacements(
    host: str, services: Collection[str], own: Collection[str], limit: int
) -> tuple[str, ...]:
    others = [s for s in services if s not in own or similarity(host, s) >= _MUCH_ALIKE]
    return nearest(host, others, limit)


def replaces_missing_hosts(
    name: str,
    value: str,
    new: str,
    services: Collection[str],
    namespace: str,
    *,
    resolved: bool = False,
) -> bool:
    """Return whether the new value differs only in missing hosts, which are existing ones now."""
    old_parts, new_parts = _parts(value), _parts(new)
    if old_parts is None or new_parts is None or len(old_parts) != len(new_parts) or value == new:
        return False
    return all(
        old == new_part
        or (
            old._replace(host=new_part.host) == new_part
            and new_part.host in services
            and _is_missing(old, name, services, namespace, resolved=resolved)
        )
        for old, new_part in zip(old_parts, new_parts, strict=True)
    )


def _joined(parts: list[_Part], hosts: dict[int, str]) -> str:
    return ",".join(
        f"{p.before}{hosts.get(i, p.host)}{p.domain}{p.after}" for i, p in enumerate(parts)
    )
