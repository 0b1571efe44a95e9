"""Plain requests to the API server: JSON in, JSON out, bounded in time, tries and size.

Not a Kubernetes client library, by measurement: importing `kubernetes.aio` costs 51 MB of memory
and 1.4 s (its 900 model classes are imported even for raw calls), aiohttp 29 MB and 0.35 s, and
kopf has imported aiohttp already, so that this file costs next to nothing. kopf itself goes from
55 to 35 MB when the `kubernetes` package is not installed beside it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Self

import aiohttp
import stamina
from multidict import CIMultiDict

from reme_api.content_types import MERGE_PATCH
from reme_api.parsing import parse_int
from reme_kube.credentials import Credentials, connector
from reme_kube.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
    UnreadableError,
)

Json = dict[str, Any]


class HttpResponse(NamedTuple):
    """What came back, whatever it was."""

    status: int
    content: bytes


PAGE_SIZE = 200
"""Objects per request of a list: 200 pods are about 4 MB."""
_LARGEST_BYTES = 32 * 1024 * 1024
_LONGEST_WAIT_SECONDS = 5.0
_WATCH_SECONDS = 240
"""The server ends a watch after this, so that it cannot be silently dead for longer."""
_SILENCE_SECONDS = 75.0
"""Longer than the minute between two bookmarks."""


class ApiClient:
    """One API server; to be closed, or used as a context."""

    def __init__(
        self, credentials: Credentials, *, timeout_seconds: float = 10.0, attempts: int = 4
    ) -> None:
        self._credentials = credentials
        self._timeout = timeout_seconds
        self._attempts = attempts
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Return what is there."""
        return await self._request("GET", path, params=params)

    async def create(self, path: str, body: Json, *, once: bool = False) -> Json:
        """Create an object; AlreadyExistsError when the name is taken.

        A try whose answer was lost is repeated, so that error may also mean "just done"; with
        `once` it is left to the caller, who may not want it any more by then.
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
        """Merge the body into an object, or change it in another of the API's ways."""
        return await self._request(
            "PATCH", path, params=params, body=body, content_type=content_type
        )

    async def delete(
        self, path: str, body: Json | None = None, *, params: Mapping[str, str] | None = None
    ) -> Json:
        """Delete an object."""
        return await self._request("DELETE", path, params=params, body=body)

    def with_token(self, token: str) -> "ApiClient":
        """Return the same server, for whoever the token stands for; to be used as a context."""
        return ApiClient(
            self._credentials.with_token(token),
            timeout_seconds=self._timeout,
            attempts=self._attempts,
        )

    async def list_items(
        self, path: str, params: Mapping[str, str] | None = None, limit: int = PAGE_SIZE
    ) -> AsyncIterator[Json]:
        """Yield the objects of a list, read page by page.

        When the server has forgotten the list meanwhile (410), the rest is read from its newest
        state, as the server offers: no object that existed all the time is missed.
        """
        token = ""
        while True:
            query = {**(params or {}), "limit": str(limit)}
            if token:
                query["continue"] = token
            try:
                page = await self._request("GET", path, params=query)
            except _ForgottenError as error:
                token = error.token
                continue
            for item in page.get("items") or ():
                item.get("metadata", {}).pop("managedFields", None)  # half of an object, never read
                yield item
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    async def watch(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[Json]:
        """Yield what happens to a list, beginning with what is there, until the server ends it.

        Raises:
            ClusterError: it could not be begun, or it fell silent; to be begun again.

        """
        query = {
            **(params or {}),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        headers = {"Accept": "application/json"}
        headers |= self._credentials.headers(asyncio.get_running_loop().time())
        url, rest = self._credentials.server + path, b""
        try:
            async with asyncio.timeout(self._timeout) as limit:
                async with self._open().get(
                    url,
                    params=query,
                    headers=headers,
                    allow_redirects=False,
                    server_hostname=self._credentials.tls_server_name,
                ) as response:
                    if response.status >= 300:
                        answer = await _read(response, f"watch {path}")
                        raise _refusal("watch", path, response, answer)
                    loop = asyncio.get_running_loop()
                    limit.reschedule(loop.time() + _SILENCE_SECONDS)
                    async for chunk in response.content.iter_any():
                        limit.reschedule(loop.time() + _SILENCE_SECONDS)
                        *lines, rest = (rest + chunk).split(b"\n")
                        if len(rest) > _LARGEST_BYTES:
                            raise UnreadableError(f"watch {path}: an event is too large")
                        for line in lines:
                            yield _event(line, path)
        except TimeoutError as error:
            raise UnavailableError(f"watch {path}: it fell silent") from error
        except aiohttp.ClientError as error:
            raise UnavailableError(f"watch {path}: {type(error).__name__}") from error

    async def get_raw(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Ask once, by GET, and return whatever the answer is: for what the server proxies.

        Raises:
            UnavailableError: no answer in time, or no connection.
            UnreadableError: the answer is too large.

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
                return HttpResponse(response.status, await _content(response, f"GET {path}"))
        except TimeoutError as error:
            raise UnavailableError(f"GET {path}: no answer within {timeout_seconds:g} s") from error
        except aiohttp.ClientError as error:
            raise UnavailableError(f"GET {path}: {type(error).__name__}") from error

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
        tries = _Tries(once=once)
        # Each try is bounded by itself; this bounds them together, with the waits between them.
        whole = self._timeout * 2 + _LONGEST_WAIT_SECONDS
        try:
            async with asyncio.timeout(whole):
                async for attempt in stamina.retry_context(
                    on=tries.again,
                    attempts=self._attempts,
                    timeout=None,
                    wait_initial=0.2,
                    wait_max=_LONGEST_WAIT_SECONDS,
                    wait_jitter=0.2,
                ):
                    with attempt:
                        return await self._once(
                            verb, path, params, body, content_type, fresh=tries.expired
                        )
        except TimeoutError as error:
            raise UnavailableError(f"{verb} {path}: no answer within {whole:g} s") from error
        raise AssertionError("unreachable: the last try returns or raises")

    async def _once(
        self,
        verb: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Json | list[Json] | None,
        content_type: str,
        *,
        fresh: bool,
    ) -> Json:
        loop = asyncio.get_running_loop()
        headers = {"Accept": "application/json"}
        headers |= self._credentials.headers(loop.time(), fresh=fresh)
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
                answer = await _read(response, f"{verb} {path}")
                if response.status >= 300:
                    raise _refusal(verb, path, response, answer)
                return answer
        except TimeoutError as error:
            raise UnavailableError(
                f"{verb} {path}: no answer within {self._timeout:g} s"
            ) from error
        except aiohttp.ClientError as error:
            raise UnavailableError(f"{verb} {path}: {type(error).__name__}") from error

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, made in the running loop when it is first needed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=connector(self._credentials),
                timeout=aiohttp.ClientTimeout(total=None),  # `_once` bounds the whole of it
                headers=CIMultiDict(
                    [("User-Agent", "reme-operator"), *self._credentials.impersonation]
                ),
                proxy=self._credentials.proxy,
                raise_for_status=False,
            )
        return self._session


class _ExpiredError(ForbiddenError):
    """The token was not accepted: it may just have been renewed."""


class _ForgottenError(UnavailableError):
    """The list is too old to be continued; the token continues it with its newest state."""

    retryable = False

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message)
        self.token = token


class _Tries:
    """Decides whether one more try makes sense."""

    def __init__(self, *, once: bool) -> None:
        self.expired, self._once = False, once

    def again(self, error: Exception) -> bool | float:
        if isinstance(error, _ExpiredError) and not self.expired:
            self.expired = True
            return 0.05
        if self._once:
            return False
        if isinstance(error, ThrottledError) and error.retry_after_seconds:
            return min(error.retry_after_seconds, _LONGEST_WAIT_SECONDS)
        return isinstance(error, ClusterError) and error.retryable


async def _content(response: aiohttp.ClientResponse, what: str) -> bytes:
    """Return the whole body; a single read would return what has arrived until then."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(256 * 1024):
        content += chunk
        if len(content) > _LARGEST_BYTES:
            raise UnreadableError(f"{what}: the answer is larger than {_LARGEST_BYTES} bytes")
    return bytes(content)


async def _read(response: aiohttp.ClientResponse, what: str) -> Json:
    """Return the body, which is an object for every answer of the API server, also for refusals."""
    content = await _content(response, what)
    try:
        answer = json.loads(content)
    except ValueError as error:
        if response.status >= 300:  # a proxy or the server itself, in plain text
            return {"message": content[:500].decode(errors="replace")}
        raise UnreadableError(f"{what}: the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise UnreadableError(f"{what}: the answer is not an object")
    return answer


def _event(line: bytes, path: str) -> Json:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise UnreadableError(f"watch {path}: an event is not JSON") from error
    if not isinstance(event, dict) or event.get("type") == "ERROR":
        raise UnavailableError(f"watch {path}: the server gave it up")
    return event


def _refusal(verb: str, path: str, response: aiohttp.ClientResponse, answer: Json) -> ClusterError:
    status = response.status
    more: Any = {"status": status, "server_message": str(answer.get("message") or "")}
    text = f"{verb} {path}: {status} {str(answer.get('message') or '')[:500]}".rstrip()
    if status == 429:
        return ThrottledError(text, **more, retry_after_seconds=_seconds(response))
    if status == 409 and answer.get("reason") == "AlreadyExists":
        return AlreadyExistsError(text, **more)
    if status == 410 and (token := (answer.get("metadata") or {}).get("continue")):
        return _ForgottenError(text, str(token))
    if status >= 500:
        return UnavailableError(text, **more)
    kinds: dict[int, type[ClusterError]] = {
        401: _ExpiredError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
    }
    return kinds.get(status, InvalidError)(text, **more)


def _seconds(response: aiohttp.ClientResponse) -> float:
    return float(parse_int(response.headers.get("Retry-After", "")) or 0)
