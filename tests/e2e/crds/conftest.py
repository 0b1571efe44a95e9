"""The real API server, with the definitions as they are generated now."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from reme_api.crd_generator import KINDS, definition
from reme_kube.errors import AlreadyExistsError, NotFoundError
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import find_credentials

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMESPACES = "/api/v1/namespaces"
OPERATOR = {"labelSelector": "app.kubernetes.io/part-of=reme,app.kubernetes.io/component=operator"}


def server() -> ApiClient:
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: these tests need a real API server")
    return ApiClient(find_credentials())


async def _install() -> list[str]:
    """Bring every definition to what is generated; return the names of those that were missing."""
    missing = []
    async with server() as api:
        for kind in KINDS:
            obj = definition(kind)
            name = obj["metadata"]["name"]
            try:
                await api.create(DEFINITIONS, obj)
                missing.append(name)
            except AlreadyExistsError:
                # Merged and not replaced: a release of Helm keeps its marks on them.
                await api.patch(f"{DEFINITIONS}/{name}", {"spec": obj["spec"]})
        for kind in KINDS:
            await _served(api, definition(kind)["metadata"]["name"])
    return missing


async def _served(api: ApiClient, name: str) -> None:
    async with asyncio.timeout(30):
        while True:
            obj = await api.get(f"{DEFINITIONS}/{name}")
            states = {c["type"]: c["status"] for c in obj.get("status", {}).get("conditions", ())}
            if states.get("Established") == "True":
                break
            await asyncio.sleep(0.1)
        plural, _, group = name.partition(".")
        while True:
            try:
                await api.get(f"/apis/{group}/v1alpha1/{plural}", {"limit": "1"})
            except NotFoundError:
                await asyncio.sleep(0.1)
            else:
                return


async def _remove(names: list[str]) -> None:
    """Remove what was not there before, unless somebody uses it by now."""
    async with server() as api:
        for name in names:
            plural, _, group = name.partition(".")
            page = await api.get(f"/apis/{group}/v1alpha1/{plural}", {"limit": "1"})
            if not page["items"]:
                await api.delete(f"{DEFINITIONS}/{name}")
                await gone(api, f"{DEFINITIONS}/{name}")


async def gone(api: ApiClient, path: str) -> None:
    """Wait until there is nothing at that path."""
    async with asyncio.timeout(60):
        while True:
            try:
                await api.get(path)
            except NotFoundError:
                return
            await asyncio.sleep(0.2)


async def _pause() -> dict[str, int]:
    """Stop every operator: these tests write what it would answer to; return what to bring back."""
    before: dict[str, int] = {}
    async with server() as api:
        async for one in api.list_items("/apis/apps/v1/deployments", OPERATOR):
            meta, replicas = one["metadata"], one["spec"]["replicas"]
            path = f"/apis/apps/v1/namespaces/{meta['namespace']}/deployments/{meta['name']}"
            if replicas:
                before[path] = replicas
                await api.patch(path, {"spec": {"replicas": 0}})
        async with asyncio.timeout(90):
            while True:
                if not [pod async for pod in api.list_items("/api/v1/pods", OPERATOR)]:
                    break
                await asyncio.sleep(0.5)
    return before


async def _resume(before: dict[str, int]) -> None:
    async with server() as api:
        for path, replicas in before.items():
            await api.patch(path, {"spec": {"replicas": replicas}})


# Not for the whole session: other tests install the definitions with Helm, and use the operator.
@pytest.fixture(scope="module")
def definitions() -> Iterator[None]:
    paused = asyncio.run(_pause())
    try:
        missing = asyncio.run(_install())
        yield
        asyncio.run(_remove(missing))
    finally:
        asyncio.run(_resume(paused))


@pytest.fixture
async def api(definitions: None) -> AsyncIterator[ApiClient]:
    async with server() as api_client:
        yield api_client


@pytest.fixture(scope="module")
def namespace(definitions: None) -> Iterator[str]:
    name = f"reme-crds-{uuid.uuid4().hex[:8]}"
    asyncio.run(_namespace(name))
    yield name
    asyncio.run(_without_namespace(name))


async def _namespace(name: str) -> None:
    async with server() as api:
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await api.create(NAMESPACES, body)


async def _without_namespace(name: str) -> None:
    async with server() as api:
        await api.delete(f"{NAMESPACES}/{name}")
        await gone(api, f"{NAMESPACES}/{name}")
