"""The pages of the documentation: their code blocks, shell commands, inline code and links."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELL = frozenset({"bash", "console", "sh", "shell"})
_DELIMITER = re.compile(r"^( *)(```+|~~~+)\s*([\w-]*)(.*)$")
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->")
_SUBSTITUTION = re.compile(r"[$<]\(([^()]*)\)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: str
    line: int
    language: str
    text: str
    comment: str = ""  # the HTML comment in the line before


@dataclass(frozen=True)
class Command:
    """A simple command: a program and its arguments, without redirections and assignments."""

    place: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.place}: {shlex.join(self.words)}"


def pages() -> list[Path]:
    """Return every Markdown page of the repository."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return sorted({ROOT / line for line in listing.splitlines() if (ROOT / line).exists()})


def name_of(page: Path) -> str:
    """Return the path of a page from the root."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """Return the fenced blocks of a page, in order."""
    lines = page.read_text().splitlines()
    start: tuple[int, str, str] | None = None
    comment, body = "", list[str]()
    for number, line in enumerate(lines, start=1):
        delimiter = _DELIMITER.match(line)
        if start is None and delimiter:
            start, body = (number, delimiter[2], delimiter[3]), []
            before = _COMMENT.fullmatch(lines[number - 2].strip()) if number > 1 else None
            comment = before[1] if before else ""
        elif start and line.strip() == start[1]:
            yield Block(name_of(page), start[0], start[2], "\n".join(body), comment)
            start = None
        elif start:
            body.append(line)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks; lines keep their numbers."""
    text, inside = [], ""
    for line in page.read_text().splitlines():
        delimiter = _DELIMITER.match(line)
        if delimiter and (not inside or line.strip() == inside):
            inside = "" if inside else delimiter[2]
            text.append("")
        else:
            text.append("" if inside else line)
    return "\n".join(text)


def inline_code(page: Path) -> Iterator[tuple[str, str]]:
    """Return (place, code) for each code span of the prose."""
    for number, line in enumerate(prose(page).splitlines(), start=1):
        for match in re.finditer(r"(?<!`)`([^`]+)`(?!`)", line):
            yield f"{name_of(page)}:{number}", match[1]


def command_lines(block: Block) -> Iterator[tuple[str, str]]:
    """Return (place, line) for each command line of a shell block.

    With prompts (`$ `) only the lines with a prompt are commands, the others are output.
    """
    lines = block.text.replace("\\\n", " ").splitlines()
    prompts = any(line.startswith("$ ") for line in lines)
    for number, line in enumerate(lines, start=block.line + 1):
        if prompts and not line.startswith("$ "):
            continue
        text = line.removeprefix("$ ").strip()
        if text and not text.startswith("#"):
            yield f"{block.page}:{number}", text


def simple_commands(place: str, line: str) -> Iterator[Command]:
    """Split a command line at pipes, lists and substitutions.

    Raises:
        ValueError: a quotation has no end.
    """
    while inner := _SUBSTITUTION.search(line):
        yield from simple_commands(place, inner[1])
        line = f"{line[: inner.start()]}SUBSTITUTED{line[inner.end() :]}"
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
    lexer.whitespace_split = True
    words: list[str] = []
    skip = False
    for token in [*lexer, ";"]:
        if skip:
            skip = False
        elif set(token) <= set("<>"):
            skip = True
        elif set(token) <= set(";|&"):
            while words and (words[0] == "export" or _ASSIGNMENT.fullmatch(words[0])):
                words.pop(0)
            if words:
                yield Command(place, tuple(words))
            words = []
        else:
            words.append(token)


def shell_commands() -> Iterator[Command]:
    """Return every simple command of the shell blocks of all pages."""
    for page in pages():
        for block in blocks(page):
            if block.language in SHELL:
                for place, line in command_lines(block):
                    yield from simple_commands(place, line)
