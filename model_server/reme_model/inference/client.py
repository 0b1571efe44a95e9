"""HTTP client of an OpenAI-compatible model server. Time and response size are bounded."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from typing import Self

import httpx2
import openai
import stamina

from reme_model.inference.error_mapping import SchemaRefusedError, mapped_errors
from reme_model.inference.errors import (
    EmptyReplyError,
    MalformedReplyError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnavailableError,
    ReplyTooLargeError,
)
from reme_model.inference.generation import GenerationReply, GenerationRequest, ModelEndpoint
from reme_model.inference.openai_models import (
    Completion,
    Provenance,
    parse_completion,
    parse_provenance,
)

_INITIAL_WAIT = 0.25  # seconds; doubled with each attempt


class OpenAIModel:
    """A model behind an OpenAI-compatible API, such as vLLM's."""

    def __init__(self, endpoint: ModelEndpoint, verify: ssl.SSLContext | bool = True) -> None:
        self._endpoint = endpoint
        # No redirects: the API key and the prompt go to the configured host only.
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(endpoint.timeout_seconds, connect=endpoint.connect_seconds),
            follow_redirects=False,
            verify=verify,
            event_hooks={"response": [self._limit_size]},
        )
        self._api = openai.AsyncOpenAI(
            base_url=endpoint.url,
            api_key=endpoint.api_key or "none",  # the client requires a key
            max_retries=0,  # this class counts attempts, against one deadline
            http_client=self._http,
            default_headers={"accept-encoding": "identity"},
        )
        self._cached_provenance: tuple[float, Provenance] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def generate(self, request: GenerationRequest) -> GenerationReply:
        """Return the model's reply; cancelling the call closes the connection.

        Raises:
            ModelUnavailableError: the server is unreachable or fails (ModelBusyError: overloaded).
            ModelTimeoutError: the deadline passed.
            ModelRefusedError: the server rejects the request.
            ReplyError: the reply is empty, too large, or not one of the OpenAI API.
        """
        seconds = self._endpoint.timeout_seconds
        deadline = asyncio.get_running_loop().time() + seconds
        backoff = _Backoff(self._endpoint.longest_wait_seconds, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                async for attempt in stamina.retry_context(
                    on=backoff.after, attempts=self._endpoint.attempts, timeout=None
                ):
                    with attempt:
                        return await self._attempt(request)
        except TimeoutError as error:
            raise ModelTimeoutError(f"no complete reply within {seconds:g} s") from error
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, request: GenerationRequest) -> GenerationReply:
        served = await self._provenance()
        constrained = self._endpoint.constrained and request.schema is not None
        try:
            completion = await self._complete(request, served, constrained=constrained)
        except SchemaRefusedError:
            if not constrained:
                raise
            constrained = False
            completion = await self._complete(request, served, constrained=False)
        return _reply(completion, served, constrained=constrained)

    async def _complete(
        self, request: GenerationRequest, served: Provenance, *, constrained: bool
    ) -> Completion:
        extra = dict(self._endpoint.extra)
        if constrained:
            schema = {"name": "playbook", "schema": request.schema, "strict": True}
            extra["response_format"] = {"type": "json_schema", "json_schema": schema}
        try:
            with mapped_errors():
                response = await self._api.chat.completions.with_raw_response.create(
                    model=served.model,
                    messages=list(request.messages),  # type: ignore[arg-type] # the same structure
                    temperature=request.temperature,
                    seed=request.seed,
                    max_tokens=request.max_tokens,
                    extra_body=extra,
                )
        except ModelUnavailableError:
            self._cached_provenance = None  # the next server may serve other weights
            raise
        except ModelRefusedError as error:
            if (
                served.model != self._endpoint.model
                and self._cached_provenance
                and _is_missing(error)
            ):
                self._cached_provenance = None
                raise ModelUnavailableError("the server no longer serves this model") from error
            raise
        return parse_completion(response.http_response.content)

    async def _provenance(self) -> Provenance:
        """Return which model is served. Without a list of models, use the configured name."""
        now = asyncio.get_running_loop().time()
        if (
            self._cached_provenance
            and now - self._cached_provenance[0] < self._endpoint.provenance_seconds
        ):
            return self._cached_provenance[1]
        try:
            with mapped_errors():
                response = await self._api.models.with_raw_response.list()
            served = parse_provenance(response.http_response.content, self._endpoint.model)
        except (ModelRefusedError, MalformedReplyError):
            served = Provenance(self._endpoint.model)
        if not served.model:
            raise ModelRefusedError("no model is configured, and the server lists none")
        self._cached_provenance = (now, served)
        return served

    async def _limit_size(self, response: httpx2.Response) -> None:
        """Limit the size of the response body; called after the headers were read."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise MalformedReplyError("the response is compressed, which was not requested")
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("the response has no asynchronous stream")
        limit = self._endpoint.reply_bytes
        response.stream = _LimitedStream(stream, limit, cut=response.is_error)


class _LimitedStream(httpx2.AsyncByteStream):
    """A response body with a size limit. An error's body is cut there; other bodies raise."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int, *, cut: bool) -> None:
        self._stream, self._limit, self._cut = stream, limit, cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._limit:
                if self._cut:
                    return
                raise ReplyTooLargeError(f"the response is larger than {self._limit} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Backoff:
    """Backoff between attempts: exponential, or what the server asks for, up to a maximum."""

    def __init__(self, longest: float, deadline: float) -> None:
        self._longest, self._deadline = longest, deadline
        self._next = _INITIAL_WAIT

    def after(self, error: Exception) -> float | bool:
        if not isinstance(error, ModelUnavailableError):
            return False
        # Jitter keeps several operators from retrying at the same moment.
        wait = error.retry_after or self._next * random.uniform(1, 1.5)  # noqa: S311
        self._next *= 2
        wait = min(wait, self._longest)
        remaining = self._deadline - asyncio.get_running_loop().time()
        return wait if wait < remaining else False


def _is_missing(error: ModelRefusedError) -> bool:
    cause = error.__cause__
    return isinstance(cause, openai.APIStatusError) and cause.status_code == 404


def _reply(completion: Completion, served: Provenance, *, constrained: bool) -> GenerationReply:
    if not completion.choices:
        raise EmptyReplyError("the response contains no reply")
    choice = completion.choices[0]
    text = choice.message.content or ""
    if not text.strip() and choice.message.refusal is None:
        raise EmptyReplyError("the reply is empty")
    usage = completion.usage
    details = usage.prompt_tokens_details if usage else None
    return GenerationReply(
        text=text or choice.message.refusal or "",
        prompt_tokens=usage.prompt_tokens if usage else 0,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        finish_reason=choice.finish_reason or "",
        model=completion.model or served.model,
        model_digest=served.model_digest,
        adapter_digest=served.adapter_digest,
        constrained=constrained,
    )
