"""One question to a model and its answer, whoever serves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict


class ChatMessage(TypedDict):
    """One message of a conversation, as the OpenAI API spells it."""

    role: str
    content: str


@dataclass(frozen=True)
class GenerationRequest:
    """What the model is asked, and how it is to sample."""

    messages: Sequence[ChatMessage]
    schema: Mapping[str, Any] | None = None
    """What the reply must look like; nothing asks for free text."""
    seed: int = 0
    max_tokens: int = 256
    temperature: float = 0.0


@dataclass(frozen=True)
class GenerationReply:
    """What the model wrote, what it cost, and who wrote it as far as the server tells."""

    text: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt, what the server had from an earlier request."""
    completion_tokens: int = 0
    finish_reason: str = ""
    model: str = ""
    model_digest: str = ""
    adapter_digest: str = ""
    constrained: bool = True
    """Whether the server was asked to decode under the schema, and did not refuse that."""


class PlaybookModel(Protocol):
    """Anything that writes playbooks."""

    async def generate(self, request: GenerationRequest) -> GenerationReply:
        """Return the reply within a bounded time; raises what `reme_model.inference.errors` lists."""  # noqa: E501
        ...
