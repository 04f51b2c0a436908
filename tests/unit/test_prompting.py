"""Prompts that the served ones are compared with, and what counts as the answer of a reply that thinks aloud."""

import pytest

from app.cli_eval import PROMPT_SETS
from app.wiring import prompts_of
from evals.prompting import FOLDER, final_answer, prompt_set
from shopbot.errors import ConfigError


def test_the_command_compares_all_sets_that_there_are() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PROMPT_SETS)
    assert len(PROMPT_SETS) == 2


@pytest.mark.parametrize("name", PROMPT_SETS)
def test_a_set_has_a_prompt_for_every_role_of_the_base_that_answers_customers(name: str) -> None:
    served, found = prompts_of("base", 160), prompt_set(name)
    assert found.keys() == {role for role, prompt in served.items() if prompt.audience == "customer"}
    assert [role for role, prompt in found.items() if prompt.role != role or not prompt.id.startswith(name)] == []


@pytest.mark.parametrize("name", PROMPT_SETS)
def test_a_set_differs_from_the_served_prompts_in_its_words_alone(name: str) -> None:
    """No examples; the same records in the same layout, the same decoding, or the comparison would be of those."""
    served = prompts_of("base", 160)
    for role, prompt in prompt_set(name).items():
        assert prompt.examples == ()
        assert (prompt.layout, prompt.decoding) == (served[role].layout, served[role].decoding)
        assert prompt.hash != served[role].hash
        assert "Cairn" in prompt.system.format(assistant="Scout", shop="Cairn")


def test_thinking_aloud_is_told_to_announce_its_answer_in_the_words_that_are_looked_for() -> None:
    for prompt in prompt_set("chain-of-thought").values():
        assert 'write "Answer:"' in prompt.system
    assert [role for role, prompt in prompt_set("zero-shot").items() if "Answer:" in prompt.system] == []


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="product"):
        prompt_set("many-shot")


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("It asks for the weight. Answer: It weighs 515 g [1].", "It weighs 515 g [1]."),
        ("It asks for the weight.\n\nAnswer:\nIt weighs 515 g.\nIt is light.\n", "It weighs 515 g.\nIt is light."),
        ("Answer: 500 g? No. Answer: It weighs 515 g.", "It weighs 515 g."),
        ("It weighs 515 g [1].", "It weighs 515 g [1]."),
        ("  It weighs 515 g.\n", "It weighs 515 g."),
        ("The answer is: 515 g.", "The answer is: 515 g."),
        ("Thinking. Answer:", ""),
        ("", ""),
    ],
)
def test_the_answer_is_what_follows_its_last_announcement_and_all_of_a_reply_without_one(
    reply: str, answer: str
) -> None:
    assert final_answer(reply) == answer
