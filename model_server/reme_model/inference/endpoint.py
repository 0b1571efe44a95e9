"""Where a model is served, and how patient to be with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelEndpoint:
    """An OpenAI-compatible server and the bounds of every question to it."""

    url: str
    """Base of the API, such as `http://model:8000/v1`."""
    model: str = "reme"
    """Name to ask for; the first one that the server lists when empty."""
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 120.0
    """For the whole question: every try, the waiting between them and the reply."""
    connect_seconds: float = 5.0
    attempts: int = 4
    """Tries at most, when the server is not there, busy or in error."""
    longest_wait_seconds: float = 10.0
    """Between two tries, whatever the server asks for."""
    reply_bytes: int = 256 * 1024
    """Largest body of an answer that is read."""
    constrained: bool = True
    """Ask for decoding under the schema; a server that refuses is asked again without."""
    provenance_seconds: float = 60.0
    """How long it is believed that the server still serves the same weights."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More fields of the request, for servers that want them."""
