"""Caches results by the identity of immutable arguments.

Worlds share what they have in common, so most results of an episode were computed before.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, TypeVarTuple

A = TypeVar("A")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_MAX_ENTRIES = 2_000
_MAX_RECENT = 64


def cache_by_identity(function: Callable[[A], T]) -> Callable[[A], T]:
    """Cache the results of a pure function by the identity of its argument.

    An entry keeps its argument alive, so that the id is not reused.
    """
    return _by_identity(function, _MAX_ENTRIES, dict.clear)


def cache_recent_by_identity(function: Callable[[A], T]) -> Callable[[A], T]:
    """Cache only the most recent results, for large arguments."""
    return _by_identity(function, _MAX_RECENT, _drop_oldest)


def _drop_oldest(cache: dict[Any, Any]) -> None:
    cache.pop(next(iter(cache)))


def _by_identity(
    function: Callable[[A], T], max_entries: int, make_room: Callable[[dict[Any, Any]], None]
) -> Callable[[A], T]:
    cache: dict[int, tuple[A, T]] = {}

    @wraps(function)
    def cached(argument: A) -> T:
        entry = cache.get(id(argument))
        if entry is not None:
            return entry[1]
        result = function(argument)
        if len(cache) >= max_entries:
            make_room(cache)
        cache[id(argument)] = (argument, result)
        return result

    return cached


def cache_by_identities(function: Callable[[*Ts], T]) -> Callable[[*Ts], T]:
    """Cache the results of a pure function by the identity of its arguments."""
    cache: dict[tuple[int, ...], tuple[Any, T]] = {}

    @wraps(function)
    def cached(*arguments: *Ts) -> T:
        key = tuple(map(id, arguments))
        entry = cache.get(key)
        if entry is not None:
            return entry[1]
        result = function(*arguments)
        if len(cache) >= _MAX_ENTRIES:
            cache.clear()
        cache[key] = (arguments, result)
        return result

    return cached
