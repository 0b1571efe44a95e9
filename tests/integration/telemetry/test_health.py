import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from reme_kube.errors import UnavailableError
from reme_operator.telemetry.health import Health, HealthServer
from reme_operator.telemetry.metrics import Metrics


class Api:
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.seconds = 0.0
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error


class Ticks:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def health(ticks: Ticks) -> Health:
    return Health(60, ticks)


@pytest.fixture
def api() -> Api:
    return Api()


@asynccontextmanager
async def served(health: Health, api: Api) -> AsyncIterator[str]:
    async with HealthServer(health, Metrics("1"), api.ping, port=0, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}"


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_metrics_are_served_as_text(health: Health, api: Api) -> None:
    async with served(health, api) as url:
        status, text = await get(f"{url}/metrics")
        assert (await get(f"{url}/nothing"))[0] == 404
    assert status == 200
    assert 'reme_build_info{version="1"} 1.0' in text


async def test_ready_once_its_place_is_known(health: Health, api: Api) -> None:
    async with served(health, api) as url:
        assert (await get(f"{url}/readyz"))[0] == 503
        health.leading(False)
        assert await get(f"{url}/readyz") == (200, "standing by")
        health.leading(True)
        assert await get(f"{url}/readyz") == (200, "leading")


async def test_not_ready_while_the_api_server_is_away(health: Health, api: Api) -> None:
    health.leading(True)
    api.error = UnavailableError("gone")
    async with served(health, api) as url:
        status, text = await get(f"{url}/readyz")
        assert (status, "gone" in text) == (503, True)
        assert (await get(f"{url}/healthz"))[0] == 200, "a restart would not help"
        api.error = None
        assert (await get(f"{url}/readyz"))[0] == 200


async def test_the_api_server_is_not_asked_for_every_probe(health: Health, api: Api) -> None:
    health.leading(True)
    async with served(health, api) as url:
        for _ in range(5):
            await get(f"{url}/readyz")
    assert api.pings == 1


async def test_a_pass_without_progress_is_unhealthy(health: Health, ticks: Ticks) -> None:
    with health.watch_progress("remediation shop/r") as progress:
        ticks.seconds = 59
        health.beat()
        assert health.problem() == ""
        ticks.seconds = 61
        health.beat()
        assert health.problem() == "remediation shop/r has made no progress for 61 s"
        progress()
        assert health.problem() == ""
        ticks.seconds = 200
    health.beat()
    assert health.problem() == "", "what has ended cannot be stuck"


async def test_a_loop_that_stands_still_is_unhealthy(
    health: Health, ticks: Ticks, api: Api
) -> None:
    async with served(health, api) as url:
        assert await get(f"{url}/healthz") == (200, "ok")
        ticks.seconds = 30
        status, text = await get(f"{url}/healthz")
    assert (status, "30 s" in text) == (503, True)
