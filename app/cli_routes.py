"""`shopbot routes`: the classifier of messages on any labelled file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.extras import check_installed
from app.progress import progress_bars
from shopbot.errors import InputError
from shopbot.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from evals.labelled import Labelled, Predicted
    from shopbot.intents import Intents

commands = typer.Typer(no_args_is_help=True, help="Fit and measure the classifier of messages on labelled files.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with the columns utterance and intent.")]
Model = Annotated[Path, typer.Option(help="The fitted classifier.")]


@commands.command()
def fit(labelled: File, model: Model) -> None:
    """Fit a classifier to a labelled file. The shop's own is fitted by itself, from the shop's folder."""
    from evals.labelled import read_labelled
    from shopbot.embedding import load_embedder
    from shopbot.intents import fit_intents

    rows = read_labelled(labelled)
    examples: dict[str, list[str]] = {}
    for row in rows:
        examples.setdefault(row.intent, []).append(row.utterance)
    if len(examples) < 2:
        raise InputError("labelled", f"{labelled}: has one intent only; there is nothing to tell apart")
    with progress_bars() as bars:
        embedder = load_embedder(load_settings().embedder)
        fitted = fit_intents(examples, embedder, lambda done, total: bars("messages", done, total))
    model.parent.mkdir(parents=True, exist_ok=True)
    fitted.save(model)
    typer.echo(f"{model}: {len(fitted.labels)} intents from {len(rows)} messages")


@commands.command("eval")
def evaluate(
    labelled: File,
    model: Annotated[Path | None, typer.Option(help="A fitted classifier; default: the shop's own routing.")] = None,
    outside: Annotated[
        Path | None, typer.Option(exists=True, help="Messages that belong to no intent, one a line.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the table and the picture of confusions.")] = None,
) -> None:
    """Measure the shop's routing, or a fitted classifier, on a labelled file that it has not seen."""
    check_installed("evaluation")
    from evals.labelled import draw_confusion, read_labelled, report, route_report

    rows = read_labelled(labelled)
    if model is None:
        predicted = _routed(rows)
        text = f"{report(rows, predicted)}\n\n| | |\n|---|---|\n{route_report(rows, predicted)}"
    else:
        predicted, strangers = _by_model(model, rows, outside)
        text = report(rows, predicted, strangers)
    typer.echo(text)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "routes.md").write_text(text + "\n", encoding="utf-8")
        draw_confusion(rows, predicted, out / "confusion.png")


def _routed(rows: "Sequence[Labelled]") -> "Predicted":
    from app.wiring import initialise, open_store, wire
    from evals.labelled import routed

    with progress_bars() as bars:
        store = open_store(load_settings())
        initialise(store, bars)
        return routed(wire(store, {}).deps, rows, bars)


def _by_model(
    model: Path, rows: "Sequence[Labelled]", outside: Path | None
) -> "tuple[Predicted, npt.NDArray[np.float32] | None]":
    from evals.labelled import read_lines
    from shopbot.intents import Intents

    if not model.is_file():
        raise InputError("model", f"{model}: no such file; fit one first: shopbot routes fit LABELLED --model {model}")
    fitted = Intents.load(model)
    strangers = _predicted(fitted, read_lines(outside)).scores if outside else None
    return _predicted(fitted, [row.utterance for row in rows]), strangers


def _predicted(fitted: "Intents", texts: list[str]) -> "Predicted":
    from evals.labelled import Predicted
    from shopbot.embedding import load_embedder

    with progress_bars() as bars:
        embedder = load_embedder(load_settings().embedder)
        vectors = embedder.embed(texts, lambda done, total: bars("messages", done, total))
    return Predicted.of(fitted.read(texts, vectors))
