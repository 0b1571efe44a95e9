"""Methods by name."""

from typing import Any

from reme_api.parsing import parse_int
from reme_benchmark.methods.base import Method, MethodError
from reme_benchmark.methods.cheats import CHEATS, Cheat
from reme_benchmark.methods.command import Command
from reme_benchmark.methods.oracle import ReferencePlaybook
from reme_benchmark.methods.plain import Noop, RestartOnly
from reme_benchmark.methods.reme import DryRunReme, Reme, ThinkRemedReme

NAMES = (
    "reme",
    "reme-thinkremed",
    "ask",
    "noop",
    "restart",
    "oracle",
    "command",
    *(f"cheat-{name}" for name in CHEATS),
)

ASKS_MODEL = frozenset({"reme", "reme-thinkremed", "ask"})
"""The methods that ask the installed model."""


def choose(name: str, *, external: str = "", **reme: Any) -> Method:
    """Return the method of that name.

    Raises:
        MethodError: there is none; the message names those that there are.
    """
    if name == "reme":
        return Reme(**reme)
    if name == ThinkRemedReme.name:
        return ThinkRemedReme(**reme)
    if name == "ask":
        return DryRunReme()
    if name == "noop":
        return Noop()
    if name == "restart":
        return RestartOnly()
    if name == "command":
        return Command(external)
    if name == "oracle" or (name.startswith("oracle-") and parse_int(name[7:]) is not None):
        return ReferencePlaybook(int(name[7:] or 0) if name != "oracle" else 0)
    if name.startswith("cheat-") and name.removeprefix("cheat-") in CHEATS:
        return Cheat(name.removeprefix("cheat-"))
    raise MethodError(f"there is no method {name!r}; there are {', '.join(NAMES)}")
