"""A bad training set is stopped: each check finds what was planted, names the example, and is silent on a good set."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from finetune.checks import LEAK_COSINE, HeldApart, Problem, check_examples, near_duplicates
from finetune.examples import ChatMessage, TrainingExample
from shopbot.embedding import Progress, Vectors
from tests.fakes_data import HashEmbedder

KINDS = ("product", "policy_text", "conversation")
WORDS = "amber birch cedar delta ember fjord grove heath inlet jetty knoll larch".split()
CONTACTS = ("help@harbor.example", "+1 555 0100")
HELD = HeldApart(
    frozenset({"CO-9"}), ("Haar City Raincoat",), ("what does the raincoat weigh", "how long may I keep a parcel")
)


def example(key: str = "new", question: str = "is the anvil heavy", **changes: Any) -> TrainingExample:
    """An example over one product record; its prompt ends with the question."""
    system = ChatMessage(role="system", content="You are a helper.")
    values: dict[str, Any] = {
        "id": key,
        "kind": "product",
        "role": "product",
        "tool": "patterns",
        "question": question,
        "prompt": (system, ChatMessage(role="user", content=f"Records:\n[1] Pan: price\nQuestion: {question}")),
        "answer": "It weighs {1.weight}.",
        "products": ("CO-1",),
    }
    return TrainingExample(**{**values, **changes})


def good() -> list[TrainingExample]:
    """Twelve examples of three kinds, all different."""
    return [
        example(f"good-{number}", f"how much is the {word} pan", kind=KINDS[number % 3])
        for number, word in enumerate(WORDS)
    ]


def problems(*planted: TrainingExample, held: HeldApart = HELD, embedder: Any = None) -> list[Problem]:
    return check_examples([*good(), *planted], held, CONTACTS, embedder or HashEmbedder())


def found(*planted: TrainingExample) -> list[tuple[str, str]]:
    """Which check fired at which example."""
    return [(problem.check, problem.example) for problem in problems(*planted)]


def test_a_good_set_has_no_problem() -> None:
    assert problems() == []
    assert problems(example()) == []


def test_nothing_held_apart_leaks_nothing() -> None:
    assert problems(held=HeldApart(frozenset(), (), ())) == []
    assert check_examples([], HELD, CONTACTS, HashEmbedder()) == []


def test_a_problem_names_its_check_and_its_example() -> None:
    assert [str(problem) for problem in problems(example(answer=" "))] == ["schema: new: the answer is empty"]


# ---------------------------------------------------------------- schema


@pytest.mark.parametrize("answer", ["", " \n"])
def test_an_empty_answer_is_a_problem(answer: str) -> None:
    assert found(example(answer=answer)) == [("schema", "new")]


def test_a_prompt_that_ends_with_the_assistant_is_a_problem() -> None:
    turns = (ChatMessage(role="user", content="anvil?"), ChatMessage(role="assistant", content="Which one?"))
    assert found(example(prompt=turns)) == [("schema", "new")]


@pytest.mark.parametrize("answer", ["It weighs {2.weight}.", "It costs {1.price}, not {0.price}.", "{12.stock:M}"])
def test_a_reference_to_a_record_that_is_not_in_the_prompt_is_a_problem(answer: str) -> None:
    assert found(example(answer=answer)) == [("schema", "new")]


def test_records_of_both_kinds_count_for_references() -> None:
    assert found(example(answer="{1.price}", sections=("returns.window",))) == []
    assert found(example(answer="{2.price}", sections=("returns.window",))) == []
    assert found(example(answer="{3.price}", sections=("returns.window",))) == [("schema", "new")]


@pytest.mark.parametrize("answer", ["The {name} is warm.", "It weighs {value}.", "{1.Price}", "It costs {1.price."])
def test_a_placeholder_that_is_no_reference_is_a_problem(answer: str) -> None:
    assert found(example(answer=answer)) == [("schema", "new")]


# ---------------------------------------------------------------- duplicates


def test_the_same_prompt_twice_is_a_problem_that_names_the_first() -> None:
    again = example("again", "How much is the AMBER pan?")
    (problem,) = problems(again)
    assert problem == Problem("duplicate", "again", "has the same prompt as good-0; drop one")


def test_the_same_question_over_other_records_is_no_duplicate() -> None:
    prompt = (ChatMessage(role="user", content="Records:\n[1] Wok: price\nQuestion: how much is the amber pan"),)
    assert found(example(question="how much is the amber pan", prompt=prompt)) == []


def test_a_third_of_a_kind_is_still_compared_with_the_first() -> None:
    copies = [example(f"copy-{number}", "how much is the amber pan") for number in range(2)]
    assert [problem.text for problem in problems(*copies)] == ["has the same prompt as good-0; drop one"] * 2


def test_written_questions_that_are_almost_the_same_are_counted_not_refused() -> None:
    long = "could you please tell me how much the amber pan with the glass lid costs"
    questions = [long, long + "?", "is it heavy", "where is my parcel"]
    written = [example(str(n), question, tool="conversations") for n, question in enumerate(questions)]
    assert near_duplicates(written) == 1
    assert near_duplicates([item.model_copy(update={"tool": "patterns"}) for item in written]) == 0
    assert near_duplicates([]) == 0


# ---------------------------------------------------------------- personal data


@pytest.mark.parametrize(
    "text",
    [
        "write to jane.doe+gear@mail.example.com",
        "call me at +44 20 7946 0958",
        "call (303) 555-0199 now",
        "my number is 303-555-0199",
        "card 4111 1111 1111 1111",
        "card 4111111111111111",
        "card 4111-1111-1111-1111",
    ],
)
@pytest.mark.parametrize("place", ["question", "answer"])
def test_personal_data_is_a_problem_wherever_it_stands(text: str, place: str) -> None:
    assert set(found(example(**{place: text}))) == {("personal data", "new")}


@pytest.mark.parametrize(
    "text",
    [
        "write to help@harbor.example",
        "write to help@harbor.example.",
        "call +1 555 0100.",
        "call +1 555 0100 or write to help@harbor.example.",
    ],
)
def test_the_shops_own_contact_is_no_personal_data(text: str) -> None:
    assert found(example(answer=text)) == []


@pytest.mark.parametrize(
    "text",
    ["it costs $1,299.00", "EU 42, 43 and 44", "order CO-10234", "31 x 18 cm", "made in 2026", "1. Sign in. 2. Print."],
)
def test_amounts_sizes_and_years_are_no_personal_data(text: str) -> None:
    assert found(example(question=text)) == []


# ---------------------------------------------------------------- balance


def test_a_kind_of_more_than_half_of_the_examples_is_a_problem() -> None:
    more = [example(f"more-{number}", f"{word} lid?") for number, word in enumerate(WORDS)]
    (problem,) = problems(*more)
    assert (problem.check, problem.example) == ("balance", "product")
    assert "66.7%" in problem.text


def test_a_kind_of_less_than_one_in_a_hundred_is_a_problem() -> None:
    many = [
        example(f"{kind}-{word}-{other}", f"{kind} {word} {other}", kind=kind)
        for kind in ("product", "stock", "compare")
        for word in WORDS
        for other in WORDS
    ]
    rare = example("rare", "got any kayaks", kind="not_sold")
    assert check_examples(many, HELD, CONTACTS, HashEmbedder()) == []
    found_rare = check_examples([*many, rare], HELD, CONTACTS, HashEmbedder())
    assert [(problem.check, problem.example) for problem in found_rare] == [("balance", "not_sold")]


# ---------------------------------------------------------------- leaks


def test_a_product_of_the_evaluation_in_a_prompt_is_a_leak() -> None:
    assert problems(example(products=("CO-1", "CO-9"))) == [
        Problem("leak", "new", "uses product CO-9, which is kept for evaluation")
    ]


@pytest.mark.parametrize(
    "text", ["is the haar city raincoat warm", "the Haar City Raincoat’s hood", "HAAR CITY RAINCOAT"]
)
@pytest.mark.parametrize("place", ["question", "answer"])
def test_the_name_of_a_product_of_the_evaluation_is_a_leak(text: str, place: str) -> None:
    assert problems(example(**{place: text})) == [
        Problem("leak", "new", "names 'haar city raincoat', which is kept for evaluation")
    ]


def test_a_part_of_a_name_is_no_leak() -> None:
    assert found(example(question="got a raincoat for the city")) == []


@pytest.mark.parametrize("question", ["what does the raincoat weigh", "What does the raincoat weigh?"])
def test_an_evaluation_question_is_a_leak_by_its_words_whatever_its_case_and_marks(question: str) -> None:
    assert Problem("leak", "new", "asks an evaluation question word for word") in problems(example(question=question))


class Fixed:
    """An embedder with vectors of the test's: what it does not know points into a direction of its own."""

    name, revision, dimension = "fixed", "0", 40

    def __init__(self, **cosines: float) -> None:
        self.cosines = {key.replace("_", " "): value for key, value in cosines.items()}

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for place, text in enumerate(texts):
            own = 1 + place
            if text == HELD.questions[1]:
                rows[place, 0] = 1
            else:
                cosine = self.cosines.get(text, 0.0)
                rows[place, 0], rows[place, own] = cosine, (1 - cosine**2) ** 0.5
        return rows


def test_a_question_phrased_like_one_of_the_evaluation_is_a_leak() -> None:
    near = example(question="keeping parcels")
    held = HeldApart(frozenset(), (), (HELD.questions[1],))
    embedder = Fixed(keeping_parcels=LEAK_COSINE + 0.01)
    assert problems(near, held=held, embedder=embedder) == [
        Problem("leak", "new", "is phrased like the evaluation question 'how long may I keep a parcel'")
    ]
    assert problems(near, held=held, embedder=Fixed(keeping_parcels=LEAK_COSINE - 0.01)) == []


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    planted = [
        example("a", answer=""),
        example("b", "how much is the amber pan"),
        example("c", "mail me at jane@mail.example"),
        example("d", "anvil colour", products=("CO-9",)),
    ]
    wrong = [("schema", "a"), ("duplicate", "b"), ("personal data", "c"), ("leak", "d")]
    assert found(*planted) == wrong
