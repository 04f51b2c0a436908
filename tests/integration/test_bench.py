"""The bench's prompts of a size are real ones: the turn's own, with further records of the catalog behind them."""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from app.latency import GrownPrompts, Stopwatch

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"


def count_words(messages: Sequence[BaseMessage]) -> int:
    return sum(len(str(message.text).split()) for message in messages)


@pytest.mark.parametrize("size", [400, 800, 1500])
def test_a_prompt_is_grown_to_its_size_by_further_records_and_the_question_stays_last(
    size: int, assistant: Any
) -> None:
    made = assistant()
    made.ask(PRICE)
    (own,) = made.model.calls
    watch = Stopwatch()
    model = made.services.deps.models["base"]
    grown = GrownPrompts(model, count_words, made.services, size, watch)
    made.services.deps.models["base"] = grown
    result = made.ask(PRICE)
    prompt = made.model.calls[-1]
    assert size - 40 <= count_words(prompt) <= size
    assert grown.prompt_tokens == [count_words(prompt)]
    assert prompt[:-1] == own[:-1]
    context, _, question = str(own[-1].text).rpartition("\nQuestion: ")
    assert str(prompt[-1].text).startswith(context)
    assert str(prompt[-1].text).endswith(f"\nQuestion: {question}")
    assert "$349.00" in result.answer
    assert watch.spent_s > 0


def test_a_prompt_that_is_longer_by_itself_stays_as_it_is(assistant: Any) -> None:
    made = assistant()
    made.services.deps.models["base"] = GrownPrompts(
        made.services.deps.models["base"], count_words, made.services, 10, Stopwatch()
    )
    made.ask(PRICE)
    grown = made.model.calls[-1]
    made.services.deps.models["base"] = made.services.deps.models["base"]._model
    made.ask(PRICE)
    assert grown == made.model.calls[-1]
