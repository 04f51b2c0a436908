"""Prompts for the base that the served ones are compared with: without examples, and with thinking aloud."""

from pathlib import Path

from graph.routing import Route
from shopbot.prompts import RolePrompt, load_prompt

FOLDER = Path(__file__).parent / "prompts"
_ANSWER = "Answer:"


def prompt_set(name: str) -> dict[str, RolePrompt]:
    """The prompts of a set, by role. Raises ConfigError naming the file that is missing or wrong."""
    return {role.value: load_prompt(role.value, name, FOLDER) for role in (Route.PRODUCT, Route.POLICY)}


def final_answer(reply: str) -> str:
    """What a reply says after thinking aloud; all of it where it does not announce an answer."""
    return reply.rsplit(_ANSWER, 1)[-1].strip()
