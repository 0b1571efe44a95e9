"""A saved result is complete, and only the same run continues a run."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from reme_benchmark.reports.store import DifferentRunError, ResultsError, Store, UnknownVersionError
from reme_benchmark.scoring.records import State
from tests.doubles.results import NOW, case, result, run

CASES = [case(n) for n in range(1, 6)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "results")
    made.begin(run(CASES, model="sha256:a"))
    return made


def test_what_was_saved_is_read_back_in_the_order_of_the_plan(store: Store) -> None:
    store.save(result(3, passed=False))
    store.save(result(1))
    assert store.load_run() == run(CASES, model="sha256:a")
    assert store.results() == [result(1), result(3, passed=False)]


def test_a_harness_error_is_run_again_and_the_others_are_not(store: Store) -> None:
    for number, state in enumerate(State, 1):
        store.save(result(number, passed=None, state=state))
    assert store.done() == {
        r.case.id for r in store.results() if r.state is not State.HARNESS_ERROR
    }
    assert len(store.done()) == len(State) - 1


def test_a_later_result_of_a_case_replaces_the_earlier(store: Store) -> None:
    store.save(result(1, passed=None, state=State.HARNESS_ERROR))
    store.save(result(1))
    assert store.results() == [result(1)]


def test_a_half_written_file_is_no_result(store: Store) -> None:
    store.save(result(1))
    partial = store.path / "cases" / ".writing-quick-002.json"
    partial.write_text('{"version": 1, "cas')
    assert [r.case.id for r in store.results()] == ["quick-001"]
    assert store.begin(run(CASES)).cases == CASES
    assert not partial.exists()


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_costs_nothing_of_before(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store.save(result(1, passed=False))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(step, full)
        with pytest.raises(ResultsError, match=r"No space left on device\. Earlier results"):
            store.save(result(1))
        with pytest.raises(ResultsError, match="No space left"):
            store.save(result(2))
    assert store.results() == [result(1, passed=False)]
    assert sorted(p.name for p in (store.path / "cases").iterdir()) == ["quick-001.json"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"suite": "full"}, r"suite \(quick stored, full requested\)"),
        ({"method": "noop"}, r"method \(reme stored, noop requested\)"),
        ({"seed": 8}, r"seed \(7 stored, 8 requested\)"),
        ({"method_options": {"a": 1}}, r"method_options \({} stored, {\"a\": 1} requested\)"),
        ({"model": "sha256:b"}, r"model \(sha256:a stored, sha256:b requested\)"),
        ({"cases": CASES[:2]}, r"cases \(5 stored, 2 requested, not all equal\)"),
    ],
)
def test_another_run_is_not_mixed_in(store: Store, other: dict[str, Any], message: str) -> None:
    with pytest.raises(DifferentRunError, match=message):
        store.begin(run(CASES).model_copy(update=other))
    assert store.load_run() == run(CASES, model="sha256:a")


def test_a_run_that_goes_on_with_other_code_is_dirty(store: Store) -> None:
    store.end(NOW)
    assert store.begin(run(CASES, commit="")).completion_time is None
    resumed = store.begin(run(CASES, commit="abc"))
    assert resumed.dirty
    assert store.load_run() == resumed


def test_the_end_is_recorded(store: Store) -> None:
    assert store.end(NOW).completion_time == NOW
    assert store.load_run().completion_time == NOW


@pytest.mark.parametrize("of", ["run.json", "cases/quick-001.json"])
def test_another_version_is_named(store: Store, of: str) -> None:
    store.save(result(1))
    file = store.path / of
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 99, "new": 1}))
    with pytest.raises(UnknownVersionError, match=r"has version 99; only 2 can be read"):
        store.results()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[1]", "it has no version"),
        ('{"version": 2, "case": {}}', r"is not valid at case\.id"),
    ],
)
def test_a_damaged_file_is_named(store: Store, text: str, message: str) -> None:
    store.save(result(1))
    (store.path / "cases" / "quick-001.json").write_text(text)
    with pytest.raises(ResultsError, match=rf"quick-001\.json.* {message}"):
        store.results()


def test_a_result_that_was_never_planned_is_refused(store: Store) -> None:
    store.save(result(9))
    with pytest.raises(ResultsError, match="which the run did not plan"):
        store.results()


def test_a_directory_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(DifferentRunError, match=r"holds other files \(thesis\.tex\)"):
        Store(tmp_path).begin(run(CASES))
    with pytest.raises(DifferentRunError, match="is a file"):
        Store(tmp_path / "thesis.tex").begin(run(CASES))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_that_was_ended_while_it_began_can_begin_again(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / ".writing-run.json").write_text("{")
    assert Store(tmp_path).begin(run(CASES)) == run(CASES)


def test_where_there_is_nothing_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"holds no results: it has no file run\.json"):
        Store(tmp_path / "none").results()


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".hidden", "x" * 300])
def test_an_id_never_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResultsError, match="cannot be used as a file name"):
        Store(tmp_path / "results").begin(run([case(1, id=name)]))


def test_only_generated_files_may_be_written(store: Store) -> None:
    assert store.write("summary.md", "# x").read_text() == "# x\n"
    with pytest.raises(ValueError, match="must be one of"):
        store.write("run.json", "{}")
    assert store.begin(run(CASES)).cases == CASES
