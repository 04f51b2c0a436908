"""What a turn looks back on: the newest messages within a budget of tokens, and what was talked about before them."""

from collections.abc import Iterator, Sequence

from graph.deps import Turn
from graph.desk import numbers_in
from graph.turn import Message, TurnRequest

CHARACTERS_PER_TOKEN = 4
MESSAGE_TOKENS = 4
"""What the chat format puts around every message, such as the name of its role."""


def tokens_of(message: Message) -> int:
    """Estimate the tokens of a message: a token for four characters begun, rounded up, and those around it.

    No engine is asked: a conversation is cut alike whichever model answers, and one behind a server does not tell.
    """
    return -(-len(message.content) // CHARACTERS_PER_TOKEN) + MESSAGE_TOKENS


def remembered(request: TurnRequest, turn: Turn) -> TurnRequest:
    """Cut the messages before the question to the budget; the product and the order last named stay in focus.

    Where the message that named them does not fit, their names alone stand before the rest, as its author's words.
    """
    history = request.messages[:-1]
    kept = _newest_within(history, turn.deps.history_tokens)
    older = history[: len(history) - len(kept)]
    if not older:
        return request
    return request.model_copy(update={"messages": (*_focus_of(older, turn), *kept, request.messages[-1])})


def _newest_within(history: Sequence[Message], budget: int) -> tuple[Message, ...]:
    """The longest run of newest messages that costs no more than the budget."""
    left = budget
    for number in range(len(history), 0, -1):
        left -= tokens_of(history[number - 1])
        if left < 0:
            return tuple(history[number:])
    return tuple(history)


def _focus_of(older: Sequence[Message], turn: Turn) -> Iterator[Message]:
    """The order and the product that older messages named last; a newer mention among the rest comes after them."""
    for message in reversed(older):
        if numbers := numbers_in(message.content):
            yield message.model_copy(update={"content": numbers[-1]})
            break
    for message in reversed(older):
        if products := turn.lexicon.mentions(message.content):
            yield message.model_copy(update={"content": turn.version.products[products[0][0]].title})
            break
