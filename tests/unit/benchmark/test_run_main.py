"""Which cases a run takes of a suite."""

from pathlib import Path

import pytest

from reme_api.policy import RemediationPolicySpec
from reme_benchmark.cli.main import MethodOptions, app
from reme_benchmark.harness.console import estimate_seconds
from reme_benchmark.harness.run import RunError, RunOptions, one_per_fault, select_cases
from reme_benchmark.methods.base import MethodError
from reme_benchmark.methods.cheats import CHEATS
from reme_benchmark.methods.choose import NAMES, choose
from reme_benchmark.methods.reme import policy
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Control
from reme_benchmark.scenarios.systems import catalog


def options(**of: object) -> RunOptions:
    return RunOptions(suite="extended", method="noop", **of)  # type: ignore[arg-type]


def test_the_recorded_seed_is_used_unless_another_is_named() -> None:
    seed, cases = select_cases(options())
    assert select_cases(options(seed=seed)) == (seed, cases)
    assert select_cases(options(seed=seed + 1))[1] != cases


def test_filters_leave_what_they_name() -> None:
    _, cases = select_cases(options(systems=("simple-micro",), cases=("/bad-image",)))
    assert cases
    assert {(c.system, c.fault) for c in cases} == {("simple-micro", "bad-image")}


def test_filters_that_leave_nothing_are_refused() -> None:
    with pytest.raises(RunError, match="no case"):
        select_cases(options(cases=("no-such-fault",)))
    with pytest.raises(ValueError, match="train-ticket"):
        select_cases(options(systems=("no-such-system",)))


def test_repeats_have_ids_of_their_own() -> None:
    _, cases = select_cases(options(systems=("simple-micro",), cases=("/bad-image",), repeats=3))
    assert len({c.id for c in cases}) == len(cases)
    assert {c.id[-5:] for c in cases} == {"-r001", "-r002", "-r003"}


def test_one_per_fault_is_every_fault_once_and_spread() -> None:
    _, every = select_cases(options())
    chosen = one_per_fault(every, list(catalog.names()))
    assert {c.fault for c in chosen} == {c.fault for c in every}
    assert len({c.fault for c in chosen}) == len(chosen)
    sizes = [sum(c.system == name for c in chosen) for name in catalog.names()]
    assert sizes[2] == 0
    assert abs(sizes[0] - sizes[1]) <= len(chosen) // 4


def test_one_per_control() -> None:
    def control(number: int, kind: Control) -> Case:
        return Case(
            id=f"c-{number}",
            system="simple-micro",
            fault=None,
            service="a",
            reported_service="a",
            control=kind,
        )

    cases = [control(1, Control.HEALTHY), control(2, Control.HEALTHY), control(3, Control.HOSTILE)]
    assert [c.id for c in one_per_fault(cases, ["simple-micro", "other"])] == ["c-1", "c-3"]


def test_every_method_can_be_chosen_by_its_name() -> None:
    for name in NAMES:
        assert choose(name, external="true").name == name
    assert choose("oracle-1").name == "oracle-1"
    assert {f"cheat-{name}" for name in CHEATS} <= set(NAMES)
    with pytest.raises(MethodError, match="noop"):
        choose("no-such-method")


def test_how_long_a_fault_must_last_is_an_option_of_the_method() -> None:
    def parsed(*words: str) -> RunOptions:
        _, bound, _ = app.parse_args(["run", "--method", "reme", "--attempts", "3", *words])
        method = bound.arguments["method"]
        assert isinstance(method, MethodOptions)
        return method.run_options()

    assert choose("reme", **parsed().policy).options == {"maxAttempts": 3}
    method = choose("reme", **parsed("--persist", "30").policy)
    assert method.options == {"maxAttempts": 3, "evidence": {"minPersistenceSeconds": 30}}
    spec = RemediationPolicySpec.model_validate(policy("shop", **method.options)["spec"])
    assert spec.evidence.min_persistence_seconds == 30


def test_more_systems_at_once_take_less_time() -> None:
    _, cases = select_cases(options())
    assert estimate_seconds(cases, "reme", 3) < estimate_seconds(cases, "reme", 1)


def test_results_go_where_they_are_told() -> None:
    assert options(results=Path("x")).results == Path("x")
