"""What people read: complete, escaped, and the same everywhere."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from reme_benchmark.reports.html import page
from reme_benchmark.reports.markdown import markdown
from reme_benchmark.reports.summary import summarize
from reme_benchmark.scenarios.faults.model import Control
from reme_benchmark.scoring.records import (
    CaseResult,
    Change,
    Measured,
    MethodReport,
    Run,
    State,
    Timing,
    Tokens,
    UserImpact,
    Verdict,
)
from tests.doubles.results import case, result, run, verdict

EVIL = "</pre><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)> & | `x`"


def rich() -> list[CaseResult]:
    bad = Verdict(
        passed=False,
        measured=[
            Measured(name="serves cart", ok=False, value=EVIL, message=EVIL),
            Measured(name="users", ok=None),
        ],
        reasons=[EVIL],
    )
    method_report = MethodReport(
        outcome="Verified",
        acted=True,
        message=EVIL,
        error=EVIL,
        attempts=2,
        playbooks=[EVIL, '[{"kubernetes.core.k8s": {"state": "patched"}}]'],
        diff=f"+ {EVIL}\n- old",
        steps={"Generate": 4.0, EVIL: 1.0},
        tokens=Tokens(prompt=10, completion=2),
        model="m",
    )
    return [
        result(1, timing=Timing(reset=1, method=4, judge=3, total=8), published=verdict(True)),
        result(
            2,
            strict=bad,
            published=verdict(True),
            method_report=method_report,
            changes=[
                Change(object=EVIL, path=EVIL, before=EVIL, after="", allowed=n % 2 == 0)
                for n in range(50)
            ],
            users=UserImpact(failed_requests=1234),
            timing=Timing(reset=2, method=40, judge=3, total=45),
        ),
        result(
            case(3, fault=None, control=Control.HEALTHY),
            method_report=MethodReport(outcome="Abstained"),
        ),
        result(4, passed=None, state=State.INJECTION_FAILED, message=EVIL),
        result(case(5, fault="cordoned"), None, State.NOT_APPLICABLE, message="one node only"),
        result(6, passed=None, state=State.HARNESS_ERROR, message="unhealthy before"),
    ]


def written(results: list[CaseResult], **fields: Any) -> tuple[Run, str, str]:
    of = run([r.case for r in results], **fields)
    summary = summarize(of, results)
    return of, page(of, results, summary), markdown(of, results, summary)


class Reader(HTMLParser):
    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_one_file_without_scripts_or_requests() -> None:
    elements = read(written(rich())[1])
    assert not elements.tags & {"script", "img", "link", "iframe", "object", "form", "base"}
    names = {name for name, _ in elements.attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"src", "srcset"})
    assert {v for n, v in elements.attributes if n == "href"} == {"#quick-002"}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in elements.attributes


def test_what_a_model_wrote_is_shown_as_it_is() -> None:
    text = written(rich())[1]
    assert "<script" not in text
    assert "<img" not in text
    assert EVIL in read(text).words


def test_a_playbook_in_json_is_shown_as_people_write_it() -> None:
    assert "- kubernetes.core.k8s:\n    state: patched" in read(written(rich())[1]).words


def test_every_chart_is_well_formed_and_draws_within_its_frame() -> None:
    charts = re.findall(r"<svg.*?</svg>", written(rich())[1], re.DOTALL)
    assert len(charts) >= 9
    ids: list[str] = []
    for chart in charts:
        drawn = ET.fromstring(chart)
        ids += [element.attrib["id"] for element in drawn.iter() if "id" in element.attrib]
        width, height = map(float, drawn.attrib["viewBox"].split()[2:])
        for path in drawn.iter("{http://www.w3.org/2000/svg}path"):
            if "clip-path" not in path.attrib:
                continue  # whiskers and points are drawn relative to their place
            points = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", path.attrib["d"])
            assert all(-1 <= float(x) <= width + 1 for x, _ in points)
            assert all(-1 <= float(y) <= height + 1 for _, y in points)
    assert len(ids) == len(set(ids)), "the charts of one page share no identifier"


def test_charts_take_their_colours_from_the_style_sheet() -> None:
    text = written(rich())[1]
    chart = text[text.index("<svg") : text.index("</svg>")]
    assert "var(--c1)" in chart
    assert not re.findall(r"(?:fill|stroke): #(?!ffffff|000000)[0-9a-f]{6}", chart)


def test_failures_are_shown_with_their_reason_and_their_playbook() -> None:
    words = read(written(rich())[1]).words
    for part in ("method-error", "1234 failed requests", "never served again", "and 10 more"):
        assert part in words


def test_what_was_not_judged_is_apart() -> None:
    _, html, text = written(rich())
    words = read(html).words
    assert words.index("Not judged") < words.index("one node only")
    for of in (html, text):
        assert "one node only" in of
        assert "injection failed" in of
        assert "harness error" in of
    assert "| strict | 40% (2/5, 12 to 77%) |" in text


@pytest.mark.parametrize(
    "results",
    [
        [],
        [result(1, passed=None, state=State.NOT_APPLICABLE, message="no")],
        [result(1, passed=None, state=State.HARNESS_ERROR)],
        [result(1)],
    ],
)
def test_also_of_next_to_nothing(results: list[CaseResult]) -> None:
    _, html, text = written(results)
    read(html)
    assert "None" not in text
    assert text.startswith("# quick: reme\n")


def test_a_run_that_has_not_ended_says_so() -> None:
    of = run([case(1), case(2)])
    summary = summarize(of, [result(1)])
    assert "not complete: 1 of 2" in page(of, [result(1)], summary)
    assert "**Not complete**: 1 of 2" in markdown(of, [result(1)], summary)


def test_markdown_cannot_be_broken_out_of() -> None:
    text = written(rich(), model=EVIL)[2]
    assert "<script" not in text.replace("\\<", "")
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            assert line.endswith("|")
    table = [line for line in text.splitlines() if line.startswith("| quick-002")]
    assert len(re.findall(r"(?<!\\)\|", table[0])) == 5


def test_the_environment_of_the_run_is_shown() -> None:
    fields: dict[str, Any] = {
        "commit": "abc123",
        "dirty": True,
        "images": {"reme-operator": "sha256:12"},
        "cluster": {"nodes": 1, "cannot": {"ingress": "none"}, "list": ["a", "b"], "no": False},
        "hardware": {"cores": 2, "load": None},
        "method_options": {"maxAttempts": 2},
    }
    for text in written(rich(), **fields)[1:]:
        for part in ("abc123", "uncommitted changes", "sha256:12", "ingress", "nodes"):
            assert part in text
