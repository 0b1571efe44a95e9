"""Errors of the model and its server.

ModelError
├── ModelUnavailableError      the server is unreachable or fails; a retry may succeed
│   └── ModelBusyError         the server asks to come back later
├── ModelTimeoutError          no complete reply within the time limit
├── ModelRefusedError          the server rejects the request for good: API key, model, size
└── ReplyError                 the reply is neither a playbook nor an abstention
    ├── EmptyReplyError        the reply is empty
    ├── ReplyTooLargeError     the reply exceeds the size limit; the rest was not read
    ├── TruncatedReplyError    the token limit was reached before the end
    └── MalformedReplyError    prose, invalid JSON, or not a response of the OpenAI API

Messages say what happened. They never quote the model: its text is untrusted.
"""


class ModelError(Exception):
    """Base class of the errors that this package raises."""


class ModelUnavailableError(ModelError):
    """The server is unreachable, or answers with errors only."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        """Seconds to wait before the next attempt, if the server named them."""
        super().__init__(message)


class ModelBusyError(ModelUnavailableError):
    """The server is overloaded."""


class ModelTimeoutError(ModelError):
    """No complete reply arrived within the time limit."""


class ModelRefusedError(ModelError):
    """The server rejects the request, and would reject it again."""


class ReplyError(ModelError):
    """The reply is neither a playbook nor an abstention."""


class ReplyTooLargeError(ReplyError):
    """The reply exceeds the size limit; the rest was not read."""


class EmptyReplyError(ReplyError):
    """The reply is empty."""


class TruncatedReplyError(ReplyError):
    """The reply was cut off at the token limit."""


class MalformedReplyError(ReplyError):
    """The reply does not have the required structure."""
