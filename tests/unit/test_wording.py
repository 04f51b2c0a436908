"""Messages are compared by their words and pairs of words; the figures are held against another implementation in
test_intents.py."""

import numpy as np
import pytest

from shopbot.wording import Wording

TEXTS = ["where is my order", "is my order late?", "what if an order is late?", "hello"]


def test_a_text_is_itself_and_nothing_like_one_without_a_word_in_common() -> None:
    cosines = Wording(TEXTS).cosines(TEXTS)
    assert cosines.shape == (4, 4)
    assert cosines.dtype == np.float32
    np.testing.assert_allclose(np.diag(cosines), 1.0, atol=1e-6)
    assert cosines[3].tolist()[:3] == [0.0, 0.0, 0.0]


def test_pairs_and_the_question_mark_count() -> None:
    mine, asks = Wording(TEXTS).cosines(["my order is late", "order is late?"])
    assert mine[1] > mine[2]  # "my order" is a pair of the second text only
    assert asks[2] > asks[1]  # "order is" of the third


@pytest.mark.parametrize("text", ["", "kayak", "¿"])
def test_a_text_without_a_known_word_is_like_nothing(text: str) -> None:
    assert Wording(TEXTS).cosines([text]).tolist() == [[0.0] * 4]


def test_rare_words_say_more_than_common_ones() -> None:
    [hello_order] = Wording([*TEXTS, "order", "order now"]).cosines(["hello order"])
    assert hello_order[3] > hello_order[4]


def test_no_texts_compare_with_nothing() -> None:
    assert Wording(TEXTS).cosines([]).shape == (0, 4)
    assert Wording([]).cosines(["hello"]).shape == (1, 0)
