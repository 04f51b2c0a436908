"""The command line: help that helps, errors in one line and exit code 2, results that other programs can read."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import typer

from app import cli
from tests.fakes import FakeOpenAIServer
from tests.integration.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
EVEREST = "CO-0101"
PRICE = "How much is the Everest Down Jacket?"
ANSWER = "The Everest Down Jacket costs $349.00 [1]."


@pytest.fixture
def server() -> Iterator[FakeOpenAIServer]:
    with FakeOpenAIServer(ANSWER) as running:
        yield running


def remote(server: FakeOpenAIServer) -> dict[str, object]:
    """Settings for a model that needs no loading."""
    return {"engine": "openai", "model": "fake", "openai_base_url": server.base_url}


# ---------------------------------------------------------------- help


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


COMMANDS = dict(commands(typer.main.get_command(cli.app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...], run: Run) -> None:
    code, output, _ = run(*path, "--help")
    assert code == 0
    assert "Usage: " in output
    command = COMMANDS[path]
    assert command.help
    assert command.help.split(".")[0].split("\n")[0][:40] in output
    assert [name for name in getattr(command, "commands", {}) if name not in output] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    described = {parameter.name: getattr(parameter, "help", None) for parameter in COMMANDS[path].params}
    assert [name for name, text in described.items() if not text and name != "help"] == []


def test_the_commands_of_the_documentation_exist() -> None:
    expected = {"ask", "search", "serve", "doctor", "bench", "ingest", "facts"}
    assert {path[0] for path in COMMANDS if len(path) == 1} >= expected
    assert {("ingest", "run"), ("facts", "set")} <= COMMANDS.keys()


# ---------------------------------------------------------------- errors


def one_line(errors: str) -> str:
    (line,) = errors.strip().splitlines()
    assert "Traceback" not in errors
    return line


@pytest.mark.parametrize("command", [["doctor"], ["serve"], ["ask", "hi"], ["search", "tent"], ["ingest", "run"]])
def test_a_wrong_setting_ends_every_command_in_one_line(command: list[str], run: Run) -> None:
    code, output, errors = run(*command, port="http")
    assert (code, output) == (2, "")
    assert one_line(errors).startswith("ConfigError: settings: SHOPBOT_PORT: Input should be a valid integer")


def test_a_variable_that_nobody_reads_ends_a_command_in_one_line(run: Run) -> None:
    code, _, errors = run("doctor", hoem="/srv")
    assert code == 2
    assert one_line(errors) == "ConfigError: settings: SHOPBOT_HOEM: no such setting; did you mean SHOPBOT_HOME?"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask"], "InputError: text: give a question, or a file with --batch IN --out OUT"),
        (["ask", "hi", "--batch", "in.jsonl"], "InputError: text: give a question, or"),
        (["ask", "--batch", "in.jsonl"], "InputError: out: --batch needs --out FILE"),
        (["ask", "--batch", "nowhere.jsonl", "--out", "out.jsonl"], "InputError: batch: there is no file nowhere"),
        (["ask", "--batch", "in.jsonl", "--out", "no/out.jsonl"], "InputError: out: there is no folder "),
        (["search"], "InputError: text: give a query, or a file with --batch IN --out OUT"),
        (["search", "--batch", "in.jsonl"], "InputError: out: --batch needs --out FILE"),
        (["search", "--batch", "nowhere.jsonl", "--out", "o"], "InputError: batch: there is no file nowhere"),
    ],
)
def test_a_wrong_use_ends_in_one_line_before_anything_is_loaded(
    arguments: list[str], said: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text("{}", encoding="utf-8")
    code, output, errors = run(*arguments)
    assert (code, output) == (2, "")
    assert one_line(errors).startswith(said)
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_made_ends_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, errors = run("facts", "set", "x.jsonl", home=tmp_path / "file" / "home")
    assert code == 2
    assert one_line(errors).startswith("ConfigError: home ")


def test_a_shop_that_is_not_there_ends_in_one_line(run: Run, tmp_path: Path) -> None:
    code, _, errors = run("search", "tent", shop=tmp_path / "nowhere")
    assert code == 2
    assert one_line(errors).startswith("ConfigError: ")
    assert "nowhere" in errors


@pytest.mark.model
def test_a_file_of_facts_that_is_not_there_ends_in_one_line(run: Run, new_home: Path) -> None:
    code, _, errors = run("facts", "set", "nowhere.jsonl", home=new_home)
    assert code == 2
    assert one_line(errors).startswith("ConfigError: nowhere.jsonl: cannot be read")


def test_an_option_that_does_not_exist_is_a_wrong_use(run: Run) -> None:
    code, _, errors = run("ask", "--temperature", "1", "hi")
    assert code == 2
    assert "No such option" in errors


# ---------------------------------------------------------------- ask, search, facts, ingest


@pytest.mark.model
def test_ask_prints_the_answer_and_its_sources(run: Run, server: FakeOpenAIServer, new_home: Path) -> None:
    code, output, _ = run("ask", PRICE, home=new_home, **remote(server))
    answer, source = output.splitlines()
    assert code == 0
    assert answer == ANSWER
    assert source.startswith(f"  [1] fact {EVEREST}, as of 20")


@pytest.mark.model
def test_ask_as_json_prints_the_whole_result_and_nothing_else(
    run: Run, server: FakeOpenAIServer, new_home: Path
) -> None:
    code, output, _ = run("ask", PRICE, "--json", home=new_home, **remote(server))
    result = json.loads(output)
    assert code == 0
    assert (result["answer"], result["product_ids"], result["verdict"]) == (ANSWER, [EVEREST], "passed")


@pytest.mark.model
def test_an_arm_that_is_not_there_yet_ends_in_one_line(run: Run, server: FakeOpenAIServer, new_home: Path) -> None:
    code, output, errors = run("ask", PRICE, "--arm", "tuned", home=new_home, **remote(server))
    assert (code, output) == (2, "")
    assert one_line(errors).startswith("NotAvailable: arm='tuned' is not available yet")


@pytest.mark.model
@pytest.mark.parametrize(("bad_lines", "expected"), [([], 0), (["{broken"], 1)])
def test_a_batch_ends_with_1_if_a_line_could_not_be_served(
    bad_lines: list[str], expected: int, run: Run, server: FakeOpenAIServer, new_home: Path, tmp_path: Path
) -> None:
    question = json.dumps({"id": 1, "messages": [{"role": "user", "content": PRICE}]})
    (tmp_path / "in.jsonl").write_text("\n".join([question, *bad_lines]), encoding="utf-8")
    code, _, errors = run("ask", "--batch", "in.jsonl", "--out", "out.jsonl", home=new_home, **remote(server))
    rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert code == expected
    assert len(rows) == 1 + len(bad_lines)
    assert rows[0]["answer"] == ANSWER
    assert ("1 line(s) could not be served" in errors) == bool(bad_lines)


@pytest.mark.model
def test_search_prints_scores_ids_and_titles(run: Run, new_home: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 7, "query": "everest down jacket"}', encoding="utf-8")
    code, output, _ = run("search", "everest down jacket", "--k", "3", home=new_home)
    lines = [line.split(maxsplit=2) for line in output.splitlines()]
    assert code == 0
    assert len(lines) == 3
    assert lines[0][1:] == [EVEREST, "Everest Down Jacket"]
    code, _, _ = run("search", "--batch", "in.jsonl", "--k", "100", "--out", "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert (code, row["id"], len(row["results"]), row["results"][0]["id"]) == (0, 7, 100, EVEREST)


@pytest.mark.model
def test_facts_set_changes_the_next_answer_and_no_version(
    run: Run, server: FakeOpenAIServer, new_home: Path, tmp_path: Path
) -> None:
    server.reply = "Nonsense."
    _, before, _ = run("ask", PRICE, "--json", home=new_home, **remote(server))
    versions = sorted(path.name for path in (new_home / "index").iterdir())
    (tmp_path / "facts.jsonl").write_text(f'{{"id": "{EVEREST}", "price": 359.5}}\n', encoding="utf-8")
    code, output, _ = run("facts", "set", "facts.jsonl")
    assert (code, output) == (0, "1 facts applied\n")
    _, after, _ = run("ask", PRICE, "--json")
    assert "$349.00" in json.loads(before)["answer"]
    assert "$359.50" in json.loads(after)["answer"]
    assert json.loads(after)["catalog_version"] == json.loads(before)["catalog_version"]
    assert sorted(path.name for path in (new_home / "index").iterdir()) == versions
    assert versions == [json.loads(before)["catalog_version"]]


@pytest.mark.model
def test_wrong_facts_are_all_named_and_none_is_applied(run: Run, new_home: Path, tmp_path: Path) -> None:
    rows = [f'{{"id": "{EVEREST}", "price": 1}}', '{"id": "nobody", "price": 1}', "not json"]
    (tmp_path / "facts.jsonl").write_text("\n".join(rows), encoding="utf-8")
    code, output, errors = run("facts", "set", "facts.jsonl", home=new_home)
    assert (code, output) == (2, "")
    first, *rest = errors.strip().splitlines()
    assert first.startswith("FeedError: facts.jsonl: 2 row error(s)")
    assert [line.split(",")[0].strip() for line in rest] == ["line 2", "line 3"]


@pytest.mark.model
def test_ingesting_the_same_feed_again_changes_nothing(run: Run, new_home: Path) -> None:
    code, output, _ = run("ingest", "run", home=new_home)
    assert code == 0
    assert output.startswith("unchanged: 244 products")


# ---------------------------------------------------------------- doctor


def findings(errors: str) -> dict[str, str]:
    """Name of the finding -> ok, missing or absent."""
    lines = [line.split(maxsplit=1) for line in errors.splitlines() if line.startswith(("ok", "missing", "absent"))]
    return {rest.split(":")[0]: mark for mark, rest in lines}


@pytest.mark.model
def test_doctor_finds_everything_in_a_home_that_is_set_up(run: Run, new_home: Path) -> None:
    code, _, errors = run("doctor", home=new_home)
    assert code == 0
    assert findings(errors) == dict.fromkeys(["embedder", "model", "chroma", "shop and database", "catalog"], "ok")
    assert "244 products" in errors


@pytest.mark.model
def test_doctor_does_not_mind_a_home_that_is_still_empty(run: Run) -> None:
    """A catalog publishes itself on the first start; it is absent, not missing."""
    code, _, errors = run("doctor")
    assert code == 0
    assert findings(errors)["catalog"] == "absent"
    assert "shopbot ingest run" in errors


@pytest.mark.model
def test_doctor_finds_the_model_of_a_server(run: Run, server: FakeOpenAIServer, new_home: Path) -> None:
    code, _, errors = run("doctor", home=new_home, **remote(server))
    assert (code, findings(errors)["model"]) == (0, "ok")
    assert f"{server.base_url} serves fake" in errors
    _, _, errors = run("doctor", model="another")
    assert "lists fake; is SHOPBOT_MODEL right?" in errors


class _Odd(BaseHTTPRequestHandler):
    """Answers 200 with what no model server says."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Please log in</html>")

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def odd_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Odd)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


MISSING: dict[str, tuple[dict[str, object], str]] = {
    "a model server that is gone": ({"engine": "openai", "openai_base_url": "http://127.0.0.1:9/v1"}, "model"),
    "no address of a model server": ({"engine": "openai"}, "model"),
    "an address that is none": ({"engine": "openai", "openai_base_url": "http://[::1"}, "model"),
    "a GGUF file that is not there": ({"model": "/nowhere/model.gguf"}, "model"),
    "a Chroma server that is gone": ({"chroma_url": "http://127.0.0.1:9"}, "chroma"),
    "a shop that is not there": ({"shop": "/nowhere"}, "shop and database"),
    "an embedder that is not there": ({"embedder": "/nowhere"}, "embedder"),
}


@pytest.mark.model
@pytest.mark.parametrize(("variables", "name"), MISSING.values(), ids=MISSING)
def test_doctor_names_what_is_missing_and_ends_with_1(
    variables: dict[str, object], name: str, run: Run, new_home: Path
) -> None:
    code, _, errors = run("doctor", home=new_home, **variables)
    assert code == 1
    assert findings(errors)[name] == "missing"
    assert "Traceback" not in errors


@pytest.mark.model
def test_doctor_is_not_taken_in_by_a_page_in_the_models_place(run: Run, odd_server: str, new_home: Path) -> None:
    code, _, errors = run("doctor", home=new_home, engine="openai", openai_base_url=odd_server)
    assert (code, findings(errors)["model"]) == (1, "missing")
