"""Misspelt words are read as what was meant; names, codes, addresses and words that only the shop has stay."""

import pytest

from graph.spelling import MOST_CORRECTED, Speller

SPELLER = Speller(
    ["Lapwing Waterproof Mid Boots", "Gyrfalcon Belay Parka", "wallaby-brown gusset, much matched, one tent"],
    ["how much is it", "which one", "is it avaliable"] + ["any baselayers?"] * 3,
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("how mutch r the lapwng waterprof boots", "how much are the lapwing waterproof boots"),
        ("wich tnet is cheapest", "which tent is cheapest"),
        ("is it avaliable", "is it available"),  # written so once in an example message, which is one slip more
        ("Waterprof boots", "waterproof boots"),
        ("WATERPROF??", "waterproof??"),
        ("u have it?", "you have it?"),
        ("in this colour?", "in this color?"),  # the dictionary is American, as most catalogs are
    ],
)
def test_what_is_meant(typed: str, meant: str) -> None:
    assert SPELLER.corrected(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "does the Gyrfalcon have a gusset",
        "any baselayers?",  # in no dictionary, and in too many example messages to be a slip
        "Hi, Priya Oyelaran here",  # nobody's name is corrected to a word of the dictionary
        "is it free of PFAS and RFID",
        "mail bob@gmial.com about A-12345 and CO-0101",
        "see https://exmaple.com/waterprof",
        "the beast, a canoe",
        "xqzzk vbnrw",
        "smth",  # of four letters an edit is a guess
        "",
    ],
)
def test_what_is_left_alone(typed: str) -> None:
    assert SPELLER.corrected(typed) == typed


def test_a_message_of_nothing_but_slips_is_not_read_forever() -> None:
    typed = ["waterprof"] * (MOST_CORRECTED + 5)
    assert SPELLER.corrected(" ".join(typed)).split().count("waterproof") == MOST_CORRECTED
