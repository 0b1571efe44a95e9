"""The training report is written from result files only."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from reme_lab.training import curves, reply_metrics, report
from reme_lab.training.dataset import Incident
from reme_lab.training.reply_metrics import Outcome

RUN = {
    "event": "run",
    "base": "Tiny",
    "base_digest": "sha256:00",
    "plan": {
        "examples_per_step": 8,
        "learning_rate": 8e-4,
        "warmup_steps": 10,
        "clip": 1.0,
        "seed": 1,
    },
    "data": {"train.jsonl": "sha256:11"},
}
STEPS: list[dict[str, Any]] = [
    {"event": "step", "step": n, "seconds": 60.0 * n, "loss": 2 / n, "tokens_per_second": 200 + n}
    for n in range(1, 11)
]
DEV = {"event": "dev", "step": 10, "seconds": 610.0, "dev_loss": 0.3, "free_exact": 0.5}


def folder_of_results(folder: Path) -> Path:
    folder.mkdir()
    log = "".join(json.dumps(line) + "\n" for line in (RUN, *STEPS, DEV))
    (folder / "sft.jsonl").write_text(log)
    split = {"traces": 2, "kinds": {"repair": 2}, "digest": "sha256:22"}
    manifest = {"seed": 1, "splits": {"train": split, "dev": split, "test": split}}
    (folder / "incidents.json").write_text(json.dumps(manifest))
    message = {"role": "user", "content": "what now"}
    raw = {"id": "1", "fault": "slow", "kind": "repair", "messages": [message], "answer": "[1]"}
    incident = Incident.model_validate(raw)
    outcomes = [Outcome(incident, reply) for reply in ("[1]", "[1]", "[2]", "no")]
    modes = {"free": reply_metrics.summary(outcomes)}
    result = {"traces": 4, "data_digest": "sha256:22", "modes": modes}
    (folder / "sft-test.json").write_text(json.dumps(result))
    return folder


def test_a_picture_has_a_curve_for_all_that_was_logged() -> None:
    panels = curves.panels([RUN, *STEPS, DEV])
    assert [panel.title for panel in panels] == [
        "loss per token of the reply",
        "share of dev incidents",
        "tokens per second",
    ]
    picture = ET.fromstring(curves.svg("a & b", panels))
    drawn = [one.get("d", "") for one in picture.iter() if one.get("fill") == "none"]
    assert [d.count("L") for d in drawn] == [9, 0, 0, 9]


def test_the_figures_are_those_of_the_files(tmp_path: Path) -> None:
    text = report.section(folder_of_results(tmp_path / "results"))
    assert "| SFT | the base | 10 | 80 | 10 | 206 | 1 |" in text
    assert "| exactly the expert's reply | 2 of 4 (15 to 85%) |" in text
    assert "| invalid | 1 of 4 (5 to 70%) |" in text
    assert "| fault slow" not in text
    assert "4 incidents of the test split" in text
    assert "Never right" not in text


def test_runs_before_the_last_stand_in_their_order(tmp_path: Path) -> None:
    results = folder_of_results(tmp_path / "results")
    for earlier in (10, 9, 1):
        (results / f"sft-{earlier}.jsonl").write_bytes((results / "sft.jsonl").read_bytes())
    text = report.section(results)
    names = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| SFT")]
    assert names == ["SFT, earlier run 1", "SFT, earlier run 9", "SFT, earlier run 10", "SFT"]


def test_each_run_tells_from_where_it_went_on(tmp_path: Path) -> None:
    results = folder_of_results(tmp_path / "results")
    starts: list[dict[str, Any] | None] = [
        None,
        {"step": 10, "data": {"train.jsonl": "sha256:aa1"}},
        {"adapter": "sha256:0123456789abcdef"},
        {"step": 10, "data": {"train.jsonl": "sha256:unknown"}},
    ]
    for number, start in enumerate(starts, 1):
        run = RUN | {"data": {"train.jsonl": f"sha256:aa{number}"}}
        run |= {"start": start} if start else {}
        log = "".join(json.dumps(line) + "\n" for line in (run, *STEPS))
        (results / f"sft-{number}.jsonl").write_text(log)
    rows = [line.split("|") for line in report.section(results).splitlines()]
    assert [row[2].strip() for row in rows if row[1:] and row[1].startswith(" SFT, earlier")] == [
        "the base",
        "SFT, earlier run 1",
        "adapter `0123456789ab`",
        "incidents `unknown`",
    ]


def test_a_run_has_what_it_wrote_at_its_end(tmp_path: Path) -> None:
    results = folder_of_results(tmp_path / "results")
    (results / "sft-1.jsonl").write_bytes((results / "sft.jsonl").read_bytes())
    for name, passed in (("sft-1-test.json", 7), ("sft-end-test.json", 6), ("sft-test.json", 8)):
        result = json.loads((results / "sft-test.json").read_bytes())
        result["modes"] = {"constrained": result["modes"].popitem()[1]}
        result["modes"]["constrained"]["acceptable"] |= {"passed": passed, "cases": 9}
        (results / name).write_text(json.dumps(result))
    text = report.section(results)
    lasts = [line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("| SFT")]
    assert lasts == ["7 of 9", "6 of 9"]
    assert "| an acceptable reply | 8 of 9" in text


def test_what_never_succeeds_is_said(tmp_path: Path) -> None:
    results = folder_of_results(tmp_path / "results")
    result = json.loads((results / "sft-test.json").read_bytes())
    result["modes"]["free"]["by_fault"]["slow"]["passed"] = 0
    (results / "sft-test.json").write_text(json.dumps(result))
    assert "Never right (free): slow (0 of 4)." in report.section(results)


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.replaced(page, "new") == (f"before\n{report.BEGIN}\n\nnew\n{report.END}\nafter\n")


def test_the_card_names_base_data_and_digest(tmp_path: Path) -> None:
    results, adapter = folder_of_results(tmp_path / "results"), tmp_path / "adapter"
    adapter.mkdir()
    config = {"base_model_name_or_path": "Tiny", "r": 4, "lora_alpha": 8}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (adapter / "adapter_model.safetensors").write_bytes(b"0" * 1000)
    text = report.card(results, adapter)
    assert "rank 4 (alpha 8)" in text
    assert "this one is the end of SFT among the runs below" in text
    assert "`sha256:11`" in text
    assert report.section(results) in text
    (results / "export.json").write_text('{"stage": "rft", "share": 1}')
    assert "is the end of SFT and Sim-RFT among" in report.card(results, adapter)
    (results / "export.json").write_text('{"share": 0.75, "since": "sft-2"}')
    assert "this one lies between two of the runs below" in report.card(results, adapter)


def test_the_part_of_the_way_that_was_gone_is_said(tmp_path: Path) -> None:
    results = folder_of_results(tmp_path / "results")
    assert "of the way" not in report.section(results)
    (results / "export.json").write_text('{"share": 0.5}')
    assert "lies 50% of the way from the start of the last run to its end" in report.section(
        results
    )
    (results / "export.json").write_text('{"share": 0.75, "since": "sft-2"}')
    assert "lies 75% of the way from SFT, earlier run 2 to the last run" in report.section(results)
