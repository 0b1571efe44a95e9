"""Removes secrets, invisible characters and chat-template markers from untrusted text.

Not every secret can be recognised: some look like ordinary words. This is the second line of
defence; the first is that the operator reads no Secret.
"""

import re
import unicodedata

from reme_playbook.snapshot.log_text import first_failure, without_colours
from reme_playbook.snapshot.sensitive import sensitive_name

REDACTED = "[redacted]"
_LONGEST = 16_384  # characters of one text; the rest is dropped
_SHORTEST_EXCERPT = 40
_BEFORE_DIFFERENCE = 20

# Names in logs, in addition to the variable names that `sensitive_name` knows.
_MORE_NAMES = frozenset(
    {
        "authorization",
        "cookie",
        "setcookie",
        "sessionid",
        "signature",
        "salt",
        "otp",
        "accountkey",
        "sharedaccesskey",
        "sharedaccesssignature",
    }
)

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)", re.DOTALL
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic|digest|negotiate)\s+(?=\S*[0-9A-Z+/=._-])[^\s,;\"']{6,}")
_USER_INFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30}://)[^\s/@\"'<>]{1,512}@")
_NAME = re.compile(r"(?<![\w.-])([\w.-]{1,128})(?:\\?[\"']?\s{0,2}(?::=|=>|[:=])\s{0,2})")
_ASSIGNED = re.compile(r"\\?\"[^\"]*\\?(?:\"|\Z)|\\?'[^']*\\?(?:'|\Z)|[^\s,;&\"'}\])]+")
_ARGUMENT = re.compile(
    r"(?<!\w)(--?[\w-]{0,64}(?:password|passwd|secret|token|key)[\w-]{0,64}\s)([^\s-]\S*)",
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"\beyJ[\w-]{8,1024}\.[\w-]{8,}(?:\.[\w-]*)?"  # JSON web token
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bnpm_\w{20,}"
    r"|\bxox[abeprs]-[\w-]{10,}|\bsk-[\w-]{16,}|\b[sr]k_(?:live|test)_\w{10,}"
    r"|\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}|\bhv[sb]\.[\w-]{20,}|\bdop_v1_\w{20,}"
)
_TAG = re.compile(r"<([/\\]?[\w|\uff5c][^<>]{0,80})>")
# What Kubernetes, Go and Java print in angle brackets: no tokenizer has a marker of that name.
_PRINTED = frozenset({"none", "nil", "unset", "invalid", "no value", "init", "clinit"})
# Some tokenizers read these as the plain characters.
_WIDE = str.maketrans({"\uff1c": "<", "\ufe64": "<", "\uff1e": ">", "\ufe65": ">"})
_INSTRUCTION = re.compile(r"\[(/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_\w{1,16}))\]")
_RANDOM = re.compile(r"(?<![\w+/=-])[\w+/=-]{32,}(?![\w+/=-])")
_HEX = re.compile(r"(?<![\w:])[0-9a-fA-F]{32,}(?!\w)")


def secret_name(name: str) -> bool:
    """Return whether a variable, key or header of that name probably holds a secret."""
    plain = re.sub(r"[^a-z]", "", name[:256].lower())
    return sensitive_name(name[:256]) or plain in _MORE_NAMES


def visible(text: str) -> str:
    """Return the text as one line of visible characters."""
    characters = []
    for character in without_colours(text[:_LONGEST]):
        category = unicodedata.category(character)
        if character.isspace() or category in ("Cc", "Zl", "Zp"):
            characters.append(" ")
        elif category[0] != "C":  # formatting, private, unassigned: may split a word invisibly
            characters.append(character)
    return _without_markers(" ".join("".join(characters).split()))


def _without_markers(line: str) -> str:
    """Return the line without markers that a tokenizer could take for a new message."""
    line = _TAG.sub(_plain_tag, line.translate(_WIDE))
    return (
        _INSTRUCTION.sub(r"(\1)", line)
        .replace("<|", "< |")
        .replace("<\\", "< \\")
        .replace("<<", "< <")
    )


def _plain_tag(tag: re.Match[str]) -> str:
    return tag[0] if tag[1] in _PRINTED else f"({tag[1]})"


def redact(text: str) -> str:
    """Return the text as one visible line, with probable secrets replaced."""
    line = visible(text)
    line = _PRIVATE_KEY.sub(REDACTED, line)
    line = _USER_INFO.sub(rf"\1{REDACTED}@", line)
    line = _SCHEME.sub(rf"\1 {REDACTED}", line)
    line = _KNOWN.sub(REDACTED, line)
    line = _redact_assignments(line)
    line = _ARGUMENT.sub(rf"\1{REDACTED}", line)
    line = _RANDOM.sub(_redact_random, line)
    return _HEX.sub(REDACTED, line)


def short(text: str, limit: int) -> str:
    """Return the redacted text, truncated to the limit."""
    line = redact(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def excerpt(text: str, limit: int) -> str:
    """Return the redacted text, shortened in the middle: what failed often stands at its end.

    Its beginning stays, and its end; or what follows the first word of a failure, if the end has
    none.
    """
    line = redact(text)
    if len(line) <= limit:
        return line
    if limit < _SHORTEST_EXCERPT:
        return line[: limit - 1] + "…"
    head = limit * 2 // 5
    room = limit - head - 1
    start = len(line) - room
    failure = first_failure(line, head)
    if failure is None:
        if first_failure(line[:head]) is not None:  # nothing that matters is behind it
            return line[: limit - 1] + "…"
    elif first_failure(line, start) is None:
        start = max(head, failure - room // 3)
    tail = line[start : start + room]
    if start + room < len(line):
        tail = tail[:-1] + "…"
    return f"{line[:head]}…{tail}"


def short_pair(one: str, other: str, limit: int) -> tuple[str, str]:
    """Return two redacted texts, truncated so that their first difference stays."""
    first, second = redact(one), redact(other)
    if max(len(first), len(second)) <= limit:
        return first, second
    same = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    start = max(0, same - _BEFORE_DIFFERENCE) if same >= limit - _BEFORE_DIFFERENCE else 0
    return _from(first, start, limit), _from(second, start, limit)


def _from(line: str, start: int, limit: int) -> str:
    text = f"…{line[start:]}" if start else line
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _redact_assignments(line: str) -> str:
    """Return the line without values that are assigned to names of secrets."""
    parts: list[str] = []
    copied, position = 0, 0
    while name := _NAME.search(line, position):
        position = name.end()  # the value may be an assignment itself: failed: password=x
        value = _ASSIGNED.match(line, position) if secret_name(name[1]) else None
        if value and REDACTED[:-1] not in value[0] and value[0].lower() not in _HARMLESS:
            parts += [line[copied:position], REDACTED]
            copied = position = value.end()
    return "".join([*parts, line[copied:]])


_HARMLESS = frozenset(
    {"true", "false", "null", "none", "yes", "no", "expired", "invalid", "missing", "required"}
)


def _redact_random(match: re.Match[str]) -> str:
    word = match[0]
    mixed = (
        any(c.isdigit() for c in word)
        and any(c.islower() for c in word)
        and any(c.isupper() for c in word)
    )
    return REDACTED if mixed else word
