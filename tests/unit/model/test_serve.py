"""How the model server is started."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from reme_model.serving.machine import cpus, native_bfloat16
from reme_model.serving.manifest import Manifest
from reme_model.serving.serve import ServeSettings, command, environment, served_names

MODEL = Manifest(base="m.gguf", files={"a": "sha256:" + "1" * 64})


def after(line: list[str], flag: str) -> str:
    return line[line.index(flag) + 1]


@pytest.mark.parametrize(
    ("dtype", "bfloat16", "expected"),
    [
        ("auto", True, "bfloat16"),
        ("auto", False, "float32"),
        ("float32", True, "float32"),
        ("bfloat16", False, "bfloat16"),
    ],
)
def test_the_type_is_what_the_processor_computes_in(
    dtype: str, bfloat16: bool, expected: str
) -> None:
    settings = ServeSettings.model_validate({"dtype": dtype})
    assert after(command(settings, ["reme"], bfloat16=bfloat16), "--dtype") == expected


def test_the_grammar_allows_no_padding() -> None:
    line = command(ServeSettings(), ["reme"], bfloat16=True)
    assert json.loads(after(line, "--structured-outputs-config")) == {
        "backend": "xgrammar",
        "disable_any_whitespace": True,
    }


def test_compiling_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--enforce-eager" in command(ServeSettings(), ["reme"], bfloat16=True)
    monkeypatch.setenv("REME_MODEL_ENFORCE_EAGER", "false")
    assert "--enforce-eager" not in command(ServeSettings(), ["reme"], bfloat16=True)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REME_MODEL_PATH", "/elsewhere")
    monkeypatch.setenv("REME_MODEL_MAX_LEN", "2048")
    line = command(ServeSettings(), ["reme"], bfloat16=True)
    assert after(line, "--model") == "/elsewhere"
    assert after(line, "--max-model-len") == "2048"


def test_the_names_tell_the_weights() -> None:
    assert served_names(MODEL) == ["reme", f"reme@sha256-{MODEL.digest[7:19]}"]
    tuned = MODEL.model_copy(update={"adapter_digest": "sha256:" + "ab" * 32})
    assert served_names(tuned)[2] == "reme-adapter@sha256-abababababab"


def test_the_server_is_offline_and_uses_what_it_may() -> None:
    env = environment(ServeSettings(), {"PATH": "/bin", "VLLM_API_KEY": "k", "HOME": "/root"}, 3)
    assert env["HF_HUB_OFFLINE"] == "1"
    assert env["OMP_NUM_THREADS"] == "2"  # one is left to the other processes
    assert env["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert env["OMP_WAIT_POLICY"] == "passive"
    assert (env["PATH"], env["VLLM_API_KEY"]) == ("/bin", "k")
    assert env["HOME"] != "/root"
    assert environment(ServeSettings(), {}, 1)["OMP_NUM_THREADS"] == "1"
    assert environment(ServeSettings(threads=3), {}, 3)["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("cpuinfo", "native"),
    [
        ("flags\t: fpu avx512f avx512_bf16 fsrm", True),
        ("flags\t: fpu amx_bf16", True),
        ("Features\t: fp asimd bf16", True),
        ("flags\t: fpu avx2 f16c", False),
        ("", False),
    ],
)
def test_bfloat16_is_a_flag_of_the_processor(cpuinfo: str, native: bool) -> None:
    assert native_bfloat16(lambda path: cpuinfo if path == "/proc/cpuinfo" else "") is native


V1 = "/sys/fs/cgroup/cpu/cpu.cfs_"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"/sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"/sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ({"/sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"/sys/fs/cgroup/cpu.max": "3200000 100000\n"}, 8),
        ({f"{V1}quota_us": "400000\n", f"{V1}period_us": "100000\n"}, 4),
        ({f"{V1}quota_us": "-1\n", f"{V1}period_us": "100000\n"}, 8),
    ],
)
def test_threads_are_what_the_container_may_use(
    files: Mapping[str, str], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert cpus(lambda path: files.get(path, "")) == expected


def test_defaults_are_those_of_the_image() -> None:
    assert ServeSettings().path == Path("/models/base")
    assert ServeSettings().port == 8000
