"""What a command can end with, and the status that it is answered with.

AgentError          422: it cannot be done here; the message says why
├── GoneError       404: the container is not, or no longer, on this node
├── BusyError       409: such a fault is in this container already
└── InvalidRequestError 400: the request makes no sense
"""

from typing import ClassVar


class AgentError(Exception):
    """It cannot be done here."""

    status: ClassVar[int] = 422
    reason: ClassVar[str] = "Impossible"


class GoneError(AgentError):
    """The container is not on this node, or not any more."""

    status = 404
    reason = "ContainerGone"


class BusyError(AgentError):
    """Such a fault is in this container already."""

    status = 409
    reason = "Busy"


class InvalidRequestError(AgentError):
    """The request makes no sense."""

    status = 400
    reason = "InvalidRequest"
