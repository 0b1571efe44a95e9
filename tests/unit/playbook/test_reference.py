import re
from pathlib import Path

from reme_api.actions import ActionName
from reme_playbook.action_reference import main, reference
from reme_playbook.actions.registry import PUBLIC
from reme_playbook.compiler.playbook import compile_playbook


def test_every_example_is_a_playbook_that_compiles() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", reference(), re.DOTALL)
    examples = [action.example() for action in PUBLIC.values()]
    assert [compile_playbook(text)[0] for text in blocks] == examples


def test_what_is_said_to_need_no_rollback_has_none() -> None:
    nothing = {n for n, action in PUBLIC.items() if action.RESTORES == "nothing to restore"}
    assert nothing == {ActionName.RESTART, ActionName.DELETE_POD}
    for name in nothing:
        assert PUBLIC[name].example().inverse({(): None}) == ()


def test_a_page_that_says_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "actions.md"
    assert main(["--out", str(page)]) == 0
    assert main(["--out", str(page), "--check"]) == 0
    page.write_text(page.read_text().replace("never lowered", "lowered"))
    assert main(["--out", str(page), "--check"]) == 1
