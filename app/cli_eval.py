"""`shopbot eval`: the held-apart cases through the shipped graph, arm by arm."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.extras import check_installed
from app.progress import progress_bars
from shopbot.settings import load_settings

if TYPE_CHECKING:
    from app.progress import Bars
    from app.wiring import Services

_PATIENT_S = 60.0  # quality is measured here, not speed


def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for the tables, the picture and all answers.")],
    slices: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Only every n-th case, for a quick look.")] = 1,
    arms: Annotated[str, typer.Option(help="Arms, separated by commas.")] = "base,tuned",
) -> None:
    """Measure the arms on the evaluation's cases: with and without retrieval, before and after the check."""
    check_installed("evaluation")
    from app.wiring import open_services
    from evals.cases import SLICES, read_cases
    from evals.report import as_rows, draw, tables
    from evals.runs import run_cases

    limits = {"model_first_sentence_timeout_s": _PATIENT_S, "model_stall_timeout_s": _PATIENT_S}
    cases = read_cases(slices=tuple(slices.split(",")) if slices else SLICES)[::every]
    out.mkdir(parents=True, exist_ok=True)
    with progress_bars() as bars:
        services = open_services(load_settings(**limits), bars)
        outcomes = {
            arm: run_cases(services.graph, services.deps, cases, arm, bars)
            for arm in arms.split(",")
            if arm in services.deps.models
        }
        cost = _cost_of_tuning(services, bars)
    text = tables(outcomes) + cost
    (out / "evaluation.md").write_text(text, encoding="utf-8")
    draw(outcomes, out / "evaluation.png")
    rows = "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in as_rows(outcomes))
    (out / "answers.jsonl").write_text(rows, encoding="utf-8")
    typer.echo(text)


def _cost_of_tuning(services: "Services", bars: "Bars") -> str:
    """General text and questions before and after; empty without an adapter."""
    from app.wiring import adapter_of
    from evals.forgetting import general_score, table
    from shopbot.chat_models.convert import dequantised_folder

    adapter = adapter_of(services.store)
    if adapter is None:
        return ""
    base = dequantised_folder(services.store.settings.cache)
    scores = []
    for number, folder in enumerate((None, adapter.folder)):
        bars("general text", number, 2)
        scores.append(general_score(base, folder))
    bars("general text", 2, 2)
    return f"\n{table(*scores)}\n"
