"""HTTP client of the API server: JSON in, JSON out, bounded in time, retries and size.

Not a Kubernetes client library, by measurement: importing `kubernetes.aio` costs 51 MB of memory
and 1.4 s (it imports its 900 model classes even for raw calls), aiohttp 29 MB and 0.35 s, and
kopf has imported aiohttp already. kopf itself needs 35 MB instead of 55 MB when the `kubernetes`
package is not installed.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import NamedTuple, Self

import aiohttp
import stamina
from multidict import CIMultiDict

from reme_api.content_types import APPLY_PATCH, MERGE_PATCH
from reme_kube.credentials import Credentials, connector
from reme_kube.errors import ClusterError, ThrottledError, UnavailableError, UnreadableError
from reme_kube.resources import Json
from reme_kube.responses import (
    HttpResponse,
    ListExpiredError,
    TokenExpiredError,
    read_body,
    read_object,
)
from reme_kube.watch_stream import watch_events

PAGE_SIZE = 200
"""Objects per request of a list: 200 pods are about 4 MB."""
MAX_OBJECTS = 20_000
"""Objects of one list that are read into memory."""
_MAX_RETRY_WAIT_SECONDS = 5.0


class ObjectList(NamedTuple):
    """All objects of a list, and the version from which a watch continues it."""

    items: list[Json]
    resource_version: str


class ApiClient:
    """Client of one API server; close it, or use it as a context manager."""

    def __init__(
        self, credentials: Credentials, *, timeout_seconds: float = 10.0, attempts: int = 4
    ) -> None:
        self._credentials = credentials
        self._timeout = timeout_seconds
        self._attempts = attempts
        self._session: aiohttp.ClientSession | None = None
        self._watch_session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        sessions = (self._session, self._watch_session)
        self._session = self._watch_session = None
        for session in sessions:
            if session:
                await session.close()

    def with_token(self, token: str) -> "ApiClient":
        """Return a client of the same server with the identity of the token; to be closed."""
        return ApiClient(
            self._credentials.with_token(token),
            timeout_seconds=self._timeout,
            attempts=self._attempts,
        )

    # reading ----------------------------------------------------------------------------------

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Return the object at a path."""
        return await self._request("GET", path, params=params)

    async def get_raw(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Return whatever is at a path, without retries: for requests that the server proxies.

        Raises:
            UnavailableError: no response in time, or no connection.
            UnreadableError: the response is too large.

        """
        headers = self._credentials.headers(asyncio.get_running_loop().time())
        url = self._credentials.server + path
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                self._open().get(
                    url,
                    headers=headers,
                    allow_redirects=False,
                    server_hostname=self._credentials.tls_server_name,
                ) as response,
            ):
                return HttpResponse(response.status, await read_body(response, f"GET {path}"))
        except TimeoutError as error:
            raise UnavailableError(f"GET {path}: no answer within {timeout_seconds:g} s") from error
        except aiohttp.ClientError as error:
            raise UnavailableError(f"GET {path}: {type(error).__name__}") from error

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
        if self._watch_session is None:
            # Connections of their own: watches stay open, and must not use up those of requests.
            self._watch_session = self._new_session(limit=0)
        return watch_events(
            self._watch_session, self._credentials, path, params, timeout_seconds=self._timeout
        )

    # writing ----------------------------------------------------------------------------------

    async def create(self, path: str, body: Json, *, once: bool = False) -> Json:
        """Create an object; AlreadyExistsError when the name is taken.

        A request whose response was lost is repeated, so that error may also mean that the object
        was just created. With `once` there is no retry: the caller decides again first.
        """
        return await self._request("POST", path, body=body, once=once)

    async def replace(self, path: str, body: Json) -> Json:
        """Replace an object, or its status; ConflictError when it has changed since."""
        return await self._request("PUT", path, body=body)

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = MERGE_PATCH,
    ) -> Json:
        """Patch an object; by a merge patch unless the content type says otherwise."""
        return await self._request(
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
        return await self._request("DELETE", path, params=params, body=body)

    # requests ---------------------------------------------------------------------------------

    async def _request(
        self,
        verb: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
        once: bool = False,
    ) -> Json:
        retry = _RetryPolicy(once=once)
        # Each attempt has a timeout of its own; this one bounds all of them and their waits.
        total = self._timeout * 2 + _MAX_RETRY_WAIT_SECONDS
        try:
            async with asyncio.timeout(total):
                async for attempt in stamina.retry_context(
                    on=retry.should_retry,
                    attempts=self._attempts,
                    timeout=None,
                    wait_initial=0.2,
                    wait_max=_MAX_RETRY_WAIT_SECONDS,
                    wait_jitter=0.2,
                ):
                    with attempt:
                        return await self._attempt(
                            verb, path, params, body, content_type, renew_token=retry.token_expired
                        )
        except TimeoutError as error:
            raise UnavailableError(f"{verb} {path}: no answer within {total:g} s") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(
        self,
        verb: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Json | list[Json] | None,
        content_type: str,
        *,
        renew_token: bool,
    ) -> Json:
        now = asyncio.get_running_loop().time()
        headers = {"Accept": "application/json"}
        headers |= self._credentials.headers(now, fresh=renew_token)
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._open().request(
                    verb,
                    self._credentials.server + path,
                    params=params,
                    data=json.dumps(body, separators=(",", ":")) if body is not None else None,
                    headers=headers,
                    allow_redirects=False,
                    server_hostname=self._credentials.tls_server_name,
                ) as response,
            ):
                return await read_object(response, f"{verb} {path}")
        except TimeoutError as error:
            raise UnavailableError(
                f"{verb} {path}: no answer within {self._timeout:g} s"
            ) from error
        except aiohttp.ClientError as error:
            raise UnavailableError(f"{verb} {path}: {type(error).__name__}") from error

    async def _page(
        self, path: str, params: Mapping[str, str] | None, limit: int, token: str
    ) -> Json:
        query = {**(params or {}), "limit": str(limit)}
        if token:
            query["continue"] = token
        return await self._request("GET", path, params=query)

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, created in the running loop when it is first needed."""
        if self._session is None:
            self._session = self._new_session(limit=32)
        return self._session

    def _new_session(self, limit: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector(self._credentials, limit),
            timeout=aiohttp.ClientTimeout(total=None),  # every call has a timeout of its own
            headers=CIMultiDict(
                [("User-Agent", "reme-operator"), *self._credentials.impersonation]
            ),
            proxy=self._credentials.proxy,
            raise_for_status=False,
        )


class _RetryPolicy:
    """Decides whether a failed request is sent again."""

    def __init__(self, *, once: bool) -> None:
        self.token_expired, self._once = False, once

    def should_retry(self, error: Exception) -> bool | float:
        if isinstance(error, TokenExpiredError) and not self.token_expired:
            self.token_expired = True
            return 0.05
        if self._once:
            return False
        if isinstance(error, ThrottledError) and error.retry_after_seconds:
            return min(error.retry_after_seconds, _MAX_RETRY_WAIT_SECONDS)
        return isinstance(error, ClusterError) and error.retryable


def _items(page: Json) -> list[Json]:
    items: list[Json] = list(page.get("items") or ())
    for item in items:
        item.get("metadata", {}).pop("managedFields", None)  # half of an object, and never used
    return items


def _continue_token(page: Json) -> str:
    return str((page.get("metadata") or {}).get("continue") or "")
