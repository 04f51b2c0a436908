"""Product pictures: the shop's drawing of the category, in the product's first colour."""

import re
from pathlib import Path

from shopbot.types import Product

# CSS colours for the words that colour names end in or consist of; the drawing's own colour otherwise.
_COLORS = {
    "ink": "#27364f",
    "blue": "#34568b",
    "ember": "#c4512d",
    "moss": "#5d7045",
    "slate": "#55626d",
    "rust": "#a34a28",
    "sand": "#c9b18a",
    "black": "#26292b",
    "pine": "#2f5d50",
    "ochre": "#c58b2a",
    "plum": "#6d3b5e",
    "glacier": "#8fb8c9",
    "red": "#a8322d",
    "green": "#4a7c59",
    "yellow": "#d9a927",
    "orange": "#d0712b",
    "grey": "#7d8489",
    "gray": "#7d8489",
    "white": "#e9e7e1",
    "peat": "#4b3a30",
    "heather": "#8d7a98",
    "dusk": "#5c5a7d",
    "steel": "#8c979e",
    "brown": "#6b4a32",
    "purple": "#6a4c7d",
    "pink": "#c98a97",
    "teal": "#2f7f7b",
    "navy": "#233250",
    "olive": "#6d6b35",
    "stone": "#a39b8b",
}


def picture_of(product: Product, folder: Path) -> str | None:
    """Return the SVG of a product, or None where the shop has no drawing for it."""
    name = product.image or ""
    path = folder / f"{name}.svg"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not path.is_file():
        return None
    drawing = path.read_text(encoding="utf-8")
    color = color_of(product)
    return re.sub(r'(<svg[^>]*?\scolor=)"[^"]*"', rf'\1"{color}"', drawing, count=1) if color else drawing


def color_of(product: Product) -> str | None:
    """Return the CSS colour of the first variant whose colour name has a known word."""
    names = [variant.color for variant in product.variants if variant.color]
    known = (_COLORS[word] for name in names[:1] for word in reversed(name.lower().split()) if word in _COLORS)
    return next(known, None)
