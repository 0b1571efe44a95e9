"""The generated part of a page that is otherwise written by hand."""


def replace_section(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with new text between its marks, which stay."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{text}{end}{after}"
