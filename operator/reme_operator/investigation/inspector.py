"""Performs one inspection: the paper's Probe agent.

Whatever is read stays data: each finding is one redacted line, and there are at most six. A read
that fails is a result too, which says nothing about its subject.
"""

import asyncio
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from reme_kube.errors import ClusterError, ForbiddenError, NotFoundError
from reme_model.prompt.redact import short
from reme_operator.investigation import readers
from reme_operator.investigation.readers.base import READERS, Reader, Sources
from reme_playbook.inspections.base import MAX_FINDINGS, Inspection, InspectionResult
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot

for _module in pkgutil.iter_modules(readers.__path__):
    importlib.import_module(f"{readers.__name__}.{_module.name}")

MAX_SECONDS = 10.0
"""Maximum duration of one inspection."""
_MAX_ERROR = 200


class Inspector(Protocol):
    """Reads what an inspection asks for."""

    async def inspect(
        self, inspection: Inspection, snapshot: ClusterSnapshot, seconds: float = MAX_SECONDS
    ) -> InspectionResult:
        """Return what was found within so many seconds; never raises, but for cancellation."""
        ...


class ClusterInspector:
    """Reads through the API server, and from Services over the network."""

    def __init__(
        self, sources: Sources, by_inspection: Mapping[type[Inspection], Reader[Any]] = READERS
    ) -> None:
        self._sources = sources
        self._readers = by_inspection

    async def inspect(
        self, inspection: Inspection, snapshot: ClusterSnapshot, seconds: float = MAX_SECONDS
    ) -> InspectionResult:
        """Return what was found within so many seconds; never raises, but for cancellation."""
        limit = min(seconds, MAX_SECONDS)
        reader = self._readers.get(type(inspection))
        if reader is None:
            return _unavailable(inspection, "is not supported by this release")
        try:
            async with asyncio.timeout(limit):
                sources = replace(self._sources, seconds=limit)
                findings = await reader(inspection, snapshot, sources)
        except TimeoutError:
            return _unavailable(inspection, f"could not be read within {limit:.0f} s")
        except ForbiddenError:
            return _unavailable(inspection, "may not be read: the operator has no such right")
        except NotFoundError as error:
            return _unavailable(inspection, f"does not exist: {error}")
        except ClusterError as error:
            return _unavailable(inspection, f"could not be read: {error}")
        except Exception as error:  # noqa: BLE001 (foreign data must not end an investigation)
            return _unavailable(inspection, f"could not be understood: {type(error).__name__}")
        return InspectionResult(inspection, bounded(inspection, findings))


def bounded(inspection: Inspection, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings as one redacted line each, at most six, and at least one."""
    cleaned = [replace(finding, text=short(finding.text, MAX_TEXT)) for finding in findings]
    unique = tuple(dict.fromkeys(cleaned))[:MAX_FINDINGS]
    nothing = Finding(FindingKind.NORMAL, inspection.subject, "nothing abnormal was found")
    return unique or (nothing,)


def _unavailable(inspection: Inspection, problem: str) -> InspectionResult:
    error = short(f"{inspection.summary()} {problem}", _MAX_ERROR)
    finding = Finding(FindingKind.UNAVAILABLE, inspection.subject, error)
    return InspectionResult(inspection, (finding,), error)
