"""Records and answers as Markdown that Streamlit can show safely. Pure functions; nothing here draws.

Titles, descriptions and what a model wrote are untrusted: a text passes through `plain` (or `answer`,
`section`) before it reaches a Markdown element, a label or a table cell, and then reads exactly as it stands.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_name

from graph.turn import Sentence
from shopbot.facts import effective_price
from shopbot.money import format_money
from shopbot.shop import ShopConfig
from shopbot.statements import attribute_label
from shopbot.types import AttributeValue, Product, ProductFacts, Variant

Inline = Callable[[str], str]

# U+2060 has no width and does not break a line. Backslashes keep the parser off special characters, but
# Streamlit's front end also rewrites finished text (links, icons, arrows): this splits what it looks for.
_JOINER = "\u2060"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_ADDRESS = re.compile(r"(?P<lead>https?://|www\.|@)(?P<host>[-.\w]+)(?P<is_login>(?=[@:\\]))?", re.IGNORECASE)
_ICON = re.compile(r":(?=material[_/]|streamlit:)")
_ARROW = re.compile(r"(?<!\S)(<->|->|<-|--|>=|<=|~=)(?!\S)")
_MARKERS = re.compile(r"\s*(?P<numbers>\[\d{1,2}\](?:\s*\[\d{1,2}\])*)(?P<stop>[.!?]?)")
_LIST_ITEM = re.compile(r"(?P<bullet>[-*]|\d{1,2}\.)\s+(?P<text>.*)")
_BOLD = re.compile(r"\*\*(.+?)\*\*")


def plain(text: str, hosts: Collection[str] = ()) -> str:
    """Return one line of Markdown that shows `text` literally; only addresses at `hosts` may become links."""
    line = " ".join(text.split())
    line = _ADDRESS.sub(lambda found: _unlinked(found, hosts), line)
    line = _ICON.sub(f":{_JOINER}", line)
    line = _ARROW.sub(lambda found: f"{found[1][0]}{_JOINER}{found[1][1:]}", line)
    return _PUNCTUATION.sub(r"\\\1", line)


def _unlinked(found: re.Match[str], hosts: Collection[str]) -> str:
    """Break an address; one of our own stays, unless it is only the login part of "https://ours@theirs"."""
    if found["host"].rstrip(".").lower() in hosts and found["is_login"] is None:
        return found[0]
    return f"{found['lead'].rstrip('.')}{_JOINER}{'.' * found['lead'].endswith('.')}{found['host']}"


def own_hosts(config: ShopConfig) -> frozenset[str]:
    """The hosts that the shop may link to: its own website and the domain of its mail."""
    website = urlsplit(config.website).hostname or ""
    return frozenset({website, config.contact.email.rpartition("@")[2].lower()} - {""})


def answer(sentences: Iterable[Sentence], citations: int, hosts: Collection[str] = ()) -> str:
    """Turn an answer into Markdown: lists stay lists, `[n]` up to `citations` is a badge, the rest literal."""
    return _blocks(_lines(sentences), lambda line: _answer_line(line, citations, hosts))


def _answer_line(line: str, citations: int, hosts: Collection[str]) -> str:
    if line.startswith("|"):
        return _table_row(line, lambda cell: _with_badges(cell, citations, hosts))
    return _with_badges(line, citations, hosts)


def _lines(sentences: Iterable[Sentence]) -> list[str]:
    """Put blocks on lines of their own, as `answer_text` does; those from records are items of a list."""
    lines = [""]
    for sentence in sentences:
        text = " ".join(sentence.text.split())
        if sentence.block and sentence.author != "shop" and not _LIST_ITEM.match(text) and not text.startswith("|"):
            text = f"- {text}"
        if sentence.block:
            lines.append(text)
        else:
            lines[-1] += f" {text}"
    return lines


def _with_badges(line: str, citations: int, hosts: Collection[str]) -> str:
    """Put badges behind the full stop: in front of it, a line on a phone could begin with the full stop."""
    shown, at = "", 0
    for found in _MARKERS.finditer(line):
        numbers = [int(number) for number in re.findall(r"\d+", found["numbers"])]
        if all(1 <= number <= citations for number in numbers):
            badges = "".join(f" :primary-badge[{number}]" for number in numbers)
            shown += _spaced(line[at : found.start()], hosts) + plain(found["stop"]) + badges
            at = found.end()
    return (shown + _spaced(line[at:], hosts)).strip()


def _spaced(text: str, hosts: Collection[str]) -> str:
    """As `plain`, but keep a space at either end, where a badge or bold text follows or went before."""
    return f"{' ' * text[:1].isspace()}{plain(text, hosts)}{' ' * text[-1:].isspace()}"


def section(text: str, hosts: Collection[str] = ()) -> str:
    """Turn a policy section into Markdown: paragraphs, lists, tables and bold stay, the rest is literal."""
    return _blocks(text.splitlines(), lambda line: _with_bold(line, hosts))


def _with_bold(line: str, hosts: Collection[str]) -> str:
    if line.startswith("|"):
        return _table_row(line, lambda cell: plain(cell, hosts))
    parts = _BOLD.split(line)  # text, bold, text, bold, ... text
    return "".join(f"**{plain(part, hosts)}**" if at % 2 else _spaced(part, hosts) for at, part in enumerate(parts))


def _table_row(line: str, inline: Inline) -> str:
    cells = line.strip().strip("|").split("|")
    if all(set(cell.strip()) <= set("-:") for cell in cells):
        return "|" + " --- |" * len(cells)
    return "| " + " | ".join(map(inline, cells)) + " |"


def _blocks(lines: Iterable[str], inline: Inline) -> str:
    """Join lines so that neighbours of one list or table stay together and all others are paragraphs."""
    text, before = "", ""
    for line in filter(None, (line.strip() for line in lines)):
        item = _LIST_ITEM.fullmatch(line)
        kind = item["bullet"][-1] if item else line[0] if line[0] == "|" else ""
        shown = f"{item['bullet']} {inline(item['text'])}" if item else inline(line)
        text += ("\n" if kind and kind == before else "\n\n") * bool(text) + shown
        before = kind
    return text


@dataclass(frozen=True)
class Price:
    """What a customer pays; `regular` is the price before a sale, `is_from` marks the lowest of several."""

    now: str
    regular: str | None = None
    is_from: bool = False


def price_of(facts: ProductFacts | None, locale: str) -> Price | None:
    """Return the live price of a product, or None where it has to be confirmed."""
    if facts is None:
        return None
    offers = {offer for sku in facts.variants or [""] if (offer := _offer(facts, sku))}
    if not offers:
        return None
    paid, regular = min(offers)
    currency = facts.own.currency
    return Price(
        now=format_money(paid, currency, locale),
        regular=format_money(regular, currency, locale) if regular > paid else None,
        is_from=len({paid for paid, _ in offers}) > 1,
    )


def _offer(facts: ProductFacts, sku: str) -> tuple[int, int] | None:
    """Return (what is paid, the regular price) in minor units."""
    regular, sale = effective_price(facts, sku)
    known = [price for price in (sale, regular) if price is not None]
    return (min(known), regular if regular is not None else min(known)) if known else None


def price_line(price: Price | None) -> str:
    """Write a price as Markdown, the regular one struck through behind a sale price."""
    if price is None:
        return ":gray[Price to be confirmed]"
    lead = "from " if price.is_from else ""
    if price.regular is None:
        return f"{lead}**{plain(price.now)}**"
    return f"{lead}:orange[**{plain(price.now)}**] :gray[~~{plain(price.regular)}~~]"


@dataclass(frozen=True)
class Stock:
    """Availability, and the sizes or colours that can be had; `is_available` None means unknown."""

    is_available: bool | None
    detail: str = ""

    @property
    def label(self) -> str:
        return {True: "In stock", False: "Sold out", None: "Stock to be confirmed"}[self.is_available]

    @property
    def badge(self) -> str:
        color = {True: "green", False: "red", None: "gray"}[self.is_available]
        return f":{color}-badge[{self.label}]"


def stock_of(product: Product, facts: ProductFacts | None) -> Stock:
    """Sum up a product's stock; a size or colour counts as available if any variant of it is."""
    if facts is None:
        return Stock(None)
    if not product.variants or not facts.is_stock_by_variant:
        return Stock(_is_available(facts.stock))
    states = [_is_available(facts.stock_of(variant.sku)) for variant in product.variants]
    if True not in states:
        return Stock(None if None in states else False)
    return Stock(True, _what_is_left(product, facts))


def _is_available(count: int | None) -> bool | None:
    return None if count is None else count > 0


def _what_is_left(product: Product, facts: ProductFacts) -> str:
    left = [variant for variant in product.variants if facts.stock_of(variant.sku)]
    for noun, field in (("Sizes", "size"), ("Colors", "color")):
        values = _distinct(getattr(variant, field) for variant in product.variants)
        if len(values) > 1:
            return f"{noun} {', '.join(_distinct(getattr(variant, field) for variant in left))}"
    return ""


def _distinct(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


def stock_text(count: int | None) -> str:
    if count is None:
        return "To be confirmed"
    return f"{count} in stock" if count else "Sold out"


def as_of_line(facts: ProductFacts, config: ShopConfig) -> str:
    """Say when price and stock were confirmed: together, or each if that was not at the same time."""
    price, stock = as_of(facts.price_as_of, config), as_of(facts.stock_as_of, config)
    return price if price == stock else f"price {price}, stock {stock}"


def as_of(moment: datetime, config: ShopConfig) -> str:
    """Say when a live fact was confirmed, in the shop's time zone: "as of Nov 22, 2025, 12:38 AM MST"."""
    locale, zone = babel_locale(config.locale), ZoneInfo(config.timezone)
    local = moment.astimezone(zone)
    date, time = format_date(local, "medium", locale), format_time(local, "short", locale=locale)
    return f"as of {date}, {time} {get_timezone_name(local, 'short', locale=locale)}"


def time_of(moment: datetime, config: ShopConfig) -> str:
    """When something was said, on the shop's clock: "11:30 AM"."""
    return format_time(moment.astimezone(ZoneInfo(config.timezone)), "short", locale=babel_locale(config.locale))


def babel_locale(name: str) -> Locale:
    return Locale.parse(name.replace("-", "_"))


def language_names(config: ShopConfig) -> str:
    """Name the languages that the assistant helps in: "English" or "English and Spanish"."""
    locale = babel_locale(config.locale)
    names = [locale.languages.get(code.split("-")[0], code) for code in config.languages]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def attribute_rows(product: Product) -> list[tuple[str, str]]:
    """The record's attributes as (label, value with unit), for people to read; not yet escaped."""
    return [_attribute_row(key, value) for key, value in product.attributes.items() if value not in ("", [])]


def _attribute_row(key: str, value: AttributeValue) -> tuple[str, str]:
    label, unit = attribute_label(key)
    return label.capitalize(), f"{_attribute_text(value)} {unit}".strip()


def _attribute_text(value: AttributeValue) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def variant_rows(product: Product, facts: ProductFacts | None, locale: str) -> list[dict[str, str]]:
    """One row a variant: live stock, and the price if it is not the product's own; not yet escaped."""
    rows = [_variant_row(variant, facts, locale) for variant in product.variants]
    columns = [name for name in ("Size", "Color", "Price", "Stock") if any(row[name] for row in rows)]
    return [{name: row[name] for name in columns} for row in rows]


def _variant_row(variant: Variant, facts: ProductFacts | None, locale: str) -> dict[str, str]:
    offer = _offer(facts, variant.sku) if facts else None
    own = _offer(facts, "") if facts else None
    return {
        "Size": variant.size or "",
        "Color": variant.color or "",
        "Price": format_money(offer[0], facts.own.currency, locale) if facts and offer and offer != own else "",
        "Stock": stock_text(facts.stock_of(variant.sku) if facts else None),
    }
