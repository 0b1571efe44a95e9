"""Patterns refuse with words, and mean the same here and in the API server."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from reme_api.base import ObjectReference
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.structural_schema import UnsupportedSchemaError, with_messages
from reme_api.validation import Pattern, first_error, pattern_message

DIGITS = r"^[0-9]+$"


class Box(BaseModel):
    """One string with a pattern."""

    text: Annotated[str, Pattern(DIGITS, "must be digits")]


def test_the_error_is_the_message() -> None:
    with pytest.raises(ValidationError) as refused:
        Box(text="a")
    assert first_error(refused.value) == "text: must be digits"


@pytest.mark.parametrize("text", ["1\n", "\u0661", "", "1 "], ids=repr)
def test_it_matches_the_whole_text_and_ascii_only(text: str) -> None:
    with pytest.raises(ValidationError):
        Box(text=text)


def test_the_error_names_the_field_and_not_the_value() -> None:
    body = {"metadata": {"name": "a"}, "spec": {"target": {"kind": "Deployment", "name": "A B"}}}
    with pytest.raises(ValidationError) as refused:
        DiagnosisReport.model_validate(body)
    problem = first_error(refused.value)
    assert problem.startswith("spec.target.name: must be the name of an object")
    assert "A B" not in problem
    assert "^" not in problem


def test_a_pattern_becomes_a_rule_with_its_message() -> None:
    schema = with_messages({"type": "object", "properties": {"text": {"pattern": DIGITS}}})
    rule = {"rule": f"self.matches('{DIGITS}')", "message": "must be digits"}
    assert schema["properties"]["text"] == {"x-kubernetes-validations": [rule]}
    assert ObjectReference.model_json_schema()["properties"]["name"]["pattern"]


def test_a_pattern_without_a_message_is_an_error() -> None:
    assert pattern_message("^nobody$") is None
    with pytest.raises(UnsupportedSchemaError, match="no message"):
        with_messages({"pattern": "^nobody$"})


def test_an_expression_has_one_message() -> None:
    """The CRDs look messages up by expression: two would depend on the order of imports."""
    Pattern(r"^one-message$", "must be one-message")
    Pattern(r"^one-message$", "must be one-message")
    with pytest.raises(ValueError, match="another message"):
        Pattern(r"^one-message$", "must be something else")
