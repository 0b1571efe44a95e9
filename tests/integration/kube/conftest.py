from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiServer
from tests.support.stub_api import FakeApi, serve


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture
def server() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def api(server: FakeApi) -> AsyncIterator[ApiServer]:
    async with serve(server.handle) as port:
        credentials = Credentials(f"http://127.0.0.1:{port}", None, token="t")
        async with ApiServer(credentials, timeout_seconds=0.5) as made:
            yield made
