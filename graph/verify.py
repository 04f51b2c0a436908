"""Is this sentence supported by the record that it cites? Pure functions; nothing is shown without passing.

The rule is conservative on purpose: a small model may be clumsy, it may not be wrong. A sentence passes when one
cited record accounts for all of it: every number, every product name, every claim about stock and every word that
carries meaning, with the same polarity. Words that mean the same, and words that claim nothing, are closed lists
(`graph.phrasing`); what is true but said otherwise is refused. The price of that is measured (docs/results/
verification.md) and paid in the model share, not by the customer.
"""

import re
from collections.abc import Iterable, Mapping

from graph.asks import FACT_WORDS
from graph.checked import Check, Finding
from graph.lexicon import Lexicon
from graph.phrasing import (
    FRAMING,
    NEUTRAL,
    PRONOUNS,
    denies_twice,
    meaning,
    polar_words,
    quantities,
    roots_of,
    without_title,
)
from graph.told_products import EXACT_FIELDS, product_told
from graph.told_rules import rule_told
from shopbot.claims import amounts
from shopbot.language import NEGATIONS, citation_numbers, split_sentences, stem, without_citations, words
from shopbot.statements import Source, Statement

__all__ = ["SILENT_ON", "Check", "Finding", "check", "conveys", "is_true_silence", "speaks_for"]

_ADDRESS = re.compile(r"https?://\S+|\b[\w.+-]+@[\w-]+\.\w[\w.-]*\w|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b(?:/\S*)?")
_CONVEYED_SHARE = 0.7


def check(sentence: str, sources: Mapping[int, Source], lexicon: Lexicon, previous: Check | None = None) -> Check:
    """Check one sentence of the model against what it cites, or against each source where it cites nothing.

    `previous` is the outcome of the sentence before it, which says what "it" is.
    """
    text = without_citations(sentence)
    if not (meaning(text) or quantities(text)) or text.rstrip().endswith("?"):
        return Check(None, finding=Finding.EMPTY)
    cited = citation_numbers(sentence)
    if not sources or any(number not in sources for number in cited):
        return Check(None, finding=Finding.UNKNOWN_SOURCE)
    if len(set(cited)) > 1:
        return Check(sources[cited[0]], finding=Finding.OTHER_PRODUCT)
    candidates = [sources[number] for number in (cited[:1] or sorted(sources))]
    checks = [_check_against(text, source, lexicon, len(sources) > 1, previous) for source in candidates]
    return next((item for item in checks if item.passed), checks[0])


# Words of saying that something is unknown, beyond those of the shop's own phrase.
SILENT_ON = "\0"
_DENYING = roots_of(
    """nothing none entry see look looked find found list listed offer have having say says mention
    mentions record records catalog either way write person check ask team reach colleague tell guess know help"""
)
_DENIALS = frozenset(["nothing", "none", "no", "not"]) | NEGATIONS


def speaks_for(sentence: str, lead: str, about: Iterable[str], question: str) -> bool:
    """Whether a sentence says that something is unknown as the lead says it: of the same thing, adding nothing.

    `about` are stems of which it has to have one; its other words are the lead's, the customer's, or of denying.
    """
    allowed = roots_of(lead) | roots_of(question) | _DENYING
    return (
        bool(_DENIALS & set(words(sentence)))
        and not {stem(word) for word in words(sentence)}.isdisjoint(about)
        and not quantities(sentence)
        and meaning(sentence) <= allowed
    )


def is_true_silence(sentence: str, phrase: str, source: Source, question: str) -> bool:
    """Whether a sentence says of a record that it says nothing of something, and that is so.

    `phrase` is how the shop says it, SILENT_ON standing for what of. The sentence has the customer's words there, of
    which none stands in the record, for a field of it, or for a live fact.
    """
    before, _, after = split_sentences(phrase)[0].partition(SILENT_ON)
    if not (sentence.startswith(before) and sentence.endswith(after)) or len(sentence) < len(before) + len(after):
        return False
    said = sentence[len(before) : len(sentence) - len(after)]
    about = meaning(said)
    told = {root for s in source.statements for root in roots_of(f"{s.field} {s.text}") | set(s.anchors)}
    return bool(about) and not quantities(said) and about <= roots_of(question) and about.isdisjoint(told | FACT_WORDS)


def conveys(statement: Statement, title: str, shown: str) -> bool:
    """Whether the shown text already tells what the statement tells.

    For a price that is the amount to pay, for stock and variants every word, otherwise the figures and most words.
    """
    if statement.field == "price" and (said := amounts(statement.text)):
        return said[0] in amounts(shown) and not (_sizes_in(statement) - roots_of(shown))
    told = meaning(without_title(statement.text, title)) - NEUTRAL
    share = 1.0 if statement.field in EXACT_FIELDS else _CONVEYED_SHARE
    figures = set(quantities(without_title(statement.text, title)))
    return figures <= set(quantities(shown)) and len(told & meaning(shown)) >= share * len(told)


def _sizes_in(statement: Statement) -> frozenset[str]:
    """The roots of the size that a price is for, where it is for one size only."""
    is_sized = statement.text.startswith("In size ")
    return roots_of(statement.text.removeprefix("In size ").split(",")[0]) if is_sized else frozenset()


def _check_against(text: str, source: Source, lexicon: Lexicon, has_to_name: bool, previous: Check | None) -> Check:
    if quoted := tuple(s for s in source.statements if _is_quoted(s, text)):
        return Check(source, quoted)
    if _addresses(text) - {found for s in source.statements for found in _addresses(s.text)}:
        return Check(source, finding=Finding.ADDRESS)
    if _repeats(text, source):
        return Check(source, finding=Finding.REPETITION)
    if denies_twice(text):
        return Check(source, finding=Finding.POLARITY)
    has_to_name = has_to_name and source.product is not None
    if _names_another(text, source, lexicon) or (has_to_name and not _is_meant(text, source, lexicon, previous)):
        return Check(source, finding=Finding.OTHER_PRODUCT)
    told = rule_told(text, source, previous) if source.product is None else product_told(text, source)
    finding, statements = told
    return Check(source, statements if finding is None else (), finding)


def _is_quoted(statement: Statement, text: str) -> bool:
    return words(statement.text) == words(text) and quantities(statement.text) == quantities(text)


def _is_meant(text: str, source: Source, lexicon: Lexicon, previous: Check | None) -> bool:
    """Whether a sentence names the product, or points back to the one of the sentence before."""
    goes_on = previous is not None and previous.passed and previous.source == source
    return source.id in lexicon.named(text) or (goes_on and bool(PRONOUNS & set(words(text))))


def _names_another(text: str, source: Source, lexicon: Lexicon) -> bool:
    """Whether a text names a product that the record does not: "Pebble members" are none, nor is the colour Ember."""
    named = lexicon.others_named(text, [source.id] if source.product else [])
    if not named:
        return False
    title, said = roots_of(source.title) if source.product else frozenset(), roots_of(text)
    told = roots_of(" ".join(without_title(s.text, source.title) for s in source.statements))
    return any((roots_of(other) - title) & said - told for other in named)


def _addresses(text: str) -> set[str]:
    return {found.rstrip(".,;:)").lower() for found in _ADDRESS.findall(text)}


def _repeats(text: str, source: Source) -> bool:
    """Three times the same meaning word is a model that has lost its thread; not if the record does so, too."""
    said = [word for word, _ in polar_words(text) if word not in FRAMING]
    often = {word for word in said if said.count(word) >= 3}
    return any(not _says_often(word, said.count(word), source) for word in often)


def _says_often(word: str, count: int, source: Source) -> bool:
    return sum([w for w, _ in polar_words(s.text)].count(word) for s in source.statements) >= count
