"""The ways in which a call to the API server can fail.

ClusterError
├── NotFoundError            404: the object, or its whole API, does not exist
├── ConflictError            409: the object has changed since it was read
│   ├── AlreadyExistsError   409 on create: the name is taken
│   └── ForeignObjectError   the name is taken by an object that belongs to somebody else
├── ForbiddenError           401, 403: not permitted, or denied by an admission policy
├── InvalidError             400, 422: the API server rejected the content
├── UnreadableError          the response does not have the expected type, or is too large
├── TamperedError            a stored text does not match its digest
├── ThrottledError           429 until the retries were used up
└── UnavailableError         5xx, no connection, or no response in time, until retries ended

Only ThrottledError and UnavailableError are worth a later retry (`retryable`).
"""

from typing import ClassVar


class ClusterError(Exception):
    """A call to the API server failed.

    `status` is the HTTP status, 0 when there was no response. `server_message` is the text of the
    API server alone, without the request; empty when there was none.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, status: int = 0, server_message: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.server_message = server_message


class NotFoundError(ClusterError):
    """The object, or its whole API, does not exist."""


class ConflictError(ClusterError):
    """The object has changed since it was read."""


class AlreadyExistsError(ConflictError):
    """An object of that name exists already."""


class ForeignObjectError(ConflictError):
    """The name is taken by an object that belongs to somebody else; it is not changed."""


class ForbiddenError(ClusterError):
    """RBAC does not permit the call, or an admission policy denied it."""


class InvalidError(ClusterError):
    """The API server rejected the content."""


class UnreadableError(ClusterError):
    """The response does not have the expected type, or is too large.

    `problem` is the message without the name of the object.
    """

    def __init__(self, message: str = "", *, problem: str = "") -> None:
        super().__init__(message)
        self.problem = problem or message


class TamperedError(ClusterError):
    """A stored text does not match the digest of its reference."""


class ThrottledError(ClusterError):
    """The API server asked to retry later until the retries were used up."""

    retryable = True

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        server_message: str = "",
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(message, status=status, server_message=server_message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(ClusterError):
    """No usable response came in time until the retries were used up."""

    retryable = True
