"""What the words of a message say that a product has to be like, in the words of the catalog: "waterproof", "mummy"."""

import re
from collections.abc import Sequence
from dataclasses import replace

from graph.asking import ASKING_WORDS
from graph.remainder import Remainder
from graph.vocabulary import EVERYTHING, Kind, Vocabulary
from shopbot.language import STOPWORDS, stem, words
from shopbot.limits import Feature, singular

# Words of ASKING_WORDS that say what a thing has to be like, where they are not understood as anything else.
_MEANT = frozenset(
    stem(word)
    for word in """warm heavy light big long winter summer spring autumn fall warmer men mens women womens kid
    kids""".split()
)
_NEGATED = frozenset("not no non without".split())
# Words that are values of some choice, and mean something else in a question.
_WEAK = frozenset("high low medium none yes no included not long short good fit need needed by with top up".split())
# Words of asking for a set of products, besides those of asking for anything.
_SET_WORDS = frozenset(
    stem(word)
    for word in """list many number count total altogether different cheap affordable inexpensive pricey expensive
    priced budget
    compare versus difference between around about roughly least most lowest highest rated top made comes available left
    within maximum minimum weigh weighs weighing rating stars only cost costing spend spending smallest largest biggest
    longest shortest brightest thickest thinnest fastest quickest roomiest popular warmest lighter cheaper heavier
    category categories assortment catalog choose pick under over suitable kg please ones""".split()
)


def read_features(
    text: Remainder, vocabulary: Vocabulary, kind: Kind | None
) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
    """What the words that are left say of products of the kind, and those that say nothing of them."""
    features = {phrase.word: phrase for phrase in _phrases(text, vocabulary, _ids(kind))}
    rest: list[str] = []
    said = words(text.text)
    for place, word in enumerate(said):
        if word in STOPWORDS or len(word) < 2 or word[0].isdigit() or word in _NEGATED | _WEAK:
            continue
        if feature := _feature(word, vocabulary, kind):
            negated = _NEGATED & set(said[max(0, place - 2) : place])
            features[feature.word] = replace(feature, is_wanted=not negated)
        elif stem(word) in _MEANT or not _is_filler(word, vocabulary, kind):
            rest.append(word)
    return tuple(features.values()), tuple(rest)


def _ids(kind: Kind | None) -> Sequence[str]:
    return kind.product_ids if kind else ()


def _phrases(text: Remainder, vocabulary: Vocabulary, ids: Sequence[str]) -> list[Feature]:
    """Features of several words, blanked out."""

    def pattern(phrase: str) -> re.Pattern[str]:
        joined = r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", phrase)))
        return re.compile(rf"\b{joined}s?\b", re.IGNORECASE)

    return [phrase for phrase in vocabulary.phrases(ids) if text.take(pattern(phrase.word))]


def _feature(word: str, vocabulary: Vocabulary, kind: Kind | None) -> Feature | None:
    """What a word says of the products, where it says something: words of asking do so as a choice at most."""
    feature = None if stem(word) in _SET_WORDS else vocabulary.feature(word, _ids(kind))
    if feature is None or stem(word) in _MEANT or feature.is_named or vocabulary.is_choice(feature):
        return feature
    if kind is None or kind.head in EVERYTHING:
        return None  # of a whole catalog, a word in somebody's list of highlights says nothing
    return None if _is_filler(word, vocabulary, kind) else feature


def _is_filler(word: str, vocabulary: Vocabulary, kind: Kind | None) -> bool:
    """Whether a word only asks, names an attribute, or names the kind once more."""
    stemmed = stem(word)
    return (
        stemmed in ASKING_WORDS | _SET_WORDS
        or word in EVERYTHING
        or stemmed in vocabulary.label_words(_ids(kind))
        or (kind is not None and singular(word) == kind.head)
    )
