"""What is right: pure functions of a case and an answer. They share no code with the check that guards the answers."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from evals.cases import UNANSWERED, Case

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_MARKER = re.compile(r"\[\d{1,3}\]|\[[a-z-]+\.[a-z-]+\]")
_CITED = re.compile(r"((?:[^\[\]]|\[(?!\d{1,2}\]))*)\[(\d{1,2})\]")
_STEP = re.compile(r"^\W*\d+\.\s", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+|\n")
_ABSTAINS = re.compile(
    r"doesn't (?:say|mention|list)|does not (?:say|mention|list)|don't (?:know|sell|carry)"
    r"|don't have (?:any|that|it|those|them|information)\b(?! to)|don't have [^.]* in our catalog"
    r"|can't (?:find|see|say)"
    r"|has nothing (?:on|about)|record gives nothing|no entry|nothing about|won't guess|found none|off my trail"
    r"|I can help with|can only help|can't help with|has to be confirmed|which (?:one|product) do you mean|which of"
    r"|tell me its name"
    r"|know more than one|can't make out|isn't something|not something|outside what|not my",
    re.IGNORECASE,
)
_AVOIDED = re.compile(
    r"\b(conquer|extreme|ultimate|revolutionary|hurry|unfortunately|utili[sz]e|valued customer|as per our policy"
    r"|amazing|awesome|perfect|best ever|incredible|thrilled|delighted|act now|don't miss|rest assured|kindly"
    r"|please be advised|pursuant|hereby)\b",
    re.IGNORECASE,
)
_PASSIVE = re.compile(
    r"\b(?:will|can|may|must|is to) be (?:\w+ed|issued|sent|given|made|shown|found)\b"
    r"|\bcustomers? (?:may|must|should)\b",
    re.IGNORECASE,
)
_BLAME = re.compile(
    r"\byou (?:should have|failed to|chose the wrong|did(?:n't| not) (?:read|follow|check))", re.IGNORECASE
)
_GUESS = re.compile(
    r"\b(?:should (?:be fine|fit|work)|probably|i (?:think|guess|believe|assume)|most likely)\b", re.IGNORECASE
)
_LONG_ANSWER_WORDS = 110
_LONG_SENTENCE_WORDS = 34


def facts_right(case: Case, answer: str) -> bool:
    """Whether the answer says all that a right one has to say."""
    return all(says(answer, key) for keys in case.expects for key in keys)


def says(answer: str, key: str) -> bool:
    """Whether a key string stands in the answer, not inside a longer number or word; case and white space aside."""
    text, wanted = plain(answer), plain(key)
    before = r"(?<![\w.,])(?<!\s-)(?<!^-)" if wanted[:1].isdigit() else r"(?<!\w)"
    after = r"(?!\w|[.,]\d)" if wanted[-1:].isalnum() else ""
    return re.search(before + re.escape(wanted) + after, text) is not None


def plain(text: str) -> str:
    """Text as answers and keys are compared: lower case, no citations, no thousands separators, no zero cents."""
    text = _MARKER.sub("", text).replace("’", "'").lower()
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"\b(\d+)\.00\b", r"\1", text)
    return re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split()))


def citation_right(case: Case, cited: Iterable[str]) -> bool:
    """Whether a record that answers the case is cited, and no other record of its kind."""
    right = set(case.records)
    named = {record for record in cited if ("." in record) == (case.section is not None)}
    return bool(named & right) and named <= right


def abstains(answer: str) -> bool:
    """Whether the answer says that it cannot answer, asks back, or declines; an empty one says nothing."""
    return _ABSTAINS.search(answer) is not None


def abstains_right(case: Case, answer: str) -> bool:
    return abstains(answer) == (case.slice in UNANSWERED)


def grounded_share(answer: str, material: str) -> float:
    """Share of the answer's numbers that stand in the records, 0..1; 1 where it has none."""
    said = _NUMBER.findall(plain(answer))
    held = set(_NUMBER.findall(plain(material)))
    return sum(number in held for number in said) / len(said) if said else 1.0


def true_of_cited(answer: str, records: Mapping[int, str]) -> bool:
    """Whether every number stands in the record that its own sentence cites; `records` are their texts, by marker.

    What cites nothing is the shop's own phrase and not looked at; the numbers of steps are no figures.
    """
    cited = ((_SENTENCE_END.split(_STEP.sub("", text))[-1], int(number)) for text, number in _CITED.findall(answer))
    return all(grounded_share(sentence, records.get(number, "")) == 1 for sentence, number in cited)


def in_voice(answer: str) -> bool:
    """A rubric of the brand voice, validated on `cases/tone_labelled.jsonl` (docs/results/evaluation.md)."""
    text = _MARKER.sub("", answer)
    sentences = [part for part in re.split(r"(?<=[.!?])\s+|\n", text) if part.strip()]
    count = len(text.split())
    return bool(sentences) and not (
        "!" in text
        or _AVOIDED.search(text)
        or _PASSIVE.search(text)
        or _BLAME.search(text)
        or _GUESS.search(text)
        or re.search(r"\b[A-Z]{4,}\b", text)
        or (count > _LONG_ANSWER_WORDS and not re.search(r"^\s*(?:\d+\.|-)", text, re.MULTILINE))
        or any(len(sentence.split()) > _LONG_SENTENCE_WORDS for sentence in sentences)
    )


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall over words, as in SQuAD (Rajpurkar et al., arXiv:1606.05250)."""
    said, wanted = re.findall(r"\w+", answer.lower()), re.findall(r"\w+", reference.lower())
    shared = sum(min(said.count(word), wanted.count(word)) for word in set(said))
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def rouge_l(answer: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words, stemmed (Lin, 2004)."""
    from rouge_score.rouge_scorer import RougeScorer

    return float(RougeScorer(["rougeL"], use_stemmer=True).score(reference, answer)["rougeL"].fmeasure)


def bleu(answers: Sequence[str], references: Sequence[str]) -> float:
    """BLEU over a whole set, 0..100, as sacrebleu counts it (Post, arXiv:1804.08771)."""
    from sacrebleu import corpus_bleu

    return float(corpus_bleu(list(answers), [list(references)]).score)


def interval(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> tuple[float, float, float]:
    """Mean with its bootstrap 95 % percentile interval (Efron and Tibshirani, 1993, chapter 13)."""
    data = np.asarray(values, dtype=np.float64)
    means = _resampled_means(data, seed, resamples)
    return float(data.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def paired_interval(
    first: Sequence[float], second: Sequence[float], seed: int = 0, resamples: int = 2000
) -> tuple[float, float, float]:
    """Mean difference, second minus first, over the same cases, with its bootstrap 95 % interval."""
    return interval([b - a for a, b in zip(first, second, strict=True)], seed, resamples)


def difference_interval(
    first: Sequence[float], second: Sequence[float], seed: int = 0, resamples: int = 2000
) -> tuple[float, float, float]:
    """Difference of the means of two independent samples, second minus first, with its bootstrap 95 % interval."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    drawn = _resampled_means(other, seed + 1, resamples) - _resampled_means(one, seed, resamples)
    return float(other.mean() - one.mean()), float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def _resampled_means(data: npt.NDArray[np.float64], seed: int, resamples: int) -> npt.NDArray[np.float64]:
    rows = np.random.default_rng(seed).integers(0, len(data), size=(resamples, len(data)))
    means: npt.NDArray[np.float64] = data[rows].mean(axis=1)
    return means


def exact_interval(successes: int, trials: int) -> tuple[float, float]:
    """Exact 95 % interval of a rate (Clopper and Pearson, 1934), 0..1 where nothing was tried."""
    return _exact(successes, trials, "two-sided")


def upper_bound(seen: int, trials: int) -> float:
    """Upper 95 % bound of a rate of which `seen` cases were seen in so many trials (Clopper and Pearson, 1934).

    Where none was seen that is 1 - 0.05 ** (1 / trials).
    """
    return _exact(seen, trials, "less")[1]


def _exact(successes: int, trials: int, alternative: str) -> tuple[float, float]:
    from scipy.stats import binomtest

    if not trials:
        return 0.0, 1.0
    found = binomtest(successes, trials, alternative=alternative).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)
