"""What the counts of the load generator are read as."""

import json
from typing import Any

import pytest

from reme_benchmark.scoring.user_sli import LoadGenerator, SecondCounts, UserSli, served_again
from reme_kube.errors import UnavailableError
from reme_kube.responses import HttpResponse
from tests.doubles.bench_cluster import FakeCluster

ROWS = [
    {"time": 100, "ok": 4, "failed": 0, "p50_milliseconds": 10.0},
    {"time": 101, "ok": 0, "failed": 4, "p50_milliseconds": None},
    {"time": 102, "ok": 2, "failed": 2, "p50_milliseconds": 40.0},
    {"time": 103, "ok": 4, "failed": 0, "p50_milliseconds": 20.0},
]
RECORD = {
    "begin": 100,
    "end": 104,
    "ok": 10,
    "failed": 6,
    "p50_milliseconds": 15.0,
    "p95_milliseconds": 41.0,
    "by_path": {},
    "seconds": ROWS,
}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.api.answers["http:users:8080"] = HttpResponse(200, json.dumps(RECORD).encode())
    return made


def users(cluster: Any) -> LoadGenerator:
    return LoadGenerator(cluster, "shop")


async def test_a_window_is_asked_for(cluster: FakeCluster) -> None:
    sli = await users(cluster).recent(10)
    assert (sli.ok, sli.failed, sli.percent, sli.p95_milliseconds) == (
        10,
        6,
        62.5,
        41.0,
    )
    assert str(sli) == "62% of 16 requests answered, median 15 ms"
    assert cluster.api.paths == [
        "/api/v1/namespaces/shop-users/services/http:users:8080/proxy/window?seconds=10"
    ]


async def test_a_span_of_time_is_counted_when_it_is_known(cluster: FakeCluster) -> None:
    recent = await users(cluster).between(100, 103)
    assert recent is not None
    assert (recent.ok, recent.failed) == (6, 6)
    # Four answers took 10 ms, two 40 ms.
    assert recent.p50_milliseconds == 10.0
    assert await users(cluster).between(100, 105) is None


@pytest.mark.parametrize(
    "answer",
    [HttpResponse(503, b"no endpoints"), HttpResponse(200, b"not json"), UnavailableError("gone")],
)
async def test_users_who_do_not_answer_have_no_sli(cluster: FakeCluster, answer: Any) -> None:
    cluster.api.answers["http:users:8080"] = answer
    assert await users(cluster).recent(10) == UserSli()
    assert await users(cluster).between(100, 103) is None
    assert await users(cluster).served_again(100) is None


async def test_users_are_served_again_after_the_last_failure(cluster: FakeCluster) -> None:
    assert await users(cluster).served_again(100.5) == 2.5


@pytest.mark.parametrize(
    ("seconds", "again"),
    [
        ((), None),
        ((SecondCounts(10, 4, 0), SecondCounts(11, 4, 0)), 0.0),
        ((SecondCounts(10, 4, 0), SecondCounts(11, 3, 1)), None),
        ((SecondCounts(10, 3, 1), SecondCounts(11, 0, 0)), None),
        ((SecondCounts(10, 3, 1), SecondCounts(11, 0, 0), SecondCounts(12, 4, 0)), 2.0),
        (
            (
                SecondCounts(10, 3, 1),
                SecondCounts(11, 4, 0),
                SecondCounts(12, 3, 1),
                SecondCounts(13, 4, 0),
            ),
            3.0,
        ),
    ],
)
def test_served_again(seconds: tuple[SecondCounts, ...], again: float | None) -> None:
    assert served_again(seconds, 10.0) == again
