"""One watch of the API server: a response that stays open and brings one event per line."""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import aiohttp

from reme_kube.credentials import Credentials
from reme_kube.errors import UnavailableError, UnreadableError
from reme_kube.resources import Json
from reme_kube.responses import MAX_BODY_BYTES, read_object, watch_event

_WATCH_SECONDS = 240
"""The server ends a watch after this time, so that a dead one is not used for longer."""
_SILENCE_SECONDS = 75.0
"""Longer than the minute between two bookmarks."""


async def watch_events(
    session: aiohttp.ClientSession,
    credentials: Credentials,
    path: str,
    params: Mapping[str, str] | None,
    *,
    timeout_seconds: float,
) -> AsyncGenerator[Json, None]:
    """Yield the events of a list until the server ends the watch; the timeout is for its start.

    Raises:
        ClusterError: the watch could not be started, or has failed.

    """
    request = f"watch {path}"
    query = {
        **(params or {}),
        "watch": "1",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(_WATCH_SECONDS),
    }
    authorization = credentials.headers(asyncio.get_running_loop().time())
    try:
        async with asyncio.timeout(timeout_seconds):
            response = await session.get(
                credentials.server + path,
                params=query,
                headers={"Accept": "application/json", **authorization},
                allow_redirects=False,
                server_hostname=credentials.tls_server_name,
            )
    except TimeoutError as error:
        raise UnavailableError(f"{request}: no answer within {timeout_seconds:g} s") from error
    except aiohttp.ClientError as error:
        raise UnavailableError(f"{request}: {type(error).__name__}") from error
    try:
        if response.status >= 300:
            await _raise_refusal(response, request, timeout_seconds)
        incomplete = bytearray()
        # No timeout is held across a yield: it would cancel the consumer in its own work.
        while chunk := await _next_chunk(response, request):
            *lines, rest = chunk.split(b"\n")
            if lines:
                lines[0] = bytes(incomplete) + lines[0]
                incomplete.clear()
            incomplete += rest
            if len(incomplete) > MAX_BODY_BYTES:
                raise UnreadableError(f"{request}: an event is larger than {MAX_BODY_BYTES} bytes")
            for line in lines:
                yield watch_event(line, request)
    finally:
        response.close()


async def _raise_refusal(
    response: aiohttp.ClientResponse, request: str, timeout_seconds: float
) -> None:
    try:
        async with asyncio.timeout(timeout_seconds):
            await read_object(response, request)
    except TimeoutError as error:
        raise UnavailableError(f"{request}: {response.status}") from error
    except aiohttp.ClientError as error:
        raise UnavailableError(f"{request}: {type(error).__name__}") from error


async def _next_chunk(response: aiohttp.ClientResponse, request: str) -> bytes:
    """Return the next bytes of the response, none at its end."""
    try:
        async with asyncio.timeout(_SILENCE_SECONDS):
            return await response.content.readany()
    except TimeoutError as error:
        raise UnavailableError(
            f"{request}: no event and no bookmark within {_SILENCE_SECONDS:g} s"
        ) from error
    except aiohttp.ClientError as error:
        raise UnavailableError(f"{request}: {type(error).__name__}") from error
