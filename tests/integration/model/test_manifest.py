"""A model directory is served only if it matches its manifest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reme_model.serving.adapter import scale
from reme_model.serving.convert import main, packaged_gguf
from reme_model.serving.manifest import MANIFEST, BadManifestError, Manifest, digests
from reme_model.serving.serve import ServeSettings, load_manifest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 3_000_000)
    Manifest(base="m.gguf", files=digests(tmp_path)).write(tmp_path)
    return tmp_path


def test_an_untouched_directory_is_served(model: Path) -> None:
    assert load_manifest(ServeSettings(path=model)) == Manifest.read(model)


def test_the_digest_is_what_sha256sum_says(model: Path) -> None:
    manifest = Manifest.read(model)
    assert manifest
    listing = subprocess.run(
        ["sha256sum", *sorted(manifest.files)], cwd=model, capture_output=True, check=True
    ).stdout
    total = subprocess.run(["sha256sum"], input=listing, capture_output=True, check=True).stdout
    assert manifest.digest == f"sha256:{total.split()[0].decode()}"


@pytest.mark.parametrize("change", ["other bytes", "one more", "one less"])
def test_any_change_is_noticed(model: Path, change: str) -> None:
    match change:
        case "other bytes":
            (model / "model.safetensors").write_bytes(b"\1" + b"\0" * 2_999_999)
        case "one more":
            (model / "tokenizer.json").write_text("{}")
        case _:
            (model / "model.safetensors").unlink()
    with pytest.raises(BadManifestError):
        load_manifest(ServeSettings(path=model))
    assert load_manifest(ServeSettings(path=model, verify=False))


def test_a_directory_without_a_manifest_gets_its_digest_when_it_is_served(model: Path) -> None:
    digest = load_manifest(ServeSettings(path=model)).digest
    (model / MANIFEST).unlink()
    assert load_manifest(ServeSettings(path=model)).digest == digest


def test_what_cannot_be_served_ends_with_the_reason(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reme_model.serving.serve"],
        env={**os.environ, "REME_MODEL_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"cannot serve: {tmp_path} contains no model\n"


def test_a_package_must_hold_one_gguf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "some_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["--package", "some_model", "--out", str(tmp_path / "out")]) == 1
    assert "contains 0 GGUF files" in capsys.readouterr().err
    (package / "a.gguf").write_bytes(b"GGUF")
    assert packaged_gguf("some_model") == package / "a.gguf"


def test_the_scale_of_an_adapter() -> None:
    assert scale({"lora_alpha": 32}, 16) == 2.0
    assert scale({"lora_alpha": 32, "use_rslora": True}, 16) == 8.0
