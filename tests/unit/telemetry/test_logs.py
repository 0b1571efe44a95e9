import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from reme_operator.telemetry import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure("info", "auto", out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_both_ways_to_log_end_in_the_same_form(stream: io.StringIO) -> None:
    logging.getLogger("kopf").warning("text of %s", "kopf", extra={"name_": "x"})
    structlog.stdlib.get_logger("reme").warning("ours", count=1)
    theirs, ours = lines(stream)
    assert theirs["event"] == "text of kopf"
    assert theirs["name_"] == "x"
    assert ours["count"] == 1
    assert theirs.keys() >= {"level", "logger", "timestamp"} <= ours.keys()


def test_a_long_foreign_text_is_cut(stream: io.StringIO) -> None:
    logging.getLogger("x").warning("y" * 100_000)
    assert len(stream.getvalue()) < 5_000


def test_a_traceback_is_part_of_the_line(stream: io.StringIO) -> None:
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        logging.getLogger("x").exception("failed")
    (line,) = lines(stream)
    assert "RuntimeError: boom" in line["exception"]


def test_a_person_gets_plain_text(stream: io.StringIO) -> None:
    out = io.StringIO()
    logs.configure("debug", "console", out)
    logging.getLogger("x").debug("hello", extra={"name_": "y"})
    assert "hello" in out.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(out.getvalue())
