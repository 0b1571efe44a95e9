"""Judges a case: waits until the effect of the fault is gone, and stays so for a window."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reme_benchmark.scenarios.faults.model import Check, Oracle
from reme_benchmark.scoring import neighbours, unintended_changes
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.container_usage import Growth
from reme_benchmark.scoring.neighbours import NamespaceHealth
from reme_benchmark.scoring.records import Measured, Verdict
from reme_benchmark.scoring.snapshot import take_snapshot
from reme_benchmark.scoring.tamper_check import TamperCheck
from reme_benchmark.scoring.user_sli import UserSli
from reme_kube.clock import Clock
from reme_kube.errors import ClusterError

Measure = Callable[[Check, CaseContext, Growth], Awaitable[Measured]]

PERIOD_SECONDS = 1.0
_RETRY_SECONDS = 3.0
"""After this time unintended changes are measured again: a method may still be reverting them."""
_SLI_DELAY_SECONDS = 8.0
"""Longest time until the load generator has counted all requests of a moment."""
_CURRENT_SECONDS = 5
_PERCENT_POINTS = 2.0
_SLOWER_FACTOR, _SLOWER_MILLISECONDS = 3.0, 100.0


@dataclass
class _Window:
    """A time in which everything must hold."""

    started: float  # by the monotonic clock
    time: float  # seconds since 1970
    health: NamespaceHealth
    growth: list[Growth]


@dataclass
class Judge:
    """Judges one case."""

    context: CaseContext
    tamper_check: TamperCheck
    clock: Clock
    measure: Measure
    measured: list[Measured] = field(default_factory=list)
    recurrence: str = ""
    held_since: float | None = None

    @property
    def _oracle(self) -> Oracle:
        assert self.context.fault is not None, "controls are judged by judge_control"
        return self.context.fault.oracle

    async def judge(self) -> Verdict:
        """Judge a case with something to repair."""
        permanent = await measure_permanent(self.context, self.tamper_check)
        if any(m.ok is False for m in permanent):
            await self.clock.sleep(_RETRY_SECONDS)
            permanent = await measure_permanent(self.context, self.tamper_check)
        if any(m.ok is False for m in permanent):
            # The case cannot pass any more; the rest is measured once, for the record.
            await self.measure_effect([{} for _ in self._oracle.effect])
            users = await self._current_sli()
            return self.verdict([*users, *await self._measure_neighbours(), *permanent])
        users = await self._wait_for_window() or await self._current_sli()
        permanent = await measure_permanent(self.context, self.tamper_check)
        return self.verdict([*users, *await self._measure_neighbours(), *permanent])

    async def _wait_for_window(self) -> list[Measured]:
        """Wait for a whole window without the effect; return the SLI over it, empty without one."""
        oracle = self._oracle
        started, window = self.clock.monotonic(), None
        users: list[Measured] = []
        while True:
            round_started = self.clock.monotonic()
            late = round_started - started > oracle.settle_seconds
            if window is None and late:
                return users
            growth: list[Growth] = window.growth if window else [{} for _ in oracle.effect]
            failure, health = await self._measure_round(growth, window)
            if failure:
                if window is not None:
                    held = round_started - window.started
                    self.recurrence = f"it held for {held:.0f} s and came back: {failure}"
                window = None
            elif window is None:
                window = _Window(round_started, self.clock.now().timestamp(), health, growth)
            elif round_started - window.started >= oracle.window_seconds:
                users = [await self._window_sli(window)] if oracle.users else []
                if all(m.ok for m in users) or late:
                    if all(m.ok for m in users):
                        self.recurrence, self.held_since = "", window.time
                    return users
                window = None
            spent = self.clock.monotonic() - round_started
            await self.clock.sleep(max(0.05, PERIOD_SECONDS - spent))

    async def _measure_round(
        self, growth: list[Growth], window: _Window | None
    ) -> tuple[str, NamespaceHealth]:
        """Measure everything once; return the first failure and the health of the namespace."""
        try:
            _, health = await asyncio.gather(
                self.measure_effect(growth),
                neighbours.read_health(self.context.cluster, self.context.namespace),
            )
        except ClusterError as error:
            return f"the system could not be read: {error}", NamespaceHealth({}, {})
        failures = [f"{m.name}: {m.message or m.value}" for m in self.measured if not m.ok]
        failures += neighbours.less_available(self.context.before, health)
        if window is not None:
            failures += neighbours.disrupted_pods(window.health, health)
        return next(iter(failures), ""), health

    async def measure_effect(self, growth: list[Growth]) -> None:
        """Measure every effect of the fault once."""
        self.measured = list(
            await asyncio.gather(
                *(
                    self.measure(check, self.context, earlier)
                    for check, earlier in zip(self._oracle.effect, growth, strict=True)
                )
            )
        )

    async def _window_sli(self, window: _Window) -> Measured:
        """Return whether users were served over the whole window as before the fault."""
        end = self.clock.now().timestamp()
        until = self.clock.monotonic() + _SLI_DELAY_SECONDS
        sli: UserSli | None = None
        while sli is None and self.clock.monotonic() < until:
            sli = await self.context.users.between(window.time, end)
            if sli is None:
                await self.clock.sleep(0.5)
        return compare_sli(self.tamper_check.users, sli)

    async def _current_sli(self) -> list[Measured]:
        """Return whether users are served at present, where the oracle asks for it."""
        if not self._oracle.users:
            return []
        current = await self.context.users.recent(_CURRENT_SECONDS)
        return [compare_sli(self.tamper_check.users, current)]

    async def _measure_neighbours(self) -> list[Measured]:
        """Return whether the target and its neighbours are as available as before the fault."""
        name = "neighbours"
        try:
            now = await neighbours.read_health(self.context.cluster, self.context.namespace)
        except ClusterError as error:
            return [Measured(name=name, ok=None, message=f"not readable: {error}"[:300])]
        failures = neighbours.less_available(self.context.before, now)
        service = f"/{self.context.case.service}"
        own = [text for text in failures if text.partition(":")[0].endswith(service)]
        others = [text for text in failures if text not in own]
        return [
            Measured(name="rollout available", ok=not own, message="; ".join(own)),
            Measured(name=name, ok=not others, message="; ".join(others[:5])),
        ]

    def verdict(self, other: list[Measured]) -> Verdict:
        """Return the verdict of the measured effect and of `other`, the main reason first."""
        measured = [*self.measured, *other]
        failing = [m for m in measured if m.ok is not True]
        # A method that tampers with the injector can make any effect disappear.
        failing.sort(key=lambda m: m.name != "injector")
        reasons = [f"{m.name}: {m.message or m.value or 'not measured'}" for m in failing]
        if self.recurrence:
            reasons.append(self.recurrence)
        held = None if self.held_since is None else datetime.fromtimestamp(self.held_since, UTC)
        return Verdict(
            passed=not reasons,
            measured=measured,
            reasons=reasons,
            held_since=None if reasons else held,
        )


async def measure_permanent(context: CaseContext, tamper_check: TamperCheck) -> list[Measured]:
    """Return whether all but the allowed changes is as before, and the injector untouched."""
    try:
        now, tampered = await asyncio.gather(
            take_snapshot(context.cluster, context.namespace), tamper_check.tampered(context)
        )
        changes = unintended_changes.find_changes(context, now)
    except ClusterError as error:
        message = f"not readable: {error}"[:300]
        return [Measured(name=name, ok=None, message=message) for name in ("changes", "injector")]
    forbidden = [change for change in changes if not change.allowed]
    return [
        Measured(
            name="changes",
            ok=not forbidden,
            value=f"{len(forbidden)} not allowed",
            message="; ".join(unintended_changes.describe_change(c) for c in forbidden[:5]),
        ),
        Measured(name="injector", ok=not tampered, message="; ".join(tampered[:5])),
    ]


def compare_sli(before: UserSli, now: UserSli | None) -> Measured:
    """Return whether users are served as they were before the fault."""
    name = "users"
    if now is None or not now.total or not before.total:
        return Measured(name=name, ok=None, message="the load generator has no counts")
    if now.percent < before.percent - _PERCENT_POINTS:
        message = f"{now}; before the fault: {before}"
        return Measured(name=name, ok=False, value=str(now), message=message)
    slowest = (
        None
        if before.p50_milliseconds is None
        else before.p50_milliseconds * _SLOWER_FACTOR + _SLOWER_MILLISECONDS
    )
    slow = slowest is not None and (now.p50_milliseconds or 0) > slowest
    message = f"slower than {slowest:.0f} ms" if slow else ""
    return Measured(name=name, ok=not slow, value=str(now), message=message)
