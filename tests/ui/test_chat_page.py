"""The chat page as Streamlit runs it, without a browser; tests/browser does the same with one."""

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from streamlit.testing.v1 import AppTest

from app import running
from app.wiring import Services
from graph.turn import Citation
from shopbot.accounts import Session
from shopbot.types import Product, ProductFacts
from tests.ui.shopfront import (
    CONFIG,
    GUST,
    NOW,
    PRICE_EVENTS,
    SIGNED_IN,
    FakeChat,
    FakeFacts,
    facts_of,
    fake_services,
    sentence,
)

HOSTILE = "$x$ [a](https://evil.example) <img src=x> **b** :material/bolt: ![i](https://evil.example/i.png)"


RECORD = Citation(id="K-1", kind="product")


def chat_of(services: Services) -> FakeChat:
    return cast(FakeChat, services.chat)


def texts(page: AppTest) -> str:
    """All that the page shows as Markdown, captions and plain text, in order."""
    shown = [*page.title, *page.markdown, *page.caption, *page.text, *page.info, *page.warning, *page.error]
    return "\n".join(element.value for element in shown)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def asked(page: AppTest, question: str = "What does the Gust Kite cost?") -> AppTest:
    page.run()
    return page.chat_input[0].set_value(question).run()


def test_the_empty_page_says_who_is_talking_and_in_which_language(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "Kite \\& Keel" in page.title[0].value
    assert "AI assistant · helps in English" in texts(page)
    assert "an AI helper" in page.chat_message[0].markdown[0].value


def test_no_shop_is_named_in_the_code(page: AppTest) -> None:
    assert "Cairn" not in texts(page.run())


def test_a_sample_question_starts_a_conversation_and_the_samples_go(page: AppTest, services: Services) -> None:
    page.run()
    assert labels(page)[1:-1] == [r"What does the Gust Kite cost\?", r"How do I return a kite\?"]
    page.button("sample-1").click().run()
    assert chat_of(services).asked == ["How do I return a kite?"]
    assert page.query_params["c"] == "conversation-0"
    assert not any(label.startswith("What does") for label in labels(page))


def test_an_answer_is_shown_with_its_sources_card_and_live_price(page: AppTest) -> None:
    asked(page)
    question, reply = page.chat_message[1:]
    assert question.text[0].value == "What does the Gust Kite cost?"
    shown = [element.value for element in reply.markdown]
    assert shown[0] == (
        "The Gust Kite costs €49\\.00\\. :primary-badge[1] You have 30 days to send it back\\. :primary-badge[2]"
    )
    assert shown[1] == r"**€49\.00**  :green-badge[In stock]"
    assert [button.label for button in reply.button] == [
        r"**1** Gust Kite\, price and stock",
        "**2** How to return a kite",
    ]
    assert r"Sizes S\, M\, L · as of Jan 15\, 2026\, 11\:30 AM MST" in reply.caption[0].value


def test_the_conversation_goes_on_under_its_address(page: AppTest, services: Services) -> None:
    asked(page, "First?")
    page.chat_input[0].set_value("Second?").run()
    assert page.query_params["c"] == "conversation-0"
    assert [e.question for e in chat_of(services).history("conversation-0")] == ["First?", "Second?"]
    assert len(page.chat_message) == 5  # the greeting and two exchanges


def test_a_conversation_is_read_from_the_address(page: AppTest, services: Services) -> None:
    _, conversation = services.chat.start("What does it cost?")
    page.query_params["c"] = conversation
    page.run()
    assert page.chat_message[1].text[0].value == "What does it cost?"


def test_an_unknown_conversation_starts_fresh_with_a_note(page: AppTest) -> None:
    page.query_params["c"] = "nobody-knows"
    page.run()
    assert not page.exception
    assert "fresh start" in page.info[0].value
    assert "c" not in page.query_params
    assert len(page.chat_message) == 1


def test_a_new_conversation_leaves_the_old_one_alone(page: AppTest, services: Services) -> None:
    asked(page)
    page.button("new").click().run()
    assert "c" not in page.query_params
    assert len(page.chat_message) == 1
    page.chat_input[0].set_value("Another?").run()
    assert page.query_params["c"] == "conversation-1"
    assert len(chat_of(services).history("conversation-0")) == 1


def test_while_an_answer_is_written_the_page_is_busy_and_shows_what_there_is(page: AppTest, services: Services) -> None:
    chat_of(services).is_slow = True
    asked(page)
    assert page.chat_input[0].disabled
    assert "answering" in page.chat_input[0].placeholder
    assert "Looking it up" in texts(page)
    chat_of(services).show("run-1", PRICE_EVENTS[0])
    page.run()
    assert "€49\\.00" in page.chat_message[2].markdown[0].value
    assert not page.get("feedback")


def test_a_page_opened_in_the_middle_of_an_answer_shows_it_to_the_end(page: AppTest, services: Services) -> None:
    chat_of(services).is_slow = True
    run_id, conversation = services.chat.start("What does it cost?")
    chat_of(services).show(run_id, PRICE_EVENTS[0])
    page.query_params["c"] = conversation
    page.run()
    assert page.chat_input[0].disabled
    chat_of(services).finish(run_id)
    page.run()
    assert not page.chat_input[0].disabled
    assert "30 days" in page.chat_message[2].markdown[0].value


def test_stop_keeps_what_was_shown_and_says_so(page: AppTest, services: Services) -> None:
    chat_of(services).is_slow = True
    asked(page)
    chat_of(services).show("run-1", PRICE_EVENTS[0])
    page.run()
    page.button("stop").click().run()
    assert "€49\\.00" in page.chat_message[2].markdown[0].value
    assert "You stopped this answer." in texts(page)
    assert not page.chat_input[0].disabled


def test_a_question_asked_twice_at_once_is_not_lost_silently(page: AppTest, services: Services) -> None:
    page.run()
    chat_of(services).is_slow = True
    _, conversation = services.chat.start("In another window?")
    page.query_params["c"] = conversation
    page.chat_input[0].set_value("And here?").run()
    assert "still answering" in page.info[0].value
    assert chat_of(services).asked == ["In another window?"]


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("failed", "ModelError", "something went wrong on our side"),
        ("failed", "CatalogEmpty", "catalog is being prepared"),
        ("interrupted", "", "cut off when our server restarted"),
    ],
)
def test_a_failed_answer_is_explained_in_plain_words_and_can_be_retried(
    page: AppTest, services: Services, state: Any, kind: str, words: str
) -> None:
    chat = chat_of(services)
    chat.is_slow = True
    asked(page)
    chat.fail("run-1", state, kind)
    page.run()
    assert words in texts(page)
    assert "CUDA" not in texts(page)
    chat.is_slow = False
    page.button("retry").click().run()
    assert chat.asked == ["What does the Gust Kite cost?"] * 2
    assert "retry" not in [button.key for button in page.button]


def test_a_thumb_is_kept_shown_and_can_be_changed_but_not_taken_back(page: AppTest, services: Services) -> None:
    asked(page)
    for chosen, kept in ((1, "up"), (0, "down"), (None, "down")):
        thumb_of(page).set_value(chosen).run()
        assert chat_of(services).history("conversation-0")[0].thumb == kept
        assert thumb_of(page).value == {"up": 1, "down": 0}[kept]
    assert "Thank you" in texts(page)


def test_a_thumb_given_earlier_is_shown(page: AppTest, services: Services) -> None:
    run_id, conversation = services.chat.start("What does it cost?")
    services.chat.rate(run_id, "down")
    page.query_params["c"] = conversation
    assert thumb_of(page.run()).value == 0


def thumb_of(page: AppTest) -> Any:
    return page.get("feedback")[0]


def test_a_source_opens_with_the_whole_policy_section(page: AppTest) -> None:
    asked(page)
    page.button("source-run-1-2").click().run()
    shown = texts(page)
    assert "From our page on Returns" in shown
    assert "You have **30 days**\\.\n\n1. Fold it\\." in shown


def test_a_source_opens_with_price_and_stock_as_they_are_now(page: AppTest, services: Services) -> None:
    asked(page)
    services.store.facts = cast(Any, FakeFacts(an_hour_later(facts_of(GUST, price=5500, stock=0))))
    page.button("source-run-1-1").click().run()
    assert "**€55\\.00**  :red-badge[Sold out]" in texts(page)
    assert "the answer was written with what was known as of Jan 15" in texts(page)


def an_hour_later(facts: ProductFacts) -> ProductFacts:
    later = NOW + timedelta(hours=1)
    moment = {"price_as_of": later, "stock_as_of": later}
    variants = {sku: fact.model_copy(update=moment) for sku, fact in facts.variants.items()}
    return ProductFacts(own=facts.own.model_copy(update=moment), variants=variants)


def test_a_product_source_opens_with_its_record(page: AppTest, services: Services) -> None:
    chat_of(services).reply = lambda _: [sentence("It is steady [1].", RECORD)]
    asked(page)
    page.button("source-run-1-1").click().run()
    assert GUST.description in texts(page)


def test_an_open_source_survives_the_next_run_of_the_script(page: AppTest) -> None:
    asked(page)
    page.button("source-run-1-2").click().run()
    page.run()
    assert "From our page on Returns" in texts(page)


def test_a_record_that_left_the_catalog_is_named_by_its_id(page: AppTest, services: Services) -> None:
    asked(page)
    services.store.catalog.products.clear()  # type: ignore[attr-defined]
    services.store.catalog.products["other"] = GUST  # type: ignore[attr-defined]
    page.run()
    page.button("source-run-1-1").click().run()
    assert not page.exception
    assert "can't be shown any more" in texts(page)


def test_a_hostile_title_is_shown_as_it_stands(page: AppTest, pictures: Any) -> None:
    product = Product.model_validate(GUST.model_dump() | {"title": HOSTILE, "description": HOSTILE})
    services = fake_services(pictures, product)
    chat_of(services).reply = lambda _: [sentence(f"{HOSTILE} [1].", RECORD)]
    running.put(services)
    asked(page, HOSTILE)
    page.button("source-run-1-1").click().run()
    assert not page.exception
    rendered = [element.value for element in page.markdown] + labels(page)
    assert any("evil" in text for text in rendered)
    for text in rendered:
        for special in ("$x", "[a]", "<img", "![", ":material/bolt", "](http"):
            assert not re.search(rf"(?<!\\){re.escape(special)}", text)
    assert page.chat_message[1].text[0].value == HOSTILE


def test_html_is_never_allowed_in(page: AppTest) -> None:
    asked(page)
    page.button("source-run-1-2").click().run()
    assert not any(element.allow_html for element in page.markdown)


def test_reduced_mode_is_said(page: AppTest, services: Services) -> None:
    services.deps.models["base"].health.is_degraded = True  # type: ignore[misc]
    page.run()
    assert "Reduced mode" in page.warning[0].value
    assert not page.chat_input[0].disabled


def test_without_a_catalog_the_page_says_where_to_turn(page: AppTest, services: Services) -> None:
    services.store.catalog.products.clear()  # type: ignore[attr-defined]
    page.run()
    assert not page.exception
    assert CONFIG.contact.email in page.error[0].value


def test_without_a_running_server_the_page_says_how_to_start_one(page: AppTest) -> None:
    running.clear()
    page.run()
    assert "shopbot serve" in page.error[0].value


def test_a_conversation_longer_than_one_answer_reads_facts_once(page: AppTest, services: Services) -> None:
    reads: list[list[str]] = []
    read = services.store.facts.read
    services.store.facts.read = lambda ids: reads.append(list(ids)) or read(ids)  # type: ignore[method-assign,func-returns-value]
    asked(page)
    reads.clear()
    page.chat_input[0].set_value("Again?").run()
    assert reads == [["K-1"]]


# ---------------------------------------------------------------- signed in


def way_in_or_out(page: AppTest) -> str:
    (body,) = [element.proto.body for element in page.get("html") if "/sign" in element.proto.body]
    return str(body)


def test_a_visitor_is_offered_the_sign_in_and_asks_as_nobody(page: AppTest, services: Services) -> None:
    asked(page)
    assert chat_of(services).sessions == [None]
    assert "Sign in</a>" in way_in_or_out(page)
    assert 'href="/signin?next=/%3Fc%3Dconversation-0"' in way_in_or_out(page)


def test_who_has_signed_in_asks_as_who_they_are_and_is_named_as_plain_text(page: AppTest, services: Services) -> None:
    services.accounts = cast(Any, SimpleNamespace(session=lambda token: SIGNED_IN))
    asked(page)
    assert chat_of(services).sessions == [SIGNED_IN]
    assert "Ada &lt;b&gt;L&lt;/b&gt;" in way_in_or_out(page)
    assert "Sign out</a>" in way_in_or_out(page)


@pytest.mark.parametrize(("session", "is_shown"), [(SIGNED_IN, True), (None, False)])
def test_the_source_of_an_order_opens_for_its_customer_only(
    session: Session | None, is_shown: bool, page: AppTest, services: Services
) -> None:
    services.accounts = cast(Any, SimpleNamespace(session=lambda token: session))
    chat_of(services).reply = lambda _: [sentence("It is on its way [1].", Citation(id="A-10001", kind="order"))]
    asked(page)
    next(button for button in page.button if "10001" in button.label).click().run()
    assert ("tracking number is KP1" in texts(page)) is is_shown
    assert ("Sign in to see this order" in texts(page)) is not is_shown


def test_the_source_of_a_promotion_opens_with_its_text(page: AppTest, services: Services) -> None:
    chat_of(services).reply = lambda _: [sentence("10% off [1].", Citation(id="kite-week", kind="promotion"))]
    asked(page)
    next(button for button in page.button if "Kite Week" in button.label).click().run()
    assert "Kites are 10% off." in texts(page)


# ---------------------------------------------------------------- one's data, and each message once


def test_each_message_has_a_key_of_its_own(page: AppTest, services: Services) -> None:
    asked(page).chat_input[0].set_value("And the weight?").run()
    keys = chat_of(services).keys
    assert len(set(keys)) == 2
    assert all(key and len(key) >= 16 for key in keys)


def test_a_click_that_comes_twice_before_the_page_is_drawn_has_the_key_of_the_first(
    page: AppTest, services: Services
) -> None:
    """The server then knows the message (`Idempotency-Key`), whatever has become of it meanwhile."""
    page.run()
    drawn = page.session_state["message_key"]
    page.button(key="sample-0").click().run()
    assert chat_of(services).keys == [drawn]
    assert page.session_state["message_key"] != drawn


def forget(page: AppTest) -> AppTest:
    page.checkbox(key="forget-sure").check().run()
    return page.button(key="forget").click().run()


def test_a_visitor_deletes_the_chat_on_the_page_after_saying_that_it_is_meant(
    page: AppTest, services: Services
) -> None:
    page.run()
    assert "Delete" not in labels(page)  # nothing is there yet
    asked(page)
    assert page.button(key="forget").disabled
    assert "Orders stay" in texts(page)
    forget(page)
    assert chat_of(services).forgotten == ["conversation-0"]
    assert "Deleted: 1 chat." in texts(page)
    assert page.query_params == {}
    assert len(page.chat_message) == 1
    assert not page.exception


def test_a_customer_deletes_all_chats(page: AppTest, services: Services) -> None:
    cast(Any, services.accounts).session = lambda _: SIGNED_IN
    asked(page)
    forget(page)
    assert chat_of(services).forgotten == ["C-1"]


def test_what_was_deleted_in_another_window_is_no_error(page: AppTest, services: Services) -> None:
    asked(page)
    page.checkbox(key="forget-sure").check().run()
    chat_of(services).conversations.clear()
    page.button(key="forget").click().run()
    assert not page.exception
