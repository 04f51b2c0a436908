"""`make soak`: the full counts, written to docs/results. Exits with 1 if anything was found that must not be."""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.fakes_data import ROOT
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
    commit = commit_now()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_often(make_home(Path(folder) / "kills"), chosen.kills, chosen.seed)
        crowd = press_in(make_home(Path(folder) / "crowd"), chosen.posts, chosen.seed)
    made = (
        f"`make soak`, commit {commit}, {datetime.now(UTC):%Y-%m-%d}, {(time.monotonic() - started) / 60:.0f} minutes"
    )
    (chosen.out / "durability.md").write_text(durability(outcome, crowd, made, chosen.seed), encoding="utf-8")
    problems = [*outcome.problems, *crowd.problems]
    print("\n".join(problems) or "nothing found", file=sys.stderr)  # noqa: T201
    sys.exit(1 if problems else 0)


def commit_now() -> str:
    describe = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def durability(outcome: Outcome, crowd: Crowd, made: str, seed: int) -> str:
    """The page of results; what it says is counted, none of it typed in."""
    moments = "\n".join(f"| {moment} | {count} |" for moment, count in sorted(outcome.moments.items()))
    states = "\n".join(f"| {state} | {count} |" for state, count in sorted(outcome.states.items()))
    changes = "\n".join(f"| {change} | {count} |" for change, count in sorted(outcome.changes.items()))
    problems = "\n".join(f"- {line}" for line in [*outcome.problems, *crowd.problems]) or "None."
    return f"""# Durability

{made}, seed {seed}.

## kill -9 during turns

A server process with API, sign-in, graph, database (SQLite) and checkpoints as in production, hashed vectors and an
OpenAI-compatible model server that writes a word every 20 ms. Up to three customers talk at once; the process is killed
at a random moment and started again on the same home. A client that had no reply sends its message again with the same
`Idempotency-Key`; one that saw no end of a confirmed change says yes once more.

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

Each order was changed at most once, and as its audit says, else it is counted above.

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
