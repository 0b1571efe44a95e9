"""Reads what an OpenAI server sends, trusting none of it."""

import re
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from reme_model.inference.errors import MalformedReplyError

_DIGEST = re.compile(r"^(?P<name>.{1,128})@(?P<digest>sha256-[0-9a-f]{12,64})$")
_ADAPTER = "-adapter"
_Word = Annotated[str, StringConstraints(max_length=256)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Message(_Wire):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Wire):
    message: _Message = _Message()
    finish_reason: _Word | None = None


class _Details(_Wire):
    cached_tokens: Annotated[int, Field(ge=0)] | None = None


class _Usage(_Wire):
    prompt_tokens: Annotated[int, Field(ge=0)] = 0
    completion_tokens: Annotated[int, Field(ge=0)] = 0
    prompt_tokens_details: _Details | None = None


class Completion(_Wire):
    """A chat completion, as much of it as is used."""

    model: _Word = ""
    choices: Annotated[list[_Choice], Field(max_length=16)] = []
    usage: _Usage | None = None


class _Model(_Wire):
    id: _Word


class _Models(_Wire):
    data: Annotated[list[_Model], Field(max_length=1024)]


class Provenance(NamedTuple):
    """What is served under a name, as far as the server tells."""

    model: str
    """Name to ask for: the one with the digest in it, if there is one."""
    model_digest: str = ""
    adapter_digest: str = ""


def parse_completion(body: bytes) -> Completion:
    """Return the completion; MalformedReplyError when the body is none."""
    try:
        return Completion.model_validate_json(body)
    except ValidationError as error:
        raise MalformedReplyError("the server's answer is no chat completion") from error


def parse_provenance(body: bytes, model: str) -> Provenance:
    """Return what a list of models says about the model of that name.

    `reme_model.serving.serve` serves `reme` also as `reme@sha256-…`. Other servers do not: no digest then.
    Without a name it is the first one of the list.
    """  # noqa: E501
    try:
        names = [entry.id for entry in _Models.model_validate_json(body).data]
    except ValidationError as error:
        raise MalformedReplyError("the server's answer is no list of models") from error
    if not model and names:
        model = names[0]
    found = Provenance(model)
    for name in names:
        match = _DIGEST.match(name)
        if match and match["name"] == model:
            found = found._replace(model=name, model_digest=match["digest"].replace("-", ":", 1))
        elif match and match["name"] == model + _ADAPTER:
            found = found._replace(adapter_digest=match["digest"].replace("-", ":", 1))
    return found
