"""One tree of errors: all of them can be caught at an edge, and each tells the reader what to do."""

import inspect
import re

import pytest

from shopbot import errors
from shopbot.errors import FeedError, InputError, NotAvailable, RowError, ShopbotError

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == errors.__name__
}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    lines = re.findall(r"^    ([│├└─ ]*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    drawn: dict[str, str] = {}
    path: list[str] = []
    for indent, name in lines:
        del path[len(indent) // 4 :]
        drawn[name] = path[-1] if path else "Exception"
        path.append(name)
    assert drawn == {name: kind.__mro__[1].__name__ for name, kind in CLASSES.items()}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_error_is_caught_with_the_root(kind: type[Exception]) -> None:
    assert issubclass(kind, ShopbotError)


def test_a_wrong_row_says_where_what_and_what_to_do() -> None:
    row = RowError(7, "price", '"12,99"', "is no number", "write 12.99")
    assert str(row) == "line 7, field 'price': is no number (got \"12,99\"); write 12.99"


def test_a_feed_error_carries_all_rows_and_shows_the_first_twenty() -> None:
    rows = [RowError(line, "price", "-1", "is negative", "correct it") for line in range(1, 26)]
    error = FeedError("feed.jsonl", rows)
    assert error.rows == tuple(rows)
    shown = str(error).splitlines()
    assert len(shown) == 1 + 20 + 1
    assert "feed.jsonl: 25 row error(s)" in shown[0]
    assert shown[-1].strip() == "... and 5 more"


def test_a_feed_error_of_a_few_rows_speaks_of_no_more() -> None:
    assert "more" not in str(FeedError("feed.jsonl", [RowError(1, "id", "null", "is missing", "name it")]))


def test_errors_about_a_request_name_its_field() -> None:
    assert (InputError("arm", "unknown").field, str(InputError("arm", "unknown"))) == ("arm", "arm: unknown")
    error = NotAvailable("audience", "associate", "leave it out")
    assert error.field == "audience"
    assert str(error) == "audience='associate' is not available yet: leave it out"
