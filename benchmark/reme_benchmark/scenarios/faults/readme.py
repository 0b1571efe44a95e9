"""The README of each fault, generated from its file: `python -m reme_benchmark.scenarios.faults.readme`."""  # noqa: E501

import sys

from reme_benchmark.scenarios.faults.catalog import DATA, faults
from reme_benchmark.scenarios.faults.model import Fault, Split

_INTRODUCTION = "Generated from `fault.yaml` by `python -m reme_benchmark.scenarios.faults.readme`."


def readme(fault: Fault) -> str:
    """Return what people should know of a fault, in Markdown."""
    facts = [f"group `{fault.group}`"]
    if fault.published:
        facts.append("one of MicroRemed's")
    if fault.held_out:
        facts.append("kept from training")
    if fault.exclusive:
        facts.append("disturbs the whole cluster, so nothing else runs meanwhile")
    if fault.needs:
        facts.append(f"needs {', '.join(fault.needs)}")
    lines = [
        f"# {fault.title}",
        "",
        f"`{fault.id}`: {'; '.join(facts)}.",
        "",
        fault.description,
        "",
        "## Restart" if not fault.control else "## Why nothing is to be done",
        "",
        fault.why_not_restart,
    ]
    if fault.repairs:
        lines += ["", "## Good repairs, the least disruptive first", ""]
        lines += [f"{n}. {repair.title}" for n, repair in enumerate(fault.repairs, 1)]
    if fault.parameters:
        lines += ["", "## Parameters", "", "| name | train | dev | held-out |", "|---|---|---|---|"]
        lines += [
            f"| `{name}` | {' | '.join(_shown(by_split[split]) for split in Split)} |"
            for name, by_split in fault.parameters.items()
        ]
    return "\n".join([*lines, "", _INTRODUCTION, ""])


def _shown(values: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in values)


def main() -> int:
    """Write every README; return 1 when one of them was not as it should be."""
    changed = 0
    for fault in faults().values():
        path, text = DATA / fault.id / "README.md", readme(fault)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed += 1
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main())
