"""Validates responses of an OpenAI-compatible server."""

import re
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from reme_model.inference.errors import MalformedReplyError

_DIGEST = re.compile(r"^(?P<name>.{1,128})@(?P<digest>sha256-[0-9a-f]{12,64})$")
_ADAPTER = "-adapter"
_ShortText = Annotated[str, StringConstraints(max_length=256)]


class _ResponsePart(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Message(_ResponsePart):
    content: str | None = None
    refusal: str | None = None


class _Choice(_ResponsePart):
    message: _Message = _Message()
    finish_reason: _ShortText | None = None


class _Details(_ResponsePart):
    cached_tokens: Annotated[int, Field(ge=0)] | None = None


class _Usage(_ResponsePart):
    prompt_tokens: Annotated[int, Field(ge=0)] = 0
    completion_tokens: Annotated[int, Field(ge=0)] = 0
    prompt_tokens_details: _Details | None = None


class Completion(_ResponsePart):
    """The fields of a chat completion that are used."""

    model: _ShortText = ""
    choices: Annotated[list[_Choice], Field(max_length=16)] = []
    usage: _Usage | None = None


class _Model(_ResponsePart):
    id: _ShortText


class _Models(_ResponsePart):
    data: Annotated[list[_Model], Field(max_length=1024)]


class Provenance(NamedTuple):
    """Which weights are served under a name, as far as the server reports."""

    model: str
    """The name to request: the one that contains the digest, if the server lists it."""
    model_digest: str = ""
    adapter_digest: str = ""


def parse_completion(body: bytes) -> Completion:
    """Return the completion; raises MalformedReplyError if the body is not one."""
    try:
        return Completion.model_validate_json(body)
    except ValidationError as error:
        raise MalformedReplyError("the response is not a chat completion") from error


def parse_provenance(body: bytes, model: str) -> Provenance:
    """Return what the list of models tells about the model of that name.

    `reme_model.serving.serve` lists `reme` also as `reme@sha256-…`; for other servers the digests
    stay empty. Without a name, the first listed model is used.
    """
    try:
        names = [entry.id for entry in _Models.model_validate_json(body).data]
    except ValidationError as error:
        raise MalformedReplyError("the response is not a list of models") from error
    if not model and names:
        model = names[0]
    served = Provenance(model)
    for name in names:
        match = _DIGEST.match(name)
        if match and match["name"] == model:
            served = served._replace(model=name, model_digest=match["digest"].replace("-", ":", 1))
        elif match and match["name"] == model + _ADAPTER:
            served = served._replace(adapter_digest=match["digest"].replace("-", ":", 1))
    return served
