"""Conversations about the catalog as a whole: what is listed, compared and pointed to, by live facts."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_turns import EVEREST, markers, tell

pytestmark = pytest.mark.model

VEST = "CO-0102"


def talk(asked: Any, *questions: str) -> list[Any]:
    """Hold a conversation in which each answer is the assistant's own; the results in turn."""
    said: list[str] = []
    results = []
    for question in questions:
        results.append(asked.ask(*said, question))
        said += [question, results[-1].answer]
    return results


def titles(asked: Any, result: Any) -> list[str]:
    return [asked.services.store.catalog.active().products[key].title for key in result.product_ids]


# ---------------------------------------------------------------- live facts


def test_a_lowered_price_is_found_under_the_limit_without_an_ingest(assistant: Any, new_home: Path) -> None:
    asked = assistant(home=new_home)
    question = "Which insulated jackets are under $90?"
    before = asked.ask(question)
    assert EVEREST not in before.product_ids
    tell(asked.services, {"id": EVEREST, "sale_price": 79.0})
    after = asked.ask(question)
    assert set(after.product_ids) - set(before.product_ids) == {EVEREST}
    assert (after.catalog_version, "$79.00" in after.answer) == (before.catalog_version, True)
    assert {citation.kind for citation in after.citations} == {"fact"}


def test_what_is_sold_out_is_not_in_stock_in_the_next_answer(assistant: Any, new_home: Path) -> None:
    asked = assistant(home=new_home)
    question = "Which insulated jackets are in stock in M and in ember?"
    assert EVEREST in asked.ask(question).product_ids
    tell(asked.services, {"id": EVEREST, "sku": "CO-0101-M-EMB", "stock": 0})
    assert asked.ask(question).answer.startswith("In ember, in size M and in stock, I have nothing")


def test_an_unknown_price_is_never_within_a_limit_and_is_said(assistant: Any, new_home: Path) -> None:
    asked = assistant(home=new_home)
    tell(asked.services, {"id": EVEREST, "price": None})
    result = asked.ask("insulated jackets under $1000")
    assert EVEREST not in result.product_ids
    assert "1 more may fit, but the records don't state this: price." in result.answer


def test_a_limit_also_holds_where_the_search_has_to_help(assistant: Any) -> None:
    asked = assistant()
    result = asked.ask("tents for windy nights under $300")
    facts = asked.services.store.facts.read(result.product_ids)
    assert facts
    assert all((found.own.payable_minor or 0) < 30000 for found in facts.values())
    assert result.answer.startswith("Under $300, here is what I have for that:")


# ---------------------------------------------------------------- lists, counts, superlatives


def test_what_was_applied_is_said_and_every_product_is_cited(assistant: Any) -> None:
    result = assistant().ask("which rain jackets are under $150 and in stock")
    assert result.answer.startswith("Under $150 and in stock, I have 6 in Rain Jackets. 1 more may fit")
    assert len(result.product_ids) == 6  # nobody knows the stock of the Skerry Shore Jacket
    assert markers(result.answer) == set(range(1, 7))


def test_where_nothing_fits_the_nearest_are_named_with_what_they_miss(assistant: Any) -> None:
    result = assistant().ask("tents under $100 and under 1 kg")
    assert result.answer.startswith("Under $100 and weight under 1 kg, I have nothing in Tents.")
    assert "outside the limit on weight" in result.answer
    assert "outside the limit on price" in result.answer


def test_the_best_of_a_category_that_is_called_otherwise_is_followed_by_the_best_that_is(assistant: Any) -> None:
    asked = assistant()
    result = asked.ask("cheapest tent under 2 kg")
    assert titles(asked, result) == ["Sandpiper Beach Shelter", "Tarn 1 Tent"]


@pytest.mark.parametrize(
    "question",
    [
        "can I return a jacket under $50?",
        "how many days do I have to return a jacket?",
        "what's the cheapest way to ship a tent?",
    ],
)
def test_a_policy_question_with_a_kind_and_an_amount_stays_one(question: str, assistant: Any) -> None:
    assert assistant().ask(question).role == "policy"


def test_a_question_for_a_field_of_a_kind_asks_which_one_is_meant(assistant: Any) -> None:
    result = assistant().ask("how wide are the beanies?")
    assert "wide" in result.answer or "Which" in result.answer
    assert "cm" not in result.answer


# ---------------------------------------------------------------- conversations


def test_the_second_one_is_the_second_of_what_was_listed(assistant: Any) -> None:
    asked = assistant()
    listed, chosen, weight, stock = talk(
        asked, "which tents are under $300?", "the second one", "how heavy is it?", "and in stock?"
    )
    second = listed.product_ids[1]
    assert [result.product_ids for result in (chosen, weight, stock)] == [(second,)] * 3
    assert "2690 g" in weight.answer
    assert "in stock" in stock.answer


@pytest.mark.parametrize(
    ("said", "place"),
    [("how much is the third one", 2), ("the last one please", -1), ("the 2nd one", 1), ("number 4", 3)],
)
def test_places_in_a_list(said: str, place: int, assistant: Any) -> None:
    listed, chosen = talk(assistant(), "which tents are under $300?", said)
    assert chosen.product_ids == (listed.product_ids[place],)


def test_a_list_is_narrowed_message_by_message_and_asked_of_another_kind(assistant: Any) -> None:
    asked = assistant()
    first, stock, blue, boots = talk(
        asked, "rain jackets under $150", "only the ones in stock in size M", "and in blue?", "and the boots?"
    )
    assert set(first.product_ids) > set(stock.product_ids) > set(blue.product_ids)
    assert titles(asked, blue) == ["Haar City Raincoat"]
    assert boots.answer.startswith("Under $150, in blue and in stock, I have nothing among our boots.")


def test_something_cheaper_is_of_the_same_kind_and_costs_less(assistant: Any) -> None:
    asked = assistant()
    _, blue, cheaper = talk(
        asked, "How much is the Everest Down Jacket?", "does it come in blue?", "something cheaper?"
    )
    assert blue.product_ids == (EVEREST,)
    assert cheaper.answer.startswith("Cheaper than the Everest Down Jacket ($349), I have 14 in Insulated Jackets.")
    products = asked.services.store.catalog.active().products
    assert {products[key].category for key in cheaper.product_ids} == {"Insulated Jackets"}
    facts = asked.services.store.facts.read(cheaper.product_ids)
    assert all((found.own.payable_minor or 0) < 34900 for found in facts.values())


def test_something_lighter_is_lighter(assistant: Any) -> None:
    asked = assistant()
    result = talk(asked, "How much is the Everest Down Jacket?", "do you have something lighter")[1]
    products = asked.services.store.catalog.active().products
    weights = [products[key].attributes["weight_g"] for key in result.product_ids]
    assert weights
    assert all(isinstance(weight, int) and weight < 515 for weight in weights)


def test_the_cheaper_one_of_two_that_were_compared(assistant: Any) -> None:
    asked = assistant()
    compared, lighter, stock = talk(
        asked,
        "compare the Everest Down Jacket and the Everest Down Vest",
        "which one is lighter?",
        "the cheaper one please, is it in stock in M?",
    )
    assert compared.product_ids == (EVEREST, VEST)
    assert (lighter.product_ids, stock.product_ids) == ((VEST,), (VEST,))
    assert "in stock" in stock.answer


def test_another_product_of_the_same_name_is_asked_the_same(assistant: Any) -> None:
    results = talk(assistant(), "How much is the Everest Down Jacket?", "and the vest?")
    assert results[1].product_ids == (VEST,)
    assert "$219.00" in results[1].answer


def test_a_comparison_is_a_table_from_the_records_with_live_prices(assistant: Any, new_home: Path) -> None:
    asked = assistant(home=new_home)
    tell(asked.services, {"id": EVEREST, "price": 355})
    result = asked.ask("compare the Everest Down Jacket with the Everest Down Vest")
    lines = [line for line in result.answer.splitlines() if line.startswith("|")]
    assert lines[0] == "|  | Everest Down Jacket [1] | Everest Down Vest [2] |"
    assert "| Price | $355.00 | $219.00 |" in lines
    assert "| Weight | 515 g | 285 g |" in lines
    assert {line.count(" | ") for line in lines} == {2}
    assert [(citation.id, citation.kind) for citation in result.citations] == [(EVEREST, "fact"), (VEST, "fact")]


def test_compare_them_means_those_that_were_listed(assistant: Any) -> None:
    listed, two = talk(assistant(), "which headlamps do you have", "compare the first two")
    assert two.product_ids == listed.product_ids[:2]
    assert two.answer.count("\n|") >= 5


# ---------------------------------------------------------------- delivery


@pytest.mark.parametrize(
    ("question", "said", "section"),
    [
        (
            "what does shipping a $60 order to Alaska cost?",
            ["$14.95", "5 to 9 business days"],
            "shipping.alaska-hawaii",
        ),
        ("How much is delivery for the Everest Down Jacket?", ["$349.00 order", "is free"], "shipping.costs"),
        ("how long does shipping the Everest Down Vest to Germany take?", ["$34.95", "7 to 12"], "international.costs"),
        ("shipping for two Whin Sun Hats to a PO box, how much?", ["$84.00 order", "is free"], "shipping.po-boxes"),
    ],
)
def test_delivery_of_a_basket_follows_the_policy(question: str, said: list[str], section: str, assistant: Any) -> None:
    result = assistant().ask(question)
    assert [text for text in said if text not in result.answer] == []
    assert {citation.id for citation in result.citations} == {section}


def test_the_basket_of_a_product_costs_what_it_costs_now(assistant: Any, new_home: Path) -> None:
    asked = assistant(home=new_home)
    tell(asked.services, {"id": VEST, "price": 60})
    answer = asked.ask("How much is shipping for the Everest Down Vest?").answer
    assert re.search(r"Standard shipping of a \$60\.00 order .* costs \$6\.95", answer)
