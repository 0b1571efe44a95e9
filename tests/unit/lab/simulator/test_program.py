"""The behaviour of a program follows from the settings of its container."""

import pytest

from reme_lab.simulator import NumericSetting, Program

PORT = Program(numeric_settings=(NumericSetting("port", "PORT"),))


def test_a_numeric_setting_determines_its_field() -> None:
    assert PORT.behaviour({"PORT": "9090"}).port == 9090
    assert PORT.behaviour({}).port == 8080


@pytest.mark.parametrize("text", ["http", "", "-1", "\u00b2"])
def test_a_program_ends_at_its_start_when_a_setting_is_not_a_number(text: str) -> None:
    behaviour = PORT.behaviour({"PORT": text})
    assert behaviour.exit_code == 1
    assert behaviour.log_line == f"PORT must be a number, not '{text}'"
