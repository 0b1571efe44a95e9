import json
from typing import Any

import pytest

from reme_playbook.errors import Rule
from tests.unit.playbook.tasks import rule_of, task

DOCUMENTS: list[tuple[str, Rule]] = [
    ("", Rule.EMPTY),
    (" \n\t", Rule.EMPTY),
    ("[]" + " " * 70_000, Rule.TOO_LARGE),
    ("é" * 40_000, Rule.TOO_LARGE),
    ("- a\n" * 16_000, Rule.TOO_LARGE),
    ("[" * 20_000, Rule.TOO_DEEP),
    ("- " * 20_000, Rule.TOO_DEEP),
    ("[" * 30 + "]" * 30, Rule.TOO_DEEP),
    ('{"a":' * 12_000, Rule.TOO_DEEP),
    ("a: [b", Rule.SYNTAX),
    ('- "\\UFFFFFFFF"', Rule.SYNTAX),
    ("- a\x00b", Rule.SYNTAX),
    ("---\n- a\n---\n- b\n", Rule.SHAPE),
    ("# nothing", Rule.SHAPE),
    ("- &a x\n- *a", Rule.ALIAS),
    ("a: &a [1]\nb: [*a, *a, *a]", Rule.ALIAS),
    ("- k8s: {<<: {kind: Pod}}", Rule.ALIAS),
    ("- !!python/object/apply:os.system [id]", Rule.TAG),
    ("- !vault x", Rule.TAG),
    ("- ! x", Rule.TAG),
    ('[{"k8s":{"kind":"Pod","kind":"Deployment"}}]', Rule.DUPLICATE_KEY),
    ('[{"k8s":{"kind":"Pod","\\u006bind":"Deployment"}}]', Rule.DUPLICATE_KEY),
    ("- k8s:\n    kind: Pod\n    kind: Node", Rule.DUPLICATE_KEY),
    ("- 1: a", Rule.SYNTAX),
    ("- yes: a", Rule.SYNTAX),
    ("- [a, b]: c", Rule.SYNTAX),
    ("[\"{{ lookup('pipe', 'id') }}\"]", Rule.TEMPLATE),
    ('["\\u007b\\u007b x }}"]', Rule.TEMPLATE),
    ('- "\\x7b% x %}"', Rule.TEMPLATE),
    ('[{"{#": 1}]', Rule.TEMPLATE),
    ("- '#jinja2: variable_start_string: \"[[\"'", Rule.TEMPLATE),
    ('["a\\u0000b"]', Rule.CHARACTER),
    ('["a\\u202eb"]', Rule.CHARACTER),
    ('["a\\u200bb"]', Rule.CHARACTER),
    ('["\\ud800"]', Rule.CHARACTER),
    ('[{"a\\nb": 1}]', Rule.CHARACTER),
    ("\ud800", Rule.CHARACTER),
    ("[1e3]", Rule.VALUE),
    ("[1.0]", Rule.VALUE),
    ("[NaN]", Rule.VALUE),
    ("- .inf", Rule.VALUE),
    ("- 010", Rule.VALUE),
    ("- 0x10", Rule.VALUE),
    ("- 1_000", Rule.VALUE),
    ("- 1:30", Rule.VALUE),
    ("- +1", Rule.VALUE),
    ("[" + "9" * 17 + "]", Rule.VALUE),
    ("[" + "9" * 9_000 + "]", Rule.VALUE),
    ("- " + "9" * 9_000, Rule.VALUE),
    ('{"a": 1}', Rule.SHAPE),
    ("plain words", Rule.SHAPE),
    ("[]", Rule.SHAPE),
    ("[[]]", Rule.SHAPE),
    ("null", Rule.SHAPE),
]


@pytest.mark.parametrize(("text", "rule"), DOCUMENTS, ids=lambda v: repr(v)[:40])
def test_a_text_that_could_mean_two_things_is_rejected(text: str, rule: Rule) -> None:
    assert rule_of(text) is rule


def play(**keywords: Any) -> dict[str, Any]:
    return {"hosts": "localhost", "tasks": [task("k8s_rollback")], **keywords}


PLAYS: list[tuple[list[Any], Rule]] = [
    ([play(), play()], Rule.SHAPE),
    ([[play()]], Rule.SHAPE),
    ([play(hosts="all")], Rule.KEYWORD),
    ([play(hosts=["localhost"])], Rule.KEYWORD),
    ([{"tasks": [task("k8s_rollback")]}], Rule.KEYWORD),
    ([play(connection="ssh")], Rule.KEYWORD),
    ([play(gather_facts=True)], Rule.KEYWORD),
    ([play(gather_facts=0)], Rule.KEYWORD),
    ([play(gather_facts="no")], Rule.KEYWORD),
    ([play(tasks={})], Rule.SHAPE),
    ([play(tasks=[])], Rule.SHAPE),
    ([play(tasks=[task("k8s_rollback", name=f"c{n}") for n in range(9)])], Rule.SHAPE),
    ([play(name=3)], Rule.KEYWORD),
    ([play(name="x" * 1025)], Rule.KEYWORD),
    *[
        ([play(**{keyword: [] if keyword.endswith("tasks") else {}})], Rule.KEYWORD)
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
def test_a_play_has_nothing_but_tasks(document: list[Any], rule: Rule) -> None:
    assert rule_of(json.dumps(document)) is rule
