"""Texts that were found by fuzzing, one for each way in which the compiler answers, and kept.

`fuzz.json` is ASCII; a text that a property test finds to break something is added by hand, with
the rule that it has to be rejected by, or Compiles.
"""

import json
from pathlib import Path

import pytest

from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.execution.render import render

CORPUS = json.loads(Path(__file__).with_name("fuzz.json").read_text())


def test_the_corpus_is_stored() -> None:
    assert len(CORPUS) >= 100
    rules = {entry["rule"] for entry in CORPUS}
    assert "Compiles" in rules
    # Whatever the compiler can say of a text; the rest is the gate's.
    assert len(rules) >= 15
    assert rules - {"Compiles"} <= set(RejectionRule)


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry["rule"])
def test_the_compiler_answers_as_it_did(entry: dict[str, str]) -> None:
    answer, actions = "Compiles", None
    try:
        actions = compile_playbook(entry["text"])
    except RejectedPlaybookError as error:
        answer = str(error.rule) if error.message.isprintable() else "unprintable"
    assert answer == entry["rule"]
    if actions is not None:
        assert compile_playbook(json.dumps(render(actions))) == actions
