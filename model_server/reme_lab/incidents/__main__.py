"""Writes traces: python -m reme_lab.incidents --count 6000 --seed 1 --out build/traces."""

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
    parser.add_argument("--count", type=int, default=6000, help="distinct traces, all in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--candidates", action="store_true", help="with what each possible reply is worth"
    )
    parser.add_argument(
        "--abstain",
        type=float,
        help="percent in which nothing is to be done, to go on from a model that acts too readily",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="FAULT",
        help="these faults alone, as the model does them badly",
    )
    parser.add_argument("--out", type=Path, default=Path("build/traces"))
    parser.add_argument(
        "--tokenizer", type=Path, help="tokenizer.json of the base model, to count tokens as well"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.only or ()) - {*FAULTS, *ABSTENTIONS}:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    never = arguments.abstain == _ALWAYS and not set(arguments.only or ()) & set(ABSTENTIONS)
    if arguments.only and never:
        parser.error("--abstain 100 leaves out all that --only asks for")
    counts = _tokens(arguments.tokenizer) if arguments.tokenizer else None
    gc.freeze()  # what was imported stays; of what is made little is worth looking for
    gc.set_threshold(100_000, 50, 50)
    arguments.out.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    dropped: Counter[str] = Counter()
    written: dict[str, Any] = {}
    for split in _SHARES:
        traces = _distinct(arguments, split, seen, dropped)
        lines = [json.dumps(t.record(), ensure_ascii=False, separators=(",", ":")) for t in traces]
        text = "".join(f"{line}\n" for line in lines)
        (arguments.out / f"{split}.jsonl").write_text(text, encoding="utf-8")
        written[split] = _summary(traces, text, counts)
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
    arguments: argparse.Namespace, split: Split, seen: set[str], dropped: Counter[str]
) -> list[Incident]:
    found: list[Incident] = []
    count, place = arguments.count * _SHARES[split] // 100, 0
    drawn = {} if arguments.abstain is None else {"kinds": kind_weights(arguments.abstain)}
    while len(found) < count:
        place += 1
        try:
            trace = make_incident(
                f"{arguments.seed}/{split}/{place}",
                split,
                candidates=arguments.candidates,
                **drawn,
            )
        except DroppedIncident as reason:
            dropped[str(reason)] += 1
            continue
        if arguments.only and trace.fault not in arguments.only:
            continue
        if trace.messages[-1]["content"] in seen:
            dropped["twice"] += 1
            continue
        seen.add(trace.messages[-1]["content"])
        found.append(trace)
    return found


def _tokens(path: Path) -> Callable[[str], int]:
    """Return what counts the tokens of a text; the library is there where models are trained."""
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text).ids)


def _summary(
    traces: list[Incident], text: str, counts: Callable[[str], int] | None
) -> dict[str, Any]:
    found = {"characters": _lengths(traces, len)}
    if counts is not None:
        found["tokens"] = _lengths(traces, counts)
    return {
        "traces": len(traces),
        "digest": f"sha256:{sha256(text.encode()).hexdigest()}",
        "kinds": dict(sorted(Counter(str(t.kind) for t in traces).items())),
        "qualities": dict(sorted(Counter(str(t.quality) for t in traces).items())),
        "faults": dict(sorted(Counter(t.fault for t in traces).items())),
        **found,
    }


def _lengths(traces: list[Incident], count: Callable[[str], int]) -> dict[str, int]:
    """Return how long prompt and answer are together."""
    found = [sum(count(m["content"]) for m in t.messages) + count(t.acceptable[0]) for t in traces]
    if len(found) < _FEWEST_FOR_QUANTILES:
        return {}
    return {"mean": round(mean(found)), "p95": round(quantiles(found, n=20)[-1])}


if __name__ == "__main__":
    main()
