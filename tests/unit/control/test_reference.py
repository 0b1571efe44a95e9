"""The reference of metrics and settings is complete and current."""

from pathlib import Path

from reme_operator.app import reference
from reme_operator.settings import OperatorSettings

DOCS = Path(__file__).parents[3] / "docs/reference"


def test_every_setting_is_there_with_its_default() -> None:
    page = reference.settings_page()
    for name, field in OperatorSettings.model_fields.items():
        assert f"| `REME_{name.upper()}` |" in page
        assert field.description, name
    assert "| `REME_LEASE_RETRY_SECONDS` | `2` |" in page


def test_every_label_of_a_metric_is_explained() -> None:
    page = reference.metrics_page()
    assert "| `reme_playbook_rejections_total` | counter | `rule` |" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `reme_")]
    labels = {label.strip("`") for row in rows for label in row[2].split(", ") if label}
    for label in labels:
        assert f"\n| `{label}` |" in page, label


def test_the_committed_pages_are_current() -> None:
    assert reference.main(["--check"]) == 0
    assert (DOCS / "metrics.md").is_file()
