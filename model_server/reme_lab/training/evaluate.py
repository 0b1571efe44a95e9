"""Lets a model write its reply to every incident of a file, and counts.

    python -m reme_lab.training.evaluate --data FILE --out FILE [--run DIR] [--modes free]

Without a run it is the base itself that is asked. Under the grammar only those incidents can be
asked whose traces tell what is possible. Writes JSON, and the same as a Markdown table beside it.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reme_lab.training import base_model, checkpoint, dataset, decode, reply_metrics, tokenization
from reme_lab.training import recipe as recipes
from reme_lab.training.base_model import Learner
from reme_lab.training.command_line import cache_folder
from reme_lab.training.dataset import Incident, Message
from reme_lab.training.errors import TrainingError
from reme_lab.training.reply_metrics import Outcome
from reme_model.prompt.messages import PromptStyle, build_messages

MODES = ("constrained", "free")


def replies(learner: Learner, some: Sequence[Incident], mode: str) -> list[Outcome]:
    """Return the greedy replies, in the order of the traces; those that can be asked alone."""
    encoder, model = learner.encoder, learner.model
    some = [one for one in some if mode == "free" or one.possible]
    prompts = [encoder.prompt([m.model_dump() for m in one.messages]) for one in some]
    by_length = sorted(range(len(some)), key=lambda number: len(prompts[number]))
    ordered = [prompts[number] for number in by_length]
    model.eval()
    if mode == "free":
        texts = [encoder.text(tokens) for tokens in decode.free(model, ordered, encoder.end)]
    else:
        possible = [some[number].possible for number in by_length]
        trees = [tokenization.build_tree(encoder.replies(replies)) for replies in possible]
        written = decode.constrained(model, ordered, trees)
        texts = [all_[next(iter(one))] for all_, one in zip(possible, written, strict=True)]
    found = {n: Outcome(some[n], text) for n, text in zip(by_length, texts, strict=True)}
    return [found[number] for number in range(len(some))]


def evaluate(learner: Learner, some: Sequence[Incident], modes: Sequence[str]) -> dict[str, Any]:
    """Return the figures of each mode, the time it took, and every reply that was not good."""
    figures: dict[str, Any] = {}
    failures: dict[str, Any] = {}
    for mode in modes:
        began = time.monotonic()
        outcomes = replies(learner, some, mode)
        if not outcomes:
            continue
        figures[mode] = reply_metrics.summary(outcomes)
        figures[mode]["seconds"] = round(time.monotonic() - began, 1)
        failures[mode] = [
            {
                "id": one.incident.id,
                "fault": one.incident.fault,
                "kind": one.incident.kind,
                "asked": one.incident.messages[-1].content,
                "wrote": one.reply,
                "expert": one.incident.answer,
            }
            for one in outcomes
            if not one.acceptable
        ]
    return {"modes": figures, "failures": failures}


def restyled(trace: Incident, style: PromptStyle) -> Incident:
    """Return the same incident, asked about in another style."""
    if style is PromptStyle.TRAINED:
        return trace
    said = build_messages(trace.messages[-1].content, (), style)
    return trace.model_copy(update={"messages": tuple(map(Message.model_validate, said))})


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m reme_lab.training.evaluate", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="file of traces")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--run", type=Path, help="folder of a run, or an adapter; else the base")
    parser.add_argument("--recipe", default=recipes.DEFAULT, help="name or file of a recipe")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument(
        "--style",
        choices=[PromptStyle.TRAINED, PromptStyle.FEW_SHOT],
        default=PromptStyle.TRAINED,
        help="how to ask: few-shot puts the examples for untrained models before each incident",
    )
    parser.add_argument("--limit", type=int, help="only so many first traces")
    parser.add_argument("--cached", action="store_true", help="not again if nothing changed")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where bases are kept")
    given = parser.parse_args(arguments)
    try:
        some = [restyled(one, given.style) for one in dataset.read(given.data, given.limit)]
        inputs = _inputs(given)
        if given.cached and _have(given.out) == inputs:
            print(f"{given.out}: nothing changed")
            return 0
        learner = base_model.load_learner(recipes.load(given.recipe), given.cache)
        step = 0
        if given.run:
            found = checkpoint.read_adapter(given.run)
            learner.adapters.load(found.matrices)
            step = found.step
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    result = {
        "inputs": inputs,
        "data": given.data.name,
        "data_digest": dataset.digest(given.data),
        "traces": len(some),
        "base_digest": learner.base_digest,
        "trained": given.run is not None,
        "style": str(given.style),
        "ids": [one.id for one in some],
        "step": step,
        **evaluate(learner, some, given.modes),
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    text = reply_metrics.table(result)
    given.out.with_suffix(".md").write_text(text)
    print(text, end="")
    return 0


def _inputs(given: argparse.Namespace) -> dict[str, Any]:
    """Return what decides the result, by digest."""
    return {
        "data": dataset.digest(given.data),
        "weights": checkpoint.weights_digest(given.run) if given.run else "",
        "modes": list(given.modes),
        "limit": given.limit,
        "recipe": given.recipe,
        "style": str(given.style),
    }


def _have(out: Path) -> Any:
    return json.loads(out.read_bytes()).get("inputs") if out.exists() else None


if __name__ == "__main__":
    sys.exit(main())
