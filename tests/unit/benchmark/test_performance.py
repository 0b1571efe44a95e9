"""The page says of each figure whether it met its goal."""

from reme_benchmark.reports.performance_page import page

ROWS = [
    {"name": "Baseline", "median": 2.0, "p95": 2.5},
    {"name": "operator's own work", "median": 0.4, "p95": 0.6},
    {"name": "Job created to first task", "median": 4.2, "p95": 5.0},
]
PATH = {
    "runs": 3,
    "outcomes": ["Verified", "Verified", "RolledBack"],
    "rows": ROWS,
    "operator_memory_mebibytes": 130,
    "machine": {"cores": 2},
}


def test_goals_are_judged_by_the_figures() -> None:
    text = page(PATH, {"image_mebibytes": {"operator": 150}, "notes": ["why it is so"]})
    assert "| operator's own work | 0.40 | 0.60 | under 1: met |" in text
    assert "| Job created to first task | 4.20 | 5.00 | under 4: missed |" in text
    assert "| operator memory | 130 MiB | under 120: missed |" in text
    assert "| operator image | 150 MiB | under 200: met |" in text
    assert "1 RolledBack, 2 Verified" in text
    assert text.endswith("- why it is so\n")


def test_a_figure_without_a_goal_is_only_shown() -> None:
    assert "| Baseline | 2.00 | 2.50 |  |" in page(PATH, {})
