"""`make incidents` writes the requested incidents, and rejects unknown faults."""

import json
import sys
from pathlib import Path

import pytest

from reme_lab.incidents.__main__ import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["reme_lab.incidents", *words])
    main()


def test_only_some_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = ("replicas-zero", "bad-version")
    words = ("--count", "20", "--abstain", "0", "--only", *faults, "--out", str(tmp_path))
    run(monkeypatch, *words)
    lines = (tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()
    incidents = [json.loads(line) for line in lines]
    assert len(incidents) == 18
    assert {incident["fault"] for incident in incidents} == set(faults)
    manifest = json.loads((tmp_path / "MANIFEST.json").read_bytes())
    assert manifest["only"] == list(faults)
    assert manifest["abstain_percent"] == 0


def test_a_fault_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--only", "no-such-fault", "--out", str(tmp_path))
    assert "unknown fault: no-such-fault" in capsys.readouterr().err


def test_what_can_never_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--only", "bad-version", "--abstain", "100", "--out", str(tmp_path))
    assert "excludes every fault" in capsys.readouterr().err
