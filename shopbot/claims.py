"""Claims about live facts inside a sentence: amounts of money, and what is in stock in which size and colour."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopbot.language import canonical_number, words
from shopbot.types import Product, ProductFacts

_MONEY = re.compile(
    r"(?:[$€£¥]|\b(?:USD|EUR|GBP)\s)\s?(\d+(?:[.,]\d+)*)|(\d+(?:[.,]\d+)*)\s?(?:dollars?|euros?|pounds?|USD|EUR|GBP|€|£)\b",
    re.IGNORECASE,
)
_AVAILABLE = re.compile(
    r"\b(in stock|available|have (?:it|them|this|that)"
    r"|(?<!the )left(?! (?:side|hand|chest|hip|pocket|sleeve|and right|or right))|on hand"
    r"|(?:buy|order|get) (?:it|one))\b",
    re.IGNORECASE,
)
_UNAVAILABLE = re.compile(
    r"\b((?:(?:completely|entirely|totally|all) )?sold out|out of stock|unavailable"
    r"|none (?:of [^,;.]* )?(?:is|are)? ?left|nothing (?:is )?left|(?:is|are|all) gone"
    r"|(?:not|no longer|isn't|aren't) (?:currently )?(?:available|in stock))\b",
    re.IGNORECASE,
)
_NOT_GONE = re.compile(
    r"\b(?:not|never|n't) (?:yet |all |completely |currently |quite )?(?:sold out|out of stock|gone|unavailable)\b",
    re.IGNORECASE,
)
_STOCK_WORDS = re.compile(rf"{_AVAILABLE.pattern}|{_UNAVAILABLE.pattern}", re.IGNORECASE)
# An amount with one of these is no longer the price: it passes only as the record says it, with all its amounts.
_LIMIT = re.compile(
    r"\b(over|above|under|below|more than|less than|(?<!down )from|up to|at least|at most|about|around|nearly"
    r"|almost)\b",
    re.IGNORECASE,
)
# What makes an amount the one that was paid before the sale; the words stand right before the amount, or behind it.
_OLD_PRICE = re.compile(
    r"\b(?:down from|(?:reduced|dropped|lowered|cut) from|marked down from|from|was|were|instead of|rather than"
    r"|used to (?:be|cost)"
    r"|(?:regular|regularly|usual|usually|normal|normally|original|originally|previously|formerly)"
    r"(?: price)?(?: (?:is|was|of|at|costs?))?|list price(?: (?:is|was|of))?|not)(?: the)?\s*$",
    re.IGNORECASE,
)
_OLD_BEHIND = re.compile(r"^\s*(?:before|originally|previously|earlier|regularly|normally|usually)\b", re.IGNORECASE)
_ON_SALE = re.compile(r"\b(?:on sale|reduced|discount\w*|marked down)\b", re.IGNORECASE)
_CHEAPER_NOW = re.compile(
    r"\b(sale|reduced|discount\w*|marked down|down to|instead of|cheaper|before the sale)\b", re.IGNORECASE
)
_LETTER_SIZE = re.compile(r"\b(?:X{0,3}[SL]|M)\b(?!/)")
_EVERY = re.compile(
    r"\b(?:all|every|each|both|any)\b(?: of (?:the|its|our))? ?(?:the |its |our )?"
    r"(?:other |two |three |four |five |\d )?(?:sizes?|colou?rs?|variants?)\b"
    r"|\b(?:everything|all) (?:else|other)\b|\bthe (?:rest|other (?:sizes|colou?rs))\b",
    re.IGNORECASE,
)
_OPTIONS_FOLLOW = re.compile(
    r"\b(?:in (?:the )?(?:sizes?|colou?rs?)|comes?(?: only)? in|made in|there is|get it in)\b", re.IGNORECASE
)
# Where one part of a sentence ends and another begins; to which statement of stock a part belongs is seen after that.
_UNKNOWN = re.compile(
    r"\b(?:to|must) be confirmed\b|\bnot (?:yet )?confirm(?:ed)?\b", re.IGNORECASE
)  # says that nobody knows
_HALF = re.compile(r"[;.](?=\s)")
_PART = re.compile(r"[,:](?=\s)|\b(?:and|but|while|whereas|yet)\b", re.IGNORECASE)
_PART_OF_PRICES = re.compile(r"[,;.](?=\s)|\b(?:and|but|while|whereas)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Options:
    """Sizes and colours that a clause names; both empty where it speaks of the product as a whole."""

    sizes: frozenset[str] = frozenset()
    colors: frozenset[str] = frozenset()


def amounts(text: str) -> list[str]:
    """Amounts of money in order of appearance, as canonical numbers: "$1,299.00" -> "1299"."""
    return [canonical_number(first or second) for first, second in _MONEY.findall(text)]


def prices_supported(text: str, price_lines: Sequence[str], product: Product) -> bool:
    """Every amount is the one to pay, for the size that it is said for, or, said as such, the one before the sale."""
    said = list(_MONEY.finditer(text))
    if not price_lines or (not said and not _ON_SALE.search(text)):
        return not said
    if any(words(line) == words(text) for line in price_lines):
        return True
    paid, before = _prices(price_lines, product)
    if (_CHEAPER_NOW if said else _ON_SALE).search(text) and before is None:
        return False
    ends = [0, *(match.end() for match in said)]
    starts = [*(match.start() for match in said), len(text)]
    return all(
        _price_supported(
            match,
            _before(text[ends[place] : match.start()], is_first=not place),
            text[match.end() : starts[place + 1]],
            paid,
            before,
        )
        and _currency(match.group()) == _currency(price_lines[0])
        for place, match in enumerate(said)
    )


def _before(text: str, *, is_first: bool) -> str:
    """What stands before an amount and belongs to it: behind another amount, only the last part."""
    return text if is_first else _PART_OF_PRICES.split(text)[-1]


def _prices(price_lines: Sequence[str], product: Product) -> tuple[dict[str, str], str | None]:
    """What each size costs, "" standing for the product without a size, and the price before the sale."""
    first = amounts(price_lines[0])
    is_range = "depending on" in price_lines[0]
    base = first[0] if first and not is_range else ""
    sizes = {v.size for v in product.variants if v.size}
    paid = {"": base, **dict.fromkeys(sizes, base)}
    for line in price_lines[1:]:
        paid |= {size: amounts(line)[0] for size in sizes if line.startswith(f"In size {size},")}
    return paid, first[1] if len(first) > 1 and not is_range else None


def _price_supported(amount: re.Match[str], before: str, behind: str, paid: Mapping[str, str], old: str | None) -> bool:
    value = canonical_number(amount[1] or amount[2])
    former = _OLD_PRICE.search(before)
    is_size = former and any(stands_in(size, former.group()) for size in paid if size)  # "the Regular $439"
    if (former and not is_size) or _OLD_BEHIND.search(behind):
        return value == old
    if _LIMIT.search(before[-25:]) or re.match(r"\s*(?:off|less|more|or|to|cheaper|discount)\b", behind):
        return False
    near = f"{before} {_PART_OF_PRICES.split(behind)[0]}"
    sizes = {size for size in paid if size and (stands_in(size, near) or stands_in(size.lower(), near))}
    strangers = {size for size in _LETTER_SIZE.findall(near) if not any(size in other for other in paid)}
    return not strangers and all(paid[size] == value for size in (sizes or {""}))


def _currency(text: str) -> str:
    """The currency of an amount as its sign."""
    found = re.search(r"[$€£¥]|usd|eur|gbp|dollar|pound", text, re.IGNORECASE)
    named = found.group().lower() if found else ""
    return {"usd": "$", "dollar": "$", "eur": "€", "gbp": "£", "pound": "£"}.get(named, named)


@dataclass(frozen=True)
class _Claim:
    """What a part of a sentence says of stock: in or out, of which options."""

    text: str
    in_stock: bool
    options: Options


def repeats_option(text: str, product: Product) -> bool:
    """Whether one enumeration has a size or colour twice: "in sizes 39, 40 and 40"."""
    options = {option for v in product.variants for option in (v.size, v.color) if option}
    parts = _parts_with_state(text, product) or [text]
    return any(len(_places(option, part)) > 1 for part in parts for option in options if option in part)


def _places(option: str, text: str) -> list[str]:
    return re.findall(rf"(?<![\w/.$]){re.escape(option)}(?![\w/]|\.\d)", text)


def stock_supported(text: str, product: Product, facts: ProductFacts | None) -> bool:
    """Every claim of availability in the text agrees with the live record."""
    return all(_claim_supported(claim, product, facts) for claim in _stock_claims(text, product))


def _claim_supported(claim: _Claim, product: Product, facts: ProductFacts | None) -> bool:
    if not _confirmed(claim.in_stock, claim.options, product, facts):
        return False
    if not (claim.in_stock and claim.options.sizes and re.search(r"\bonly\b", claim.text, re.IGNORECASE)):
        return True
    rest = {v.size for v in product.variants if v.size} - claim.options.sizes
    return not rest or _confirmed(False, Options(frozenset(rest), claim.options.colors), product, facts)


def _stock_claims(text: str, product: Product) -> list[_Claim]:
    """The claims in order. What a later one leaves open is as before: "in Moss S is sold out, but M is available"."""
    claims: list[_Claim] = []
    for part in _parts_with_state(text, product):
        options = options_named(part, product)
        last = claims[-1].options if claims else Options()
        if (every := _EVERY.search(part)) is not None:
            options = _every_option(every.group(), options, last, product)
        if options.sizes and not options.colors:
            options = Options(options.sizes, last.colors)
        elif options.colors and not options.sizes and not every and re.search(r"\bit\b", part):
            options = Options(last.sizes, options.colors)
        claims.append(_Claim(part, not _UNAVAILABLE.search(part) or bool(_NOT_GONE.search(part)), options))
    return claims


def _every_option(said: str, named: Options, last: Options, product: Product) -> Options:
    """What "all sizes", "both colors" or "every other size" stand for."""
    is_color = "colo" in said.lower()
    made = {option for v in product.variants if (option := v.color if is_color else v.size)}
    if re.search(r"other|else|rest", said, re.IGNORECASE):
        made -= (last.colors if is_color else last.sizes) | (named.colors if is_color else named.sizes)
    return Options(named.sizes, frozenset(made)) if is_color else Options(frozenset(made), named.colors)


def _parts_with_state(text: str, product: Product) -> list[str]:
    """Parts of a sentence with one claim of stock each, the options of a list with the claim that they belong to."""
    halves = (half for half in _HALF.split(text) if not _UNKNOWN.search(half))
    return [part for half in halves for part in _parts_of_half(half, product)]


def _parts_of_half(text: str, product: Product) -> list[str]:
    grouped: list[str] = []
    waiting: list[str] = []
    for part in _PART.split(text):
        state = _UNAVAILABLE.search(part) or _AVAILABLE.search(part)
        if state is None:
            waiting.append(part)
            continue
        leads = options_named(part[: state.start()], product) != Options()
        follows = options_named(part[state.end() :], product) != Options()
        if grouped and follows and not leads:
            grouped[-1] = ", ".join([grouped[-1], *waiting])
            waiting = []
        grouped.append(", ".join([*waiting, part]))
        waiting = []
    if grouped:
        grouped[-1] = ", ".join([grouped[-1], *waiting])
    return grouped


def without_live_claims(text: str, product: Product) -> str:
    """The rest of a sentence beside its amounts, its claims of stock, and the options that it names with them."""
    speaks_of_options = claims_stock(text) or _OPTIONS_FOLLOW.search(text) or _MONEY.search(text)
    for match in reversed(list(_MONEY.finditer(text))):
        before = _OLD_PRICE.sub(" ", text[: match.start()])
        text = before + " " + _OLD_BEHIND.sub(" ", text[match.end() :])
    for pattern in (_STOCK_WORDS, _EVERY):
        text = pattern.sub(" ", text)
    if speaks_of_options:
        options = {option for v in product.variants for option in (v.size, v.color) if option}
        for option in sorted(options, key=len, reverse=True):
            case = "(?i:" if len(option) > 3 else "(?:"
            text = re.sub(rf"(?<![\w/.]){case}{re.escape(option)})(?![\w/]|\.\d| (?:g|kg|mm|cm|km|m|l|L)\b)", " ", text)
    return text


def claims_stock(text: str) -> bool:
    """Whether the text speaks of availability at all."""
    return bool(_AVAILABLE.search(text) or _UNAVAILABLE.search(text))


def denies_stock(text: str) -> bool:
    """Whether the text says of something that it is not there."""
    return _UNAVAILABLE.search(text) is not None


def options_named(clause: str, product: Product) -> Options:
    """Sizes and colours in the clause; a letter size that the product is not made in counts as named too."""
    made = {v.size for v in product.variants if v.size}
    parts = {part for size in made for part in (size, *re.split(r"[/ -]", size))}
    strangers = {size for size in _LETTER_SIZE.findall(clause) if size not in parts} if product.variants else set()
    sizes = {size for size in made if len(made) > 1 and stands_in(size, clause)}
    colors = {v.color for v in product.variants if v.color and v.color.lower() in clause.lower()}
    return Options(frozenset(sizes | strangers), frozenset(colors))


def stands_in(option: str, text: str) -> bool:
    """Whether a size or colour stands in a text as a word of its own, spelt as the record spells it."""
    return re.search(rf"(?<![\w/]){re.escape(option)}(?![\w/])", text) is not None


def _confirmed(claimed: bool, options: Options, product: Product, facts: ProductFacts | None) -> bool:
    if facts is None:
        return False
    if options == Options():
        return _any_in_stock(product, facts) if claimed else facts.stock == 0
    sizes: set[str | None] = set(options.sizes) or {None}
    colors: set[str | None] = set(options.colors) or {None}
    return all(variant_in_stock(size, color, product, facts) is claimed for size in sizes for color in colors)


def _any_in_stock(product: Product, facts: ProductFacts) -> bool:
    return (facts.stock or 0) > 0 or any((facts.stock_of(v.sku) or 0) > 0 for v in product.variants)


def variant_in_stock(size: str | None, color: str | None, product: Product, facts: ProductFacts) -> bool | None:
    """True: every matching variant is in stock; False: all are sold out; None: mixed, unknown, or no such variant.

    Mixed is None because a size that is there in one colour only can't be promised without naming the colour.
    """
    counts = [
        facts.stock_of(v.sku)
        for v in product.variants
        if (size is None or v.size == size) and (color is None or v.color == color)
    ]
    if not counts or None in counts:
        return None
    in_stock = [count > 0 for count in counts if count is not None]
    return all(in_stock) if all(in_stock) or not any(in_stock) else None
