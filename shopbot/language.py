"""Words, numbers and sentences: the small amount of English that routing and verification need."""

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import Stemmer

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_CITATION = re.compile(r"\s*\[(\d{1,3})\]")
# A sentence ends at . ! ? (or a closing quote after it) before white space, or at a line break. A dot inside
# "$349.00" or "e.g." is followed by no space or by a lower-case letter and does not end one.
_SENTENCE_END = re.compile(r"(?<![ap]\.m\.)(?<=[.!?])[\"')]*\s+(?=[A-Z0-9\"'*\-•]|!\[)|\n+")

# How a message ends that is signed like a letter: "Thanks, Jamal Washington".
_SIGN_OFF = re.compile(
    r"[\s,.!?]+(?i:(?:many |with )?(?:thanks|thank you|thx|cheers|regards|sincerely|greetings|yours)"
    r"(?: a lot| so much| in advance| truly| sincerely)?|(?:kind|best|warm)(?:est)? (?:regards|wishes))"
    r"[\s,.!-]*(?:[A-Z][\w'’-]*\.?\s*){1,3}$"
)
_STRAY_CITATION = re.compile(r"([.!?])\s*((?:\[\d{1,3}\]\s*)+)\.?")

_stemmer = Stemmer.Stemmer("english")
_stemmer_lock = threading.Lock()  # PyStemmer objects are not safe for concurrent use

STOPWORDS = frozenset(
    """a an and are as at be been being but by can could did do does doing don for from had has have having he her
    here hers him his how i if in into is it its itself just let like may me might mine more most my of off on once
    only or other our ours out over own please shall she should so some such than that the their theirs them then
    there these they this those to too u under up us very was we were what when where which while who whom whose why
    will with would you your yours im ive id whats hows hi hello hey thanks thank pls about any also am get got
    tell know ok okay yes really much many""".split()
)

NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "without",
        "cannot",
        "isn't",
        "aren't",
        "don't",
        "doesn't",
        "can't",
        "won't",
        "non",
        "none",
        "nor",
    ]
)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    with _stemmer_lock:
        return str(_stemmer.stemWord(word))


def fold(text: str) -> str:
    """Lower-case, compatibility-normalised, curly apostrophes straightened, accents removed."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


def words(text: str) -> list[str]:
    return _WORD.findall(fold(text))


def stems(text: str) -> set[str]:
    """Stems of all words and numbers in the text, stopwords included."""
    return {stem(word) for word in words(text)}


def content_stems(text: str, also_ignore: Iterable[str] = ()) -> list[str]:
    """Stems of the words that carry meaning, in order; numbers are kept, stopwords and `also_ignore` are not."""
    ignored = set(also_ignore)
    return [
        stemmed
        for word in words(text)
        if word not in STOPWORDS
        and not is_contraction(word)
        and (stemmed := stem(word.removesuffix("'s"))) not in ignored
        and word not in NEGATIONS
    ]


def is_contraction(word: str) -> bool:
    """Whether a word is one like "i'm", "we've", "they'd"; "kid's" is none."""
    return "'" in word.removesuffix("'s")


def numbers(text: str) -> list[str]:
    """All numbers, thousands separators removed and trailing zeros cut: "1,299.00" -> "1299"."""
    return [canonical_number(match) for match in _NUMBER.findall(text)]


def canonical_number(text: str) -> str:
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", text).replace(",", ".")
    if plain.count(".") != 1:
        return plain
    return plain.rstrip("0").rstrip(".") or "0"


def without_citations(text: str) -> str:
    return _CITATION.sub("", text).strip()


def citation_numbers(text: str) -> list[int]:
    return [int(number) for number in _CITATION.findall(text)]


def split_sentences(text: str) -> list[str]:
    """Split into sentences and list lines; a citation that follows the full stop stays with its sentence."""
    return [sentence.strip() for sentence in _SENTENCE_END.split(_glued(text)) if sentence.strip(" .*-•\n")]


def completed_sentences(text: str) -> tuple[list[str], str]:
    """Split a growing text into sentences that are surely finished, and the open rest.

    A full stop at the very end may still become "349.00" or get its citation: only what follows shows that it is
    an end, so the last sentence always stays open.
    """
    glued = _glued(text)
    ends = [match.end() for match in _SENTENCE_END.finditer(glued)]
    return (split_sentences(glued[: ends[-1]]), glued[ends[-1] :]) if ends else ([], text)


def _glued(text: str) -> str:
    """Move citations in front of the full stop that they follow: "480 g. [1] And" -> "480 g [1]. And"."""
    return _STRAY_CITATION.sub(lambda match: f" {match[2].strip()}{match[1]} ", text)


def joined(items: Iterable[str], last: str = "and") -> str:
    """Join as people write lists: "S, M and L"."""
    listed = list(items)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} {last} {listed[-1]}" if listed else ""


def latin_share(text: str) -> float:
    """Share of letters that are Latin, 0..1; 1.0 where there are no letters."""
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return 1.0
    return sum("LATIN" in unicodedata.name(character, "") for character in letters) / len(letters)


def without_sign_off(text: str) -> str:
    """Return a message without the name that it is signed with, which is nothing that its writer asks about."""
    found = _SIGN_OFF.search(text)
    if found is None or not words(text[: found.start()]):
        return text
    mark = found[0].lstrip()[:1]
    return text[: found.start()] + (mark if mark in ".!?" else "")
