"""The course of one run: claim it, execute its playbook, record how it ended."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution import result
from reme_playbook.execution.render import load_granted
from reme_runner.ansible_run import play, prepare
from reme_runner.api_client import ResultClient
from reme_runner.claim import ClaimOutcome, claim_run
from reme_runner.progress import RunEvent, apply_event, end_run, outcome
from reme_runner.recorder import Recorder
from reme_runner.settings import Settings
from reme_runner.stop_signal import StopSignal

EXIT_SUCCEEDED, EXIT_FAILED, EXIT_CLAIMED_BY_OTHER, EXIT_NOT_CLAIMED = 0, 1, 3, 4


def execute(
    settings: Settings, scratch: Path, variables: Mapping[str, str], started: datetime
) -> int:
    """Carry out the run and return the exit code; every end of a claimed run is recorded.

    `variables` is the environment of Ansible.
    """
    stop = StopSignal(settings.deadline_seconds)
    stop.listen()
    playbook, rejection = _load(settings)
    state = result.RunResult(run=settings.run, started=started, planned=_count_tasks(playbook))
    client = ResultClient(settings.server, settings.namespace, settings.result_config_map)
    claim = result.Claim(pod=settings.pod, nonce=secrets.token_hex(16), time=started)
    claimed, message = claim_run(client, claim, state, stop)
    if claimed is not ClaimOutcome.OURS:
        now = datetime.now(UTC)
        event = RunEvent(time=now, event="run-not-claimed", run=settings.run, message=message)
        _print(event.line())
        other = claimed is ClaimOutcome.ANOTHERS
        return EXIT_CLAIMED_BY_OTHER if other else EXIT_NOT_CLAIMED

    recorder = Recorder(client, _print)
    recorder.start()
    recorder.note(state, RunEvent(time=started, event="run-started", run=settings.run))
    if rejection:
        end, message = result.RunEnd.REJECTED, rejection
    else:
        state, end, message = _play(playbook, scratch, variables, state, recorder, stop)
    if not state.ended:
        state, last_event = end_run(state, end, message, datetime.now(UTC))
        recorder.note(state, last_event)
    recorded = recorder.finish(stop.seconds_to_record())
    return EXIT_SUCCEEDED if state.ok and recorded else EXIT_FAILED


def _load(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """Return the plays to run and an empty text, or no plays and why the playbook is rejected."""
    try:
        text = settings.playbook.read_bytes()
        plays = load_granted(
            text, settings.playbook_digest, settings.run, is_rollback=settings.is_rollback
        )
    except RejectedPlaybookError as error:
        return [], str(error)
    return plays, ""


def _play(
    playbook: list[dict[str, Any]],
    scratch: Path,
    variables: Mapping[str, str],
    state: result.RunResult,
    recorder: Recorder,
    stop: StopSignal,
) -> tuple[result.RunResult, result.RunEnd, str]:
    """Execute the plays; return the state that Ansible's events lead to, and how the run ended."""

    def on_event(raw: Mapping[str, Any]) -> None:
        nonlocal state
        state, event = apply_event(state, raw)
        if event:
            recorder.note(state, event)

    end, message = result.RunEnd.FAILED, ""
    if not stop():
        try:
            prepare(playbook, scratch)
            return_code = play(scratch, variables, on_event, stop)
            end, message = outcome(state, return_code)
        except Exception as error:  # noqa: BLE001 (whatever it was, the run must record an end)
            message = f"Ansible failed: {error!r}"
    if end is not result.RunEnd.SUCCEEDED and (stop_reason := stop.reason):
        end, message = stop_reason
    return state, end, message


def _count_tasks(playbook: list[dict[str, Any]]) -> int:
    return sum(len(play["tasks"]) for play in playbook)


def _print(line: str) -> None:
    print(line, flush=True)
