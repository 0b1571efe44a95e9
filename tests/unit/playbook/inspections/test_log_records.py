"""A log is split into records, and each record has its severity and its template."""

import json

import pytest

from reme_playbook.inspections.logs.records import LogRecord, parse_records
from reme_playbook.inspections.logs.severity import Severity, judge, telling_part
from reme_playbook.inspections.logs.templates import mine_templates

TIME = "2026-01-02T03:04:05.123456789Z "


def texts(*lines: str) -> list[str]:
    return [record.text for record in parse_records("\n".join(TIME + line for line in lines))]


def severity(line: str) -> Severity:
    return judge(line).severity


def test_each_line_has_the_time_of_the_api_server() -> None:
    (record,) = parse_records(TIME + "started\r\n", "cart-1")
    assert record.text == "started"
    assert record.at is not None
    assert record.at.isoformat() == "2026-01-02T03:04:05.123456+00:00"
    assert record.source == "cart-1"


def test_a_line_without_a_time_is_a_record_too() -> None:
    assert parse_records("2026 is the year\nx\n\n  \n") == [
        LogRecord("2026 is the year"),
        LogRecord("x"),
    ]


def test_colours_are_removed_and_brackets_stay() -> None:
    assert texts("\x1b[31mERROR\x1b[0m [main] failed [x]") == ["ERROR [main] failed [x]"]


PYTHON = (
    "Traceback (most recent call last):",
    '  File "a.py", line 3, in <module>',
    "    connect()",
    "OperationalError: could not connect",
)
JAVA = (
    "Exception in thread main java.lang.IllegalStateException: no bean",
    "\tat a.B.c(B.java:1)",
    "Caused by: java.net.ConnectException: Connection refused",
    "\t... 3 more",
)


@pytest.mark.parametrize("trace", [PYTHON, JAVA])
def test_a_stack_trace_is_one_record(trace: tuple[str, ...]) -> None:
    assert texts("before", *trace, "after") == ["before", "\n".join(trace), "after"]


def test_a_key_is_one_record_so_that_it_is_redacted_as_a_whole() -> None:
    key = ("-----BEGIN RSA PRIVATE KEY-----", "QUJD", "RA==", "-----END RSA PRIVATE KEY-----")
    assert texts(*key, "after") == ["\n".join(key), "after"]


def test_a_stack_trace_without_end_is_split() -> None:
    assert len(texts("x", *["  at y"] * 1000)) == 6


def test_a_line_of_json_is_its_level_message_and_error() -> None:
    line = json.dumps({"level": "error", "msg": "cannot save", "error": "disk full", "id": 7})
    assert texts(line) == ["error cannot save: disk full"]


@pytest.mark.parametrize(
    "line",
    [
        "ERROR dependency failed: http://reviews/: Connection refused",
        "2026-01-02 03:04:05,1 ERROR c.x.Foo - boom",
        "[error] 29#29: *1 upstream unreachable",
        "error cannot save: disk full",
        "E0102 03:04:05.1 1 main.go:7] cannot list",
        'time="x" level=error msg="boom"',
        "dial tcp 10.0.0.1:5432: connect: connection refused",
        "java.net.ConnectException: x",
        '10.0.0.1 - - "GET /cart HTTP/1.1" 503 12',
        "WARN connection to db failed, is it up?",
        "\n".join(JAVA),
    ],
)
def test_errors(line: str) -> None:
    assert severity(line) is Severity.ERROR


@pytest.mark.parametrize(
    "line",
    [
        "started",
        "0 errors, no failures",
        '{"status":"ok","error":null}',
        "errors=0 failed=0 exceptions: 0",
        "registered ErrorHandler",
        "GET /errors/1 200",
        '10.0.0.1 - - "GET /cart HTTP/1.1" 200 512 "Mozilla"',
        "for more info see the page",
        "",
    ],
)
def test_what_only_looks_like_an_error_is_normal(line: str) -> None:
    assert severity(line) is Severity.NORMAL


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("panic: runtime error: index out of range", Severity.FATAL),
        ("java.lang.OutOfMemoryError: Java heap space", Severity.FATAL),
        ("FATAL: password authentication failed", Severity.FATAL),
        ("INFO request failed, will retry", Severity.WARNING),
        ("I0102 03:04:05.1 1 main.go:7] cannot list", Severity.WARNING),
        ("WARN disk is slow", Severity.WARNING),
    ],
)
def test_levels(line: str, expected: Severity) -> None:
    assert severity(line) is expected


def test_the_error_in_a_huge_line_is_what_is_shown() -> None:
    line = "x " * 15_000 + "db connection refused" + " y" * 15_000
    judged = judge(line)
    part = telling_part(line, judged.position, 200)
    assert judged.severity is Severity.ERROR
    assert "connection refused" in part
    assert len(part) <= 200
    assert part[0] == part[-1] == "…"


@pytest.mark.parametrize(
    ("trace", "shown"), [(PYTHON, "OperationalError: could"), (JAVA, "Caused by: java.net")]
)
def test_of_a_stack_trace_the_cause_is_shown(trace: tuple[str, ...], shown: str) -> None:
    text = "\n".join([trace[0], *["  frame of no use"] * 50, *trace[1:]])
    assert shown in telling_part(text, judge(text).position, 120)


def test_equal_records_are_one_template_and_the_other_is_not_lost() -> None:
    records = [LogRecord(f"GET /items/{n} took {n}ms") for n in range(1000)]
    records.insert(500, LogRecord("cannot reach stock:8080"))
    templates = mine_templates(records)
    assert sorted((t.count, t.example) for t in templates) == [
        (1, "cannot reach stock:8080"),
        (1000, "GET /items/999 took 999ms"),
    ]
    assert [t.words for t in templates if t.count > 1] == [["GET", "/items/<*>", "took", "<*>ms"]]


def test_words_that_differ_become_variables() -> None:
    names = ("ada", "ben", "cem")
    (template,) = mine_templates([LogRecord(f"user {n} bought two items") for n in names])
    assert template.words == ["user", "<*>", "bought", "two", "items"]
    assert template.count == 3


def test_an_error_never_joins_normal_lines() -> None:
    lines = [f'GET /cart HTTP/1.1" {status} 12' for status in (200, 200, 503)]
    assert len(mine_templates([LogRecord(line) for line in lines])) == 2


def test_templates_are_bounded_and_the_newest_records_win() -> None:
    records = [LogRecord(f"{chr(97 + n % 26) * (n % 7 + 1)}x{'y' * n} z") for n in range(3000)]
    templates = mine_templates(records)
    assert len(templates) <= 200
    assert records[-1].text in {t.example for t in templates}
