"""A run's directory: what is saved is whole, whatever ends the process.

A case is written beside its place, forced to disk and moved there in one step. A reader therefore
sees all of it or nothing of it, and a full disk costs the case at hand and none before it.
"""

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reme_benchmark.reports.errors import DifferentRunError, ResultsError, UnknownVersionError
from reme_benchmark.scoring.records import VERSION, CaseResult, Run, State

RUN = "run.json"
CASES = "cases"
GENERATED = frozenset({"summary.json", "summary.md", "report.html"})
SETTLED = frozenset({State.JUDGED, State.ASKED, State.NOT_APPLICABLE, State.INJECTION_FAILED})
"""A harness error is no answer, so that case is run again when the run is resumed."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TEMPORARY = ".writing-"


class Store:
    """The result directory of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, run: Run) -> Run:
        """Make the directory, or take up the run that is in it; return what is recorded there.

        A resumed run keeps its first record; where the code differs now, it counts as dirty, since
        no single commit made its results.

        Raises:
            DifferentRunError: another run, or something that is no run, is in there.
            ResultsError: it cannot be read or written.
        """
        if self._run_file.exists():
            return self._resume(run)
        if self.path.exists() and not self.path.is_dir():
            raise DifferentRunError(f"{self.path} is a file, not a directory for results")
        for case in run.cases:
            _file_name(case.id)
        strangers = self._strangers()
        if strangers:
            raise DifferentRunError(
                f"{self.path} holds something else ({', '.join(strangers[:3])}): "
                "choose a directory that is empty or does not exist"
            )
        self._write(RUN, run.model_dump_json(indent=2))
        return run

    def load_run(self) -> Run:
        """Return what was planned.

        Raises:
            ResultsError: there is no run here, or it cannot be read.
        """
        if not self._run_file.is_file():
            raise ResultsError(f"{self.path} holds no results: there is no {RUN} in it")
        return Run.model_validate(_versioned(self._run_file, Run))

    def save(self, result: CaseResult) -> None:
        """Keep the result of a case, in place of an earlier one.

        Raises:
            ResultsError: it could not be written; what was saved before is whole.
        """
        self._write(f"{CASES}/{_file_name(result.case.id)}", result.model_dump_json(indent=2))

    def results(self) -> list[CaseResult]:
        """Return the cases that have ended, in the order in which they were planned.

        Raises:
            ResultsError: one cannot be read, or was never planned.
        """
        order = {case.id: place for place, case in enumerate(self.load_run().cases)}
        found = []
        for file in sorted((self.path / CASES).glob("[!.]*.json")):
            result = CaseResult.model_validate(_versioned(file, CaseResult))
            if result.case.id not in order or file.name != _file_name(result.case.id):
                raise ResultsError(f"{file} is of case {result.case.id}, which was not planned")
            found.append(result)
        return sorted(found, key=lambda result: order[result.case.id])

    def done(self) -> set[str]:
        """Return the ids of the cases that need not be run again."""
        return {result.case.id for result in self.results() if result.state in SETTLED}

    def end(self, moment: datetime) -> Run:
        """Record when the run was complete, and return its record."""
        run = self.load_run().model_copy(update={"completion_time": moment})
        self._write(RUN, run.model_dump_json(indent=2))
        return run

    def write(self, name: str, text: str) -> Path:
        """Write one of the files that are generated from the results; return where it is."""
        if name not in GENERATED:
            raise ValueError(f"{name} is none of {', '.join(sorted(GENERATED))}")
        self._write(name, text)
        return self.path / name

    @property
    def _run_file(self) -> Path:
        return self.path / RUN

    def _strangers(self) -> list[str]:
        """Return what is in the directory and not of a run that has only just begun."""
        if not self.path.is_dir():
            return []
        names = sorted(entry.name for entry in self.path.iterdir())
        return [n for n in names if not (n.startswith(_TEMPORARY) or self._empty_cases(n))]

    def _empty_cases(self, name: str) -> bool:
        directory = self.path / name
        return name == CASES and directory.is_dir() and not any(directory.iterdir())

    def _resume(self, run: Run) -> Run:
        there = self.load_run()
        compared = ["suite", "method", "method_options", "seed"]
        if there.model and run.model:  # it is not always known before the first answer
            compared.append("model")
        differs = [
            f"{name} ({_short(before)} there, {_short(now)} here)"
            for name in compared
            if (before := getattr(there, name)) != (now := getattr(run, name))
        ]
        if not differs and there.cases != run.cases:
            differs = [f"cases ({len(there.cases)} there, {len(run.cases)} here, not all alike)"]
        if differs:
            raise DifferentRunError(
                f"{self.path} holds another run: it differs in {'; '.join(differs)}; "
                "resume it with the same options, or choose another directory"
            )
        for directory in (self.path, self.path / CASES):
            for left in directory.glob(f"{_TEMPORARY}*"):
                left.unlink(missing_ok=True)
        changed = there.commit != run.commit or run.dirty
        resumed = there.model_copy(
            update={"completion_time": None, "dirty": there.dirty or changed}
        )
        if resumed != there:
            self._write(RUN, resumed.model_dump_json(indent=2))
        return resumed

    def _write(self, name: str, text: str) -> None:
        place = self.path / name
        temporary = place.parent / f"{_TEMPORARY}{place.name}"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text if text.endswith("\n") else text + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place)
            _sync(place.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ResultsError(
                f"cannot write {place}: {error.strerror or error}; "
                "what was saved before is whole, and the run can be resumed"
            ) from error


def _sync(directory: Path) -> None:
    """Force the move itself to disk, not only what was moved."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_name(case: str) -> str:
    if not _SAFE.fullmatch(case):
        raise ResultsError(f"case id {case[:80]!r} cannot be the name of a file")
    return f"{case}.json"


def _versioned(file: Path, kind: type[Run] | type[CaseResult]) -> dict[str, Any]:
    """Return what a file holds, if this code reads its version and it is of the kind."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or "version" not in content:
        raise ResultsError(f"{file} is no result file: it has no version")
    if content["version"] != VERSION:
        raise UnknownVersionError(
            f"{file} is of version {_short(content['version'])}, and only {VERSION} is read here"
        )
    try:
        kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{file} is not valid at {where}: {first['msg']}") from error
    return content


def _short(value: object) -> str:
    text = json.dumps(value, default=str) if isinstance(value, dict) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
