from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from tests.support.stub_api import StubApi, serve


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture
def server() -> StubApi:
    return StubApi()


@pytest.fixture
async def api(server: StubApi) -> AsyncIterator[ApiClient]:
    async with serve(server.handle) as port:
        credentials = Credentials(f"http://127.0.0.1:{port}", None, token="t")
        async with ApiClient(credentials, timeout_seconds=0.5) as api_client:
            yield api_client
