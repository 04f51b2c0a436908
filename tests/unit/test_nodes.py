"""What the nodes decide on their own: who handles a turn, how chatter is answered, how a turn is summed up."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from graph.deps import Deps
from graph.desk import look_up_orders
from graph.find import find_products
from graph.nodes import _CHATTER, LATIN_SHARE_FLOOR, model_share, route, verdict_of
from graph.routing import NEAR_SECTION_COSINE, Route
from graph.state import Account, State
from graph.turn import Author, Citation, Message, Sentence, TurnRequest, answer_text
from shopbot.intents import Intents
from shopbot.language import latin_share
from shopbot.search import search_policies
from shopbot.sections import HINTS
from shopbot.types import Hit, PolicySection
from tests.unit.test_find import ABOUT_THE_JACKET, new_turn, talk
from tests.unit.test_search import version_of

RETURNS = PolicySection(
    id="returns.window",
    policy="returns",
    heading="Return window",
    text="You have 30 days to return something.",
    questions=("how long can I return something", "may I send it back", "return deadline"),
)
REFUNDS = PolicySection(
    id="returns.refunds",
    policy="returns",
    heading="Refunds",
    text="A refund arrives within a week.",
    questions=("when does my refund arrive", "when do I get my money back"),
)
TURN = new_turn(RETURNS, REFUNDS)


def routed(question: str, history: Sequence[Message] = ()) -> State:
    request = TurnRequest(messages=(*history, Message(role="user", content=question)))
    begun: State = {"request": request, "account": Account(), "question": question}
    return {**begun, **route(begun, cast(Any, SimpleNamespace(context=TURN)))}


# ---------------------------------------------------------------- who handles the turn


@pytest.mark.parametrize(
    ("question", "handled_by", "focus"),
    [
        ("Is the Fulmar Down Jacket waterproof?", Route.PRODUCT, [["P1"]]),
        ("do you sell tents for climbing", Route.PRODUCT, []),
        ("how much?", Route.PRODUCT, []),
        ("may I send it back", Route.POLICY, []),
        ("May I send the Fulmar Down Jacket back?", Route.POLICY, [["P1"]]),
        ("hello", Route.OTHER, []),
    ],
)
def test_a_message_is_read_once_for_all_that_it_may_be_about(
    question: str, handled_by: Route, focus: list[list[str]]
) -> None:
    found = routed(question)
    assert (found["route"], found["focus"]) == (handled_by, focus)
    assert found["utterance"].text == TURN.lexicon.about_it(question)
    assert {hit.id for hit in found["sections"]} == {"returns.window", "returns.refunds"}
    assert found["account"].retrieve_ms > 0


@pytest.mark.parametrize(
    ("question", "section"),
    [("how long can I return something", "returns.window"), ("when will the refund arrive", "returns.refunds")],
)
def test_the_sections_of_a_policy_question_are_ranked(question: str, section: str) -> None:
    assert routed(question)["sections"][0].id == section


def told(state: State) -> list[str]:
    found = find_products(state["question"], state["utterance"], state["focus"], TURN)
    return [point.statement.text for point in found.points]


def test_a_product_named_alone_is_asked_what_the_message_before_asked() -> None:
    found = routed("and the Long Mere Tent?", ABOUT_THE_JACKET)
    assert (found["route"], found["focus"]) == (Route.PRODUCT, [["P2"]])
    assert found["utterance"].text == "How much is it?"
    assert told(found) == ["The Long Mere Tent costs $100.00."]


def test_a_product_that_is_asked_something_is_not_asked_what_was_asked_before() -> None:
    found = routed("how much is the Long Mere Tent?", talk("Is the Fulmar Down Jacket waterproof?", "Yes."))
    assert found["utterance"].text == "how much is it?"
    assert told(found) == ["The Long Mere Tent costs $100.00."]


def test_a_colour_of_the_product_that_was_talked_about_is_told_of_that_product() -> None:
    found = routed("is it there in ember?", ABOUT_THE_JACKET)
    assert (found["route"], found["focus"]) == (Route.PRODUCT, [["P1"]])
    assert told(found)[0] == "The Fulmar Down Jacket is in stock, with 1 left."


def test_a_policy_question_that_goes_on_is_looked_up_with_the_one_before() -> None:
    history = talk("How do I get my money back?", "By card.")
    found = routed("and when does that arrive?", history)
    assert found["utterance"].text == "How do I get my money back? and when does that arrive?"
    assert (found["route"], found["sections"][0].id) == (Route.POLICY, "returns.refunds")
    policies = TURN.version.policies
    assert {policies[hit.id].policy for hit in found["sections"]} == {policies["returns.refunds"].policy}


def test_sections_of_a_policy_that_goes_on_are_ranked_by_the_last_message_alone() -> None:
    """Read with the message before it, it would be answered by what that asked."""
    question = "and when does that arrive?"
    found = routed(question, talk("How do I get my money back?", "By card."))
    alone = TURN.read(question)
    ranked = search_policies(TURN.version, question, alone.vector, alone.meant, len(TURN.version.policies))
    same = [hit.id for hit in ranked if TURN.version.policies[hit.id].policy == "returns"]
    assert [hit.id for hit in found["sections"]] == same[:HINTS]


@pytest.mark.parametrize(("nearer", "is_told"), [(0.01, True), (-0.01, False), (None, False)])
def test_an_order_needs_a_session_and_near_policies_are_told_all_the_same(nearer: float | None, is_told: bool) -> None:
    state = routed("when do I get my money back for order 10023")
    cosine = None if nearer is None else NEAR_SECTION_COSINE + nearer
    state["sections"] = [Hit(id="returns.refunds", score=1.0, cosine=cosine)]
    runtime = SimpleNamespace(context=TURN, stream_writer=lambda event: None)
    found = look_up_orders(state, cast(Any, runtime))
    assert [sentence.text for sentence in found["account"].sentences] == [TURN.phrase("sign_in")]
    texts = [point.statement.text for point in found.get("points", [])]
    assert texts == (["A refund arrives within a week."] if is_told else [])


# ---------------------------------------------------------------- with what it is read


def test_the_classifier_of_a_version_is_opened_once_and_those_of_the_two_latest_are_kept() -> None:
    """Versions have policies of their own, to which the classifier is fitted."""
    opened: list[list[str]] = []

    def intents_of(policies: Iterable[PolicySection]) -> Intents:
        opened.append([section.id for section in policies])
        return Intents.fit(["", ""], np.eye(2, dtype=np.float32), ["product", "other"])

    nothing = cast(Any, None)
    deps = Deps(
        shop=nothing, catalog=nothing, facts=nothing, embedder=nothing, models={}, prompts={}, intents_of=intents_of,
        weights=nothing, question_max_chars=100, clock=nothing, orders=nothing, tickets=nothing, figures=nothing,
    )  # fmt: skip
    first, second, third = (
        version_of([], sections, version_id=name) for name, sections in (("1", [RETURNS]), ("2", [REFUNDS]), ("3", []))
    )
    kept = deps.reader(first)
    assert deps.reader(first) is kept
    assert [deps.reader(version)[1] is deps.reader(version)[1] for version in (second, first)] == [True, True]
    assert opened == [["returns.window"], ["returns.refunds"]]
    deps.reader(third)
    deps.reader(second)
    deps.reader(first)
    assert opened == [["returns.window"], ["returns.refunds"], [], ["returns.window"]]


# ---------------------------------------------------------------- how it is summed up


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


def state(
    *authors: Author,
    route: Route = Route.PRODUCT,
    refused: bool = False,
    audience: str = "customer",
    **account: object,
) -> State:
    kept = Account(sentences=[sentence(author) for author in authors], **account)  # type: ignore[arg-type]
    request = TurnRequest(messages=(Message(role="user", content="?"),), audience=audience)
    return {"account": kept, "route": route, "refused": refused, "request": request}


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
        (state("record", audience="associate"), "passed"),
        (state("record", audience="merchandiser", prompt_hash="0"), "fallback"),
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
