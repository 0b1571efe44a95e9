"""Reports old words in names and texts: `python tests/lint/check_words.py`.

`forbidden_words.txt` holds the list, with the word to use instead. Names are checked where they are
bound: modules, classes, functions, arguments, attributes, variables. Texts are strings, comments,
documentation and the chart. Exits with 1 when anything is found.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("forbidden_words.txt")
_SCOPES = ("part", "name", "text")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_TEXTS = (".md", ".yaml", ".yml", ".tpl", ".txt", ".in")


class Finding(NamedTuple):
    """One forbidden word, where it stands and what to write instead."""

    path: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}: use {self.instead}"


@dataclass(frozen=True)
class Entry:
    """One forbidden word. `scope` is where it is forbidden: part of a name, whole name, or text."""

    scope: str
    word: str
    instead: str

    @property
    def pattern(self) -> str:
        return r"\b" + re.escape(self.word).replace(r"\ ", r"[\s_-]+") + r"\b"


@dataclass(frozen=True)
class WordList:
    """The list as it is read from its file."""

    entries: tuple[Entry, ...]
    allowed: tuple[tuple[str, str], ...]  # path pattern, word or `*`

    def of(self, scope: str) -> tuple[Entry, ...]:
        """Return the entries of one scope."""
        return tuple(entry for entry in self.entries if entry.scope == scope)

    def allows(self, path: str, word: str) -> bool:
        """Return whether the list has an exception for the word in this file."""
        return any(fnmatchcase(path, glob) and word_ in (word, "*") for glob, word_ in self.allowed)


def read_list(text: str) -> WordList:
    """Parse the list.

    Raises:
        ValueError: a line has neither form, `SCOPE WORD -> INSTEAD` or `allow PATH WORD`.
    """
    entries, allowed = [], []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        head, _, rest = content.partition(" ")
        if head == "allow" and len(rest.split(None, 1)) == 2:
            glob, word = rest.split(None, 1)
            allowed.append((glob, word.strip()))
        elif head in _SCOPES and "->" in rest:
            words, _, instead = rest.partition("->")
            entries += [Entry(head, word.strip(), instead.strip()) for word in words.split(",")]
        else:
            raise ValueError(f"line {number}: expected SCOPE WORD -> INSTEAD or allow PATH WORD")
    return WordList(tuple(entries), tuple(allowed))


def check(path: str, source: str, words: WordList) -> Iterator[Finding]:
    """Yield the findings of one file; `path` is relative to the root of the repository."""
    seen = set()
    for finding in _all_findings(path, source, words):
        if not words.allows(path, finding.word) and (finding.line, finding.word) not in seen:
            seen.add((finding.line, finding.word))
            yield finding


def _all_findings(path: str, source: str, words: WordList) -> Iterator[Finding]:
    for part in Path(path).with_suffix("").parts:
        yield from _name_findings(path, 1, part, words)
    if not path.endswith(".py"):
        yield from _text_findings(path, 1, source, words)
        return
    for line, name in bound_names(ast.parse(source)):
        yield from _name_findings(path, line, name, words)
    for line, text in texts(source):
        yield from _text_findings(path, line, text, words)


def _name_findings(path: str, line: int, name: str, words: WordList) -> Iterator[Finding]:
    parts = split_name(name)
    joined = f" {' '.join(parts)} "
    for entry in words.of("part"):
        if f" {entry.word} " in joined:
            yield Finding(path, line, entry.word, entry.instead)
    for entry in words.of("name"):
        if parts == entry.word.split():
            yield Finding(path, line, entry.word, entry.instead)


def _text_findings(path: str, line: int, text: str, words: WordList) -> Iterator[Finding]:
    for entry in words.of("text"):
        for match in re.finditer(entry.pattern, text, re.IGNORECASE):
            yield Finding(
                path, line + text.count("\n", 0, match.start()), entry.word, entry.instead
            )


def split_name(name: str) -> list[str]:
    """Return the lower-case words of an identifier in snake, camel or kebab case."""
    return [word.lower() for word in _WORD.findall(name)]


def bound_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of everything that the code itself names."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield node.lineno, name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield node.lineno, name


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of strings and comments."""
    kinds = {tokenize.COMMENT, tokenize.STRING}
    if hasattr(tokenize, "FSTRING_MIDDLE"):  # Python 3.12 and newer
        kinds.add(tokenize.FSTRING_MIDDLE)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in kinds:
            yield token.start[0], token.string


def tracked_files() -> list[str]:
    """Return the files of the repository that are checked."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [
        path
        for path in listing.splitlines()
        if path.endswith((".py", *_TEXTS)) and (ROOT / path).is_file()
    ]


def main(arguments: Sequence[str] = ()) -> int:
    """Check the given files, or all; return the exit status."""
    words = read_list(LIST.read_text())
    findings = [
        finding
        for path in arguments or tracked_files()
        for finding in check(path, (ROOT / path).read_text(), words)
    ]
    print("\n".join(map(str, findings)) or "no forbidden words")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
