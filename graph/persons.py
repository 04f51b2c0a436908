"""Is a person wanted, or the assistant back, or is somebody upset? What is certain is read by its words.

Asking for a person has to work whatever the classifier makes of it; it reads the many ways that have no such word.
"""

import re

_KIND = r"(?:real|actual|live|living|human|responsible)"
_WHO = (
    rf"(?:(?:a|an|the|some|another|your|one of your|any)\s+)?(?:{_KIND}\s+)*"
    r"(?:humans?|human being|persons?|agents?|representatives?|reps?|operators?|colleagues?|employees?|managers?"
    r"|supervisors?|staff member|member of staff|customer (?:service|support|care)|support team)"
)
_ANYONE = r"(?:someone|somebody|anyone|anybody)"
_FIRM = (
    # "talk to a human", "put me through to your manager", "is there somebody I can talk to"
    rf"\b(?:talk|speak|chat|transfer|connect|switch|forward|escalate|pass|hand|put)\w*\b[^.?!]{{0,30}}?"
    rf"\b(?:to|with)\s+(?:{_WHO}|{_ANYONE})\b",
    rf"\b(?:{_WHO}|{_ANYONE})\s+(?:that\s+|who\s+)?I\s+(?:can|could|may)\s+(?:talk|speak|chat|write)\b",
    # "get me an agent", "I want a real person"
    rf"\b(?:(?:give|fetch|send|call|find)\s+(?:me|us)|(?:get|want|need|prefer)(?:\s+(?:me|us))?)\s+{_WHO}\b",
    # "could a real person help me"
    rf"\b(?:can|could|may|might|will|would)\s+{_WHO}\s+(?:please\s+)?"
    r"(?:help|assist|advise|answer|call|look|take over)\b",
    # "human please"
    rf"^(?:(?:yes|no|ok|okay|please|hi|hello|hey|just|now|i said)\W+)*{_WHO}"
    r"(?:\W+(?:please|pls|plz|now|here|thanks|thank you|instead))*\W*$",
)
_WANTS_PERSON = re.compile("|".join(_FIRM), re.IGNORECASE)
_NOT = re.compile(r"\b(?:don'?t|do not|no need to|rather not|never|am i|was i)\b", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.!?,;]")
_MAY_WANT_PERSON = re.compile(
    rf"\b(?:{_WHO}|{_ANYONE})\b.*\b(?:talk|speak|chat|help)\b"
    rf"|\b(?:talk|speak|chat) (?:to|with)\b.*\b(?:{_WHO}|{_ANYONE})\b",
    re.IGNORECASE,
)
_WANTS_ASSISTANT = re.compile(
    r"(?:(?:ok|okay|hey|hi|please|can|could|may|i|i'd|want|would|like|to|have|get|let|me|talk|speak|chat|continue|go"
    r"|switch|with|give|come|bring|call|back|the|my|again|now|need)\s+)*"
    r"(?:assistant|bot|chatbot|robot|ai)"
    r"(?:\s+(?:please|pls|back|again|now|instead|thanks|come))*",
    re.IGNORECASE,
)
_UPSET = re.compile(
    r"\b(?:outrage(?:ous)?|disgrace(?:ful)?|unacceptable|furious|appalling|scandal(?:ous)?|shameful|pathetic"
    r"|rip-?off|disgust(?:ed|ing)|had enough of|had it with|(?:very|so) angry|infuriating|complaints?"
    r"|(?:to|must) complain|worst (?:service|shop|store|company|experience)|(?:awful|lousy|terrible) service)\b",
    re.IGNORECASE,
)


def wants_person(text: str) -> bool:
    """Whether a message asks for a human in so many words; sure enough to overrule everything else."""
    found = _WANTS_PERSON.search(text.strip())
    return found is not None and not _NOT.search(_CLAUSE_END.split(text.strip()[: found.start()])[-1])


def may_want_person(text: str) -> bool:
    """Whether it may be asked for one; for messages that nobody else has a use for."""
    return _MAY_WANT_PERSON.search(text) is not None


def wants_assistant(text: str) -> bool:
    """Whether somebody who waits for a person calls the assistant back: "assistant please", and nothing else."""
    words = re.sub(r"[^\w\s']+", " ", text).split()
    is_doubt = len(words) == 1 and "?" in text  # "bot?" asks who is there
    return not is_doubt and _WANTS_ASSISTANT.fullmatch(" ".join(words)) is not None


def complains(text: str) -> bool:
    return _UPSET.search(text) is not None
