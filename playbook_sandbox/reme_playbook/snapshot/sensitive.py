"""What looks like a secret: never offered to a model, never written, never put on record."""

import re
from collections.abc import Sequence

HIDDEN = "(hidden)"

_WORDS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "connectionstring",
)
_SHORT_WORDS = frozenset({"pass", "pwd", "creds", "dsn", "pw", "auth"})
# A host may well be called auth: only a name that is not about an address is about a secret.
_ADDRESS_WORDS = frozenset({"host", "addr", "address", "url", "uri", "endpoint", "port", "service"})
_VALUES = re.compile(
    r"://[^/\s@:]*:[^/\s@]+@"  # a password in a URL
    r"|-----BEGIN "
    r"|\beyJ[A-Za-z0-9_-]{16,}"  # a JSON web token
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\b(?:Bearer|Basic)\s+[A-Za-z0-9+/=._-]{8,}"
)
# White space before a name is of its own line: across lines the search would be quadratic.
_LINE = re.compile(r"^[^\S\n]*['\"]?([A-Za-z][A-Za-z0-9_.-]*)['\"]?\s*[:=]", re.MULTILINE)


def sensitive_name(name: str) -> bool:
    """Return whether a variable or key of this name is likely to hold a secret."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    if any(word in plain for word in _WORDS):
        return True
    words = set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))
    return bool(words & _SHORT_WORDS) and not words & _ADDRESS_WORDS


def sensitive_value(value: str) -> bool:
    """Return whether a value looks like a secret, or like a file with one in it."""
    return bool(_VALUES.search(value)) or any(
        sensitive_name(match[1]) for match in _LINE.finditer(value)
    )


def sensitive_command(words: Sequence[str]) -> bool:
    """Return whether a command or its arguments hand over what looks like a secret."""
    options = [w.lstrip("-").partition("=")[0] for w in words if w.startswith("-") or "=" in w]
    return any(sensitive_value(word) for word in words) or any(map(sensitive_name, options))


def shown(name: str, value: str) -> str:
    """Return the value as it may be shown and recorded."""
    return HIDDEN if value and (sensitive_name(name) or sensitive_value(value)) else value
