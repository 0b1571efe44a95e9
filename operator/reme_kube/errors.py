"""What a call to the API server can end with.

ClusterError
├── NotFoundError            404: the object, or its whole API, does not exist
├── ConflictError            409: changed since it was read
│   ├── AlreadyExistsError   409 on create
│   └── ForeignObjectError   the name is taken by an object that is not ours
├── ForbiddenError           401, 403: not allowed, or refused by admission
├── InvalidError             400, 422: the API server refused the content
├── UnreadableError          what came back is not what its type says
├── TamperedError            a stored text does not have its digest
├── ThrottledError           429 until the retries were used up
└── UnavailableError         5xx, no connection or no answer in time until the retries were used up

ThrottledError and UnavailableError may pass by themselves (`retryable`); the others do not.
"""

from typing import ClassVar


class ClusterError(Exception):
    """A call to the API server that did not do what it should."""

    retryable: ClassVar[bool] = False


class NotFoundError(ClusterError):
    """The object, or its whole API, does not exist."""


class ConflictError(ClusterError):
    """The object has changed since it was read."""


class AlreadyExistsError(ConflictError):
    """The name is taken already."""


class ForeignObjectError(ConflictError):
    """The name is taken by an object that is not ours, so it is left alone."""


class ForbiddenError(ClusterError):
    """The operator has no right to do this, or admission refused it."""


class InvalidError(ClusterError):
    """The API server refused the content."""


class UnreadableError(ClusterError):
    """What came back is not what its type says, or is too big."""


class TamperedError(ClusterError):
    """A stored text does not have the digest that its reference names."""


class ThrottledError(ClusterError):
    """The API server asked for patience until the retries were used up."""

    retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(ClusterError):
    """No usable answer came in time until the retries were used up."""

    retryable = True
