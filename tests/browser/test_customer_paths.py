"""The paths that a customer takes, in a real browser, against the real server."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import ROOT, Server
from tests.fakes import FakeOpenAIServer

pytestmark = [pytest.mark.browser, pytest.mark.model]

PRICE = "How much is the Everest Down Jacket?"
LONG = "Tell me about the Everest Down Jacket"
IMAGES = ROOT / "docs" / "images"


def message_box(page: Page) -> Locator:
    return page.get_by_test_id("stChatInputTextArea")


def ask(page: Page, text: str) -> None:
    message_box(page).fill(text)
    message_box(page).press("Enter")


def answers(page: Page) -> Locator:
    """What the assistant has said, its greeting included."""
    return page.get_by_label("Chat message from assistant")


def wait_for_answer(page: Page, number: int = 1) -> Locator:
    answer = answers(page).nth(number)
    expect(answer.get_by_test_id("stFeedback")).to_be_visible(timeout=30_000)
    expect(message_box(page)).to_be_enabled()
    return answer


def take_screenshot(page: Page, name: str) -> None:
    """Write a picture for the README, when asked to: tests leave the repository alone."""
    if os.environ.get("SHOPBOT_WRITE_SCREENSHOTS") == "1":
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.mouse.move(0, 0)
        page.wait_for_timeout(600)
        page.screenshot(path=Path(IMAGES, name))


def live_price(server: Server) -> str:
    own = server.api("/products/CO-0101")["facts"]["own"]
    return f"${(own['sale_price_minor'] or own['price_minor']) / 100:.2f}"


def test_a_price_is_answered_from_the_live_record_with_source_card_and_thumb(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.get_by_text("AI assistant · helps in English")).to_be_visible()
    ask(page, PRICE)
    answer = wait_for_answer(page)
    price = live_price(server)
    expect(answer).to_contain_text(price)
    card = answer.locator("[class*='st-key-card-']")
    expect(card).to_contain_text(price)
    expect(card).to_contain_text(re.compile(r"as of \w+ \d+, \d{4}, \d+:\d\d [AP]M M[SD]T"))
    expect(card.get_by_role("img", name="Drawing of the Everest Down Jacket")).to_be_visible()

    answer.get_by_role("button", name="Everest Down Jacket").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(price)
    expect(dialog).to_contain_text("as of")
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()

    answer.get_by_role("radio", name="Thumbs up").click()
    expect(answer.get_by_text("Thank you, noted.")).to_be_visible()
    assert server.conversation(page)[0]["thumb"] == "up"


def test_a_conversation_goes_on_and_every_answer_has_its_own_sources(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, PRICE)
    answer = wait_for_answer(page)
    answer.get_by_role("radio", name="Thumbs up").click()
    expect(answer.get_by_text("Thank you, noted.")).to_be_visible()
    ask(page, "When is shipping free?")
    expect(wait_for_answer(page, 2)).to_contain_text("$75")
    expect(answers(page).nth(1).get_by_role("button", name="Everest Down Jacket")).to_be_visible()
    expect(answers(page).nth(2).get_by_role("button", name="1 ")).to_be_visible()
    take_screenshot(page, "chat.png")


def test_the_product_page_shows_the_live_record_and_leads_back(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, PRICE)
    wait_for_answer(page)
    page.get_by_role("link", name="Everest Down Jacket").click()
    expect(page.get_by_role("heading", name="Everest Down Jacket")).to_be_visible()
    expect(page.get_by_text(live_price(server))).to_be_visible()
    expect(page.get_by_role("cell", name="Ember").first).to_be_visible()
    page.get_by_role("link", name="Back to the chat").click()
    expect(answers(page).nth(1)).to_contain_text(live_price(server))


def test_a_policy_answer_opens_its_section(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="How do I return a jacket that does not fit?").click()
    answer = wait_for_answer(page)
    answer.get_by_role("button", name="How to return an item").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("From our page on Returns")
    expect(dialog.get_by_role("listitem")).to_have_count(5)


def test_the_whole_path_works_by_keyboard(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.get_by_role("button", name=PRICE)).to_be_visible()
    message_box(page).focus()
    page.keyboard.type(PRICE)
    page.keyboard.press("Enter")
    answer = wait_for_answer(page)
    source = answer.get_by_role("button", name="Everest Down Jacket")
    source.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()


def test_an_answer_is_streamed_and_survives_a_reload_in_its_middle(page: Page, slow_server: Server) -> None:
    page.goto(slow_server.url)
    ask(page, LONG)
    answer = answers(page).nth(1)
    expect(answer).to_contain_text("$349.00", timeout=30_000)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(message_box(page)).to_be_disabled()
    assert slow_server.conversation(page)[0]["state"] == "running"
    shown = answer.inner_text()

    page.reload()
    expect(answers(page).nth(1)).to_contain_text("$349.00")
    finished = wait_for_answer(page).inner_text()
    assert len(finished) > len(shown)
    exchanges = slow_server.conversation(page)
    assert [exchange["state"] for exchange in exchanges] == ["done"]
    assert [exchange["question"] for exchange in exchanges] == [LONG]


def test_what_has_been_shown_of_an_answer_never_disappears(page: Page, slow_server: Server) -> None:
    page.goto(slow_server.url)
    expect(page.get_by_role("button", name=PRICE)).to_be_visible()
    page.evaluate(
        """() => {
            window.lost = [];
            let longest = "";
            new MutationObserver(() => {
                const said = document.querySelectorAll("[aria-label='Chat message from assistant']")[1];
                const text = (said?.querySelector("[data-testid=stMarkdown]")?.textContent ?? "").trim();
                if (longest.includes("$349.00") && !text.startsWith(longest)) window.lost.push(text);
                else longest = text;
            }).observe(document.body, { childList: true, subtree: true, characterData: true });
        }"""
    )
    ask(page, LONG)
    wait_for_answer(page)
    assert page.evaluate("window.lost") == []


def test_opening_an_older_source_does_not_disturb_the_answer_being_written(page: Page, slow_server: Server) -> None:
    page.goto(slow_server.url)
    ask(page, PRICE)
    wait_for_answer(page)
    ask(page, LONG)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    answers(page).nth(1).get_by_role("button", name="Everest Down Jacket").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(answers(page).nth(2).get_by_test_id("stFeedback")).to_be_attached(timeout=60_000)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert [exchange["state"] for exchange in slow_server.conversation(page)] == ["done", "done"]


def test_stop_ends_the_answer_and_keeps_what_was_shown(page: Page, slow_server: Server) -> None:
    page.goto(slow_server.url)
    ask(page, LONG)
    expect(answers(page).nth(1)).to_contain_text("$349.00", timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("You stopped this answer.")).to_be_visible()
    expect(answers(page).nth(1)).to_contain_text("$349.00")
    expect(message_box(page)).to_be_enabled()
    assert slow_server.conversation(page)[0]["state"] == "stopped"


def test_stop_works_while_the_model_says_nothing(page: Page, slow_server: Server, slow_model: FakeOpenAIServer) -> None:
    slow_model.mode = "hang"
    try:
        page.goto(slow_server.url)
        ask(page, LONG)
        expect(page.get_by_text("Looking it up")).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("You stopped this answer.")).to_be_visible(timeout=10_000)
    finally:
        slow_model.mode = "ok"
    assert slow_server.conversation(page)[0]["state"] == "stopped"


def test_a_new_conversation_starts_empty_and_the_old_one_keeps_its_address(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, PRICE)
    wait_for_answer(page)
    old = str(page.evaluate("location.href"))
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_role("button", name=PRICE)).to_be_visible()
    expect(answers(page)).to_have_count(1)
    assert "c=" not in str(page.evaluate("location.href"))
    page.goto(old)
    wait_for_answer(page)


def test_an_unknown_conversation_starts_fresh(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/?c=nobody-knows-this-one")
    expect(page.get_by_text("fresh start")).to_be_visible()
    expect(page.get_by_role("button", name=PRICE)).to_be_visible()


def test_the_page_fits_a_phone(phone: Page, server: Server) -> None:
    phone.goto(server.url)
    phone.get_by_role("button", name=PRICE).tap()
    answer = wait_for_answer(phone)
    expect(answer.locator("[class*='st-key-card-']")).to_be_visible()
    assert phone.evaluate("document.scrollingElement.scrollWidth") <= 390
    right_edges = phone.evaluate(
        "[...document.querySelectorAll('.stMain *')].map(e => e.getBoundingClientRect().right)"
    )
    assert max(right_edges) <= 390
    take_screenshot(phone, "chat-phone.png")


def test_who_signs_in_is_told_of_the_own_orders_and_who_signs_out_leaves_them_behind(
    page: Page, server: Server
) -> None:
    page.goto(server.url)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill("maya.lindqvist@example.com")
    page.get_by_label("Password").fill("trail-mix-2026")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Maya Lindqvist")).to_be_visible()

    ask(page, "where is my order A-48213?")
    answer = wait_for_answer(page)
    expect(answer).to_contain_text("Order A-48213 of November 9 was delivered on November 13")
    answer.get_by_role("button", name="Order A-48213").click()
    expect(page.get_by_role("dialog")).to_contain_text("The total is $411.92")
    page.keyboard.press("Escape")
    ask(page, "cancel it")
    expect(wait_for_answer(page, 2)).to_contain_text("I can't cancel order A-48213, because it is delivered already")
    take_screenshot(page, "order-desk.png")

    address = page.url
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.goto(address)
    expect(page.get_by_text("can't find that conversation")).to_be_visible()
    expect(answers(page)).to_have_count(1)
