"""Asks an OpenAI-compatible server for a playbook, within a bounded time and a bounded size."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from typing import Self

import httpx2
import openai
import stamina

from reme_model.inference.endpoint import ModelEndpoint
from reme_model.inference.error_mapping import SchemaRefusedError, mapped_errors
from reme_model.inference.errors import (
    EmptyReplyError,
    MalformedReplyError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnavailableError,
    ReplyTooLargeError,
)
from reme_model.inference.generation import (
    ChatMessage,
    GenerationReply,
    GenerationRequest,
    PlaybookModel,
)
from reme_model.inference.openai_models import (
    Completion,
    Provenance,
    parse_completion,
    parse_provenance,
)

__all__ = [
    "ChatMessage",
    "GenerationReply",
    "GenerationRequest",
    "ModelEndpoint",
    "OpenAIModel",
    "PlaybookModel",
]

_SHORTEST_WAIT = 0.25  # seconds, doubled with each try


class OpenAIModel:
    """A model behind an OpenAI-compatible API, such as vLLM's."""

    def __init__(self, endpoint: ModelEndpoint, verify: ssl.SSLContext | bool = True) -> None:
        self._endpoint = endpoint
        # Redirects are not followed: key and prompt stay with the host that was named.
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(endpoint.timeout_seconds, connect=endpoint.connect_seconds),
            follow_redirects=False,
            verify=verify,
            event_hooks={"response": [self._bound]},
        )
        self._api = openai.AsyncOpenAI(
            base_url=endpoint.url,
            api_key=endpoint.api_key or "none",  # the client insists on one
            max_retries=0,  # tries are counted here, against one deadline
            http_client=self._http,
            default_headers={"accept-encoding": "identity"},
        )
        self._known: tuple[float, Provenance] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def generate(self, request: GenerationRequest) -> GenerationReply:
        """Return what the model writes; cancelling it closes the connection.

        Raises:
            ModelUnavailableError: nobody answers, or only errors (ModelBusyError: too many).
            ModelTimeoutError: the time ran out.
            ModelRefusedError: the server will not take this request.
            ReplyTooLargeError: the answer does not end.
            ReplyError: the answer is empty, or not one of an OpenAI server.
        """
        seconds = self._endpoint.timeout_seconds
        deadline = asyncio.get_running_loop().time() + seconds
        waits = _Waits(self._endpoint.longest_wait_seconds, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                async for attempt in stamina.retry_context(
                    on=waits.after, attempts=self._endpoint.attempts, timeout=None
                ):
                    with attempt:
                        return await self._ask(request)
        except TimeoutError as error:
            raise ModelTimeoutError(f"no whole reply within {seconds:g} s") from error
        raise AssertionError("the last try returns or raises")

    async def _ask(self, request: GenerationRequest) -> GenerationReply:
        who = await self._provenance()
        constrained = self._endpoint.constrained and request.schema is not None
        try:
            answer = await self._complete(request, who, constrained=constrained)
        except SchemaRefusedError:
            if not constrained:
                raise
            constrained = False
            answer = await self._complete(request, who, constrained=False)
        return _reply(answer, who, constrained=constrained)

    async def _complete(
        self, request: GenerationRequest, who: Provenance, *, constrained: bool
    ) -> Completion:
        extra = dict(self._endpoint.extra)
        if constrained:
            schema = {"name": "playbook", "schema": request.schema, "strict": True}
            extra["response_format"] = {"type": "json_schema", "json_schema": schema}
        try:
            with mapped_errors():
                raw = await self._api.chat.completions.with_raw_response.create(
                    model=who.model,
                    messages=list(request.messages),  # type: ignore[arg-type] # of the same form
                    temperature=request.temperature,
                    seed=request.seed,
                    max_tokens=request.max_tokens,
                    extra_body=extra,
                )
        except ModelUnavailableError:
            self._known = None  # whoever answers next may serve other weights
            raise
        except ModelRefusedError as error:
            if who.model != self._endpoint.model and self._known and _is_missing(error):
                self._known = None
                raise ModelUnavailableError("the server was replaced by another") from error
            raise
        return parse_completion(raw.http_response.content)

    async def _provenance(self) -> Provenance:
        """Return what is served; a server that keeps no list is taken at its word."""
        now = asyncio.get_running_loop().time()
        if self._known and now - self._known[0] < self._endpoint.provenance_seconds:
            return self._known[1]
        try:
            with mapped_errors():
                raw = await self._api.models.with_raw_response.list()
            found = parse_provenance(raw.http_response.content, self._endpoint.model)
        except (ModelRefusedError, MalformedReplyError):
            found = Provenance(self._endpoint.model)
        if not found.model:
            raise ModelRefusedError("no model is named, and the server lists none")
        self._known = (now, found)
        return found

    async def _bound(self, response: httpx2.Response) -> None:
        """Let no answer grow beyond the limit; called when only its head was read."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise MalformedReplyError("the server compresses its answer, unasked")
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("an answer without a stream")
        limit = self._endpoint.reply_bytes
        response.stream = _Bounded(stream, limit, cut=response.is_error)


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends at a limit: cut off there if it is an error's, an error itself if not."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int, *, cut: bool) -> None:
        self._stream, self._limit, self._cut = stream, limit, cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for piece in self._stream:
            seen += len(piece)
            if seen > self._limit:
                if self._cut:
                    return
                raise ReplyTooLargeError(f"the answer is larger than {self._limit} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Waits:
    """How long to wait after which failure: what the server asks for, within bounds."""

    def __init__(self, longest: float, deadline: float) -> None:
        self._longest, self._deadline = longest, deadline
        self._next = _SHORTEST_WAIT

    def after(self, error: Exception) -> float | bool:
        if not isinstance(error, ModelUnavailableError):
            return False
        # Several operators must not come back in step.
        wait = error.retry_after or self._next * random.uniform(1, 1.5)  # noqa: S311
        self._next *= 2
        wait = min(wait, self._longest)
        left = self._deadline - asyncio.get_running_loop().time()
        return wait if wait < left else False


def _is_missing(error: ModelRefusedError) -> bool:
    cause = error.__cause__
    return isinstance(cause, openai.APIStatusError) and cause.status_code == 404


def _reply(answer: Completion, who: Provenance, *, constrained: bool) -> GenerationReply:
    if not answer.choices:
        raise EmptyReplyError("the answer holds no reply")
    choice = answer.choices[0]
    text = choice.message.content or ""
    if not text.strip() and choice.message.refusal is None:
        raise EmptyReplyError("the reply is empty")
    usage = answer.usage
    details = usage.prompt_tokens_details if usage else None
    return GenerationReply(
        text=text or choice.message.refusal or "",
        prompt_tokens=usage.prompt_tokens if usage else 0,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        finish_reason=choice.finish_reason or "",
        model=answer.model or who.model,
        model_digest=who.model_digest,
        adapter_digest=who.adapter_digest,
        constrained=constrained,
    )
