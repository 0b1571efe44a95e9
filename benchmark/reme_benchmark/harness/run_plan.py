"""What a run will do and how long that will take, said before anything is done."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from reme_benchmark.harness.capabilities import Capabilities
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault

_CASE_SECONDS = {"noop": 75.0, "oracle": 35.0, "restart": 55.0, "reme": 55.0}
"""Medians seen on two cores; a no-op costs most, as its oracle waits to the end."""
_UP_SECONDS = {"simple-micro": 15.0, "online-boutique": 30.0, "train-ticket": 90.0}


def estimate_seconds(cases: Sequence[Case], method: str, parallel: int) -> float:
    """Return about how long the cases take, with their systems brought up first."""
    by_system = Counter(case.system for case in cases)
    each = _CASE_SECONDS.get(method, 60.0)
    longest = max(by_system.values(), default=0) * each
    up = sum(_UP_SECONDS.get(name, 60.0) for name in by_system)
    return up + max(longest, len(cases) * each / max(1, min(parallel, len(by_system) or 1)))


def show(
    console: Console,
    cases: Sequence[Case],
    faults: Mapping[str, Fault],
    capabilities: Capabilities,
    *,
    method: str,
    parallel: int,
    title: str,
) -> None:
    """Print the plan."""
    table = Table("fault", "cases", "systems", "", title=title, title_justify="left")
    by_fault: dict[str, list[Case]] = {}
    for case in cases:
        by_fault.setdefault(str(case.control or case.fault), []).append(case)
    for name, of in sorted(by_fault.items()):
        fault = faults.get(of[0].fault or "")
        not_here = capabilities.why_not(fault) if fault else ""
        counts = Counter(c.system for c in of)
        systems = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
        note = f"[yellow]not applicable: {not_here}[/]" if not_here else ""
        table.add_row(name, str(len(of)), systems, note)
    console.print(table)
    minutes = estimate_seconds(cases, method, parallel) / 60
    console.print(
        f"{len(cases)} cases with {method}, {parallel} system(s) at once: about {minutes:.0f} min"
    )
