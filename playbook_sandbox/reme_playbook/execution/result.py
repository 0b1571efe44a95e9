"""What a run leaves behind in its result ConfigMap, and how it is read again."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import Field, ValidationError

from reme_api.base import ObservedModel, Short, Time
from reme_api.reasons import Reason
from reme_playbook.errors import PlaybookError

CLAIM_KEY = "claim.json"
RESULT_KEY = "result.json"
EVENTS_KEY = "events.jsonl"
UNCLAIMED = ""
"""What the claim holds until a pod takes it: taking is replacing exactly this."""

MAX_RESULT_BYTES = 8 * 1024
MAX_EVENTS_BYTES = 64 * 1024
MAX_MESSAGE = 512


class UnreadableResultError(PlaybookError):
    """What lies in the result ConfigMap was not written by a runner."""


class RunEnd(StrEnum):
    """How a run ended, as the run itself saw it."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"  # a task failed, or Ansible did
    REJECTED = "Rejected"  # the playbook in the pod is not what was granted; nothing ran
    INTERRUPTED = "Interrupted"  # the pod was told to stop
    TIMED_OUT = "TimedOut"


_REASONS = {
    RunEnd.RUNNING: Reason.RUN_LOST,
    RunEnd.SUCCEEDED: Reason.RUN_SUCCEEDED,
    RunEnd.FAILED: Reason.RUN_FAILED,
    RunEnd.REJECTED: Reason.PLAYBOOK_REJECTED,
    RunEnd.INTERRUPTED: Reason.RUN_LOST,
    RunEnd.TIMED_OUT: Reason.RUN_TIMED_OUT,
}


class Claim(ObservedModel):
    """Which pod took the run: at most one ever does."""

    pod: Short
    nonce: Short
    time: Time


class RunResult(ObservedModel):
    """What happened, written as it happens; `end` is Running until the run knows better."""

    run: Short
    end: RunEnd = RunEnd.RUNNING
    started: Time
    first_task: Time | None = None
    finished: Time | None = None
    planned: int = Field(default=0, ge=0, description="Tasks of the playbook.")
    tasks: int = Field(default=0, ge=0, description="Tasks that ended, well or not.")
    changed: int = Field(default=0, ge=0, description="Tasks that changed something.")
    running_task: Short = Field(
        default="", description="Begun and not seen to end: it may or may not have been applied."
    )
    failed_task: Short = ""
    message: str = Field(default="", max_length=MAX_MESSAGE)

    @property
    def ok(self) -> bool:
        """Whether every task was carried out."""
        return self.end is RunEnd.SUCCEEDED

    @property
    def ended(self) -> bool:
        """Whether the run itself has nothing more to say."""
        return self.end is not RunEnd.RUNNING

    @property
    def reason(self) -> Reason:
        """The reason for the record, given that the Job is over."""
        return _REASONS[self.end]

    @property
    def no_task_started(self) -> bool:
        """Whether it is certain that no task began, so that there is nothing to undo.

        A run that did not say how it ended may have begun one and died before it could say so.
        """
        return self.ended and self.first_task is None


def claimed(data: Mapping[str, str]) -> Claim | None:
    """Return who took the run, or None while nobody has.

    Raises:
        UnreadableResultError: the claim is not what a runner writes.
    """
    text = data.get(CLAIM_KEY, UNCLAIMED)
    if text == UNCLAIMED:
        return None
    try:
        return Claim.model_validate_json(text)
    except ValidationError as error:
        raise UnreadableResultError(f"claim: {error.error_count()} errors") from error


def parse(data: Mapping[str, str]) -> RunResult | None:
    """Return what the run wrote last, or None while it has written nothing.

    Raises:
        UnreadableResultError: the result is not what a runner writes.
    """
    text = data.get(RESULT_KEY, "")
    if not text:
        return None
    if len(text) > MAX_RESULT_BYTES:
        raise UnreadableResultError(f"result: {len(text)} characters are too many")
    try:
        return RunResult.model_validate_json(text)
    except ValidationError as error:
        raise UnreadableResultError(f"result: {error.error_count()} errors") from error


def started(data: Mapping[str, str]) -> datetime | None:
    """Return when the run was taken by a pod, or None while it was not.

    Raises:
        UnreadableResultError: the claim is not what a runner writes.
    """
    claim = claimed(data)
    return claim.time if claim else None


def events(data: Mapping[str, str]) -> str:
    """Return the run's events, one JSON object a line, bounded."""
    return data.get(EVENTS_KEY, "")[:MAX_EVENTS_BYTES]
