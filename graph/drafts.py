"""One draft of the model over what retrieval found, in the three ways in which a prompt can be laid out."""

import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace

from graph.asks import options_asked
from graph.deps import Turn
from graph.find import section_points
from graph.frames import Setting, check_frame
from graph.pen import Pen
from graph.state import Account, Lead, Point, State
from graph.turn import Sentence
from graph.verify import SILENT_ON, Check, Finding, check, is_true_silence, speaks_for
from shopbot.adapters import stale_sections
from shopbot.chat_format import as_cards, as_facts, as_sections, to_messages
from shopbot.chat_models import Timings
from shopbot.grammars import of_citations, of_references
from shopbot.language import completed_sentences, split_sentences, without_citations, words
from shopbot.prompts import RolePrompt
from shopbot.references import LIVE_NAMES, field_name, references, values_of
from shopbot.sections import alike
from shopbot.statements import Source, policy_source
from shopbot.types import Hit

# Texts of sections that are laid before the model where its memory failed.
MOST_TEXTS = 2
_NAMED_SECTION = re.compile(r"^\s*\[([a-z0-9-]+\.[a-z0-9-]+)\]\s*")
_NAMED_RECORD = re.compile(r"^\s*\[(\d{1,2})\]\s*")
_STEP_NUMBER = re.compile(r"\d+\.")  # the application numbers the steps itself


def draft_from_facts(points: Sequence[Point], state: State, turn: Turn, pen: Pen) -> None:
    """One generation over the points' statements; each sentence is held until it has passed."""
    sources = {point.source.number: point.source for point in points}
    account = state["account"]
    facts = as_facts((point.source.number, point.statement.text) for point in points)
    previous: Check | None = None
    for sentence in sentences_of(stream(turn.prompt(state["route"]), facts, state, turn)):
        outcome = check(sentence, sources, turn.lexicon, previous)
        previous = outcome if outcome.passed else previous
        if outcome.finding:
            account.findings.append(f"{outcome.finding.value}: {sentence}")
        elif outcome.source and not _already_said(sentence, account):
            pen.show_written(without_citations(sentence), outcome.source, outcome.statements)


def draft_from_cards(state: State, turn: Turn, pen: Pen) -> list[Point]:
    """One generation over whole records, whose values the answer refers to."""
    account, sources = state["account"], {source.number: source for source in state["sources"]}
    options = {number: options_asked(state["question"], source) for number, source in sources.items()}
    config = turn.deps.shop.config
    setting = Setting(sources, turn.lexicon, config.locale, options)
    previous: Source | None = None
    prompt = turn.prompt(state["route"])
    copied = {
        source.number: values_of((*asked.fields, *LIVE_NAMES), source, config.locale, options[source.number])
        for source in state["sources"]
        if prompt.values == "copied" and (asked := state["asked"].get(source.number))
    }
    cards = as_cards(state["sources"], state["asked"], copied)
    grammar = None if prompt.values == "copied" else of_references(state["sources"], state["asked"], options)
    for sentence in sentences_of(stream(prompt, cards, state, turn, grammar=grammar)):
        if _is_courtesy(sentence, turn):
            if _already_said(sentence, account):
                break  # a model that repeats itself has nothing more to say
            pen.show(Sentence(text=sentence, author="shop"))  # its words, whoever chose them
            continue
        if _says_lead(sentence, state) or _is_true_silence(sentence, state, turn):
            pen.show(Sentence(text=sentence, author="model"))
            continue
        outcome, text = _checked(sentence, setting, previous)
        if outcome.finding:
            account.findings.append(f"{outcome.finding.value}: {sentence}")
        elif outcome.source and not _already_said(text, account):
            pen.show_written(text, outcome.source, outcome.statements)
            previous = outcome.source
            if references(sentence):
                account.referred |= {(outcome.source.id, field_name(s.field)) for s in outcome.statements}
    return state["points"]


def draft_from_memory(state: State, turn: Turn, pen: Pen) -> list[Point]:
    """A policy from the model's weights, hinted at by section ids; where that fails, over the section's text.

    What has changed since the model learnt it is not asked from its weights.
    """
    if any(point.statement.field == "row" for point in state["points"]):
        return state["points"]  # rows of a chart are looked up; nobody learns them by heart
    hints = alike(state["sections"])
    sections = [turn.version.policies[hit.id] for hit in hints]
    if stale_sections(turn.model.learnt, sections):
        return draft_from_text(state, turn, pen) or state["points"]
    sources = {section.id: policy_source(1, section) for section in sections}
    hinted, grammar = as_sections(sources), of_citations(list(sources))
    pieces = stream(turn.prompt(state["route"]), hinted, state, turn, grammar=grammar)
    points = _recite(pieces, _NAMED_SECTION, sources, state, turn, pen)
    if points is None:
        state["account"].repaired = True
        points = draft_from_text(state, turn, pen)
    return state["points"] if points is None else points


def draft_from_text(state: State, turn: Turn, pen: Pen) -> list[Point] | None:
    """The same over the texts of the sections that may be meant."""
    sources = texts_of(state["sections"], turn)
    by_number = {str(source.number): source for source in sources}
    grammar = of_citations(list(by_number))
    pieces = stream(turn.prompt("policy_text"), as_cards(sources), state, turn, grammar=grammar)
    return _recite(pieces, _NAMED_RECORD, by_number, state, turn, pen)


def texts_of(hits: Sequence[Hit], turn: Turn) -> list[Source]:
    """The sections that may be meant, best first, as a prompt over their text numbers them."""
    sections = [turn.version.policies[hit.id] for hit in alike(hits)[:MOST_TEXTS]]
    return [policy_source(number, section) for number, section in enumerate(sections, start=1)]


def _recite(
    pieces: Generator[str], named: re.Pattern[str], sources: dict[str, Source], state: State, turn: Turn, pen: Pen
) -> list[Point] | None:
    """Show the sentences that stand in the section that the reply names, as far as they answer the question.

    Returns the points of that section; None if not even the reply's first sentence stands in it.
    """
    account = state["account"]
    source: Source | None = None
    points: list[Point] = []
    previous: Check | None = None
    # Both: a draft that is given up has to free the engine at once, for the next one.
    with closing(pieces), closing(sentences_of(pieces)) as sentences:
        for sentence in sentences:
            if _STEP_NUMBER.fullmatch(sentence):
                continue
            if _is_courtesy(sentence, turn):
                if _already_said(sentence, account):
                    break
                pen.show(Sentence(text=sentence, author="shop"))
                continue
            if (match := named.match(sentence)) is not None:
                source = sources.get(match[1])
                points = _points_of(source, state, turn)
                sentence = sentence[match.end() :]
            outcome = _recited(sentence, source, turn, previous)
            if outcome.finding or source is None:
                account.findings.append(f"{(outcome.finding or Finding.SECTION).value}: {sentence}")
                if previous is None:
                    return None
                continue
            previous = outcome
            answers = any(point.statement in outcome.statements for point in points)
            if answers and not _already_said(sentence, account):
                pen.show_written(sentence, source, outcome.statements)
    return points if previous else None


def _points_of(source: Source | None, state: State, turn: Turn) -> list[Point]:
    """What a section has to say to the question; retrieval has done it for the one that it found first."""
    if source is None or source.id == state["points"][0].source.id:
        return state["points"]
    return section_points(source.id, state["question"], state["utterance"].vector, turn)


def _recited(sentence: str, source: Source | None, turn: Turn, previous: Check | None) -> Check:
    if source is None:
        return Check(None, finding=Finding.SECTION)
    return check(sentence, {source.number: source}, turn.lexicon, previous)


def _checked(sentence: str, setting: Setting, previous: Source | None) -> tuple[Check, str]:
    """Check what a sentence refers to, or, where it copies values, what it says."""
    if references(sentence):
        return check_frame(sentence, replace(setting, previous=previous))
    return check(sentence, setting.sources, setting.lexicon), without_citations(sentence)


def _says_lead(sentence: str, state: State) -> bool:
    """Whether the sentence says what the shop would have said first, in the same sense and almost its words."""
    for lead in state["lead"]:
        if lead.about and speaks_for(sentence, lead.text, lead.about, state["question"]):
            state["account"].leads_said.append(lead)
            return True
    return _follows_lead(sentence, state["account"].leads_said)


def _is_true_silence(sentence: str, state: State, turn: Turn) -> bool:
    """Whether the model says of a record that it is silent where retrieval has found something, and is right."""
    for source in state["sources"]:
        phrase = turn.phrase("unknown_attribute", product=source.title, words=SILENT_ON)
        if source.product and is_true_silence(sentence, phrase, source, state["question"]):
            state["account"].leads_said.append(Lead(phrase.replace(SILENT_ON, ""), record=source.id))
            return True
    return False


def _follows_lead(sentence: str, said: Sequence[Lead]) -> bool:
    """Whether it is a further sentence of a lead that has been said: "A colleague at ... can tell you."."""
    return any(set(words(sentence)) <= set(words(lead.text)) for lead in said)


def _is_courtesy(sentence: str, turn: Turn) -> bool:
    return " ".join(sentence.split()) in turn.courtesies


def stream(
    prompt: RolePrompt,
    context: str,
    state: State,
    turn: Turn,
    question: str | None = None,
    grammar: str | None = None,
) -> Generator[str]:
    """The model's reply, piece by piece, to the customer's question or to `question` in its place."""
    account, config, timings = state["account"], turn.deps.shop.config, Timings()
    account.prompt_hash = prompt.hash
    asked = state["question"] if question is None else question
    messages = to_messages(prompt, context, asked, assistant=config.assistant_name, shop=config.name)
    try:
        yield from turn.model.stream_text(
            messages,
            decoding=prompt.decoding.by_grammar(grammar),
            cancelled=turn.cancelled,
            timings=timings,
            has_shown=lambda: any(sentence.author == "model" for sentence in account.sentences),
        )
    finally:
        account.prompt_tokens = _add(account.prompt_tokens, timings.prompt_tokens)
        account.answer_tokens = _add(account.answer_tokens, timings.answer_tokens)


def sentences_of(pieces: Iterable[str]) -> Generator[str]:
    """Yield sentences as soon as they are surely complete; the open rest at the end counts as one."""
    text = ""
    for piece in pieces:
        done, text = completed_sentences(text + piece)
        yield from done
    yield from split_sentences(text)


def _already_said(sentence: str, account: Account) -> bool:
    said = words(without_citations(sentence))
    return any(words(without_citations(shown.text)) == said for shown in account.sentences)


def _add(total: int | None, more: int | None) -> int | None:
    return total if more is None else (total or 0) + more
