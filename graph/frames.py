"""Sentences of a tuned model, which refer to values: is what stands around the references true of the record?

The value behind `{1.weight}` cannot be wrong; what can be is the sentence around it. It has to speak of the field that
it refers to, name no other product, and claim nothing by itself: no number, no denial, no stock, no word beyond those
that the shop's own sentence patterns are made of.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from graph.checked import Check, Finding
from graph.lexicon import Lexicon
from graph.phrasing import NEUTRAL_WORDS, PRONOUNS, quantities, without_title
from graph.told_products import RANKING
from shopbot.claims import claims_stock, options_named
from shopbot.language import NEGATIONS, STOPWORDS, content_stems, numbers, stem, words
from shopbot.references import REFERENCE, Reference, field_name, references, value_of
from shopbot.statements import SPOKEN, Source, Statement


def _stems_of(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


# Words of saying and listing, which claim nothing of a product.
_SAYING = _stems_of(
    """record list listed lists say says give get make made choose sell need entry describe described call go goes under
    time number content height count class kind use used come status instruction instructions period way"""
)
_NEUTRAL = _stems_of(NEUTRAL_WORDS)
# What makes a value a limit: "costs more than {1.price}".
_QUALIFIER = re.compile(
    r"\b(more than|less than|over|under|above|below|up to|at least|at most|about|around|nearly|almost|only|from|down"
    r"|was)\s*\{|\}\s*(at least|at most|or (?:more|less|so)|under|over|above|below|off|of)\b",
    re.IGNORECASE,
)
# Their values say what they are: an amount of money, "in stock".
_SELF_EXPLAINING = frozenset({"price", "stock"})
# Beyond the words by which customers ask for a field: "comes in {1.sizes}".
_ALSO_SAID = {"sizes": {"come", "make"}, "colors": {"come", "make"}}
_ALSO_SAID_WORDS = {word for said in _ALSO_SAID.values() for word in said}
# Words by which a price is asked for, and which make something else of it when it is told.
_NOT_A_PRICE = _stems_of("discount reduced sale")


@dataclass(frozen=True)
class Setting:
    """What a sentence is checked in: the records of the prompt, and what the customer asked of them.

    `options` are the sizes and colours asked for, by record number; `previous` the record of the sentence before,
    which "it" stands for.
    """

    sources: Mapping[int, Source]
    lexicon: Lexicon
    locale: str
    options: Mapping[int, Sequence[str]] = field(default_factory=dict)
    previous: Source | None = None


def check_frame(sentence: str, setting: Setting) -> tuple[Check, str]:
    """Check a sentence with references; return the outcome and, where it passed, the text with the values in place."""
    found = [_with_asked_options(reference, setting) for reference in references(sentence)]
    source = setting.sources.get(found[0].number)
    if source is None or source.product is None:
        return Check(None, finding=Finding.UNKNOWN_SOURCE), ""
    if len({reference.number for reference in found}) > 1:
        return Check(source, finding=Finding.OTHER_PRODUCT), ""
    frame = without_title(REFERENCE.sub(" ", sentence), source.title)
    if finding := _wrong_around(sentence, frame, source, setting) or _wrong_fields(sentence, found, source):
        return Check(source, finding=finding), ""
    values = [value_of(reference, source, setting.locale, said=frame) for reference in found]
    if None in values:
        return Check(source, finding=Finding.UNRESOLVED), ""
    filled_in = iter(values)
    text = REFERENCE.sub(lambda _: str(next(filled_in)), sentence)
    return Check(source, _statements(found, source)), text


def _with_asked_options(reference: Reference, setting: Setting) -> Reference:
    """Stock and price are told for what the customer asked, whatever the model made of it."""
    if reference.field not in ("stock", "price"):
        return reference
    return replace(reference, options=tuple(setting.options.get(reference.number, ())))


def _wrong_around(sentence: str, frame: str, source: Source, setting: Setting) -> Finding | None:
    said = words(frame)
    asked = setting.options.get(source.number, ())
    if setting.lexicon.others_named(REFERENCE.sub(" ", sentence), [source.id]):
        return Finding.OTHER_PRODUCT
    is_clear = len(setting.sources) == 1 or source is setting.previous
    if not (is_clear and (PRONOUNS & set(said) or frame.strip())) and not _is_named(sentence, source, setting.lexicon):
        return Finding.OTHER_PRODUCT
    if _QUALIFIER.search(sentence) or {n for n, _ in quantities(frame)} - {
        number for option in asked for number in numbers(option)
    }:
        return Finding.NUMBER
    if NEGATIONS & set(said):
        return Finding.POLARITY
    if claims_stock(frame):
        return Finding.STOCK
    assert source.product is not None
    named = options_named(frame, source.product)
    if not {option.lower() for option in (*named.sizes, *named.colors)} <= {option.lower() for option in asked}:
        return Finding.OPTION
    known = _SAYING | _NEUTRAL | {stem(word) for option in asked for word in words(option)}
    fields = {r.field for r in references(sentence)}
    anchors = {anchor for label in SPOKEN | {s.field: "" for s in source.statements} if field_name(label) in fields
               for anchor in _anchors(label)}  # fmt: skip
    stems = set(content_stems(frame)) - set(content_stems(source.title)) - anchors
    if _NOT_A_PRICE & set(content_stems(frame)):
        return Finding.WORDS
    if stems & RANKING:
        return Finding.RANKING
    return Finding.WORDS if stems - known else None


def _is_named(sentence: str, source: Source, lexicon: Lexicon) -> bool:
    return source.id in lexicon.named(REFERENCE.sub(" ", sentence))


def _wrong_fields(sentence: str, found: Sequence[Reference], source: Source) -> Finding | None:
    """Every reference stands with a word of its own field, and with none of another's."""
    parts = [without_title(part, source.title) for part in REFERENCE.sub("\0", sentence).split("\0")]
    told = {statement.field for statement in source.statements if statement.value}
    for place, reference in enumerate(found):
        is_last = place == len(found) - 1
        around = {stem(word) for word in words(parts[place] + (f" {parts[place + 1]}" if is_last else ""))}
        # "In size M, it is {1.stock}" speaks of a size without naming the field of that name.
        live = {"stock", "price"} - {reference.field}
        labels = told | (live if reference.field in ("stock", "price") else {"sizes", "colors"})
        own, label = _anchors(reference.field.replace("_", " ")), _label(reference.field.replace("_", " "))
        if reference.field not in _SELF_EXPLAINING and not around & own:
            return Finding.FIELD
        if reference.field in _SELF_EXPLAINING and around & _ALSO_SAID_WORDS:
            return Finding.FIELD
        if not (label and label <= around) and any(_speaks_of_other(around, other, own, label) for other in labels):
            return Finding.FIELD
        if {stem(word) for word in words(parts[place])} & {word for other in labels for word in _label(other)} - own:
            return Finding.FIELD
    return None


def _speaks_of_other(around: set[str], other: str, own: set[str], own_label: set[str]) -> bool:
    """Whether words around a reference are another field's: its whole label, or words that only it is asked by."""
    label = _label(other)
    said = around & own - _ALSO_SAID_WORDS
    return label != own_label and (
        label <= around or bool(around & (_anchors(other) - own - STOPWORDS)) or bool(said and said <= _anchors(other))
    )


def _label(label: str) -> set[str]:
    return set(content_stems(label))


def _anchors(label: str) -> set[str]:
    return {stem(word) for word in words(f"{label} {SPOKEN.get(label, '')}")} | _ALSO_SAID.get(label, set())


def _statements(found: Sequence[Reference], source: Source) -> tuple[Statement, ...]:
    fields = {reference.field for reference in found}
    return tuple(s for s in source.statements if field_name(s.field) in fields)
