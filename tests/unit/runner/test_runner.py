"""The recorder, the stop signal, and the runner's settings."""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reme_playbook.execution import result
from reme_playbook.execution.manifests import RunRequest, manifests
from reme_playbook.execution.result import RunEnd, RunResult
from reme_playbook.execution.runner_contract import EXIT_SECONDS, REQUEST_SECONDS
from reme_runner.ansible_run import environment
from reme_runner.api_client import ApiResponse
from reme_runner.progress import RunEvent
from reme_runner.recorder import Recorder
from reme_runner.settings import RunnerSettingsError, Settings
from reme_runner.stop_signal import StopSignal
from tests.unit.execution.test_manifests import REQUEST

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class FakeResult:
    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.bodies: list[dict[str, Any]] = []
        self.written = threading.Event()

    def patch(self, body: Any, content_type: str) -> ApiResponse:
        assert content_type == "application/merge-patch+json"
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.bodies.append(body["data"])
            self.written.set()
        return ApiResponse(status, {})


class HangingResult:
    """Responds to the first request only when it is released."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.called, self.release = threading.Event(), threading.Event()

    def patch(self, body: Any, content_type: str) -> ApiResponse:
        self.called.set()
        self.release.wait(10)
        self.bodies.append(body["data"])
        return ApiResponse(200, {})


def event(text: str = "") -> RunEvent:
    return RunEvent(time=NOW, event="task-started", run="r", message=text)


def test_the_state_is_written_during_the_run() -> None:
    api, printed = FakeResult(), list[str]()
    recorder = Recorder(api, printed.append)
    recorder.start()
    recorder.note(RunResult(run="r", started=NOW, first_task=NOW), event())
    assert api.written.wait(1)
    assert '"firstTask"' in api.bodies[0][result.RESULT_KEY]
    assert len(printed) == 1
    assert recorder.finish(1)


def test_the_last_state_is_written_after_refusals() -> None:
    api = FakeResult(500, 0)
    recorder = Recorder(api, lambda _line: None)
    recorder.note(RunResult(run="r", started=NOW, end=RunEnd.FAILED), event())
    recorder.start()
    assert recorder.finish(2)
    assert '"Failed"' in api.bodies[-1][result.RESULT_KEY]


def test_finish_says_whether_the_last_state_was_written() -> None:
    recorder = Recorder(FakeResult(*[500] * 99), lambda _line: None)
    recorder.start()
    recorder.note(RunResult(run="r", started=NOW), None)
    assert not recorder.finish(0.1)


def test_finish_returns_in_time_though_the_server_does_not_respond() -> None:
    hanging = HangingResult()
    recorder = Recorder(hanging, lambda _line: None)
    recorder.start()
    recorder.note(RunResult(run="r", started=NOW), event())
    assert hanging.called.wait(5)
    recorder.note(RunResult(run="r", started=NOW, end=RunEnd.INTERRUPTED), event())
    begin = time.monotonic()
    assert not recorder.finish(0.5)
    assert time.monotonic() - begin < 0.9
    hanging.release.set()


def test_an_older_state_is_never_written_after_the_last() -> None:
    hanging = HangingResult()
    recorder = Recorder(hanging, lambda _line: None)
    recorder.start()
    recorder.note(RunResult(run="r", started=NOW), None)
    assert hanging.called.wait(5)
    recorder.note(RunResult(run="r", started=NOW, end=RunEnd.INTERRUPTED), None)
    threading.Timer(0.1, hanging.release.set).start()
    assert recorder.finish(5)
    ends = [json.loads(body[result.RESULT_KEY]).get("end") for body in hanging.bodies]
    assert ends == ["Running", "Interrupted"]


def test_the_same_state_is_not_written_again() -> None:
    api = FakeResult()
    recorder = Recorder(api, lambda _line: None)
    recorder.start()
    recorder.note(RunResult(run="r", started=NOW, end=RunEnd.SUCCEEDED), event())
    assert api.written.wait(1)
    api.statuses = [403] * 99
    assert recorder.finish(0.1)
    assert len(api.bodies) == 1


def test_stored_events_are_bounded_and_all_are_printed() -> None:
    api, printed = FakeResult(), list[str]()
    recorder = Recorder(api, printed.append)
    for _ in range(300):
        recorder.note(RunResult(run="r", started=NOW), event("x" * 500))
    recorder.start()
    recorder.finish(1)
    assert len(printed) == 300
    assert 32_000 < len(api.bodies[-1][result.EVENTS_KEY]) <= result.MAX_EVENTS_BYTES


def test_a_run_stops_at_its_deadline_or_after_a_signal() -> None:
    stop = StopSignal(60)
    assert not stop()
    assert stop.reason is None
    stop._on_signal(15, None)
    assert stop.reason is not None
    assert stop.reason[0] is RunEnd.INTERRUPTED
    late = StopSignal(-1)
    assert late.reason is not None
    assert late.reason[0] is RunEnd.TIMED_OUT


@pytest.mark.parametrize("waited", [0.0, 0.25, 3.0, REQUEST_SECONDS, 8.9, 9.0, 12.0])
def test_after_a_signal_all_waits_fit_the_grace_period_of_the_pod(waited: float) -> None:
    spec = manifests(REQUEST).job["spec"]["template"]["spec"]
    grace = spec["terminationGracePeriodSeconds"]
    now = 100.0
    stop = StopSignal(3600, lambda: now)
    stop._on_signal(15, None)
    now += waited
    assert max(waited, EXIT_SECONDS) <= grace or stop.seconds_to_record() == 0
    assert waited + stop.seconds_to_record() <= max(waited, grace - EXIT_SECONDS)
    stop._on_signal(15, None)  # a second signal starts no second grace period
    assert waited + stop.seconds_to_record() <= max(waited, grace - EXIT_SECONDS)


def test_a_signal_while_the_end_is_recorded_leaves_enough_time() -> None:
    grace = manifests(REQUEST).job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert StopSignal(3600).seconds_to_record() + EXIT_SECONDS <= grace


def job_environment(request: RunRequest = REQUEST) -> dict[str, str]:
    container = manifests(request).job["spec"]["template"]["spec"]["containers"][0]
    named = {e["name"]: e.get("value", "pod-x") for e in container["env"]}
    return {**named, "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_the_runner_understands_the_job() -> None:
    settings = Settings.from_environment(job_environment())
    assert settings.run == "reme-0a1b2c3d-1"
    assert settings.result_config_map == "reme-0a1b2c3d-1-result"
    assert settings.pod == "pod-x"
    assert settings.deadline_seconds == 120
    assert settings.is_rollback is False
    assert (settings.server.host, settings.server.port) == ("10.96.0.1", 443)
    assert settings.playbook == Path("/run/reme/input/playbook.json")


def test_an_ipv6_address_is_taken_as_it_is() -> None:
    settings = Settings.from_environment(
        {**job_environment(), "KUBERNETES_SERVICE_HOST": "fd00::1"}
    )
    assert (settings.server.host, settings.server.port) == ("fd00::1", 443)


@pytest.mark.parametrize("missing", ["REME_RUN_NAME", "REME_RESULT", "KUBERNETES_SERVICE_HOST"])
def test_a_missing_or_malformed_variable_is_an_error(missing: str) -> None:
    environment = job_environment()
    del environment[missing]
    with pytest.raises(RunnerSettingsError, match=missing):
        Settings.from_environment(environment)
    with pytest.raises(RunnerSettingsError):
        Settings.from_environment({**job_environment(), "REME_DEADLINE_SECONDS": "soon"})


def test_ansible_inherits_only_the_named_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STRATEGY", "evil")
    monkeypatch.setenv("ANSIBLE_CALLBACK_PLUGINS", "/evil")
    monkeypatch.setenv("LD_PRELOAD", "/evil")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    variables = environment(Path("/tmp/x"), Path("/tmp/x/fork-server.sock"))
    assert "evil" not in str(variables)
    assert variables["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert all(v.startswith("/tmp/x") for k, v in variables.items() if k in ("HOME", "TMPDIR"))
