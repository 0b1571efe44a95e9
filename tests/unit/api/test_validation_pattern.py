import pytest

from reme_api.validation import Pattern


def test_an_expression_has_one_message() -> None:
    """The CRDs look messages up by expression: two would depend on the order of imports."""
    Pattern(r"^one-message$", "must be one-message")
    Pattern(r"^one-message$", "must be one-message")
    with pytest.raises(ValueError, match="another message"):
        Pattern(r"^one-message$", "must be something else")
