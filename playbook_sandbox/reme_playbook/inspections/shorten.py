"""Shortens redacted texts of the cluster: what went wrong often stands at the end."""

_HEAD_SHARE = 3
"""A third of a shortened text is its beginning."""


def shorten(text: str, limit: int) -> str:
    """Return the text as one line of at most `limit` characters, cut in its middle."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    head = limit // _HEAD_SHARE
    return f"{line[:head].rstrip()}…{line[len(line) - (limit - head - 1) :].lstrip()}"
