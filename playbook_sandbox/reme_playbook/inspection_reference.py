"""Writes the page about all inspections: `python -m reme_playbook.inspection_reference`.

`--check` writes nothing, prints what differs and exits with 1. Each inspection class says in words
what it reads, which rights that needs and what bounds it.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reme_api.generated_files import sync
from reme_playbook.inspections.base import MAX_FINDINGS
from reme_playbook.inspections.registry import MAX_CANDIDATES, PUBLIC, Inspection
from reme_playbook.snapshot.finding import MAX_TEXT, FindingKind

HEADER = (
    "<!-- Generated from the code by `python -m reme_playbook.inspection_reference`;"
    " do not edit. -->\n"
)
_INTRODUCTION = f"""\
An inspection is a typed read of the cluster: method `ThinkRemed` of a policy chooses some of them
in every round of an investigation, before a playbook is written. Which ones may be asked for is
computed from the cluster, at most {MAX_CANDIDATES}, so that nobody can name an object that does not
exist. Arguments are names and numbers of fixed form: no text of the cluster or of a model becomes
one.

An inspection reads and never writes. It ends after 10 s, and its result has at most {MAX_FINDINGS}
findings of one line and {MAX_TEXT} characters each: redacted, without invisible characters and
without marks of chat templates. A read that fails is a result too, with the finding `Unavailable`,
which says nothing about its subject; so does one for which the operator has no right. Secrets are
never read.

To add one, see [Add an inspection](../how-to/add-an-inspection.md)."""

KINDS: Mapping[FindingKind, str] = {
    FindingKind.NORMAL: "Nothing wrong was seen; or what is wrong was so while all was well.",
    FindingKind.UNAVAILABLE: "It could not be read, which says nothing.",
    FindingKind.LOG_ERROR: "A log names an error that is no older than the fault.",
    FindingKind.WARNING_EVENT: "A controller, the scheduler or the kubelet warns.",
    FindingKind.OUT_OF_MEMORY: "A container was killed for memory.",
    FindingKind.USAGE_HIGH: "A container uses 90% of a limit of its pod, or more.",
    FindingKind.INIT_CONTAINER_FAILED: "An init container keeps a pod from starting.",
    FindingKind.NO_ENDPOINTS: "A Service leads to no ready pod.",
    FindingKind.PORT_MISMATCH: "A Service leads to a port on which no pod listens.",
    FindingKind.FOREIGN_ENDPOINTS: "A Service also leads to pods of another workload.",
    FindingKind.REQUEST_FAILED: "A request to a Service failed, by its status or by an error.",
    FindingKind.WORKLOAD_NOT_READY: "A workload has fewer ready pods than desired, or is stuck.",
    FindingKind.DEPENDENCY_MISSING: "A dependency is named that no Service or pod provides.",
    FindingKind.DEPENDENCY_OUTSIDE: "A dependency fails that is in another namespace or outside.",
    FindingKind.RECENT_CHANGE: "It was changed at most ten minutes before the fault began, or one"
    " of the times is not known.",
    FindingKind.EARLIER_CHANGE: "It was changed long before the fault began: no likely cause.",
    FindingKind.QUOTA_EXCEEDED: "An amount of a quota is used up, and pods are missing for it.",
    FindingKind.NODE_UNHEALTHY: "A node is not ready, under pressure, or refuses pods that wait.",
    FindingKind.METRIC: "The value of a query.",
}
"""What each kind of finding states."""
_OUT = Path(__file__).parents[2] / "docs/reference/inspections.md"


def reference() -> str:
    """Return the whole page as Markdown."""
    lines = [HEADER, "# Inspections", "", _INTRODUCTION, ""]
    lines += ["| Inspection | What it shows | Rights of the operator |", "|---|---|---|"]
    for name, inspection in PUBLIC.items():
        lines.append(
            f"| [{name}](#{name.lower()}) | {_summary(inspection)} | {_rights(inspection)} |"
        )
    for inspection in PUBLIC.values():
        lines += ["", *_section(inspection)]
    lines += ["", "## Kinds of findings", "", "| Kind | What it states |", "|---|---|"]
    lines += [f"| `{kind}` | {text} |" for kind, text in KINDS.items()]
    return "\n".join(lines) + "\n"


def _section(inspection: type[Inspection]) -> Iterator[str]:
    yield f"## {inspection.NAME}"
    yield ""
    yield _summary(inspection)
    yield ""
    yield f"- Reads: {inspection.READS}."
    yield f"- Rights: {_rights(inspection)}."
    yield f"- Bounds: {inspection.BOUNDS}."
    yield f"- Findings: {', '.join(f'`{kind}`' for kind in inspection.SHOWS)}."
    arguments = list(_arguments(inspection))
    if arguments:
        yield ""
        yield "| Argument | Type | What it means |"
        yield "|---|---|---|"
        yield from arguments


def _arguments(inspection: type[Inspection]) -> Iterator[str]:
    schema = inspection.model_json_schema()
    for name, field in schema["properties"].items():
        if name != "subject":
            yield f"| `{name}` | {_type(field)} | {field.get('description', '')} |"


def _type(field: Mapping[str, Any]) -> str:
    """Return the type of an argument in words, with its bounds."""
    for choice in field.get("anyOf", ()):
        if choice.get("type") != "null":
            return f"{_type(choice)}, or nothing"
    words = {"integer": "number", "boolean": "true or false", "string": "text"}
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    text = words.get(str(field.get("type")), str(field.get("type")))
    bounds = [str(field[key]) for key in ("minimum", "maximum") if key in field]
    if bounds:
        return f"{text}, {' to '.join(bounds)}" if len(bounds) == 2 else f"{text}, from {bounds[0]}"
    if "maxLength" in field:
        return f"{text} of fixed form, at most {field['maxLength']} characters"
    return text


def _summary(inspection: type[Inspection]) -> str:
    return str(inspection.__doc__).partition("\n")[0]


def _rights(inspection: type[Inspection]) -> str:
    return ", ".join(f"`{right}`" for right in inspection.RIGHTS)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reme_playbook.inspection_reference", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--out", type=Path, default=_OUT, help="the file to write")
    options = parser.parse_args(arguments)
    return sync({options.out: reference()}, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
