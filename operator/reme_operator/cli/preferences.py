"""Preference pairs from the decisions of people, to train a model on.

One record per decision: `chosen` is the playbook that a person approved or wrote, `rejected` the
one that they rejected or replaced. Both, and the prompt, are artifacts of the remediation.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from reme_api.approval import ApprovalDecision, ApprovalRecord
from reme_api.base import ArtifactReference
from reme_api.remediation import Attempt, Remediation

Read = Callable[[ArtifactReference], str | None]
"""Returns the text of an artifact; None when it is gone."""


def preferences(remediation: Remediation, read: Read) -> Iterator[dict[str, Any]]:
    """Yield a record per decision whose artifacts still exist; who decided is not in it."""
    for attempt in remediation.status.attempts:
        prompt = _prompt(attempt, read)
        if prompt is None:
            continue
        proposed = _proposed(attempt, read)
        for record in attempt.approvals:
            pair = _pair(attempt, record, proposed, read)
            if pair is None:
                continue
            yield {
                "remediation": f"{remediation.metadata.namespace}/{remediation.metadata.name}",
                "attempt": attempt.number,
                "decision": record.decision.value,
                "reason": record.reason,
                "time": record.decision_time.isoformat(),
                "outcome": attempt.outcome.value if attempt.outcome else None,
                "prompt": prompt,
                **pair,
            }


def _pair(
    attempt: Attempt, record: ApprovalRecord, proposed: str | None, read: Read
) -> dict[str, str | None] | None:
    """Return both sides of a decision; None for an edit that was refused."""
    match record.decision:
        case ApprovalDecision.EDIT:
            edit = read(record.edited_playbook) if record.edited_playbook else None
            original = read(record.original_playbook) if record.original_playbook else proposed
            if record.refusal_message or edit is None or original is None:
                return None
            return {"chosen": edit, "rejected": original}
        case ApprovalDecision.REJECT:
            return None if proposed is None else {"chosen": None, "rejected": proposed}
        case _:
            current = read(attempt.playbook) if attempt.playbook else None
            return None if current is None else {"chosen": current, "rejected": None}


def _proposed(attempt: Attempt, read: Read) -> str | None:
    """Return the playbook of the model, before any edit."""
    first = next(
        (r.original_playbook for r in attempt.approvals if r.original_playbook), attempt.playbook
    )
    return read(first) if first else None


def _prompt(attempt: Attempt, read: Read) -> Any:
    reference = attempt.generation.prompt if attempt.generation else None
    text = read(reference) if reference else None
    if text is None:
        return None
    try:
        return json.loads(text)["messages"]
    except (ValueError, KeyError, TypeError):
        return None
