"""Sizes and colours that a message asks for, in the words of the catalog."""

import re
from collections.abc import Sequence

from graph.asking import ASKING
from graph.remainder import Remainder
from graph.vocabulary import BASIC_COLORS, Vocabulary
from shopbot.language import stem, words

_SIZE = re.compile(
    r"\b(?:in\s+)?(?:(?:eu|us|uk)\s+)?sizes?\s+(?:eu\s+)?(?P<named>[\w/.-]+)"
    r"|\bin\s+(?:an?\s+)?(?P<short>x{0,3}[sl]|m)\b",
    re.IGNORECASE,
)
_SIZE_WORDS = {"small": "S", "medium": "M", "large": "L", "extra small": "XS", "extra large": "XL"}
# Where a colour may stand, surest first.
_COLOR = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bin (?:the )?(?:colou?r )?(\w+ \w+)\b",
        r"\bin (?:the )?(?:colou?r )?(\w+)\b",
        r"\b(\w+ \w+)\b",
        r"\b(\w+)\b",
    )
)


def read_sizes(text: Remainder, vocabulary: Vocabulary) -> frozenset[str]:
    sizes: set[str] = set()
    for found in reversed(list(_SIZE.finditer(text.text))):
        said = found["named"] or found["short"]
        if size := vocabulary.size(_SIZE_WORDS.get(said.lower(), said)):
            sizes.add(size)
            text.blank(found)
    for said, letter in _SIZE_WORDS.items():
        pattern = re.compile(rf"\bin (?:an? )?(?:size )?{said}\b", re.IGNORECASE)
        if (size := vocabulary.size(letter)) and text.take(pattern):
            sizes.add(size)
    return frozenset(sizes)


def read_colors(text: Remainder, vocabulary: Vocabulary, ids: Sequence[str]) -> tuple[frozenset[str], str]:
    """Colours of the catalog that are asked for, and the word for them; a basic colour that it has not, too."""
    for pattern in _COLOR:
        for found in pattern.finditer(text.text):
            said = found[1].lower()
            colors = vocabulary.colors(said)
            if (colors or said in BASIC_COLORS) and _is_color(found, vocabulary, ids):
                text.blank(found)
                return colors or frozenset({said}), said
    return frozenset(), ""


def _is_color(found: re.Match[str], vocabulary: Vocabulary, ids: Sequence[str]) -> bool:
    """Whether a word for a colour means one: it may also ask, say what a product is, or begin the name of a field."""
    said = found[1].lower()
    if said in BASIC_COLORS:
        return not _names_a_field(found, vocabulary, ids)
    if found[0].lower().startswith("in "):
        return True
    return not any(stem(word) in ASKING or vocabulary.feature(word, ids) for word in words(said))


def _names_a_field(found: re.Match[str], vocabulary: Vocabulary, ids: Sequence[str]) -> bool:
    """Whether a colour is the first word of a field's name: "red light"."""
    following = words(found.string[found.end() :])[:1]
    labels = {tuple(words(key.replace("_", " ")))[:2] for i in ids for key in vocabulary.products[i].attributes}
    return (found[1].lower(), *following) in labels
