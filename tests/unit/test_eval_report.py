"""Outcomes as tables: what is counted, over which cases, and which rows stand there at all."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evals.cases import Case
from evals.report import as_rows, draw, is_right, is_wrong, over_seeds, robustness, tables
from evals.runs import Answer, Outcome
from graph.turn import Message, Timings, Tokens, TurnResult

QUESTION = "What is it?"
RIGHT, WRONG, CLUMSY = "It weighs 515 g.", "It weighs 500 g.", "It is light."
RECORD = f"{QUESTION}\nP1\nThe Fulmar weighs 515 g.\nThe Fulmar costs $349.00."
RULE = "You have 45 days from the delivery date."
SECTION = "returns.window"


def outcome(
    name: str = "facts",
    said: str = RIGHT,
    *,
    shown: str | None = None,
    alone: str | None = None,
    text: str | None = None,
    was_asked: bool = True,
    cited: tuple[str, ...] = ("P1",),
    material: str = RECORD,
    tokens: int = 100,
    first_ms: float = 10.0,
    total_ms: float = 20.0,
    fallback: bool = False,
    **values: Any,
) -> Outcome:
    """A case of the slice `name`, to which the model wrote `said`; the customer saw that, too, or `shown`."""
    asked = (Message(role="user", content=QUESTION),)
    fields = {"id": "c", "slice": name, "messages": asked, "product": "P1", "expects": [["515 g"]], **values}
    result = TurnResult(
        answer=said if shown is None else shown, citations=(), product_ids=(), role="product", verdict="passed",
        fallback=fallback, model_share=0.0 if fallback else 1.0, handoff=False, arm="tuned", catalog_version="v1",
        timings_ms=Timings(first_sentence=first_ms, total=total_ms, retrieve=1.0, generate=1.0),
        tokens=Tokens(prompt=tokens, answer=10),
    )  # fmt: skip
    return Outcome(
        case=Case.model_validate(fields),
        draft=Answer(said, cited),
        shown=Answer(result.answer, cited),
        result=result,
        was_asked=was_asked,
        material=material,
        records={1: material},
        alone_draft=None if alone is None else Answer(alone, ()),
        alone_shown=None if alone is None else Answer(alone, ()),
        text_draft=None if text is None else Answer(text, ()),
    )


def policy(said: str = RULE, **values: Any) -> Outcome:
    fields = {"product": None, "section": SECTION, "expects": [["45 days"]], "cited": (SECTION,)}
    return outcome("policy", said, **{"material": f"{QUESTION}\n{RULE}", **fields, **values})


def silent(said: str = "I won't guess.", **values: Any) -> Outcome:
    return outcome("unanswerable", said, **{"expects": [], **values})


def table(text: str, heading: str) -> dict[str, list[str]]:
    """The rows below a heading, by their names; the arms by the name ""."""
    section = text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line[:2] == "| "]
    return {name: cells for name, *cells in rows}


# ---------------------------------------------------------------- right and wrong


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("facts", RIGHT, True),
        ("facts", WRONG, False),
        ("facts", "I won't guess.", False),
        ("unanswerable", "I won't guess.", True),
        ("unanswerable", RIGHT, False),
        ("not_sold", "I can't find kayaks in our catalog.", True),
    ],
)
def test_right_is_what_the_case_expects_or_an_abstention_where_nothing_can_be_answered(
    name: str, text: str, expected: bool
) -> None:
    assert is_right(outcome(name).case, Answer(text, ())) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(RIGHT, False), (WRONG, True), ("It weighs 515 g, with 3 left.", True), (CLUMSY, False), ("", False)],
)
def test_a_number_that_the_record_does_not_have_is_wrong_and_a_clumsy_answer_is_not(text: str, expected: bool) -> None:
    assert is_wrong(outcome(), Answer(text, ())) is expected


@pytest.mark.parametrize(
    ("expects", "text", "expected"),
    [
        (["sold out"], "It is sold out.", False),
        (["sold out"], "It is in stock.", True),
        (["sold out"], "It is sold out in L, in stock in M.", False),
        (["in stock"], "It is in stock.", False),
        (["in stock"], "It is sold out.", True),
        (["in stock"], "It is in stock in M, sold out in L.", False),
        (["in stock"], "Its stock has to be confirmed.", False),
        (["sold out", "in stock"], "It is in stock.", False),
        (["515 g"], "It is sold out.", False),
    ],
)
def test_a_stock_is_wrong_that_says_only_the_opposite_of_the_expected_one(
    expects: list[str], text: str, expected: bool
) -> None:
    assert is_wrong(outcome(expects=[expects]), Answer(text, ())) is expected


def test_a_wrong_stock_is_seen_at_the_beginning_of_a_sentence() -> None:
    assert is_wrong(outcome(expects=[["in stock"]]), Answer("Sold out.", ()))


def test_a_stock_that_is_denied_is_not_said() -> None:
    assert not is_wrong(outcome(expects=[["sold out"]]), Answer("It is not in stock.", ()))


def test_where_nothing_can_be_answered_nothing_is_counted_as_wrong() -> None:
    assert not is_wrong(silent(WRONG), Answer(WRONG, ()))


# ---------------------------------------------------------------- tables


def test_the_headline_is_the_share_of_right_answers_with_its_interval_by_arm() -> None:
    text = tables({"base": [outcome()] * 2 + [outcome(said=WRONG)] * 2, "tuned": [outcome()] * 4})
    rows = table(text, "Right answers, all 4 cases")
    assert rows[""] == ["base", "tuned"]
    assert rows["with retrieval, as written"] == ["50.0 % (0 % to 100 %)", "100.0 % (100 % to 100 %)"]


def test_what_was_written_and_what_was_shown_are_told_apart() -> None:
    rows = table(tables({"tuned": [outcome(said=WRONG, shown=RIGHT)]}), "Right answers")
    figures = {name: cells[0].split(" (")[0] for name, cells in rows.items() if name}
    assert figures == {"with retrieval, as written": "0.0 %", "with retrieval, checked": "100.0 %"}


def test_rows_without_retrieval_stand_there_only_with_parts() -> None:
    alone = ["without retrieval, as written", "without retrieval, checked"]
    whole, parts = ([outcome()], [outcome(alone=WRONG)])
    assert "without retrieval" not in tables({"tuned": whole})
    rows = table(tables({"tuned": parts}), "Right answers")
    assert [rows[name][0].split(" (")[0] for name in alone] == ["0.0 %", "0.0 %"]


def test_slices_have_a_row_each_in_their_order_with_a_column_for_every_arm_and_cell() -> None:
    found = [silent(), policy(), outcome(), outcome(said=WRONG)]
    rows = table(tables({"base": found, "tuned": found}), "By slice")
    assert list(rows) == ["slice", "facts", "policy", "unanswerable"]
    assert rows["facts"] == ["2", "50 %", "50 %", "50 %", "50 %"]
    assert rows["slice"][1:3] == ["base, with retrieval, as written", "base, with retrieval, checked"]


def test_citations_and_grounding_are_of_cases_that_the_model_was_asked() -> None:
    found = [outcome(), outcome(said=WRONG, cited=("P2",)), outcome(said=WRONG, cited=(), was_asked=False), silent()]
    rows = table(tables({"tuned": found}), "As written")
    assert rows["right record cited"][0].startswith("50.0 %")
    assert rows["all numbers from the record"][0].startswith("50.0 %")
    assert rows["abstains where nothing can be answered"][0].startswith("100.0 %")
    assert rows["abstains though it could answer"][0].startswith("0.0 %")


@pytest.mark.parametrize(
    ("found", "cell"),
    [
        ([outcome(), outcome(said=CLUMSY)], "0 of 2, upper bound 77.64 %"),
        ([outcome(), outcome(said=WRONG)], "1 of 2"),
        ([outcome(), outcome(said=WRONG, shown=RIGHT)], "0 of 2, upper bound 77.64 %"),
        ([outcome(), outcome(expects=[["sold out"]], said="It is in stock.")], "1 of 2"),
        ([outcome(), silent(WRONG)], "0 of 1, upper bound 95.00 %"),
    ],
)
def test_wrong_answers_are_counted_as_shown_with_an_upper_bound_only_where_there_are_none(
    found: list[Outcome], cell: str
) -> None:
    rows = table(tables({"tuned": found}), "As shown")
    assert rows["answers with a number or stock that the record asked about does not have"] == [cell]


def test_the_models_share_counts_only_where_it_was_asked() -> None:
    rows = table(tables({"tuned": [outcome(), outcome(fallback=True), outcome(was_asked=False)]}), "As shown")
    assert [cells[0][:6] for name, cells in rows.items() if "where it was asked" in name] == ["50.0 %", "50.0 %"]


@pytest.mark.parametrize(
    "found",
    [[outcome()], [silent()], [policy()], [silent(was_asked=False)], [policy(was_asked=False), outcome()]],
    ids=["facts", "unanswerable", "policy", "nobody asked", "no policy asked"],
)
def test_every_table_has_a_heading_and_a_head(found: list[Outcome]) -> None:
    blocks = re.split(r"\n{2,}", tables({"base": found, "tuned": found}))
    shown = [(before, block) for before, block in pairwise(["", *blocks]) if block.startswith("|")]
    assert len(shown) >= 3
    assert [block for before, block in shown if not before.startswith("## ") or "\n|---" not in block] == []


# ---------------------------------------------------------------- policies and parts


def test_policies_have_no_table_without_policy_cases_that_every_arm_was_asked() -> None:
    assert "## Policies" not in tables({"tuned": [outcome()]})
    assert "## Policies" not in tables({"base": [policy()], "tuned": [policy(was_asked=False)]})


def test_policies_are_shown_in_the_ways_in_which_they_were_asked() -> None:
    ways = ["as served", "the question alone", "over the text"]
    served = table(tables({"tuned": [policy()]}), "Policies")
    rows = table(tables({"tuned": [policy(alone=WRONG, text=RULE), policy("Hm.", alone=WRONG, text=RULE)]}), "Policies")
    figures = [rows[name][0].split(" (")[0] for way in ways for name in rows if name.startswith(way)]
    assert figures == ["50.0 %", "0.0 %", "100.0 %"]
    assert [way for way in ways if any(name.startswith(way) for name in served)] == ways[:1]


def test_a_recital_of_the_section_has_the_highest_overlap_citation_aside() -> None:
    """Also where the conversation before it is long: the section is what follows the messages."""
    talk = [Message(role="user", content="Hi"), Message(role="assistant", content="Hello."),
            Message(role="user", content=QUESTION)]  # fmt: skip
    said = policy(f"[{SECTION}] {RULE}", messages=talk, material=f"Hi\nHello.\n{QUESTION}\n{RULE}")
    rows = table(tables({"tuned": [said]}), "Policies")
    assert [cells for name, cells in rows.items() if "against the section" in name] == [["1.00"]] * 3


def test_ratios_of_cost_are_base_over_tuned_and_stand_there_only_with_both() -> None:
    base = [policy(tokens=300, first_ms=20.0, total_ms=80.0), outcome(tokens=9000)]
    text = tables({"base": base, "tuned": [policy(), outcome()]})
    assert "prompt tokens 3.0 times, first sentence 2.0 times, whole turn 4.0 times." in text
    assert " times" not in tables({"tuned": [policy()]})
    assert " times" not in tables({"few-shot": [policy()], "zero-shot": [policy()]})


def test_the_hybrid_is_compared_with_its_parts_only_where_there_are_both_arms() -> None:
    base, tuned = [outcome(said=WRONG, alone=WRONG), outcome(alone=WRONG)], [outcome(alone=WRONG)] * 2
    text = tables({"base": base, "tuned": tuned})
    assert "tuned with retrieval against base with retrieval: +50.0 points" in text
    assert "tuned with retrieval against tuned without: +100.0 points" in text
    assert "The hybrid" not in tables({"tuned": tuned})
    assert "tuned without" not in tables({"base": [outcome()], "tuned": [outcome()]})


# ---------------------------------------------------------------- paraphrases and variants


def alike(group: str, *said: str) -> list[Outcome]:
    return [outcome("paraphrase", text, id=f"{group}-{n}", group=group) for n, text in enumerate(said)]


def variants(group: str, **said: str) -> list[Outcome]:
    return [outcome("bias", text, id=f"{group}-{name}", group=group, variant=name) for name, text in said.items()]


def test_without_groups_there_is_no_section_of_robustness() -> None:
    assert robustness({"tuned": [outcome(), policy()]}) == ""
    assert "Paraphrases" not in tables({"tuned": [outcome()]})


def test_a_group_is_of_one_mind_if_all_of_its_paraphrases_are_right_or_none() -> None:
    found = [*alike("a", RIGHT, RIGHT), *alike("b", RIGHT, WRONG), *alike("c", WRONG, WRONG), *alike("d", WRONG, RIGHT)]
    rows = table(robustness({"tuned": found}), "Paraphrases")
    assert rows["paraphrase groups of one mind"][0].startswith("50.0 %")


def test_a_variant_is_compared_with_the_standard_wording_of_its_own_group() -> None:
    found = [*variants("a", standard=RIGHT, typos=WRONG), *variants("b", standard=WRONG, typos=WRONG)]
    found += [*variants("c", typos=RIGHT), *variants("d", standard=RIGHT, non_native=RIGHT)]
    rows = table(robustness({"base": found, "tuned": variants("a", standard=RIGHT)}), "Paraphrases")
    assert {name for name in rows if "against" in name} == {"typos against standard", "non native against standard"}
    assert rows["typos against standard"][0].startswith("-50 points")
    assert rows["typos against standard"][1] == ""
    assert rows["non native against standard"][0] == "+0 points (+0 to +0)"


def test_robustness_is_of_what_was_shown() -> None:
    found = [outcome("paraphrase", said, shown=RIGHT, id=said, group="a") for said in (RIGHT, WRONG)]
    rows = table(robustness({"tuned": found}), "Paraphrases")
    assert rows["paraphrase groups of one mind"][0].startswith("100.0 %")


# ---------------------------------------------------------------- answers, seeds, picture


def test_there_is_a_row_for_every_case_and_arm_that_can_be_written_as_json() -> None:
    found = [outcome(said=WRONG, shown=RIGHT, id="a"), policy(alone=WRONG, text=RULE, id="b")]
    rows = as_rows({"base": found, "tuned": found})
    assert [(row["arm"], row["id"]) for row in rows] == [("base", "a"), ("base", "b"), ("tuned", "a"), ("tuned", "b")]
    first, second = json.loads(json.dumps(rows[:2]))
    assert (first["draft_right"], first["shown_right"], first["wrong"]) == (False, True, False)
    assert (first["alone"], first["alone_right"], first["text"], first["text_right"]) == (None, None, None, None)
    assert (second["alone"], second["alone_right"]) == (WRONG, False)
    assert (second["text"], second["text_right"]) == (RULE, True)
    assert (second["cited"], second["cited_right"]) == ([SECTION], True)


def seed(*found: Outcome) -> list[dict[str, Any]]:
    """Rows of a run, as a file keeps them; the base's are all wrong."""
    rows = as_rows({"base": [outcome(said=WRONG)], "tuned": found})
    return [json.loads(json.dumps(row)) for row in rows]


def test_seeds_are_joined_to_mean_lowest_and_highest_of_the_tuned_arm() -> None:
    good = seed(outcome(), policy(), silent())
    bad = seed(outcome(said=WRONG, cited=()), policy("Hm.", cited=()), silent(RIGHT), silent())
    text = over_seeds([good, bad, good])
    assert text.startswith("| tuned, 3 training seeds | mean | lowest | highest |\n|---|---|---|---|\n")
    rows = table(f"## {text}", "")
    assert rows["right, with retrieval, as written"] == ["75.0 %", "25.0 %", "100.0 %"]
    assert rows["facts of products right, as written"] == ["66.7 %", "0.0 %", "100.0 %"]
    assert rows["policies right, as written"] == ["66.7 %", "0.0 %", "100.0 %"]
    assert rows["right record cited"] == ["66.7 %", "0.0 %", "100.0 %"]
    assert rows["abstains where nothing can be answered"] == ["83.3 %", "50.0 %", "100.0 %"]


def test_seeds_are_joined_over_some_slices_alone() -> None:
    assert "nan" not in over_seeds([seed(outcome()), seed(outcome())])


@pytest.mark.parametrize("found", [[outcome(), policy("Hm.")], [outcome(alone=WRONG), policy(alone=RULE)]])
def test_the_picture_is_drawn_with_and_without_parts(found: list[Outcome], tmp_path: Path) -> None:
    from matplotlib import pyplot

    draw({"base": found, "tuned": found}, tmp_path / "evaluation.png")
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []
