"""What a string must look like before it may become part of an action."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

# Where Ansible would begin to evaluate: the template delimiters, and the header by which a
# string can replace them with its own.
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
        raise ValueError("must not hold a template")
    if not is_printable(text):
        raise ValueError("must not hold control or formatting characters")
    return text


def _lines(text: str) -> str:
    if holds_template(text):
        raise ValueError("must not hold a template")
    if not is_printable(text, also="\n\t"):
        raise ValueError("must not hold control or formatting characters")
    return text


def _config_key(key: str) -> str:
    # Keys that Ansible's JSON reader takes for its own, such as __ansible_vault.
    if key.startswith("__"):
        raise ValueError("must not begin with two underscores")
    return key


def _port(port: int | str) -> int | str:
    if isinstance(port, str) and not any(c.isalpha() for c in port):
        raise ValueError("must be an integer, or a name with a letter")
    return port


_RUN_ID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,62}", re.ASCII)


def is_run_id(text: str) -> bool:
    """Return whether the text may mark a restart."""
    return _RUN_ID.fullmatch(text) is not None


def _percent(value: int | str) -> int | str:
    if isinstance(value, str) and int(value[:-1]) > 100:
        raise ValueError("must be at most 100%")
    return value


_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?"

ContainerName = Annotated[
    str,
    StringConstraints(strict=True, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
]
EnvName = Annotated[
    str, StringConstraints(strict=True, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")
]
EnvValue = Annotated[str, StringConstraints(strict=True, max_length=1024), AfterValidator(_value)]
Argument = Annotated[str, StringConstraints(strict=True, max_length=2048), AfterValidator(_lines)]
ConfigKey = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[-._A-Za-z0-9]+$"),
    AfterValidator(_config_key),
]
ConfigValue = Annotated[
    str, StringConstraints(strict=True, max_length=8192), AfterValidator(_lines)
]
Image = Annotated[
    str,
    StringConstraints(strict=True, max_length=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$"),
]
LabelKey = Annotated[
    str,
    StringConstraints(strict=True, max_length=200, pattern=rf"^({_DOMAIN}/)?{_LABEL_NAME}$"),
]
LabelValue = Annotated[
    str, StringConstraints(strict=True, max_length=63, pattern=rf"^({_LABEL_NAME})?$")
]
HttpPath = Annotated[
    str,
    StringConstraints(strict=True, max_length=256, pattern=r"^/[!-~]*$"),
    AfterValidator(_value),
]
PortNumber = Annotated[int, Field(strict=True, ge=1, le=65535)]
PortName = Annotated[
    str,
    StringConstraints(strict=True, max_length=15, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
]
Port = Annotated[PortNumber | PortName, AfterValidator(_port)]

Percent = Annotated[
    str, StringConstraints(strict=True, max_length=4, pattern=r"^(0|[1-9][0-9]{0,2})%$")
]
CountOrPercent = Annotated[
    Annotated[int, Field(strict=True, ge=0, le=10_000)] | Percent, AfterValidator(_percent)
]
"""A number of pods, or a share of them."""
Host = Annotated[
    str, StringConstraints(strict=True, max_length=253, pattern=rf"^(\*\.)?{_DOMAIN}$")
]
Labels = Annotated[dict[LabelKey, LabelValue], Field(min_length=1, max_length=16)]
ServiceName = Annotated[
    str, StringConstraints(strict=True, max_length=63, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
]
