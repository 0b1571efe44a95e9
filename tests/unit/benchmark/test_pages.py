"""A page is written from stored summaries, and compared with them."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from reme_benchmark.reports import pages
from reme_benchmark.reports.pages import Summaries


class One(BaseModel):
    passed: int


def test_summaries_are_kept_by_name_in_its_order(tmp_path: Path) -> None:
    summaries = Summaries(tmp_path / "new", One)
    assert summaries.by_name() == {}
    for name, passed in (("second", 2), ("first", 0), ("first", 1)):
        summaries.store(name, One(passed=passed))
    assert list(summaries.by_name().items()) == [
        ("first", One(passed=1)),
        ("second", One(passed=2)),
    ]


def test_a_check_writes_nothing_and_fails_until_the_page_is_as_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    assert pages.write(page, "new\n", check=True) == 1
    assert not page.exists()
    assert f"{page} is out of date" in capsys.readouterr().err
    assert pages.write(page, "new\n", check=False) == 0
    assert pages.write(page, "new\n", check=True) == 0
    assert pages.write(page, "newer\n", check=True) == 1
    assert page.read_text() == "new\n"


def test_only_pages_of_summaries_take_results() -> None:
    taken = pages.options("a.page", "", take=True).parse_args(["--take", "results/x", "x"])
    assert (taken.take, taken.check) == (["results/x", "x"], False)
    with pytest.raises(SystemExit):
        pages.options("a.page", "").parse_args(["--take", "results/x", "x"])
