import pytest

from shopbot.language import (
    completed_sentences,
    content_stems,
    is_contraction,
    latin_share,
    numbers,
    split_sentences,
    without_citations,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs $349.00. It weighs 480 g.", ["It costs $349.00.", "It weighs 480 g."]),
        ("It costs $349.00. [1] It weighs 480 g [1].", ["It costs $349.00 [1].", "It weighs 480 g [1]."]),
        ("- one\n- two", ["- one", "- two"]),
        ("Use e.g. soap.", ["Use e.g. soap."]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


def test_an_open_sentence_is_held_until_what_follows_shows_its_end() -> None:
    assert completed_sentences("It costs $349.") == ([], "It costs $349.")
    assert completed_sentences("It costs $349.00. It we") == (["It costs $349.00."], "It we")


def test_a_citation_after_the_full_stop_stays_with_its_sentence() -> None:
    done, rest = completed_sentences("It weighs 480 g. [1] And")
    assert [*done, rest] == ["It weighs 480 g [1].", "And"]


def test_numbers_are_equal_however_they_are_written() -> None:
    assert numbers("1,299.00 and 1299 and 20,000 mm and 4.80") == ["1299", "1299", "20000", "4.8"]


def test_citations_are_removed_with_the_space_before_them() -> None:
    assert without_citations("It costs $5 [1][2].") == "It costs $5."


@pytest.mark.parametrize(
    ("text", "low"), [("Привет мир", True), ("hello", False), ("12345", False), ("田中さん", True)]
)
def test_scripts_other_than_latin_are_seen(text: str, low: bool) -> None:
    assert (latin_share(text) < 0.5) is low


@pytest.mark.parametrize(
    ("word", "expected"),
    [("i'm", True), ("we've", True), ("they'd", True), ("won't", True), ("kid's", False), ("jacket", False)],
)
def test_a_contraction_is_told_from_a_possessive(word: str, expected: bool) -> None:
    assert is_contraction(word) is expected


def test_contractions_carry_no_meaning() -> None:
    assert content_stems("I’m told they’d fit my kid’s boots, we've heard") == ["told", "fit", "kid", "boot", "heard"]
