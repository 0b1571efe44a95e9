"""All changes of a plan are stored as JSON, however many there are."""

import json

from hypothesis import given
from hypothesis import strategies as st

from reme_api.remediation import Change
from reme_operator.steps.dry_run import MAX_ARTIFACT_CHARACTERS, changes_text


def change(number: int, characters: int) -> Change:
    return Change(
        kind="Deployment", object_name="cart", field=f"spec.{number}", after="x" * characters
    )


def test_a_plan_that_is_too_long_is_cut_between_two_changes() -> None:
    """It was cut at a character, and was no JSON any more."""
    changes = [
        change(n, 256).model_copy(update={"before": "é" * 4096, "after": '"' * 4096})
        for n in range(400)
    ]
    text = changes_text(changes)
    assert len(text) <= MAX_ARTIFACT_CHARACTERS
    stored = [Change.model_construct(**item) for item in json.loads(text)]
    assert 10 < len(stored) < 400
    assert [item.field for item in stored] == [f"spec.{n}" for n in range(len(stored))]


@given(st.lists(st.integers(0, 200), max_size=20), st.integers(2, 2000))
def test_it_is_always_json_and_never_too_long(sizes: list[int], limit: int) -> None:
    changes = [change(n, size) for n, size in enumerate(sizes)]
    text = changes_text(changes, limit)
    assert len(text) <= limit
    assert len(json.loads(text)) <= len(changes)
    assert changes_text(changes) == json.dumps([c.wire() for c in changes], separators=(",", ":"))
