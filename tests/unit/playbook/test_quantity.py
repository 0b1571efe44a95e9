import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_playbook.snapshot.quantity import (
    canonical_cpu,
    canonical_memory,
    cpu_millicores,
    format_cpu,
    format_memory,
    memory_bytes,
)


@pytest.mark.parametrize(
    ("text", "millicores"),
    [
        ("250m", 250),
        ("2", 2000),
        ("0.5", 500),
        (".5", 500),
        ("1.", 1000),
        ("+1", 1000),
        ("100u", 1),
        ("1n", 1),
        ("1e2", 100000),
        ("1E-1", 100),
        ("0", 0),
        ("1k", 1000000),
    ],
)
def test_cpu_is_read_as_kubernetes_reads_it(text: str, millicores: int) -> None:
    assert cpu_millicores(text) == millicores


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("128Mi", 2**27),
        ("1.5Gi", 3 * 2**29),
        ("100M", 10**8),
        ("1k", 1000),
        ("1e3", 1000),
        ("128974848000m", 128974848),
        ("1m", 1),
        ("1Ei", 2**60),
        ("5", 5),
    ],
)
def test_memory_is_read_as_kubernetes_reads_it(text: str, amount: int) -> None:
    assert memory_bytes(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 Mi",
        "Mi",
        "-1",
        "1mi",
        "1KI",
        "1e",
        "1e99",
        "0x1",
        "٣",
        "1_0",
        "1\n",
        "NaN",
        "16Ei",
        "9" * 19,
        "1.2.3",
        ".",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        memory_bytes(text)


@pytest.mark.parametrize("zero", ["0", "0Mi", "0m", "0.0"])
def test_nothing_is_no_limit(zero: str) -> None:
    for canonical in (canonical_cpu, canonical_memory):
        with pytest.raises(ValueError, match="more than zero"):
            canonical(zero)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("0.5Gi", "512Mi"), ("1024Mi", "1Gi"), ("1000M", "1G"), ("1025", "1025"), ("1000", "1k")],
)
def test_one_spelling_for_each_amount(text: str, canonical: str) -> None:
    assert canonical_memory(text) == canonical
    assert canonical_cpu("1500m") == "1500m"
    assert canonical_cpu("2000m") == "2"


@given(st.integers(0, 2**63 - 1))
def test_what_is_written_is_read_again(amount: int) -> None:
    assert memory_bytes(format_memory(amount)) == amount
    assert cpu_millicores(format_cpu(amount // 1000)) == amount // 1000
