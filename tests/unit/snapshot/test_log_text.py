"""What is shown of a log: no colours, the message of JSON lines, and the lines that failed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_playbook.snapshot.log_text import (
    first_failure,
    last_failure,
    message_of,
    shape,
    telling_lines,
    without_colours,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"time": "2026-11-30T10:00:00Z", "level": "ERROR", "msg": "cannot pay", "err": "EOF"}',
            "ERROR cannot pay: EOF",
        ),
        (
            '2026-11-30T10:00:00Z stdout F {"severity":"error","message":"cannot pay"}',
            "error cannot pay",
        ),
        ('{"level":50,"msg":"cannot pay","pid":7}', "error cannot pay"),
        ('{"log":{"level":"warn"},"message":"slow"}', "warn slow"),
        ('{"error":{"message":"no such table"}}', "no such table"),
        ('{"message":"EOF while reading","error":"EOF"}', "EOF while reading"),
        ('level=error ts=1 msg="cannot \\"pay\\"" err=EOF', 'error cannot "pay": EOF'),
        ('{"items": 3, "next": 4}', '{"items": 3, "next": 4}'),
        ("{not json}", "{not json}"),
        ("plain text", "plain text"),
    ],
)
def test_structured_lines_are_reduced_to_level_and_message(line: str, expected: str) -> None:
    assert message_of(line) == expected


def test_the_first_and_the_last_failure_stay() -> None:
    log = "\n".join(
        [
            "starting",
            "java.lang.IllegalStateException: context failed",
            *[f"\tat shop.Cart.run(Cart.java:{n})" for n in range(40)],
            "Caused by: connection refused: db:5432",
            "bye",
        ]
    )
    assert telling_lines(log, 2) == [
        "java.lang.IllegalStateException: context failed",
        "Caused by: connection refused: db:5432",
    ]


def test_a_repeated_line_stays_once() -> None:
    log = "\n".join(f"request {n} failed after {n}ms" for n in range(50))
    assert telling_lines(log, 3) == ["request 0 failed after 0ms"]


def test_without_a_failure_the_last_lines_stay() -> None:
    assert telling_lines("one\ntwo\nthree", 2) == ["two", "three"]
    assert telling_lines("", 2) == []


def test_words_of_failures_are_found() -> None:
    assert first_failure("all is well") is None
    assert first_failure("then HTTP 503") == 5
    assert first_failure("HTTP probe with statuscode: 404") == 16
    assert last_failure("error, then refused") == 12
    assert last_failure("fine") is None


def test_shapes_mask_numbers_and_ids() -> None:
    assert shape("Request 17 of deadbeef01") == shape("request 4 of cafebabe99")


@given(st.text(max_size=300))
def test_any_line(line: str) -> None:
    message_of(line)
    message_of(json.dumps({"msg": line, "level": line}))
    assert "\x1b[" not in without_colours(line.replace("\x1b", "") + "\x1b[31m")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["{", "[", '{"a":', "a=", 'msg="\\"', "\x1b[", "[0m[1", "f00 "])
def test_long_odd_texts_take_no_time(unit: str) -> None:
    text = unit * 20_000
    message_of(text)
    message_of(text + "}")
    without_colours(text)
    telling_lines(text, 3)
