"""Right answers made wrong by rule: one sentence each, in one way, and only where the oracle agrees that it is wrong.

Pure functions of an answer and the records. What happens to stay true (a changed number that the record has, too, a
colour in the same stock) is left out and counted; nothing here knows what the check looks at.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from evals.oracle import ADDRESS, NUMBER, ORDER, Record, bare, named_variants, plain_number, stands_in, without_titles
from shopbot.types import Frozen

KINDS = (
    "number", "unit", "percentage", "date", "stale_price", "stock", "product", "option", "material", "wrong_source",
    "field", "negation", "condition", "order_id", "url", "reference",
)  # fmt: skip
"""What can be wrong; `option` is a size or colour, `field` and `reference` are what another field says."""

_UNITS = {
    "g": "kg", "kg": "g", "cm": "mm", "mm": "cm", "km": "m", "m": "km", "°C": "°F", "litres": "ml", "L": "ml",
    "l": "ml",
    "minutes": "hours", "hours": "minutes", "days": "weeks", "weeks": "days", "months": "years", "years": "months",
    "year": "month", "lumens": "watts", "kN": "kg", "gsm": "g", "W": "mW", "l/min": "l/h", "points": "dollars",
}  # fmt: skip
_UNIT = re.compile(
    r"(?<=\d)(\s|-)(?:business )?(" + "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True)) + r")(?![\w/²-])"
)
_MONEY = re.compile(r"\$\d[\d,]*(?:\.\d\d)?")
_PERCENT = re.compile(r"\d+%")
_DATE = re.compile(
    r"\b(January|February|March|April|May|June|July|August|September|October|November|December) (\d{1,2})\b"
)
_YEAR = re.compile(r"\b20\d\d\b")
_MATERIALS = (
    "nylon polyester merino leather cotton steel aluminium titanium fleece wool silicone brass canvas suede "
    "polycarbonate elastane mesh cowhide polyurethane"
).split()
_CONDITION = re.compile(r",? (?:if|unless|for orders of|until) [^,;.\[]*(?=[,;.]|\s\[)")
_REFERENCE = re.compile(r"\{(\d+)\.([a-z_]+)\}")
_CITED = re.compile(r"\[(\d)\]")
_UNDENIED = (
    (r"\bis not\b", "is"), (r"\bisn't\b", "is"), (r"\bare not\b", "are"), (r"\baren't\b", "are"), (r"\bdo not\b", ""),
    (r"\b(?:doesn't|does not) have\b", "has"), (r"\b(?:don't|do not|does not|doesn't) ", ""), (r"\bcan't\b", "can"),
    (r"\bcannot\b", "can"), (r"\bmust never\b", "must"), (r"\bnever ", ""), (r"\bhas no\b", "has a"),
    (r"\bno (?=[a-z])", "a "), (r"\bNever (\w)", r"Always \1"), (r"\bwithout\b", "with"), (r"\bnot (?=\w)", ""),
)  # fmt: skip
_DENIED = (
    (r"\bcan\b", "cannot"), (r"\bis\b", "is not"), (r"\bare\b", "are not"), (r"\bhas\b", "does not have"),
    (r"\bhave\b", "do not have"), (r"\bwill\b", "will not"), (r"\bmust\b", "must not"), (r"\bcosts\b", "does not cost"),
    (r"\bcost\b", "do not cost"), (r"\bweighs\b", "does not weigh"), (r"\bcomes in\b", "does not come in"),
    (r"\bcome in\b", "do not come in"), (r"\btakes\b", "does not take"), (r"\bholds\b", "does not hold"),
    (r"\bworks?\b", "does not work"), (r"\bsleeps\b", "does not sleep"), (r"\bpacks\b", "does not pack"),
    (r"\bwe (?=[a-z])", "we do not "), (r"\bWe (?=[a-z])", "We do not "), (r"\byou (?=[a-z])", "you do not "),
    (r"\bYou (?=[a-z])", "You do not "),
)  # fmt: skip
_STOCK = ((r"\bsold out\b", "in stock"), (r"\bin stock\b", "sold out"), (r"\bavailable\b", "sold out"))


class Answer(Frozen):
    """A right answer; `[1]` and `{1.price}` in it stand for the first of its records."""

    id: str
    records: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Corrupted:
    """An answer whose sentence at place `at` is wrong. `prices`: what a product costs now, where that has changed."""

    answer: Answer
    kind: str
    at: int
    prices: Mapping[str, float] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return self.answer.sentences[self.at]


@dataclass
class Shop:
    """All records, a source of chance, and how often a change was dropped because the sentence stayed true."""

    records: Mapping[str, Record]
    chance: random.Random
    dropped: Counter[str] = field(default_factory=Counter)

    def of(self, answer: Answer) -> list[Record]:
        return [self.records[key] for key in answer.records]

    def alike(self, record: Record) -> list[Record]:
        """Other records of its kind, those of its category or policy first."""
        others = [r for r in self.records.values() if _kind(r) == _kind(record) and r.id != record.id]
        self.chance.shuffle(others)
        return sorted(others, key=lambda other: _group(other) != _group(record))


def corruptions(answer: Answer, shop: Shop) -> Iterator[Corrupted]:
    """Yield at most one of every kind that applies to the answer, each in the first sentence where it does."""
    for kind, rule in _RULES.items():
        places = list(range(len(answer.sentences)))
        shop.chance.shuffle(places)
        found = (made for at in places for made in rule(answer, at, shop))
        if (made := next(found, None)) is not None:
            yield made if made.kind == kind else Corrupted(made.answer, kind, made.at, made.prices)


def _kind(record: Record) -> str:
    return "policy" if not record.row else "product" if record.title else "order"


def _group(record: Record) -> str:
    return str(record.row.get("category", record.id.partition(".")[0]))


def _with(answer: Answer, at: int, sentence: str, records: tuple[str, ...] | None = None) -> Corrupted:
    sentences = (*answer.sentences[:at], sentence, *answer.sentences[at + 1 :])
    return Corrupted(answer.model_copy(update={"sentences": sentences, "records": records or answer.records}), "", at)


def _replaced(answer: Answer, at: int, shop: Shop, found: re.Match[str], new: str, kind: str) -> Iterator[Corrupted]:
    """The sentence with a figure changed, unless a record of the answer has the new figure, too."""
    sentence = answer.sentences[at]
    if any(stands_in(new.lower(), record.text.lower()) for record in shop.of(answer)):
        shop.dropped[kind] += 1
        return
    yield _with(answer, at, sentence[: found.start()] + new + sentence[found.end() :])


def _number(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    sentence, records = answer.sentences[at], shop.of(answer)
    said = without_titles(bare(sentence), records)
    taken = [
        m.span() for p in (ORDER, ADDRESS, _DATE, _PERCENT, _YEAR, _CITED, _REFERENCE) for m in p.finditer(sentence)
    ]
    held = frozenset().union(*(record.numbers for record in records))
    for found in NUMBER.finditer(sentence):
        inside = any(start <= found.start() < end for start, end in taken)
        is_step = found.start() == 0 and sentence[found.end() :].startswith(". ")
        is_word = bool(re.search(r"[A-Za-z]-?$", sentence[: found.start()]))
        if inside or is_step or is_word or found.group() not in said:
            continue
        value = float(found.group().replace(",", ""))
        step = shop.chance.choice([1, 2, 5, 10]) if value < 100 else shop.chance.choice([10, 25, 100])
        new = f"{value + step:.2f}" if re.search(r"\.\d\d$", found.group()) else f"{value + step:g}"
        if plain_number(new) in held:
            shop.dropped["number"] += 1
            continue
        yield _with(answer, at, sentence[: found.start()] + new + sentence[found.end() :])


def _unit(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    sentence = answer.sentences[at]
    for found in _UNIT.finditer(sentence):
        new = _UNITS[found[2]]
        figure = NUMBER.findall(sentence[: found.start()])[-1]
        if any(re.search(rf"\b{re.escape(figure)}[\s-]?{new}\b", record.text) for record in shop.of(answer)):
            shop.dropped["unit"] += 1
            continue
        yield _with(answer, at, sentence[: found.start(2)] + new + sentence[found.end(2) :])
    if amount := _MONEY.search(sentence):
        yield _with(answer, at, sentence[: amount.start()] + "€" + sentence[amount.start() + 1 :])


def _percentage(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    for found in _PERCENT.finditer(answer.sentences[at]):
        value = int(found.group()[:-1])
        yield from _replaced(answer, at, shop, found, f"{value + 7 if value < 90 else value - 7}%", "percentage")


def _date(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    for found in _DATE.finditer(answer.sentences[at]):
        yield from _replaced(answer, at, shop, found, f"{found[1]} {int(found[2]) % 28 + 1}", "date")
    for found in _YEAR.finditer(without_titles(answer.sentences[at], shop.of(answer))):
        yield from _replaced(answer, at, shop, found, str(int(found.group()) + 2), "date")


def _stale_price(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """The price as it was: the regular one beside a sale, or the sentence as it is after the price has changed."""
    sentence = answer.sentences[at]
    record = _spoken_of(answer, at, shop)
    paid = record.payable
    if paid is None or not (found := _MONEY.search(sentence)):
        return
    said = float(found.group()[1:].replace(",", ""))
    regular = record.row["price"]
    if said == paid != regular and f"{regular:.2f}" not in sentence:
        yield _with(answer, at, f"{sentence[: found.start()]}${regular:.2f}{sentence[found.end() :]}")
    elif said == paid:
        yield Corrupted(answer, "stale_price", at, {record.id: round(paid * 0.85, 2)})


def _stock(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    sentence = answer.sentences[at]
    record = _spoken_of(answer, at, shop)
    if not record.variants or "in stock, sold out" in sentence:
        return
    for pattern, new in _STOCK:
        if re.search(pattern, sentence) and None not in [v.get("stock") for v in record.variants]:
            yield _with(answer, at, re.sub(pattern, new, sentence, count=1))


def _product(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """Another product's name on the sentence; the record it may speak of stays."""
    sentence = answer.sentences[at]
    for record in shop.of(answer):
        if _kind(record) != "product":
            continue
        short = record.title.split()[0]
        name = record.title if record.title in sentence else rf"{short}" if stands_in(short, sentence) else ""
        others = [o for o in shop.alike(record) if o.title.split()[0] != short and o.id not in answer.records]
        if name:
            other = others[0].title if name == record.title else others[0].title.split()[0]
            yield _with(answer, at, sentence.replace(name, other))


def _option(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """Another size or colour: one in the opposite stock where stock is spoken of, else one that is not made."""
    sentence, record = answer.sentences[at], _spoken_of(answer, at, shop)
    for kind in ("color", "size"):
        named = [option for option in record.options(kind) if stands_in(option, sentence)]
        is_state = re.search(r"sold out|in stock|available|gone", sentence)
        for option in named:
            others = _not_made(kind, record, shop)
            if is_state and len(named) == 1:
                others = [o for o in record.options(kind) if _opposite(sentence, option, o, record)] + others
            for other in others[:1]:
                place = re.search(rf"(?<![\w/]){re.escape(option)}(?![\w/])", sentence)
                assert place is not None
                yield _with(answer, at, sentence[: place.start()] + other + sentence[place.end() :])


def _opposite(sentence: str, option: str, other: str, record: Record) -> bool:
    """Whether all that the sentence names is in stock and none of it with the other option, or the other way round."""
    first = [int(v["stock"]) for v in named_variants(sentence, record) if v.get("stock") is not None]
    second = [
        int(v["stock"]) for v in named_variants(sentence.replace(option, other), record) if v.get("stock") is not None
    ]
    if not first or not second:
        return False
    return (max(first) == 0 and min(second) > 0) or (min(first) > 0 and max(second) == 0)


def _not_made(kind: str, record: Record, shop: Shop) -> list[str]:
    """Options of other products that no word of this record is."""
    others = {option for other in shop.alike(record)[:40] for option in other.options(kind)}
    parts = {part for made in record.options(kind) for part in re.split(r"[/ -]", made)}
    strangers = sorted(o for o in others if o not in parts and not stands_in(o.lower(), record.text.lower()))
    shop.chance.shuffle(strangers)
    return [option for option in strangers if kind == "color" or re.fullmatch(r"X*[SL]|M|\d+", option)]


def _material(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    sentence, record = answer.sentences[at], _spoken_of(answer, at, shop)
    body = without_titles(sentence, [record])
    for material in _MATERIALS:
        if not re.search(rf"\b{material}\b", body) or not record.variants:
            continue
        others = [other for other in _MATERIALS if other not in record.text.lower()]
        yield _with(answer, at, re.sub(rf"\b{material}\b", shop.chance.choice(others), sentence, count=1))


def _other_field(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """The value of another field of the same record in the place of one that the sentence tells."""
    sentence = answer.sentences[at]
    for record in shop.of(answer)[:1]:
        values = _shown_values(record)
        for value in values:
            others = [o for o in values if o != value and o not in sentence and not value.startswith(o)]
            place = re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", sentence)
            if place is None or not others:
                continue
            alike = [o for o in others if o[:1].isdigit() == value[:1].isdigit()] or others
            yield _with(answer, at, sentence[: place.start()] + shop.chance.choice(alike) + sentence[place.end() :])


def _shown_values(record: Record) -> list[str]:
    """Attributes as a sentence shows them, long enough to be told from one another: "515 g", "lifetime"."""
    shown = []
    for key, value in record.row.get("attributes", {}).items():
        unit = re.search(r"_(g|mm|cm|m|l)$", key)
        if isinstance(value, str) and len(value) > 4:
            shown.append(value[0].lower() + value[1:] if value[1:2].islower() else value)
        elif isinstance(value, int) and unit:
            shown.append(f"{value} {unit[1]}")
    return list(dict.fromkeys(shown))


def _wrong_source(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """A right fact that the cited record does not tell: the citation swapped, or another record in its place."""
    sentence, records = answer.sentences[at], shop.of(answer)
    cited = set(_CITED.findall(sentence))
    if len(records) > 1 and len(cited) == 1:
        other = {"1": "2", "2": "1"}[cited.pop()]
        yield _with(answer, at, _CITED.sub(f"[{other}]", sentence))
        return
    if len(records) > 1 or not cited:
        return
    figures = {plain_number(number) for number in NUMBER.findall(bare(sentence))}
    for other_record in shop.alike(records[0])[:8]:
        if stands_in(bare(sentence).rstrip("."), other_record.text) or (figures and figures <= other_record.numbers):
            shop.dropped["wrong_source"] += 1
            continue
        if figures or records[0].title.split()[0] in sentence:
            yield _with(answer, at, sentence, (other_record.id,))


def _negation(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """A denial taken out; where there is none, one put in."""
    sentence = answer.sentences[at]
    if re.search(r"\bnone\b", sentence, re.IGNORECASE):  # the one word makes the denial, wherever it stands
        return
    for pattern, new in (*_UNDENIED, *_DENIED):
        found = re.search(pattern, sentence)
        if found and not re.match(r"(?:no|not)\b.*?[,:.]", sentence[found.start() :].lower().partition(" ")[0]):
            yield _with(answer, at, " ".join(re.sub(pattern, new, sentence, count=1).split(" ")).replace("  ", " "))
            return


def _condition(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    sentence = answer.sentences[at]
    if found := _CONDITION.search(sentence):
        rest = sentence[: found.start()] + sentence[found.end() :]
        if any(bare(rest).rstrip(".") in record.text for record in shop.of(answer)):
            shop.dropped["condition"] += 1
            return
        yield _with(answer, at, rest)


def _order_id(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """The number of somebody else's order."""
    for found in ORDER.finditer(answer.sentences[at]):
        yield from _replaced(answer, at, shop, found, shop.alike(shop.of(answer)[0])[0].id, "order_id")


def _url(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """An address changed, or one invented where there is none."""
    sentence = answer.sentences[at]
    if found := ADDRESS.search(sentence):
        changed = found.group().replace("cairn-outfitters", "cairn-outlet")
        yield _with(answer, at, sentence[: found.start()] + changed + sentence[found.end() :])
    elif cited := _CITED.search(sentence):
        start = cited.start() - 1
        yield _with(answer, at, f"{sentence[:start]}, see https://cairn-deals.example/now{sentence[start:]}")


def _reference(answer: Answer, at: int, shop: Shop) -> Iterator[Corrupted]:
    """The value of another field behind the words of the first."""
    sentence = answer.sentences[at]
    for found in _REFERENCE.finditer(sentence):
        record = shop.of(answer)[int(found[1]) - 1]
        names = {"price", "stock", "colors", *(_field(key) for key in record.row["attributes"])} - {found[2]}
        other = shop.chance.choice(sorted(names - {_TWINS.get(found[2], "")}))
        yield _with(answer, at, f"{sentence[: found.start()]}{{{found[1]}.{other}}}{sentence[found.end() :]}")


# Fields whose values may stand in each other's sentences: "it is made of", "it is made for", "it is $349.00".
_TWINS = {"materials": "fill", "fill": "materials", "season": "best_for", "best_for": "season", "stock": "price"}


def _field(key: str) -> str:
    """How a reference names an attribute: without its unit."""
    return re.sub(r"_(?:g|kg|l|ml|mm|cm|m|c|h|min|minutes|kn|gsm|w|mah)$", "", key)


def _spoken_of(answer: Answer, at: int, shop: Shop) -> Record:
    """The record that a sentence cites, the first where it cites none."""
    cited = _CITED.search(answer.sentences[at]) or _REFERENCE.search(answer.sentences[at])
    return shop.of(answer)[int(cited[1]) - 1 if cited else 0]


_RULES: dict[str, Callable[[Answer, int, Shop], Iterator[Corrupted]]] = {
    "number": _number, "unit": _unit, "percentage": _percentage, "date": _date, "stale_price": _stale_price,
    "stock": _stock, "product": _product, "option": _option, "material": _material, "wrong_source": _wrong_source,
    "field": _other_field, "negation": _negation, "condition": _condition, "order_id": _order_id, "url": _url,
    "reference": _reference,
}  # fmt: skip
