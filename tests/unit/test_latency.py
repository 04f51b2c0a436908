"""What the bench makes of a turn's spans: parts that add up to the whole, and a picture of them."""

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from app.latency import PARTS, Cell, TurnTimes, draw, parts_of, report


def ended(name: str, took_ms: float, **attributes: float | str) -> ReadableSpan:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return ReadableSpan(name, attributes=named, start_time=0, end_time=int(took_ms * 1e6))


def node(name: str, took_ms: float) -> ReadableSpan:
    return ended(name, took_ms, shopbot__node=name)


SPANS = [
    node("guard", 1),
    ended("embeddings minilm", 7),  # inside of route, and not counted twice
    node("route", 10),
    node("look_up_products", 5),
    ended("chat tuned", 200, gen_ai__response__time_to_first_chunk=0.12),
    ended("chat tuned", 50, gen_ai__response__time_to_first_chunk=0.04),
    node("write", 300),
    node("verify", 2),
    node("respond", 1),
    ended("checkpoint", 4),
    ended("checkpoint", 3),
]


def test_the_parts_of_a_turn_add_up_to_the_whole() -> None:
    parts = parts_of(SPANS, whole_ms=340)
    assert parts == pytest.approx(
        {
            "route": 10,
            "look up": 5,
            "prompt": 160,
            "decoding": 90,
            "check": 50,
            "verify": 2,
            "other nodes": 2,
            "checkpoint": 7,
            "graph": 14,
        }
    )
    assert sum(parts.values()) == pytest.approx(340)


def test_what_the_bench_does_inside_a_turn_is_not_the_turns() -> None:
    assert parts_of(SPANS, whole_ms=310, aside_ms=30)["check"] == pytest.approx(20)


def test_a_generation_that_never_began_to_write_is_all_prompt() -> None:
    assert parts_of([ended("chat tuned", 80), node("write", 81)], whole_ms=90)["prompt"] == pytest.approx(80)


def cells() -> list[Cell]:
    parts = parts_of(SPANS, whole_ms=340)
    turns = [TurnTimes(first, whole, 352, 1.0, parts) for first, whole in ((100, 300), (200, 340), (900, 1000))]
    return [Cell("tuned", 350, turns), Cell("a proposed change", None, turns)]


def test_the_report_names_arm_size_percentiles_and_shares() -> None:
    rows = [line for line in report(cells()) if line.startswith("| tuned, 350")]
    assert rows[0] == "| tuned, 350 | 352 | 3 | 200 ms | 830 ms | 340 ms | 934 ms | 100% |"
    assert rows[1].count("|") == len(PARTS) + 2


def test_the_picture_is_small(tmp_path: Path) -> None:
    draw([Cell(f"arm {number}", 350, cell.turns) for number in range(4) for cell in cells()], tmp_path / "p.png")
    assert 5_000 < (tmp_path / "p.png").stat().st_size < 150_000
