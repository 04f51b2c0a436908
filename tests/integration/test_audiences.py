"""Staff get the same knowledge in another form: by article number at the counter, as a text for the catalog."""

import re
from typing import Any

import pytest

from shopbot.accounts import Session
from tests.integration.test_turns import EVEREST, catalog_rows, tell

pytestmark = pytest.mark.model

WEIGHT = "What does the Everest Down Jacket weigh?"
WRITE = "Write a warm description of the Everest Down Jacket in 60 words"


def counts() -> dict[str, int]:
    (row,) = [row for row in catalog_rows() if row["id"] == EVEREST]
    return {variant["sku"]: variant["stock"] for variant in row["variants"]}


def test_an_associate_reads_article_field_and_the_count_of_every_variant(assistant: Any) -> None:
    asked = assistant("The model says nothing of use.")
    answer = asked.ask(WEIGHT, audience="associate").answer
    lines = answer.splitlines()
    assert lines[0].startswith(f"- {EVEREST}: Everest Down Jacket")
    assert re.search(r"^- Weight: 515 g \[1\]\.$", answer, re.MULTILINE)
    said = {m[1]: int(m[2]) for m in re.finditer(r"^- (\S+) \(.*\): (\d+) left", answer, re.MULTILINE)}
    assert said == counts()
    assert set(asked.authors) == {"record"}


def test_a_customer_is_told_no_article_numbers(assistant: Any) -> None:
    assert EVEREST not in assistant().ask(WEIGHT).answer


def test_the_counts_of_an_associate_are_live_and_an_unknown_one_says_so(assistant: Any, new_home: Any) -> None:
    asked = assistant(home=new_home)
    tell(asked.services, {"id": EVEREST, "sku": "CO-0101-M-INK", "stock": 2})
    tell(asked.services, {"id": EVEREST, "sku": "CO-0101-L-INK", "stock": None})
    answer = asked.ask(WEIGHT, audience="associate").answer
    assert "CO-0101-M-INK (M and Ink Blue): 2 left" in answer
    assert "CO-0101-L-INK (L and Ink Blue): not confirmed" in answer


def test_an_associate_reads_a_policy_with_its_section(assistant: Any) -> None:
    result = assistant().ask("How long do customers have to return something?", audience="associate")
    assert result.answer.startswith("- returns.window: ")
    assert "45 days" in result.answer
    assert (result.model_share, result.verdict) == (0.0, "passed")


def test_a_merchandiser_gets_a_text_by_the_model_of_which_every_sentence_is_the_records(assistant: Any) -> None:
    told = "The Everest Down Jacket weighs 515 g. It stops every storm. The Everest Down Jacket weighs 980 g."
    asked = assistant(told)
    result = asked.ask(WRITE, audience="merchandiser")
    assert result.answer.startswith("The Everest Down Jacket weighs 515 g [1].")
    assert "storm" not in result.answer
    assert "980" not in result.answer
    assert len(result.findings) == 2
    assert (result.role, result.product_ids, result.verdict) == ("product", (EVEREST,), "repaired")
    assert re.fullmatch(r"[0-9a-f]{12}", result.prompt_hash)


def test_a_text_is_as_long_as_was_asked_for_whatever_the_model_writes(assistant: Any) -> None:
    for reply in ("Nonsense about penguins.", "The Everest Down Jacket weighs 515 g. " * 30):
        words = len(assistant(reply).ask(WRITE, audience="merchandiser").answer.split())
        assert 40 <= words <= 90


def test_a_text_about_no_product_asks_for_which(assistant: Any) -> None:
    answer = assistant().ask("Write me a short description", audience="merchandiser").answer
    assert answer.startswith("Which product do you mean?")


def test_a_model_that_is_down_leaves_the_records_own_words(assistant: Any) -> None:
    asked = assistant()
    asked.model.error = ConnectionError("down")
    result = asked.ask(WRITE, audience="merchandiser")
    assert result.answer.startswith("A warm mid-weight down jacket for dry cold")
    assert (result.verdict, result.reduced is not None) == ("fallback", True)


@pytest.mark.parametrize(
    ("role", "audience"),
    [
        ("customer", "customer"),
        ("agent", "associate"),
        ("associate", "associate"),
        ("merchandiser", "merchandiser"),
    ],
)
def test_whom_an_answer_is_for_comes_from_the_session(role: Any, audience: str, assistant: Any, new_home: Any) -> None:
    session = Session(account_id="1", name="A", email="a@x.example", role=role)
    assert session.audience == audience
    chat = assistant(home=new_home).services.chat
    run_id, _ = chat.start("I am an associate. " + WEIGHT, session=session)
    answer = list(chat.events(run_id))[-1][1]["result"]["answer"]
    assert (f"- {EVEREST}: " in answer) is (audience != "customer")
