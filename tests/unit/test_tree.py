"""The repository is what its documents say: the tree in the README, .env.example, and imports that cost nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shopbot.settings import PREFIX, REPOSITORY, TEST_PREFIXES, Settings

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"build", "dist", "node_modules"}


# ---------------------------------------------------------------- the tree in the README


def drawn_paths() -> set[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    drawing = re.search(r"<!-- tree -->\s*```text\n(.*?)```\s*<!-- /tree -->", readme, re.DOTALL)
    assert drawing, "README.md has no ```text block between <!-- tree --> and <!-- /tree -->"
    return {line.split()[0].rstrip("/") for line in drawing[1].splitlines() if line.strip()}


def folders() -> set[str]:
    """Top-level folders of the repository, and packages one level down; nothing hidden, nothing that git ignores."""
    top = {path for path in ROOT.iterdir() if path.is_dir() and _is_ours(path)}
    packages = {path.parent for folder in top for path in folder.glob("*/__init__.py")}
    return {path.relative_to(ROOT).as_posix() for path in top | packages}


def _is_ours(path: Path) -> bool:
    hidden = path.name.startswith((".", "_")) and path.name != ".ci"
    return not hidden and path.name not in NOT_OURS and not path.name.endswith(".egg-info")


def test_every_folder_and_package_stands_in_the_readme_tree() -> None:
    assert folders() - drawn_paths() == set()


def test_every_path_in_the_readme_tree_exists() -> None:
    assert [path for path in sorted(drawn_paths()) if not (ROOT / path).exists()] == []


# ---------------------------------------------------------------- settings and where they are named


def written(field: FieldInfo) -> str:
    """A default as `.env.example` shows it: secrets and paths as they would be typed, nothing for none."""
    default = field.default
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, Path) and default.is_relative_to(REPOSITORY):
        return default.relative_to(REPOSITORY).as_posix()
    return str(default)


def test_env_example_lists_exactly_the_settings_with_their_defaults_and_meaning() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = {
        match[1]: (match[2], lines[number - 1].removeprefix("# "))
        for number, line in enumerate(lines)
        if (match := re.fullmatch(rf"# ?({PREFIX}\w+)=(.*)", line))
    }
    assert found == {
        f"{PREFIX}{name.upper()}": (written(field), field.description) for name, field in Settings.model_fields.items()
    }


def test_env_example_sets_nothing_by_itself() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []


@pytest.mark.parametrize(
    "name", ["docker-compose.yml", "Dockerfile", "Makefile", ".ci/run", "README.md", "tests/components.sh"]
)
def test_no_file_names_a_setting_that_does_not_exist(name: str) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", (ROOT / name).read_text(encoding="utf-8")))
    settings = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert {variable for variable in named - settings if not variable.startswith(TEST_PREFIXES)} == set()


# ---------------------------------------------------------------- imports

HEAVY = ("torch", "openvino_genai", "streamlit", "transformers", "sentence_transformers", "chromadb", "openai")


@pytest.mark.parametrize("package", ["shopbot", "graph", "ingest", "app.cli"])
def test_importing_a_package_loads_no_model_library(package: str) -> None:
    """`shopbot --help`, a test, a migration: none of them has to wait for torch."""
    names = modules_of(package)
    code = f"import sys\nfor name in {names}: __import__(name)\nprint(*sorted(set({HEAVY}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("module", ["shopbot.adapters", "shopbot.chat_format", "shopbot.prompts"])
def test_a_module_can_be_imported_before_all_others(module: str) -> None:
    """These once imported each other in a circle."""
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, capture_output=True, check=True)


def modules_of(package: str) -> list[str]:
    """All modules of a package, but those of an engine, which are imported when it is built."""
    if "." in package:
        return [package]
    engines = {"shopbot.chat_models.openvino", "shopbot.chat_models.transformers", "shopbot.chat_models.convert"}
    files = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return [name for name in names if name not in engines and ".migrations" not in name]
