"""Two runs are compared over the cases that both could have."""

from pathlib import Path
from typing import Any

import pytest

from reme_benchmark.reports.comparison import Comparison, compare, compare_stores
from reme_benchmark.reports.statistics import mcnemar, paired_difference
from reme_benchmark.reports.store import ResultsError, Store
from reme_benchmark.scoring.records import CaseResult, State, Timing
from tests.doubles.results import case, result, run


def of(a: list[CaseResult], b: list[CaseResult], **other: Any) -> Comparison:
    run_a = run([r.case for r in a], model="small")
    run_b = run([r.case for r in b], **{"method": "noop", **other})
    return compare(run_a, a, run_b, b)


def passing(numbers: set[int], total: int, **fields: Any) -> list[CaseResult]:
    return [result(n, passed=n in numbers, **fields) for n in range(1, total + 1)]


def test_only_pairs_that_differ_tell() -> None:
    comparison = of(passing(set(range(1, 13)), 14), passing({1, 2, 13}, 14))
    assert comparison.paired_by == "case id"
    assert comparison.counts.model_dump() == {"both": 2, "a_only": 10, "b_only": 1, "neither": 1}
    assert comparison.p == mcnemar(10, 1) == pytest.approx(0.01172, abs=1e-5)
    assert comparison.difference == pytest.approx(9 / 14)
    assert (comparison.low, comparison.high) == paired_difference(2, 10, 1, 1)
    assert [d.case for d in comparison.discordant if d.passed == "b"] == ["quick-013"]
    text = comparison.markdown()
    assert "14 pairs, by case id. a passed 86%, b 21%: +64 points" in text
    assert "This is evidence that a is better." in text


def test_one_method_with_two_options_has_two_labels() -> None:
    options = {"maxAttempts": 2, "evidence": {"minPersistenceSeconds": 30}}
    comparison = of([result(1)], [result(1)], method="reme", method_options=options)
    a, b = comparison.a.label_against(comparison.b), comparison.b.label_against(comparison.a)
    assert a == "reme (small)"
    assert b == "reme, maxAttempts 2, evidence.minPersistenceSeconds 30"
    assert f"# {a} and {b}" in comparison.markdown()
    assert "maxAttempts" not in of([result(1)], [result(1)], method_options=options).markdown()


def test_few_pairs_are_no_evidence() -> None:
    text = of(passing({1, 2}, 3), passing(set(), 3)).markdown()
    assert "p = 0.5. This is no evidence that one is better." in text


def test_what_either_cannot_have_is_in_no_pair() -> None:
    a = [result(1), result(2, None, State.NOT_APPLICABLE), result(3, None, State.HARNESS_ERROR)]
    b = [result(1, False), result(2), result(3), result(4)]
    comparison = of(a, b)
    assert comparison.pairs == 2
    assert (comparison.counts.a_only, comparison.counts.b_only) == (1, 1)
    assert (comparison.a.unpaired, comparison.b.unpaired) == (1, 2)


def test_other_suites_are_paired_by_what_a_case_is_about() -> None:
    a = [result(case(1, system="bank")), result(case(2, service="web"), False)]
    b = [result(case(7, service="web")), result(case(8, system="other"))]
    comparison = of(a, b, suite="full")
    assert comparison.paired_by == "content of the case"
    assert (comparison.pairs, comparison.counts.b_only) == (1, 1)
    assert comparison.discordant[0].case == "quick-002"


def test_an_id_that_means_another_case_now_is_not_believed() -> None:
    a, b = [result(case(1, service="web"))], [result(case(1, service="db"))]
    assert of(a, b).pairs == 0


def test_nothing_in_common() -> None:
    comparison = of([], [])
    assert (comparison.p, comparison.difference) == (1, None)
    assert "no case in common" in comparison.markdown()


def test_repeats_are_not_taken_for_cases() -> None:
    def repeated(passed: set[tuple[int, int]]) -> list[CaseResult]:
        return [
            result(case(n, id=f"quick-{n}-r{r}", service=f"s{n}"), (n, r) in passed)
            for n in (1, 2)
            for r in (1, 2, 3)
        ]

    comparison = of(repeated({(1, 1), (1, 2), (1, 3)}), repeated(set()))
    assert comparison.pairs == 6
    assert comparison.over_cases is not None
    assert (comparison.over_cases.low, comparison.over_cases.high, comparison.over_cases.cases) == (
        0,
        1,
        2,
    )
    assert (
        "bootstrap over the 2 different cases instead: +0 to +100 points" in comparison.markdown()
    )


def test_by_fault_and_time() -> None:
    a = [result(case(1, fault="dns"), timing=Timing(method=4)), result(2, timing=Timing(method=6))]
    b = [result(case(1, fault="dns"), False), result(2)]
    comparison = of(a, b)
    assert list(comparison.by_fault) == ["cpu-stress", "dns"]
    assert comparison.by_fault["dns"].a_only == 1
    assert comparison.a.method_seconds == 5
    assert "| dns | 1 | 0 | 1 | 0 | 0 |" in comparison.markdown()
    assert comparison.a.label_against(comparison.b) == "reme (small)"
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


def test_from_two_directories(tmp_path: Path) -> None:
    stores = Store(tmp_path / "a"), Store(tmp_path / "b")
    for store, passed in zip(stores, (True, False), strict=True):
        store.begin(run([case(1)]))
        store.save(result(1, passed))
    assert compare_stores(*stores).counts.a_only == 1
    with pytest.raises(ResultsError, match="with itself"):
        compare_stores(stores[0], Store(tmp_path / "b" / ".." / "a"))
    with pytest.raises(ResultsError, match="no results"):
        compare_stores(stores[0], Store(tmp_path / "c"))
