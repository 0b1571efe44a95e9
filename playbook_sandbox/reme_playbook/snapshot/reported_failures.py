"""What reports and logs say about a host, in a fixed set of words: their text is never repeated."""

import re
from collections.abc import Iterable

_NEAR = 200
"""Characters before and behind the host in which its error is looked for."""

_UNRESOLVED = (
    r"no such host|not known|nxdomain|could not resolve|ENOTFOUND|unknown ?host"
    r"|name resolution|EAI_AGAIN|getaddrinfo"
)
_FAILURES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"connection refused|ECONNREFUSED|actively refused", "refuses connections"),
        (_UNRESOLVED, "has no address"),
        (r"no route to host|EHOSTUNREACH|network is unreachable", "is unreachable"),
        (r"timed out|time-?out|deadline exceeded|ETIMEDOUT", "does not answer in time"),
        (r"connection reset|ECONNRESET|broken pipe|EPIPE", "resets connections"),
        (r"certificate|x509|tls handshake", "fails the TLS handshake"),
        (r"\b50[0-4]\b|bad gateway|service unavailable", "answers with server errors"),
        (r"\b429\b|too many requests|rate limit", "limits the rate of requests"),
    )
)


def mentions(host: str, texts: Iterable[str]) -> bool:
    """Return whether one of the texts names the host as a whole word."""
    return any(True for text in texts for _ in _word(host).finditer(text))


def failure(host: str, texts: Iterable[str]) -> str:
    """Return how the host fails according to the texts, such as `refuses connections`, or empty."""
    for text in texts:
        for match in _word(host).finditer(text):
            near = text[max(match.start() - _NEAR, 0) : match.end() + _NEAR]
            for pattern, words in _FAILURES:
                if pattern.search(near):
                    return words
    return ""


def _word(host: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])(?!\.\w)", re.IGNORECASE)
