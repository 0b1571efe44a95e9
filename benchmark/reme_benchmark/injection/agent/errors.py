"""Errors of the agent's commands, each with its HTTP status.

AgentError              422: not possible on this node; the message says why
├── GoneError           404: the container does not run on this node
├── BusyError           409: the container has a fault of this kind already
└── InvalidRequestError 400: the request is malformed
"""

from typing import ClassVar


class AgentError(Exception):
    """The command is not possible on this node."""

    status: ClassVar[int] = 422
    reason: ClassVar[str] = "Impossible"


class GoneError(AgentError):
    """The container does not run on this node."""

    status = 404
    reason = "ContainerGone"


class BusyError(AgentError):
    """The container has a fault of this kind already."""

    status = 409
    reason = "Busy"


class InvalidRequestError(AgentError):
    """The request is malformed."""

    status = 400
    reason = "InvalidRequest"
