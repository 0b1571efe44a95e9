"""The parts of training that need no model."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as strategies

from reme_benchmark.reports.statistics import wilson
from reme_lab.training import dataset, metrics_log, recipe, reply_metrics, schedule, tokenization
from reme_lab.training.errors import BadRecipeError, NoIncidentsError
from reme_lab.training.recipe import Steps
from reme_lab.training.schedule import BatchSampler

ABSTENTION = '{"abstain":"healthy"}'
RESTART = '[{"kubernetes.core.k8s":{"kind":"Deployment"}}]'


def an_incident(answer: str = RESTART, **more: object) -> dataset.Incident:
    messages = [{"role": "user", "content": "what now"}]
    raw = {"id": "1", "fault": "f", "kind": "repair", "messages": messages, "answer": answer}
    return dataset.Incident.model_validate({**raw, **more})


# --- the tree of replies
def test_between_decisions_everything_is_forced() -> None:
    root = tokenization.build_tree([(1, 2, 3, 0), (1, 2, 4, 0), (1, 2, 4, 5, 0)])
    tokens, node = tokenization.forced_tokens(root)
    assert tokens == [1, 2]
    assert set(node.children) == {3, 4}
    rest, end = tokenization.forced_tokens(node.children[3])
    assert (rest, end.reply) == ([0], 0)


def test_decisions_are_the_places_where_another_token_was_possible() -> None:
    root = tokenization.build_tree([(1, 2, 3, 0), (1, 2, 4, 0), (1, 2, 4, 5, 0)])
    assert tokenization.decisions(root, (1, 2, 4, 5, 0)) == [(2, (3, 4)), (3, (0, 5))]


# --- the order of examples
@given(
    strategies.lists(strategies.integers(1, 50), min_size=1, max_size=300),
    strategies.integers(1, 9),
)
def test_an_epoch_has_every_example_once_but_for_a_rest(lengths: list[int], size: int) -> None:
    order = BatchSampler(lengths, size, seed=3)
    counts = Counter(i for step in range(order.steps_per_epoch) for i in order.batch(step))
    assert set(counts.values()) == {1}
    assert len(lengths) - len(counts) < min(size, len(lengths))
    again = BatchSampler(lengths, size, seed=3)
    assert all(order.batch(step) == again.batch(step) for step in (0, order.steps_per_epoch + 1))


def test_steps_hold_examples_of_like_length() -> None:
    lengths = [n % 100 for n in range(1600)]
    order = BatchSampler(lengths, 8, seed=1)
    widths = [
        max(lengths[i] for i in order.batch(step)) - min(lengths[i] for i in order.batch(step))
        for step in range(order.steps_per_epoch)
    ]
    assert sum(widths) / len(widths) < 12


# --- the schedule
def test_the_rate_climbs_and_falls() -> None:
    plan = Steps(learning_rate=1.0, warmup_steps=3, final_rate=0.1, steps=100)
    rates = [schedule.rate(plan, step, schedule.progress(plan, step, 0)) for step in range(101)]
    assert rates[0] == pytest.approx(0.25)
    assert max(rates) == rates[3]
    assert rates[-1] == pytest.approx(0.1)


def test_the_scarcer_budget_counts() -> None:
    plan = Steps(minutes=10, steps=100)
    assert schedule.progress(plan, 50, 60) == pytest.approx(0.5)
    assert schedule.progress(plan, 10, 540) == pytest.approx(0.9)
    assert schedule.progress(plan, 10, 10_000) == 1.0


# --- incidents
def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NoIncidentsError, match="make incidents"):
        dataset.read(tmp_path / "train.jsonl")


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(an_incident().model_dump_json() + '\n{"id":"2"}\n')
    with pytest.raises(NoIncidentsError, match="line 2"):
        dataset.read(path)


def test_what_is_possible_is_told_by_rewards_alone() -> None:
    assert an_incident().possible == ()
    incident = an_incident(candidates={RESTART: 1.0, "[2]": 0.1})
    assert set(incident.possible) == {RESTART, "[2]", *dataset.ABSTENTIONS}
    assert (incident.reward("[2]"), incident.reward("[3]"), an_incident().reward(RESTART)) == (
        0.1,
        0.0,
        1.0,
    )


# --- counting
def test_spaces_do_not_make_a_reply_wrong() -> None:
    spaced = json.dumps(json.loads(RESTART), indent=1)
    assert reply_metrics.Outcome(an_incident(), spaced).exact
    assert not reply_metrics.Outcome(an_incident(), RESTART[:-1]).valid


def test_abstentions_are_counted_both_ways() -> None:
    repair, nothing = an_incident(), an_incident(ABSTENTION)
    pairs = ((repair, ABSTENTION), (nothing, ABSTENTION), (nothing, RESTART), (repair, RESTART))
    summary_of_replies = reply_metrics.summary(
        [reply_metrics.Outcome(incident, reply) for incident, reply in pairs]
    )
    assert summary_of_replies["abstention_precision"]["rate"] == 0.5
    assert summary_of_replies["abstention_recall"]["rate"] == 0.5
    assert summary_of_replies["false_action"]["passed"] == 1
    assert summary_of_replies["exact"]["passed"] == 2


def test_the_interval_is_the_one_of_the_benchmark() -> None:
    # The benchmark's is checked against statsmodels.
    for passed, cases in ((0, 7), (8, 10), (10, 10), (431, 600)):
        share = reply_metrics.rate(passed, cases)
        assert (share.low, share.high) == pytest.approx(wilson(passed, cases), abs=1e-12)
    assert reply_metrics.rate(0, 0)[3:] == (0.0, 1.0)


# --- log and recipes
def test_a_log_goes_back_to_the_checkpoint(tmp_path: Path) -> None:
    log = metrics_log.MetricsLog(tmp_path)
    log.write("run", base="b")
    for step in (1, 2, 3):
        log.write("step", step=step)
    with (tmp_path / metrics_log.FILE).open("a") as file:
        file.write('{"event": "st')
    log.rewind(2)
    assert [line.get("step") for line in metrics_log.read(tmp_path)] == [None, 1, 2]


def test_every_shipped_recipe_is_one() -> None:
    names = [path.stem for path in recipe.FOLDER.glob("*.yaml")]
    assert recipe.DEFAULT in names
    for name in names:
        recipe.load(name)


def test_a_recipe_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "endless.yaml"
    text = (recipe.FOLDER / f"{recipe.DEFAULT}.yaml").read_text()
    path.write_text(text.replace("minutes: 55", ""))
    with pytest.raises(BadRecipeError, match="minutes or steps"):
        recipe.load(str(path))
    with pytest.raises(BadRecipeError, match=recipe.DEFAULT):
        recipe.load("nothing-like-it")
