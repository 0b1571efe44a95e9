"""Lists that watches keep current: what is read, how often, and how old it may be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reme_kube import watch_cache
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.errors import ClusterError
from reme_kube.http_client import ApiClient
from reme_kube.resources import DEPLOYMENTS, PODS, Resource
from reme_kube.watch_cache import WatchCache
from tests.doubles.fake_api import FakeApi, refusal


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    async with FakeApi().running() as running:
        for name in ("cart", "web"):
            running.put("deployments", deployment(name))
        yield running


@asynccontextmanager
async def connected(fake: FakeApi) -> AsyncIterator[ApiClient]:
    async with ApiClient(Credentials(fake.url, None), timeout_seconds=30, attempts=1) as api:
        yield api


@pytest.fixture
async def cache(fake: FakeApi) -> AsyncIterator[WatchCache]:
    async with connected(fake) as api, WatchCache(api) as made:
        yield made


def deployment(name: str, replicas: int = 1, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    return {"metadata": metadata, "spec": {"replicas": replicas}}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)


async def requested(fake: FakeApi, number: int = 1) -> bool:
    return fake.watches["deployments"] == number


async def opened(fake: FakeApi) -> bool:
    return fake.open_watches > 0


async def listed(cache: WatchCache, selector: str = "") -> dict[str, int]:
    items = await cache.list_resource(DEPLOYMENTS, "shop", selector)
    return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items}


async def test_many_readers_share_one_list_and_one_watch(fake: FakeApi, cache: WatchCache) -> None:
    for _ in range(20):
        assert (
            await asyncio.gather(*(listed(cache) for _ in range(5))) == [{"cart": 1, "web": 1}] * 5
        )
    # Of the first five, four asked while the first list was under way, and share the second.
    assert fake.lists["deployments"] <= 2
    assert fake.watches["deployments"] == 1


async def test_what_changes_is_seen_without_another_list(fake: FakeApi, cache: WatchCache) -> None:
    await listed(cache)
    lists = fake.lists["deployments"]
    fake.edit("deployments", "shop", "cart", {"spec": {"replicas": 3}})
    fake.remove("deployments", "shop", "web")
    fake.put("deployments", deployment("app", 2))

    async def current() -> bool:
        return await listed(cache) == {"app": 2, "cart": 3}

    await until(current)
    assert list(await listed(cache)) == ["app", "cart"], "by name, as a list"
    assert fake.lists["deployments"] == lists


async def test_an_object_that_leaves_the_selection_is_dropped(
    fake: FakeApi, cache: WatchCache
) -> None:
    fake.put("deployments", deployment("cart", tier="front"))
    assert await listed(cache, "tier=front") == {"cart": 1}
    fake.edit("deployments", "shop", "cart", {"metadata": {"labels": {"tier": "back"}}})

    async def current() -> bool:
        return await listed(cache, "tier=front") == {}

    await until(current)


async def test_a_silent_watch_is_trusted_for_a_while_only(
    fake: FakeApi, cache: WatchCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_cache, "MAX_SILENCE_SECONDS", 0.2)
    await listed(cache)
    fake.silent = True  # a connection that is broken and looks open
    fake.edit("deployments", "shop", "cart", {"spec": {"replicas": 3}})
    assert (await listed(cache))["cart"] == 1
    await asyncio.sleep(0.25)
    assert (await listed(cache))["cart"] == 3


async def test_a_list_is_read_again_when_its_watch_has_ended(
    fake: FakeApi, cache: WatchCache
) -> None:
    await listed(cache)
    await until(lambda: opened(fake))
    fake.end_watches()
    fake.edit("deployments", "shop", "cart", {"spec": {"replicas": 3}})

    async def current() -> bool:
        return (await listed(cache))["cart"] == 3

    await until(current)
    await until(lambda: requested(fake, 2))
    assert fake.lists["deployments"] == 2


async def test_a_version_that_is_too_old_to_watch_is_listed_again(
    fake: FakeApi, cache: WatchCache
) -> None:
    fake.compacted = 10**9
    assert await listed(cache) == {"cart": 1, "web": 1}
    await until(lambda: requested(fake))
    fake.compacted = 0

    async def watched_again() -> bool:
        await listed(cache)
        return fake.watches["deployments"] == 2

    await until(watched_again)
    fake.edit("deployments", "shop", "cart", {"spec": {"replicas": 3}})

    async def current() -> bool:
        return (await listed(cache))["cart"] == 3

    await until(current)


async def test_without_the_permission_to_watch_each_read_is_a_list(
    fake: FakeApi, cache: WatchCache
) -> None:
    fake.unwatchable.add("deployments")
    for replicas in (2, 3, 4):
        fake.edit("deployments", "shop", "cart", {"spec": {"replicas": replicas}})
        assert (await listed(cache))["cart"] == replicas
        # The refusal of the watch has to arrive before the next read, also on a busy machine.
        for _ in range(100):
            await asyncio.sleep(0.05)
            if fake.watches["deployments"]:
                break
        await asyncio.sleep(0.3)
    assert (fake.lists["deployments"], fake.watches["deployments"]) == (3, 1)


async def test_readers_of_a_list_that_is_not_watched_share_it(
    fake: FakeApi, cache: WatchCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_cache, "_MAX_WATCHES", 0)
    await asyncio.gather(*(listed(cache) for _ in range(20)))
    assert fake.lists["deployments"] <= 2
    assert fake.watches["deployments"] == 0


async def test_a_list_with_too_many_objects_is_not_watched(
    fake: FakeApi, cache: WatchCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_cache, "_MAX_OBJECTS", 1)
    assert len(await listed(cache)) == 2
    assert fake.watches["deployments"] == 0


async def test_a_list_that_grows_too_large_is_not_watched_any_more(
    fake: FakeApi, cache: WatchCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_cache, "_MAX_OBJECTS", 2)
    await listed(cache)
    fake.put("deployments", deployment("app"))

    async def ended() -> bool:
        return len(await listed(cache)) == 3 and fake.lists["deployments"] == 2

    await until(ended)


async def test_an_idle_list_is_dropped_with_its_watch(
    fake: FakeApi, cache: WatchCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_cache, "_IDLE_SECONDS", 0.1)
    await listed(cache)
    await until(lambda: opened(fake))

    async def dropped() -> bool:
        return not any(task.get_name() == "watch deployments" for task in asyncio.all_tasks())

    await until(dropped)
    assert await listed(cache) == {"cart": 1, "web": 1}
    assert fake.lists["deployments"] == 2


async def test_an_error_reaches_the_reader_and_the_next_one_tries_again(
    fake: FakeApi, cache: WatchCache
) -> None:
    fake.faults.append(refusal(500, path="deployments"))
    with pytest.raises(ClusterError):
        await listed(cache)
    assert await listed(cache) == {"cart": 1, "web": 1}


async def test_a_reader_that_is_cancelled_leaves_nothing_half_read(
    fake: FakeApi, cache: WatchCache
) -> None:
    reader = asyncio.create_task(listed(cache))
    await asyncio.sleep(0)
    reader.cancel()
    assert await listed(cache) == {"cart": 1, "web": 1}


# through the cluster --------------------------------------------------------------------------


async def requests(fake: FakeApi, remediations: int, rounds: int, *, cached: bool) -> int:
    """Return the requests of so many verifications of one namespace that poll together."""
    fake.lists.clear()
    fake.watches.clear()
    async with connected(fake) as api, ApiCluster(api) as cluster:
        for _ in range(rounds):
            await asyncio.gather(
                *(cluster.workloads("shop", cached=cached) for _ in range(remediations))
            )
    return fake.lists.total() + fake.watches.total()


async def test_verification_sends_a_few_requests_however_many_poll(fake: FakeApi) -> None:
    assert await requests(fake, 10, 10, cached=False) == 300
    assert await requests(fake, 10, 10, cached=True) <= 9


async def test_cached_objects_have_what_polling_needs_and_not_more(fake: FakeApi) -> None:
    template = {"spec": {"containers": [{"name": "app", "env": []}]}}
    web = deployment("web") | {"status": {"availableReplicas": 1}}
    web["spec"]["template"] = template
    web["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "kept": "yes",
    }
    fake.put("deployments", web)
    pod = {
        "metadata": {"name": "p", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "env": [], "resources": {"limits": {}}}]},
        "status": {"phase": "Running"},
    }
    pod["metadata"]["ownerReferences"] = [{"uid": "u", "controller": True}]  # type: ignore[index]
    fake.put("pods", pod)
    async with connected(fake) as api, ApiCluster(api) as cluster:
        _, obj = await cluster.workloads("shop", cached=True)
        assert (obj["kind"], obj["spec"]) == ("Deployment", {"replicas": 1})
        assert obj["status"] == {"availableReplicas": 1}
        assert obj["metadata"]["annotations"] == {"kept": "yes"}
        workload = {
            "kind": "StatefulSet",
            "metadata": {"namespace": "shop", "uid": "u"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
        }
        (one,) = await cluster.pods(workload, cached=True)
        assert one["spec"] == {"containers": [{"name": "app", "resources": {"limits": {}}}]}


async def test_what_has_no_watch_is_used_for_seconds(
    fake: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwatchable: dict[Resource, float] = {PODS: 60.0}
    monkeypatch.setattr(watch_cache, "_UNWATCHABLE", unwatchable)
    async with connected(fake) as api, WatchCache(api) as cache:
        for _ in range(5):
            await cache.list_resource(PODS, "shop")
    assert (fake.lists["pods"], fake.watches["pods"]) == (1, 0)
