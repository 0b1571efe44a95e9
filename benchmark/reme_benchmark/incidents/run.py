"""Runs the suite of incidents: a few at once, resumable, one file per incident."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.markup import escape

from reme_benchmark.incidents.model import Incident, load
from reme_benchmark.incidents.play import Played, play
from reme_benchmark.incidents.verdict import Verdict
from reme_benchmark.kube.cluster import Cluster

SUITE = "incidents"
METHODS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "noop": {},
        "repair": {},
        "reme": {"method": "SoloGen"},
        "reme-thinkremed": {"method": "ThinkRemed"},
    }
)
"""The methods and what each sets in the policy: nothing, the known good repair, reme."""

_MARKS = {Verdict.RIGHT: "[green]✓[/]", Verdict.ERROR: "[yellow]![/]"}


@dataclass(frozen=True)
class SuiteOptions:
    """The options of a run of the suite."""

    method: str
    incidents: tuple[str, ...] = ()  # only those whose id contains one of these
    splits: tuple[str, ...] = ()
    results: Path | None = None
    parallel: int = 2
    wait_seconds: float = 360


def select(options: SuiteOptions) -> list[Incident]:
    """Return the incidents of a run.

    Raises:
        ValueError: an unknown method, or no incident matches.
    """
    if options.method not in METHODS:
        raise ValueError(
            f"the suite {SUITE} has no method {options.method!r}; it has {', '.join(METHODS)}"
        )
    chosen = [
        incident
        for incident in load()
        if (not options.incidents or any(word in incident.id for word in options.incidents))
        and (not options.splits or incident.split in options.splits)
    ]
    if not chosen:
        raise ValueError("no incident matches: `reme-bench list incidents` shows all")
    return chosen


async def run(options: SuiteOptions, console: Console) -> int:
    """Play the incidents that have no result yet, and return 1 if one could not be played."""
    incidents = select(options)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    results = options.results or Path("results") / f"{SUITE}-{options.method}-{stamp}"
    results.mkdir(parents=True, exist_ok=True)
    limit = asyncio.Semaphore(max(1, options.parallel))
    async with Cluster.from_environment() as cluster:

        async def one(incident: Incident) -> Played:
            file = results / f"{incident.id}.json"
            if file.exists():
                stored = Played.model_validate_json(file.read_text())
                if stored.grade.verdict is not Verdict.ERROR:
                    return stored
            async with limit:
                spec = dict(METHODS[options.method])
                wait = options.wait_seconds
                played = await play(cluster, incident, options.method, spec, wait_seconds=wait)
            _write(file, played)
            _print(console, played)
            return played

        records = await asyncio.gather(*(one(incident) for incident in incidents))
    print_counts(console, records)
    console.print(f"results in {results}", highlight=False)
    return int(any(one.grade.verdict is Verdict.ERROR for one in records))


def print_counts(console: Console, records: Sequence[Played]) -> None:
    """Print how many incidents ended with each verdict."""
    counts = dict.fromkeys(Verdict, 0)
    for record in records:
        counts[record.grade.verdict] += 1
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    console.print(f"{len(records)} incidents: {text}", highlight=False)


def load_results(results: Path) -> dict[str, Played]:
    """Return the stored records of a run, by incident."""
    records = (Played.model_validate_json(f.read_text()) for f in sorted(results.glob("*.json")))
    return {record.incident: record for record in records}


def _write(file: Path, played: Played) -> None:
    temporary = file.with_suffix(".writing")
    temporary.write_text(played.model_dump_json(indent=1) + "\n")
    temporary.replace(file)


def _print(console: Console, played: Played) -> None:
    grade = played.grade
    actions = "; ".join(action.summary for action in grade.actions)
    console.print(
        f"{_MARKS.get(grade.verdict, '[red]✗[/]')} {escape(played.incident):34.34} "
        f"{grade.verdict:8} {played.seconds:4.0f} s  "
        f"{escape(grade.reason)}{escape(f' [{actions}]' if actions else '')}",
        highlight=False,
        soft_wrap=True,
    )
