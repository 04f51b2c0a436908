"""The same thing in other words: what the check takes for equal, what it takes for words that claim nothing.

Closed lists, on purpose. A word is let through because it is known to be harmless or known to mean the same, never
because a model finds it similar: "water" and "waterproof" are similar, too.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from shopbot.language import NEGATIONS, STOPWORDS, canonical_number, is_contraction, stem, words

PRONOUNS = frozenset(["it", "it's", "its", "this", "they", "these", "their", "them"])
Quantity = tuple[str, str]
Polar = tuple[str, bool]

_NEGATIONS = NEGATIONS | {"nothing"}
# A negation holds for so many words that are no stopwords, within one clause.
_NEGATION_REACH = 4
_CLAUSE = re.compile(r"[,;:.()–—]\s?(?=\s|\D|$)|\b(?:but|while|though|although|whereas|when|if|because|unless|so)\b")
# The comma of an enumeration, "cash, checks and bank transfers": few words to the next comma, "and" or "or".
_LIST_COMMA = re.compile(
    r",(?=\s(?:[\w'-]+\s){0,4}?[\w'-]+(?:,| or | and )[^.;:]*)(?!\s(?:we|you|it|they|not|no|please)\b)"
)
_QUANTITY = re.compile(r"\d+(?:[.,]\d+)*")
_CURRENCY = re.compile(r"([$€£¥])\s?$|\b(USD|EUR|GBP)\s$")
_FOLLOWING = re.compile(
    r"[\s-]?(?:(?:more|extra|further|additional) )?(°[CF]|%|[A-Za-z]+(?:/[A-Za-z]+[²³]?(?:/\d+ ?h)?)?)"
)
_NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
# Spoken forms of what records write short, and of one another.
_SPELT_OUT = (
    (re.compile(r"\bcan(?:'t|not)\b", re.IGNORECASE), "can not"),
    (re.compile(r"\bwon't\b", re.IGNORECASE), "will not"),
    (re.compile(r"n't\b", re.IGNORECASE), " not"),
    (re.compile(r"\b(?:ha(?:s|ve)|needs?) to\b", re.IGNORECASE), "must"),
    (re.compile(r"\b(?:do|does) not must be confirmed\b", re.IGNORECASE), "is confirmed"),
    (re.compile(r"\bmust be confirmed\b", re.IGNORECASE), "is not confirmed"),
    (re.compile(r"([$€£]?\b\d[\d.,]*) or (?:more|older|above|over)\b", re.IGNORECASE), r"at least \1"),
    (re.compile(r"\btells? you\b", re.IGNORECASE), "say"),
    (re.compile(r"\bmoney back\b", re.IGNORECASE), "refund"),
    (re.compile(r"\bat no (?:extra )?(?:cost|charge)\b|\bfree of charge\b|\bfor nothing\b", re.IGNORECASE), "free"),
    (re.compile(r"\bstart(?:s|ing)? (?:at|from)\b", re.IGNORECASE), "from"),
    (re.compile(r"\bas soon as\b", re.IGNORECASE), "when"),
    (re.compile(r"\bno longer\b", re.IGNORECASE), "not"),
    (re.compile(r"\byes or no\b", re.IGNORECASE), "either"),
    (re.compile(r"\b(keep\w* (?:\w+ ){0,4})out of (?=the\b)", re.IGNORECASE), r"\1not in "),
    *(
        (re.compile(rf"(?<!between )\b{word}\b(?! of\b)", re.IGNORECASE), str(number))
        for number, word in enumerate(_NUMBERS, 2)
    ),
    (re.compile(r"(?<!the )(?<!this )(?<!that )\bone (?=(?!size|of|in|is|costs?)[a-z])", re.IGNORECASE), "1 "),
)
_IRREGULAR = {
    "bought": "buy", "sold": "sell", "sent": "send", "kept": "keep", "paid": "pay", "got": "get", "gotten": "get",
    "gave": "give", "given": "give", "took": "take", "taken": "take", "made": "make", "found": "find", "held": "hold",
    "lost": "lose", "left": "leave", "wore": "wear", "worn": "wear", "came": "come", "ran": "run", "broke": "break",
    "broken": "break", "chose": "choose", "chosen": "choose", "went": "go", "gone": "go", "told": "tell",
    "wrote": "write", "written": "write", "shown": "show", "done": "do", "spent": "spend", "dealt": "deal",
    "said": "say", "brought": "bring", "fitted": "fit", "weighs": "weight", "weigh": "weight", "weighing": "weight",
    "heavy": "weight", "bigger": "large", "biggest": "large", "larger": "large", "smaller": "small", "cleaned": "clean",
    "neighbours": "neighbors", "centimetre": "cm", "centimetres": "cm", "sized": "size", "coloured": "color",
}  # fmt: skip
# Each line means one thing to this shop; the first word stands for all of them.
_SAME = """
receive get earn obtain
return send-back
item product article piece
parcel package
buy purchase
begin start
large big
zipper zip
trousers pants
color colour shade
litre liter litres liters
stay keep remain
each every per always
sale reduced discounted save
photo picture
email mail
rating rated
include contain comprise
choose pick select
charge fee surcharge
need require
allow permit let
delete remove erase
refuse reject decline
replace swap
fix repair mend
arrive reach
finish complete
join enrol
member membership
cart basket
wash launder
laptop computer
internet online web
"""
_UNIT_NAMES = {
    "litr": "l", "liter": "l", "gram": "g", "kilogram": "kg", "kilo": "kg", "watt": "w", "metr": "m", "meter": "m",
    "millimetr": "mm", "kilometr": "km", "centimetr": "cm", "dollar": "$", "usd": "$", "buck": "$", "euro": "€",
    "eur": "€", "pound": "£", "gbp": "£", "min": "minut", "h": "hour", "hr": "hour", "percent": "%", "degre": "°c",
    "g/m²": "gsm",
}  # fmt: skip
MEASURES = frozenset(
    """g kg l ml mm cm m km w mw mah kn gsm lumen minut hour day week month year busi % °c °f c f $ € £ ¥ l/min
    l/h inch in
    lb oz point micron denier""".split()
)


@lru_cache(maxsize=50_000)
def root(word: str) -> str:
    """The form under which a word is compared: stem, irregular forms and those of -able undone, equals made one."""
    plain = word.removesuffix("'s")
    stemmed = _trimmed(stem(_IRREGULAR.get(plain, plain)))
    return _STANDS_FOR.get(stemmed, stemmed)


def _trimmed(stemmed: str) -> str:
    """ "washabl" -> "wash", "certifi" -> "certif", as the stemmer leaves "certification"."""
    return stemmed.removesuffix("abl").removesuffix("i") if len(stemmed) > 4 else stemmed


_STANDS_FOR = {
    _trimmed(stem(word)): _trimmed(stem(line.split()[0]))
    for line in _SAME.strip().splitlines()
    for word in line.split()[1:]
}


def spelt_out(text: str) -> str:
    """Contractions and spoken phrases in the form that they are compared in."""
    plain = text.replace("’", "'")
    for pattern, full in _SPELT_OUT:
        plain = pattern.sub(full, plain)
    return plain


@lru_cache(maxsize=20_000)
def roots_of(text: str) -> frozenset[str]:
    """Roots of all words of a text, stopwords and numbers included."""
    return frozenset(root(word) for word in words(spelt_out(text)))


# Words of telling: they bind an answer together and claim nothing of what it is about.
NEUTRAL_WORDS = """customer product item price cost currently available come weigh weight made stock size color colour
    feature warranty material please note sure happy help glad"""
NEUTRAL = roots_of(NEUTRAL_WORDS)
FRAMING = NEUTRAL | roots_of(
    """now right today moment present still already also plus sorry afraid unfortunately course certainly indeed good
    news answer question thing one ones pair kind type sort way part detail details record page listed list say
    says tell
    tells mention mentions given give gives know see offer sell sells go goes get got have take takes use used using
    measure measures run runs carry carries call called include included bring buy order pay paying spend want wish
    choose pick scale scales tip sit sits count total altogether whole itself compatible designed suit suited suitable
    recommend recommended intended meant people person both value figure amount number mean means work works last lasts
    must model after before along yet put mere each version whole reach burn rate rated let able possible
    exactly x following follow show shown case fine usual done make come keep
    thank thanks hello hi welcome certified certification"""
) - roots_of("return")  # fmt: skip
# Words by which a field is told, where its statement is what the sentence rests on; they claim nothing themselves.
FIELD_WORDS = {
    "burn time": "battery life runtime last run burn light",
    "beam": "reach distance far shine light beam",
    "lumens": "light output bright brightness",
    "people": "sleep person people man berth room",
    "setup": "set up put pitch pitching ready take",
    "fuel": "burn run fuel",
    "capacity": "hold volume fit capacity",
    "insulated": "keep drink content",
    "filter rate": "filter flow handle water",
    "filter life": "filter last water",
    "boil time": "boil water litre ready",
    "pockets": "pocket",
    "packable": "pack fold down away stuff stow roll small",
    "packed length": "pack packed down fold folded length",
    "packed size": "pack packed small measure",
    "back length": "back long length",
    "review count": "review",
    "rating": "star review average customer",
    "waterproof": "water rain protection hold withstand",
    "breathability": "breathable breathability",
    "hydrostatic head": "water column fly withstand",
    "inseam": "inseam leg length",
    "power": "power output",
    "certification": "certified standard",
    "season": "season",
    "warranty": "warranty guarantee cover covered",
    "care": "wash clean care",
    "thickness": "thick thickness",
    "fabric weight": "fabric weight",
    "fill weight": "fill weight filling inside hold contain",
    "fill": "fill filled filling inside insulation",
    "materials": "material fabric made",
    "merino": "wool merino fibre fineness",
    "comfort temp": "comfort comfortable temperature",
    "limit temp": "limit temperature",
}
_FIELD_ROOTS = {field: roots_of(text) for field, text in FIELD_WORDS.items()}


def field_words(field: str) -> frozenset[str]:
    return _FIELD_ROOTS.get(field, frozenset())


# The same for policies, whose own words they may be: what a retelling may add, and leave out.
RETELLING = roots_of(
    """now right please note also simply just then there here can may will would sorry course indeed so our your
    customer shop cairn cost price fit come make have get take give do be go us we you mean means apply total
    possible able way
    something anything either place business service item one
    """
)


def clauses(text: str, joins_lists: bool = False) -> list[str]:
    """Parts of a sentence beyond which no negation reaches; `joins_lists` takes an enumeration for one part."""
    plain = spelt_out(text)
    if joins_lists:
        plain = _LIST_COMMA.sub(" and", plain)
    return [part for part in _CLAUSE.split(plain) if part and part.strip()]


@lru_cache(maxsize=20_000)
def polar_words(text: str) -> tuple[Polar, ...]:
    """Roots of the words that carry meaning, each with whether a negation stands shortly before it in its clause."""
    return tuple(found for clause in clauses(text) for found in _polar_words(clause))


def _polar_words(clause: str) -> Iterator[Polar]:
    reach, follows_number = 0, False
    for word in words(clause):
        if word in _NEGATIONS:
            reach = _NEGATION_REACH
        elif _means_something(word) and not (follows_number and _canonical(word) in MEASURES):
            yield root(word), reach > 0
            reach -= 1
        follows_number = word[0].isdigit()


def _means_something(word: str) -> bool:
    plain = word.removesuffix("'s")
    is_stopword = plain in STOPWORDS or _IRREGULAR.get(plain) in STOPWORDS
    return not is_stopword and not plain[0].isdigit() and not is_contraction(word)


@lru_cache(maxsize=20_000)
def meaning(text: str) -> frozenset[str]:
    """Roots of the words that carry meaning, numbers left out."""
    return frozenset(word for word, _ in polar_words(text))


def negations_in(clause: str) -> int:
    """How many words of a clause deny something."""
    return sum(word in _NEGATIONS for word in words(spelt_out(clause)))


def is_negated(clause: str) -> bool:
    return negations_in(clause) > 0


def denies_twice(text: str) -> bool:
    """Whether one part of a text denies its own denial: "nothing is not charged"."""
    return any(negations_in(part) > 1 for clause in clauses(text) for part in re.split(r"\b(?:and|or)\b", clause))


@lru_cache(maxsize=20_000)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Numbers with what follows them: "480 g" -> ("480", "g"), "$349.00" -> ("349", "$"), "XL-2" -> ("2", "")."""
    plain = spelt_out(text)
    return tuple((canonical_number(match.group()), _unit(plain, match)) for match in _QUANTITY.finditer(plain))


def _unit(text: str, match: re.Match[str]) -> str:
    if currency := _CURRENCY.search(text[: match.start()]):
        named = (currency[1] or currency[2]).lower()
        return _UNIT_NAMES.get(named, named)
    following = _FOLLOWING.match(text[match.end() :])
    if following is None or following[1].lower() in STOPWORDS:
        return ""
    return _canonical(following[1].lower())


def _canonical(unit: str) -> str:
    stemmed = stem(unit)
    return _UNIT_NAMES.get(stemmed, stemmed)


def holds(said: Quantity, known: Iterable[Quantity]) -> bool:
    """Whether a record has a quantity: the same number with the same unit.

    What is counted is no unit but a word, which is checked as one: "5 pockets" is "pockets: 5", but "5 kg" is not.
    """
    number, unit = said
    counts = unit not in MEASURES
    return any(number == other and (unit == its or (counts and its not in MEASURES)) for other, its in known)


def without_title(text: str, title: str) -> str:
    """Take a product's title out of a text, also where some of its later words are left out ("Polar Night 1000")."""
    first, *others = [re.escape(word) for word in title.split()]
    return re.sub(
        rf"\b{first}" + "".join(rf"(?:[\s-]+{word})?" for word in others) + r"(?!\w)", " ", text, flags=re.IGNORECASE
    )


def polarities_of(text: str) -> Iterator[Polar]:
    """Words as they are denied, and, in a clause with a denial, as if all were: "earn no points", "don't earn"."""
    for clause in clauses(text, joins_lists=True):
        for word, negated in polar_words(clause):
            yield word, negated
            if is_negated(clause):
                yield word, True
