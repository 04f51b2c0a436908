"""The text of a message as it is read: what has been understood is blanked out, what is left says something else."""

import re


class Remainder:
    def __init__(self, text: str) -> None:
        self.text = text

    def take(self, pattern: re.Pattern[str]) -> bool:
        """Blank out the first place where the pattern stands; whether there is one."""
        found = pattern.search(self.text)
        if found:
            self.blank(found)
        return found is not None

    def blank(self, found: re.Match[str]) -> None:
        self.text = self.text[: found.start()] + " · " + self.text[found.end() :]
