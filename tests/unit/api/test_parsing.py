"""Numbers in text of others."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_api.parsing import MAX_INT64, parse_int

ROOT = Path(__file__).parents[3]
FOLDERS = ("crds", "playbook_sandbox", "model_server", "operator", "benchmark", "charts")


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("7", 7), ("007", 7), (str(MAX_INT64), MAX_INT64), ("123456789", 123456789)],
)
def test_decimal_digits_are_a_number(text: str, number: int) -> None:
    assert parse_int(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "+5", " 5", "5 ", "5\n", "1_0", "1.0", "1e3", "0x10", "nan", "inf", "-5"),
        "²",  # isdigit, and int refuses it
        "\uff11\uff12",  # full-width: isdecimal, and int accepts it
        "\u0663",
        str(MAX_INT64 + 1),
        "9" * 5000,  # int refuses it: too many digits
    ],
)
def test_other_text_is_none(text: str) -> None:
    assert parse_int(text) is None


def test_the_bounds_are_part_of_it() -> None:
    assert parse_int("-5", minimum=-5) == -5
    assert parse_int("-6", minimum=-5) is None
    assert parse_int("65535", 1, 65535) == 65535
    assert parse_int("65536", 1, 65535) is None


@given(st.text() | st.integers().map(str))
def test_it_never_raises_and_agrees_with_int(text: str) -> None:
    number = parse_int(text, minimum=-MAX_INT64)
    assert number is None or number == int(text)


MAY_ASK_FOR_DIGITS = {
    "crds/reme_api/parsing.py": "names them in its documentation",
    "benchmark/reme_benchmark/injection/agent": "reads /proc and cgroups, and stands alone",
    "benchmark/reme_benchmark/workload/plain_http.py": "stands alone; bytes, and ASCII before it",
    "model_server/reme_model/serving/machine.py": "reads cgroups, and stands alone",
    "model_server/reme_model/prompt/redact.py": "looks at characters, reads no number",
    "model_server/reme_lab/training": "reads names of its own matrices",
}


def test_nothing_else_asks_whether_text_is_digits() -> None:
    """`str.isdigit` accepts what `int` refuses, so what asks for digits must not go on to `int`."""
    asking = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in (
            "crds",
            "playbook_sandbox",
            "model_server",
            "operator",
            "benchmark",
            "charts",
        )
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"isdigit", "isnumeric", "isdecimal"}
    ]
    assert [place for place in asking if not place.startswith(tuple(MAY_ASK_FOR_DIGITS))] == []
