"""String patterns with a message for people, and validation errors as one line."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from reme_api.parsing import parse_int

_MAX_PORT = 65535
_MAX_PORT_NAME = 63
_PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
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


@dataclass(frozen=True)
class PortOrName:
    """Annotation of a port: a number, or the name of a port of a Service.

    A CRD expresses it with `x-kubernetes-int-or-string`. The name has no rule in the API server,
    which would estimate its cost by the largest possible text.
    """

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._check,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda port: port),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "x-kubernetes-int-or-string": True,
            "minimum": 1,
            "maximum": _MAX_PORT,
            "maxLength": _MAX_PORT_NAME,
        }

    def _check(self, value: object) -> int | str:
        number = parse_int(value) if isinstance(value, str) else value
        if isinstance(number, int) and not isinstance(number, bool):
            if 1 <= number <= _MAX_PORT:
                return number
            raise ValueError(f"must be from 1 to {_MAX_PORT}")
        if isinstance(value, str) and _PORT_NAME.fullmatch(value):
            return value
        raise ValueError(
            "must be a port number, or the name of a port: lower-case letters, digits and -"
        )


def pattern_message(expression: str) -> str | None:
    """Return the message of a pattern; None when no `Pattern` has this expression."""
    return _MESSAGES.get(expression)


def first_error(error: ValidationError) -> str:
    """Return the first problem as `path.of.the.field: what is wrong`, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    location = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{location}: {message}" if location else message
