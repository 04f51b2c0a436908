"""Read JSON Lines written by other people: a bad line becomes a RowError, none is skipped."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from pydantic import ValidationError

from shopbot.errors import ConfigError, RowError

Row = dict[str, Any]

REMEDIES: Mapping[str, str] = {
    "missing": "add the field",
    "extra_forbidden": "remove the field or correct its name",
    "string_type": "write text in double quotes",
    "int_type": "write a whole number without quotes",
    "float_type": "write a number without quotes",
    "finite_number": "write a finite number, or null for unknown",
    "greater_than_equal": "write 0 or more, or null for unknown",
    "dict_type": 'write an object such as {"color": "red"}',
    "tuple_type": "write a list in square brackets",
    "string_too_long": "shorten it",
}
DEFAULT_REMEDY = "correct the value, or leave it out if it is unknown"


class Line(NamedTuple):
    """One line of a file: a row, or the reason why it is none."""

    number: int
    row: Row | None
    error: RowError | None = None


def read_lines(path: Path) -> Iterator[Line]:
    """Yield every line that is not blank, one at a time; a byte order mark is tolerated.

    Raises ConfigError if the file cannot be opened.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    with stream:
        for number, raw in enumerate(stream, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.strip():
                yield parse_line(number, raw)


def parse_line(number: int, raw: bytes) -> Line:
    """Decode one line; the errors say what to do about it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 (byte {error.start + 1})"
        return _broken(number, repr(raw[error.start : error.start + 8]), reason, "save the file as UTF-8")
    return parse_text(number, text)


def parse_text(number: int, text: str) -> Line:
    try:
        row = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return _broken(number, shown(text.strip()), f"is not JSON: {error}", "write one JSON object a line")
    if not isinstance(row, dict):
        return _broken(number, shown(row), "is not an object", "write one JSON object a line")
    return Line(number, row)


def row_errors(line: int, error: ValidationError, remedies: Mapping[str, str] = REMEDIES) -> list[RowError]:
    """Translate what pydantic found wrong in one row."""
    return [
        RowError(
            line=line,
            field=".".join(str(part) for part in item["loc"]) or "row",
            value="nothing" if item["type"] == "missing" else shown(item["input"]),
            reason=item["msg"].removeprefix("Value error, "),
            remedy=remedies.get(item["type"], DEFAULT_REMEDY),
        )
        for item in error.errors(include_url=False)
    ]


def shown(value: object) -> str:
    """Quote a value for a message, at most 80 characters of it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def without_unknowns(row: object) -> object:
    """Drop keys whose value is null or blank text: both mean unknown, the same as an absent key."""
    if not isinstance(row, dict):
        return row
    return {key: value for key, value in row.items() if not is_unknown(value)}


def is_unknown(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _broken(number: int, value: str, reason: str, remedy: str) -> Line:
    return Line(number, None, RowError(number, "row", value, reason, remedy))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
