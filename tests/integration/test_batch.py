"""Files of questions in, files of answers out: nothing is lost, nothing is half-written, every line has its place."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app.batch import ask_batch, search_batch
from shopbot.errors import ConfigError, InputError
from shopbot.search import search_products
from tests.fakes import FakeOpenAIServer

pytestmark = pytest.mark.model

PRICE = "How much is the Everest Down Jacket?"


def nothing(done: int, total: int) -> None: ...


def line(line_id: object, *texts: str, **more: Any) -> str:
    roles = ("user", "assistant") * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return json.dumps({"id": line_id, "messages": messages, **more})


def answered(assistant: Any, tmp_path: Path, *lines: str | bytes) -> tuple[int, list[dict[str, Any]]]:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join(text.encode() if isinstance(text, str) else text for text in lines))
    failed = ask_batch(assistant().services, source, target, nothing)
    return failed, [json.loads(row) for row in target.read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------- ask


def test_a_line_is_answered_with_every_field_of_a_turn(assistant: Any, tmp_path: Path) -> None:
    failed, rows = answered(assistant, tmp_path, line("a1", PRICE))
    expected = assistant().ask(PRICE).model_dump(mode="json")
    assert failed == 0
    assert rows[0].keys() == {"id", *expected}
    volatile = {"timings_ms"}
    assert {k: v for k, v in rows[0].items() if k not in volatile} == {
        "id": "a1",
        **{k: v for k, v in expected.items() if k not in volatile},
    }
    assert all(isinstance(value, float) for value in rows[0]["timings_ms"].values())


@pytest.mark.parametrize("line_id", ["q-1", "", 7, 2.5, "雨衣", "\ud800"])
def test_an_id_comes_back_as_it_was_given(line_id: object, assistant: Any, tmp_path: Path) -> None:
    _, rows = answered(assistant, tmp_path, line(line_id, PRICE), line(line_id, PRICE, arm="none"))
    assert [row["id"] for row in rows] == [line_id, line_id]
    assert [type(row["id"]) for row in rows] == [type(line_id)] * 2


BROKEN = {
    "not JSON": ("{broken", None, "InputError", "is not JSON"),
    "not an object": ('["a list"]', None, "InputError", "is not an object"),
    "not UTF-8": (b'{"id": "\xff"}', None, "InputError", "is not UTF-8"),
    "too deep": ("[" * 100_000, None, "InputError", "is not JSON"),
    "not a number": ('{"id": NaN}', None, "InputError", "NaN is no JSON number"),
    "no id": ('{"messages": [{"role": "user", "content": "hi"}]}', None, "InputError", "id: Field required"),
    "no messages": ('{"id": 1}', 1, "InputError", "messages: Field required"),
    "empty messages": ('{"id": "e", "messages": []}', "e", "InputError", "messages: "),
    "unknown role": ('{"id": "r", "messages": [{"role": "system", "content": "x"}]}', "r", "InputError", "role"),
    "no content": ('{"id": "c", "messages": [{"role": "user"}]}', "c", "InputError", "content: Field required"),
    "content is no text": ('{"id": "t", "messages": [{"role": "user", "content": 5}]}', "t", "InputError", "content"),
    "unknown field": (line("u", PRICE, temperature=1), "u", "InputError", "temperature: Extra inputs"),
    "ours is the last message": (line("l", PRICE, "It costs $1."), "l", "InputError", "customer's"),
    "tuned arm": (line("n1", PRICE, arm="tuned"), "n1", "NotAvailable", "arm='tuned' is not available"),
    "unknown arm": (line("n2", PRICE, arm="best"), "n2", "InputError", "unknown arm 'best'"),
    "unknown audience": (line("n3", PRICE, audience="robot"), "n3", "InputError", "unknown audience 'robot'"),
}


@pytest.mark.parametrize(("text", "line_id", "kind", "message"), BROKEN.values(), ids=BROKEN)
def test_a_line_that_cannot_be_served_is_an_error_in_its_place_and_the_others_are_answered(
    text: str | bytes, line_id: object, kind: str, message: str, assistant: Any, tmp_path: Path
) -> None:
    failed, (first, error, last) = answered(assistant, tmp_path, line(1, PRICE), text, line(3, PRICE))
    assert failed == 1
    assert [first["id"], last["id"]] == [1, 3]
    assert ["$349.00" in row["answer"] for row in (first, last)] == [True, True]
    assert (error["id"], error["error"]["type"], error["error"]["line"]) == (line_id, kind, 2)
    assert message in error["error"]["message"]
    assert error.keys() == {"id", "error"}


def test_blank_lines_a_byte_order_mark_and_carriage_returns_are_no_lines(assistant: Any, tmp_path: Path) -> None:
    text = "\ufeff" + line(1, PRICE) + "\r\n\r\n   \n" + "broken\r\n" + line(4, PRICE) + "\r\n"
    failed, rows = answered(assistant, tmp_path, text)
    assert failed == 1
    assert [row["id"] for row in rows] == [1, None, 4]
    assert rows[1]["error"]["line"] == 4


def test_an_empty_file_gives_an_empty_file(assistant: Any, tmp_path: Path) -> None:
    assert answered(assistant, tmp_path, "") == (0, [])


def test_what_stands_before_the_last_message_is_the_conversation(assistant: Any, tmp_path: Path) -> None:
    told = line(1, PRICE, "The Everest Down Jacket costs $349.00.", "Does it come in blue?")
    _, (row,) = answered(assistant, tmp_path, told)
    assert "Ink Blue" in row["answer"]


def test_broken_text_in_a_conversation_fails_its_line_at_most(assistant: Any, tmp_path: Path) -> None:
    """A lone surrogate is valid JSON and no valid text."""
    _, (broken, whole) = answered(
        assistant, tmp_path, line(1, "\ud800 jacket", "\ud800", "Does it come in blue?"), line(2, PRICE)
    )
    assert "answer" in broken or broken["error"]["type"] == "InputError"
    assert "$349.00" in whole["answer"]


def test_a_file_that_is_not_there_is_a_config_error_and_leaves_no_output(assistant: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        ask_batch(assistant().services, tmp_path / "nowhere.jsonl", tmp_path / "out.jsonl", nothing)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_an_input_error(assistant: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(line(1, PRICE), encoding="utf-8")
    with pytest.raises(InputError, match="cannot write"):
        ask_batch(assistant().services, tmp_path / "in.jsonl", tmp_path / "no" / "out.jsonl", nothing)


def test_progress_counts_lines(assistant: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(["x", line(2, PRICE), "x"]), encoding="utf-8")
    seen: list[tuple[int, int]] = []
    ask_batch(assistant().services, tmp_path / "in.jsonl", tmp_path / "out.jsonl", lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_output_appears_at_the_end_and_whole(assistant: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([line(1, PRICE), line(2, PRICE)]), encoding="utf-8")
    target = tmp_path / "out.jsonl"
    target.write_text("of yesterday\n", encoding="utf-8")
    seen: list[str] = []
    ask_batch(assistant().services, tmp_path / "in.jsonl", target, lambda *_: seen.append(target.read_text("utf-8")))
    assert seen == ["of yesterday\n"] * 2
    assert len(target.read_text("utf-8").splitlines()) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_a_batch_that_is_killed_leaves_the_old_output(new_home: Path, tmp_path: Path) -> None:
    """`kill -9` while the second line is being answered: the file of yesterday is still there, complete."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(line(number, PRICE) for number in range(50)), encoding="utf-8")
    target.write_text("of yesterday\n", encoding="utf-8")
    with FakeOpenAIServer("The Everest Down Jacket costs $349.00 [1].") as server:
        server.token_delay_s = 0.1
        environment = os.environ | {
            "SHOPBOT_HOME": str(new_home),
            "SHOPBOT_ENGINE": "openai",
            "SHOPBOT_MODEL": "fake",
            "SHOPBOT_OPENAI_BASE_URL": server.base_url,
        }
        command = [sys.executable, "-c", "from app.cli import main; main()", "ask", "--batch", source, "--out", target]
        with subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment, stderr=subprocess.PIPE) as run:
            ends = time.monotonic() + 90
            while len(server.requests) < 4 and run.poll() is None and time.monotonic() < ends:
                time.sleep(0.02)
            assert run.poll() is None, run.stderr and run.stderr.read()
            run.kill()
    assert len(server.requests) >= 4  # one to warm up, and the batch had begun
    assert target.read_text(encoding="utf-8") == "of yesterday\n"


# ---------------------------------------------------------------- search


def searched(assistant: Any, tmp_path: Path, k: int, *lines: str) -> tuple[int, list[dict[str, Any]]]:
    services = assistant().services
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    failed = search_batch(services.store, services.deps.weights, source, target, k, nothing)
    return failed, [json.loads(row) for row in target.read_text(encoding="utf-8").splitlines()]


def test_a_search_returns_k_products_best_first(assistant: Any, tmp_path: Path) -> None:
    failed, (row,) = searched(assistant, tmp_path, 100, json.dumps({"id": 1, "query": "warm down jacket"}))
    assert failed == 0
    assert row.keys() == {"id", "results"}
    assert {frozenset(hit) for hit in row["results"]} == {frozenset({"id", "score"})}
    ids, scores = [hit["id"] for hit in row["results"]], [hit["score"] for hit in row["results"]]
    assert (len(ids), len(set(ids))) == (100, 100)
    assert scores == sorted(scores, reverse=True)
    assert all(math.isfinite(score) for score in scores)


def test_a_batch_finds_what_a_single_search_finds(assistant: Any, tmp_path: Path) -> None:
    services = assistant().services
    query = "tent for two in the wind"
    hits = search_products(services.store.catalog.active(), services.store.embedder, query, 7, services.deps.weights)
    _, (row,) = searched(assistant, tmp_path, 7, json.dumps({"id": "x", "query": query}))
    assert row == {"id": "x", "results": [{"id": hit.id, "score": hit.score} for hit in hits]}


def test_a_broken_query_is_an_error_in_its_place(assistant: Any, tmp_path: Path) -> None:
    lines = ['{"id": 1, "query": "tent"}', '{"id": 2}', '{"id": 3, "query": 5}', '{"id": 4, "query": ""}']
    failed, rows = searched(assistant, tmp_path, 3, *lines)
    assert [row["id"] for row in rows] == [1, 2, 3, 4]
    assert rows[1]["error"] == {"type": "InputError", "message": "query: Field required", "line": 2}
    assert "results" in rows[2]  # numbers are taken as text, as with ids
    assert rows[3]["results"] == []
    assert failed == 1


def test_a_query_of_broken_text_fails_its_line_at_most(assistant: Any, tmp_path: Path) -> None:
    _, (broken, whole) = searched(assistant, tmp_path, 3, '{"id": 1, "query": "\\ud800"}', '{"id": 2, "query": "tent"}')
    assert "results" in broken or broken["error"]["type"] == "InputError"
    assert len(whole["results"]) == 3
