"""Grammars for a tuned model's reply: what it refers to exists, and what the card asks for is told once or not at all.

A model of this size sometimes writes `{1.heel-drop}` for `{1.drop}`, or the same field twice where two were asked for.
A grammar over the reply makes both impossible: between references it writes what it likes, braces apart. Written in the
EBNF of xgrammar (https://xgrammar.mlc.ai), which the embedded engine decodes by; other engines are not told.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import permutations

from shopbot.cards import Asked, cut_to_size
from shopbot.references import field_name, field_names
from shopbot.statements import Source

# So many references of one reply are asked for in any order: their orders are written out, 24 of four.
MOST_IN_ANY_ORDER = 4
_TEXT = "text ::= [^{}]*"
_LIVE_WITH_OPTIONS = "stock"


def of_references(
    sources: Sequence[Source], asked: Mapping[int, Asked], options: Mapping[int, Sequence[str]]
) -> str | None:
    """The grammar of a reply over cards, by their numbers; None where no card is a product's.

    `options` are the sizes and colours that the question names, of each record: a stock is told of these. A reply
    refers to each field asked for once, in any order, or to none: it may still find that the record does not say it.
    Where nothing is asked for by name, it refers to fields of the card's lines, or of the whole record.
    """
    products = [source for source in sources if source.product is not None]
    if not products:
        return None
    cut = cut_to_size({number: of for number, of in asked.items() if any(s.number == number for s in products)})
    wanted = [
        _reference(source.number, name, options.get(source.number, ()))
        for source in products
        for name in cut.get(source.number, Asked()).fields
    ]
    if not wanted:
        return _any_of([reference for source in products for reference in _told(source, cut.get(source.number))])
    if len(wanted) > MOST_IN_ANY_ORDER:
        return _any_of(wanted)
    names = [f"r{place}" for place in range(len(wanted))]
    orders = [" text ".join(("", *order, "")).strip() for order in permutations(names)]
    rules = [f"{name} ::= {_quoted(reference)}" for name, reference in zip(names, wanted, strict=True)]
    return "\n".join([f"root ::= text | {' | '.join(orders)}", _TEXT, *rules])


def of_citations(markers: Sequence[str]) -> str | None:
    """The grammar of a reply that begins with one of the markers, ids of sections or numbers; None without any."""
    if not markers:
        return None
    return "\n".join([f"root ::= ({' | '.join(_quoted(f'[{marker}]') for marker in markers)}) text", _TEXT])


def _any_of(references: Sequence[str]) -> str:
    """Any number of the references, in any order."""
    told = " | ".join(_quoted(reference) for reference in dict.fromkeys(references))
    return "\n".join([f"root ::= text (({told}) text)*" if told else "root ::= text", _TEXT])


def _told(source: Source, asked: Asked | None) -> list[str]:
    """What may be referred to where no field is asked for: the card's lines, or everything that the record has."""
    held = field_names(source)
    lines = [field_name(line.field) for line in asked.lines] if asked and asked.unanswered else held
    return [_reference(source.number, name, ()) for name in lines if name in held]


def _reference(number: int, name: str, options: Sequence[str]) -> str:
    told = f":{','.join(options)}" if options and name == _LIVE_WITH_OPTIONS else ""
    return f"{{{number}.{name}{told}}}"


def _quoted(text: str) -> str:
    """A literal of the grammar, which has JSON's escapes: options come from the catalog, and may hold anything."""
    return json.dumps(text, ensure_ascii=False)
