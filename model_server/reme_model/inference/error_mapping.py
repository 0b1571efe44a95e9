"""Says in this package's errors what the HTTP client and the server say in theirs."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai

from reme_model.inference.errors import (
    ModelBusyError,
    ModelError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnavailableError,
)

_SCHEMA_WORDS = ("response_format", "json_schema", "schema", "grammar", "structured", "guided")
_BUSY = frozenset({429, 503})
_PASSING = frozenset({408, 409, 425})
_WHY = {
    401: "it does not accept the key",
    403: "the key does not allow it",
    404: "no such model, or no such path",
    413: "it is too large",
}


class SchemaRefusedError(ModelRefusedError):
    """The server does not decode under this schema."""


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn what the OpenAI client raises into the errors of this package, without its texts."""
    try:
        yield
    except openai.APITimeoutError as error:
        cause = error.__cause__
        if isinstance(cause, httpx2.ConnectTimeout | httpx2.PoolTimeout):
            raise ModelUnavailableError("the server does not take the connection") from error
        raise ModelTimeoutError("the server went silent") from error
    except openai.APIConnectionError as error:
        what = type(error.__cause__ or error).__name__
        raise ModelUnavailableError(f"no connection to the server ({what})") from error
    except openai.APIStatusError as error:
        raise _of_status(error) from error


def _of_status(error: openai.APIStatusError) -> ModelError:
    status = error.status_code
    if status in _BUSY:
        return ModelBusyError(f"the server is busy ({status})", _retry_after(error))
    if status in _PASSING or status >= 500:
        return ModelUnavailableError(f"the server failed ({status})", _retry_after(error))
    text = str(error.body or "")[:4096].lower()
    if status in (400, 422) and any(word in text for word in _SCHEMA_WORDS):
        return SchemaRefusedError(f"the server refuses the schema ({status})")
    why = _WHY.get(status)
    return ModelRefusedError(
        f"the server refuses the request ({status})" + (f": {why}" if why else "")
    )


def _retry_after(error: openai.APIStatusError) -> float | None:
    text = error.response.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None
