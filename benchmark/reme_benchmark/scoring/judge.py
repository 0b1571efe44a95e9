"""Judging step by step: rounds of measurements, and the window in which all of them hold."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reme_benchmark.scenarios.faults.model import Check
from reme_benchmark.scoring import neighbours, unintended_changes
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.container_usage import Growth
from reme_benchmark.scoring.neighbours import Health
from reme_benchmark.scoring.records import Measured, Verdict
from reme_benchmark.scoring.snapshot import take
from reme_benchmark.scoring.tamper_check import TamperCheck
from reme_benchmark.scoring.user_sli import UserSli
from reme_kube.clock import Clock
from reme_kube.errors import ClusterError

Measure = Callable[[Check, CaseContext, Growth], Awaitable[Measured]]

PERIOD_SECONDS = 1.0
_FINAL_AGAIN_SECONDS = 3.0
"""How long what should not be there may take to go: a method may still be undoing it."""
_COUNTED_SECONDS = 8.0
"""Longest time until the users' counts of a moment are known."""
_USERS_SECONDS = 5
_POINTS = 2.0
_SLOWER_FACTOR, _SLOWER_MILLISECONDS = 3.0, 100.0


@dataclass
class _Window:
    """A time in which everything has to hold."""

    begun: float  # by the monotonic clock
    time: float  # by the clock of the day
    health: Health
    growth: list[Growth]


@dataclass
class Judge:
    """One case, being judged."""

    context: CaseContext
    tamper_check: TamperCheck
    clock: Clock
    measure: Measure
    measured: list[Measured] = field(default_factory=list)
    came_back: str = ""
    held_since: float | None = None

    async def judge(self) -> Verdict:
        """Judge a case in which there is something to repair."""
        assert self.context.fault is not None, "a control has a judge of its own"
        final = await self._final()
        if any(m.ok is False for m in final):
            await self.clock.sleep(_FINAL_AGAIN_SECONDS)
            final = await self._final()
        if any(m.ok is False for m in final):
            # Nothing that comes now can make it good; the rest is noted as it is.
            await self.look([{} for _ in self.context.fault.oracle.effect])
            return self.verdict([*await self._users_now(), *await self._beside(), *final])
        users = await self._hold() or await self._users_now()
        return self.verdict([*users, *await self._beside(), *await self._final()])

    async def _hold(self) -> list[Measured]:
        """Wait for the effect to go and for a whole window without it; return what users felt."""
        assert self.context.fault is not None
        oracle = self.context.fault.oracle
        begun, window = self.clock.monotonic(), None
        users: list[Measured] = []
        while True:
            round_begun = self.clock.monotonic()
            late = round_begun - begun > oracle.settle_seconds
            if window is None and late:
                return users
            growth: list[Growth] = window.growth if window else [{} for _ in oracle.effect]
            why, health = await self._round(growth, window)
            if why:
                if window is not None:
                    held = round_begun - window.begun
                    self.came_back = f"it held for {held:.0f} s and came back: {why}"
                window = None
            elif window is None:
                window = _Window(round_begun, self.clock.now().timestamp(), health, growth)
            elif round_begun - window.begun >= oracle.window_seconds:
                users = [await self._users(window)] if oracle.users else []
                if all(m.ok for m in users) or late:
                    if all(m.ok for m in users):
                        self.came_back, self.held_since = "", window.time
                    return users
                window = None
            spent = self.clock.monotonic() - round_begun
            await self.clock.sleep(max(0.05, PERIOD_SECONDS - spent))

    async def _round(self, growth: list[Growth], window: _Window | None) -> tuple[str, Health]:
        """Measure everything once; return what does not hold, and how healthy the system is."""
        try:
            _, health = await asyncio.gather(
                self.look(growth),
                neighbours.health(self.context.cluster, self.context.namespace),
            )
        except ClusterError as error:
            return f"the system could not be read: {error}", Health({}, {})
        why = next((f"{m.name}: {m.message or m.value}" for m in self.measured if not m.ok), "")
        why = why or next(iter(neighbours.lacking(self.context.before, health)), "")
        if not why and window is not None:
            why = next(iter(neighbours.became_unsteady(window.health, health)), "")
        return why, health

    async def look(self, growth: list[Growth]) -> None:
        """Measure every effect once."""
        assert self.context.fault is not None
        checks = self.context.fault.oracle.effect
        self.measured = list(
            await asyncio.gather(
                *(
                    self.measure(check, self.context, memory)
                    for check, memory in zip(checks, growth, strict=True)
                )
            )
        )

    async def _users(self, window: _Window) -> Measured:
        """Return whether users were served over the whole window as before the fault."""
        end = self.clock.now().timestamp()
        until = self.clock.monotonic() + _COUNTED_SECONDS
        felt: UserSli | None = None
        while felt is None and self.clock.monotonic() < until:
            felt = await self.context.users.between(window.time, end)
            if felt is None:
                await self.clock.sleep(0.5)
        return as_before(self.tamper_check.users, felt)

    async def _users_now(self) -> list[Measured]:
        """Return whether users are served in these seconds, where the effect is not gone."""
        assert self.context.fault is not None
        if not self.context.fault.oracle.users:
            return []
        return [as_before(self.tamper_check.users, await self.context.users.felt(_USERS_SECONDS))]

    async def _beside(self) -> list[Measured]:
        """Return whether the neighbours are as healthy as before."""
        name = "neighbours"
        try:
            now = await neighbours.health(self.context.cluster, self.context.namespace)
        except ClusterError as error:
            return [Measured(name=name, ok=None, message=f"not readable: {error}"[:300])]
        why = neighbours.lacking(self.context.before, now)
        own = [w for w in why if w.partition(":")[0].endswith(f"/{self.context.case.service}")]
        others = [w for w in why if w not in own]
        return [
            Measured(name="rollout available", ok=not own, message="; ".join(own)),
            Measured(name=name, ok=not others, message="; ".join(others[:5])),
        ]

    async def _final(self) -> list[Measured]:
        """Return what is good or bad for good: changes that may not be, and the injector."""
        return await final(self.context, self.tamper_check)

    def verdict(self, beside: list[Measured]) -> Verdict:
        """Return what was measured, and why it is not enough, the main reason first."""
        measured = [*self.measured, *beside]
        bad = [m for m in measured if m.ok is not True]
        # Who gets at the injector can make any effect go away.
        bad.sort(key=lambda m: m.name != "injector")
        reasons = [f"{m.name}: {m.message or m.value or 'not measured'}" for m in bad]
        if self.came_back:
            reasons.append(self.came_back)
        held = None if self.held_since is None else datetime.fromtimestamp(self.held_since, UTC)
        return Verdict(
            passed=not reasons,
            measured=measured,
            reasons=reasons,
            held_since=None if reasons else held,
        )


async def final(context: CaseContext, tamper_check: TamperCheck) -> list[Measured]:
    """Return whether all but what may differ is as before, and whether the injector is."""
    try:
        now, touched = await asyncio.gather(
            take(context.cluster, context.namespace), tamper_check.touched(context)
        )
        bad = [c for c in unintended_changes.changes(context, now) if not c.allowed]
    except ClusterError as error:
        message = f"not readable: {error}"[:300]
        return [Measured(name=name, ok=None, message=message) for name in ("changes", "injector")]
    return [
        Measured(
            name="changes",
            ok=not bad,
            value=f"{len(bad)} that may not be",
            message="; ".join(unintended_changes.told(c) for c in bad[:5]),
        ),
        Measured(name="injector", ok=not touched, message="; ".join(touched[:5])),
    ]


def as_before(before: UserSli, felt: UserSli | None) -> Measured:
    """Return whether users are served as they were before the fault."""
    name = "users"
    if felt is None or not felt.asked or not before.asked:
        return Measured(name=name, ok=None, message="what users felt is not known")
    if felt.percent < before.percent - _POINTS:
        return Measured(
            name=name, ok=False, value=str(felt), message=f"{felt}; before the fault: {before}"
        )
    slowest = (
        None
        if before.p50_milliseconds is None
        else before.p50_milliseconds * _SLOWER_FACTOR + _SLOWER_MILLISECONDS
    )
    slow = slowest is not None and (felt.p50_milliseconds or 0) > slowest
    message = f"slower than {slowest:.0f} ms" if slow else ""
    return Measured(name=name, ok=not slow, value=str(felt), message=message)
