"""Records' text through the real front end: it reads as it stands, and is nothing but text."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.hostile_texts import TEXTS

pytestmark = pytest.mark.browser

JOINER = "\u2060"
MORE_THAN_TEXT = ", ".join(
    [
        *("a", "img", "em", "strong", "del", "code", "pre", "blockquote", "hr", "ul", "ol", "table", "input"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "sub", "sup", "script"),
        *(".katex", ".stMarkdownColoredText", ".stMarkdownBadge", "[data-testid=stIconMaterial]"),
    ]
)


def flat(text: str) -> str:
    return " ".join(text.replace(JOINER, "").split())


@pytest.fixture
def texts(page: Page, text_server: Server) -> Page:
    page.goto(text_server.url)
    expect(page.locator(f".st-key-table-{len(TEXTS) - 1} td")).to_be_visible()
    return page


@pytest.mark.parametrize("place", ["markdown", "label", "caption"])
def test_text_reads_as_it_stands_and_is_only_text(texts: Page, place: str) -> None:
    for number, text in enumerate(TEXTS):
        shown = texts.locator(f".st-key-{place}-{number}")
        assert flat(shown.inner_text()) == flat(text)
        assert shown.locator(MORE_THAN_TEXT).count() == 0, text


def test_table_cells_hold_only_text(texts: Page) -> None:
    for number, text in enumerate(TEXTS):
        cell = texts.locator(f".st-key-table-{number} td")
        assert flat(cell.inner_text()) == flat(text)
        assert cell.locator(MORE_THAN_TEXT).count() == 0, text


def more_than(*allowed: str) -> str:
    return ", ".join(part for part in MORE_THAN_TEXT.split(", ") if part not in allowed)


def test_a_section_keeps_bold_and_nothing_else(texts: Page) -> None:
    for number, text in enumerate(TEXTS):
        shown = texts.locator(f".st-key-section-{number}")
        assert shown.locator(more_than("strong", "ul", "ol")).count() == 0, text


def test_an_answer_has_badges_for_its_citations_and_its_own_list(texts: Page) -> None:
    for number, text in enumerate(TEXTS):
        shown = texts.locator(f".st-key-answer-{number}")
        assert set(shown.locator(".stMarkdownBadge").all_inner_texts()) == {"1"}, text
        assert shown.locator(more_than(".stMarkdownBadge", "ul", "ol")).count() == 0, text
