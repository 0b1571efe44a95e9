"""What must stay true of the repository as a whole."""

import operator
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def tracked() -> list[Path]:
    """Return the files of the repository as git knows them."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_the_operator_folder_never_shadows_the_standard_library() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert operator.itemgetter(0)("a") == "a"
    subprocess.run([sys.executable, "-c", "import collections"], cwd=ROOT, check=True)


def test_links_between_documents_lead_somewhere() -> None:
    for document in (f for f in tracked() if f.suffix == ".md" and f.exists()):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_make_target_that_is_promised_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    promised = set(re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text()))
    promised |= set(re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= promised
    for target in promised:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
