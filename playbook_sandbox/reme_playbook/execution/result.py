"""The result ConfigMap of a run: what the runner writes, and how the operator reads it."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field, ValidationError

from reme_api.base import ObservedModel, Short, Time
from reme_api.reasons import Reason
from reme_playbook.errors import PlaybookError

CLAIM_KEY = "claim.json"
RESULT_KEY = "result.json"
EVENTS_KEY = "events.jsonl"
UNCLAIMED = ""
"""Value of the claim before a pod claims the run: a claim replaces exactly this value."""

MAX_RESULT_BYTES = 8 * 1024
MAX_EVENTS_BYTES = 64 * 1024
MAX_MESSAGE = 512


class UnreadableResultError(PlaybookError):
    """The result ConfigMap contains what no runner writes."""


class RunEnd(StrEnum):
    """How a run ended, as its runner recorded it."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"  # a task failed, or Ansible did
    REJECTED = "Rejected"  # the playbook in the pod is not the granted one; nothing ran
    INTERRUPTED = "Interrupted"  # the pod was terminated
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
    """The pod that claimed the run; at most one ever does."""

    pod: Short
    nonce: Short
    time: Time


class RunResult(ObservedModel):
    """The progress and end of a run; `end` is Running until the runner has ended."""

    run: Short
    end: RunEnd = RunEnd.RUNNING
    started: Time
    first_task: Time | None = None
    finished: Time | None = None
    planned: int = Field(default=0, ge=0, description="Tasks of the playbook.")
    tasks: int = Field(default=0, ge=0, description="Tasks that ended, successful or not.")
    changed: int = Field(default=0, ge=0, description="Tasks that changed something.")
    running_task: Short = Field(
        default="", description="Started and not seen to end: it may or may not have been applied."
    )
    failed_task: Short = ""
    message: str = Field(default="", max_length=MAX_MESSAGE)

    @property
    def ok(self) -> bool:
        """Whether every task succeeded."""
        return self.end is RunEnd.SUCCEEDED

    @property
    def ended(self) -> bool:
        """Whether the runner has recorded an end."""
        return self.end is not RunEnd.RUNNING

    @property
    def reason(self) -> Reason:
        """The reason of the run's end, when its Job is over."""
        return _REASONS[self.end]

    @property
    def no_task_started(self) -> bool:
        """Whether it is certain that no task started, so that there is nothing to roll back.

        A run without a recorded end may have started one and been killed before it recorded it.
        """
        return self.ended and self.first_task is None


def parse_claim(data: Mapping[str, str]) -> Claim | None:
    """Return the claim, or None before a pod has claimed the run.

    Raises:
        UnreadableResultError: the claim is not what a runner writes.
    """
    text = data.get(CLAIM_KEY, UNCLAIMED)
    if text == UNCLAIMED:
        return None
    try:
        return Claim.model_validate_json(text)
    except ValidationError as error:
        raise UnreadableResultError(
            f"{CLAIM_KEY} is not a claim that a runner writes ({error.error_count()} errors)"
        ) from error


def parse_result(data: Mapping[str, str]) -> RunResult | None:
    """Return the last recorded state, or None before there is one.

    Raises:
        UnreadableResultError: the result is not what a runner writes.
    """
    text = data.get(RESULT_KEY, "")
    if not text:
        return None
    if len(text) > MAX_RESULT_BYTES:
        raise UnreadableResultError(
            f"{RESULT_KEY} has {len(text)} characters; a runner writes at most {MAX_RESULT_BYTES}"
        )
    try:
        return RunResult.model_validate_json(text)
    except ValidationError as error:
        raise UnreadableResultError(
            f"{RESULT_KEY} is not a result that a runner writes ({error.error_count()} errors)"
        ) from error


def event_lines(data: Mapping[str, str]) -> str:
    """Return the run's events, one JSON object per line, cut at MAX_EVENTS_BYTES characters."""
    return data.get(EVENTS_KEY, "")[:MAX_EVENTS_BYTES]
