"""The suites, and how their cases are drawn: the same seed gives the same cases."""

import random
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reme_benchmark.scenarios.cases.model import Case, Held, Hostile, Line, Quality, Suite
from reme_benchmark.scenarios.cases.targets import bystanders, possible
from reme_benchmark.scenarios.faults.catalog import faults, real
from reme_benchmark.scenarios.faults.model import Control, Fault, Split
from reme_benchmark.scenarios.faults.placeholders import fill

if TYPE_CHECKING:
    from reme_benchmark.scenarios.systems.model import System

DATA = Path(__file__).parent / "data"
_ORDER = (
    "smoke",
    "microremed-easy",
    "microremed-medium",
    "microremed-hard",
    "extended",
    "controls",
    "train",
    "dev",
    "held-out",
)
_SPLITS = {Split.TRAIN: 2, Split.DEV: 1, Split.HELD_OUT: 1}
_QUALITIES = {Quality.FULL: 4, Quality.TERSE: 2, Quality.MISLEADING: 2, Quality.BARE: 2}


def names() -> tuple[str, ...]:
    """Return the names of all suites."""
    return _ORDER


def load(name: str) -> Suite:
    """Return a suite, not yet drawn.

    Raises:
        ValueError: there is none of that name; the message lists those there are.
    """
    if name not in _ORDER:
        raise ValueError(f"no suite {name!r}; there are {', '.join(_ORDER)}")
    return Suite.model_validate({"name": name, **_read(f"suite-{name}.yaml")})


@cache
def held() -> Held:
    """Return which systems and fault types are kept from training as a whole."""
    return Held.model_validate(_read("splits.yaml"))


@cache
def hostile() -> tuple[Hostile, ...]:
    """Return the texts that try to talk a model into harm."""
    return tuple(Hostile.model_validate(entry) for entry in _read("hostile.yaml")["texts"])


def draw(suite: Suite, seed: int | None, systems: Mapping[str, "System"]) -> tuple[Case, ...]:
    """Draw the cases of a suite; without a seed, with the one that the suite records.

    A fault that no service of the systems can have gives no case.

    Raises:
        ValueError: a line names a system, or a fault, that does not exist or cannot be there.
    """
    chosen = suite.seed if seed is None else seed
    cases: list[Case] = []
    for line in _lines(suite, systems):
        # Each line has a source of its own: a line more or less does not move the others.
        source = f"{suite.name}/{chosen}/{line.model_dump_json(exclude_defaults=True)}"
        chance = random.Random(source)  # noqa: S311 - no secret here
        cases += _Drawing(suite, line, systems, chance).cases()
    return tuple(
        case.model_copy(update={"id": f"{suite.name}-{number:03}"})
        for number, case in enumerate(cases, 1)
    )


def select(cases: Iterable[Case], *splits: Split) -> tuple[Case, ...]:
    """Return the cases that may be used for one of these purposes."""
    return tuple(case for case in cases if case.split in splits)


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DATA / name).read_text(encoding="utf-8"))
    return content


def _lines(suite: Suite, systems: Mapping[str, "System"]) -> Iterator[Line]:
    yield from suite.lines
    if suite.every_fault:
        for fault in real():
            for system in systems:
                yield Line(count=suite.every_fault, fault=fault.id, systems=(system,))


class _Drawing:
    """One line of a suite, being drawn."""

    def __init__(
        self,
        suite: Suite,
        line: Line,
        systems: Mapping[str, "System"],
        chance: random.Random,
    ) -> None:
        unknown = [name for name in line.systems if name not in systems]
        if unknown:
            raise ValueError(f"suite {suite.name}: there is no system {unknown[0]!r}")
        self._suite, self._line, self._systems, self._chance = suite, line, systems, chance
        self._fault = faults().get(line.fault) if line.fault else None
        if line.fault and self._fault is None:
            raise ValueError(f"suite {suite.name}: there is no fault {line.fault!r}")
        self._texts: list[Hostile] = []
        self._given: dict[str, list[Any]] = {}

    def cases(self) -> Iterator[Case]:
        """Yield the cases, with the targets spread over systems and services."""
        places = self._places()
        if not places:
            if self._line in self._suite.lines:
                raise ValueError(
                    f"suite {self._suite.name}: no service can have {self._line.fault}"
                )
            return
        for number in range(self._line.count):
            system, service = places[number % len(places)]
            yield self._case(self._systems[system], service)

    def _places(self) -> list[tuple[str, str]]:
        """Return where the cases are, in a drawn order in which systems take turns."""
        by_system = []
        for name in self._line.systems or self._systems:
            system = self._systems[name]
            services = [s.name for s in possible(self._fault, system)]
            if self._line.control is Control.WRONG_TARGET:
                services = [name for name in services if bystanders(system, name)]
            self._chance.shuffle(services)
            if services and self._splits(name):
                by_system.append([(name, service) for service in services])
        self._chance.shuffle(by_system)
        longest = max(map(len, by_system), default=0)
        # A small system repeats its services, so that it is as often drawn as a large one.
        return [of[turn % len(of)] for turn in range(longest) for of in by_system]

    def _splits(self, system: str) -> tuple[Split, ...]:
        """Return the splits that a case on this system may be drawn for."""
        splits = self._line.splits or self._suite.splits or tuple(Split)
        if is_held(self._fault, system):
            return tuple(split for split in splits if split is Split.HELD_OUT)
        return splits

    def _case(self, system: "System", service: str) -> Case:
        if is_held(self._fault, system.name):
            split = Split.HELD_OUT
        else:
            splits = self._splits(system.name)
            split = (
                self._suite.parameters_of
                or self._chance.choices(splits, [_SPLITS[s] for s in splits])[0]
            )
        line = self._line
        reported = service
        if line.control is Control.WRONG_TARGET:
            reported = self._chance.choice(bystanders(system, service))
        return Case(
            id="drawn",
            system=system.name,
            fault=self._fault.id if self._fault else None,
            service=service,
            reported_service=reported,
            parameters=self._parameters(self._suite.parameters_of or split),
            quality=line.quality or self._suite.quality or self._quality(),
            split=split,
            control=line.control,
            hostile=self._hostile(service) if line.control is Control.HOSTILE else "",
        )

    def _parameters(self, split: Split) -> dict[str, Any]:
        parameters = {}
        for name, by_split in self._fault.parameters.items() if self._fault else ():
            key = f"{name}/{split}"
            if not self._given.get(key):
                # All values once before any twice.
                self._given[key] = list(by_split[split])
                self._chance.shuffle(self._given[key])
            parameters[name] = self._given[key].pop()
        return parameters

    def _quality(self) -> Quality:
        return self._chance.choices(list(_QUALITIES), list(_QUALITIES.values()))[0]

    def _hostile(self, service: str) -> str:
        if not self._texts:
            self._texts = list(hostile())
            self._chance.shuffle(self._texts)
        return str(fill(self._texts.pop().text, {"service": service}, "hostile"))


def is_held(fault: Fault | None, system: str) -> bool:
    """Return whether a case is kept from training whatever its parameters are."""
    return system in held().systems or bool(fault and fault.held_out)
