"""Evaluates a model on the incidents of a file.

    python -m reme_lab.training.evaluate --data FILE --out FILE [--run DIR] [--modes free]

Without --run the base model is evaluated. With the grammar, only incidents that list the possible
replies are used. Writes JSON, and a Markdown table beside it.
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


def replies(learner: Learner, incidents: Sequence[Incident], mode: str) -> list[Outcome]:
    """Return the greedy replies in the order of the incidents; in constrained mode only of those
    with candidates.
    """
    encoder, model = learner.encoder, learner.model
    incidents = [incident for incident in incidents if mode == "free" or incident.possible]
    prompts = [
        encoder.prompt([m.model_dump() for m in incident.messages]) for incident in incidents
    ]
    by_length = sorted(range(len(incidents)), key=lambda number: len(prompts[number]))
    ordered = [prompts[number] for number in by_length]
    model.eval()
    if mode == "free":
        texts = [encoder.text(tokens) for tokens in decode.free(model, ordered, encoder.end)]
    else:
        possible = [incidents[number].possible for number in by_length]
        trees = [tokenization.build_tree(encoder.replies(replies)) for replies in possible]
        counts = decode.constrained(model, ordered, trees)
        texts = [
            texts_of[next(iter(incident))]
            for texts_of, incident in zip(possible, counts, strict=True)
        ]
    outcomes = {n: Outcome(incidents[n], text) for n, text in zip(by_length, texts, strict=True)}
    return [outcomes[number] for number in range(len(incidents))]


def evaluate(
    learner: Learner, incidents: Sequence[Incident], modes: Sequence[str]
) -> dict[str, Any]:
    """Return the figures of each mode, its duration, and every reply that is not acceptable."""
    figures: dict[str, Any] = {}
    failures: dict[str, Any] = {}
    for mode in modes:
        start = time.monotonic()
        outcomes = replies(learner, incidents, mode)
        if not outcomes:
            continue
        figures[mode] = reply_metrics.summary(outcomes)
        figures[mode]["seconds"] = round(time.monotonic() - start, 1)
        failures[mode] = [
            {
                "id": outcome.incident.id,
                "fault": outcome.incident.fault,
                "kind": outcome.incident.kind,
                "asked": outcome.incident.messages[-1].content,
                "wrote": outcome.reply,
                "expert": outcome.incident.answer,
            }
            for outcome in outcomes
            if not outcome.acceptable
        ]
    return {"modes": figures, "failures": failures}


def restyled(incident: Incident, style: PromptStyle) -> Incident:
    """Return the same incident with the prompt in another style."""
    if style is PromptStyle.TRAINED:
        return incident
    messages = build_messages(incident.messages[-1].content, (), style)
    return incident.model_copy(update={"messages": tuple(map(Message.model_validate, messages))})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m reme_lab.training.evaluate", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="file of incidents")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--run", type=Path, help="folder of a run, or an adapter; default: the base model"
    )
    parser.add_argument("--recipe", default=recipes.DEFAULT, help="name or file of a recipe")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument(
        "--style",
        choices=[PromptStyle.TRAINED, PromptStyle.FEW_SHOT],
        default=PromptStyle.TRAINED,
        help="style of the prompt; few-shot adds the examples for untrained models",
    )
    parser.add_argument("--limit", type=int, help="use only the first incidents")
    parser.add_argument("--cached", action="store_true", help="skip if nothing changed")
    parser.add_argument(
        "--cache", type=Path, default=cache_folder(), help="directory of converted base models"
    )
    options = parser.parse_args(arguments)
    try:
        incidents = [
            restyled(incident, options.style)
            for incident in dataset.read(options.data, options.limit)
        ]
        inputs = _inputs(options)
        if options.cached and _stored_inputs(options.out) == inputs:
            print(f"{options.out}: nothing changed")
            return 0
        learner = base_model.load_learner(recipes.load(options.recipe), options.cache)
        step = 0
        if options.run:
            adapter = checkpoint.read_adapter(options.run)
            learner.adapters.load(adapter.matrices)
            step = adapter.step
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    result = {
        "inputs": inputs,
        "data": options.data.name,
        "data_digest": dataset.digest(options.data),
        "traces": len(incidents),
        "base_digest": learner.base_digest,
        "trained": options.run is not None,
        "style": str(options.style),
        "ids": [incident.id for incident in incidents],
        "step": step,
        **evaluate(learner, incidents, options.modes),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    text = reply_metrics.table(result)
    options.out.with_suffix(".md").write_text(text)
    print(text, end="")
    return 0


def _inputs(options: argparse.Namespace) -> dict[str, Any]:
    """Return the inputs that determine the result, by digest."""
    return {
        "data": dataset.digest(options.data),
        "weights": checkpoint.weights_digest(options.run) if options.run else "",
        "modes": list(options.modes),
        "limit": options.limit,
        "recipe": options.recipe,
        "style": str(options.style),
    }


def _stored_inputs(out: Path) -> Any:
    return json.loads(out.read_bytes()).get("inputs") if out.exists() else None


if __name__ == "__main__":
    sys.exit(main())
