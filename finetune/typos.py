"""Typing errors as people make them, so that a model meets them before customers do."""

import random
import re

_WORD = re.compile(r"[A-Za-z]{4,}")
_NEIGHBOURS = {"a": "s", "e": "r", "i": "o", "n": "m", "o": "p", "r": "t", "s": "d", "t": "y", "l": "k", "g": "h"}


def mistyped(text: str, source: random.Random) -> str:
    """Return the text with one or two of its longer words mistyped: letters swapped, left out, doubled or missed."""
    places = list(_WORD.finditer(text))
    for match in sorted(source.sample(places, k=min(len(places), source.choice([1, 1, 2]))), key=lambda m: -m.start()):
        text = text[: match.start()] + _wrong(match[0], source) + text[match.end() :]
    return text


def _wrong(word: str, source: random.Random) -> str:
    apart = [place for place in range(1, len(word) - 1) if word[place] != word[place + 1]]
    place = source.choice(apart or [1])  # swapping a doubled letter would change nothing
    letter, following = word[place], word[place + 1]
    wrong = {
        "swap": following + letter,
        "drop": following,
        "double": letter + letter + following,
        "miss": _NEIGHBOURS.get(letter, letter + letter) + following,
    }[source.choice(["swap", "drop", "double", "miss"])]
    return word[:place] + wrong + word[place + 2 :]
