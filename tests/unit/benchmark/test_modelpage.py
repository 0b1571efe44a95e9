"""The page on the model says what the result files say."""

import json
from pathlib import Path
from typing import Any

from reme_benchmark.reports import model_page

SPEED = {
    "name": "bfloat16, eager",
    "bound": {"tokens_per_second": 40.0},
    "alone": {
        way: {
            "median_seconds": 2.5,
            "p90_seconds": 4.0,
            "median_tokens": 60,
            "tokens_per_second": 20.0,
        }
        for way in ("grammar", "free")
    },
    "together": {way: {"seconds": 30.0, "tokens_per_second": 55.0} for way in ("grammar", "free")},
}


def rate(passed: int, cases: int) -> dict[str, Any]:
    return {"passed": passed, "cases": cases, "rate": 0.5, "low": 0.25, "high": 0.75}


def evaluated(wrong: list[str]) -> dict[str, Any]:
    ids = ["a", "b", "c", "d"]
    right = len(ids) - len(wrong)
    figures = {
        "acceptable": rate(right, 4),
        "false_action": rate(0, 0),
        "invalid": rate(0, 4),
        "abstention_precision": rate(1, 2),
        "by_kind": {"held-out": rate(right, 4)},
        "by_quality": {"full": rate(right, 4)},
        "by_fault": {"bad-image": rate(right, 4)},
    }
    return {
        "ids": ids,
        "modes": {"constrained": figures},
        "failures": {"constrained": [{"id": one} for one in wrong]},
    }


def test_stages_are_compared_incident_by_incident(tmp_path: Path) -> None:
    (tmp_path / "asked-before.json").write_text(json.dumps(evaluated(["a", "b", "c"])))
    (tmp_path / "asked-rft.json").write_text(json.dumps(evaluated(["a"])))
    (tmp_path / "speed-one.json").write_text(json.dumps(SPEED))
    text = model_page.section(tmp_path)
    pair = "SFT before, then Sim-RFT against SFT, as released before"
    assert f"{pair}, paired over 4 incidents: 2 better, 0 worse" in text
    assert "| SFT, as released before | grammar | 1 of 4 (25 to 75%) |" in text
    assert "| kind held-out | 1 of 4 | 3 of 4 |" in text
    assert "Never right by the last model: none." in text
    assert "| bfloat16, eager | grammar | 2.50 |" in text


def test_only_what_stands_between_the_marks_is_written() -> None:
    page = f"before\n{model_page.BEGIN}\nold\n{model_page.END}\nafter\n"
    assert model_page.replace_section(page, "new\n") == (
        f"before\n{model_page.BEGIN}\n\nnew\n{model_page.END}\nafter\n"
    )
