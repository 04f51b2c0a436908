"""The one chat format: how records, few-shot examples and a question become messages.

Training, evaluation and serving all call `to_messages`; a model tuned on one rendering and served with another
answers worse for no visible reason. Raise the version with every change of the rendering: adapters record it.
"""

from collections.abc import Iterable, Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from shopbot.prompts import Example, RolePrompt

CHAT_FORMAT_VERSION = 1


def to_messages(
    prompt: RolePrompt, facts: Sequence[tuple[int, str]], question: str, **variables: str
) -> list[BaseMessage]:
    """Render system prompt, examples, numbered facts and question.

    `facts` are (source number, sentence). They are data: they stand between fixed markers, one a line, with line
    breaks removed, so that a text planted in a record can't pose as another part of the prompt.
    """
    messages: list[BaseMessage] = [SystemMessage(prompt.system.format(**variables))]
    for example in prompt.examples:
        messages += _exchange(example)
    return [*messages, HumanMessage(_user_text(facts, question))]


def _exchange(example: Example) -> Iterable[BaseMessage]:
    facts = [(example.source, fact) for fact in example.facts]
    return HumanMessage(_user_text(facts, example.question)), AIMessage(example.answer)


def _user_text(facts: Sequence[tuple[int, str]], question: str) -> str:
    lines = "\n".join(f"[{number}] {_one_line(text)}" for number, text in facts)
    return f"Facts:\n{lines}\nQuestion: {_one_line(question)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
