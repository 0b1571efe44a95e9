"""Turns rounds of probes into verdicts, without a clock or a cluster. Pure.

A baseline looks for the fault: one failed sample shows it. A verification looks for success: every
probe passes, round after round, for a whole window without a break, and no neighbour is less
available than before. A round that could not be measured breaks a window too, since it proves
nothing; but it never counts as a failure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reme_api.probes import NeighbourHealth, ProbeResult, ProbeVerdict, ProbeWindow
from reme_operator.probes.sample import Sample

_MAX_NEIGHBOURS = 256
_VERDICTS = {True: ProbeVerdict.PASSED, False: ProbeVerdict.FAILED, None: ProbeVerdict.UNKNOWN}


@dataclass(frozen=True, slots=True)
class ProbeRound:
    """One sample of every probe, and the health of the neighbours at that moment."""

    at: datetime
    samples: Mapping[str, Sample]
    neighbours: tuple[NeighbourHealth, ...] = ()
    unsettled: str = ""  # after a rollback: why the rollout has not settled
    target_worse: str = ""  # and in what the target is worse than before the run


@dataclass(frozen=True, slots=True)
class ProbeHistory:
    """What this process has measured of one window so far."""

    started: datetime
    probes: tuple[ProbeResult, ...] = ()
    neighbours: tuple[NeighbourHealth, ...] = ()
    rounds: int = 0
    last_at: datetime | None = None
    holding_since: datetime | None = None
    failed_at: datetime | None = None
    unmeasured_at: datetime | None = None
    degraded: tuple[str, ...] = ()
    degraded_since: datetime | None = None
    unsettled: str = ""
    target_worse: str = ""

    def add(
        self, probe_round: ProbeRound, baseline: Sequence[NeighbourHealth] = (), target: str = ""
    ) -> "ProbeHistory":
        """Return the history with one more round.

        `target` is the `Kind/name` of the target. It is among the neighbours, and its own health
        breaks a window like theirs, but it may take time to recover.
        """
        degraded = degraded_neighbours(baseline, probe_round.neighbours)
        results = {sample.passed for sample in probe_round.samples.values()}
        at, failed, unmeasured = probe_round.at, False in results, None in results
        holds = not failed and not unmeasured and not degraded
        others_degraded = any(name != target for name in degraded)
        return replace(
            self,
            probes=tuple(_count(self.probes, probe_round.samples)),
            neighbours=probe_round.neighbours[:_MAX_NEIGHBOURS] or self.neighbours,
            rounds=self.rounds + 1,
            last_at=at,
            holding_since=(self.holding_since or at) if holds else None,
            failed_at=at if failed or degraded else self.failed_at,
            unmeasured_at=at if unmeasured else self.unmeasured_at,
            degraded=degraded,
            degraded_since=(self.degraded_since or at) if others_degraded else None,
            unsettled=probe_round.unsettled,
            target_worse=probe_round.target_worse,
        )

    def window(self, verdict: ProbeVerdict, now: datetime, message: str) -> ProbeWindow:
        """Return the record of this window."""
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
    """The result of a window."""

    verdict: ProbeVerdict
    message: str
    neighbours_degraded: bool = False


def baseline_verdict(history: ProbeHistory, samples: int) -> WindowVerdict | None:
    """Return what the baseline shows, or nothing while more samples are needed."""
    failing = [probe.name for probe in history.probes if probe.failed]
    if failing:
        return WindowVerdict(ProbeVerdict.FAILED, f"failing: {', '.join(failing)}")
    if history.rounds < samples:
        return None
    unmeasured = [probe.name for probe in history.probes if not probe.passed]
    if unmeasured:
        message = f"could not be measured: {', '.join(unmeasured)}"
        return WindowVerdict(ProbeVerdict.UNKNOWN, message)
    return WindowVerdict(ProbeVerdict.PASSED, f"every probe passed {history.rounds} times")


def verification_verdict(
    history: ProbeHistory, now: datetime, *, window: timedelta, deadline: datetime
) -> WindowVerdict | None:
    """Return whether success held over the window, or nothing while that is still open."""
    if _lasted(history.holding_since, history.last_at, window):
        message = f"held for {_seconds(window)} s without a break"
        return WindowVerdict(ProbeVerdict.PASSED, message)
    if _lasted(history.degraded_since, history.last_at, window):
        return _degraded(history)
    return _verdict_at_deadline(history, window) if now >= deadline else None


def _verdict_at_deadline(history: ProbeHistory, window: timedelta) -> WindowVerdict:
    # The messages are a part of the prompt of the next attempt: a model was trained on them.
    if history.degraded_since:
        return _degraded(history)
    if history.last_at is None:
        return WindowVerdict(ProbeVerdict.UNKNOWN, "nothing could be measured in time")
    last_window = history.last_at - window
    if history.failed_at and history.failed_at >= last_window:
        failing = [probe.name for probe in history.probes if probe.failed]
        names = ", ".join(failing or history.degraded)
        return WindowVerdict(ProbeVerdict.FAILED, f"still failing at the end: {names}")
    if history.unmeasured_at and history.unmeasured_at >= last_window:
        unmeasured = ", ".join(probe.name for probe in history.probes if probe.errors)
        return WindowVerdict(ProbeVerdict.UNKNOWN, f"could not be measured: {unmeasured}")
    message = f"did not hold for {_seconds(window)} s in time"
    return WindowVerdict(ProbeVerdict.FAILED, message)


def _degraded(history: ProbeHistory) -> WindowVerdict:
    message = f"worse than before: {', '.join(history.degraded)}"
    return WindowVerdict(ProbeVerdict.FAILED, message, neighbours_degraded=True)


def _lasted(since: datetime | None, until: datetime | None, span: timedelta) -> bool:
    return since is not None and until is not None and until - since >= span


def degraded_neighbours(
    before: Sequence[NeighbourHealth], after: Sequence[NeighbourHealth]
) -> tuple[str, ...]:
    """Return the workloads, as `Kind/name`, that are less available than before.

    One that is gone was deleted by somebody else: a run cannot delete workloads.
    """
    by_name = {(neighbour.kind, neighbour.name): neighbour for neighbour in after}
    return tuple(
        f"{was.kind}/{was.name}"
        for was in before
        if (now := by_name.get((was.kind, was.name))) and _is_degraded(was, now)
    )


def _is_degraded(was: NeighbourHealth, now: NeighbourHealth) -> bool:
    if now.healthy:
        return False
    return was.healthy or now.available < was.available


def _count(before: Sequence[ProbeResult], samples: Mapping[str, Sample]) -> list[ProbeResult]:
    earlier = {result.name: result for result in before}
    results = []
    for name, sample in samples.items():
        was = earlier.get(name) or ProbeResult(name=name, verdict=ProbeVerdict.UNKNOWN)
        results.append(
            ProbeResult(
                name=name,
                verdict=_VERDICTS[sample.passed],
                passed=was.passed + (sample.passed is True),
                failed=was.failed + (sample.passed is False),
                errors=was.errors + (sample.passed is None),
                value=(sample.value or was.value)[:256],
                message=was.message if sample.passed else sample.message[:1024],
            )
        )
    return results


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
