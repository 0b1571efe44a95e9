"""Reads numbers from text of others: of objects, models, servers and people."""

import re

MAX_INT64 = 2**63 - 1
_DECIMAL = re.compile(r"-?[0-9]{1,19}")


def parse_int(text: str, minimum: int = 0, maximum: int = MAX_INT64) -> int | None:
    """Return the decimal integer that the text is, or None if it is none or out of range.

    ASCII digits only, after a minus sign where `minimum` is negative; leading zeros are accepted.
    Unlike `int` it accepts no spaces, underscores, plus sign or digits of other scripts, and
    unlike `str.isdigit` no superscripts. It never raises, whatever the length of the text.
    """
    if not _DECIMAL.fullmatch(text):
        return None
    number = int(text)
    return number if minimum <= number <= maximum else None
