"""How results of a fidelity measurement are stored, continued and reported."""

from dataclasses import replace
from pathlib import Path

import pytest

from reme_benchmark.fidelity.comparison import simulated
from reme_benchmark.fidelity.page import page
from reme_benchmark.fidelity.records import Inputs, Origin, Outcome, Plan, Problem, Real
from reme_benchmark.fidelity.store import OUTCOMES, Outcomes
from reme_benchmark.fidelity.summary import replayed, text
from reme_benchmark.reports.store import DifferentRunError, ResultsError
from reme_playbook.actions.registry import ACTIONS, Action
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from tests.unit.benchmark.trials import healthy, inputs, key, with_variable

TIME = "time-service"
PLAN = Plan(
    system="simple-micro",
    seed=1,
    count=3,
    window_seconds=4,
    commit="abc",
    faults={"bad-version": 2, "bad-image": 1},
    left_out={"passing-loss": "it ends by itself"},
)


def trial(
    number: int, action: Action, *, verified: bool, cured: bool | None = None
) -> tuple[Outcome, Inputs]:
    before = healthy(TIME)
    trial_inputs = inputs("bad-version", before, with_variable(before, "FAIL_PERCENT", "80"))
    trial_inputs = replace(trial_inputs, actions=(action,))
    outcome = Outcome(
        id=f"bad-version-{number:02}",
        fault="bad-version",
        service=TIME,
        origin=Origin.OBVIOUS,
        actions=tuple(ACTIONS.dump_python(trial_inputs.actions, mode="json")),
        real=Real(verified=verified, cured=cured if cured is not None else verified or None),
        simulated=simulated(trial_inputs),
    )
    return outcome, trial_inputs


@pytest.fixture
def measured(tmp_path: Path) -> Outcomes:
    store = Outcomes(tmp_path / "results")
    store.begin(PLAN)
    store.save(*trial(1, Rollback(target=key(TIME)), verified=True))
    store.save(*trial(2, Restart(target=key(TIME)), verified=True))
    store.save_problem(Problem(fault="bad-image", message="it does not bite"))
    return store


def test_a_measurement_goes_on_where_it_was(measured: Outcomes) -> None:
    again = Outcomes(measured.path)
    assert again.begin(PLAN) == PLAN
    assert [one.id for one in again.outcomes()] == ["bad-version-01", "bad-version-02"]
    changed = again.begin(PLAN.model_copy(update={"commit": "def"}))
    assert (changed.commit, changed.dirty) == ("abc", True)


def test_another_measurement_is_refused(measured: Outcomes) -> None:
    with pytest.raises(DifferentRunError, match="seed"):
        measured.begin(PLAN.model_copy(update={"seed": 2}))
    with pytest.raises(ResultsError):
        Outcomes(measured.path / "nothing").plan()


def test_a_half_written_line_is_no_trial(measured: Outcomes) -> None:
    place = measured.path / OUTCOMES
    whole = place.read_text()
    place.write_text(whole + whole.splitlines()[0][:40])
    assert len(measured.outcomes()) == 2


def test_a_replay_tells_the_disagreements(measured: Outcomes) -> None:
    replay = replayed(measured)
    (line,) = replay.lines
    assert line.startswith("bad-version-02 time-service Restart: only the real world verifies it")
    assert replay.summary.whole.trials == 2
    assert replay.summary.whole.agreed == 1
    assert replay.summary.whole.kinds == {"only the real world verifies it": 1}
    assert replay.summary.left_out == {
        "bad-image": "it does not bite",
        "passing-loss": "it ends by itself",
    }
    assert "1 (50%; 9 to 91)" in text(replay.summary)


def test_the_page_names_what_is_below_the_goal(measured: Outcomes) -> None:
    written = page({"first": replayed(measured).summary})
    assert "Below the goal of 95%: bad-version.\n" in written  # the oracle agrees with reality
    assert (
        "2 of 3 playbooks on `simple-micro`, seed 1, commit abc; probes must hold for 4 s."
        in written
    )


def test_the_page_says_where_only_the_short_window_was_against_the_simulator(
    tmp_path: Path,
) -> None:
    store = Outcomes(tmp_path / "results")
    store.begin(PLAN)
    store.save(*trial(1, Restart(target=key(TIME)), verified=True, cured=False))
    summary = replayed(store).summary
    luck = "the oracle agrees with the simulator on every playbook"
    assert f"Below the goal of 95%: bad-version. For all of them {luck}" in page({"first": summary})
    other = summary.by_fault["bad-version"].model_copy(update={"agreed_on_cure": 0})
    both = {**summary.by_fault, "worse": other}
    written = page({"first": summary.model_copy(update={"by_fault": both})})
    assert f"Below the goal of 95%: bad-version, worse. For bad-version {luck}" in written
