"""The command line. Every command reads settings, wires what it needs, and turns ShopbotError into one clear line."""

import json
import logging
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli_accounts import commands as account_commands
from app.cli_eval import commands as eval_commands
from app.cli_finetune import commands as finetune_commands
from app.cli_routes import commands as routes_commands
from app.offline import no_network
from app.progress import progress_bars
from shopbot.errors import ConfigError, InputError, ShopbotError
from shopbot.settings import load_settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="shopbot: a shop assistant that checks what it says."
)
ingest_commands = typer.Typer(no_args_is_help=True, help="Bring a catalog in.")
facts_commands = typer.Typer(no_args_is_help=True, help="Change live prices and stock without re-embedding.")
app.add_typer(ingest_commands, name="ingest")
app.add_typer(facts_commands, name="facts")
app.add_typer(finetune_commands, name="finetune")
app.add_typer(eval_commands, name="eval")
app.add_typer(routes_commands, name="routes")
app.add_typer(account_commands, name="accounts")

errors = Console(stderr=True)


def main() -> None:
    """Entry point of the `shopbot` command."""
    no_network()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except ShopbotError as error:
        errors.print(f"[red]{type(error).__name__}[/red]: ", end="")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


@app.command()
def ask(
    text: Annotated[str | None, typer.Argument(help="The customer's question.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
    batch: Annotated[Path | None, typer.Option(help="JSON Lines file of conversations to answer.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the answers go; needed with --batch.")] = None,
    arm: Annotated[str | None, typer.Option(help="base or tuned; default: SHOPBOT_DEFAULT_ARM.")] = None,
    audience: Annotated[str, typer.Option(help="customer, associate or merchandiser.")] = "customer",
) -> None:
    """Ask the assistant a question, or a file of them."""
    from app.batch import ask as answer
    from app.batch import ask_batch, summary_of
    from app.wiring import open_services
    from graph.turn import Message, TurnRequest

    files = _batch_files("question", text, batch, out)
    with progress_bars() as bars:
        services = open_services(load_settings(), bars)
        if files:
            failed = ask_batch(services, *files, lambda done, total: bars("answering", done, total))
    if files:
        errors.print(summary_of(files[1]), highlight=False, soft_wrap=True)
        _end_of_batch(failed)
        return
    message = Message(role="user", content=text or "")
    result = answer(services, TurnRequest(messages=(message,), arm=arm, audience=audience))
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=2))
        return
    typer.echo(result["answer"])
    for number, citation in enumerate(result["citations"], start=1):
        as_of = f", as of {citation['as_of']}" if citation["as_of"] else ""
        typer.echo(f"  [{number}] {citation['kind']} {citation['id']}{as_of}")


@app.command()
def search(
    text: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    k: Annotated[int, typer.Option(min=1, max=1000, help="How many results.")] = 10,
    batch: Annotated[Path | None, typer.Option(help="JSON Lines file of queries.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the results go; needed with --batch.")] = None,
) -> None:
    """Search the catalog, best first."""
    from app.batch import search_batch
    from app.wiring import initialise, open_store
    from shopbot.search import FusionWeights, search_products

    files = _batch_files("query", text, batch, out)
    settings = load_settings()
    weights = FusionWeights(settings.dense_weight, settings.keyword_weight)
    with progress_bars() as bars:
        store = open_store(settings)
        initialise(store, bars)
        if files:
            failed = search_batch(store, weights, *files, k, lambda done, total: bars("searching", done, total))
    if files:
        _end_of_batch(failed)
        return
    version = store.catalog.active()
    for hit in search_products(version, store.embedder, text or "", k, weights):
        typer.echo(f"{hit.score:.4f}  {hit.id:<12} {version.products[hit.id].title}")


@app.command()
def route(
    text: Annotated[str | None, typer.Argument(help="The customer's message.")] = None,
    batch: Annotated[Path | None, typer.Option(help="JSON Lines file of conversations, as for ask.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the routes go; needed with --batch.")] = None,
) -> None:
    """Say who would handle a message, with the score of each route. Asks no model."""
    from app.batch import route_batch, route_of
    from app.wiring import initialise, open_store, wire
    from graph.turn import Message

    files = _batch_files("message", text, batch, out)
    with progress_bars() as bars:
        store = open_store(load_settings())
        initialise(store, bars)
        deps = wire(store, {}).deps
        if files:
            failed = route_batch(deps, *files, lambda done, total: bars("routing", done, total))
    if files:
        _end_of_batch(failed)
        return
    found = route_of(deps, (Message(role="user", content=text or ""),))
    typer.echo(found["route"])
    for name, score in found["scores"].items():
        typer.echo(f"  {score:6.3f}  {name}")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default SHOPBOT_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default SHOPBOT_PORT.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make demo accounts; the sign-in page shows them.")] = False,
) -> None:
    """Serve the chat page and the API in one process."""
    import uvicorn

    from app.server import create_app

    logging.getLogger("app.verdicts").setLevel(logging.INFO)  # one line a turn
    given = {"host": host, "port": port, "demo": demo or None}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    address = f"http://{settings.host}:{settings.port}"
    with progress_bars() as bars:
        ready = f"shopbot: {address} (API under {address}/api, its documentation under {address}/api/docs)"
        app = create_app(settings, bars, lambda: errors.print(ready, soft_wrap=True))
        config = uvicorn.Config(app, host=settings.host, port=settings.port, log_level="warning")
        # The port first: a second server on it has to end before it touches the runs of the one that is there.
        uvicorn.Server(config).run(sockets=[_bound(settings.host, settings.port)])


def _bound(host: str, port: int) -> socket.socket:
    """Take the address. Raises ConfigError if somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{host}:{port}: {error.strerror}; is a server running there? Choose another --port"
        ) from error
    listener.set_inheritable(True)
    return listener


@ingest_commands.command("run")
def ingest_run(
    feed: Annotated[Path | None, typer.Argument(help="Catalog feed, JSON Lines; default: the shop's own.")] = None,
    as_of: Annotated[
        datetime | None, typer.Option(help="When the feed's prices and stock were true (UTC); default: now.")
    ] = None,
) -> None:
    """Validate a feed, build a new catalog version aside, verify it and publish it."""
    from app.wiring import ingest_feed, open_store

    with progress_bars() as bars:
        moment = as_of.replace(tzinfo=UTC) if as_of else None
        report = ingest_feed(open_store(load_settings()), feed, bars, moment)
    typer.echo(report.summary())


@facts_commands.command("set")
def facts_set(
    file: Annotated[Path, typer.Argument(help="JSON Lines: id, sku?, price?, sale_price?, stock?, as_of?")],
) -> None:
    """Change live prices and stock; per article the newer fact wins."""
    from app.wiring import initialise, open_store
    from shopbot.facts import parse_facts_file

    with progress_bars() as bars:
        store = open_store(load_settings())
        initialise(store, bars)
    report = store.facts.apply(parse_facts_file(file, store.facts.known()), str(file))
    typer.echo(report.summary())


@app.command()
def doctor() -> None:
    """Say what is set up, what is missing and what to do about it."""
    from app.doctor import examine

    settings = load_settings()
    findings = list(examine(settings))
    for finding in findings:
        mark = (
            "[green]ok[/green]     "
            if finding.ok
            else "[red]missing[/red]"
            if finding.needed
            else "[yellow]absent[/yellow] "
        )
        errors.print(f"{mark} {finding.name}: ", end="")
        errors.print(finding.text, markup=False, highlight=False)
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def verdicts(days: Annotated[int, typer.Option(min=1, help="Turns that ended in the last so many days.")] = 7) -> None:
    """Say what the check made of the stored turns: verdicts, model share and reasons, by arm and role."""
    from app.verdicts import rates, stored_results
    from app.wiring import open_store
    from shopbot.database import utc_now

    results = stored_results(open_store(load_settings()).database, utc_now() - timedelta(days=days))
    if not results:
        errors.print(f"no turn has ended in the last {days} days", highlight=False)
        return
    typer.echo(rates(results))


@app.command()
def bench(
    rounds: Annotated[int, typer.Option(min=1, help="Measured generations per engine.")] = 10,
    turns: Annotated[int, typer.Option(min=1, help="Measured turns, of the overhead and of each prompt size.")] = 60,
    parts: Annotated[
        str, typer.Option(help="What to measure, separated by commas: engines, retrieval, overhead, failing, turns.")
    ] = "engines,retrieval,overhead,failing,turns",
    picture: Annotated[Path | None, typer.Option(help="Draw what the time of a turn goes to, as PNG.")] = None,
) -> None:
    """Measure engines side by side, retrieval, and whole turns by the size of their prompts, in one run."""
    from app.bench import PARTS, run_bench

    chosen = [part for part in PARTS if part in (named := parts.split(","))]
    if len(chosen) != len(named):
        raise InputError("parts", f"{parts!r} is not a choice of {','.join(PARTS)}, each once")
    with progress_bars() as bars:
        table = run_bench(load_settings(), rounds, turns, bars, chosen, picture)
    typer.echo(table)


def _batch_files(what: str, text: str | None, batch: Path | None, out: Path | None) -> tuple[Path, Path] | None:
    """Return where a batch comes from and goes to, before anything is loaded; None if it is a single text.

    Raises InputError for a text and a batch, or neither, and for files that cannot be read or written.
    """
    if (text is None) == (batch is None):
        raise InputError("text", f"give a {what}, or a file with --batch IN --out OUT")
    if batch is None:
        return None
    if out is None:
        raise InputError("out", "--batch needs --out FILE")
    if not batch.is_file():
        raise InputError("batch", f"there is no file {batch}")
    if not out.absolute().parent.is_dir():
        raise InputError("out", f"there is no folder {out.absolute().parent}")
    return batch, out


def _end_of_batch(failed: int) -> None:
    if failed:
        errors.print(f"{failed} line(s) could not be served; each has an 'error' in its place", highlight=False)
        raise typer.Exit(1)
