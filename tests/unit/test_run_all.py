"""The program behind `make test`: what it counts, what it lists, and in which order it runs."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests import all as run_all
from tests.all import Result, Scheduler, Stage, read_report, skip_reason, summary

REPORT = """<testsuites><testsuite tests="4" failures="1" errors="0" skipped="1">
<testcase classname="a.b" name="test_one"/><testcase classname="a.b" name="test_two"/>
<testcase classname="a.b" name="test_three"><failure message="wrong"/></testcase>
<testcase classname="a.b" name="test_four"><skipped message="needs two nodes"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run_all, "ARTIFACTS", tmp_path)
    return tmp_path


def stage(name: str, code: str, *, lane: str = "host", after: tuple[str, ...] = ()) -> Stage:
    return Stage("lint", name, (sys.executable, "-c", code), lane=lane, after=after)


def test_a_skipped_test_is_listed_with_its_reason_and_the_total_comes_last(artifacts: Path) -> None:
    (artifacts / "report.xml").write_text(REPORT)
    result = read_report(artifacts / "report.xml")
    assert (result.passed, result.failed) == (2, 1)
    text = summary([stage("one", "")], {"one": result})
    assert "  a.b.test_four: needs two nodes" in text
    assert text.splitlines()[-1] == "2 passed, 1 failed"


def test_a_missing_report_is_a_failure(artifacts: Path) -> None:
    assert read_report(artifacts / "missing.xml") == Result(failed=1)


def test_a_stage_waits_for_the_stages_of_other_lanes_that_it_needs(artifacts: Path) -> None:
    file = artifacts / "built"
    build = f"import time, pathlib; time.sleep(0.3); pathlib.Path({str(file)!r}).touch()"
    load = f"import sys, pathlib; sys.exit(not pathlib.Path({str(file)!r}).exists())"
    stages = [
        stage("build", build, lane="images"),
        stage("load", load, lane="cluster", after=("build", "not chosen")),
    ]
    scheduler = Scheduler(stages, "none")
    scheduler.run()
    assert scheduler.results["load"].passed == 1


def test_a_stage_does_not_run_when_one_that_it_needs_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stages = [
        stage("build", "import sys; sys.exit('disk full')", lane="images"),
        stage("load", "", lane="cluster", after=("build",)),
    ]
    scheduler = Scheduler(stages, "none")
    scheduler.run()
    assert [r.failed for r in scheduler.results.values()] == [1, 1]
    output = capsys.readouterr().out
    assert "disk full" in output
    assert "load: cannot run, 'build' failed" in output


def test_a_module_that_is_skipped_says_why() -> None:
    text = """('x.py', 10, "Skipped: could not import 'torch': No module named 'torch'")"""
    skipped = ET.Element("skipped", message="collection skipped")
    skipped.text = text
    expected = "could not import 'torch': No module named 'torch'"
    assert skip_reason(skipped) == expected
