"""What is read of an event of the API server."""

from datetime import UTC, datetime

import pytest

from reme_operator.snapshot.parsing import parse_event

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field_path", "container"),
    [
        ("spec.containers{server}", "server"),
        ("spec.initContainers{migrate}", ""),
        ("spec.containers{a b}", ""),
        ("", ""),
    ],
)
def test_an_event_says_which_container_it_is_about(field_path: str, container: str) -> None:
    event = {
        "type": "Warning",
        "reason": "Unhealthy",
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 404",
        "count": 3,
        "lastTimestamp": "2026-01-01T11:59:00Z",
        "involvedObject": {"kind": "Pod", "name": "cart-1", "fieldPath": field_path},
    }
    line = parse_event(event, NOW)
    assert (line.container, line.count, line.age_seconds) == (container, 3, 60)
