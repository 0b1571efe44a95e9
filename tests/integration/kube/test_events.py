"""The newest events of some objects, from an API server that lists them by name."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_kube.credentials import Credentials
from reme_kube.events import last_seen, newest_events
from reme_kube.http_client import ApiClient
from tests.doubles.fake_api import FakeApi

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    async with FakeApi().running() as running:
        yield running


@pytest.fixture
async def client(fake: FakeApi) -> AsyncIterator[ApiClient]:
    async with ApiClient(Credentials(fake.url, None)) as api_client:
        yield api_client


def put(fake: FakeApi, name: str, about: str, seconds: float, **fields: Any) -> None:
    time = (START + timedelta(seconds=seconds)).isoformat()
    fake.put(
        "events",
        {
            "metadata": {"name": name, "namespace": "shop"},
            "involvedObject": {"name": about},
            "lastTimestamp": time,
            **fields,
        },
    )


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["metadata"]["name"] for event in events]


async def test_the_newest_event_is_found_behind_thousands_that_come_first_by_name(
    fake: FakeApi, client: ApiClient
) -> None:
    for number in range(5200):
        put(fake, f"a{number:04}", "cart", number)
    put(fake, "zz", "cart", 9000)
    lines = names(await newest_events(client, "shop", ["cart"]))
    assert lines == [f"a{number:04}" for number in range(5001, 5200)] + ["zz"]


async def test_few_objects_are_selected_by_the_server(fake: FakeApi, client: ApiClient) -> None:
    put(fake, "a", "cart-1", 2)
    put(fake, "b", "other", 3)
    put(fake, "c", "cart", 1)
    assert names(await newest_events(client, "shop", ["cart", "cart-1", "cart"])) == ["c", "a"]
    assert fake.lists["events"] == 2


async def test_many_objects_are_read_with_one_list(fake: FakeApi, client: ApiClient) -> None:
    for number in range(40):
        put(fake, f"e{number}", f"cart-{number}", number)
    put(fake, "other", "other", 99)
    objects = await newest_events(client, "shop", [f"cart-{number}" for number in range(40)])
    assert names(objects) == [f"e{number}" for number in range(40)]
    assert fake.lists["events"] == 1


async def test_events_of_one_moment_keep_their_order(fake: FakeApi, client: ApiClient) -> None:
    for name in "abc":
        put(fake, name, "cart", 0)
    assert names(await newest_events(client, "shop", ["cart"])) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"series": {"lastObservedTime": "2026-01-01T00:00:05Z"}, "lastTimestamp": "x"}, 5),
        ({"lastTimestamp": None, "eventTime": "2026-01-01T00:00:04.5Z"}, 4.5),
        ({"lastTimestamp": "2026-01-01T00:00:03"}, 3),
        ({"lastTimestamp": "soon"}, 0),
    ],
    ids=["series", "event time", "no zone", "unreadable"],
)
def test_an_event_has_been_seen_when_the_newest_field_says(
    fields: dict[str, Any], seconds: float
) -> None:
    event = {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}, **fields}
    assert last_seen(event) == START + timedelta(seconds=seconds)


async def test_an_event_without_any_time_is_the_oldest(fake: FakeApi, client: ApiClient) -> None:
    put(fake, "b", "cart", 0)
    metadata = {"name": "c", "namespace": "shop", "creationTimestamp": "?"}
    fake.put("events", {"metadata": metadata, "involvedObject": {"name": "cart"}})
    assert names(await newest_events(client, "shop", ["cart"])) == ["c", "b"]
    assert last_seen({}) is None
