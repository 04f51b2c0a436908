"""Questions over a whole kind of products, scored against the feed itself.

A case says in the feed's own terms what fits: the oracle reads catalog.jsonl and shares no code with what answers.
"""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from evals.cases import FOLDER
from graph.build import run_turn
from graph.deps import Deps
from graph.turn import Message, TurnRequest, TurnResult
from shopbot.errors import ConfigError
from shopbot.types import Frozen

Row = Mapping[str, Any]
Operator = Literal["==", "<", "<=", ">", ">=", "says", "lacks"]


class SelectionCase(Frozen):
    """A conversation, and the products that its last message asks for.

    `where` are conditions on a row of the feed, all of which hold; "says" and "lacks" are regular expressions, and an
    id in place of a number means that product's value. `best` is a field with "low" or "high", `count` whether the
    number has to be said.
    """

    id: str
    messages: tuple[str, ...]
    where: tuple[tuple[str, Operator, str | float], ...] = ()
    best: tuple[str, Literal["low", "high"]] | None = None
    count: bool = False


def read_selections(name: str) -> list[SelectionCase]:
    """The cases of a set. Raises ConfigError naming file and line."""
    path = FOLDER / name / "selections.jsonl"
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            cases.append(SelectionCase.model_validate_json(line))
        except ValidationError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    return cases


def read_rows(feed: Path) -> list[Row]:
    return [json.loads(line) for line in feed.read_text(encoding="utf-8").splitlines()]


def expected(case: SelectionCase, rows: Sequence[Row]) -> set[str]:
    """Ids of the products that a right answer names."""
    by_id = {row["id"]: row for row in rows}
    fitting = [row for row in rows if all(_holds(row, *condition, by_id=by_id) for condition in case.where)]
    if case.best is None:
        return {row["id"] for row in fitting}
    name, direction = case.best
    values = {row["id"]: value for row in fitting if (value := _number(row, name)) is not None}
    best = (min if direction == "low" else max)(values.values())
    return {key for key, value in values.items() if value == best}


def _holds(row: Row, name: str, operator: Operator, value: str | float, *, by_id: Mapping[str, Row]) -> bool:
    texts = _texts(row, name)
    if operator == "says":
        return any(
            re.search(str(value), text, re.IGNORECASE if name not in ("title", "color") else 0) for text in texts
        )
    if operator == "lacks":
        return bool(texts) and not any(re.search(str(value), text, re.IGNORECASE) for text in texts)
    if operator == "==" and isinstance(value, str):
        return value in texts
    found = _number(row, name)
    wanted = _number(by_id[value], name) if isinstance(value, str) else float(value)
    if found is None or wanted is None:
        return False
    return {"==": found == wanted, "<": found < wanted, "<=": found <= wanted, ">": found > wanted}.get(
        operator, found >= wanted
    )


def _number(row: Row, name: str) -> float | None:
    if name == "price":
        return float(min(price for price in (row["price"], row.get("sale_price")) if price is not None))
    value = row["attributes"].get(name)
    return float(value) if value is not None else None


def _texts(row: Row, name: str) -> list[str]:
    """What a row says of a field; of a variant its size and colour, "M/Moss", or the sizes that are in stock."""
    variants = row.get("variants", [])
    if name in ("size", "color"):
        return [variant[name] for variant in variants if variant.get(name)]
    if name == "variant":
        return [f"{variant.get('size')}/{variant.get('color')}" for variant in variants]
    if name == "variant_in_stock":
        return [variant["size"] for variant in variants if variant.get("size") and variant.get("stock")]
    value = row.get(name, row["attributes"].get(name))
    return [] if value is None else [str(item) for item in value] if isinstance(value, list) else [str(value)]


def answer(deps: Deps, graph: Any, case: SelectionCase) -> TurnResult:
    """Hold the conversation; the result of its last turn."""
    messages: list[Message] = []
    for text in case.messages:
        messages.append(Message(role="user", content=text))
        result = run_turn(graph, deps, TurnRequest(messages=tuple(messages)), lambda _: None, threading.Event())
        messages.append(Message(role="assistant", content=result.answer))
    return result


def is_right(case: SelectionCase, result: TurnResult, rows: Sequence[Row], most: int) -> bool:
    """Whether the products named are those that fit: all of them or, of more than `most`, only such, and their number.

    Of a superlative the first named; where nothing fits, the answer says so.
    """
    wanted, named = expected(case, rows), result.product_ids
    if case.best:
        return set(named[: len(wanted)]) == wanted
    if not wanted:
        return "nothing" in result.answer
    is_all = set(named) == wanted if len(wanted) <= most else set(named) <= wanted and bool(named)
    told = "\n".join(line for line in result.answer.splitlines() if not line.startswith("- "))
    needs_count = case.count or len(wanted) > most
    return is_all and (not needs_count or re.search(rf"(?<!\d){len(wanted)}(?!\d)", told) is not None)
