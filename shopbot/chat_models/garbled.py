"""Is a reply language? A broken server or a damaged weight file answers without an error."""

import re

LONGEST_WORD = 60  # characters
LONGEST_REPEAT = 30  # of one character
FEWEST_LETTERS = 0.4  # share of letters and digits among the characters that count

_LINK = re.compile(r"(https?://|www\.)\S+|\S+\.\w{2,4}/\S+")
_WORD = re.compile(rf"[!-~\u00a0-\u024f]{{{LONGEST_WORD},}}")  # scripts that put spaces between words
_WORD_BREAK = re.compile(r"[,;/|]")
_REPEAT = re.compile(rf"([^\s\-=_*.#|~])\1{{{LONGEST_REPEAT - 1},}}")
_MARKUP = re.compile(r"[\s|*#_`>-]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


def looks_garbled(text: str) -> bool:
    """Say whether `text`, possibly the beginning of a reply, is not language.

    True for replacement and control characters, text that is mostly symbols, one character repeated 30
    times, and 60 characters without a space, comma or slash in a script that uses spaces. Prices, lists,
    tables, links, ids and other scripts pass. Lets short fragments pass: a reply is looked at as it grows.
    """
    text = _LINK.sub("", text)
    return _has_broken_characters(text) or _has_endless_word(text) or _is_mostly_symbols(text)


def _has_broken_characters(text: str) -> bool:
    broken = len(_CONTROL.findall(text))
    return broken >= 3 and broken / len(text) > 0.02


def _has_endless_word(text: str) -> bool:
    return _WORD.search(_WORD_BREAK.sub(" ", text)) is not None or _REPEAT.search(text) is not None


def _is_mostly_symbols(text: str) -> bool:
    """Judge from 20 characters on if there is no letter at all, from 40 on otherwise."""
    counted = _MARKUP.sub("", text)
    letters = sum(character.isalnum() for character in counted)
    if letters == 0:
        return len(counted) >= 20
    return len(counted) >= 40 and letters / len(counted) < FEWEST_LETTERS
