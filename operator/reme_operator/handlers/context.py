"""What the handlers work on: one set of objects per process that leads."""

import asyncio
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from pydantic import ValidationError

from reme_api.base import ApiObject
from reme_api.validation import first_error
from reme_operator.admission.controller import ReportController
from reme_operator.admission.remediation_index import RemediationIndex
from reme_operator.reconcile.notifier import Notifiers
from reme_operator.steps.context import Dependencies

_log = structlog.get_logger(__name__)

T = TypeVar("T", bound=ApiObject)


@dataclass(slots=True)
class OperatorContext:
    """Everything that handlers need, made once and given to each."""

    deps: Dependencies
    index: RemediationIndex
    notifiers: Notifiers
    controller: ReportController
    loops: set[asyncio.Task[None]] = field(default_factory=set)  # of remediations
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def reconcile_lock(self, uid: str) -> asyncio.Lock:
        """Return what keeps two loops off one remediation within this process."""
        return self._locks.setdefault(uid, asyncio.Lock())


def parse_object(kind: type[T], body: object) -> T | None:
    """Return the object of an event, or nothing when it does not fit its type."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        _log.warning("object.unreadable", kind=kind.KIND, problem=first_error(error))
        return None
