"""What the check makes of the turns: a line of the log for each, and rates over those that are stored."""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Engine, select

from graph.turn import TurnResult, Verdict
from shopbot.tables import runs

log = logging.getLogger(__name__)

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
MOST_REASONS = 3
Result = Mapping[str, Any]


def log_turn(run_id: str, result: TurnResult) -> None:
    """Log a turn as one line of JSON: who wrote it, the verdict, how often what was held back; no word of its text."""
    line = {
        "run_id": run_id, "arm": result.arm, "role": result.role, "verdict": result.verdict,
        "model_share": round(result.model_share, 3), "held_back": dict(Counter(map(reason_of, result.findings))),
        "reduced": result.reduced is not None, "prompt_hash": result.prompt_hash,
    }  # fmt: skip
    log.info("turn %s", json.dumps(line, ensure_ascii=False))


def reason_of(finding: str) -> str:
    """Why a sentence was held back: a finding is the reason and, after a colon, the sentence."""
    return finding.partition(": ")[0]


def stored_results(database: Engine, since: datetime) -> list[Result]:
    """The results of all turns that have ended since then."""
    query = select(runs.c.result).where(runs.c.finished_at >= since, runs.c.result.is_not(None))
    with database.connect() as connection:
        return list(connection.scalars(query))


def rates(results: Iterable[Result]) -> str:
    """Verdicts, model share and reasons by arm and role, as Markdown; shares are of the turns of that row."""
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        groups[(result["arm"], result["role"])].append(result)
        groups[(result["arm"], "all")].append(result)
    head = ["arm", "role", "turns", *VERDICTS, "model share", "held back a turn", "commonest reasons"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(_row(*key, group) for key, group in sorted(groups.items()))])


def _row(arm: str, role: str, results: list[Result]) -> str:
    verdicts = Counter(result["verdict"] for result in results)
    reasons = Counter(reason_of(finding) for result in results for finding in result["findings"])
    count = len(results)
    cells = [arm, role, str(count), *(f"{verdicts[verdict] / count:.1%}" for verdict in VERDICTS)]
    cells += [f"{sum(result['model_share'] for result in results) / count:.1%}", f"{reasons.total() / count:.2f}"]
    cells.append("; ".join(f"{reason} ({times})" for reason, times in reasons.most_common(MOST_REASONS)))
    return f"| {' | '.join(cells)} |"
