"""Converts a GGUF file to the model directory that is served.

`python -m reme_model.serving.convert --help` lists the options. Runs when the image is built:
dequantizes the weights (the server's CPU kernels need bfloat16 or float32), merges the adapter if
there is one, and writes safetensors, tokenizer and a manifest of digests. The same input and tools
give the same digests.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from reme_model.serving.adapter import UnsupportedAdapterError, merge
from reme_model.serving.adapter import digest as adapter_digest
from reme_model.serving.manifest import Manifest, digests, file_digest

DTYPES = ("bfloat16", "float32")


def packaged_gguf(package: str) -> Path:
    """Return the only GGUF file of an installed package; the package is not imported.

    Raises:
        FileNotFoundError: the package is not installed, or does not contain exactly one.
    """
    spec = importlib.util.find_spec(package)
    directories = list(spec.submodule_search_locations or ()) if spec else []
    files = [file for place in directories for file in sorted(Path(place).rglob("*.gguf"))]
    if len(files) != 1:
        raise FileNotFoundError(f"package {package} contains {len(files)} GGUF files, expected one")
    return files[0]


def convert(
    gguf: Path, out: Path, adapter: Path | None = None, dtype: str = "bfloat16"
) -> Manifest:
    """Write the model directory and return its manifest."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch  # installed only where models are converted
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    if adapter:
        with torch.no_grad():
            merge(model.state_dict(), adapter)
    out.mkdir(parents=True, exist_ok=True)
    model.to(getattr(torch, dtype)).save_pretrained(out)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(out)
    manifest = Manifest(
        base=gguf.name,
        base_digest=file_digest(gguf),
        adapter_digest=adapter_digest(adapter) if adapter else "",
        dtype=dtype,
        tools={name: importlib.metadata.version(name) for name in ("torch", "transformers")},
        files=digests(out),
    )
    manifest.write(out)
    for file in out.iterdir():
        file.chmod(0o644)  # weights are written with mode 0600, and the server runs as another user
    return manifest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m reme_model.serving.convert", description=__doc__
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--gguf", type=Path, help="GGUF file of the base model")
    source.add_argument("--package", help="installed Python package that contains one GGUF file")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")
    parser.add_argument("--adapter", type=Path, help="directory of a LoRA adapter to merge")
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="type of the weights")
    options = parser.parse_args(arguments)
    try:
        gguf = options.gguf or packaged_gguf(options.package)
        manifest = convert(gguf, options.out, options.adapter, options.dtype)
    except (OSError, UnsupportedAdapterError) as error:
        print(f"cannot convert: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {manifest.base}, {manifest.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
