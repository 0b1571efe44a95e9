"""Hooks of mkdocs: links from a page to files of the repository outside of `docs/`.

On a forge such a link opens the file. The site does not contain the file, so there the link
becomes its text and the path. A link to a file that does not exist is a warning, which `--strict`
turns into an error.
"""

import logging
import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")

log = logging.getLogger("mkdocs.hooks.repository_links")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page with each link that leaves `docs/` replaced by its text and the path."""
    source = ROOT / "docs" / page.file.src_uri

    def replace(match: re.Match[str]) -> str:
        text, target = match[1], match[2]
        path = Path(os.path.normpath(source.parent / target))
        if path.is_relative_to(ROOT / "docs"):
            return match[0]
        if not path.exists():
            log.warning("%s links to %s, which does not exist", page.file.src_uri, target)
        name = str(path.relative_to(ROOT))
        return text if name in text else f"{text} (`{name}`)"

    return LINK.sub(replace, markdown)
