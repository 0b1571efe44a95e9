"""Faults travel as JSON and are checked on both sides; marks find what belongs to them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_benchmark.injection.agent.processes import tag_in
from reme_benchmark.injection.fault_tag import FaultTag
from reme_benchmark.injection.specs import (
    CpuStress,
    DiskLimit,
    Fault,
    InvalidFaultError,
    MemoryStress,
    PacketDelay,
    PacketLoss,
    Spec,
    Target,
    spec_from_json,
)

TARGET = Target("shop", "cart-7f-x2", "0123456789abcdef" * 4, "10.0.0.1")
FAULT = Fault("0a1b2c3d4e", "bench", TARGET, PacketLoss(percent=50))
SPECS = st.one_of(
    st.builds(CpuStress, workers=st.integers(1, 64), load_percent=st.floats(1, 100)),
    st.builds(MemoryStress, mebibytes=st.floats(1, 65536), oom_score_adj=st.integers(-1000, 1000)),
    st.builds(MemoryStress, percent_of_limit=st.floats(1, 400)),
    st.builds(DiskLimit, bytes_per_second=st.integers(1, 2**40), path=st.just("/scratch")),
    st.builds(PacketLoss, percent=st.floats(0.01, 100), spare_probes=st.booleans()),
    st.builds(PacketDelay, milliseconds=st.floats(1, 60_000), backend=st.just("queue")),
)


@given(SPECS, st.floats(1, 14_400))
def test_a_fault_arrives_as_it_was_sent(spec: Spec, seconds: float) -> None:
    fault = replace(FAULT, spec=spec, limit_seconds=seconds)
    assert Fault.from_json(fault.to_json()) == fault


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"kind": "fire"}, "fire"),
        ({}, "kind"),
        ({"kind": "cpu", "workers": 0}, "workers"),
        ({"kind": "cpu", "workers": "2"}, "workers"),
        ({"kind": "cpu", "workers": True}, "workers"),
        ({"kind": "cpu", "worker": 2}, "worker"),
        ({"kind": "memory"}, "memory"),
        ({"kind": "memory", "mebibytes": 1, "percent_of_limit": 5}, "memory"),
        ({"kind": "disk"}, "disk"),
        ({"kind": "disk", "bytes_per_second": 5, "path": "scratch"}, "path"),
        ({"kind": "loss", "percent": float("nan")}, "percent"),
        ({"kind": "loss", "spare_probes": 1}, "spare_probes"),
        ({"kind": "delay", "backend": "tbf"}, "backend"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(spec: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidFaultError, match=word):
        spec_from_json(spec)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "A!"},
        {"owner": "some body"},
        {"limit_seconds": 0},
        {"limit_seconds": 1e9},
        {"target": None},
        {"target": {"namespace": "a", "pod": "b", "container_id": "../../etc"}},
        {"surprise": 1},
    ],
)
def test_a_fault_with_a_bad_part_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidFaultError):
        Fault.from_json({**FAULT.to_json(), **change})


def test_a_fault_without_its_parts_is_refused() -> None:
    body = FAULT.to_json()
    del body["owner"]
    with pytest.raises(InvalidFaultError, match="owner"):
        Fault.from_json(body)


MARK = FaultTag("c1a2b3c4", "bench", "0a1b2c3d4e", "cpu", 1_800_000_000)


def test_a_mark_is_found_in_a_text_and_is_the_same() -> None:
    assert FaultTag.find(f'comment "{MARK}"') == MARK
    assert FaultTag.find("reme-fault:only:half") is None


def test_a_mark_fits_into_the_comment_of_a_rule() -> None:
    longest = FaultTag("c" * 16, "o" * 40, "i" * 16, "memory", 999_999_999_999)
    assert len(str(longest)) < 120
    assert FaultTag.find(str(longest)) == longest


@pytest.mark.parametrize(
    ("words", "tag"),
    [
        (["python", "-m", "reme_benchmark.injection.agent.stress_worker", str(MARK), "60"], MARK),
        (
            [
                "nsenter",
                "--",
                "python",
                "-m",
                "reme_benchmark.injection.agent.stress_worker",
                str(MARK),
            ],
            MARK,
        ),
        (["grep", "-r", str(MARK), "/proc"], None),
        (["python", "-m", "reme_benchmark.injection.agent"], None),
        (["sh", "-c", f"echo reme_benchmark.injection.agent.stress_worker {MARK}"], None),
    ],
)
def test_only_helpers_are_taken_for_helpers(words: list[str], tag: FaultTag | None) -> None:
    assert tag_in(words) == tag
