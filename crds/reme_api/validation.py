"""String patterns with a message for people, and validation errors as one line."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_MESSAGES: dict[str, str] = {}


@dataclass(frozen=True)
class Pattern:
    """Annotation of a string type: it must match the expression, and the error is the message.

    The JSON schema has the expression as `pattern`. `re.ASCII` and `re.fullmatch` give it the
    meaning that it has in the API server, where `$` never matches before a newline.
    """

    expression: str
    message: str

    def __post_init__(self) -> None:
        if _MESSAGES.setdefault(self.expression, self.message) != self.message:
            raise ValueError(f"{self.expression} has another message already")

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.expression}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.expression.removesuffix("$"), value, re.ASCII):
            raise ValueError(self.message)
        return value


def pattern_message(expression: str) -> str | None:
    """Return the message of a pattern; None when no `Pattern` has this expression."""
    return _MESSAGES.get(expression)


def first_error(error: ValidationError) -> str:
    """Return the first problem as `path.of.the.field: what is wrong`, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    location = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{location}: {message}" if location else message
