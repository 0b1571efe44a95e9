"""The page of results splits reme's runs by report and system, and has the causes of failures."""

from reme_benchmark.reports.benchmark_page import page
from reme_benchmark.reports.summary import summarize
from reme_benchmark.reports.summary_model import Summary
from reme_benchmark.scenarios.cases.model import Quality
from reme_benchmark.scenarios.faults.catalog import faults
from reme_benchmark.scoring.records import MethodReport, Tokens
from tests.doubles.results import case, result, run

HELD_OUT, NOT_HELD_OUT = "stuck-init", "bad-env"


def summary(method: str = "reme") -> Summary:
    ended = [
        result(case(1, HELD_OUT, quality=Quality.BARE), passed=True),
        result(case(2, HELD_OUT, quality=Quality.BARE, system="depot"), passed=False),
        result(case(3, NOT_HELD_OUT, quality=Quality.FULL), passed=True),
        result(
            case(4, None, control="healthy"),
            passed=False,
            method_report=MethodReport(outcome="x", acted=True),
        ),
    ]
    return summarize(run([r.case for r in ended], method=method), ended)


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def table(text: str, about: str) -> list[list[str]]:
    """Return heads and first row of the table whose first column has this head."""
    table_rows = rows(text)
    start = next(n for n, row in enumerate(table_rows) if row[0] == about)
    return [table_rows[start], table_rows[start + 2]]


def first(text: str, about: str) -> list[str]:
    """Return the first row of the table whose second column has this head."""
    table_rows = rows(text)
    (start,) = (n for n, row in enumerate(table_rows) if row[1:2] == [about])
    return table_rows[start + 2]


def test_faults_that_training_never_sees_are_counted_apart() -> None:
    assert faults()[HELD_OUT].held_out
    assert not faults()[NOT_HELD_OUT].held_out
    heads, (_, held, other) = table(page({"mine": summary()}), "run, by faults")
    assert heads[1:] == ["held-out", "other"]
    assert held.startswith("1 of 2 (50%;")
    assert other.startswith("1 of 1 (100%;")


def test_reports_and_systems_are_counted_apart() -> None:
    text = page({"mine": summary()})
    heads, shares = table(text, "run, by report")
    assert dict(zip(heads, (share[:6] for share in shares), strict=True))["bare"] == "1 of 2"
    heads, shares = table(text, "run, by system")
    assert dict(zip(heads, (share[:6] for share in shares), strict=True))["depot"] == "0 of 1"


def test_failures_are_counted_by_cause_and_wrong_actions_are_named() -> None:
    _, causes, acted = first(page({"mine": summary()}), "causes")
    assert "acted-on-control 1" in causes
    assert acted == "quick-004"


def test_what_the_model_wrote_is_counted() -> None:
    method_report = MethodReport(
        outcome="Verified",
        acted=True,
        attempts=2,
        rejected=1,
        playbooks=["a", "b"],
        tokens=Tokens(prompt=200, completion=30),
        steps={"Generate": 4.0},
    )
    results = [
        result(case(1, NOT_HELD_OUT), passed=True, method_report=method_report),
        result(case(2, None, control="healthy"), passed=True),
    ]
    method_summary = summarize(run([r.case for r in results], method="reme"), results)
    row = first(page({"mine": method_summary}), "playbooks rejected")
    _, rejected, abstained, unrepaired, tokens, seconds, _ = row
    assert rejected.startswith("1 of 2 (50%;")
    assert abstained.startswith("1 of 1")
    assert unrepaired.startswith("1 of 1")
    assert (tokens, seconds) == ("230", "4.0")


def test_only_runs_with_reme_are_in_the_tables_by_part() -> None:
    text = page({"mine": summary("noop")})
    assert "| mine | noop | 4 of 4 |" in text
    start = next(n for n, row in enumerate(rows(text)) if row[0] == "run, by system")
    assert "mine" not in [row[0] for row in rows(text)[start : start + 4]]


def test_faults_are_listed_for_methods_that_try_to_repair() -> None:
    text = page({"mine": summary(), "cheat": summary("cheat-drop-limit")})
    assert table(text, "fault")[0] == ["fault", "mine"]
    assert "| cheat | cheat-drop-limit |" in text
