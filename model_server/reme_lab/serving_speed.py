"""Times a model server on made-up incidents: how long a playbook takes, alone and in company.

    python -m reme_lab.serving_speed --url http://127.0.0.1:8000/v1 --out speed.json

Every incident is asked twice, under its grammar and freely, in turns, so that a noisy machine is
noisy for both; then `--together` of them at once. Beside it stands the bound that memory sets: a
token cannot come faster than the weights are read once, at the speed at which this machine was
just seen to read. The bound means something only where the server runs on the same machine.
"""

import argparse
import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
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

WAYS = {"grammar": True, "free": False}
_BYTES = {"bfloat16": 2, "float32": 4}
_MIB = 2**20
_READ_MIB = 256
_READ_TIMES = 8


@dataclass(frozen=True)
class TimedReply:
    """One reply, and how long it took from the request on."""

    seconds: float
    reply: GenerationReply

    @property
    def valid(self) -> bool:
        """Whether it is a reply at all."""
        try:
            parse_reply(self.reply.text, self.reply.finish_reason)
        except ModelError:
            return False
        return True


def sample_requests(seed: int, most: int) -> list[GenerationRequest]:
    """Return questions about made-up incidents, as the operator would put them."""
    found: list[GenerationRequest] = []
    for number in count():
        if len(found) == most:
            return found
        try:
            trace = make_incident(f"{seed}/speed/{number}", Split.TEST)
        except DroppedIncident:
            continue
        schema = reply_schema(trace.source.space)
        found.append(GenerationRequest(messages=trace.messages, schema=schema))
    return found


async def time_reply(model: OpenAIModel, request: GenerationRequest) -> TimedReply:
    """Return a reply with its time."""
    begun = time.perf_counter()
    reply = await model.generate(request)
    return TimedReply(time.perf_counter() - begun, reply)


async def measure_server(
    url: str, asked: Sequence[GenerationRequest], together: int
) -> dict[str, Any]:
    """Return how long replies took, one by one and many at once.

    Raises:
        ModelError: the server does not answer.
    """
    alone: dict[str, list[TimedReply]] = {way: [] for way in WAYS}
    company: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        models = {}
        for way, constrained in WAYS.items():
            endpoint = ModelEndpoint(url=url, constrained=constrained, timeout_seconds=600)
            models[way] = await stack.enter_async_context(OpenAIModel(endpoint))
            await models[way].generate(asked[0])  # the first one fills caches
        for request in asked:
            for way, model in models.items():
                alone[way].append(await time_reply(model, request))
        for way, model in models.items():
            some = [asked[number % len(asked)] for number in range(together)]
            begun = time.perf_counter()
            replies = await asyncio.gather(*(time_reply(model, one) for one in some))
            company[way] = _company(replies, time.perf_counter() - begun)
    first = alone["grammar"][0].reply
    return {
        "model": first.model,
        "model_digest": first.model_digest,
        "alone": {way: _alone(of) for way, of in alone.items()},
        "together": company,
    }


def _alone(of: Sequence[TimedReply]) -> dict[str, Any]:
    seconds = sorted(one.seconds for one in of)
    tokens = sum(one.reply.completion_tokens for one in of)
    return {
        "replies": len(of),
        "median_seconds": median(seconds),
        "p90_seconds": seconds[math.ceil(0.9 * len(seconds)) - 1],
        "median_tokens": median(one.reply.completion_tokens for one in of),
        "tokens_per_second": tokens / sum(seconds),
        "prompt_tokens": median(one.reply.prompt_tokens for one in of),
        "cached_tokens": median(one.reply.cached_tokens for one in of),
        "valid": sum(one.valid for one in of),
    }


def _company(of: Sequence[TimedReply], seconds: float) -> dict[str, Any]:
    tokens = sum(one.reply.completion_tokens for one in of)
    return {
        "replies": len(of),
        "seconds": seconds,
        "median_seconds": median(one.seconds for one in of),
        "tokens_per_second": tokens / seconds,
        "replies_per_minute": 60 * len(of) / seconds,
    }


def _read(_: int) -> float:
    """Return the MiB/s at which one process reads memory, in search of a byte that is not there."""
    memory = bytes(_READ_MIB * _MIB)
    begun = time.perf_counter()
    for _ in range(_READ_TIMES):
        memory.find(b"\x01")
    return _READ_TIMES * _READ_MIB / (time.perf_counter() - begun)


def memory_bandwidth(processes: int) -> float:
    """Return the MiB/s at which this machine reads memory with so many processes at once."""
    with ProcessPoolExecutor(processes) as pool:
        return sum(pool.map(_read, range(processes)))


def table(result: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    alone, together = result["alone"], result["together"]
    rows: list[tuple[str, Callable[[str], str]]] = [
        ("request to playbook, median", lambda way: f"{alone[way]['median_seconds']:.2f} s"),
        ("request to playbook, 90%", lambda way: f"{alone[way]['p90_seconds']:.2f} s"),
        ("tokens of the reply, median", lambda way: f"{alone[way]['median_tokens']:.0f}"),
        ("tokens/s, one at a time", lambda way: f"{alone[way]['tokens_per_second']:.1f}"),
        ("replies that are valid", lambda way: f"{alone[way]['valid']} of {alone[way]['replies']}"),
        (
            f"{together['grammar']['replies']} at once: all done after",
            lambda way: f"{together[way]['seconds']:.1f} s",
        ),
        ("at once: tokens/s", lambda way: f"{together[way]['tokens_per_second']:.1f}"),
        ("at once: replies a minute", lambda way: f"{together[way]['replies_per_minute']:.1f}"),
    ]
    lines = ["| | under the grammar | freely |", "|---|---:|---:|"]
    lines += [f"| {name} | {cell('grammar')} | {cell('free')} |" for name, cell in rows]
    bound = result["bound"]
    lines.append("")
    lines.append(
        f"{bound['weights_mebibytes']:.0f} MiB of weights, read at "
        f"{bound['mebibytes_per_second']:.0f} MiB/s: memory allows "
        f"{bound['tokens_per_second']:.0f} tokens/s to one reply at a time. Of "
        f"{alone['grammar']['prompt_tokens']:.0f} tokens of the prompt, "
        f"{alone['grammar']['cached_tokens']:.0f} came from the server's cache."
    )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.serving_speed", description=__doc__)
    parser.add_argument("--url", required=True, help="base URL of the server, ending in /v1")
    parser.add_argument("--count", type=int, default=16, help="incidents asked one by one")
    parser.add_argument("--together", type=int, default=16, help="incidents asked at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parameters", type=float, default=134.5, help="of the model, in millions")
    parser.add_argument(
        "--dtype", choices=list(_BYTES), help="computed in; else what suits the CPU"
    )
    parser.add_argument("--name", default="", help="of what is measured, such as bf16 eager")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    given = parser.parse_args()
    dtype = given.dtype or ("bfloat16" if machine.native_bfloat16() else "float32")
    weights = given.parameters * 1e6 * _BYTES[dtype] / _MIB
    speed = memory_bandwidth(machine.cpus())
    try:
        result = asyncio.run(
            measure_server(given.url, sample_requests(given.seed, given.count), given.together)
        )
    except ModelError as error:
        parser.exit(1, f"error: {error}\n")
    result |= {
        "name": given.name,
        "cpus": machine.cpus(),
        "dtype": dtype,
        "bound": {
            "weights_mebibytes": weights,
            "mebibytes_per_second": speed,
            "tokens_per_second": speed / weights,
        },
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
