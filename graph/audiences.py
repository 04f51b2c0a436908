"""The same knowledge for staff: brief and with article numbers for the shop floor, texts for merchandisers.

Who is spoken to comes from the signed-in session (`shopbot.accounts.Session.audience`), never from a text.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from langgraph.runtime import Runtime

from graph.deps import Turn
from graph.drafts import sentences_of, stream
from graph.findings import product_sources
from graph.pen import Pen
from graph.routing import Route
from graph.state import Account, Point, State
from graph.turn import Sentence
from graph.verify import check, conveys
from shopbot.chat_format import as_facts
from shopbot.descriptions import Brief, brief_of, described, material_of
from shopbot.errors import ModelError
from shopbot.language import joined, without_citations
from shopbot.statements import Source, Statement

_MOST_PRODUCTS = 3


def briefly(points: Iterable[Point], sources: Sequence[Source]) -> list[Point]:
    """For the shop floor: article and name, each fact as "Field: value", and what is left of every variant."""
    told = [Point(point.source, _as_field(point.statement)) for point in points if point.statement.field != "stock"]
    by_source = {source.id: source for source in (*sources, *(point.source for point in told))}
    lines: list[Point] = []
    for source in list(by_source.values())[:_MOST_PRODUCTS]:
        lines.append(Point(source, Statement(f"{source.id}: {source.title}.", "article")))
        lines += [point for point in told if point.source.id == source.id]
        lines += [Point(source, statement) for statement in stock_lines(source)]
    return lines


def _as_field(statement: Statement) -> Statement:
    if not statement.value:
        return statement
    return Statement(f"{statement.field.capitalize()}: {statement.value.rstrip('.')}.", statement.field)


def stock_lines(source: Source) -> Iterator[Statement]:
    """One line a variant: its article number, size and colour, and how many are left."""
    product, facts = source.product, source.facts
    if product is None or facts is None or not product.variants or not facts.is_stock_by_variant:
        yield from source.of("stock")
        return
    for variant in product.variants:
        named = joined([part for part in (variant.size, variant.color) if part]) or "one size"
        count = facts.stock_of(variant.sku)
        left = "not confirmed" if count is None else f"{count} left"
        yield Statement(f"{variant.sku} ({named}): {left}.", "stock")


def describe(state: State, runtime: Runtime[Turn]) -> State:
    """Write a product description from the record, in the tone and length that the message asks for."""
    turn, account = runtime.context, state["account"]
    pen = Pen(account, runtime.stream_writer)
    if len(state["focus"]) != 1 or len(state["focus"][0]) != 1:
        pen.show(Sentence(text=turn.phrase("which_product"), author="shop"))
        return {"account": account, "route": Route.PRODUCT}
    source = product_sources(state["focus"][0], turn)[0]
    brief = brief_of(state["question"])
    try:
        _write(source, brief, state, turn, pen)
    except ModelError as error:
        account.reduced = str(error)
    account.stopped = turn.cancelled.is_set()
    if not account.stopped:
        _complete(source, brief, account, pen)
    return {"account": account, "route": Route.PRODUCT}


def _write(source: Source, brief: Brief, state: State, turn: Turn, pen: Pen) -> None:
    """Show the model's sentences that the record supports, until the text is long enough."""
    account, told = state["account"], material_of(source)
    facts = as_facts((source.number, statement.text) for statement in told)
    pieces = stream(turn.prompt("description"), facts, state, turn, brief.instruction(source.title))
    with closing(pieces), closing(sentences_of(pieces)) as sentences:
        for sentence in sentences:
            outcome = check(sentence, {source.number: source}, turn.lexicon)
            if outcome.finding:
                account.findings.append(f"{outcome.finding.value}: {sentence}")
            elif not all(conveys(s, source.title, _shown(account)) for s in outcome.statements):
                pen.show_written(without_citations(sentence), source, outcome.statements)
            if _length(account) >= brief.words:
                return


def _complete(source: Source, brief: Brief, account: Account, pen: Pen) -> None:
    """Add the record's own sentences while the text is shorter than three quarters of what was asked for."""
    for statement in described(source, brief):
        if _length(account) >= 0.75 * brief.words:
            return
        if not conveys(statement, source.title, _shown(account)):
            pen.show_statement(Point(source, statement))


def _shown(account: Account) -> str:
    return " ".join(sentence.text for sentence in account.sentences)


def _length(account: Account) -> int:
    return len(without_citations(_shown(account)).split())
