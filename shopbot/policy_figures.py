"""Figures that rules follow, read where the policies say them, so that a rule never differs from its policy."""

import re
from collections.abc import Mapping

from shopbot.errors import ConfigError
from shopbot.types import PolicySection


def text_of(section_id: str, policies: Mapping[str, PolicySection]) -> str:
    """A section's text on one line; empty where there is no such section."""
    section = policies.get(section_id)
    return " ".join(section.text.split()) if section else ""


def figure_in(section_id: str, pattern: str, policies: Mapping[str, PolicySection], what: str) -> str:
    """The first group of a regular expression in a section.

    Raises ConfigError naming `what` the figure is, where the section does not have it.
    """
    found = re.search(pattern, text_of(section_id, policies))
    if found is None:
        raise ConfigError(f"{what}: policy section '{section_id}' says nothing like {pattern!r}")
    return found[1]
