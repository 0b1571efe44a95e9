"""Writes `metrics.md` and `settings.md` of the reference: `python -m reme_operator.app.reference`.

`--check` writes nothing, prints what differs and exits with 1.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic.fields import FieldInfo

from reme_api.generated_files import sync
from reme_operator.settings import OperatorSettings
from reme_operator.telemetry.metrics import Metrics

_HEADER = (
    "<!-- Generated from the code by `python -m reme_operator.app.reference`; do not edit. -->\n"
)
_METRICS = """\
The operator serves its metrics at `/metrics` on port 8080. Labels have a bounded set of values; no
label is the name of an object. A counter exists from the start, with the value 0, for the values
that alerts use. The values of `outcome`, `reason` and `step` are in
[Conditions and reasons](reasons.md)."""
_LABELS = {
    "choice": "`Inspect`, `Act`, `Abstain`, `FollowCause`",
    "in_flight": "`Drain`, `Abort`: what happens to runs in flight",
    "kind": "`prompt`, `completion` of tokens; the kind of an unreadable object",
    "le": "",
    "outcome": "[outcome](reasons.md#outcomes)",
    "reason": "[reason](reasons.md#reasons)",
    "inspection": "name of the inspection, such as `ContainerLogs`",
    "result": "`ok`, `error`, `timeout`; of an inspection `abnormal`, `normal`, `unavailable`",
    "rule": "rule of validation that the playbook broke, or `Other`",
    "task": "name of the background task",
    "step": "[step](reasons.md#steps)",
    "version": "version of the operator",
}
_SETTINGS = """\
The operator reads its settings from environment variables at the start; an empty variable counts as
absent. The Helm chart sets them from its values; set others with `operator.extraEnv`."""
_FOLDER = Path(__file__).parents[3] / "docs/reference"


def metrics_page() -> str:
    """Return the reference of the metrics as Markdown."""
    registry = CollectorRegistry()
    metrics = Metrics(registry=registry)
    metrics.register_rules(())  # a family without samples does not show its labels
    metrics.register_background_tasks(["task"])
    metrics.object_unreadable("")
    lines = [_HEADER, "# Metrics", "", _METRICS, ""]
    lines += ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|"]
    for family in sorted(registry.collect(), key=lambda family: family.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        keys = sorted({key for sample in family.samples for key in sample.labels} - {"le"})
        labels = ", ".join(f"`{key}`" for key in keys)
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    lines += ["", "| Label | Values |", "|---|---|"]
    lines += [f"| `{label}` | {values} |" for label, values in _LABELS.items() if values]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return the reference of the operator's settings as Markdown."""
    lines = [_HEADER, "# Settings of the operator", "", _SETTINGS, ""]
    lines += ["| Variable | Required or default | Meaning |", "|---|---|---|"]
    for name, field in OperatorSettings.model_fields.items():
        meaning = " ".join([field.description or "", *_bounds(field)]).strip()
        lines.append(f"| `REME_{name.upper()}` | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m reme_operator.app.reference")
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--out", type=Path, default=_FOLDER, help="folder of the pages")
    options = parser.parse_args(arguments)
    pages = {"metrics.md": metrics_page(), "settings.md": settings_page()}
    return sync({options.out / name: text for name, text in pages.items()}, check=options.check)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "name of the pod"
    value: Any = field.default
    if value is None or value == ():
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _bounds(field: FieldInfo) -> Iterator[str]:
    values = getattr(field.annotation, "__args__", ())
    if values and all(isinstance(value, str) for value in values):
        yield "One of " + ", ".join(f"`{value}`" for value in values) + "."
    limits = {
        name: getattr(rule, name)
        for rule in field.metadata
        for name in ("ge", "gt", "le")
        if hasattr(rule, name)
    }
    if "ge" in limits and "le" in limits:
        yield f"{limits['ge']} to {limits['le']}."
    elif "gt" in limits and "le" in limits:
        yield f"More than {limits['gt']}, at most {limits['le']}."
    elif "gt" in limits:
        yield f"More than {limits['gt']}."


if __name__ == "__main__":
    sys.exit(main())
