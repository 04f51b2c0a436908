"""Cases through the shipped graph with a scripted model: what is kept as its draft, and what is asked besides."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from evals.cases import Case, read_cases
from evals.prompting import prompt_set
from evals.report import as_rows, tables
from evals.runs import UNKNOWN, Outcome, run_cases
from tests.conftest import repeat_facts
from tests.fakes import ScriptedChatModel, served

pytestmark = pytest.mark.model

FACTS, POLICY, OTHER = "E2-001", "policy-003", "E2-236"
PARKA, SECTION = "CO-0103", "exchanges.size"
WEIGHS = "The Gyrfalcon Belay Parka weighs {}."
RULE = "You can exchange an unused item within 45 days of delivery."
Reply = Callable[[Sequence[BaseMessage]], str]


def cases() -> list[Case]:
    by_id = {case.id: case for case in read_cases("development")}
    found = [by_id[name] for name in (FACTS, POLICY, OTHER)]
    assert [case.records for case in found] == [(PARKA,), (SECTION,), ()]
    return found


def tuned_reply(messages: Sequence[BaseMessage]) -> str:
    """Refers to values, recites; without a record it makes its figure up."""
    text = str(messages[-1].text)
    if text.startswith("Sections:"):
        return f"[{SECTION}] {RULE}"
    if text.startswith("Records:\nnone"):
        return WEIGHS.format("700 g")
    return WEIGHS.format("{1.weight}") if "Gyrfalcon" in text else f"[1] {RULE}"


@pytest.fixture
def run(assistant: Any) -> Callable[..., dict[str, Outcome]]:
    """Run the three cases by an arm whose model replies so; outcomes by case."""

    def run(reply: Reply | str = tuned_reply, arm: str = "tuned", **options: Any) -> dict[str, Outcome]:
        made = assistant()
        model = served(ScriptedChatModel(replies=[reply] if isinstance(reply, str) else reply), arm=arm)
        deps = replace(made.services.deps, models={**made.services.deps.models, arm: model})
        if prompts := options.pop("prompts", None):
            deps = replace(deps, prompts={**deps.prompts, arm: prompts})
        told: list[tuple[str, int, int]] = []
        outcomes = run_cases(made.services.graph, deps, cases(), arm, lambda *step: told.append(step), **options)
        assert told == [(f"cases, {arm}", number, 3) for number in (1, 2, 3)]
        return {outcome.case.id: outcome for outcome in outcomes}

    return run


Run = Callable[..., dict[str, Outcome]]


def test_a_draft_has_its_references_filled_in_and_cites_the_record(run: Run) -> None:
    found = run()[FACTS]
    assert found.draft.text == WEIGHS.format("690 g")
    assert found.draft.cited == (PARKA,)
    assert found.was_asked
    assert found.shown.text == "The Gyrfalcon Belay Parka weighs 690 g [1]."
    assert found.shown.cited == (PARKA,)
    assert "690 g" in found.material


def test_a_recited_section_is_cited_by_its_id(run: Run) -> None:
    found = run()[POLICY]
    assert (found.draft.text, found.draft.cited) == (f"[{SECTION}] {RULE}", (SECTION,))
    assert found.shown.cited == (SECTION,)
    assert RULE in found.material


def test_the_base_cites_by_the_numbers_of_its_prompt(run: Run) -> None:
    found = run(repeat_facts, "base")
    assert [found[name].draft.cited for name in (FACTS, POLICY)] == [(PARKA,), (SECTION,)]


def test_a_draft_is_what_the_model_wrote_also_where_nothing_of_it_is_shown(run: Run) -> None:
    found = run(f"{WEIGHS.format('700 g')} {{7.price}} {{1.colour_of_money}} [7]")[FACTS]
    assert found.draft.text == f"{WEIGHS.format('700 g')} {{7.price}} {{1.colour_of_money}} [7]"
    assert found.draft.cited == (PARKA,)
    assert "690 g" in found.shown.text
    assert "700 g" not in found.shown.text


def test_of_several_replies_in_a_turn_the_draft_is_the_first(run: Run) -> None:
    """A memory that failed is measured as such, whatever the model then makes of the section's text."""
    from_memory = f"[{SECTION}] You can exchange an unused item within 90 days of delivery."

    def reply(messages: Sequence[BaseMessage]) -> str:
        return from_memory if str(messages[-1].text).startswith("Sections:") else f"[1] {RULE}"

    found = run(reply)[POLICY]
    assert found.draft.text == from_memory
    assert "45 days" in found.shown.text
    assert found.result.model_share > 0


def test_a_case_for_which_the_model_was_not_asked_has_the_shown_answer_as_its_draft(run: Run) -> None:
    """Not what it wrote in the case before."""
    found = run()[OTHER]
    assert not found.was_asked
    assert found.draft == found.shown
    assert found.draft.text


def test_without_parts_nothing_is_asked_besides(run: Run) -> None:
    asked: list[str] = []

    def reply(messages: Sequence[BaseMessage]) -> str:
        asked.append(str(messages[-1].text))
        return tuned_reply(messages)

    found = run(reply)
    assert [(o.alone_draft, o.alone_shown, o.text_draft) for o in found.values()] == [(None, None, None)] * 3
    assert len(asked) == 2


def test_with_parts_every_case_is_also_answered_without_retrieval_and_policies_over_their_text(run: Run) -> None:
    found = run(with_parts=True)
    assert [name for name, o in found.items() if o.alone_draft is None or o.alone_shown is None] == []
    assert [name for name, o in found.items() if o.text_draft is not None] == [POLICY]
    policy = found[POLICY]
    assert policy.alone_draft
    assert policy.text_draft
    assert (policy.alone_draft.text, policy.alone_draft.cited) == (f"[{SECTION}] {RULE}", (SECTION,))
    assert (policy.text_draft.text, policy.text_draft.cited) == (f"[1] {RULE}", (SECTION,))
    assert not found[OTHER].was_asked


def test_of_an_answer_without_retrieval_only_what_is_true_is_shown(run: Run) -> None:
    found = run(with_parts=True)
    first, second = found[FACTS], found[POLICY]
    assert first.alone_draft
    assert first.alone_draft.text == WEIGHS.format("700 g")
    assert first.alone_shown
    assert (first.alone_shown.text, first.alone_shown.cited) == (UNKNOWN, ())
    assert second.alone_shown
    assert (second.alone_shown.text.strip(), second.alone_shown.cited) == (RULE, (SECTION,))


def test_a_case_is_not_judged_by_what_was_written_without_retrieval(run: Run) -> None:
    """The draft and the turn's result are the same with and without the parts."""
    alone, parts = run(), run(with_parts=True)
    assert [(o.draft.text, o.draft.cited, o.shown.text, o.was_asked) for o in alone.values()] == [
        (o.draft.text, o.draft.cited, o.shown.text, o.was_asked) for o in parts.values()
    ]


def test_of_a_model_that_thinks_aloud_the_draft_is_its_answer(run: Run) -> None:
    reply = f"It asks for the weight, perhaps 700 g. Answer: {WEIGHS.format('690 g')[:-1]} [1]."
    found = run(reply, "base", prompts=prompt_set("chain-of-thought"))[FACTS]
    assert found.draft.text == "The Gyrfalcon Belay Parka weighs 690 g [1]."
    assert found.draft.cited == (PARKA,)


def test_the_report_takes_what_the_runs_return(run: Run) -> None:
    outcomes = {"base": list(run(repeat_facts, "base").values()), "tuned": list(run().values())}
    rows = as_rows(outcomes)
    assert [row["draft_right"] for row in rows] == [True] * 6
    assert [row["wrong"] for row in rows] == [False] * 6
    assert "## Right answers, all 3 cases" in tables(outcomes)
