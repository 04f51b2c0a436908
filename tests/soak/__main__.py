"""`make soak`: the full counts, written to docs/results. Exits with 1 if anything was found that must not be."""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from app.wiring import initialise, open_store, wire
from tests.conftest import nothing, settings_in
from tests.fakes import ScriptedChatModel, served
from tests.fakes_data import ROOT
from tests.soak.attacks import Outcome as Attacked
from tests.soak.attacks import attack_all
from tests.soak.attacks_api import attack_api
from tests.soak.crowd import Crowd, press_in
from tests.soak.homes import make_home
from tests.soak.kills import Outcome, kill_often


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--posts", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    chosen = options.parse_args()
    commit, started = commit_now(), time.monotonic()

    def made() -> str:
        took = (time.monotonic() - started) / 60
        return f"`make soak`, commit {commit}, {datetime.now(UTC):%Y-%m-%d}, after {took:.0f} minutes"

    with tempfile.TemporaryDirectory() as folder:
        attacked = attack_everything(Path(folder) / "attacks")
        (chosen.out / "attacks.md").write_text(attacks(attacked, made()), encoding="utf-8")
        outcome = kill_often(make_home(Path(folder) / "kills"), chosen.kills, chosen.seed)
        crowd = press_in(make_home(Path(folder) / "crowd"), chosen.posts, chosen.seed)
    (chosen.out / "durability.md").write_text(durability(outcome, crowd, made(), chosen.seed), encoding="utf-8")
    problems = [*attacked.problems, *outcome.problems, *crowd.problems]
    print("\n".join(problems) or "nothing found", file=sys.stderr)  # noqa: T201
    sys.exit(1 if problems else 0)


def attack_everything(home: Path) -> Attacked:
    """All attempts on the sample shop with its real embedder."""
    settings = settings_in(home)
    store = open_store(settings)
    initialise(store, nothing)
    services = wire(store, {arm: served(ScriptedChatModel(replies=[""])) for arm in ("base", "tuned")})
    attacked = attack_all(services)
    attack_api(services, attacked)
    services.chat.close()
    store.database.dispose()
    return attacked


def commit_now() -> str:
    describe = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def attacks(attacked: Attacked, made: str) -> str:
    """The page of results; what it says is counted, none of it typed in."""
    kinds = "\n".join(f"| {kind} | {count} |" for kind, count in attacked.by_kind.items())
    seen = len(attacked.problems)
    bound = 1 - 0.05 ** (1 / attacked.attempts)  # of a share of which none was seen, one-sided 95 % (exact binomial)
    said = f"at most {bound:.1%} of such attempts succeed, at 95 % confidence" if not seen else "see below"
    problems = "\n".join(f"- {line}" for line in attacked.problems) or "None."
    return f"""# Attempts on other customers' orders

{made}.

Each attempt tries to see or change an order that is somebody else's, as another customer or as a visitor: by what is
said, with a model that writes what the attempt wants or obeys whatever it reads, by texts planted in the catalog, and
over HTTP. Held against it are all events as clients get them, and every row of orders, changes, customers and accounts.
The limit on guests' look-ups is taken away before each, so that it is not what protects the order.

| by | attempts |
|---|---|
{kinds}
| all | {attacked.attempts} |

**{seen} of {attacked.attempts}** saw or changed anything: {said}. The attempts are written by us and alike in part, so
the bound says more about their kinds than about attackers yet unheard of.

## What was seen

{problems}
"""


def durability(outcome: Outcome, crowd: Crowd, made: str, seed: int) -> str:
    """The page of results; what it says is counted, none of it typed in."""
    moments = "\n".join(f"| {moment} | {count} |" for moment, count in sorted(outcome.moments.items()))
    states = "\n".join(f"| {state} | {count} |" for state, count in sorted(outcome.states.items()))
    changes = "\n".join(f"| {change} | {count} |" for change, count in sorted(outcome.changes.items()))
    problems = "\n".join(f"- {line}" for line in [*outcome.problems, *crowd.problems]) or "None."
    unsure = " ".join(f"{count} said “{text}” afterwards." for text, count in sorted(outcome.unsure.items()))
    return f"""# Durability

{made}, seed {seed}.

## kill -9 during turns

A server process with API, sign-in, graph, database (SQLite) and checkpoints as in production, hashed vectors and an
OpenAI-compatible model server that writes a word every 20 ms. Up to three customers talk at once; the process is killed
at a random moment and started again on the same home. A client that had no reply sends its message again with the same
`Idempotency-Key`; one that saw no end of a confirmed change then says no, or yes once more, by turns, and after a no
nothing may change.

| | |
|---|---|
| kills | {outcome.kills} |
| messages followed | {sum(outcome.states.values())} |
| messages sent again with their key | {outcome.resent} |
| lost, doubled, neither complete nor marked, contradicting what a client saw, unsound files | {len(outcome.problems)} |

| where a message was when the server died | messages |
|---|---|
{moments}

| what became of all messages after the restart | messages |
|---|---|
{states}

| orders that somebody was about to cancel | orders |
|---|---|
{changes}

Each order was changed at most once, and as its audit says, else it is counted above. {unsure}

## {crowd.posts} clients in one conversation

Two server processes on one home, {crowd.posts} clients that post at the same moment, half to each.

| | |
|---|---|
| accepted at once (202) | {crowd.at_once[202]} |
| refused at once (409 with `Retry-After`) | {crowd.at_once[409]} |
| posted again until accepted: answered, each once and in one serial order | {crowd.answered} of {crowd.posts} |
| refusals on the way | {crowd.refusals} |
| lost, doubled, interleaved, or told differently by the two | {len(crowd.problems)} |

## What was found

{problems}
"""


if __name__ == "__main__":
    main()
