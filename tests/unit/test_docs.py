"""What the documents say about the repository holds: the diagram, the modules in the tree, the files they point to."""

import re
from pathlib import Path

import pytest

from graph.build import build_graph

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
PACKAGES = ("shopbot", "graph", "ingest", "finetune", "evals", "app")
TREE = re.compile(r"<!-- tree -->\s*```text\n(.*?)```\s*<!-- /tree -->", re.DOTALL)
DIAGRAM = re.compile(r"<!-- graph -->\s*```mermaid\n(.*?)```\s*<!-- /graph -->", re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:)([^)\s]*)\)")
NAMED_FILE = re.compile(r"`((?:shopbot|graph|ingest|finetune|evals|app|tests|docs|data/cairn)/[\w./-]+\.\w+)`")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def found(pattern: re.Pattern[str], document: str) -> str:
    match = pattern.search((ROOT / document).read_text(encoding="utf-8"))
    assert match, f"{document} has no block for {pattern.pattern}"
    return match[1].strip()


def headings(document: Path) -> set[str]:
    """Anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def leads_somewhere(target: str, document: Path) -> bool:
    path, _, anchor = target.partition("#")
    file = (document.parent / path).resolve() if path else document
    return file.exists() and (not anchor or anchor in headings(file))


def test_the_diagram_in_the_documentation_is_the_compiled_graph() -> None:
    drawn = build_graph().get_graph().draw_mermaid().strip()
    assert found(DIAGRAM, "docs/architecture.md") == drawn, f"paste into docs/architecture.md:\n{drawn}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_its_line_in_the_readme_tree(package: str) -> None:
    named = [line.split()[0].rstrip("/") for line in found(TREE, "README.md").splitlines() if line.strip()]
    drawn = set(named)
    assert len(named) == len(drawn)
    modules = {relative(path) for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"}
    assert {module for module in modules - drawn if "/migrations/" not in module} == set()


def test_every_line_of_the_readme_tree_says_what_it_is_about() -> None:
    lines = [line for line in found(TREE, "README.md").splitlines() if line.strip()]
    assert [line for line in lines if len(line.split()) < 2] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    assert [target for target in targets if not leads_somewhere(target, document)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_file_named_in_a_document_exists(document: Path) -> None:
    named = NAMED_FILE.findall(document.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_target_that_a_document_names_is_in_the_makefile() -> None:
    """Commands to run, between back quotes or on a line of their own."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    texts = {document: document.read_text(encoding="utf-8") for document in DOCUMENTS}
    named = {name for text in texts.values() for name in re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)}
    assert {"demo", "test", "soak"} <= named
    assert named - targets == set()
