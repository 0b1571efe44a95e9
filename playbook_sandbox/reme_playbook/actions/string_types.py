"""The types of an action's fields, and what a message says about a value that does not fit."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from reme_api.base import DnsLabel, ObjectName
from reme_api.probes import HTTP_PATH
from reme_api.validation import Pattern

# What Ansible evaluates: the template delimiters, and the header that replaces them with others.
TEMPLATE_STARTS = ("{{", "{%", "{#")
TEMPLATE_HEADER = "#jinja2:"


def holds_template(text: str) -> bool:
    """Return whether Ansible would take the text for a template."""
    return text.startswith(TEMPLATE_HEADER) or any(start in text for start in TEMPLATE_STARTS)


def is_printable(text: str, *, also: str = "") -> bool:
    """Return whether every character is visible or a plain space, or one of the others named.

    Control and formatting characters, surrogates, private and unassigned ones all have a
    category that begins with C; line and paragraph separators are Zl and Zp.
    """
    return all(
        character in also or unicodedata.category(character) not in _HIDDEN for character in text
    )


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _value(text: str) -> str:
    if holds_template(text):
        raise ValueError("must not contain a template")
    if not is_printable(text):
        raise ValueError("must not contain control or formatting characters")
    return text


def _lines(text: str) -> str:
    if holds_template(text):
        raise ValueError("must not contain a template")
    if not is_printable(text, also="\n\t"):
        raise ValueError("must not contain control or formatting characters")
    return text


def _config_key(key: str) -> str:
    # Ansible's JSON reader gives such keys a meaning, for example __ansible_vault.
    if key.startswith("__"):
        raise ValueError("must not start with two underscores")
    return key


def _port(port: int | str) -> int | str:
    if isinstance(port, str) and not any(c.isalpha() for c in port):
        raise ValueError("must be an integer, or a name with a letter")
    return port


_RUN_ID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,62}", re.ASCII)


def is_run_id(text: str) -> bool:
    """Return whether the text may be the value of the restart annotation."""
    return _RUN_ID.fullmatch(text) is not None


def _percent(value: int | str) -> int | str:
    if isinstance(value, str) and int(value[:-1]) > 100:
        raise ValueError("must be at most 100%")
    return value


_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"

StrictName = Annotated[ObjectName, StringConstraints(strict=True)]
ContainerName = Annotated[DnsLabel, StringConstraints(strict=True)]
EnvName = Annotated[
    str,
    StringConstraints(strict=True, max_length=128),
    Pattern(
        r"^[A-Za-z_][A-Za-z0-9_.-]*$",
        "must have letters, digits and _.- only, and not start with a digit",
    ),
]
EnvValue = Annotated[str, StringConstraints(strict=True, max_length=1024), AfterValidator(_value)]
Argument = Annotated[str, StringConstraints(strict=True, max_length=2048), AfterValidator(_lines)]
ConfigKey = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=200),
    Pattern(r"^[-._A-Za-z0-9]+$", "must have letters, digits and -._ only"),
    AfterValidator(_config_key),
]
ConfigValue = Annotated[
    str, StringConstraints(strict=True, max_length=8192), AfterValidator(_lines)
]
Image = Annotated[
    str,
    StringConstraints(strict=True, max_length=512),
    Pattern(
        r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$",
        "must be the reference of an image, such as registry/name:tag",
    ),
]
LabelKey = Annotated[
    str,
    StringConstraints(strict=True, max_length=200),
    Pattern(
        rf"^({_DOMAIN}/)?{_LABEL_NAME}$",
        "must be the key of a label, such as app or example.com/app",
    ),
]
LabelValue = Annotated[
    str,
    StringConstraints(strict=True, max_length=63),
    Pattern(rf"^({_LABEL_NAME})?$", "must be the value of a label: letters, digits and -_. only"),
]
HttpPath = Annotated[
    str,
    StringConstraints(strict=True, max_length=256),
    HTTP_PATH,
    AfterValidator(_value),
]
PortNumber = Annotated[int, Field(strict=True, ge=1, le=65535)]
PortName = Annotated[DnsLabel, StringConstraints(strict=True, max_length=15)]
Port = Annotated[PortNumber | PortName, AfterValidator(_port)]

Percent = Annotated[
    str,
    StringConstraints(strict=True, max_length=4),
    Pattern(r"^(0|[1-9][0-9]{0,2})%$", "must be a percentage, such as 25%"),
]
CountOrPercent = Annotated[
    Annotated[int, Field(strict=True, ge=0, le=10_000)] | Percent, AfterValidator(_percent)
]
"""A number of pods, or a percentage of them."""
Host = Annotated[
    str,
    StringConstraints(strict=True, max_length=253),
    Pattern(
        rf"^(\*\.)?{_DOMAIN}$",
        "must be a host name in lower-case letters, such as shop.example.com",
    ),
]
Position = Annotated[int, Field(strict=True, ge=0, le=31)]
"""A position in a list of rules or paths."""
Labels = Annotated[dict[LabelKey, LabelValue], Field(min_length=1, max_length=16)]
ServiceName = Annotated[
    str,
    StringConstraints(strict=True, max_length=63),
    Pattern(
        r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
        "must be the name of a Service: lower-case letters, digits and '-', and first a letter",
    ),
]


_PROBLEMS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this action",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "int_type": "must be an integer",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}
"""What a message says about pydantic's types of errors."""


def problem_of(error: ValidationError) -> tuple[str, str]:
    """Return the first field that a validation rejects, empty for the whole, and what it must be.

    A field that accepts several types has a problem with each of them.
    """
    details = error.errors(include_url=False, include_input=False)
    location = details[0]["loc"][:1]
    problems = dict.fromkeys(_problem(each) for each in details if each["loc"][:1] == location)
    first, *others = problems
    field = str(location[0]) if location else ""
    return field, " or ".join([first, *(other.removeprefix("must ") for other in others)])


def _problem(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if details["type"] in _PROBLEMS:
        return _PROBLEMS[details["type"]].format(**context)
    return details["msg"].removeprefix("Value error, ")
