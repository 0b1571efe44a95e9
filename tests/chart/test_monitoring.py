"""Alerts and panels ask for metrics that exist, with labels and words that exist."""

import json
import re
from collections.abc import Iterator

import pytest
from prometheus_client import Metric

from reme_api.reasons import Outcome, Reason
from reme_operator.telemetry.metrics import Metrics
from tests.support.chart import CHART, ROOT, Object, render

DASHBOARD = CHART / "dashboards" / "reme.json"
SERIES = re.compile(r"\b((?:reme|process)_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
# What a scrape adds to every series.
SCRAPED = {"namespace", "job", "pod", "le"}


def families() -> dict[str, Metric]:
    """Return every series name of the operator, and its metric."""
    metrics: dict[str, Metric] = {}
    for family in Metrics("1").registry.collect():
        suffixes = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_count", "_sum"],
        }.get(family.type, [""])
        metrics |= {f"{family.name}{suffix}": family for suffix in suffixes}
    return metrics


def alerts() -> list[Object]:
    rule = render("everything").one("PrometheusRule", "repairs-operator")
    rules: list[Object] = rule["spec"]["groups"][0]["rules"]
    return rules


def panels() -> list[Object]:
    objects: list[Object] = json.loads(DASHBOARD.read_text())["panels"]
    return objects


def expressions() -> Iterator[tuple[str, str]]:
    for alert in alerts():
        yield alert["alert"], alert["expr"]
    for panel in panels():
        for query in panel.get("targets", []):
            yield panel["title"], query["expr"]


def test_every_series_that_is_asked_for_exists() -> None:
    known = families()
    items = [(who, name) for who, text in expressions() for name, _ in SERIES.findall(text)]
    assert items
    assert [(who, name) for who, name in items if name not in known] == []


def label_names(metric: Metric) -> set[str]:
    return {label for sample in metric.samples for label in sample.labels}


def test_every_label_that_is_asked_for_exists() -> None:
    known = families()
    for who, text in expressions():
        for name, matchers in SERIES.findall(text):
            # a metric that has no series yet shows no labels
            mine = label_names(known[name]) or {"kind"}
            members = {label for label, _, _ in MATCHER.findall(matchers)} - SCRAPED
            assert members <= mine, (who, name)
        for grouped in re.findall(r"\bby \(([^)]*)\)", text):
            names = {name.strip() for name in grouped.split(",")} - SCRAPED
            labels = {la for n, _ in SERIES.findall(text) for la in label_names(known[n])}
            assert names <= labels | {"kind", "rule", "task"}, who


def test_every_outcome_and_reason_that_is_asked_for_exists() -> None:
    words = {"outcome": {o.value for o in Outcome}, "reason": {r.value for r in Reason}}
    for who, text in expressions():
        for label, _, value in MATCHER.findall(text):
            if label in words:
                assert set(value.split("|")) <= words[label], who


def test_every_alert_looks_at_its_own_release() -> None:
    for alert in alerts():
        for _, matchers in SERIES.findall(alert["expr"]):
            assert 'namespace="reme-system",job="repairs-operator"' in matchers, alert["alert"]


def test_every_alert_says_what_is_wrong_and_the_docs_what_to_do() -> None:
    operations = (ROOT / "docs" / "how-to" / "operate.md").read_text()
    for alert in alerts():
        assert alert["annotations"]["summary"].endswith(".")
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert f"`{alert['alert']}`" in operations


def test_every_metric_of_reme_is_on_the_dashboard() -> None:
    shown = {
        name for p in panels() for q in p.get("targets", []) for name in SERIES.findall(str(q))
    }
    text = DASHBOARD.read_text()
    assert shown
    for metric in Metrics("1").registry.collect():
        if metric.name.startswith("reme_"):
            assert metric.name in text, metric.name


def test_the_dashboard_is_generated_and_says_so() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["uid"] == "reme-operator"
    assert "do not edit" in dashboard["description"]
    assert dashboard["editable"] is False
    variables = {v["name"]: v for v in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    sources = {p["datasource"]["uid"] for p in panels() if p.get("targets")}
    assert sources == {"${datasource}"}


def test_the_dashboard_reaches_grafana_unchanged() -> None:
    config_map = render("everything").one("ConfigMap", "repairs-dashboards")
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(config_map["data"]["reme.json"]) == json.loads(DASHBOARD.read_text())


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PrometheusRule", "ConfigMap"])
def test_nothing_for_prometheus_is_made_unless_asked(kind: str) -> None:
    assert render("default").of(kind) == []


def test_the_service_monitor_finds_the_port_of_the_service() -> None:
    rendered = render("everything")
    monitor = rendered.one("ServiceMonitor", "repairs-operator")["spec"]
    service = rendered.one("Service", "repairs-operator")
    selector = monitor["selector"]["matchLabels"]
    assert selector.items() <= service["metadata"]["labels"].items()
    ports = {p["name"] for p in service["spec"]["ports"]}
    assert {e["port"] for e in monitor["endpoints"]} <= ports
