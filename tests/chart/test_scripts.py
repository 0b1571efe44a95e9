"""The scripts that the chart runs in the cluster, with the servers replaced by plain functions."""

import importlib.util
import io
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.chart import CHART, render

KINDS = ["diagnosisreports", "remediations", "remediationpolicies", "rungrants"]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CHART / "files" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("check_release")
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


def test_each_check_that_fails_is_named(
    check: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise OSError("nobody there")

    assert check.passed(broken) is False
    assert "FAIL  broken: OSError: nobody there" in capsys.readouterr().out
    assert check.passed(lambda: "fine") is True
    assert "ok    fine" in capsys.readouterr().out


def test_a_check_is_tried_again(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PATIENCE_SECONDS", 60)
    answers = iter([OSError("not yet"), ValueError("not yet"), "now"])

    def slow() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert check.passed(slow) is True


def test_a_missing_definition_is_named(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    served = {"resources": [{"name": name} for name in KINDS[1:]]}
    monkeypatch.setattr(check, "api", lambda _: served)
    with pytest.raises(ValueError, match="not served: diagnosisreports"):
        check.definitions_served()


def test_a_server_without_the_model_is_not_enough(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    def ask(url: str, headers: dict[str, str], body: object = None) -> bytes:
        lines.append(url)
        return json.dumps({"data": [{"id": "other"}]}).encode()

    monkeypatch.setattr(check, "ask", ask)
    monkeypatch.setenv("MODEL_ENDPOINT", "http://model:8000/v1/")
    monkeypatch.setenv("MODEL_NAME", "other")
    assert check.model_answers() == "the model answers: other"
    assert lines == ["http://model:8000/v1/models"]
    monkeypatch.setenv("MODEL_NAME", "reme")
    with pytest.raises(ValueError, match="serves other, not reme"):
        check.model_answers()


def test_the_report_is_a_dry_run(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, Any]] = []
    monkeypatch.setattr(check, "api", lambda path, body: sent.append((path, body)))
    monkeypatch.setenv("NAMESPACE", "reme-system")
    check.report_accepted()
    ((path, body),) = sent
    assert path.endswith("/namespaces/reme-system/diagnosisreports?dryRun=All")
    assert body["kind"] == "DiagnosisReport"


def test_the_check_gets_every_variable_that_it_reads() -> None:
    text = (CHART / "files" / "check_release.py").read_text()
    pod = render("endpoint").one("Pod", "reme-test")["spec"]
    names = {e["name"] for e in pod["containers"][0]["env"]}
    read = set(re.findall(r"""os\.environ\[["'](\w+)["']\]""", text))
    assert read == names
    assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == "/run/reme/model"
    assert pod["volumes"][0]["secret"]["secretName"] == "model-key"


class Discovery:
    """Answers of the discovery document, one for each time that it is asked for."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.requests = 0

    def __call__(self, request: Any, **_: Any) -> io.BytesIO:
        self.requests += 1
        assert request.full_url.endswith("/apis")
        assert "APIGroupDiscoveryList" in request.headers["Accept"]
        names = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        resources = [{"resource": name} for name in names]
        group = {"metadata": {"name": "reme.dev"}, "versions": [{"resources": resources}]}
        other = {"metadata": {"name": "apps"}, "versions": [{"resources": []}]}
        return io.BytesIO(json.dumps({"items": [other, group]}).encode())


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    module = script("wait_for_crds")
    (tmp_path / "token").write_text("token")
    monkeypatch.setattr(module, "TOKEN", tmp_path)
    monkeypatch.setattr(module.ssl, "create_default_context", lambda **_: None)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


def test_definitions_must_be_served_several_times_in_a_row(
    served: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    discovery = Discovery([], KINDS[:2], KINDS, KINDS[:3], KINDS)
    monkeypatch.setattr(served.urllib.request, "urlopen", discovery)
    with pytest.raises(SystemExit) as ended:
        served.main()
    assert ended.value.code == 0
    # the fourth answer contradicts the third: the count starts again
    assert discovery.requests == 7


def test_definitions_that_never_come_are_named(
    served: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(served.urllib.request, "urlopen", Discovery(KINDS[1:]))
    with pytest.raises(SystemExit) as ended:
        served.main()
    assert ended.value.code == "not served yet: diagnosisreports"
