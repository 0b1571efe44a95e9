"""The directory of a measurement: one line per trial, and beside it what a replay needs.

The inputs of a trial are written before its line: a line that is there can always be replayed.
"""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from reme_benchmark.fidelity.records import Inputs, Outcome, Plan, Problem
from reme_benchmark.fidelity.serialization import inputs_from_json, inputs_to_json
from reme_benchmark.reports.store import DifferentRunError, ResultsError

PLAN, OUTCOMES, PROBLEMS, INPUTS = "plan.json", "outcomes.jsonl", "problems.jsonl", "inputs"


class Outcomes:
    """What was measured so far."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, plan: Plan) -> Plan:
        """Make the directory, or take up the measurement that is in it.

        Raises:
            DifferentRunError: another measurement is in there.
            ResultsError: it cannot be written.
        """
        place = self.path / PLAN
        try:
            if place.exists():
                there = self.plan()
                same = ("system", "seed", "window_seconds")  # more trials may follow
                differs = [n for n in same if getattr(there, n) != getattr(plan, n)]
                if differs:
                    raise DifferentRunError(
                        f"{self.path} holds another measurement: it differs in {', '.join(differs)}"
                    )
                changed = plan.dirty or there.commit != plan.commit
                plan = plan.model_copy(
                    update={"commit": there.commit, "dirty": there.dirty or changed}
                )
            (self.path / INPUTS).mkdir(parents=True, exist_ok=True)
            place.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ResultsError(f"cannot write {place}: {error.strerror or error}") from error
        return plan

    def plan(self) -> Plan:
        """Return what is measured here.

        Raises:
            ResultsError: nothing is.
        """
        try:
            return Plan.model_validate_json((self.path / PLAN).read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise ResultsError(f"{self.path} holds no measurement of fidelity") from error

    def save(self, outcome: Outcome, inputs: Inputs) -> None:
        """Keep a trial."""
        text = json.dumps(inputs_to_json(inputs), separators=(",", ":"))
        place = self.path / INPUTS / f"{outcome.id}.json.gz"
        place.write_bytes(gzip.compress(text.encode(), mtime=0))
        self._append(OUTCOMES, outcome.model_dump_json())

    def trouble(self, problem: Problem) -> None:
        """Keep why a fault, or a part of its trials, could not be measured."""
        self._append(PROBLEMS, problem.model_dump_json())

    def outcomes(self) -> list[Outcome]:
        """Return the trials that were made, each once, in their order."""
        found = {one.id: one for line in self._lines(OUTCOMES) if (one := _outcome(line))}
        return list(found.values())

    def problems(self) -> list[Problem]:
        """Return what could not be measured."""
        return [Problem.model_validate_json(line) for line in self._lines(PROBLEMS)]

    def inputs(self, outcome: Outcome) -> Inputs:
        """Return what the simulator is to be told of a trial."""
        place = self.path / INPUTS / f"{outcome.id}.json.gz"
        return inputs_from_json(json.loads(gzip.decompress(place.read_bytes())))

    def _lines(self, name: str) -> Iterator[str]:
        place = self.path / name
        if place.exists():
            yield from (line for line in place.read_text(encoding="utf-8").splitlines() if line)

    def _append(self, name: str, line: str) -> None:
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())


def _outcome(line: str) -> Outcome | None:
    try:
        return Outcome.model_validate_json(line)
    except ValidationError:
        return None  # the last line of a run that was killed while it wrote
