"""Stores the results of a run in a directory, one file per case.

A file is written under a temporary name, synced and renamed, so that a reader sees a whole file or
none. A full disk or a killed process costs at most the case at hand.

ResultsError
├── DifferentRunError   the directory holds another run, so this one cannot be resumed in it
└── UnknownVersionError the files were written by another version of the benchmark
"""

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reme_benchmark.scoring.records import VERSION, CaseResult, Run, State

RUN = "run.json"
CASES = "cases"
GENERATED = frozenset({"summary.json", "summary.md", "report.html"})
SETTLED = frozenset({State.JUDGED, State.PROPOSED, State.NOT_APPLICABLE, State.INJECTION_FAILED})
"""A case that ended with a harness error runs again when the run is resumed."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TEMPORARY = ".writing-"


class ResultsError(Exception):
    """A result directory that cannot be read or written; the message says what to do."""


class DifferentRunError(ResultsError):
    """The directory holds another run."""


class UnknownVersionError(ResultsError):
    """The files were written by another version of the benchmark."""


class Store:
    """The result directory of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, run: Run) -> Run:
        """Create the directory, or resume the run in it; return the record of the run.

        A resumed run keeps its first record. It is marked dirty when the code has changed, because
        no single commit made its results.

        Raises:
            DifferentRunError: the directory holds another run, or other files.
            ResultsError: the directory cannot be read or written.
        """
        if self._run_file.exists():
            return self._resume(run)
        if self.path.exists() and not self.path.is_dir():
            raise DifferentRunError(f"{self.path} is a file, not a directory for results")
        for case in run.cases:
            _file_name(case.id)
        foreign = self._foreign_entries()
        if foreign:
            raise DifferentRunError(
                f"{self.path} holds other files ({', '.join(foreign[:3])}): "
                "choose a directory that is empty or does not exist"
            )
        self._write(RUN, run.model_dump_json(indent=2))
        return run

    def load_run(self) -> Run:
        """Return the record of the run.

        Raises:
            ResultsError: the directory holds no run, or the record cannot be read.
        """
        if not self._run_file.is_file():
            raise ResultsError(f"{self.path} holds no results: it has no file {RUN}")
        return Run.model_validate(_versioned(self._run_file, Run))

    def save(self, result: CaseResult) -> None:
        """Store the result of a case; an earlier one is replaced.

        Raises:
            ResultsError: the file cannot be written; earlier results are not affected.
        """
        self._write(f"{CASES}/{_file_name(result.case.id)}", result.model_dump_json(indent=2))

    def results(self) -> list[CaseResult]:
        """Return the results of the ended cases, in planned order.

        Raises:
            ResultsError: a file cannot be read, or its case was not planned.
        """
        order = {case.id: place for place, case in enumerate(self.load_run().cases)}
        stored = []
        for file in sorted((self.path / CASES).glob("[!.]*.json")):
            result = CaseResult.model_validate(_versioned(file, CaseResult))
            if result.case.id not in order or file.name != _file_name(result.case.id):
                raise ResultsError(
                    f"{file} holds case {result.case.id}, which the run did not plan"
                )
            stored.append(result)
        return sorted(stored, key=lambda result: order[result.case.id])

    def done(self) -> set[str]:
        """Return the ids of the cases that need not run again."""
        return {result.case.id for result in self.results() if result.state in SETTLED}

    def end(self, moment: datetime) -> Run:
        """Record the time at which the run was complete, and return its record."""
        run = self.load_run().model_copy(update={"completion_time": moment})
        self._write(RUN, run.model_dump_json(indent=2))
        return run

    def write(self, name: str, text: str) -> Path:
        """Write one of the generated files and return its path."""
        if name not in GENERATED:
            raise ValueError(f"{name} must be one of {', '.join(sorted(GENERATED))}")
        self._write(name, text)
        return self.path / name

    @property
    def _run_file(self) -> Path:
        return self.path / RUN

    def _foreign_entries(self) -> list[str]:
        """Return the entries of the directory that do not belong to a run that was just created."""
        if not self.path.is_dir():
            return []
        names = sorted(entry.name for entry in self.path.iterdir())
        return [n for n in names if not (n.startswith(_TEMPORARY) or self._empty_cases(n))]

    def _empty_cases(self, name: str) -> bool:
        directory = self.path / name
        return name == CASES and directory.is_dir() and not any(directory.iterdir())

    def _resume(self, run: Run) -> Run:
        stored = self.load_run()
        compared = ["suite", "method", "method_options", "seed"]
        if stored.model and run.model:  # unknown until the first answer, in some runs
            compared.append("model")
        differs = [
            f"{name} ({_short(before)} stored, {_short(now)} requested)"
            for name in compared
            if (before := getattr(stored, name)) != (now := getattr(run, name))
        ]
        if not differs and stored.cases != run.cases:
            differs = [
                f"cases ({len(stored.cases)} stored, {len(run.cases)} requested, not all equal)"
            ]
        if differs:
            raise DifferentRunError(
                f"{self.path} holds another run, which differs in {'; '.join(differs)}: "
                "resume it with the same options, or choose another directory"
            )
        for directory in (self.path, self.path / CASES):
            for unfinished in directory.glob(f"{_TEMPORARY}*"):
                unfinished.unlink(missing_ok=True)
        changed = stored.commit != run.commit or run.dirty
        resumed = stored.model_copy(
            update={"completion_time": None, "dirty": stored.dirty or changed}
        )
        if resumed != stored:
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
                f"cannot write {place}: {error.strerror or error}. "
                "Earlier results are not affected, and the run can be resumed"
            ) from error


def _sync(directory: Path) -> None:
    """Sync a directory, so that a rename in it survives a crash."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_name(case: str) -> str:
    if not _SAFE.fullmatch(case):
        raise ResultsError(f"case id {case[:80]!r} cannot be used as a file name")
    return f"{case}.json"


def _versioned(file: Path, kind: type[Run] | type[CaseResult]) -> dict[str, Any]:
    """Return the content of a result file after checking its version and its fields."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or "version" not in content:
        raise ResultsError(f"{file} is not a result file: it has no version")
    if content["version"] != VERSION:
        raise UnknownVersionError(
            f"{file} has version {_short(content['version'])}; only {VERSION} can be read"
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
