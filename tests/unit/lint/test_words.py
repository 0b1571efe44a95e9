"""Old words do not come back: in names, strings, comments and documentation."""

import pytest

from tests.lint.check_words import check, main, read_list

WORDS = read_list(
    "part desk -> controller\nname found -> pods\ntext hand undo -> manual rollback\n"
    "allow a/* desk\n"
)


def words(source: str, path: str = "b/code.py") -> list[str]:
    return [finding.word for finding in check(path, source, WORDS)]


def test_the_repository_has_no_forbidden_word() -> None:
    assert main() == 0


@pytest.mark.parametrize(
    "source",
    ["class HelpDesk: ...", "def f(desk_name): ...", "self.desk = 1", "for my_desk in x: pass"],
)
def test_a_part_of_a_bound_name_is_reported(source: str) -> None:
    assert words(source) == ["desk"]


def test_a_whole_name_is_reported_and_a_part_of_it_is_not() -> None:
    assert words("found = 1") == ["found"]
    assert words("not_found = 1") == []
    assert words("other.found()") == [], "names of other libraries are theirs"


def test_texts_are_searched_across_lines_and_hyphens() -> None:
    assert words("x = 'a hand-undo'  # by hand\n") == ["hand undo"]
    assert words("A hand\nundo of it", "b/page.md") == ["hand undo"]


def test_a_path_is_a_name_too() -> None:
    assert words("", "b/desk.py") == ["desk"]


def test_an_exception_holds_for_its_path_only() -> None:
    assert words("desk = 1", "a/code.py") == []
    assert words("desk = 1") == ["desk"]


@pytest.mark.parametrize("line", ["desk", "word desk -> x", "allow a/*"])
def test_a_line_without_meaning_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_list(line)
