"""What a program says in its log: lines without colours, and JSON lines as their message.

Pure, and bounded by the length of the text. Nothing is redacted here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST_JSON = 16_384
_DEEPEST = 2

# Colours and other commands to a terminal: CSI and OSC sequences, and two-character escapes.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    r"|\x1b\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)"
    r"|\x1b[@-Z\\-_=>]"
)
# The same colours where a collector has already removed the escape character itself.
_BARE_COLOUR = re.compile(r"\[[0-9]{1,3}(?:;[0-9]{1,3}){0,4}m(?!\]|:|s\b)")
_BARE_RESET = "[0m"

_LEVELS = ("level", "severity", "log.level", "levelname", "lvl", "severity_text")
_MESSAGES = ("message", "msg", "event", "log", "body", "textpayload", "@message", "short_message")
_ERRORS = ("error", "err", "exception", "error.message", "exc_info", "reason", "cause")
_PINO = {"10": "trace", "20": "debug", "30": "info", "40": "warn", "50": "error", "60": "fatal"}
_LOGFMT = re.compile(r"([\w.@-]{1,40})=(\"(?:[^\"\\]|\\.){0,4096}\"|[^\s\"]{1,1024})")
_FAILURE = re.compile(
    r"error|exception|fatal|panic|fail|refused|denied|time[d ]{0,2}out|deadline|not found|no such"
    r"|cannot|can't|could not|unable|invalid|exceed|unauthori[sz]ed|forbidden|killed|missing"
    r"|unknown|unreachable|unavailable|closed|reset by|out of|insufficient|didn't|does not"
    r"|\bHTTP[ /0-9.]{0,5}[45][0-9][0-9]\b|status\W{0,2}(?:code)?\W{0,3}[45][0-9][0-9]\b",
    re.IGNORECASE,
)
_VARYING = re.compile(r"[0-9a-f]{8,}|[0-9]+", re.IGNORECASE)


def without_colours(text: str) -> str:
    """Return the text without commands to a terminal; brackets of the text itself stay."""
    text = _ESCAPE.sub("", text)
    if _BARE_RESET in text:
        text = _BARE_COLOUR.sub("", text)
    return text


def message_of(line: str) -> str:
    """Return level, message and error of a structured log line; other lines as they are."""
    start = line.find("{")
    if start >= 0 and line.rstrip().endswith("}") and len(line) <= _LONGEST_JSON:
        try:
            fields = json.loads(line[start:])
        except (ValueError, RecursionError):
            fields = None
        if isinstance(fields, Mapping) and (text := _from_fields(dict(_flat(fields)))):
            return text
    if "msg=" in line or "message=" in line:
        pairs = {key.lower(): _unquoted(value) for key, value in _LOGFMT.findall(line)}
        if text := _from_fields(pairs):
            return text
    return line


def first_failure(text: str, start: int = 0) -> int | None:
    """Return where the first word of a failure is, from a position on; None if there is none."""
    match = _FAILURE.search(text, start)
    return match.start() if match else None


def last_failure(text: str) -> int | None:
    """Return where the last word of a failure is; None if there is none."""
    return max((match.start() for match in _FAILURE.finditer(text)), default=None)


def telling_lines(text: str, most: int) -> list[str]:
    """Return the lines that say what failed, in their order, each sort of line once.

    The first and the last ones are preferred: what went wrong first, and what it ended in. Without
    a word of a failure, the last lines are returned.
    """
    distinct: dict[str, str] = {}
    for raw in without_colours(text).splitlines():
        line = message_of(raw.strip())
        if line:
            distinct.setdefault(shape(line), line)
    lines = list(distinct.values())
    failing = [line for line in lines if first_failure(line) is not None]
    if not failing:
        return lines[-most:]
    if len(failing) > most:
        return [*failing[: most - most // 2], *failing[len(failing) - most // 2 :]]
    return failing


def shape(line: str) -> str:
    """Return the line with its numbers and ids masked, to recognise repetitions."""
    return _VARYING.sub("#", line).lower()


def _flat(fields: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, value in fields.items():
        name = f"{prefix}{key}".lower()
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                yield from _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            yield name, str(value)


def _from_fields(fields: Mapping[str, str]) -> str:
    """Return the text of the known fields; empty if there is no message among them."""
    message = next((fields[key] for key in _MESSAGES if fields.get(key)), "")
    error = next((fields[key] for key in _ERRORS if fields.get(key)), "")
    if not message and not error:
        return ""
    level = next((fields[key] for key in _LEVELS if fields.get(key)), "")
    parts = [message, *([error] if error not in message else [])]
    text = ": ".join(part.strip() for part in parts if part.strip())
    return f"{_PINO.get(level, level)} {text}".strip()


def _unquoted(value: str) -> str:
    return value[1:-1].replace('\\"', '"') if value.startswith('"') else value
