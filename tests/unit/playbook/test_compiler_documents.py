import json
from typing import Any

import pytest

from reme_playbook.errors import RejectionRule
from tests.unit.playbook.tasks import rule_of, task

DOCUMENTS: list[tuple[str, RejectionRule]] = [
    ("", RejectionRule.EMPTY),
    (" \n\t", RejectionRule.EMPTY),
    ("[]" + " " * 70_000, RejectionRule.TOO_LARGE),
    ("é" * 40_000, RejectionRule.TOO_LARGE),
    ("- a\n" * 16_000, RejectionRule.TOO_LARGE),
    ("[" * 20_000, RejectionRule.TOO_DEEP),
    ("- " * 20_000, RejectionRule.TOO_DEEP),
    ("[" * 30 + "]" * 30, RejectionRule.TOO_DEEP),
    ('{"a":' * 12_000, RejectionRule.TOO_DEEP),
    ("a: [b", RejectionRule.SYNTAX),
    ('- "\\UFFFFFFFF"', RejectionRule.SYNTAX),
    ("- a\x00b", RejectionRule.SYNTAX),
    ("---\n- a\n---\n- b\n", RejectionRule.SHAPE),
    ("# nothing", RejectionRule.SHAPE),
    ("- &a x\n- *a", RejectionRule.ALIAS),
    ("a: &a [1]\nb: [*a, *a, *a]", RejectionRule.ALIAS),
    ("- k8s: {<<: {kind: Pod}}", RejectionRule.ALIAS),
    ("- !!python/object/apply:os.system [id]", RejectionRule.TAG),
    ("- !vault x", RejectionRule.TAG),
    ("- ! x", RejectionRule.TAG),
    ('[{"k8s":{"kind":"Pod","kind":"Deployment"}}]', RejectionRule.DUPLICATE_KEY),
    ('[{"k8s":{"kind":"Pod","\\u006bind":"Deployment"}}]', RejectionRule.DUPLICATE_KEY),
    ("- k8s:\n    kind: Pod\n    kind: Node", RejectionRule.DUPLICATE_KEY),
    ("- 1: a", RejectionRule.SYNTAX),
    ("- yes: a", RejectionRule.SYNTAX),
    ("- [a, b]: c", RejectionRule.SYNTAX),
    ("[\"{{ lookup('pipe', 'id') }}\"]", RejectionRule.TEMPLATE),
    ('["\\u007b\\u007b x }}"]', RejectionRule.TEMPLATE),
    ('- "\\x7b% x %}"', RejectionRule.TEMPLATE),
    ('[{"{#": 1}]', RejectionRule.TEMPLATE),
    ("- '#jinja2: variable_start_string: \"[[\"'", RejectionRule.TEMPLATE),
    ('["a\\u0000b"]', RejectionRule.CHARACTER),
    ('["a\\u202eb"]', RejectionRule.CHARACTER),
    ('["a\\u200bb"]', RejectionRule.CHARACTER),
    ('["\\ud800"]', RejectionRule.CHARACTER),
    ('[{"a\\nb": 1}]', RejectionRule.CHARACTER),
    ("\ud800", RejectionRule.CHARACTER),
    ("[1e3]", RejectionRule.VALUE),
    ("[1.0]", RejectionRule.VALUE),
    ("[NaN]", RejectionRule.VALUE),
    ("- .inf", RejectionRule.VALUE),
    ("- 010", RejectionRule.VALUE),
    ("- 0x10", RejectionRule.VALUE),
    ("- 1_000", RejectionRule.VALUE),
    ("- 1:30", RejectionRule.VALUE),
    ("- +1", RejectionRule.VALUE),
    ("[" + "9" * 17 + "]", RejectionRule.VALUE),
    ("[" + "9" * 9_000 + "]", RejectionRule.VALUE),
    ("- " + "9" * 9_000, RejectionRule.VALUE),
    ('{"a": 1}', RejectionRule.SHAPE),
    ("plain words", RejectionRule.SHAPE),
    ("[]", RejectionRule.SHAPE),
    ("[[]]", RejectionRule.SHAPE),
    ("null", RejectionRule.SHAPE),
]


@pytest.mark.parametrize(("text", "rule"), DOCUMENTS, ids=lambda v: repr(v)[:40])
def test_a_text_that_could_mean_two_things_is_rejected(text: str, rule: RejectionRule) -> None:
    assert rule_of(text) is rule


def play(**keywords: Any) -> dict[str, Any]:
    return {"hosts": "localhost", "tasks": [task("k8s_rollback")], **keywords}


PLAYS: list[tuple[list[Any], RejectionRule]] = [
    ([play(), play()], RejectionRule.SHAPE),
    ([[play()]], RejectionRule.SHAPE),
    ([play(hosts="all")], RejectionRule.KEYWORD),
    ([play(hosts=["localhost"])], RejectionRule.KEYWORD),
    ([{"tasks": [task("k8s_rollback")]}], RejectionRule.KEYWORD),
    ([play(connection="ssh")], RejectionRule.KEYWORD),
    ([play(gather_facts=True)], RejectionRule.KEYWORD),
    ([play(gather_facts=0)], RejectionRule.KEYWORD),
    ([play(gather_facts="no")], RejectionRule.KEYWORD),
    ([play(tasks={})], RejectionRule.SHAPE),
    ([play(tasks=[])], RejectionRule.SHAPE),
    ([play(tasks=[task("k8s_rollback", name=f"c{n}") for n in range(9)])], RejectionRule.SHAPE),
    ([play(name=3)], RejectionRule.KEYWORD),
    ([play(name="x" * 1025)], RejectionRule.KEYWORD),
    *[
        ([play(**{keyword: [] if keyword.endswith("tasks") else {}})], RejectionRule.KEYWORD)
        for keyword in (
            "vars",
            "vars_files",
            "roles",
            "pre_tasks",
            "post_tasks",
            "handlers",
            "become",
            "environment",
            "strategy",
            "collections",
            "module_defaults",
            "remote_user",
            "import_playbook",
            "serial",
        )
    ],
]


@pytest.mark.parametrize(("document", "rule"), PLAYS)
def test_a_play_has_nothing_but_tasks(document: list[Any], rule: RejectionRule) -> None:
    assert rule_of(json.dumps(document)) is rule
