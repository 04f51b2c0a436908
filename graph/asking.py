"""Words of asking and wanting, which say nothing about the thing asked for; and the known word that is misspelt."""

from collections.abc import Sequence

from rapidfuzz import fuzz, process

from shopbot.language import stem, words
from shopbot.statements import SPOKEN

# Similarity (0..100) above which an unknown word is read as a misspelt known one.
TYPO_RATIO = 84
# Words of asking and wanting, which say nothing about the thing asked for.
ASKING_WORDS = frozenset(
    stem(word)
    for word in """sell sells carry carries stock stocked buy purchase order need want looking look search find show
    recommend suggest recommendation advice advise best good great nice perfect right something anything thing things
    product products item items shop store gear offer offers cheap cheaper cheapest expensive under below less than
    price prices cost costs compare comparison versus vs difference different better between choose option options
    available availability please help question hi dollars bucks usd new one ones kind kinds type types sort range
    model models version catalog catalogue brand still currently right now today much many long big heavy warm
    light lighter lightest warmest warmer come comes go going use used using wear people person man men women kid
    kids size sizes color colour colors colours fit suit suitable work keep keeps bring give take ask wondering wonder
    maybe pair set couple bit lot day days time way trip would possible anyone somebody someone friend wife husband
    son daughter mom dad gift present birthday christmas weekend summer winter spring autumn fall outside outdoor
    outdoors really actually quite very pretty cool dear hey bot assistant exactly total dough bucks each per
    piece pieces left
    number details detail info information describe explain everything hows whats thinking love really
    made make haha lol whoa wow yeah yep nope omg ppl plz btw fyi hmm mate dude bro folks guys fair enough sounds
    nice again also ordered order hiya howdy""".split()
)
ASKING = ASKING_WORDS | {stem(word) for spoken in SPOKEN.values() for word in words(spoken)}


def nearest_word(word: str, known: Sequence[str], ratio: float = TYPO_RATIO) -> str | None:
    """Return the known word that this one is a misspelling of, if there is one; short words are left alone."""
    if len(word) < 5:
        return None
    match = process.extractOne(word, known, scorer=fuzz.ratio, score_cutoff=ratio)
    return match[0] if match else None
