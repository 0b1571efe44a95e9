"""How bad a log record is, and which part of it says so."""

import re
from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """The severity of a log record."""

    NORMAL = 0
    WARNING = 1
    ERROR = 2
    FATAL = 3


class Judged(NamedTuple):
    """A severity, and the position of the word that shows it."""

    severity: Severity
    position: int


_HARMLESS = re.compile(
    r"\b(?:0|no|zero|without|any) (?:errors?|failures?|failed|warnings?|exceptions?)\b"
    r"|\b(?:errors?|err|fail(?:ed|ures?)|exceptions?|warnings?)\"?\s?[:=]\s?\"?"
    r"(?:0|null|none|nil|<nil>|false|ok|\"|\{\}|\[\])(?![\w.])",
    re.IGNORECASE,
)
_FATAL = re.compile(
    r"\b(?:fatal|panic|critical|emerg(?:ency)?|segfault|out of memory|outofmemoryerror"
    r"|segmentation fault|cannot allocate memory|no space left|core dumped)\b",
    re.IGNORECASE,
)
_NAMES = "error|err|severe|warn(?:ing)?|info|notice|debug|trace"
_LEVEL = re.compile(
    r"\b(ERROR|ERR|SEVERE|WARN(?:ING)?|INFO|NOTICE|DEBUG|TRACE)\b"
    rf"|[\[(<](?i:({_NAMES}))[\])>]"
    rf"|\b(?:level|lvl|severity)\"?[=:] ?\"?(?i:({_NAMES}))\b"
    rf"|^(?:\S{{0,40}}\d\S{{0,40}}\s+){{0,3}}(?i:({_NAMES}))(?=[:\s])"
)
_KLOG_LINE = re.compile(r"([IWE])[0-9]{4} ")
_KLOG = {"I": "info", "W": "warning", "E": "error"}
_FAILURE = re.compile(
    r"(?:Exception|Error)(?![A-Za-z])"
    r"|(?i:(?<![\w/.-])(?:errors?|err|exception|fail(?:s|ed|ing|ure|ures)?|refused|denied"
    r"|timed out|time-?out|unable to|can ?not|can't|could not|couldn't|no such|not found"
    r"|unreachable|reset by peer|broken pipe|unauthori[sz]ed|forbidden|invalid|missing|unhealthy"
    r"|rejected|abort(?:ed|ing)?|x509|deadlock|crash(?:ed|ing)?|unexpected|undefined|unresolved"
    r"|bad gateway|service unavailable|too many|exceeded|overflow|corrupt(?:ed)?|killed"
    r"|not ready|no route to host|name or service not known|does not exist|already in use)"
    r"(?![\w/-]))"
)
_STATUS = re.compile(
    r"(?:HTTP/[0-9.]{1,4}\"? |\bstatus(?:[_ ]?code)?\"?[:=]? ?\"?"
    r"|\b(?:GET|POST|PUT|HEAD|PATCH|DELETE) \S{1,512} )(5\d\d)(?![\w.:/-])",
    re.IGNORECASE,
)
_WARNING = re.compile(
    r"(?<![\w/.-])(?:warn(?:ing)?|retry(?:ing)?|deprecated|slow|degraded|back-?off)(?![\w/-])",
    re.IGNORECASE,
)
_CAUSE = "Caused by:"
_SCANNED = 256 * 1024
"""Characters of a record that are looked at."""


def judge(text: str) -> Judged:
    """Return the severity of a record, and where it says so."""
    scanned = _HARMLESS.sub(lambda match: " " * len(match[0]), text[:_SCANNED])
    level = _LEVEL.search(scanned[:200])
    named = _named_level(scanned, level)
    if fatal := _FATAL.search(scanned):
        return Judged(Severity.WARNING if named in _QUIET else Severity.FATAL, fatal.start())
    position = _failure(scanned)
    if named in _LOUD or position is not None:
        own = level.start() if level else 0
        severity = Severity.WARNING if named in _QUIET else Severity.ERROR
        return Judged(severity, own if position is None else position)
    warning = _WARNING.search(scanned)
    if warning or named in _WARNINGS:
        return Judged(Severity.WARNING, warning.start() if warning else 0)
    return Judged(Severity.NORMAL, 0)


_LOUD = frozenset({"error", "err", "severe"})
_WARNINGS = frozenset({"warn", "warning"})
_QUIET = frozenset({"info", "notice", "debug", "trace"})
"""Levels at which words of failure are no more than a warning."""


def _named_level(text: str, level: re.Match[str] | None) -> str:
    if klog := _KLOG_LINE.match(text):
        return _KLOG[klog[1]]
    return next((name.lower() for name in level.groups() if name), "") if level else ""


def _failure(text: str) -> int | None:
    cause = text.rfind(_CAUSE)
    if cause >= 0:
        return cause
    if (trace := text.rfind("Traceback (")) >= 0 and "\n" in text[trace:]:
        return text.rindex("\n") + 1  # the error is the last line
    if failure := _FAILURE.search(text):
        return failure.start()
    status = _STATUS.search(text)
    return status.start(1) if status else None


def telling_part(text: str, position: int, limit: int) -> str:
    """Return the part of a record around a position, as one line of at most `limit` characters."""
    if len(text) <= limit:
        return " ".join(text.split())
    start = max(0, min(position - limit // 4, len(text) - limit))
    if start:
        start = _next_word(text, start, position)
    part = " ".join(text[start : start + limit - 2].split())
    return f"{'…' if start else ''}{part}{'…' if start + limit - 2 < len(text) else ''}"


def _next_word(text: str, start: int, position: int) -> int:
    for place in range(start, min(position, start + 40)):
        if text[place].isspace():
            return place + 1
    return start
