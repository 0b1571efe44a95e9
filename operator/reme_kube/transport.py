"""Sends requests to the API server: each bounded in time, with retries where they make sense."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar

import aiohttp
import stamina
from multidict import CIMultiDict

from reme_kube.credentials import Credentials, connector
from reme_kube.errors import ClusterError, ThrottledError, UnavailableError
from reme_kube.resources import Json
from reme_kube.responses import TokenExpiredError, read_object
from reme_kube.watch_stream import watch_events

T = TypeVar("T")

_MAX_CONNECTIONS = 32
_MAX_RETRY_WAIT_SECONDS = 5.0


class Transport:
    """Connections to one API server under one identity; to be closed."""

    def __init__(
        self, credentials: Credentials, *, timeout_seconds: float = 10.0, attempts: int = 4
    ) -> None:
        self.credentials = credentials
        self.timeout_seconds = timeout_seconds
        self.attempts = attempts
        self._session: aiohttp.ClientSession | None = None
        self._watch_session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        sessions = (self._session, self._watch_session)
        self._session = self._watch_session = None
        for session in sessions:
            if session:
                await session.close()

    async def request(
        self,
        verb: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
        once: bool = False,
    ) -> Json:
        """Return the object in the response; retry what may pass by itself, unless `once`.

        Raises:
            ClusterError: the API server refused the request, or did not respond.

        """
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        data = json.dumps(body, separators=(",", ":")) if body is not None else None
        retry = _RetryPolicy(once=once)
        # Each attempt has a timeout of its own; this one bounds all of them and their waits.
        total = self.timeout_seconds * 2 + _MAX_RETRY_WAIT_SECONDS
        try:
            async with asyncio.timeout(total):
                async for attempt in stamina.retry_context(
                    on=retry.should_retry,
                    attempts=self.attempts,
                    timeout=None,
                    wait_initial=0.2,
                    wait_max=_MAX_RETRY_WAIT_SECONDS,
                    wait_jitter=0.2,
                ):
                    with attempt:
                        return await self.send(
                            verb,
                            path,
                            read_object,
                            self.timeout_seconds,
                            params=params,
                            data=data,
                            headers=headers,
                            renew_token=retry.token_expired,
                        )
        except TimeoutError as error:
            raise UnavailableError(f"{verb} {path}: no answer within {total:g} s") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def send(
        self,
        verb: str,
        path: str,
        read: Callable[[aiohttp.ClientResponse, str], Awaitable[T]],
        timeout_seconds: float,
        *,
        params: Mapping[str, str] | None = None,
        data: str | None = None,
        headers: Mapping[str, str] | None = None,
        renew_token: bool = False,
    ) -> T:
        """Send one request, once, and return what `read` makes of the response.

        Raises:
            UnavailableError: no response in time, or no connection.

        """
        now = asyncio.get_running_loop().time()
        authorization = self.credentials.headers(now, fresh=renew_token)
        if self._session is None:
            self._session = self._new_session(_MAX_CONNECTIONS)
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                self._session.request(
                    verb,
                    self.credentials.server + path,
                    params=params,
                    data=data,
                    headers={**(headers or {}), **authorization},
                    allow_redirects=False,
                    server_hostname=self.credentials.tls_server_name,
                ) as response,
            ):
                return await read(response, f"{verb} {path}")
        except TimeoutError as error:
            raise UnavailableError(
                f"{verb} {path}: no answer within {timeout_seconds:g} s"
            ) from error
        except aiohttp.ClientError as error:
            raise UnavailableError(f"{verb} {path}: {type(error).__name__}") from error

    def watch(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Json, None]:
        """Yield the events of a list; see `watch_events`."""
        if self._watch_session is None:
            # Connections of their own: watches stay open, and must not use up those of requests.
            self._watch_session = self._new_session(limit=0)
        return watch_events(
            self._watch_session,
            self.credentials,
            path,
            params,
            timeout_seconds=self.timeout_seconds,
        )

    def _new_session(self, limit: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector(self.credentials, limit),
            timeout=aiohttp.ClientTimeout(total=None),  # every call has a timeout of its own
            headers=CIMultiDict([("User-Agent", "reme-operator"), *self.credentials.impersonation]),
            proxy=self.credentials.proxy,
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
