import re
from pathlib import Path

from reme_api.actions import ActionName
from reme_playbook.action_reference import ENTRIES, main, reference
from reme_playbook.actions.registry import Action
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution.rollback import inverse


def examples() -> dict[str, Action]:
    return {entry.example.name: entry.example for entry in ENTRIES}


def test_every_action_is_described_once() -> None:
    assert sorted(e.example.name for e in ENTRIES) == sorted(ActionName)
    assert not any(entry.example.internal for entry in ENTRIES)


def test_every_example_is_a_playbook_that_compiles() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", reference(), re.DOTALL)
    assert [compile_playbook(text)[0] for text in blocks] == [e.example for e in ENTRIES]


def test_what_is_said_to_need_no_undo_has_none() -> None:
    nothing = {e.example.name for e in ENTRIES if e.undo == "nothing to restore"}
    assert nothing == {ActionName.RESTART, ActionName.DELETE_POD}
    for name in nothing:
        assert inverse(examples()[name], {(): None}) == ()


def test_a_page_that_says_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "actions.md"
    assert main(["--out", str(page)]) == 0
    assert main(["--out", str(page), "--check"]) == 0
    page.write_text(page.read_text().replace("never lowered", "lowered"))
    assert main(["--out", str(page), "--check"]) == 1
