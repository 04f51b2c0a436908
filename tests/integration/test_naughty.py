"""Strings that break text handling, asked with a model that repeats them: nothing breaks, nothing leaks."""

import json
import re
from typing import Any

import pytest

from tests.fakes import obedient_model
from tests.fakes_data import public_feed

SPECIAL = set("<>{}\\`*_#|~^")
"""What HTML and Markdown could read as more than text; the shop's own sentences have none of it."""


@pytest.mark.model
@pytest.mark.public_data
def test_no_string_breaks_a_turn_or_comes_back_as_markup(assistant: Any) -> None:
    """Each is asked alone; the model repeats whatever it is given. 515 strings, about 20 ms each."""
    strings = json.loads(public_feed("naughty_strings.json").read_text(encoding="utf-8"))
    asked = assistant(obedient_model(), retry_after_s=0.0)
    products = asked.services.store.catalog.active().products
    wrong: list[tuple[str, str]] = []
    for text in strings:
        result = asked.ask(text)
        plain = re.sub(r"\[\d+\]|“[a-z0-9' ]{1,30}”", "", result.answer)
        if (
            not result.answer.strip()
            or not set(result.product_ids) <= products.keys()
            or set(plain) & (SPECIAL | {"["})
        ):
            wrong.append((text, result.answer))
    assert wrong == []
    assert len(strings) > 500


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    [
        "Do you sell <img src=x onerror=alert(1)>?",
        "Do you sell [canoes](https://evil.example)?",
        "Do you sell **canoes** ![x](https://evil.example/x.png)?",
        "Do you sell `rm -rf` {{7*7}} ${7*7}?",
        "<script>alert('canoes')</script>",
        "Do you sell \u202ecanoes\u202c?",
    ],
)
def test_markup_in_a_question_is_not_echoed(text: str, assistant: Any) -> None:
    answer = re.sub(r"\[\d+\]", "", assistant(obedient_model()).ask(text).answer)
    assert set(answer) & (SPECIAL | set("[]!$\u202e")) - {"$", "!"} == set()
    assert "https://" not in answer


@pytest.mark.model
def test_only_plain_words_of_the_question_are_quoted_back(assistant: Any) -> None:
    """At most three of them, 30 characters each: a page full of somebody's text is not ours to show."""
    words = ["canoe" + "x" * 60, "surfboards", "laptopsleeves", "skateboards", "unicycles"]
    answer = assistant().ask(f"Do you sell {', '.join(words)}?").answer
    quoted = re.findall(r"“(.*?)”", answer)
    assert quoted == [word[:30] for word in words[:3]]
    assert words[3] not in answer
