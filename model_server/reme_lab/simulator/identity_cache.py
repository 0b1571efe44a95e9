"""Remembers what was worked out of objects that never change, by which objects they are.

Worlds share what they have in common, so most of an episode was worked out in an earlier one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, TypeVarTuple

A = TypeVar("A")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_MOST = 2_000
_FEW = 64


def cache_by_identity(function: Callable[[A], T]) -> Callable[[A], T]:
    """Return the function with a memory of its results, by the identity of its one argument.

    For pure functions of what nobody changes. An entry keeps its argument, so that no other object
    can get its place in memory.
    """
    return _by_identity(function, _MOST, dict.clear)


def cache_recent_by_identity(function: Callable[[A], T]) -> Callable[[A], T]:
    """Return the function with a memory of its last results only: for what is large."""
    return _by_identity(function, _FEW, _drop_oldest)


def _drop_oldest(known: dict[Any, Any]) -> None:
    known.pop(next(iter(known)))


def _by_identity(
    function: Callable[[A], T], most: int, make_room: Callable[[dict[Any, Any]], None]
) -> Callable[[A], T]:
    known: dict[int, tuple[A, T]] = {}

    @wraps(function)
    def remembered(argument: A) -> T:
        entry = known.get(id(argument))
        if entry is not None:
            return entry[1]
        result = function(argument)
        if len(known) >= most:
            make_room(known)
        known[id(argument)] = (argument, result)
        return result

    return remembered


def cache_by_identities(function: Callable[[*Ts], T]) -> Callable[[*Ts], T]:
    """Return the function with a memory of its results, by the identity of its arguments."""
    known: dict[tuple[int, ...], tuple[Any, T]] = {}

    @wraps(function)
    def remembered(*arguments: *Ts) -> T:
        mark = tuple(map(id, arguments))
        entry = known.get(mark)
        if entry is not None:
            return entry[1]
        result = function(*arguments)
        if len(known) >= _MOST:
            known.clear()
        known[mark] = (arguments, result)
        return result

    return remembered
