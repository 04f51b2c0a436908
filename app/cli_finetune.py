"""`shopbot finetune`: from the shop's folder to an adapter that is served."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from app.extras import check_installed
from app.progress import progress_bars
from shopbot.settings import load_settings

if TYPE_CHECKING:
    from app.training import Training

commands = typer.Typer(no_args_is_help=True, help="Train the tuned model from the shop's own material.")
errors = Console(stderr=True)

RecipeName = Annotated[str, typer.Argument(help="A recipe of finetune/recipes, or the path of a YAML file.")]
Folder = Annotated[Path | None, typer.Option(help="Where the run is kept; default: training/RECIPE-SEED in the home.")]
Seed = Annotated[int | None, typer.Option(help="Another seed than the recipe's.")]


@commands.command()
def data(recipe: RecipeName = "lora", folder: Folder = None, seed: Seed = None) -> None:
    """Build the training set, and refuse a bad one: duplicates, personal data, evaluation cases in it."""
    with progress_bars() as bars:
        path = _training(recipe, folder, seed).make_data(bars)
    typer.echo(path)


@commands.command()
def train(recipe: RecipeName = "lora", folder: Folder = None, seed: Seed = None) -> None:
    """Train an adapter on that set; about half an hour on two cores. A killed run goes on where it stopped."""
    with progress_bars() as bars:
        adapter = _training(recipe, folder, seed).train(bars)
    typer.echo(adapter)


@commands.command()
def export(
    target: Annotated[Path, typer.Argument(help="Folder for GGUF, Modelfile and safetensors.")],
    recipe: Annotated[str, typer.Option(help="The recipe whose run is exported.")] = "lora",
    folder: Folder = None,
    seed: Seed = None,
) -> None:
    """Write the merged model for llama.cpp, Ollama and servers that load safetensors."""
    with progress_bars() as bars:
        paths = _training(recipe, folder, seed).export(target, bars)
    for path in paths:
        typer.echo(path)


@commands.command(name="all")
def everything(recipe: RecipeName = "lora", folder: Folder = None, seed: Seed = None) -> None:
    """Data, training, and the adapter into the shop's folder, where the server finds it at its next start.

    After a kill the same command goes on, with the same training set as long as the shop's folder is unchanged.
    """
    training = _training(recipe, folder, seed)
    with progress_bars() as bars:
        if not training.has_unfinished_run:
            training.make_data(bars)
        adapter = training.train(bars)
    target = training.shop.adapter
    aside = target.with_name("adapter.partial")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(adapter, aside)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    typer.echo(f"{target} is served from the next start of `shopbot serve` on")


def _training(recipe: str, folder: Path | None, seed: int | None) -> "Training":
    check_installed("training")
    from app.training import open_training
    from finetune.recipe import read_recipe

    overrides: dict[str, Any] = {} if seed is None else {"seed": seed}
    return open_training(load_settings(), read_recipe(recipe, **overrides), folder)
