"""Is this sentence supported by the record that it cites? Pure functions; nothing is shown without passing.

The rule is conservative on purpose: a small model may be clumsy, it may not be wrong. A sentence passes when one
cited record accounts for all of it: every number, every product name, every claim about stock and every word that
carries meaning, with the same polarity. What is true but said in words of the model's own is refused too; the price
of that is measured as the model share, not paid by the customer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from graph.lexicon import Lexicon
from shopbot.claims import amounts, prices_supported, stock_supported
from shopbot.language import (
    NEGATIONS,
    STOPWORDS,
    canonical_number,
    citation_numbers,
    stem,
    without_citations,
    words,
)
from shopbot.statements import Source, Statement


def stems_of(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


# Words that make a rule conditional: the retelling has to keep each of them.
CONDITIONS = stems_of(
    "if unless only except until after before within over under between up least most first not no never without"
)
# Words that bind an answer together and claim nothing.
NEUTRAL = stems_of(
    """customer product item price cost currently available come weigh weight made stock size color colour feature
    warranty material please note sure happy help glad"""
)
_VALUES = stems_of("stock sold available")
PRONOUNS = frozenset(["it", "it's", "its", "this", "they", "these"])
# Claims of rank or promise that a single record cannot support.
RANKING = stems_of(
    "best cheapest warmest lightest most least cheaper lighter warmer better ideal perfect always guaranteed every all"
)
_QUANTITY = re.compile(r"\d+(?:[.,]\d+)*")
_EXACT_FIELDS = frozenset({"stock", "sizes", "colors"})
_CONVEYED_SHARE = 0.7
_TELLING_UNITS = frozenset({"g", "kg", "$"})  # what has them is a weight or a price, whatever else is said
_NEGATION_REACH = 4  # words, within one clause

Quantity = tuple[str, str]


class Finding(StrEnum):
    """Why a sentence was held back."""

    EMPTY = "says nothing"
    REPETITION = "repeats itself"
    UNKNOWN_SOURCE = "cites a source that is not there"
    OTHER_PRODUCT = "does not name the product that it cites"
    NUMBER = "has a number that the record does not"
    STOCK = "claims a stock that the live record does not confirm"
    POLARITY = "says the opposite of the record"
    WORDS = "has words that the record does not account for"
    CONDITION = "leaves out a condition of the rule"
    RANKING = "ranks or promises, which one record cannot support"
    FIELD = "refers to another field than it speaks of"
    UNRESOLVED = "refers to a value that the record does not have"
    OPTION = "speaks of a size or color that was not asked for"
    SECTION = "names a policy section that was not found for the question"


@dataclass(frozen=True)
class Check:
    """The outcome for one sentence: the source that supports it and the statements used, or the finding."""

    source: Source | None
    statements: tuple[Statement, ...] = ()
    finding: Finding | None = None

    @property
    def passed(self) -> bool:
        return self.finding is None


def check(sentence: str, sources: Mapping[int, Source], lexicon: Lexicon) -> Check:
    """Check one sentence of the model against what it cites, or against each source where it cites nothing."""
    text = without_citations(sentence)
    if not (_meaning(text) or quantities(text)) or text.rstrip().endswith("?"):
        return Check(None, finding=Finding.EMPTY)
    cited = citation_numbers(sentence)
    if not sources or any(number not in sources for number in cited):
        return Check(None, finding=Finding.UNKNOWN_SOURCE)
    candidates = [sources[number] for number in (cited[:1] or sorted(sources))]
    has_to_name = len(sources) > 1
    checks = [_check_against(text, source, lexicon, has_to_name) for source in candidates]
    return next((item for item in checks if item.passed), checks[0])


# Words of saying that something is unknown, beyond those of the shop's own phrase.
_DENYING = stems_of(
    """nothing none entry see look looked find found list listed offer have having say says mention
    mentions record records catalog either way write person check ask team reach colleague tell guess know help"""
)
_DENIALS = frozenset(["nothing", "none", "no", "not"]) | NEGATIONS


def speaks_for(sentence: str, lead: str, about: Iterable[str], question: str) -> bool:
    """Whether a sentence says that something is unknown as the lead says it: of the same thing, adding nothing.

    `about` are stems of which it has to have one; its other words are the lead's, the customer's, or of denying.
    """
    said = _stems_of(sentence)
    allowed = _stems_of(lead) | _stems_of(question) | _DENYING
    return (
        bool(_DENIALS & set(words(sentence)))
        and not said.isdisjoint(about)
        and not quantities(sentence)
        and _meaning(sentence) <= allowed
    )


def conveys(statement: Statement, title: str, shown: str) -> bool:
    """Whether the shown text already tells what the statement tells.

    For a price that is the amount to pay, for stock and variants every word, otherwise the figures and most words.
    """
    if statement.field == "price" and (said := amounts(statement.text)):
        return said[0] in amounts(shown) and not (_sizes_in(statement) - _stems_of(shown))
    meaning = _meaning(without_title(statement.text, title)) - NEUTRAL
    share = 1.0 if statement.field in _EXACT_FIELDS else _CONVEYED_SHARE
    figures = set(quantities(without_title(statement.text, title)))
    return figures <= set(quantities(shown)) and len(meaning & _meaning(shown)) >= share * len(meaning)


def _sizes_in(statement: Statement) -> set[str]:
    """The stems of the size that a price is for, where it is for one size only."""
    return (
        _stems_of(statement.text.removeprefix("In size ").split(",")[0])
        if statement.text.startswith("In size ")
        else set()
    )


def without_title(text: str, title: str) -> str:
    """Take a product's title out of a text, also where some of its later words are left out ("Polar Night 1000")."""
    first, *others = [re.escape(word) for word in title.split()]
    return re.sub(
        rf"\b{first}" + "".join(rf"(?:[\s-]+{word})?" for word in others) + r"(?!\w)", " ", text, flags=re.IGNORECASE
    )


def quantities(text: str) -> list[Quantity]:
    """Numbers with what follows them: "480 g" -> ("480", "g"), "$349.00" -> ("349", "$"), "XL-2" -> ("2", "")."""
    return [(canonical_number(match.group()), _unit(text, match)) for match in _QUANTITY.finditer(text)]


def _unit(text: str, match: re.Match[str]) -> str:
    if text[: match.start()].rstrip().endswith(("$", "€", "£")):
        return "$"
    following = re.match(r"\s?(°C|%|[A-Za-z]+)", text[match.end() :])
    return stem(following[1].lower().removeprefix("°")) if following and following[1].lower() not in STOPWORDS else ""


def _check_against(text: str, source: Source, lexicon: Lexicon, has_to_name: bool) -> Check:
    if quoted := tuple(s for s in source.statements if words(s.text) == words(text)):
        return Check(source, quoted)
    if _repeats(text):
        return Check(source, finding=Finding.REPETITION)
    if source.product is None:
        finding, statements = _check_policy(text, source, lexicon)
    elif lexicon.others_named(text, [source.id]) or (has_to_name and not _names(text, source, lexicon)):
        finding, statements = Finding.OTHER_PRODUCT, ()
    else:
        finding, statements = _check_product(text, source)
    return Check(source, statements if finding is None else (), finding)


def _names(text: str, source: Source, lexicon: Lexicon) -> bool:
    return source.id in lexicon.named(text)


def _check_product(text: str, source: Source) -> tuple[Finding | None, tuple[Statement, ...]]:
    assert source.product is not None
    body = without_title(text, source.title)
    title = _stems_of(source.title)
    if not PRONOUNS & set(words(text)) and not title & _stems_of(text) - NEUTRAL:
        return Finding.OTHER_PRODUCT, ()
    if (RANKING & _stems_of(body)) - title:
        return Finding.RANKING, ()
    if not stock_supported(text, source.product, source.facts):
        return Finding.STOCK, ()
    carriers = _carriers_of_numbers(body, source)
    if carriers is None or not prices_supported(text, [s.text for s in source.of("price")], source.product):
        return Finding.NUMBER, ()
    supporting = tuple(dict.fromkeys([*carriers, *_spoken_of(body, source)]))
    if finding := _words_supported(body, supporting, title):
        return finding, ()
    return (None, supporting) if _informs(body, supporting, title) else (Finding.EMPTY, ())


def _informs(body: str, statements: Sequence[Statement], title: set[str]) -> bool:
    """Whether the sentence says something of a statement's value, not only the name of its field."""
    values = {word for s in statements for word in _meaning(s.value or s.text)}
    return bool((_meaning(body) - title - (NEUTRAL - _VALUES)) & values) or bool(quantities(body))


def _carriers_of_numbers(body: str, source: Source) -> list[Statement] | None:
    """The statements that the sentence's numbers come from; None if one of them comes from nowhere.

    "480 g of down" is refused where 480 g is the weight: the sentence has to speak of the field whose number it says.
    The numbers of one statement keep their order and what they count: shell and lining do not swap their deniers.
    """
    said = _stems_of(body)
    carriers: dict[Statement, list[Quantity]] = {}
    for quantity, leading in zip(quantities(body), _leading_words(body), strict=True):
        holders = [
            s
            for s in source.statements
            if quantity in quantities(without_title(s.text, source.title)) and _may_lead(leading, s)
        ]
        spoken = [s for s in holders if _speaks_of(s, said, "$" in body)]
        if not spoken and len(holders) == 1 and _speaks_of_nothing_else(holders[0], body, said, source):
            spoken = holders  # "it is 515 g": the number is that statement's alone
        if not spoken:
            return None
        carriers.setdefault(spoken[0], []).append(quantity)
    for statement, used in carriers.items():
        whole = without_title(statement.text, source.title)
        if not _is_subsequence(used, quantities(whole)) or not _counts_the_same(body, whole):
            return None
    return list(carriers)


def _leading_words(body: str) -> list[str | None]:
    """For every number the last meaning word before it: what it is a number of."""
    return [
        next((word for word, _ in reversed(_polar_words(body[: m.start()]))), None) for m in _QUANTITY.finditer(body)
    ]


def _may_lead(word: str | None, statement: Statement) -> bool:
    """Whether the word before a number belongs to the statement that the number is taken from."""
    return word is None or word in NEUTRAL or word in statement.anchors or word in _meaning(statement.text)


def _speaks_of_nothing_else(statement: Statement, body: str, said: set[str], source: Source) -> bool:
    others = [s for s in source.statements if s.field not in (statement.field, "description")]
    telling = _meaning(body) - NEUTRAL
    units = {unit for _, unit in quantities(body)}
    return (
        telling <= _meaning(statement.text)
        and bool(telling - units or units & _TELLING_UNITS)
        and not any(said & other.anchors for other in others)
    )


def _is_subsequence(part: Sequence[Quantity], whole: Sequence[Quantity]) -> bool:
    rest = iter(whole)
    return all(item in rest for item in part)


def _counts_the_same(body: str, statement: str) -> bool:
    """Words close behind a number in the sentence, where the statement has them too, stand close behind it there."""
    there = _words_after_numbers(statement, 4)
    held = _meaning(statement)
    return all(
        any(number == other and (near & held) <= around for other, around in there)
        for number, near in _words_after_numbers(body, 2)
        if near & held
    )


def _words_after_numbers(text: str, reach: int) -> list[tuple[str, set[str]]]:
    found = []
    for match in _QUANTITY.finditer(text):
        following = _QUANTITY.split(text[match.end() :])[0]
        close = [stem(word) for word in words(following) if word not in STOPWORDS][:reach]
        found.append((canonical_number(match.group()), set(close)))
    return found


def _speaks_of(statement: Statement, said: set[str], has_money: bool) -> bool:
    if statement.field == "description":
        return len(said & _meaning(statement.text)) >= 3
    return bool(said & statement.anchors) or (has_money and statement.field == "price")


def _spoken_of(body: str, source: Source) -> list[Statement]:
    said = _stems_of(body) & _meaning(body)
    return [s for s in source.statements if _speaks_of(s, said, False)]


def _words_supported(body: str, statements: Sequence[Statement], title: set[str]) -> Finding | None:
    """Each meaning word stands in one of the statements with the same polarity."""
    known = {polar for statement in statements for polar in _polarities(statement)}
    for word, negated in _polar_words(body):
        if word in title or (word in NEUTRAL and not negated) or (word, negated) in known:
            continue
        return Finding.POLARITY if (word, not negated) in known else Finding.WORDS
    return None


def _polarities(statement: Statement) -> Iterable[tuple[str, bool]]:
    """The statement's meaning words with their polarity; what it denies as a whole is denied."""
    for word, negated in _polar_words(statement.text):
        yield word, negated or word in statement.denied


def _check_policy(text: str, source: Source, lexicon: Lexicon) -> tuple[Finding | None, tuple[Statement, ...]]:
    """A retold rule rests on one statement of the section, or two, and keeps their figures and conditions."""
    if lexicon.others_named(text, ()):
        return Finding.OTHER_PRODUCT, ()
    said = _meaning(text)
    ranked = sorted(source.statements, key=lambda s: (-len(said & _meaning(s.text)), len(s.text)))
    for used in (tuple(ranked[:1]), tuple(ranked[:2])):
        if _accounts_for(text, used, source.title):
            return _loss(text, used), used
    if not set(quantities(text)) <= {quantity for s in source.statements for quantity in quantities(s.text)}:
        return Finding.NUMBER, ()
    held = {word for s in source.statements for word in _meaning(s.text)}
    return (Finding.POLARITY if said <= held else Finding.WORDS), ()


def _accounts_for(text: str, statements: Iterable[Statement], heading: str) -> bool:
    known = {polar for s in statements for polar in _polar_words(s.text)} | {
        (word, False) for word in _meaning(heading)
    }
    return all(polar in known for polar in _polar_words(text))


def _loss(text: str, statements: Iterable[Statement]) -> Finding | None:
    """What the retelling of the statements adds in figures or leaves out."""
    statements = tuple(statements)
    figures, spoken, said = set(quantities(text)), _stems_of(text), _meaning(text)
    if figures != {quantity for s in statements for quantity in quantities(s.text)}:
        return Finding.NUMBER
    for statement in statements:  # every word: "a rush repair takes 5 days" must not become "a repair takes 5 days"
        if not CONDITIONS & _stems_of(statement.text) <= spoken or not _meaning(statement.text) <= said:
            return Finding.CONDITION
    return None


def _repeats(text: str) -> bool:
    """Three times the same meaning word in one sentence is a model that has lost its thread."""
    said = [word for word, _ in _polar_words(text) if word not in NEUTRAL]
    return any(said.count(word) >= 3 for word in said)


def _stems_of(text: str) -> set[str]:
    return {stem(word) for word in words(text)}


def _meaning(text: str) -> set[str]:
    return {word for word, _ in _polar_words(text)}


def _polar_words(text: str) -> list[tuple[str, bool]]:
    """Meaning words (stems), each with whether a negation stands shortly before it in the same clause."""
    found = []
    for clause in re.split(r"[,;:.]\s|\bbut\b", text):
        reach = 0
        for word in words(clause):
            if word in NEGATIONS:
                reach = _NEGATION_REACH
            elif word not in STOPWORDS and not word[0].isdigit():
                found.append((stem(word.removesuffix("'s")), reach > 0))
            reach -= 1
    return found
