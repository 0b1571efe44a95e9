"""Reads responses of the API server: bounded bodies, JSON objects, watch events, typed errors."""

import json
from typing import NamedTuple

import aiohttp

from reme_api.parsing import parse_int
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
from reme_kube.resources import Json

MAX_BODY_BYTES = 32 * 1024 * 1024
_MAX_MESSAGE_CHARACTERS = 500


class HttpResponse(NamedTuple):
    """Status and body of a response, whatever they are."""

    status: int
    content: bytes


class TokenExpiredError(ForbiddenError):
    """The token was rejected: it may just have been renewed."""


class ListExpiredError(UnavailableError):
    """The list is too old to be continued; `token` continues it from its current state."""

    retryable = False

    def __init__(self, message: str, token: str) -> None:
        super().__init__(message, status=410)
        self.token = token


async def read_body(response: aiohttp.ClientResponse, request: str) -> bytes:
    """Return the whole body; a single read would return only what has arrived so far.

    Raises:
        UnreadableError: the body is larger than 32 MiB.

    """
    content = bytearray()
    async for chunk in response.content.iter_chunked(256 * 1024):
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise UnreadableError(f"{request}: the response is larger than {MAX_BODY_BYTES} bytes")
    return bytes(content)


async def read_text(
    response: aiohttp.ClientResponse, request: str, max_bytes: int = MAX_BODY_BYTES
) -> str:
    """Return a body of text, and no more of it than its first `max_bytes`.

    Raises:
        ClusterError: the status is an error.

    """
    if response.status >= 300:
        await read_object(response, request)
    content = bytearray()
    async for chunk in response.content.iter_chunked(256 * 1024):
        content += chunk
        if len(content) >= max_bytes:
            break
    return bytes(content[:max_bytes]).decode(errors="replace")


async def read_object(response: aiohttp.ClientResponse, request: str) -> Json:
    """Return the body as an object; the API server sends one for errors too.

    Raises:
        ClusterError: the status is an error, or the body is not a JSON object.

    """
    content = await read_body(response, request)
    try:
        body = json.loads(content)
    except ValueError as error:
        if response.status >= 300:  # plain text of a proxy, or of the server itself
            text = content[:_MAX_MESSAGE_CHARACTERS].decode(errors="replace")
            raise _error(response, {"message": text}, request) from error
        raise UnreadableError(f"{request}: the response is not JSON") from error
    if not isinstance(body, dict):
        raise UnreadableError(f"{request}: the response is not a JSON object")
    if response.status >= 300:
        raise _error(response, body, request)
    return body


def watch_event(line: bytes, request: str) -> Json:
    """Return one event of a watch.

    Raises:
        UnreadableError: it is not JSON.
        UnavailableError: the server ends the watch, mostly because its version is too old.

    """
    try:
        event = json.loads(line)
    except ValueError as error:
        raise UnreadableError(f"{request}: an event is not JSON") from error
    if not isinstance(event, dict) or event.get("type") == "ERROR":
        status = event.get("object") if isinstance(event, dict) else None
        message = _message(status if isinstance(status, dict) else {})
        raise UnavailableError(f"{request}: the server ended the watch: {message}".rstrip(": "))
    return event


def _error(response: aiohttp.ClientResponse, body: Json, request: str) -> ClusterError:
    status, message = response.status, _message(body)
    text = f"{request}: {status} {message}".rstrip()
    if status == 410 and (token := (body.get("metadata") or {}).get("continue")):
        return ListExpiredError(text, str(token))
    if status == 429:
        return ThrottledError(
            text,
            status=status,
            server_message=message,
            retry_after_seconds=_retry_after_seconds(response),
        )
    return _error_type(status, body)(text, status=status, server_message=message)


def _error_type(status: int, body: Json) -> type[ClusterError]:
    if status == 409 and body.get("reason") == "AlreadyExists":
        return AlreadyExistsError
    if status >= 500:
        return UnavailableError
    by_status: dict[int, type[ClusterError]] = {
        401: TokenExpiredError,
        403: ForbiddenError,
        404: NotFoundError,
        409: ConflictError,
    }
    return by_status.get(status, InvalidError)


def _message(body: Json) -> str:
    return str(body.get("message") or "")[:_MAX_MESSAGE_CHARACTERS]


def _retry_after_seconds(response: aiohttp.ClientResponse) -> float:
    return float(parse_int(response.headers.get("Retry-After", "")) or 0)
