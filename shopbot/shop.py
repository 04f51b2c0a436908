"""A shop's folder: everything that makes the assistant this shop's and no other's, as text files.

shop.yaml               name, currency, locale, contact ...
policies/*.md           front matter (id, title, summary), then `## Heading {#policy.section}` and Markdown
policies/questions.yaml section id -> questions that customers ask about it
size_guides/*.md        as policies; optional
voice.md                how the shop sounds
promotions.yaml         dated offers
routes.yaml             example messages by route, of orders by what is wanted
order_rules.yaml        where the policies say the figures that decisions about orders follow
delivery.yaml           where the policies say what delivery costs, and how long it takes; optional
fields.yaml             how customers ask for each field of a record, and for what no record says; optional
phrases.yaml            the assistant's fixed phrases, with {placeholders}
courtesies.yaml         sentences that claim nothing, which a tuned model may use; optional
training/               what a tuned model is trained on besides: conversations, patterns; optional
adapter/                the tuned model: a LoRA adapter with its card; optional
catalog.jsonl           the catalog feed
customers.jsonl         sample customers, and
orders.jsonl            their orders; both optional
pictures/
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, field_validator

from shopbot.errors import ConfigError, InputError
from shopbot.money import currency_precision
from shopbot.types import Frozen, PolicySection, Promotion

RouteLabel = Annotated[str, StringConstraints(pattern=r"^(product|policy|promotion|handoff|other|order(\.[a-z]+)?)$")]
"""Who handles a message; of orders also what is wanted of them: order.status, order.cancel ..."""
Parsed = TypeVar("Parsed")

FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^## (?P<heading>.+?)(?: *\{#(?P<id>[^}]*)\})?[ \t]*$", re.MULTILINE)
SECTION_ID = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")


class Contact(Frozen):
    email: str
    phone: str
    hours: str


class ShopConfig(Frozen):
    """The contents of shop.yaml; currency, locale and timezone are known to exist."""

    name: str
    tagline: str
    assistant_name: str
    about: str | None = None
    currency: str
    locale: str
    languages: tuple[str, ...]
    timezone: str
    contact: Contact
    address: dict[str, str]
    website: str
    lines: tuple[str, ...] = ()
    sample_questions: tuple[str, ...]
    greeting: str

    @field_validator("currency")
    @classmethod
    def _check_currency(cls, value: str) -> str:
        try:
            currency_precision(value)
        except InputError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("locale")
    @classmethod
    def _check_locale(cls, value: str) -> str:
        from babel import Locale, UnknownLocaleError

        try:
            Locale.parse(value.replace("-", "_"))
        except UnknownLocaleError as error:
            raise ValueError(f"{value!r} is not a locale such as en-US") from error
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(value)
        except ZoneInfoNotFoundError as error:
            raise ValueError(f"{value!r} is not a time zone such as America/Denver") from error
        return value


class FieldQuestions(Frozen):
    """How customers ask for a field; {name} stands for the product's name, {option} for a size or a colour.

    Follow-ups name nothing: they ask for more in the same message, or in the next one.
    """

    questions: tuple[str, ...] = Field(min_length=1)
    follow_ups: tuple[str, ...] = ()


class Unknown(Frozen):
    """Something that records often do not say: `word` must not stand in the record, `what` is how it is called.

    `kind` limits it to products of some categories (training/patterns.yaml: kinds); "any" fits all.
    """

    ask: str
    what: str
    word: str
    kind: str = "any"


class Questions(Frozen):
    """fields.yaml."""

    fields: dict[str, FieldQuestions] = Field(default_factory=dict)
    unknown: tuple[Unknown, ...] = ()


class PolicyDocument(Frozen):
    """The front matter of one policy or size guide; its sections carry its id in `policy`."""

    id: str
    title: str
    summary: str


class Shop(Frozen):
    """A shop as its folder describes it; `policies` holds the size guides' sections too, in file order."""

    folder: Path
    config: ShopConfig
    documents: tuple[PolicyDocument, ...]
    policies: tuple[PolicySection, ...]
    promotions: tuple[Promotion, ...]
    routes: dict[RouteLabel, tuple[str, ...]]
    questions: Questions = Questions()
    phrases: dict[str, str]
    courtesies: tuple[str, ...] = ()
    voice: str

    @property
    def catalog_feed(self) -> Path:
        return self.folder / "catalog.jsonl"

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @property
    def customers(self) -> Path:
        return self.folder / "customers.jsonl"

    @property
    def orders(self) -> Path:
        return self.folder / "orders.jsonl"

    @property
    def order_rules(self) -> Path:
        return self.folder / "order_rules.yaml"

    @property
    def delivery(self) -> Path:
        return self.folder / "delivery.yaml"

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"


def load_shop(folder: Path) -> Shop:
    """Read a shop's folder; the catalog feed is only named, not read.

    Raises ConfigError naming the file and the key or section that is wrong.
    """
    documents, sections = _read_documents(folder)
    return Shop(
        folder=folder,
        config=parse_yaml(folder / "shop.yaml", TypeAdapter(ShopConfig)),
        documents=documents,
        policies=_with_questions(folder / "policies" / "questions.yaml", sections),
        promotions=_read_promotions(folder / "promotions.yaml"),
        routes=parse_yaml(
            folder / "routes.yaml", TypeAdapter(dict[RouteLabel, tuple[str, ...]]), optional=True, empty={}
        ),
        questions=parse_yaml(folder / "fields.yaml", TypeAdapter(Questions), optional=True, empty={}),
        phrases=parse_yaml(folder / "phrases.yaml", TypeAdapter(dict[str, str]), optional=True, empty={}),
        courtesies=parse_yaml(folder / "courtesies.yaml", TypeAdapter(tuple[str, ...]), optional=True),
        voice=_read_text(folder / "voice.md"),
    )


def _read_documents(folder: Path) -> tuple[tuple[PolicyDocument, ...], tuple[PolicySection, ...]]:
    paths = [*sorted((folder / "policies").glob("*.md")), *sorted((folder / "size_guides").glob("*.md"))]
    if not paths:
        raise ConfigError(f"{folder / 'policies'}: no policy (*.md) found")
    documents: list[PolicyDocument] = []
    sections: dict[str, PolicySection] = {}
    for path in paths:
        document, found = _read_document(path)
        documents.append(document)
        for section in found:
            if section.id in sections:
                raise ConfigError(f"{path}: section id '{section.id}' is used twice")
            sections[section.id] = section
    return tuple(documents), tuple(sections.values())


def _read_document(path: Path) -> tuple[PolicyDocument, list[PolicySection]]:
    text = _read_text(path).replace("\r\n", "\n")
    front = FRONT_MATTER.match(text)
    if front is None:
        raise ConfigError(f"{path}: must start with front matter (id, title, summary) between two lines '---'")
    document = _validated(path, TypeAdapter(PolicyDocument), _load_yaml(path, front[1]))
    return document, list(_split_sections(path, document.id, text[front.end() :]))


def _split_sections(path: Path, policy: str, body: str) -> Iterator[PolicySection]:
    headings = list(HEADING.finditer(body))
    if not headings:
        raise ConfigError(f"{path}: has no section ('## Heading {{#{policy}.name}}')")
    if body[: headings[0].start()].strip():
        raise ConfigError(f"{path}: text before the first section would never be found; give it a heading")
    ends = [*(heading.start() for heading in headings[1:]), len(body)]
    for heading, end in zip(headings, ends, strict=True):
        text = body[heading.end() : end].strip()
        section = _checked_id(path, policy, heading)
        if not text:
            raise ConfigError(f"{path}: section '{section}' is empty")
        yield PolicySection(id=section, policy=policy, heading=heading["heading"], text=text)


def _checked_id(path: Path, policy: str, heading: re.Match[str]) -> str:
    found = heading["id"]
    if not found:
        raise ConfigError(f"{path}: section '{heading['heading']}' has no id; write {{#{policy}.name}} after it")
    if not SECTION_ID.fullmatch(found) or not found.startswith(f"{policy}."):
        raise ConfigError(f"{path}: section id '{found}' must be '{policy}.' and then a-z, 0-9, '-': it is cited")
    return found


def _with_questions(path: Path, sections: Iterable[PolicySection]) -> tuple[PolicySection, ...]:
    questions = parse_yaml(path, TypeAdapter(dict[str, tuple[str, ...]]))
    found = {section.id: section for section in sections}
    if unknown := [section_id for section_id in questions if section_id not in found]:
        raise ConfigError(f"{path}: questions for unknown section '{unknown[0]}'")
    return tuple(section.model_copy(update={"questions": questions.get(section.id, ())}) for section in found.values())


def _read_promotions(path: Path) -> tuple[Promotion, ...]:
    found = parse_yaml(path, TypeAdapter(dict[Literal["promotions"], tuple[Promotion, ...]]))
    promotions = found.get("promotions", ())
    for promotion in promotions:
        if promotion.ends < promotion.starts:
            raise ConfigError(f"{path}: promotion '{promotion.id}' ends before it starts")
    if twice := [key for key, count in Counter(item.id for item in promotions).items() if count > 1]:
        raise ConfigError(f"{path}: promotion id '{twice[0]}' is used twice")
    return promotions


def parse_yaml(path: Path, adapter: TypeAdapter[Parsed], *, optional: bool = False, empty: object = ()) -> Parsed:
    """Read a file of a shop's folder; `empty` is what an optional one holds where there is none.

    Raises ConfigError naming the file and what is wrong with it.
    """
    if optional and not path.exists():
        return _validated(path, adapter, empty)
    loaded = _load_yaml(path, _read_text(path))
    return _validated(path, adapter, {} if loaded is None else loaded)


def _validated(path: Path, adapter: TypeAdapter[Parsed], value: object) -> Parsed:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problems = "; ".join(
            f"key '{'.'.join(str(part) for part in item['loc'])}': {item['msg']}" for item in error.errors()
        )
        raise ConfigError(f"{path}: {problems}") from error


def _load_yaml(path: Path, text: str) -> Any:
    try:
        return yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: missing file") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start + 1})") from error


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # ten times as fast
    """YAML in which a key given twice is an error; the plain loader silently keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value in seen:
                problem = f"key {key_node.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if isinstance(key_node, yaml.ScalarNode):
                seen.add(key_node.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping
