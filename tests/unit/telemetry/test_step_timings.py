"""What a step took, and what of that the operator itself worked."""

from datetime import datetime, timedelta

from reme_api.reasons import Step
from reme_api.remediation import RemediationStatus, Timing
from reme_operator.telemetry.step_timings import StepTimer
from tests.doubles.builders import NOW, attempt, later


class Watch:
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def read(self) -> float:
        return self.seconds


def started_timer() -> tuple[Watch, StepTimer]:
    watch = Watch()
    return watch, StepTimer(watch.now, watch.read)


def timings(timer: StepTimer, status: RemediationStatus) -> dict[Step, tuple[int, int]]:
    filled = timer.with_timings(status)
    records = [*filled.timings, *(filled.attempts[-1].timings if filled.attempts else [])]
    return {t.step: (t.duration_milliseconds, t.operator_milliseconds) for t in records}


def test_waiting_is_duration_and_not_work() -> None:
    watch, timer = started_timer()
    with timer.step(Step.GENERATE):
        watch.seconds += 1
        with timer.waiting():
            watch.seconds += 30
        watch.seconds += 1
    assert timings(timer, RemediationStatus(attempts=[attempt()])) == {Step.GENERATE: (32000, 2000)}


def test_an_inner_step_is_charged_to_itself() -> None:
    watch, timer = started_timer()
    with timer.step(Step.VALIDATE):
        watch.seconds += 1
        with timer.step(Step.CAPTURE):
            watch.seconds += 2
        watch.seconds += 3
    durations = timings(timer, RemediationStatus(attempts=[attempt()]))
    assert durations == {Step.VALIDATE: (6000, 4000), Step.CAPTURE: (2000, 2000)}


def test_a_step_in_pieces_spans_them_and_adds_their_work() -> None:
    watch, timer = started_timer()
    for _ in range(3):
        with timer.step(Step.BASELINE):
            watch.seconds += 0.1
        watch.seconds += 1
    assert timings(timer, RemediationStatus()) == {Step.BASELINE: (2300, 300)}


def test_clean_up_is_only_its_pieces() -> None:
    watch, timer = started_timer()
    for _ in range(2):
        with timer.step(Step.CLEAN_UP):
            watch.seconds += 0.5
        watch.seconds += 60
    durations = timings(timer, RemediationStatus(attempts=[attempt()]))
    assert durations == {Step.CLEAN_UP: (1000, 1000)}


def test_what_an_earlier_process_wrote_is_added_to() -> None:
    watch, timer = started_timer()
    earlier = Timing(
        step=Step.VERIFY,
        start_time=later(-10),
        duration_milliseconds=5000,
        operator_milliseconds=70,
    )
    with timer.step(Step.VERIFY):
        watch.seconds += 0.03
    durations = timings(timer, RemediationStatus(attempts=[attempt(timings=[earlier])]))
    assert durations == {Step.VERIFY: (10030, 100)}


def test_what_was_written_is_not_written_twice() -> None:
    watch, timer = started_timer()
    with timer.step(Step.VALIDATE):
        watch.seconds += 1
    status = timer.with_timings(RemediationStatus(attempts=[attempt()]))
    timer.mark_saved()
    assert timer.with_timings(status) == status


def test_a_start_that_is_known_counts_from_there() -> None:
    watch, timer = started_timer()
    timer.mark_running(Step.EXECUTE, later(-4))
    with timer.step(Step.EXECUTE):
        watch.seconds += 1
    durations = timings(timer, RemediationStatus(attempts=[attempt()]))
    assert durations == {Step.EXECUTE: (5000, 1000)}


def test_the_steps_of_the_next_attempt_begin_afresh() -> None:
    watch, timer = started_timer()
    with timer.step(Step.VALIDATE):
        watch.seconds += 1
    timer.next_attempt()
    watch.seconds += 100
    with timer.step(Step.VALIDATE):
        watch.seconds += 2
    durations = timings(timer, RemediationStatus(attempts=[attempt(2)]))
    assert durations == {Step.VALIDATE: (2000, 2000)}
