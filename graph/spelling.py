"""Misspelt words of customers, read as the words that were meant."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache

from spellchecker import SpellChecker

from shopbot.language import words

SHORTEST = 4
"""Letters of the shortest word that is corrected: nearly every shorter one is one letter from another word."""
MOST_CORRECTED = 12
"""Words of one message that are looked at: what is unreadable throughout is not made readable."""
ESTABLISHED = 3
"""From so many times on a word of customers' example messages is no slip."""
FREQUENT = 1e-6
"""Share of running text from which on a word that the shop does not use is likely to be the one that was meant."""
# What people write on a phone, where every letter counts.
_SHORT_FORMS = {"u": "you", "r": "are", "ur": "your"}
# A word by itself: no part of an address, a code, a number or a compound.
_WORD = re.compile(r"(?<![\w@.'’/-])[A-Za-z]+(?![\w@/'’-]|\.\w)")


class Speller:
    """Corrects words that stand in no dictionary and no text of the shop, where one edit makes them one that does."""

    def __init__(self, records: Iterable[str], messages: Iterable[str]) -> None:
        written = Counter(word for text in records for word in words(text))
        self._said = written + Counter(word for text in messages for word in words(text))
        self._known = {word for word, times in self._said.items() if word in written or times >= ESTABLISHED}
        self._nearest = lru_cache(maxsize=10_000)(self._find)

    def corrected(self, text: str) -> str:
        """The text with its misspelt words corrected, in lower case, and everything else as it was."""
        looked_up = 0

        def right(found: re.Match[str]) -> str:
            nonlocal looked_up
            written, word = found[0], found[0].lower()
            if written in _SHORT_FORMS:
                return _SHORT_FORMS[written]
            is_known = word in self._known or word in _english()
            if len(word) < SHORTEST or is_known or looked_up == MOST_CORRECTED or (written.isupper() and is_mixed):
                return written
            looked_up += 1
            return self._nearest(word, written[0].isupper()) or written

        is_mixed = not text.isupper()  # "RFID" in a sentence is an abbreviation
        return _WORD.sub(right, text)

    def _find(self, word: str, is_name: bool) -> str | None:
        """The likeliest of the words that are one edit away; what begins like a name is corrected to the shop's only.

        The first letter is hardly ever the wrong one, and a letter that is missing, doubled or swapped with the next is
        likelier than another in its place, which is not enough to tell a word of four letters.
        """
        english = _english()

        def rank(other: str) -> tuple[bool, bool, bool, int, float]:
            return (
                other in self._known, other[0] == word[0], _is_slip(word, other), self._said[other],
                english.word_usage_frequency(other),
            )  # fmt: skip

        near = [
            other
            for other in english.edit_distance_1(word)
            if (other in self._known or (not is_name and english.word_usage_frequency(other) >= FREQUENT))
            and (len(word) > SHORTEST or (_is_slip(word, other) and len(other) >= SHORTEST))
        ]
        return max(near, key=rank, default=None)


def _is_slip(word: str, other: str) -> bool:
    """Whether a letter is missing, too many, or swapped with its neighbour, rather than another one in its place."""
    return len(other) != len(word) or sorted(other) == sorted(word)


@cache
def _english() -> SpellChecker:
    """Some 80,000 words with their frequencies; loaded once a process."""
    return SpellChecker(language="en", distance=1)
