"""Starts vLLM's OpenAI-compatible server: `python -m reme_model.serving.serve`.

Settings are environment variables with the prefix REME_MODEL_. If `VLLM_API_KEY` is set, clients
must send it. The server needs no network: weights, tokenizer and chat template are in the model
directory. It is ready when `GET /health` answers 200.
"""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from reme_model.serving.machine import cpus, native_bfloat16
from reme_model.serving.manifest import BadManifestError, Manifest, digests

SERVED_NAME = "reme"
_SERVER = "vllm.entrypoints.openai.api_server"
_log = logging.getLogger("reme_model.serving.serve")


class ServeSettings(BaseSettings):
    """Settings of the model server."""

    model_config = SettingsConfigDict(env_prefix="REME_MODEL_", frozen=True)

    path: Path = Field(default=Path("/models/base"), description="Directory of the model.")
    host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104 - a pod
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        default="auto", description="Data type of the computation; auto selects by processor."
    )
    max_len: int = Field(
        default=4096, ge=512, description="Maximum tokens of prompt and reply together."
    )
    max_seqs: int = Field(
        default=8, ge=1, le=256, description="Maximum number of parallel replies."
    )
    kv_cache_gib: int = Field(
        default=1, ge=1, description="GiB for the key-value cache, shared by all replies."
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="Compute threads; 0 means one less than the CPU limit.",
    )
    enforce_eager: bool = Field(
        default=True,
        description="Do not compile the model: starts faster, and needs no compiler.",
    )
    verify: bool = Field(default=True, description="Compare the files with the manifest first.")


def served_names(manifest: Manifest) -> list[str]:
    """Return the names to serve under. They contain digests, so that clients know the weights."""
    names = [SERVED_NAME, f"{SERVED_NAME}@{_short(manifest.digest)}"]
    if manifest.adapter_digest:
        names.append(f"{SERVED_NAME}-adapter@{_short(manifest.adapter_digest)}")
    return names


def _short(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}-{value[:12]}"


def command(settings: ServeSettings, names: list[str], *, bfloat16: bool) -> list[str]:
    """Return the server's command line."""
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "bfloat16" if bfloat16 else "float32"
    # Otherwise small models pad JSON with newlines up to the token limit.
    structured = {"backend": "xgrammar", "disable_any_whitespace": True}
    arguments = [sys.executable, "-m", _SERVER]
    arguments += ["--model", str(settings.path), "--served-model-name", *names]
    arguments += ["--host", settings.host, "--port", str(settings.port)]
    arguments += ["--dtype", dtype, "--max-model-len", str(settings.max_len)]
    arguments += ["--max-num-seqs", str(settings.max_seqs)]
    arguments += ["--structured-outputs-config", json.dumps(structured)]
    # Use vLLM's default sampling parameters, whatever the base model ships.
    arguments += ["--generation-config", "vllm", "--enable-prefix-caching"]
    arguments += ["--enable-prompt-tokens-details", "--disable-uvicorn-access-log"]
    if settings.enforce_eager:
        arguments.append("--enforce-eager")
    return arguments


def environment(
    settings: ServeSettings, inherited: Mapping[str, str], threads: int
) -> dict[str, str]:
    """Return the server's environment: offline, without telemetry, writing to the temporary folder
    only.

    Threads are not bound to cores: every pod would bind to the first ones. One CPU is left to the
    server's other processes, and waiting threads sleep: next to other work a spinning thread takes
    the core that another one needs (measured: under one token a second with two threads on two busy
    cores).
    """
    scratch = tempfile.gettempdir()
    server = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_KVCACHE_SPACE": str(settings.kv_cache_gib),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(settings.threads or max(1, threads - 1)),
        "OMP_WAIT_POLICY": "passive",
        "KMP_BLOCKTIME": "0",
    }
    directories = {
        "HOME": scratch,
        "XDG_CACHE_HOME": f"{scratch}/cache",
        "XDG_CONFIG_HOME": f"{scratch}/config",
        "VLLM_CACHE_ROOT": f"{scratch}/cache/vllm",
        "VLLM_CONFIG_ROOT": f"{scratch}/config/vllm",
        "TORCHINDUCTOR_CACHE_DIR": f"{scratch}/cache/inductor",
    }
    return {**inherited, **directories, **server}


def load_manifest(settings: ServeSettings) -> Manifest:
    """Return the manifest of the model directory, computed if there is none.

    Raises:
        BadManifestError: the directory contains no model, or differs from its manifest.
    """
    if not (settings.path / "config.json").is_file():
        raise BadManifestError(f"{settings.path} contains no model")
    manifest = Manifest.read(settings.path)
    if manifest is None:
        manifest = Manifest(base=settings.path.name, files=digests(settings.path))
    elif settings.verify:
        manifest.verify(settings.path)
    return manifest


def main() -> NoReturn:
    """Replace this process with the server."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        settings = ServeSettings()
        manifest = load_manifest(settings)
    except (BadManifestError, ValidationError, OSError) as error:
        sys.exit(f"cannot serve: {error}")
    line = command(settings, served_names(manifest), bfloat16=native_bfloat16())
    env = environment(settings, os.environ, cpus())
    _log.info(
        "%s %s; OMP_NUM_THREADS=%s",
        manifest.base,
        " ".join(line),
        env["OMP_NUM_THREADS"],
    )
    os.execve(line[0], line, env)  # noqa: S606 - the list is built here


if __name__ == "__main__":
    main()
