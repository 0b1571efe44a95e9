"""Types of a generation: endpoint, request and reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reme_model.prompt.messages import ChatMessage


@dataclass(frozen=True)
class GenerationRequest:
    """The conversation to complete, and the sampling parameters."""

    messages: Sequence[ChatMessage]
    schema: Mapping[str, Any] | None = None
    """JSON schema of the reply; None requests free text."""
    seed: int = 0
    max_tokens: int = 256
    temperature: float = 0.0


@dataclass(frozen=True)
class GenerationReply:
    """The reply, its token counts, and which model wrote it as far as the server reports."""

    text: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Tokens of the prompt that the server took from its cache."""
    completion_tokens: int = 0
    finish_reason: str = ""
    model: str = ""
    model_digest: str = ""
    adapter_digest: str = ""
    constrained: bool = True
    """Whether the reply was decoded under the schema."""


class PlaybookModel(Protocol):
    """A model that writes playbooks."""

    async def generate(self, request: GenerationRequest) -> GenerationReply:
        """Return the reply within a bounded time; raises a ModelError if there is none."""
        ...


@dataclass(frozen=True)
class ModelEndpoint:
    """An OpenAI-compatible server, and the limits of every request to it."""

    url: str
    """Base URL of the API, such as `http://model:8000/v1`."""
    model: str = "reme"
    """Name of the model to request; empty means the first one that the server lists."""
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 120.0
    """Limit for one generation: all attempts, the waiting between them and the reply."""
    connect_seconds: float = 5.0
    attempts: int = 4
    """Maximum number of attempts when the server is unreachable, busy or failing."""
    longest_wait_seconds: float = 10.0
    """Maximum wait between two attempts, whatever the server asks for."""
    reply_bytes: int = 256 * 1024
    """Maximum size of a response body."""
    constrained: bool = True
    """Request decoding under the schema. If the server rejects the schema, ask again without it."""
    provenance_seconds: float = 60.0
    """How long the identity of the served weights is cached."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Additional request fields, for servers that need them."""
