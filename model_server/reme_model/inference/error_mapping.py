"""Maps errors of the OpenAI client to the errors of this package."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai

from reme_api.parsing import parse_int
from reme_model.inference.errors import (
    ModelBusyError,
    ModelError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnavailableError,
)

_SCHEMA_WORDS = ("response_format", "json_schema", "schema", "grammar", "structured", "guided")
_BUSY = frozenset({429, 503})
_TRANSIENT = frozenset({408, 409, 425})
_EXPLANATIONS = {
    401: "the API key is not accepted",
    403: "the API key does not permit this",
    404: "the model or the path does not exist",
    413: "the request is too large",
}


class SchemaRefusedError(ModelRefusedError):
    """The server cannot decode under this schema."""


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Map what the OpenAI client raises; the server's own text is left out."""
    try:
        yield
    except openai.APITimeoutError as error:
        cause = error.__cause__
        if isinstance(cause, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            raise ModelUnavailableError("the model server accepts no connection") from error
        raise ModelTimeoutError("the model server stopped sending data") from error
    except openai.APIConnectionError as error:
        cause_name = type(error.__cause__ or error).__name__
        raise ModelUnavailableError(f"cannot connect to the model server ({cause_name})") from error
    except openai.APIStatusError as error:
        raise _of_status(error) from error


def _of_status(error: openai.APIStatusError) -> ModelError:
    status = error.status_code
    if status in _BUSY:
        return ModelBusyError(f"the model server is busy (HTTP {status})", _retry_after(error))
    if status in _TRANSIENT or status >= 500:
        return ModelUnavailableError(
            f"the model server failed (HTTP {status})", _retry_after(error)
        )
    text = str(error.body or "")[:4096].lower()
    if status in (400, 422) and any(word in text for word in _SCHEMA_WORDS):
        return SchemaRefusedError(f"the model server rejects the schema (HTTP {status})")
    why = _EXPLANATIONS.get(status)
    return ModelRefusedError(
        f"the model server rejects the request (HTTP {status})" + (f": {why}" if why else "")
    )


def _retry_after(error: openai.APIStatusError) -> float | None:
    text = error.response.headers.get("retry-after", "").strip()
    seconds = parse_int(text, maximum=10**7)
    return None if seconds is None else float(seconds)
