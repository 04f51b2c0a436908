"""Files of questions in, files of answers out: the same graph as in production, models loaded once."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.wiring import Services, Store
from graph.build import check_request, read_messages, run_turn
from graph.deps import Deps
from graph.turn import Message, TurnRequest, Verdict
from shopbot.errors import InputError, ShopbotError
from shopbot.jsonl import Line, read_lines
from shopbot.search import FusionWeights, search_products

Progress = Callable[[int, int], None]
Asked = TypeVar("Asked", "AskLine", "SearchLine")


class AskLine(BaseModel):
    """One line of `shopbot ask --batch`."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    id: str
    messages: tuple[Message, ...] = Field(min_length=1)
    customer_id: str | None = None
    arm: str | None = None
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


def route_of(deps: Deps, messages: tuple[Message, ...]) -> dict[str, Any]:
    """Who handles a conversation's last message: {"route", "scores"}, scores of all routes, higher is likelier."""
    state = read_messages(deps, messages)
    scores = {name.value: round(score, 4) for name, score in state["route_scores"].items()}
    return {"route": state["route"].value, "scores": scores}


def route_batch(deps: Deps, source: Path, target: Path, progress: Progress) -> int:
    """Route every line of `source`; otherwise as `ask_batch`."""

    def answer(line: AskLine) -> dict[str, Any]:
        request = TurnRequest(**line.model_dump(exclude={"id"}))
        check_request(request, deps)
        return route_of(deps, request.messages)

    return _each_line(source, target, AskLine, answer, progress)


def _each_line(
    source: Path, target: Path, kind: type[Asked], answer: Callable[[Asked], dict[str, Any]], progress: Progress
) -> int:
    lines = list(read_lines(source))
    aside = target.with_name(f".{target.name}.partial")
    errors = 0
    try:
        # A lone surrogate in an id becomes the \\udXXX that it came as.
        with aside.open("w", encoding="utf-8", errors="backslashreplace") as out:
            for done, line in enumerate(lines, start=1):
                row = _one_line(line, kind, answer)
                errors += "error" in row
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                progress(done, len(lines))
        os.replace(aside, target)
    except OSError as error:
        raise InputError("out", f"cannot write {target}: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)
    return errors


def _one_line(line: Line, kind: type[Asked], answer: Callable[[Asked], dict[str, Any]]) -> dict[str, Any]:
    """Answer one line; its id comes back as it was given."""
    line_id = line.row.get("id") if line.row else None
    try:
        if line.error:
            raise InputError("line", str(line.error))
        return {"id": line_id, **answer(kind.model_validate(line.row))}
    except (ShopbotError, ValidationError) as error:
        return {"id": line_id, "error": {**_described(error), "line": line.number}}


def _described(error: ShopbotError | ValidationError) -> dict[str, str]:
    if isinstance(error, ShopbotError):
        return {"type": type(error).__name__, "message": str(error)}
    wrong = (f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
    return {"type": InputError.__name__, "message": "; ".join(wrong)}


def summary_of(answers: Path) -> str:
    """Sum a file of answers up in one line; the model's share is the mean over the answers about records."""
    rows = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    answered = [row for row in rows if "error" not in row]
    verdicts = Counter(row["verdict"] for row in answered)
    shares = [row["model_share"] for row in answered if row["role"] in ("product", "policy")]
    counted = ", ".join(f"{verdict} {verdicts[verdict]}" for verdict in get_args(Verdict))
    share = f"{sum(shares) / len(shares):.0%}" if shares else "none"
    firsts = sorted(row["timings_ms"]["first_sentence"] for row in answered)
    median = f"{firsts[len(firsts) // 2]:.0f} ms" if firsts else "none"
    return (
        f"{len(answered)} answered ({counted}), {len(rows) - len(answered)} errors; "
        f"the model wrote {share} of what was said of records; first sentence after {median} (median)"
    )
