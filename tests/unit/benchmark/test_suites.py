from collections import Counter

import pytest

from reme_benchmark.scenarios.cases import suites
from reme_benchmark.scenarios.cases.model import Case, Line, Quality, Suite
from reme_benchmark.scenarios.cases.targets import bystanders, possible
from reme_benchmark.scenarios.faults.catalog import faults, real
from reme_benchmark.scenarios.faults.model import Control, Split
from tests.unit.benchmark.situations import systems, values

PUBLISHED = {
    "microremed-easy": (6, 5, 0, 6, 6, 0, 0),
    "microremed-medium": (12, 12, 8, 7, 5, 5, 0),
    "microremed-hard": (8, 8, 14, 11, 11, 14, 14),
}
SEVEN = (
    "cpu-stress",
    "memory-stress",
    "disk-io",
    "network-loss",
    "network-delay",
    "pod-fail",
    "pod-config-error",
)


def drawn(name: str, seed: int | None = None) -> tuple[Case, ...]:
    return suites.draw(suites.load(name), seed, systems())


@pytest.mark.parametrize(("name", "counts"), PUBLISHED.items())
def test_microremed_has_the_published_counts(name: str, counts: tuple[int, ...]) -> None:
    cases = drawn(name)

    by_fault = Counter(case.fault for case in cases)
    assert tuple(by_fault[fault] for fault in SEVEN) == counts
    assert len(cases) == sum(counts)
    assert {case.quality for case in cases} == {Quality.BARE}
    assert {case.system for case in cases} == set(systems())


def test_microremed_has_the_published_parameters() -> None:
    for case in drawn("microremed-hard"):
        assert case.parameters in (
            {"workers": 2},
            {"limit_percent": 64},
            {"bytes_per_second": 24576},
            {"loss_percent": 50},
            {"delay_milliseconds": 1000},
            {},
            {"tiny_cpu_limit": "2m"},
        )


@pytest.mark.parametrize("name", suites.names())
def test_the_same_seed_gives_the_same_cases(name: str) -> None:
    assert drawn(name) == drawn(name, suites.load(name).seed)
    assert drawn(name) != drawn(name, 999)


@pytest.mark.parametrize("name", suites.names())
def test_cases_are_unique_possible_and_complete(name: str) -> None:
    cases = drawn(name)

    assert len({case.id for case in cases}) == len(cases)
    assert [case.id for case in cases] == [f"{name}-{n:03}" for n in range(1, len(cases) + 1)]
    for case in cases:
        fault = faults()[case.fault] if case.fault else None
        assert case.service in {s.name for s in possible(fault, systems()[case.system])}
        assert set(case.parameters) == set(fault.parameters if fault else ())
        assert values(case)["service"] == case.service


def test_extended_has_every_fault_on_two_systems_and_every_quality() -> None:
    cases = drawn("extended")

    assert len(cases) >= 150
    where: dict[str | None, set[str]] = {}
    for case in cases:
        where.setdefault(case.fault, set()).add(case.system)
    assert set(where) == {fault.id for fault in real()}
    assert all(len(fault_systems) >= 2 for fault_systems in where.values())
    assert set(Counter(case.quality for case in cases)) == set(Quality)


def test_controls_are_of_all_kinds_and_have_no_good_repair() -> None:
    cases = drawn("controls")

    assert len(cases) >= 30
    assert {case.control for case in cases} == set(Control)
    for case in cases:
        fault = faults()[case.fault] if case.fault else None
        match case.control:
            case Control.HEALTHY | Control.HOSTILE:
                assert fault is None
            case Control.WRONG_TARGET:
                assert case.reported_service in bystanders(systems()[case.system], case.service)
            case Control.SELF_HEALING:
                assert fault
                assert fault.heals
            case _:
                assert fault
                assert not fault.repairs
                assert not fault.heals
        if case.control is not Control.WRONG_TARGET:
            assert case.reported_service == case.service
        assert bool(case.hostile) == (case.control is Control.HOSTILE)
        assert "${" not in case.hostile


def test_smoke_is_small_and_quick() -> None:
    cases = drawn("smoke")

    assert len(cases) == 8
    assert {case.system for case in cases} == {"simple-micro", "online-boutique"}
    assert 1 <= sum(case.control is not None for case in cases) <= 2
    for case in cases:
        if case.fault:
            assert not faults()[case.fault].needs
            assert not faults()[case.fault].exclusive


def test_hostile_texts_are_many_and_each_is_drawn_before_any_comes_twice() -> None:
    assert len({text.id for text in suites.hostile()}) == len(suites.hostile()) >= 20
    texts = [case.hostile for case in drawn("controls") if case.hostile]
    assert len(set(texts)) == len(texts)


def test_what_is_held_out_is_written_down_where_it_is_read() -> None:
    assert set(suites.held().faults) == {f.id for f in real() if f.held_out}
    assert set(suites.held().systems) < set(systems())


@pytest.mark.parametrize("name", suites.names())
def test_nothing_that_is_held_out_is_in_another_split(name: str) -> None:
    for case in drawn(name):
        fault = faults()[case.fault] if case.fault else None
        if suites.is_held(fault, case.system):
            assert case.split is Split.HELD_OUT


def test_training_sees_no_parameter_that_is_kept_for_the_end() -> None:
    train, held = drawn("train"), drawn("held-out")

    assert {case.split for case in train} == {Split.TRAIN}
    assert {case.split for case in drawn("dev")} == {Split.DEV}
    assert {case.split for case in held} == {Split.HELD_OUT}
    for case in train:
        assert case.fault
        for name, by_split in faults()[case.fault].parameters.items():
            assert case.parameters[name] in by_split[Split.TRAIN]
    assert {case.fault for case in held} == {fault.id for fault in real()}


def test_select_keeps_what_may_be_used() -> None:
    cases = drawn("extended")

    parts = [suites.select(cases, split) for split in Split]
    assert sum(map(len, parts)) == len(cases)
    assert all(parts)


def test_a_line_more_does_not_move_the_others() -> None:
    first = Line(count=3, fault="bad-image")
    one = Suite(name="one", title="", seed=5, lines=(first,))
    two = Suite(name="one", title="", seed=5, lines=(first, Line(count=2, fault="bad-env")))

    assert suites.draw(two, None, systems())[:3] == suites.draw(one, None, systems())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (Line(count=1, fault="bad-luck"), "no fault 'bad-luck'"),
        (Line(count=1, fault="bad-env", systems=("mars",)), "no system 'mars'"),
        (
            Line(count=1, fault="wrong-dependency", systems=("simple-micro",)),
            "no service can have wrong-dependency",
        ),
    ],
)
def test_a_line_that_cannot_be_drawn_is_an_error(line: Line, message: str) -> None:
    suite = Suite(name="odd", title="", seed=1, lines=(line,))

    with pytest.raises(ValueError, match=message):
        suites.draw(suite, None, systems())


def test_an_unknown_suite_is_named() -> None:
    with pytest.raises(ValueError, match="no suite 'easy'"):
        suites.load("easy")


def test_bystanders_have_no_part_in_the_fault() -> None:
    boutique = systems()["online-boutique"]

    assert "frontend" not in bystanders(boutique, "redis-cart")
    assert "checkoutservice" not in bystanders(boutique, "redis-cart")
    assert "adservice" in bystanders(boutique, "redis-cart")
    assert bystanders(systems()["simple-micro"], "time-service") == ()
