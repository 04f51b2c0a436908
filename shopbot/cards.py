"""What a product's card tells: the fields that the question asks for, and lines of its record that may answer it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shopbot.references import LIVE_NAMES, field_name
from shopbot.statements import Statement

# Fields asked for and lines together, shared by the products of a prompt.
TOLD = 4


@dataclass(frozen=True)
class Asked:
    """What a question asks of a record.

    `fields` are their names, `unanswered` the customer's words that the record does not cover, `lines` further
    statements that may answer, likeliest first. Live facts are never among the lines: their values must not come into a
    prompt by which a model is tuned to refer to them.
    """

    fields: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    lines: tuple[Statement, ...] = ()


def cut_to_size(asked: Mapping[int, Asked]) -> dict[int, Asked]:
    """What the cards of one prompt have room for: one line at least."""
    most = max(1, TOLD // max(1, len(asked)))
    return {number: replace(of, lines=of.lines[: max(1, most - len(of.fields))]) for number, of in asked.items()}


def told_text(statement: Statement) -> str:
    """A line of a card: the name by which the field is referred to, and what the record says."""
    return f"{field_name(statement.field)}: {statement.value or statement.text}"


def card_head(asked: Asked) -> str:
    """What a card says before its lines: the fields asked for, or what the record lacks; then the live facts."""
    named = ", ".join(asked.fields) or "any"
    if asked.unanswered:
        nothing = f"nothing on {', '.join(asked.unanswered)}"
        named = f"{nothing}; {named}" if asked.fields else nothing
    return f"{named}; {', '.join(name for name in LIVE_NAMES if name not in asked.fields)}".rstrip("; ")
