"""The course of one run; every way it can end is written down before the process ends."""

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reme_runner.settings import RunnerSettingsError, Settings

DONE, FAILED, MISUSED, NOT_OURS, NOT_CLAIMED = 0, 1, 2, 3, 4
FINISH_SECONDS = 8
"""How long the last word is tried to be written; the pod is given a little more to stop."""


def main() -> int:
    """Carry out the run that the environment names; the exit code says how it went."""
    try:
        settings = Settings.from_environment()
    except RunnerSettingsError as error:
        print(f"reme-run: {error}", file=sys.stderr)
        return MISUSED
    with tempfile.TemporaryDirectory(dir=settings.scratch, prefix="reme-") as scratch:
        return _run(settings, Path(scratch))


def _run(settings: Settings, scratch: Path) -> int:
    begun = datetime.now(UTC)
    # Looking for plugins of pydantic, of which there are none, takes a tenth of a second.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    # First of all what takes longest: it loads while everything else is being prepared.
    from reme_runner.ansible_run import environment, play, prepare

    socket = scratch / "warm.sock"
    env = environment(scratch, socket)
    warm = _start_warm(env, socket)
    try:
        from reme_playbook.errors import RejectedPlaybookError
        from reme_playbook.execution import result
        from reme_runner.api_client import ResultClient
        from reme_runner.claim import ClaimOutcome, take
        from reme_runner.progress import RunEvent, advance, close, outcome
        from reme_runner.recorder import Recorder
        from reme_runner.stop_signal import Stop

        stop = Stop(settings.deadline_seconds)
        stop.listen()
        rejected = ""
        playbook: list[dict[str, Any]] = []
        try:
            playbook = _load(settings)
        except RejectedPlaybookError as error:
            rejected = str(error)

        state = result.RunResult(run=settings.run, started=begun, planned=_tasks(playbook))
        api = ResultClient(settings.server, settings.namespace, settings.result_config_map)
        claim = result.Claim(pod=settings.pod, nonce=secrets.token_hex(16), time=begun)
        taken, why = take(api, claim, state)
        if taken is not ClaimOutcome.OURS:
            now = datetime.now(UTC)
            word = RunEvent(time=now, event="run-not-taken", run=settings.run, message=why)
            _say(word.line())
            return NOT_OURS if taken is ClaimOutcome.ANOTHERS else NOT_CLAIMED

        recorder = Recorder(api, _say)
        recorder.start()
        recorder.note(state, RunEvent(time=begun, event="run-started", run=settings.run))

        def on_event(raw: Mapping[str, Any]) -> None:
            nonlocal state
            state, event = advance(state, raw)
            if event:
                recorder.note(state, event)

        end, message = result.RunEnd.REJECTED, rejected
        if not rejected and not stop():
            prepare(playbook, scratch)
            try:
                code = play(scratch, env, on_event, stop)
                end, message = outcome(state, code)
            except Exception as error:  # noqa: BLE001 (whatever it was, the run must say so)
                end, message = result.RunEnd.FAILED, f"Ansible could not run: {error!r}"
        if not rejected and end is not result.RunEnd.SUCCEEDED and (why_stopped := stop.why):
            end, message = why_stopped
        if not state.ended:
            state, event = close(state, end, message, datetime.now(UTC))
            recorder.note(state, event)
        written = recorder.finish(FINISH_SECONDS)
        return DONE if state.ok and written else FAILED
    finally:
        with suppress(ProcessLookupError):
            os.killpg(warm.pid, signal.SIGKILL)
        warm.wait()


def _tasks(playbook: list[dict[str, Any]]) -> int:
    return sum(len(play["tasks"]) for play in playbook)


def _load(settings: Settings) -> list[dict[str, Any]]:
    """Read the playbook, compile it again, and render what came out: only that is ever run.

    Raises:
        RejectedPlaybookError: it is not the playbook that was granted, or none of the language.
    """
    from reme_playbook.compiler.playbook import compile_playbook
    from reme_playbook.errors import RejectedPlaybookError, RejectionRule
    from reme_playbook.execution.render import render

    data = settings.playbook.read_bytes()
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != settings.playbook_digest:
        raise RejectedPlaybookError(
            RejectionRule.INTERNAL, "the playbook is not the one that was granted"
        )
    actions = compile_playbook(data.decode(), for_rollback=settings.undo)
    return render(actions, run_id=settings.run)


def _start_warm(env: Mapping[str, str], socket: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "reme_runner.fork_server", str(socket)],
        env=dict(env),
        cwd=socket.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _say(line: str) -> None:
    print(line, flush=True)
