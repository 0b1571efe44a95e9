"""Amounts of CPU and memory, read as Kubernetes reads them and written in one canonical way."""

import re
from fractions import Fraction

_QUANTITY = re.compile(r"\+?([0-9]{1,19}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(.*)", re.ASCII)
_SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]{1,2})", re.ASCII)
_LARGEST = 2**63 - 1
_WRITTEN = ("Pi", "Ti", "Gi", "Mi", "Ki", "P", "T", "G", "M", "k")


def _amount(text: str) -> Fraction:
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError("must be a quantity, such as 250m or 64Mi")
    digits, suffix = match.groups()
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent:
        power = int(exponent[1])
        if abs(power) > 18:
            raise ValueError("must be a quantity of less than 8Ei")
        factor = Fraction(10) ** power
    elif suffix in _SUFFIXES:
        factor = _SUFFIXES[suffix]
    else:
        raise ValueError("must be a quantity: its suffix is unknown")
    return Fraction(digits.rstrip(".") or "0") * factor


def _rounded_up(amount: Fraction) -> int:
    whole = -(-amount.numerator // amount.denominator)
    if whole > _LARGEST:
        raise ValueError("must be a quantity of less than 8Ei")
    return whole


def cpu_millicores(text: str) -> int:
    """Return thousandths of a core, rounded up as Kubernetes does; ValueError if it is none."""
    return _rounded_up(_amount(text) * 1000)


def memory_bytes(text: str) -> int:
    """Return bytes, rounded up as Kubernetes does; ValueError if it is none."""
    return _rounded_up(_amount(text))


def format_cpu(millicores: int) -> str:
    """Return whole cores where there are some, else millicores."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def format_memory(amount: int) -> str:
    """Return the amount with the largest suffix that needs no fraction."""
    for suffix in _WRITTEN:
        factor = int(_SUFFIXES[suffix])
        if amount and amount % factor == 0:
            return f"{amount // factor}{suffix}"
    return str(amount)


def canonical_cpu(text: str) -> str:
    """Return the canonical spelling of an amount of CPU above zero."""
    millicores = cpu_millicores(text)
    if millicores < 1:
        raise ValueError("must be more than zero")
    return format_cpu(millicores)


def canonical_memory(text: str) -> str:
    """Return the canonical spelling of an amount of memory above zero."""
    amount = memory_bytes(text)
    if amount < 1:
        raise ValueError("must be more than zero")
    return format_memory(amount)


def canonical_count(text: str) -> str:
    """Return a whole number of things, zero among them, as digits."""
    amount = _amount(text)
    if amount.denominator != 1 or amount > _LARGEST:
        raise ValueError("must be an integer")
    return str(amount.numerator)


def canonical_quota(key: str, text: str) -> str:
    """Return the canonical spelling of an amount of a quota, zero among them; ValueError if none.

    CPU in cores, memory and storage in bytes, all else as a number of objects.
    """
    if key.endswith("cpu"):
        return format_cpu(cpu_millicores(text))
    if key.endswith(("memory", "storage")):
        return format_memory(memory_bytes(text))
    return canonical_count(text)


def quota_amount(key: str, text: str) -> int:
    """Return millicores, bytes or a number of objects, whichever the key is about."""
    return cpu_millicores(text) if key.endswith("cpu") else memory_bytes(text)
