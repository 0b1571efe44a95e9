"""Measures the speed of a model server with synthetic incidents.

    python -m reme_lab.serving_speed --url http://127.0.0.1:8000/v1 --out speed.json

Every incident is requested twice, with and without the grammar, in turns, so that a busy machine
slows both; then `--together` requests run in parallel. The result includes a bound: a token cannot
be generated faster than the weights are read once from memory. The bound only means something if
the server runs on the machine that measures.
"""

import argparse
import asyncio
import itertools
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from reme_lab.incidents.incident import DroppedIncident, make_incident
from reme_lab.incidents.rng import Split
from reme_model.inference.client import OpenAIModel
from reme_model.inference.errors import ModelError
from reme_model.inference.generation import GenerationReply, GenerationRequest, ModelEndpoint
from reme_model.inference.reply import parse_reply
from reme_model.prompt.schema import reply_schema
from reme_model.serving import machine

MODES = {"grammar": True, "free": False}
_BYTES = {"bfloat16": 2, "float32": 4}
_MIB = 2**20
_READ_MIB = 256
_READ_TIMES = 8


@dataclass(frozen=True)
class TimedReply:
    """A reply, and how long it took."""

    seconds: float
    reply: GenerationReply

    @property
    def valid(self) -> bool:
        """Whether the reply can be parsed."""
        try:
            parse_reply(self.reply.text, self.reply.finish_reason)
        except ModelError:
            return False
        return True


def sample_requests(seed: int, count: int) -> list[GenerationRequest]:
    """Return requests about synthetic incidents, as the operator would send them."""
    requests: list[GenerationRequest] = []
    for number in itertools.count():
        if len(requests) == count:
            return requests
        try:
            incident = make_incident(f"{seed}/speed/{number}", Split.TEST)
        except DroppedIncident:
            continue
        schema = reply_schema(incident.source.space)
        requests.append(GenerationRequest(messages=incident.messages, schema=schema))
    return requests


async def time_reply(model: OpenAIModel, request: GenerationRequest) -> TimedReply:
    """Return the reply with its duration."""
    start = time.perf_counter()
    reply = await model.generate(request)
    return TimedReply(time.perf_counter() - start, reply)


async def measure_server(
    url: str, requests: Sequence[GenerationRequest], together: int
) -> dict[str, Any]:
    """Return how long replies take, one at a time and in parallel.

    Raises:
        ModelError: the server does not reply.
    """
    sequential: dict[str, list[TimedReply]] = {mode: [] for mode in MODES}
    parallel: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        models = {}
        for mode, constrained in MODES.items():
            endpoint = ModelEndpoint(url=url, constrained=constrained, timeout_seconds=600)
            models[mode] = await stack.enter_async_context(OpenAIModel(endpoint))
            await models[mode].generate(requests[0])  # the first request fills caches
        for request in requests:
            for mode, model in models.items():
                sequential[mode].append(await time_reply(model, request))
        for mode, model in models.items():
            batch = [requests[number % len(requests)] for number in range(together)]
            start = time.perf_counter()
            replies = await asyncio.gather(*(time_reply(model, request) for request in batch))
            parallel[mode] = _parallel_figures(replies, time.perf_counter() - start)
    first = sequential["grammar"][0].reply
    return {
        "model": first.model,
        "model_digest": first.model_digest,
        "alone": {mode: _sequential_figures(of) for mode, of in sequential.items()},
        "together": parallel,
    }


def _sequential_figures(timed: Sequence[TimedReply]) -> dict[str, Any]:
    seconds = sorted(reply.seconds for reply in timed)
    tokens = sum(reply.reply.completion_tokens for reply in timed)
    return {
        "replies": len(timed),
        "median_seconds": median(seconds),
        "p90_seconds": seconds[math.ceil(0.9 * len(seconds)) - 1],
        "median_tokens": median(reply.reply.completion_tokens for reply in timed),
        "tokens_per_second": tokens / sum(seconds),
        "prompt_tokens": median(reply.reply.prompt_tokens for reply in timed),
        "cached_tokens": median(reply.reply.cached_tokens for reply in timed),
        "valid": sum(reply.valid for reply in timed),
    }


def _parallel_figures(timed: Sequence[TimedReply], seconds: float) -> dict[str, Any]:
    tokens = sum(reply.reply.completion_tokens for reply in timed)
    return {
        "replies": len(timed),
        "seconds": seconds,
        "median_seconds": median(reply.seconds for reply in timed),
        "tokens_per_second": tokens / seconds,
        "replies_per_minute": 60 * len(timed) / seconds,
    }


def _read_speed(_: int) -> float:
    """Return the MiB/s at which one process reads memory, by searching for a byte that is not
    there.
    """
    memory = bytes(_READ_MIB * _MIB)
    start = time.perf_counter()
    for _ in range(_READ_TIMES):
        memory.find(b"\x01")
    return _READ_TIMES * _READ_MIB / (time.perf_counter() - start)


def memory_bandwidth(processes: int) -> float:
    """Return the MiB/s at which this number of processes read memory in parallel."""
    with ProcessPoolExecutor(processes) as pool:
        return sum(pool.map(_read_speed, range(processes)))


def table(result: dict[str, Any]) -> str:
    """Return the measurements as a Markdown table."""
    sequential, parallel = result["alone"], result["together"]
    rows: list[tuple[str, Callable[[str], str]]] = [
        ("request to playbook, median", lambda mode: f"{sequential[mode]['median_seconds']:.2f} s"),
        ("request to playbook, 90%", lambda mode: f"{sequential[mode]['p90_seconds']:.2f} s"),
        ("tokens of the reply, median", lambda mode: f"{sequential[mode]['median_tokens']:.0f}"),
        ("tokens/s, one at a time", lambda mode: f"{sequential[mode]['tokens_per_second']:.1f}"),
        (
            "replies that are valid",
            lambda mode: f"{sequential[mode]['valid']} of {sequential[mode]['replies']}",
        ),
        (
            f"{parallel['grammar']['replies']} at once: all done after",
            lambda mode: f"{parallel[mode]['seconds']:.1f} s",
        ),
        ("at once: tokens/s", lambda mode: f"{parallel[mode]['tokens_per_second']:.1f}"),
        ("at once: replies a minute", lambda mode: f"{parallel[mode]['replies_per_minute']:.1f}"),
    ]
    lines = ["| | under the grammar | freely |", "|---|---:|---:|"]
    lines += [f"| {name} | {cell('grammar')} | {cell('free')} |" for name, cell in rows]
    bound = result["bound"]
    lines.append("")
    lines.append(
        f"{bound['weights_mebibytes']:.0f} MiB of weights, read at "
        f"{bound['mebibytes_per_second']:.0f} MiB/s: memory allows "
        f"{bound['tokens_per_second']:.0f} tokens/s to one reply at a time. Of "
        f"{sequential['grammar']['prompt_tokens']:.0f} tokens of the prompt, "
        f"{sequential['grammar']['cached_tokens']:.0f} came from the server's cache."
    )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.serving_speed", description=__doc__)
    parser.add_argument("--url", required=True, help="base URL of the server, ending in /v1")
    parser.add_argument("--count", type=int, default=16, help="number of sequential requests")
    parser.add_argument("--together", type=int, default=16, help="number of parallel requests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--parameters", type=float, default=134.5, help="parameters of the model, in millions"
    )
    parser.add_argument(
        "--dtype", choices=list(_BYTES), help="data type of the computation; default: by CPU"
    )
    parser.add_argument("--name", default="", help="label of the measurement, such as bf16 eager")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args()
    dtype = options.dtype or ("bfloat16" if machine.native_bfloat16() else "float32")
    weights = options.parameters * 1e6 * _BYTES[dtype] / _MIB
    speed = memory_bandwidth(machine.cpus())
    try:
        result = asyncio.run(
            measure_server(
                options.url, sample_requests(options.seed, options.count), options.together
            )
        )
    except ModelError as error:
        parser.exit(1, f"error: {error}\n")
    result |= {
        "name": options.name,
        "cpus": machine.cpus(),
        "dtype": dtype,
        "bound": {
            "weights_mebibytes": weights,
            "mebibytes_per_second": speed,
            "tokens_per_second": speed / weights,
        },
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
