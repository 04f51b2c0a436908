"""Files of questions in, files of answers out: the same graph as in production, models loaded once."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.wiring import Services, Store
from graph.build import run_turn
from graph.turn import Message, TurnRequest
from shopbot.errors import InputError, ShopbotError
from shopbot.search import FusionWeights, search_products

Progress = Callable[[int, int], None]
Line = TypeVar("Line", "AskLine", "SearchLine")


class AskLine(BaseModel):
    """One line of `shopbot ask --batch`."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    id: str
    messages: tuple[Message, ...] = Field(min_length=1)
    customer_id: str | None = None
    arm: str = "base"
    audience: str = "customer"


class SearchLine(BaseModel):
    """One line of `shopbot search --batch`."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    id: str
    query: str


def ask(services: Services, request: TurnRequest) -> dict[str, Any]:
    """Answer one request; the result as the batch interface documents it, without the id."""
    result = run_turn(services.graph, services.deps, request, lambda _: None, threading.Event())
    return result.model_dump(mode="json")


def ask_batch(services: Services, source: Path, target: Path, progress: Progress) -> int:
    """Answer every line of `source` into `target`; return the number of lines that ended in an error.

    A line that cannot be served becomes {"id", "error": {"type", "message", "line"}} in its place; the others are
    answered. `target` appears at the end, whole.
    """

    def answer(line: AskLine) -> dict[str, Any]:
        return ask(services, TurnRequest(**line.model_dump(exclude={"id"})))

    return _each_line(source, target, AskLine, answer, progress)


def search_batch(store: Store, weights: FusionWeights, source: Path, target: Path, k: int, progress: Progress) -> int:
    """Search for every line of `source`; otherwise as `ask_batch`."""
    version = store.catalog.active()

    def answer(line: SearchLine) -> dict[str, Any]:
        hits = search_products(version, store.embedder, line.query, k, weights)
        return {"results": [{"id": hit.id, "score": hit.score} for hit in hits]}

    return _each_line(source, target, SearchLine, answer, progress)


def _each_line(
    source: Path, target: Path, kind: type[Line], answer: Callable[[Line], dict[str, Any]], progress: Progress
) -> int:
    lines = [(number, text) for number, text in enumerate(_read_lines(source), start=1) if text.strip()]
    aside = target.with_name(f".{target.name}.partial")
    errors = 0
    try:
        with aside.open("w", encoding="utf-8") as out:
            for done, (number, text) in enumerate(lines, start=1):
                errors += _one_line(number, text, kind, answer, out)
                progress(done, len(lines))
        os.replace(aside, target)
    except OSError as error:
        raise InputError("out", f"cannot write {target}: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)
    return errors


def _read_lines(source: Path) -> Iterator[str]:
    try:
        yield from source.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("batch", f"cannot read {source}: {error}") from error


def _one_line(number: int, text: str, kind: type[Line], answer: Callable[[Line], dict[str, Any]], out: TextIO) -> bool:
    line_id = None
    try:
        raw = json.loads(text)
        line_id = raw.get("id") if isinstance(raw, dict) else None
        line = kind.model_validate(raw)
        row = {"id": line.id, **answer(line)}
    except (ShopbotError, ValidationError, json.JSONDecodeError) as error:
        row = {
            "id": line_id,
            "error": {"type": _error_type(error), "message": _error_text(error), "line": number},
        }
    out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return "error" in row


def _error_type(error: Exception) -> str:
    return type(error).__name__ if isinstance(error, ShopbotError) else InputError.__name__


def _error_text(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
    return f"not JSON: {error}" if isinstance(error, json.JSONDecodeError) else str(error)
