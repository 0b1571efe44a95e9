"""Generated sections of pages that are otherwise written by hand."""


def replace_section(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with the text between the two markers replaced."""
    before, _, after_begin = page.partition(begin)
    _, _, remainder = after_begin.partition(end)
    return f"{before}{begin}\n\n{text}{end}{remainder}"
