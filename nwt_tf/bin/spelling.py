"""Suggestions for mistyped names."""

import difflib
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str:
    """Returns '; did you mean X or Y?' for the words close to `word`, '' when there is none."""
    close = difflib.get_close_matches(word, list(words), n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""
