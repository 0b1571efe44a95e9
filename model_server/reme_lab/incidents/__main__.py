"""Writes incidents: python -m reme_lab.incidents --count 6000 --seed 1 --out build/incidents."""

import argparse
import gc
import json
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from reme_lab.incidents.faults.catalog import ABSTENTIONS, FAULTS
from reme_lab.incidents.incident import DroppedIncident, Incident, kind_weights, make_incident
from reme_lab.incidents.rng import Split

_FEWEST_FOR_QUANTILES = 2
_ALWAYS = 100
_SHARES = {Split.TRAIN: 90, Split.DEV: 5, Split.TEST: 5}


def main() -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl and MANIFEST.json."""
    parser = argparse.ArgumentParser(prog="reme_lab.incidents", description=__doc__)
    parser.add_argument("--count", type=int, default=6000, help="number of distinct incidents")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--candidates", action="store_true", help="include the reward of every possible reply"
    )
    parser.add_argument(
        "--abstain",
        type=float,
        help="percentage of incidents that need no action; more for a model that acts too often",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="FAULT",
        help="restrict the incidents to these faults",
    )
    parser.add_argument("--out", type=Path, default=Path("build/incidents"))
    parser.add_argument(
        "--tokenizer", type=Path, help="tokenizer.json of the base model, to count tokens as well"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.only or ()) - {*FAULTS, *ABSTENTIONS}:
        parser.error(f"unknown fault: {', '.join(sorted(unknown))}")
    excludes_all = arguments.abstain == _ALWAYS and not set(arguments.only or ()) & set(ABSTENTIONS)
    if arguments.only and excludes_all:
        parser.error("--abstain 100 excludes every fault of --only")
    count_tokens = _tokens(arguments.tokenizer) if arguments.tokenizer else None
    gc.freeze()  # imported modules stay in memory, and incidents leave little garbage
    gc.set_threshold(100_000, 50, 50)
    arguments.out.mkdir(parents=True, exist_ok=True)
    prompts: set[str] = set()
    dropped: Counter[str] = Counter()
    written: dict[str, Any] = {}
    for split in _SHARES:
        incidents = _distinct(arguments, split, prompts, dropped)
        lines = [
            json.dumps(t.record(), ensure_ascii=False, separators=(",", ":")) for t in incidents
        ]
        text = "".join(f"{line}\n" for line in lines)
        (arguments.out / f"{split}.jsonl").write_text(text, encoding="utf-8")
        written[split] = _summary(incidents, text, count_tokens)
    manifest = {
        "seed": arguments.seed,
        "count": arguments.count,
        **({} if arguments.abstain is None else {"abstain_percent": arguments.abstain}),
        **({"only": arguments.only} if arguments.only else {}),
        "splits": written,
        "dropped": dict(sorted(dropped.items())),
    }
    (arguments.out / "MANIFEST.json").write_text(
        json.dumps(manifest, indent=2) + "\n", encoding="utf-8"
    )


def _distinct(
    arguments: argparse.Namespace, split: Split, prompts: set[str], dropped: Counter[str]
) -> list[Incident]:
    incidents: list[Incident] = []
    count, number = arguments.count * _SHARES[split] // 100, 0
    options: dict[str, Any] = (
        {} if arguments.abstain is None else {"kinds": kind_weights(arguments.abstain)}
    )
    while len(incidents) < count:
        number += 1
        try:
            incident = make_incident(
                f"{arguments.seed}/{split}/{number}",
                split,
                candidates=arguments.candidates,
                **options,
            )
        except DroppedIncident as reason:
            dropped[str(reason)] += 1
            continue
        if arguments.only and incident.fault not in arguments.only:
            continue
        if incident.messages[-1]["content"] in prompts:
            dropped["twice"] += 1
            continue
        prompts.add(incident.messages[-1]["content"])
        incidents.append(incident)
    return incidents


def _tokens(path: Path) -> Callable[[str], int]:
    """Return a function that counts tokens; needs the `tokenizers` library."""
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text).ids)


def _summary(
    incidents: list[Incident], text: str, count_tokens: Callable[[str], int] | None
) -> dict[str, Any]:
    lengths = {"characters": _lengths(incidents, len)}
    if count_tokens is not None:
        lengths["tokens"] = _lengths(incidents, count_tokens)
    return {
        "traces": len(incidents),
        "digest": f"sha256:{sha256(text.encode()).hexdigest()}",
        "kinds": dict(sorted(Counter(str(t.kind) for t in incidents).items())),
        "qualities": dict(sorted(Counter(str(t.quality) for t in incidents).items())),
        "faults": dict(sorted(Counter(t.fault for t in incidents).items())),
        **lengths,
    }


def _lengths(incidents: list[Incident], count: Callable[[str], int]) -> dict[str, int]:
    """Return the mean and 95th percentile of the lengths of prompt and answer together."""
    lengths = [
        sum(count(m["content"]) for m in t.messages) + count(t.acceptable[0]) for t in incidents
    ]
    if len(lengths) < _FEWEST_FOR_QUANTILES:
        return {}
    return {"mean": round(mean(lengths)), "p95": round(quantiles(lengths, n=20)[-1])}


if __name__ == "__main__":
    main()
