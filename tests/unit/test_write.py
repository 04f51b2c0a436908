"""What is still to be said after the model's draft."""

import pytest

from graph.state import Account, Lead
from graph.write import _unsaid

BRIM = Lead("Our record of the Whin Hat doesn't say anything about “brim”.", ("brim",), "H-1")


@pytest.mark.parametrize(
    ("told", "is_said"),
    [
        ({}, True),
        ({"H-1": {"brim", "cm"}}, False),
        ({"H-1": {"weigh"}}, True),
        ({"H-2": {"brim", "cm"}}, True),  # of another product
    ],
)
def test_what_the_model_has_told_of_the_same_record_is_not_called_unknown(
    told: dict[str, set[str]], is_said: bool
) -> None:
    assert _unsaid([BRIM], Account(told=told)) == [BRIM] * is_said


def test_all_that_a_lead_calls_unknown_has_to_be_told() -> None:
    lead = Lead("...", ("brim", "latex"), "H-1")
    assert _unsaid([lead], Account(told={"H-1": {"brim"}})) == [lead]
    assert _unsaid([lead], Account(told={"H-1": {"brim", "latex"}})) == []


def test_a_lead_that_the_model_has_said_is_not_said_again() -> None:
    assert _unsaid([BRIM], Account(leads_said=[BRIM])) == []


def test_what_speaks_of_no_record_is_always_said() -> None:
    lead = Lead("Which one do you mean?")
    assert _unsaid([lead], Account(told={"H-1": {"brim"}})) == [lead]
