"""What can go wrong with the model, before anything was decided.

ModelError
├── ModelUnavailableError      nobody answers, or only errors; another time may be better
│   └── ModelBusyError         the server asks to come back later
├── ModelTimeoutError          no whole reply within the time for it
├── ModelRefusedError          the server will never take this request: key, model, size
├── ReplyTooLargeError         the reply was cut off because it does not end
└── ReplyError                 a reply that is no playbook and no abstention
    ├── EmptyReplyError        nothing at all
    ├── TruncatedReplyError    the token limit came before the end
    └── MalformedReplyError    prose, broken JSON, or not what an OpenAI server sends

Messages say what happened, never what the model wrote: that is foreign text.
"""


class ModelError(Exception):
    """Root of everything that this package raises on purpose."""


class ModelUnavailableError(ModelError):
    """No server answers, or it answers with errors only."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        """Seconds to wait before asking again, if the server said so."""
        super().__init__(message)


class ModelBusyError(ModelUnavailableError):
    """The server has more to do than it takes on."""


class ModelTimeoutError(ModelError):
    """There was no whole reply within the time for it."""


class ModelRefusedError(ModelError):
    """The server does not take this request, and will not next time either."""


class ReplyTooLargeError(ModelError):
    """The reply is larger than any playbook; the rest was not read."""


class ReplyError(ModelError):
    """The reply is no playbook and no abstention."""


class EmptyReplyError(ReplyError):
    """The reply holds nothing."""


class TruncatedReplyError(ReplyError):
    """The reply stops in the middle, at the limit of tokens."""


class MalformedReplyError(ReplyError):
    """The reply is not of the form that was asked for."""
