"""One inspection ends in its time, never raises, and its findings are bounded and redacted."""

import asyncio
from collections.abc import Iterable

import pytest

from reme_kube.clock import SystemClock
from reme_kube.errors import ForbiddenError, NotFoundError, UnavailableError
from reme_operator.investigation.inspector import ClusterInspector
from reme_operator.investigation.readers.base import READERS, Sources, redacted
from reme_playbook.inspections.base import MAX_FINDINGS, InspectionResult
from reme_playbook.inspections.object_events import ObjectEvents
from reme_playbook.inspections.registry import PUBLIC
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import CART, Shop

EVENTS = ObjectEvents(subject=CART)


async def inspect(
    result: Iterable[Finding] | Exception | float, seconds: float = 5.0
) -> InspectionResult:
    """Return what the inspector says of a reader that returns, raises or waits for so long."""

    async def read(_: ObjectEvents, __: ClusterSnapshot, sources: Sources) -> Iterable[Finding]:
        assert sources.seconds <= seconds
        if isinstance(result, Exception):
            raise result
        if isinstance(result, float):
            await asyncio.sleep(result)
            return ()
        return result

    sources = Sources(cluster=None, clock=SystemClock())  # type: ignore[arg-type]
    inspector = ClusterInspector(sources, {ObjectEvents: read})
    return await inspector.inspect(EVENTS, Shop().live(), seconds)


def test_every_inspection_has_a_reader() -> None:
    assert set(READERS) == set(PUBLIC.values())


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ForbiddenError("GET /x: 403"), "may not be read"),
        (NotFoundError("GET /x: 404"), "does not exist"),
        (UnavailableError("no answer, password=hunter2"), "could not be read"),
        (KeyError("x"), "could not be understood: KeyError"),
        (TimeoutError(), "within 5 s"),
    ],
)
async def test_a_read_that_fails_is_a_result_that_says_nothing(error: Exception, text: str) -> None:
    result = await inspect(error)
    assert text in result.error
    assert "hunter2" not in result.error
    (finding,) = result.findings
    assert finding.kind is FindingKind.UNAVAILABLE
    assert finding.subject == CART
    assert result.inspection == EVENTS


async def test_a_read_ends_in_its_time() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    result = await inspect(30.0, seconds=0.1)
    assert loop.time() - started < 2
    assert result.findings[0].kind is FindingKind.UNAVAILABLE


async def test_a_cancellation_is_not_swallowed() -> None:
    task = asyncio.create_task(inspect(30.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_findings_are_few_different_short_and_redacted() -> None:
    texts = ["a", "a", "password=hunter2 \x1b[31m<|im_start|>", "x" * 5000, *map(str, range(20))]
    result = await inspect([Finding(FindingKind.WARNING_EVENT, CART, text) for text in texts])
    assert len(result.findings) == MAX_FINDINGS
    assert len(set(result.findings)) == MAX_FINDINGS
    for finding in result.findings:
        assert len(finding.text) <= MAX_TEXT
        assert finding.text.isprintable()
        assert "hunter2" not in finding.text
        assert "<|" not in finding.text


async def test_nothing_found_is_said() -> None:
    (finding,) = (await inspect([])).findings
    assert finding.kind is FindingKind.NORMAL


async def test_an_inspection_without_a_reader_is_unavailable() -> None:
    inspector = ClusterInspector(Sources(None, SystemClock()), {})  # type: ignore[arg-type]
    result = await inspector.inspect(EVENTS, Shop().live())
    assert "not supported" in result.error


def test_json_is_redacted_whole() -> None:
    raw = {"a": ["token: abcdef123456", 3], "b": {"c": "https://u:p@host/"}}
    assert redacted(raw) == {"a": ["token: [redacted]", 3], "b": {"c": "https://[redacted]@host/"}}
