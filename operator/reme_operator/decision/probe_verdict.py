"""Samples become a verdict: pure, so that the judge can be tested without a clock or a cluster.

A baseline looks for the fault: one failed sample shows it. A verification looks for success: every
probe, round after round, over a whole window without a break, with no neighbour worse than before.
A round that could not be measured breaks a window too, since it proves nothing; but it never turns
into "failed".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reme_api.probes import NeighbourHealth, ProbeResult, ProbeVerdict, ProbeWindow
from reme_operator.probes.sample import Sample

_MOST_NEIGHBOURS = 256


@dataclass(frozen=True, slots=True)
class ProbeRound:
    """Every probe, measured once, and the neighbours at that moment."""

    at: datetime
    samples: Mapping[str, Sample]
    neighbours: tuple[NeighbourHealth, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeHistory:
    """What has been measured of one window in this process."""

    started: datetime
    probes: tuple[ProbeResult, ...] = ()
    neighbours: tuple[NeighbourHealth, ...] = ()
    rounds: int = 0
    last_at: datetime | None = None
    holding_since: datetime | None = None
    failed_at: datetime | None = None
    unmeasured_at: datetime | None = None
    worse: tuple[str, ...] = ()
    worse_since: datetime | None = None

    def add(
        self, fresh: ProbeRound, baseline: Sequence[NeighbourHealth] = (), target: str = ""
    ) -> "ProbeHistory":
        """Return the measurement with one more round.

        `target` is the `Kind/name` of the target: it is among the neighbours, and its own health
        breaks a window like theirs, but it may take its time.
        """
        worse = degraded_neighbours(baseline, fresh.neighbours)
        failed = any(s.passed is False for s in fresh.samples.values())
        unmeasured = any(s.passed is None for s in fresh.samples.values())
        holds = not failed and not unmeasured and not worse
        others_worse = any(name != target for name in worse)
        return replace(
            self,
            probes=tuple(_count(self.probes, fresh.samples)),
            neighbours=fresh.neighbours[:_MOST_NEIGHBOURS] or self.neighbours,
            rounds=self.rounds + 1,
            last_at=fresh.at,
            holding_since=(self.holding_since or fresh.at) if holds else None,
            failed_at=fresh.at if failed or worse else self.failed_at,
            unmeasured_at=fresh.at if unmeasured else self.unmeasured_at,
            worse=worse,
            worse_since=(self.worse_since or fresh.at) if others_worse else None,
        )

    def window(self, verdict: ProbeVerdict, now: datetime, message: str) -> ProbeWindow:
        """Return the record of this measurement."""
        return ProbeWindow(
            start_time=self.started,
            completion_time=now,
            verdict=verdict,
            probes=list(self.probes),
            neighbours=list(self.neighbours),
            message=message[:1024],
        )


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """What a window says, once it says something."""

    verdict: ProbeVerdict
    message: str
    neighbours_worse: bool = False


def baseline_verdict(seen: ProbeHistory, samples: int) -> WindowVerdict | None:
    """Return what the baseline shows, or nothing while more samples are needed."""
    failing = [p.name for p in seen.probes if p.failed]
    if failing:
        return WindowVerdict(ProbeVerdict.FAILED, f"failing: {', '.join(failing)}")
    if seen.rounds < samples:
        return None
    silent = [p.name for p in seen.probes if not p.passed]
    if silent:
        return WindowVerdict(ProbeVerdict.UNKNOWN, f"could not be measured: {', '.join(silent)}")
    return WindowVerdict(ProbeVerdict.PASSED, f"every probe passed {seen.rounds} times")


def verification_verdict(
    seen: ProbeHistory, now: datetime, *, window: timedelta, deadline: datetime
) -> WindowVerdict | None:
    """Return whether success held over the window, or nothing while that is still open."""
    if seen.holding_since and seen.last_at and seen.last_at - seen.holding_since >= window:
        return WindowVerdict(ProbeVerdict.PASSED, f"held for {_seconds(window)} s without a break")
    if seen.worse_since and seen.last_at and seen.last_at - seen.worse_since >= window:
        return WindowVerdict(
            ProbeVerdict.FAILED,
            f"worse than before: {', '.join(seen.worse)}",
            neighbours_worse=True,
        )
    if now < deadline:
        return None
    if seen.worse_since:
        return WindowVerdict(
            ProbeVerdict.FAILED,
            f"worse than before: {', '.join(seen.worse)}",
            neighbours_worse=True,
        )
    if seen.last_at is None:
        return WindowVerdict(ProbeVerdict.UNKNOWN, "nothing could be measured in time")
    tail = seen.last_at - window
    if seen.failed_at and seen.failed_at >= tail:
        failing = [p.name for p in seen.probes if p.failed] or list(seen.worse)
        return WindowVerdict(ProbeVerdict.FAILED, f"still failing at the end: {', '.join(failing)}")
    if seen.unmeasured_at and seen.unmeasured_at >= tail:
        silent = [p.name for p in seen.probes if p.errors]
        return WindowVerdict(ProbeVerdict.UNKNOWN, f"could not be measured: {', '.join(silent)}")
    return WindowVerdict(ProbeVerdict.FAILED, f"did not hold for {_seconds(window)} s in time")


def degraded_neighbours(
    before: Sequence[NeighbourHealth], after: Sequence[NeighbourHealth]
) -> tuple[str, ...]:
    """Return the workloads, as `Kind/name`, that are less available than they were.

    One that is gone was deleted by somebody else: a run cannot delete workloads.
    """
    now = {(n.kind, n.name): n for n in after}
    return tuple(
        f"{was.kind}/{was.name}"
        for was in before
        if (found := now.get((was.kind, was.name))) and _is_worse(was, found)
    )


def _is_worse(was: NeighbourHealth, now: NeighbourHealth) -> bool:
    if now.healthy:
        return False
    return was.healthy or now.available < was.available


def _count(before: Sequence[ProbeResult], samples: Mapping[str, Sample]) -> list[ProbeResult]:
    known = {p.name: p for p in before}
    counted = []
    for name, sample in samples.items():
        was = known.get(name) or ProbeResult(name=name, verdict=ProbeVerdict.UNKNOWN)
        verdict = {
            True: ProbeVerdict.PASSED,
            False: ProbeVerdict.FAILED,
            None: ProbeVerdict.UNKNOWN,
        }
        counted.append(
            ProbeResult(
                name=name,
                verdict=verdict[sample.passed],
                passed=was.passed + (sample.passed is True),
                failed=was.failed + (sample.passed is False),
                errors=was.errors + (sample.passed is None),
                value=(sample.value or was.value)[:256],
                message=was.message if sample.passed else sample.message[:1024],
            )
        )
    return counted


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
