"""Writes docs/lab/performance.md from benchmark/results/path.json and other.json."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reme_benchmark.reports import pages
from reme_benchmark.reports.templates import render

PAGE = Path("docs/lab/performance.md")
GOALS_SECONDS = {"operator's own work": 1.0, "Job created to first task": 4.0}
MEMORY_GOAL_MEBIBYTES = 120
IMAGE_GOALS_MEBIBYTES = {"operator": 200, "sandbox": 350}

Json = dict[str, Any]


def page(path: Json, other: Json) -> str:
    """Return the page; `path` holds the steps, `other` sizes and further durations."""
    outcomes = path["outcomes"]
    return render(
        "performance.md.j2",
        path=path,
        other={"notes": [], **other},
        outcomes=", ".join(f"{outcomes.count(o)} {o}" for o in sorted(set(outcomes))),
        steps=list(_steps(path)),
        sizes=list(_sizes(path, other)),
    )


def compare_with_goal(value: float, goal: float | None) -> str:
    """Return whether a goal was met; empty without a goal."""
    if goal is None:
        return ""
    return f"under {goal:g}: {'met' if value < goal else 'missed'}"


def _steps(path: Json) -> Iterator[tuple[str, ...]]:
    for row in path["rows"]:
        goal = compare_with_goal(row["median"], GOALS_SECONDS.get(row["name"]))
        yield row["name"], f"{row['median']:.2f}", f"{row['p95']:.2f}", goal


def _sizes(path: Json, other: Json) -> Iterator[tuple[str, ...]]:
    memory = path.get("operator_memory_mebibytes")
    if memory is not None:
        goal = compare_with_goal(memory, MEMORY_GOAL_MEBIBYTES)
        yield "operator memory", f"{memory} MiB", goal
    for name, size in other.get("image_mebibytes", {}).items():
        goal = compare_with_goal(size, IMAGE_GOALS_MEBIBYTES.get(name))
        yield f"{name} image", f"{size} MiB", goal
    for row in other.get("durations", []):
        goal = compare_with_goal(row["seconds"], row.get("goal_seconds"))
        yield row["name"], f"{row['seconds']:.0f} s", goal


def main() -> int:
    """Write the page, or compare it."""
    chosen = pages.options("reme_benchmark.reports.performance_page", __doc__).parse_args()
    other_file = pages.RESULTS / "other.json"
    other = json.loads(other_file.read_text()) if other_file.exists() else {}
    path = json.loads((pages.RESULTS / "path.json").read_text())
    return pages.write(PAGE, page(path, other), check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())
