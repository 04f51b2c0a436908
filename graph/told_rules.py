"""Does a policy section (or an order) account for a sentence? It has to keep the rule's figures and conditions."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from graph.checked import Check, Finding
from graph.phrasing import (
    PRONOUNS,
    RETELLING,
    Polar,
    clauses,
    holds,
    is_negated,
    meaning,
    polar_words,
    polarities_of,
    quantities,
    roots_of,
    spelt_out,
)
from shopbot.language import words
from shopbot.statements import Source, Statement

# Words that make a rule conditional: the retelling has to keep each of them.
CONDITIONS = roots_of(
    "if unless only except until after before within over under between up least most first never without"
)
_ORDER = roots_of("first next finally")  # what a step may be introduced by
_BACKWARD = PRONOUNS | frozenset(["there", "those", "that", "he", "she"])
_IS_CONDITIONAL = re.compile(r"(?:if|when|after|before|unless|once|for|in|between)\b", re.IGNORECASE)
_HALVES = re.compile(r",? and (?=(?:we|you|it|they) )|; ")
_REASON = re.compile(r",? (?:because|so) [^.;]*\.?$")
_CASES = re.compile(r"\b(if|when) ([^,;.]+?) or ([^,;.]+)\.?$")
_OF_DATE = re.compile(r" of [A-Z][a-z]+ \d{1,2}\b")
_PARENTHESIS = re.compile(r"\s*\([^)]*\)")
_MOST_RULES = 3  # that one sentence is put together from


@dataclass(frozen=True)
class _Rule:
    """A part of a section that can be told by itself: a statement, half of one, one cell of a table's row.

    `before` are words that its "it" and "them" may stand for, `optional` what a retelling may leave out of a list.
    """

    text: str
    statement: Statement
    before: frozenset[Polar]
    optional: tuple[frozenset[str], ...] = ()


def rule_told(text: str, source: Source, previous: Check | None) -> tuple[Finding | None, tuple[Statement, ...]]:
    """A retold rule rests on few statements of the section, and keeps their figures and conditions."""
    text = _without_own_id(text, source)
    heading = roots_of(source.title)
    earlier = _earlier_words(text, source, previous) | heading
    rules = list(_rules_of(source))
    used = _cover(text, rules, heading)
    accounting = [chosen for chosen in (used[:1], used) if _accounts_for(text, chosen, heading)]
    for chosen in accounting:
        if (loss := _loss(text, chosen, earlier)) is None:
            return None, tuple(dict.fromkeys(rule.statement for rule in chosen))
    if accounting:
        return loss, ()
    held = {quantity for rule in rules for quantity in quantities(rule.text)}
    around = {word for rule in rules for word in meaning(rule.text)} | heading
    if not all(holds(said, held) for said in quantities(text)):
        return Finding.NUMBER, ()
    return (Finding.POLARITY if meaning(text) - RETELLING <= around else Finding.WORDS), ()


def _earlier_words(text: str, source: Source, previous: Check | None) -> set[str]:
    """What "it" may stand for: words of the sentence before, if it was of the same record."""
    if previous is None or previous.source != source or not _BACKWARD & set(words(text)):
        return set()
    return {word for s in previous.statements for word in meaning(s.text)}


def _rules_of(source: Source) -> Iterator[_Rule]:
    before: frozenset[Polar] = frozenset()
    for statement in source.statements:
        whole = _without_own_id(spelt_out(statement.text), source)
        shorter = [_PARENTHESIS.sub("", whole), *_cells(statement), *_told_alone(whole)]
        shorter += [_OF_DATE.sub("", whole), *whole.split("; ")] if source.kind == "order" else []
        for text in dict.fromkeys([whole, *shorter]):
            yield _Rule(text, statement, before if _points_back(text) else frozenset(), tuple(_optional_items(text)))
        for sentence in _sentences_of(whole):
            yield _Rule(sentence, statement, before if _points_back(sentence) else frozenset())
            before = frozenset(polarities_of(sentence))
        before = frozenset(polarities_of(whole))


def _told_alone(text: str) -> Iterator[str]:
    """What stands by itself: halves with a subject of their own, a rule without its reason, with one of its cases."""
    if _IS_CONDITIONAL.match(text) is None:
        yield from (half for half in _HALVES.split(text) if half != text and len(half.split()) > 3)
    if (reason := _REASON.search(text)) is not None:
        yield text[: reason.start()] + "."
    if (cases := _CASES.search(text)) is not None:
        start, first, second = cases.groups()
        yield from (f"{text[: cases.start()]}{start} {case.strip()}." for case in (first, second))


def _without_own_id(text: str, source: Source) -> str:
    return text.replace(source.id, " ") if source.kind == "order" else text


def _points_back(text: str) -> bool:
    return bool(_BACKWARD & set(words(text)))


def _sentences_of(text: str) -> list[str]:
    """The sentences of a step or list line that has several, each with what the line is about."""
    parts = re.split(r"(?<=\.)\s+(?=[A-Z])", text)
    lead, colon, _ = text.partition(": ")
    is_led = bool(colon) and len(lead.split()) <= 3
    return [part if not place or not is_led else f"{lead}: {part}" for place, part in enumerate(parts)][
        : len(parts) if len(parts) > 1 else 0
    ]


def _cells(statement: Statement) -> list[str]:
    """A row's cells, each with what the row is about: "EU 42: foot length (cm) 25.9 to 26.5 cm"."""
    lead, colon, rest = statement.text.rstrip(".").partition(": ")
    if statement.field != "row" or not colon:
        return []
    return [f"{lead}: {_PARENTHESIS.sub('', cell)}" for cell in re.split(r",\s(?=[a-z])", rest)]


def _optional_items(text: str) -> Iterator[frozenset[str]]:
    """The middle items of an enumeration, and its last; none where all of them together are a condition."""
    if is_negated(text):  # "we do not ship or deliver" denies each of them
        for pair in re.findall(r"(\w+) or (\w+)", text):
            yield from (frozenset(meaning(word)) for word in pair if meaning(word))
    if re.search(r"\b(?:must|if|unless|until)\b", text) or text.count(", ") < 2:
        return
    for item in re.findall(
        r"(?<=, )(?:and |or )?([^,;.]{2,40}?)(?=,|\.$| and | or )|(?<= and )([^,;.]{2,40})(?=\.$)", text
    ):
        if words_of_item := frozenset(meaning(item[0] or item[1])):
            yield words_of_item


def _cover(text: str, rules: Sequence[_Rule], heading: frozenset[str]) -> list[_Rule]:
    """The rules that tell the most of a sentence, each of what the others leave open: figures first, then words."""
    left_words, left_figures = meaning(text) - RETELLING - heading, {number for number, _ in quantities(text)}
    said = set(left_figures)
    chosen: list[_Rule] = []
    while len(chosen) < _MOST_RULES and (left_words or left_figures):
        ranked = [(_covered(rule, left_words, left_figures, said), -_unsaid(rule, text), -len(rule.text), n)
                  for n, rule in enumerate(rules)]  # fmt: skip
        best = max(ranked, default=(0, 0, 0, 0))
        if best[0] <= 0:
            break
        rule = rules[best[3]]
        chosen.append(rule)
        left_words -= meaning(rule.text) | {word for word, _ in rule.before}
        left_figures -= {number for number, _ in quantities(rule.text)}
    return chosen


def _covered(rule: _Rule, left_words: AbstractSet[str], left_figures: set[str], said: set[str]) -> int:
    figures = {number for number, _ in quantities(rule.text)}
    return 3 * len(left_figures & figures) + len(left_words & meaning(rule.text)) - 2 * len(figures - said)


def _unsaid(rule: _Rule, text: str) -> int:
    return len(meaning(rule.text) - meaning(text))


def _accounts_for(text: str, rules: Sequence[_Rule], heading: frozenset[str]) -> bool:
    known = {polar for rule in rules for polar in (*polarities_of(rule.text), *rule.before)}
    held = {word for word, _ in known}
    free = heading
    is_step = any(rule.statement.field == "step" for rule in rules)
    for clause in clauses(text, joins_lists=True):
        polars = polar_words(clause)
        if is_negated(clause) and not any((word, True) in known for word, _ in polars):
            return False
        for word, negated in polars:
            if (word, negated) in known or (word in free and word not in held):
                continue
            if is_negated(clause) and (word, True) in known:  # "the buyer is not told" is "we do not tell the buyer"
                continue
            if word in RETELLING or (word in _ORDER and is_step):
                continue
            if not (is_negated(clause) and word in free):
                return False
    return True


def _loss(text: str, rules: Sequence[_Rule], earlier: set[str]) -> Finding | None:
    """What the retelling of the rules adds in figures or leaves out."""
    held = {quantity for rule in rules for quantity in quantities(rule.text)}
    figures, said = quantities(text), meaning(text)
    if not all(holds(figure, held) for figure in figures):
        return Finding.NUMBER
    if not {number for number, _ in held} <= {number for number, _ in figures}:
        return Finding.NUMBER
    spoken = roots_of(text)
    for rule in rules:  # every word: "a rush repair takes 5 days" must not become "a repair takes 5 days"
        left_out = {word for item in rule.optional if not item & said for word in item}
        if not CONDITIONS & roots_of(rule.text) <= spoken or (is_negated(rule.text) and not is_negated(text)):
            return Finding.CONDITION
        if not meaning(rule.text) - left_out - RETELLING - earlier <= said:
            return Finding.CONDITION
    return None
