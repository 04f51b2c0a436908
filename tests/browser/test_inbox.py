"""A customer asks for a person, an agent answers in the inbox, the customer reads it: two browsers, the real server."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server, watched
from tests.browser.test_customer_paths import PRICE, answers, ask, message_box, take_screenshot, wait_for_answer

pytestmark = [pytest.mark.browser, pytest.mark.model]

REPLY = "Hello Maya, yes, with a shell over it: the down has to stay dry.\nShall I put one aside for you in M?"
POLLED_MS = 30_000


@pytest.fixture
def agents_page(browser: Browser) -> Iterator[Page]:
    """Another browser, of somebody else."""
    with watched(browser, 1200, 860) as page:
        yield page


def sign_in(page: Page, server: Server, email: str) -> None:
    page.goto(f"{server.url}/signin")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill("trail-mix-2026")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Sign out")).to_be_visible()


def test_a_customer_asks_for_a_person_and_gets_one(page: Page, agents_page: Page, server: Server) -> None:
    sign_in(page, server, "maya.lindqvist@example.com")
    ask(page, PRICE)
    wait_for_answer(page)
    page.get_by_role("button", name="Talk to a person").click()
    expect(page.get_by_text("A colleague is reading along")).to_be_visible()
    expect(answers(page).nth(2)).to_contain_text("Your ticket is T-")
    ask(page, "Would it do for a week in Iceland in March?")
    expect(page.get_by_text("Sent to our team")).to_be_visible()
    expect(answers(page)).to_have_count(3)  # the greeting, the price, the handoff; nothing since

    sign_in(agents_page, server, "agent@example.com")
    agents_page.get_by_role("link", name="Inbox").click()
    expect(agents_page.get_by_text("Maya Lindqvist").first).to_be_visible()
    agents_page.get_by_role("button", name="Read").first.click()
    transcript = agents_page.locator(".st-key-transcript")
    expect(transcript).to_contain_text(PRICE)
    expect(transcript).to_contain_text("Would it do for a week in Iceland in March?")
    reply = agents_page.get_by_label("Your reply")
    reply.fill(REPLY)
    agents_page.get_by_role("button", name="Send").click()
    expect(transcript).to_contain_text("Shall I put one aside")
    expect(reply).to_have_value("")

    said = page.get_by_label("Chat message from Demo agent")
    expect(said).to_contain_text("Shall I put one aside for you in M?", timeout=POLLED_MS)
    page.reload()
    expect(said).to_contain_text("Shall I put one aside for you in M?")
    ask(page, "Yes please!")
    expect(transcript).to_contain_text("Yes please!", timeout=POLLED_MS)  # without a click of the agent's
    take_screenshot(agents_page, "inbox.png")

    agents_page.get_by_role("button", name="Close ticket").click()
    expect(page.get_by_text("Our colleague has closed the ticket")).to_be_visible(timeout=POLLED_MS)
    expect(agents_page.get_by_label("Your reply")).to_have_count(0)
    ask(page, "how much is it?")
    expect(page.get_by_label("Chat message from assistant").nth(3)).to_contain_text("$349.00", timeout=POLLED_MS)


def test_the_customer_has_the_assistant_back_by_a_button(page: Page, server: Server) -> None:
    page.goto(server.url)
    ask(page, "Can I talk to a human?")
    expect(page.get_by_text("A colleague is reading along")).to_be_visible()
    page.get_by_role("button", name="Back to the assistant").click()
    expect(page.get_by_text("You called the assistant back")).to_be_visible()
    ask(page, PRICE)
    wait_for_answer(page, 2)


def test_a_person_can_be_asked_for_in_the_middle_of_an_answer(page: Page, slow_server: Server) -> None:
    page.goto(slow_server.url)
    ask(page, "Tell me about the Everest Down Jacket")
    expect(message_box(page)).to_be_disabled()
    page.get_by_role("button", name="Talk to a person").click()
    expect(page.get_by_text("A colleague is reading along")).to_be_visible()
    assert [exchange["state"] for exchange in slow_server.conversation(page)] == ["stopped", "done"]


def test_a_customer_and_a_visitor_find_the_inbox_closed(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/inbox")
    expect(page.get_by_text("The inbox is for our agents.")).to_be_visible()
    sign_in(page, server, "maya.lindqvist@example.com")
    page.goto(f"{server.url}/inbox")
    expect(page.get_by_text("The inbox is for our agents.")).to_be_visible()
    expect(page.get_by_role("button", name="Read")).to_have_count(0)
