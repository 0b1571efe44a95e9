"""Stores a measurement in a directory: one line per trial, and the inputs for a replay.

The inputs of a trial are written before its line, so every line can be replayed.
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
    """The directory of one measurement."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, plan: Plan) -> Plan:
        """Create the directory, or continue the measurement in it.

        Raises:
            DifferentRunError: the directory holds another measurement.
            ResultsError: it cannot be written.
        """
        place = self.path / PLAN
        try:
            if place.exists():
                stored = self.plan()
                same = ("system", "seed", "window_seconds")  # more trials may follow
                differs = [n for n in same if getattr(stored, n) != getattr(plan, n)]
                if differs:
                    raise DifferentRunError(
                        f"{self.path} holds another measurement, with another {', '.join(differs)}"
                    )
                changed = plan.dirty or stored.commit != plan.commit
                plan = plan.model_copy(
                    update={"commit": stored.commit, "dirty": stored.dirty or changed}
                )
            (self.path / INPUTS).mkdir(parents=True, exist_ok=True)
            place.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ResultsError(f"cannot write {place}: {error.strerror or error}") from error
        return plan

    def plan(self) -> Plan:
        """Return the plan of the measurement.

        Raises:
            ResultsError: the directory holds no measurement.
        """
        try:
            return Plan.model_validate_json((self.path / PLAN).read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise ResultsError(f"{self.path} holds no fidelity measurement") from error

    def save(self, outcome: Outcome, inputs: Inputs) -> None:
        """Store a trial."""
        text = json.dumps(inputs_to_json(inputs), separators=(",", ":"))
        place = self.path / INPUTS / f"{outcome.id}.json.gz"
        place.write_bytes(gzip.compress(text.encode(), mtime=0))
        self._append(OUTCOMES, outcome.model_dump_json())

    def save_problem(self, problem: Problem) -> None:
        """Store why a fault, or a part of its trials, could not be measured."""
        self._append(PROBLEMS, problem.model_dump_json())

    def outcomes(self) -> list[Outcome]:
        """Return the stored trials, each once, in their order."""
        by_id = {one.id: one for line in self._lines(OUTCOMES) if (one := _outcome(line))}
        return list(by_id.values())

    def problems(self) -> list[Problem]:
        """Return the stored problems."""
        return [Problem.model_validate_json(line) for line in self._lines(PROBLEMS)]

    def inputs(self, outcome: Outcome) -> Inputs:
        """Return the inputs of the simulator for a trial."""
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
        return None  # the last line of a measurement that was killed while writing
