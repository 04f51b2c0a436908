"""What is true of the shop, read from its files alone: the judge of the answers on which the check is measured.

It shares no code with the check, neither the rule nor the readers of claims: an import contract keeps it so. It reads
the feed, the policies and the orders as text, and knows of an answer what can be known without understanding it: which
numbers, names, options and addresses the record has.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from shopbot.types import PolicySection

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
ADDRESS = re.compile(r"(?:https?://)?[\w.+-]*@?[a-z][\w-]*\.(?:[a-z]+\.)?(?:example|com|net|org|shop)\b[\w/-]*")
ORDER = re.compile(r"\b[A-Z]-\d{5}\b")
_REFERENCE = re.compile(r"\{\d+\.[a-z_]+\}")
_CITATION = re.compile(r"\s*\[\d{1,2}\]")
_STEP = re.compile(r"^\d+\.\s*", re.MULTILINE)
_MONTHS = "January February March April May June July August September October November December".split()
_GONE = re.compile(r"\b(?:sold out|out of stock|are gone|is gone|none left)\b", re.IGNORECASE)
_THERE = re.compile(r"\b(?:in stock|available)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """One record as its file has it; `row` is the line of the feed or of the orders, empty for a policy section."""

    id: str
    title: str
    text: str
    row: Mapping[str, Any]

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(map(plain_number, NUMBER.findall(self.text)))

    @property
    def variants(self) -> list[Mapping[str, Any]]:
        return list(self.row.get("variants", []))

    def options(self, kind: str) -> list[str]:
        """Its sizes or colours ("size", "color"), in the order of the feed."""
        return list(dict.fromkeys(variant[kind] for variant in self.variants if variant.get(kind)))

    @property
    def payable(self) -> float | None:
        known = [price for name in ("price", "sale_price") if (price := self.row.get(name)) is not None]
        return min(known, default=None)


def read_records(catalog: Path, orders: Path, sections: Iterable[PolicySection]) -> dict[str, Record]:
    """Read every product, order and policy section of a shop."""
    products = [json.loads(line) for line in catalog.read_text(encoding="utf-8").splitlines()]
    placed = [json.loads(line) for line in orders.read_text(encoding="utf-8").splitlines()]
    records = [Record(row["id"], row["title"], _flat(row), row) for row in products]
    records += [Record(row["id"], "", _flat(row), row) for row in placed]
    records += [Record(s.id, s.heading, f"{s.heading}\n{s.text.replace('**', '')}", {}) for s in sections]
    return {record.id: record for record in records}


def plain_number(text: str) -> str:
    """ "1,299.00" -> "1299", "4.0" -> "4"."""
    bare = re.sub(r",(?=\d{3}\b)", "", text)
    return bare.rstrip("0").rstrip(".") if "." in bare else bare


def bare(sentence: str) -> str:
    """A sentence without what is not said: citations, references, numbers of steps."""
    return _STEP.sub("", _REFERENCE.sub("", _CITATION.sub("", sentence)))


def without_titles(sentence: str, records: Iterable[Record]) -> str:
    for record in records:
        sentence = sentence.replace(record.title, "") if record.title else sentence
        name = " ".join(re.findall(r"[A-Za-z]+ \d+", record.title)[:1])
        sentence = sentence.replace(name, "") if name else sentence
    return sentence


def unfounded(sentence: str, records: list[Record]) -> list[str]:
    """Numbers, addresses and order numbers of a sentence that none of the records has, and options not as it says."""
    said = without_titles(bare(sentence), records)
    everywhere = "\n".join(record.text for record in records)
    addresses = [found for found in ADDRESS.findall(said) if found not in everywhere]
    orders = [found for found in ORDER.findall(said) if found not in everywhere]
    held = frozenset().union(*(record.numbers for record in records))
    plain = ORDER.sub(" ", ADDRESS.sub(" ", said))
    numbers = [found for found in NUMBER.findall(plain) if plain_number(found) not in held]
    return [*addresses, *orders, *numbers, *(["stock"] if any(not stock_holds(said, r) for r in records[:1]) else [])]


def stock_holds(sentence: str, record: Record) -> bool:
    """Whether a sentence with one statement of stock, of options named in it, agrees with the feed.

    True where it makes none, makes several, or the feed does not know: those are for a reader to judge.
    """
    sentence = next((part for part in sentence.split("; ") if _GONE.search(part) or _THERE.search(part)), sentence)
    if re.search(r"\b(?:all|every|both|only|not in)\b", sentence, re.IGNORECASE):
        return True
    gone, there = _GONE.search(sentence), _THERE.search(sentence)
    if bool(gone) == bool(there) or not record.variants:
        return True
    counts = [variant.get("stock") for variant in named_variants(sentence, record)]
    if None in counts or not counts:
        return True
    return all((count == 0) is bool(gone) for count in counts) or not _names_option(sentence, record)


def named_variants(sentence: str, record: Record) -> list[Mapping[str, Any]]:
    """The variants of the sizes and colours that a sentence names; all where it names none."""
    chosen = record.variants
    for kind in ("size", "color"):
        named = {option for option in record.options(kind) if stands_in(option, sentence)}
        if named:
            chosen = [variant for variant in chosen if variant.get(kind) in named]
    return chosen


def stands_in(option: str, sentence: str) -> bool:
    return re.search(rf"(?<![\w/.$-]){re.escape(option)}(?![\w/-]|\.\d)", sentence) is not None


def _names_option(sentence: str, record: Record) -> bool:
    return any(stands_in(option, sentence) for kind in ("size", "color") for option in record.options(kind))


def _flat(value: Any) -> str:
    """All values of a line, one below the other, a date also as people say it."""
    if isinstance(value, dict):
        return "\n".join(_flat(item) for item in value.values())
    if isinstance(value, list):
        return f"{len(value)}\n" + "\n".join(_flat(item) for item in value)
    if isinstance(value, str) and (day := re.match(r"(\d{4})-(\d\d)-(\d\d)", value)):
        return f"{value}\n{_MONTHS[int(day[2]) - 1]} {int(day[3])}"
    return "" if value is None else str(value)
