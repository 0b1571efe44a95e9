"""Events of an object: the telling warnings first, each once, with the end of a long message."""

from datetime import UTC, datetime, timedelta
from typing import Any

from reme_playbook.inspections.object_events import ObjectEvents, event_findings
from reme_playbook.inspections.shorten import shorten
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind
from tests.unit.playbook.builders import CART, Shop, key

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def event(reason: str, message: str = "", second: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": "Pod", "name": "cart-1"},
        "lastTimestamp": (START + timedelta(seconds=second)).isoformat(),
        **more,
    }


def findings(*events: dict[str, Any]) -> list[Finding]:
    return list(event_findings(ObjectEvents(subject=CART), events, START))


def test_what_only_repeats_the_state_of_a_container_comes_last() -> None:
    shown = findings(
        event("Failed", "Failed to pull image x: no such host", 1),
        event("Failed", "Error: ImagePullBackOff", 2),
        event("BackOff", "Back-off restarting failed container", 3),
    )
    assert [f.text.partition("began: ")[2] for f in shown] == [
        "Failed to pull image x: no such host",
        "Back-off restarting failed container",
        "Error: ImagePullBackOff",
    ]


def test_what_is_repeated_comes_before_what_was_seen_once() -> None:
    shown = findings(
        event("FailedCreate", "exceeded quota", 1, count=9), event("Unhealthy", "timeout", 60)
    )
    assert [f.text.partition(" of ")[0] for f in shown] == ["FailedCreate", "Unhealthy"]


def test_equal_warnings_count_as_one() -> None:
    refused = 'pods "cart-{}" is forbidden: exceeded quota'
    (shown,) = findings(
        event("FailedCreate", refused.format("a1"), 1),
        event("FailedCreate", f"(combined from similar events): {refused.format('b2')}", 9),
    )
    assert "9 s after the fault began: pods" in shown.text


def test_of_a_long_message_the_end_is_shown_too() -> None:
    message = f"Failed to pull image {'x' * 400}: connection refused"
    (shown,) = findings(event("Failed", message))
    assert len(shown.text) <= MAX_TEXT
    assert "Failed to pull image" in shown.text
    assert shown.text.endswith("connection refused")


def test_what_every_new_pod_has_is_left_out() -> None:
    usual = [event(r, "x", type="Normal") for r in ("Scheduled", "Pulled", "Created", "Started")]
    others = [event(f"Reason{n}", f"message {'x' * n}", type="Normal") for n in range(9)]
    shown = findings(*usual, *others)
    assert [f.kind for f in shown] == [FindingKind.NORMAL] * 3
    assert shown[0].text == "no warning among its events"


def test_events_without_a_time_or_a_start() -> None:
    timeless = event("Unhealthy", "no")
    del timeless["lastTimestamp"]
    (shown,) = event_findings(ObjectEvents(subject=CART), [timeless], None)
    assert shown.at is None
    assert shown.text == "Unhealthy of Pod cart-1: no"


def test_the_target_and_what_constrains_it_are_offered() -> None:
    live = Shop(ready=False, related={key("HorizontalPodAutoscaler", "cart"): {}}).live()
    assert [candidate.label() for candidate in ObjectEvents.candidates(live)] == [
        "ObjectEvents Deployment/cart",
        "ObjectEvents HorizontalPodAutoscaler/cart",
    ]


def test_shortened_texts_keep_both_ends() -> None:
    assert shorten("a  b\n c", 20) == "a b c"
    assert shorten("0123456789" * 3, 10) == "012…456789"
    assert len(shorten("x" * 500, 100)) <= 100
