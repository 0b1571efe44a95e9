"""Becomes the model server: `python -m reme_model.serving.serve` starts vLLM's OpenAI server.

Settings are environment variables, each REME_MODEL_ and its name; `VLLM_API_KEY`, if set, is what
clients must send. Nothing is fetched from anywhere: weights, tokenizer and chat template lie in
the model's directory. Ready is when `GET /health` answers 200.
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
    """How the model is served."""

    model_config = SettingsConfigDict(env_prefix="REME_MODEL_", frozen=True)

    path: Path = Field(default=Path("/models/base"), description="Directory of the model.")
    host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104 - a pod
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    dtype: Literal["auto", "bfloat16", "float32"] = Field(
        default="auto", description="Type to compute in; auto asks the processor."
    )
    max_len: int = Field(
        default=4096, ge=512, description="Tokens of prompt and reply together, at most."
    )
    max_seqs: int = Field(default=8, ge=1, le=256, description="Replies generated at once.")
    kv_cache_gib: int = Field(
        default=1, ge=1, description="GiB for the key-value cache, shared by all replies."
    )
    threads: int = Field(
        default=0, ge=0, description="Threads that compute; 0 is one less than the CPU limit."
    )
    enforce_eager: bool = Field(
        default=True, description="Do not compile: ready in a minute, and no compiler is needed."
    )
    verify: bool = Field(default=True, description="Compare the files with the manifest first.")


def served_names(manifest: Manifest) -> list[str]:
    """Return the names to serve under; the digests in them tell clients what they talk to."""
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
    # Without this a small model pads its JSON with newlines up to the token limit.
    structured = {"backend": "xgrammar", "disable_any_whitespace": True}
    line = [sys.executable, "-m", _SERVER]
    line += ["--model", str(settings.path), "--served-model-name", *names]
    line += ["--host", settings.host, "--port", str(settings.port)]
    line += ["--dtype", dtype, "--max-model-len", str(settings.max_len)]
    line += ["--max-num-seqs", str(settings.max_seqs)]
    line += ["--structured-outputs-config", json.dumps(structured)]
    # The defaults of a request are vLLM's, whatever a base model ships.
    line += ["--generation-config", "vllm", "--enable-prefix-caching"]
    line += ["--enable-prompt-tokens-details", "--disable-uvicorn-access-log"]
    if settings.enforce_eager:
        line.append("--enforce-eager")
    return line


def environment(
    settings: ServeSettings, inherited: Mapping[str, str], threads: int
) -> dict[str, str]:
    """Return the server's environment: offline, quiet, and writing only below the temporary folder.

    Threads are not pinned to cores: in a pod the first cores are everybody's first cores. One CPU
    is left to the server's other processes, and threads wait asleep: they wait for each other after
    every layer, and beside other work a thread that spins takes the core that another one needs.
    Two threads on two busy cores were seen to bring less than one token a second.
    """
    scratch = tempfile.gettempdir()
    ours = {
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
    places = {
        "HOME": scratch,
        "XDG_CACHE_HOME": f"{scratch}/cache",
        "XDG_CONFIG_HOME": f"{scratch}/config",
        "VLLM_CACHE_ROOT": f"{scratch}/cache/vllm",
        "VLLM_CONFIG_ROOT": f"{scratch}/config/vllm",
        "TORCHINDUCTOR_CACHE_DIR": f"{scratch}/cache/inductor",
    }
    return {**inherited, **places, **ours}


def load_manifest(settings: ServeSettings) -> Manifest:
    """Return the manifest of the model, or one made now for a directory that has none.

    Raises:
        BadManifestError: the directory is not a model, or not the one in its manifest.
    """
    if not (settings.path / "config.json").is_file():
        raise BadManifestError(f"{settings.path} holds no model")
    manifest = Manifest.read(settings.path)
    if manifest is None:
        manifest = Manifest(base=settings.path.name, files=digests(settings.path))
    elif settings.verify:
        manifest.verify(settings.path)
    return manifest


def main() -> NoReturn:
    """Replace this process by the server."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        settings = ServeSettings()
        manifest = load_manifest(settings)
    except (BadManifestError, ValidationError, OSError) as error:
        sys.exit(f"cannot serve: {error}")
    line = command(settings, served_names(manifest), bfloat16=native_bfloat16())
    env = environment(settings, os.environ, cpus())
    _log.info("%s %s; OMP_NUM_THREADS=%s", manifest.base, " ".join(line), env["OMP_NUM_THREADS"])
    os.execve(line[0], line, env)  # noqa: S606 - the list is built here


if __name__ == "__main__":
    main()
