"""Questions are mistyped as people do: a word or two, never beyond recognition, and the same for the same seed."""

import random
from collections.abc import Iterator

import pytest
from rapidfuzz.distance import DamerauLevenshtein

from finetune.typos import mistyped

# No letter stands twice in a row: to swap such two would change nothing.
QUESTION = "How heavy is the Turnstone travel pack, and what does it cost in 40 L?"


def tries(text: str, count: int = 300) -> Iterator[str]:
    return (mistyped(text, random.Random(seed)) for seed in range(count))


def test_the_same_seed_makes_the_same_errors() -> None:
    assert list(tries(QUESTION)) == list(tries(QUESTION))
    assert len(set(tries(QUESTION))) > 50


def test_one_or_two_words_are_wrong_and_all_others_as_they_were() -> None:
    counts = set()
    for text in tries(QUESTION):
        pairs = list(zip(QUESTION.split(), text.split(), strict=True))
        counts.add(sum(before != after for before, after in pairs))
    assert counts == {1, 2}


def test_a_word_keeps_its_first_letter_and_all_others_but_one_or_two() -> None:
    for text in tries("jacket"):
        assert text[0] == "j"
        assert DamerauLevenshtein.distance("jacket", text) == 1, text


def test_letters_are_swapped_left_out_doubled_and_missed() -> None:
    assert {"jakcet", "jaket", "jaccket", "jscket"} <= set(tries("jacket"))


def test_every_long_word_is_mistyped_some_time_and_no_short_one_ever() -> None:
    wrong = {
        before for text in tries(QUESTION) for before, after in zip(QUESTION.split(), text.split(), strict=True)
        if before != after
    }  # fmt: skip
    assert wrong == {"heavy", "Turnstone", "travel", "pack,", "what", "does", "cost"}


@pytest.mark.parametrize("text", ["", "?", "is it L", "the 40 l one", "EU 42, 43 or 44?", "12345678", "a b c d e"])
def test_a_text_without_long_words_is_unchanged(text: str) -> None:
    assert set(tries(text, 50)) == {text}


@pytest.mark.parametrize("text", ["cost", "cost?", "and cost"])
def test_a_single_short_enough_word_can_be_mistyped(text: str) -> None:
    for wrong in tries(text, 50):
        assert wrong != text
        assert DamerauLevenshtein.distance(text, wrong) == 1
