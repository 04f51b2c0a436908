"""`shopbot eval`: the held-apart cases through the shipped graph, arm by arm."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.extras import check_installed
from app.progress import progress_bars
from shopbot.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.progress import Bars
    from app.wiring import Services
    from evals.cases import Case
    from evals.runs import Outcome
    from graph.deps import Deps

commands = typer.Typer(no_args_is_help=True, help="Measure the arms on cases that no training has seen.")

Out = Annotated[Path, typer.Option(help="Folder for the tables, the picture and all answers.")]
CaseSet = Annotated[str, typer.Option("--cases", help="The set of cases: test, or development.")]
Slices = Annotated[str | None, typer.Option(help="Only these, separated by commas.")]
Every = Annotated[int, typer.Option(min=1, help="Only every n-th case, for a quick look.")]
Arms = Annotated[str, typer.Option(help="Arms, separated by commas.")]

PROMPT_SETS = ("zero-shot", "chain-of-thought")


@commands.command()
def arms(
    out: Out,
    case_set: CaseSet = "test",
    slices: Slices = None,
    every: Every = 1,
    arms: Arms = "base,tuned",
    with_parts: Annotated[bool, typer.Option(help="Also without retrieval, and policies over their text.")] = True,
) -> None:
    """The arms with and without retrieval, before and after the check; what tuning costs on general text."""
    chosen = _cases(case_set, slices, every)
    with progress_bars() as bars:
        services = _open(bars)
        outcomes = _run(services, services.deps, chosen, arms.split(","), bars, with_parts=with_parts)
        cost = _cost_of_tuning(services, bars) if with_parts else ""
    _write(out, outcomes, cost)


@commands.command()
def prompts(out: Out, case_set: CaseSet = "test", slices: Slices = None, every: Every = 1) -> None:
    """What prompts alone bring: the base with retrieval, zero-shot, few-shot (as served), and chain of thought."""
    from evals.prompting import prompt_set

    chosen = _cases(case_set, slices, every)
    with progress_bars() as bars:
        services = _open(bars)
        outcomes = {"few-shot": _run(services, services.deps, chosen, ["base"], bars)["base"]}
        for name in PROMPT_SETS:
            deps = services.deps
            other = replace(deps, prompts={**deps.prompts, "base": prompt_set(name)})
            outcomes[name] = _run(services, other, chosen, ["base"], bars)["base"]
    _write(out, outcomes)


@commands.command()
def reading(case_set: CaseSet = "test", slices: Slices = None) -> None:
    """What is decided before a model writes: route, product, fields, policy section. Asks no model."""
    from app.wiring import initialise, open_store, wire
    from evals.reading import find_all, table

    with progress_bars() as bars:
        store = open_store(load_settings())
        initialise(store, bars)
        found = find_all(wire(store, {}).deps, _cases(case_set, slices, 1), bars)
    typer.echo(table(found))


@commands.command()
def transfer(
    feed: Annotated[Path, typer.Argument(exists=True, help="A feed in the canonical format.")],
    out: Out,
    products: Annotated[int, typer.Option(min=1, help="So many products of it, three questions each.")] = 40,
    arms: Arms = "base,tuned",
) -> None:
    """Another catalog under the shop's policies: what an adapter can do with records that it was not trained on."""
    from app.wiring import ingest_feed
    from evals.transfer import catalog_cases

    with tempfile.TemporaryDirectory() as home, progress_bars() as bars:
        services = _open(bars, home=Path(home))
        ingest_feed(services.store, feed, bars)
        version = services.deps.catalog.active()
        facts = services.deps.facts.read(list(version.products))
        chosen = catalog_cases(version.products, facts, services.deps.shop.config.locale, products, seed=0)
        outcomes = _run(services, services.deps, chosen, arms.split(","), bars)
    _write(out, outcomes)


@commands.command()
def gap(
    products: Annotated[int, typer.Option(min=1, help="So many products of each kind, three questions each.")] = 40,
    arms: Arms = "base,tuned",
) -> None:
    """Overfitting: the same plain questions about products of the training and about those kept apart."""
    from evals.cases import held_products
    from evals.gap import gap_cases, table

    with progress_bars() as bars:
        services = _open(bars)
        deps = services.deps
        records = deps.catalog.active().products
        facts = deps.facts.read(list(records))
        chosen = gap_cases(records, facts, held_products(), deps.shop.config.locale, products)
        by_kind = {kind: _run(services, deps, cases, arms.split(","), bars) for kind, cases in chosen.items()}
        found = {arm: {kind: of[arm] for kind, of in by_kind.items()} for arm in next(iter(by_kind.values()))}
    typer.echo(table(found))


@commands.command()
def verifier(out: Annotated[Path, typer.Option(help="Folder for the tables, the picture and the misses.")]) -> None:
    """The check itself: right answers that it holds back, and answers made wrong by rule that it catches."""
    check_installed("evaluation")
    from evals.cases import SETS
    from evals.verification import Bench, read_answers
    from evals.verification_report import draw, mistakes, tables
    from shopbot.shop import load_shop

    bench = Bench(load_shop(load_settings().shop))
    with progress_bars() as bars:
        measured = {name: bench.measure(read_answers(name), bars) for name in reversed(SETS)}
    text = tables(measured)
    out.mkdir(parents=True, exist_ok=True)
    (out / "verification.md").write_text(text, encoding="utf-8")
    draw(measured["test"], out / "verification.png")
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in mistakes(measured))
    (out / "verification.jsonl").write_text(rows, encoding="utf-8")
    typer.echo(text)


@commands.command()
def seeds(folders: Annotated[list[Path], typer.Argument(help="Results of `eval arms`, one folder a seed.")]) -> None:
    """Join the runs of several training seeds: mean, lowest and highest of every figure of the tuned arm."""
    from evals.report import over_seeds

    rows = [[json.loads(line) for line in (path / "answers.jsonl").open(encoding="utf-8")] for path in folders]
    typer.echo(over_seeds(rows))


@commands.command()
def gym(
    out: Out,
    arms: Arms = "base,tuned",
    case_set: Annotated[
        str, typer.Option("--cases", help="The set of scenarios: development, or test.")
    ] = "development",
    seeds: Annotated[int, typer.Option(min=0, help="So many trials with drawn words, beside the greedy one.")] = 4,
    temperature: Annotated[float, typer.Option(min=0.01, max=2.0, help="Of the drawn words.")] = 0.7,
    only: Annotated[str | None, typer.Option(help="Only these scenarios or themes, separated by commas.")] = None,
) -> None:
    """Scripted customers in whole conversations: pass^1 to pass^4, wrong facts, who wrote what was shown."""
    from app.gym import PreparedShop, own_settings
    from evals.gym.play import play_all
    from evals.gym.records import Records
    from evals.gym.report import draw, tables
    from evals.gym.sampling import Sampling
    from evals.gym.scenarios import choose, read_set

    scenarios = choose(read_set(case_set), only.split(",") if only else [])
    out.mkdir(parents=True, exist_ok=True)
    trials = []
    with tempfile.TemporaryDirectory() as home, progress_bars() as bars, (out / "trials.jsonl").open("w") as lines:
        check_installed("evaluation")
        shop = PreparedShop.in_home(own_settings(_patient(), Path(home)), bars)
        known = [arm for arm in arms.split(",") if arm in shop.models]
        draws = [Sampling(temperature, seed) for seed in range(1, seeds + 1)]
        plan = list(product(known, scenarios))
        for number, (arm, scenario) in enumerate(plan, start=1):
            for trial in play_all(scenario, shop, Records(shop.store.shop), arm, draws):
                trials.append(trial)
                lines.write(trial.model_dump_json() + "\n")
            bars("conversations", number, len(plan))
    text = tables(scenarios, trials)
    (out / "gym.md").write_text(text, encoding="utf-8")
    draw(trials, out / "gym.png")
    typer.echo(text)


def _cases(case_set: str, slices: str | None, every: int) -> "list[Case]":
    from evals.cases import SLICES, read_cases

    return read_cases(case_set, tuple(slices.split(",")) if slices else SLICES)[::every]


def _open(bars: "Bars", **overrides: object) -> "Services":
    check_installed("evaluation")
    from app.wiring import open_services

    return open_services(_patient(**overrides), bars)


def _patient(**overrides: object) -> Settings:
    """Quality is measured here, not speed."""
    patient: dict[str, object] = {"model_first_sentence_timeout_s": 60.0, "model_stall_timeout_s": 60.0}
    return load_settings(**patient, **overrides)


def _run(
    services: "Services", deps: "Deps", cases: "Sequence[Case]", arms: Sequence[str], bars: "Bars", **options: bool
) -> "dict[str, list[Outcome]]":
    from evals.runs import run_cases

    return {arm: run_cases(services.graph, deps, cases, arm, bars, **options) for arm in arms if arm in deps.models}


def _write(out: Path, outcomes: "dict[str, list[Outcome]]", more: str = "") -> None:
    from evals.report import as_rows, draw, tables

    text = tables(outcomes) + more
    out.mkdir(parents=True, exist_ok=True)
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
