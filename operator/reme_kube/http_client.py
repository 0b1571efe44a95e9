"""HTTP client of the API server: JSON in, JSON out, bounded in time, retries and size.

Not a Kubernetes client library, by measurement: importing `kubernetes.aio` costs 51 MB of memory
and 1.4 s (it imports its 900 model classes even for raw calls), aiohttp 29 MB and 0.35 s, and
kopf has imported aiohttp already. kopf itself needs 35 MB instead of 55 MB when the `kubernetes`
package is not installed.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from functools import partial
from typing import NamedTuple, Self

import aiohttp

from reme_api.content_types import APPLY_PATCH, MERGE_PATCH
from reme_kube.credentials import Credentials
from reme_kube.errors import UnreadableError
from reme_kube.resources import Json
from reme_kube.responses import HttpResponse, ListExpiredError, read_body, read_text
from reme_kube.transport import Transport

PAGE_SIZE = 200
"""Objects per request of a list: 200 pods are about 4 MB."""
MAX_OBJECTS = 20_000
"""Objects of one list that are read into memory."""


class ObjectList(NamedTuple):
    """All objects of a list, and the version from which a watch continues it."""

    items: list[Json]
    resource_version: str


class ApiClient:
    """Client of one API server; close it, or use it as a context manager."""

    def __init__(
        self, credentials: Credentials, *, timeout_seconds: float = 10.0, attempts: int = 4
    ) -> None:
        self._transport = Transport(credentials, timeout_seconds=timeout_seconds, attempts=attempts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    def with_token(self, token: str) -> "ApiClient":
        """Return a client of the same server with the identity of the token; to be closed."""
        return ApiClient(
            self._transport.credentials.with_token(token),
            timeout_seconds=self._transport.timeout_seconds,
            attempts=self._transport.attempts,
        )

    # reading ----------------------------------------------------------------------------------

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Return the object at a path."""
        return await self._transport.request("GET", path, params=params)

    async def get_raw(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Return whatever is at a path, without retries: for requests that the server proxies.

        Raises:
            UnavailableError: no response in time, or no connection.
            UnreadableError: the response is too large.

        """
        return await self._transport.send("GET", path, _raw_response, timeout_seconds)

    async def get_text(
        self, path: str, params: Mapping[str, str], timeout_seconds: float, max_bytes: int
    ) -> str:
        """Return the text at a path, without retries, and at most so many bytes of it.

        Raises:
            ClusterError: the API server refused it, or there was no response in time.

        """
        read = partial(read_text, max_bytes=max_bytes)
        return await self._transport.send("GET", path, read, timeout_seconds, params=params)

    async def list_items(
        self, path: str, params: Mapping[str, str] | None = None, limit: int = PAGE_SIZE
    ) -> AsyncIterator[Json]:
        """Yield the objects of a list, read page by page.

        When the server cannot continue the list because it is too old (410), the rest is read
        from the current state: an object that existed all the time is never missed.
        """
        token = ""
        while True:
            try:
                page = await self._page(path, params, limit, token)
            except ListExpiredError as error:
                token = error.token
                continue
            for item in _items(page):
                yield item
            token = _continue_token(page)
            if not token:
                return

    async def list_all(
        self, path: str, params: Mapping[str, str] | None = None, limit: int = PAGE_SIZE
    ) -> ObjectList:
        """Return all objects of a list as of one version.

        Raises:
            UnavailableError: the list expired before its last page.
            UnreadableError: it has more than 20,000 objects.

        """
        items: list[Json] = []
        token = ""
        while True:
            page = await self._page(path, params, limit, token)
            items += _items(page)
            if len(items) > MAX_OBJECTS:
                raise UnreadableError(f"GET {path}: more than {MAX_OBJECTS} objects")
            token = _continue_token(page)
            if not token:
                version = str((page.get("metadata") or {}).get("resourceVersion") or "")
                return ObjectList(items, version)

    def watch(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Json, None]:
        """Yield the events of a list until the server ends the watch.

        Without a `resourceVersion` among the parameters, the objects that exist come first. Close
        the generator (`contextlib.aclosing`) when it is left before its end.

        Raises:
            ClusterError: the watch could not be started, or has failed; start it again.

        """
        return self._transport.watch(path, params)

    # writing ----------------------------------------------------------------------------------

    async def create(self, path: str, body: Json, *, once: bool = False) -> Json:
        """Create an object; AlreadyExistsError when the name is taken.

        A request whose response was lost is repeated, so that error may also mean that the object
        was just created. With `once` there is no retry: the caller decides again first.
        """
        return await self._transport.request("POST", path, body=body, once=once)

    async def replace(self, path: str, body: Json) -> Json:
        """Replace an object, or its status; ConflictError when it has changed since."""
        return await self._transport.request("PUT", path, body=body)

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = MERGE_PATCH,
    ) -> Json:
        """Patch an object; by a merge patch unless the content type says otherwise."""
        return await self._transport.request(
            "PATCH", path, params=params, body=body, content_type=content_type
        )

    async def apply(self, path: str, body: Json, *, manager: str) -> Json:
        """Create an object, or change it to the body, by a forced server-side apply."""
        query = {"fieldManager": manager, "force": "true"}
        return await self.patch(path, body, params=query, content_type=APPLY_PATCH)

    async def delete(
        self, path: str, body: Json | None = None, *, params: Mapping[str, str] | None = None
    ) -> Json:
        """Delete an object."""
        return await self._transport.request("DELETE", path, params=params, body=body)

    async def _page(
        self, path: str, params: Mapping[str, str] | None, limit: int, token: str
    ) -> Json:
        query = {**(params or {}), "limit": str(limit)}
        if token:
            query["continue"] = token
        return await self._transport.request("GET", path, params=query)


async def _raw_response(response: aiohttp.ClientResponse, request: str) -> HttpResponse:
    return HttpResponse(response.status, await read_body(response, request))


def _items(page: Json) -> list[Json]:
    items: list[Json] = list(page.get("items") or ())
    for item in items:
        metadata = item.get("metadata", {})
        if writers := metadata.pop("managedFields", None):
            metadata["managedFields"] = [_writer(entry) for entry in writers]
    return items


def _writer(entry: Json) -> Json:
    """Return who wrote an object and when, without the list of fields: half of the object.

    Of the fields only the top ones are kept, which tell a spec from a status.
    """
    fields: Json = {key: {} for key in entry.get("fieldsV1") or ()}
    return {**entry, "fieldsV1": fields} if fields else entry


def _continue_token(page: Json) -> str:
    return str((page.get("metadata") or {}).get("continue") or "")
