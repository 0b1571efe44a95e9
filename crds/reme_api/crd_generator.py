"""Generates the CustomResourceDefinitions from the types: `python -m reme_api.crd_generator`.

Writes `crds/bases/*.yaml`, for kubectl, and the same content as templates of the Helm chart.
`--check` writes nothing, prints what differs and exits with 1.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reme_api.base import GROUP, VERSION, ApiObject
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.generated_files import sync
from reme_api.policy import RemediationPolicy
from reme_api.remediation import Remediation
from reme_api.report_input import accepting
from reme_api.run_grant import RunGrant
from reme_api.structural_schema import structural, with_messages, without_defaults

HEADER = "# Generated from the types by `python -m reme_api.crd_generator`; do not edit.\n"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; those of priority 1 are shown with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


def _condition(name: str, kind: str, part: str = "status", priority: int = 0) -> Column:
    return Column(name, f'.status.conditions[?(@.type=="{kind}")].{part}', priority=priority)


_AGE = Column("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the types do not say about a kind."""

    model: type[ApiObject]
    short: str
    columns: tuple[Column, ...] = field(default=())
    accepting: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Returns the schema of its spec with what is accepted beyond the type."""

    @property
    def file(self) -> str:
        """Name of its generated file."""
        return f"{self.model.PLURAL}.yaml"


KINDS = (
    Kind(
        DiagnosisReport,
        "dr",
        (
            Column("Target", ".spec.target.name"),
            Column("Fault", ".spec.fault.type"),
            _condition("Accepted", "Accepted"),
            _condition("Remediated", "Remediated"),
            Column("Outcome", ".status.remediations[-1:].outcome"),
            _AGE,
            Column("Kind", ".spec.target.kind", priority=1),
            Column("Message", ".status.message", priority=1),
        ),
        accepting,
    ),
    Kind(
        Remediation,
        "rem",
        (
            Column("Target", ".spec.target.name"),
            _condition("Succeeded", "Succeeded"),
            Column("Outcome", ".status.outcome"),
            _condition("Reason", "Succeeded", "reason"),
            _AGE,
            Column("Message", ".status.message", priority=1),
        ),
    ),
    Kind(
        RemediationPolicy,
        "rpol",
        (
            Column("Mode", ".spec.mode"),
            Column("Profile", ".spec.profile"),
            Column("Method", ".spec.method"),
            _condition("Ready", "Ready"),
            _condition("Reason", "Ready", "reason"),
            _AGE,
        ),
    ),
    Kind(
        RunGrant,
        "rgrant",
        (
            Column("Username", ".spec.username"),
            Column("NotAfter", ".spec.notAfter", "date", 1),
            _AGE,
        ),
    ),
)


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    schema = structural(kind.model)
    properties = schema["properties"]
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": with_messages(properties["spec"]),
    }
    if kind.accepting is not None:
        schema["properties"]["spec"] = kind.accepting(schema["properties"]["spec"])
    if "status" in properties:
        schema["properties"]["status"] = without_defaults(properties["status"])
    schema["required"] = [name for name in schema["required"] if name != "metadata"]
    if not schema["required"]:
        del schema["required"]
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
    }
    if "status" in properties:
        version["subresources"] = {"status": {}}
    model = kind.model
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{model.PLURAL}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "reme"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": model.KIND,
                "listKind": f"{model.KIND}List",
                "plural": model.PLURAL,
                "singular": model.KIND.lower(),
                "shortNames": [kind.short],
                "categories": ["reme"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def plain(kind: Kind) -> str:
    """Return the definition as a file for kubectl."""
    return HEADER + _yaml(definition(kind))


def template(kind: Kind) -> str:
    """Return the definition as a template of the Helm chart.

    Raises:
        ValueError: when a text would be taken for a template by Helm.

    """
    text = _yaml(definition(kind))
    if "{{" in text:
        raise ValueError(f"{kind.model.KIND}: a text holds {{{{, which Helm would evaluate")
    keep = (
        "metadata:\n"
        "  {{- if .Values.crds.keep }}\n"
        "  annotations:\n"
        "    helm.sh/resource-policy: keep\n"
        "  {{- end }}\n"
    )
    return (
        HEADER
        + "{{- if .Values.crds.enabled }}\n"
        + text.replace("metadata:\n", keep, 1)
        + "{{- end }}\n"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m reme_api.crd_generator", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument(
        "--out", type=Path, default=_ROOT / "crds/bases", help="folder of the plain definitions"
    )
    parser.add_argument(
        "--chart-out",
        type=Path,
        default=_ROOT / "charts/reme/templates/crds",
        help="folder of the chart's templates",
    )
    options = parser.parse_args(arguments)
    files = {options.out / kind.file: plain(kind) for kind in KINDS}
    files |= {options.chart_out / kind.file: template(kind) for kind in KINDS}
    return sync(files, check=options.check)


def _column(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
    }
    if column.priority:
        described["priority"] = column.priority
    return described


class _Dumper(yaml.SafeDumper):
    """Writes shared parts in full: an alias means nothing to a reader of a schema."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    sys.exit(main())
