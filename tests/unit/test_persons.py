"""Who wants a person, the assistant back, or is upset: what is read by its words alone."""

import pytest

from graph.persons import complains, may_want_person, wants_assistant, wants_person


@pytest.mark.parametrize(
    "text",
    [
        "human", "Human, please!", "yes, a human please", "a real person", "I want to talk to a human",
        "can I speak with an agent", "could you put me through to your manager?", "transfer me to a representative",
        "get me a real human", "I need an operator now", "is there somebody I can talk to", "connect me with someone",
        "no, let me talk to a person", "I don't like this. Can I talk to a colleague?",
        "i dont want a bot, get me a human", "customer service please",
    ],
)  # fmt: skip
def test_asking_for_a_person_in_plain_words_is_certain(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "I don't want to talk to a person", "am I talking to a human?", "are you a real person",
        "I need a 2-person tent",
        "a tent for one person", "is it a good cleaning agent", "find people to hike with",
        "can someone help me choose a tent",
        "what would you give a person who hikes", "how do I talk my friend into hiking",
        "you don't need to get me an agent",
    ],
)  # fmt: skip
def test_a_person_in_a_sentence_is_not_yet_asked_for(text: str) -> None:
    assert not wants_person(text)


def test_what_may_ask_for_a_person_counts_only_where_nobody_else_knows() -> None:
    assert may_want_person("can somebody help me")
    assert not wants_person("can somebody help me")


@pytest.mark.parametrize(
    "text",
    [
        "assistant please", "Assistant, please.", "back to the assistant", "can I have the bot back?", "bot",
        "I want to talk to the assistant again", "ok, please switch back to the chatbot",
    ],
)  # fmt: skip
def test_the_assistant_is_called_back_by_a_message_that_says_nothing_else(text: str) -> None:
    assert wants_assistant(text)


@pytest.mark.parametrize(
    "text",
    [
        "bot?", "are you a bot", "no more bot", "skip the bot pls", "I don't want the bot", "call me back",
        "please come back", "the assistant was no help", "I want to talk to the assistant manager", "",
    ],
)  # fmt: skip
def test_speaking_of_the_assistant_is_not_calling_it(text: str) -> None:
    assert not wants_assistant(text)


@pytest.mark.parametrize(
    ("text", "is_upset"),
    [
        ("This is outrageous, my tent broke twice", True),
        ("I want to file a complaint", True),
        ("worst service ever", True),
        ("what a rip-off", True),
        ("I must complain about your driver", True),
        ("my knees complain on long descents", False),
        ("do I rip off the tape", False),
        ("the worst winter storms", False),
        ("How much is the tent?", False),
    ],
)
def test_being_upset_is_read_by_strong_words(text: str, is_upset: bool) -> None:
    assert complains(text) is is_upset
