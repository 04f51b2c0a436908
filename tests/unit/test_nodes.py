"""What the nodes decide on their own: what is refused, how chatter is answered, how a turn is summed up."""

import pytest

from graph.nodes import _CHATTER, LATIN_SHARE_FLOOR, model_share, verdict_of
from graph.routing import Route
from graph.state import Account, State
from graph.turn import Author, Citation, Sentence, answer_text
from shopbot.language import latin_share


def sentence(author: Author, text: str = "It is so.", block: bool = False) -> Sentence:
    return Sentence(text=text, author=author, block=block)


@pytest.mark.parametrize(
    ("authors", "share"),
    [
        ([], 0.0),
        (["shop"], 0.0),
        (["model"], 1.0),
        (["model", "record"], 0.5),
        (["shop", "model", "record", "record"], 0.25),
    ],
)
def test_the_model_share_is_that_of_all_shown_sentences(authors: list[Author], share: float) -> None:
    assert model_share([sentence(author) for author in authors]) == share


def state(*authors: Author, route: Route = Route.PRODUCT, refused: bool = False, **account: object) -> State:
    kept = Account(sentences=[sentence(author) for author in authors], **account)  # type: ignore[arg-type]
    return {"account": kept, "route": route, "refused": refused}


@pytest.mark.parametrize(
    ("turn", "verdict"),
    [
        (state("model"), "passed"),
        (state("shop", "model"), "passed"),
        (state("model", repaired=True), "repaired"),
        (state("model", findings=["says nothing: Hm."]), "repaired"),
        (state("model", "record"), "repaired"),
        (state("record"), "fallback"),
        (state("shop"), "fallback"),
        (state(), "fallback"),
        (state("record", route=Route.POLICY), "fallback"),
        (state("shop", route=Route.OTHER), "passed"),
        (state("shop", route=Route.ORDER), "passed"),
        (state("shop", route=Route.OTHER, refused=True), "refused"),
    ],
)
def test_the_verdict_says_how_the_answer_came_about(turn: State, verdict: str) -> None:
    assert verdict_of(turn) == verdict


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Hi", "greeting"),
        ("good morning!", "greeting"),
        ("  hey there", "greeting"),
        ("Can I talk to a human?", "human"),
        ("speak with an agent please", "human"),
        ("is there somebody I can talk to", "human"),
        ("What are your opening hours?", "contact"),
        ("your phone number?", "contact"),
        ("thanks a lot", "thanks"),
        ("ok bye", "thanks"),
        ("are you a bot?", "identity"),
        ("who are you", "identity"),
        ("who is the president of France", "other"),
        ("history of rome", "other"),
    ],
)
def test_chatter_is_told_apart_by_its_words(text: str, kind: str) -> None:
    assert next((name for name, pattern in _CHATTER.items() if pattern.search(text)), "other") == kind


@pytest.mark.parametrize(
    ("text", "is_readable"),
    [
        ("How much is the jacket?", True),
        ("Wie viel kostet die Jacke für Übergrößen?", True),
        ("42?", True),
        ("jacket 雨", True),
        ("雨衣多少钱", False),
        ("Сколько стоит jacket", False),
        ("كم سعر السترة", False),
    ],
)
def test_text_in_another_script_is_told_from_ours(text: str, is_readable: bool) -> None:
    assert (latin_share(text) >= LATIN_SHARE_FLOOR) is is_readable


def test_sentences_are_joined_as_they_stand_on_the_page() -> None:
    shown = [
        sentence("shop", "Here is what I have:"),
        sentence("record", "- A tent [1].", block=True),
        sentence("record", "- A bag [2].", block=True),
        sentence("shop", "Anything else?"),
    ]
    assert answer_text(shown) == "Here is what I have:\n- A tent [1].\n- A bag [2]. Anything else?"
    assert answer_text([]) == ""


def test_a_citation_is_numbered_once() -> None:
    account = Account()
    tent, bag = Citation(id="T", kind="product"), Citation(id="B", kind="product")
    assert [account.cite(citation) for citation in (tent, bag, tent)] == [1, 2, 1]
    assert account.citations == [tent, bag]
