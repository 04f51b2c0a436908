"""Labelled files: what is read, what is refused, and what the figures say."""

from pathlib import Path

import numpy as np
import pytest

from evals.labelled import Labelled, Predicted, draw_confusion, read_labelled, report
from shopbot.errors import FeedError, InputError
from shopbot.intents import Scores


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "labelled.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_other_columns_and_a_byte_order_mark_are_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, '\ufeffid,utterance,intent\n1, where is it ,track\n2,"hi, there",greet\n')
    assert read_labelled(path) == [Labelled("where is it", "track"), Labelled("hi, there", "greet")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("utterance,label\nhi,greet\n", "no column 'intent'"),
        ("", "no column 'intent'"),
        ("utterance,intent\n", "has no rows"),
    ],
)
def test_a_file_without_what_is_needed_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_labelled(written(tmp_path, text))


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as CSV in UTF-8"):
        read_labelled(written(tmp_path, "utterance,intent\ncafé,greet\n", "latin-1"))


def test_every_incomplete_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeedError) as caught:
        read_labelled(written(tmp_path, "utterance,intent\nhi,greet\n ,greet\nbye,\nwell\n"))
    assert [(row.line, row.field) for row in caught.value.rows] == [(3, "utterance"), (4, "intent"), (5, "intent")]


def predicted(*intents: str, scores: list[float] | None = None) -> Predicted:
    return Predicted(intents, np.asarray(scores or [0.9] * len(intents), np.float32))


def labelled(*intents: str) -> list[Labelled]:
    return [Labelled(f"message {number}", intent) for number, intent in enumerate(intents)]


def test_the_likeliest_intent_is_predicted() -> None:
    values = np.asarray([[0.1, 0.7], [0.6, 0.2]], np.float32)
    found = Predicted.of(Scores({"a": 0, "b": 1}, values, values))
    assert found.intents == ("b", "a")
    assert found.scores == pytest.approx([0.7, 0.6])


def test_accuracy_macro_f1_and_confusions_are_told() -> None:
    """a: precision 2/3, recall 2/2; b: 1/1 and 1/2: F1 .8 and .667."""
    text = report(labelled("a", "a", "b", "b"), predicted("a", "a", "a", "b"))
    assert "| accuracy | 75.0 %".replace(" %", "%") in text
    assert "| macro-F1 | 0.733 |" in text
    assert "| b | a | 1 |" in text
    assert "kept out" not in text


def test_what_belongs_to_none_is_kept_out_at_the_stated_rate_of_false_rejects() -> None:
    """Of 101 scores 0, .01 ... 1 the threshold that rejects 5 % is .05."""
    scores = [number / 100 for number in range(101)]
    text = report(labelled(*"a" * 101), predicted(*"a" * 101, scores=scores), np.asarray([0.01, 0.04, 0.2, 0.3]))
    assert "50.0%" in text
    assert "of 4, threshold 0.05" in text


def test_the_confusions_are_drawn(tmp_path: Path) -> None:
    draw_confusion(labelled("a", "b"), predicted("a", "a"), tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
