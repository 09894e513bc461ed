"""What a contract suite must say of a fault that was planted."""

import re

RULE = re.compile(r"\b(must|may)\b")
VALUE = re.compile(r"\b(got|but|found)\b")
REMEDY = re.compile(r"[.:] [A-Z].*[.?]$")


def assert_says(error: AssertionError, *phrases: str) -> None:
    """The message states rule, value and remedy in one line, and these words of theirs."""
    message = str(error)
    for part in (RULE, VALUE, REMEDY):
        assert part.search(message), f"{part.pattern} not in: {message}"
    assert "\n" not in message, message
    for phrase in phrases:
        assert phrase in message, message
