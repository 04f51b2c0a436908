"""`shopbot routes` and `shopbot route`, and what is decided before a model writes, on the real embedder."""

import json
from pathlib import Path

import pytest

from evals.cases import FOLDER, SETS, read_cases
from evals.labelled import read_labelled
from evals.reading import RIGHT_ROUTE, find_all, table
from finetune.checks import LEAK_COSINE
from tests.conftest import MakeAssistant, nothing
from tests.integration.conftest import Run

pytestmark = pytest.mark.model

MESSAGES = {
    "track": ["where is my parcel", "has my order shipped", "when does the box arrive", "track my package"],
    "greet": ["hello", "good morning", "hi there", "hey"],
    "refund": ["give me my money back", "when do I get the refund", "refund please", "my refund has not come"],
}


@pytest.fixture
def shopbot(run: Run, new_home: Path) -> Run:
    """`run` in a home that has the sample catalog, with the classifier that was fitted for it."""
    return lambda *arguments: run(*arguments, home=new_home, cache=new_home / "cache")


def labelled(path: Path, places: slice) -> Path:
    rows = [f"{text},{intent}" for intent, texts in MESSAGES.items() for text in texts[places]]
    path.write_text("\n".join(["utterance,intent", *rows]), encoding="utf-8")
    return path


def test_a_labelled_file_is_fitted_and_another_one_measured(shopbot: Run, tmp_path: Path) -> None:
    train, test = labelled(tmp_path / "train.csv", slice(3)), labelled(tmp_path / "test.csv", slice(3, 4))
    outside = tmp_path / "outside.txt"
    outside.write_text("the mitochondria is the powerhouse of the cell\n\n", encoding="utf-8")
    code, told, _ = shopbot("routes", "fit", train, "--model", "fitted/model.npz")
    assert (code, "3 intents from 9 messages" in told) == (0, True)
    code, told, _ = shopbot(
        "routes", "eval", test, "--model", "fitted/model.npz", "--outside", outside, "--out", tmp_path / "out"
    )
    assert code == 0
    assert "| accuracy | 100.0% " in told
    assert "| macro-F1 | 1.000 |" in told
    assert "| 100.0% (100.0% to 100.0%) of 1, threshold" in told
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["confusion.png", "routes.md"]


def test_a_model_that_is_not_there_is_named_with_the_command_that_makes_it(shopbot: Run, tmp_path: Path) -> None:
    code, _, said = shopbot("routes", "eval", labelled(tmp_path / "test.csv", slice(1)), "--model", "none.npz")
    assert code == 2
    assert "none.npz: no such file; fit one first: shopbot routes fit" in said


def test_files_that_are_no_such_files_are_named(shopbot: Run, tmp_path: Path) -> None:
    """A model that is a text, and messages that are none."""
    test, broken = labelled(tmp_path / "test.csv", slice(1)), tmp_path / "broken"
    broken.write_bytes(b"caf\xe9")
    code, _, said = shopbot("routes", "eval", test, "--model", broken)
    assert (code, "is no fitted classifier; fit it again" in said) == (2, True)
    shopbot("routes", "fit", test, "--model", "model.npz")
    code, _, said = shopbot("routes", "eval", test, "--model", "model.npz", "--outside", broken)
    assert (code, "cannot be read as text in UTF-8" in said) == (2, True)


def test_one_intent_alone_is_refused(shopbot: Run, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("utterance,intent\nhi,greet\nhello,greet\n", encoding="utf-8")
    code, _, said = shopbot("routes", "fit", path, "--model", "model.npz")
    assert (code, "nothing to tell apart" in said) == (2, True)
    assert not Path("model.npz").exists()


def test_a_message_is_routed_and_a_file_of_them(shopbot: Run, tmp_path: Path) -> None:
    code, told, _ = shopbot("route", "how long can I wait with sending the jacket back?")
    assert (code, told.split()[0]) == (0, "policy")
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [
        {"id": "a", "messages": [{"role": "user", "content": "How much is the Everest Down Jacket?"}]},
        {"id": "b", "messages": [{"role": "user", "content": "where is my order 10482?"}]},
        {"id": "c", "messages": [{"role": "user", "content": "???"}]},
        {"id": "d", "messages": [{"role": "assistant", "content": "hello"}]},
    ]
    source.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    code, _, _ = shopbot("route", "--batch", source, "--out", target)
    found = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert code != 0  # the last line cannot be served
    assert [line.get("route") for line in found] == ["product", "order", "other", None]
    assert found[0]["scores"]["product"] == max(found[0]["scores"].values())
    assert found[2]["scores"] == {}
    assert found[3]["error"]["type"] == "InputError"


def test_what_is_read_of_cases_is_told_with_intervals(assistant: MakeAssistant) -> None:
    cases = [case for name in RIGHT_ROUTE for case in read_cases("development", (name,))[:6]]
    found = find_all(assistant().services.deps, cases, nothing)
    assert [item.case for item in found] == cases
    by_slice = {name: [item for item in found if item.case.slice == name] for name in RIGHT_ROUTE}
    assert all(item.place is not None for item in by_slice["policy"])
    assert all(item.product for item in by_slice["facts"])
    assert all(item.place is None and item.product is None for item in by_slice["out_of_scope"])
    told = table(found)
    assert "| right section first | 6 |" in told
    assert "| right route: facts | 6 | 100.0% (100% to 100%) |" in told


@pytest.mark.parametrize("name", SETS)
def test_no_message_of_the_routes_is_phrased_like_an_example(assistant: MakeAssistant, name: str) -> None:
    """By its nearest example of any label; counted, not shown: what stands in the test set is not read."""
    deps = assistant().services.deps
    _, intents = deps.reader(deps.catalog.active())
    said = [row.utterance for row in read_labelled(FOLDER / name / "routes.csv")]
    planted = intents.wording.texts[-1]
    nearest = intents.read([*said, planted], deps.embedder.embed([*said, planted])).cosines.max(axis=1)
    assert nearest[-1] >= LEAK_COSINE
    leaked = int((nearest[:-1] >= LEAK_COSINE).sum())
    assert leaked == 0
