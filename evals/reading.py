"""What is decided before a model writes: the route, the product, the fields asked for, the policy section.

No model is asked: these figures bound what any model can do with what it is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evals.cases import Case
from evals.metrics import interval
from graph.build import read_messages
from graph.deps import Deps
from graph.routing import Route
from graph.state import State
from shopbot.cards import cut_to_size
from shopbot.references import field_name

Progress = Callable[[str, int, int], None]
RIGHT_ROUTE = {
    "policy": Route.POLICY, "out_of_scope": Route.OTHER, "facts": Route.PRODUCT, "multi_turn": Route.PRODUCT,
    "promotion": Route.PROMOTION, "unanswerable": Route.PRODUCT, "not_sold": Route.PRODUCT, "ask_back": Route.PRODUCT,
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What was found for one case; None where the question does not arise.

    `place` is the right section's place among those ranked, from 1, 0 where it is not among them. `fields` is whether
    all fields asked for were read, `card` whether each stands on the tuned model's card at least; `silent` whether the
    record is taken to be silent.
    """

    case: Case
    route: Route
    place: int | None = None
    product: bool | None = None
    fields: bool | None = None
    card: bool | None = None
    silent: bool | None = None


def find_all(deps: Deps, cases: Sequence[Case], progress: Progress) -> list[Found]:
    found = []
    for number, case in enumerate(cases, start=1):
        found.append(_find(deps, case))
        progress("cases", number, len(cases))
    return found


def _find(deps: Deps, case: Case) -> Found:
    state = read_messages(deps, case.messages)
    if case.section:
        ranked = [hit.id for hit in state.get("sections", [])]
        places = [ranked.index(key) + 1 for key in (case.section, *case.also) if key in ranked]
        return Found(case, state["route"], place=min(places, default=0))
    if not case.product or state["route"] != Route.PRODUCT:
        return Found(case, state["route"], product=False if case.product else None)
    return _found_product(case, state)


def _found_product(case: Case, state: State) -> Found:
    source = next((source for source in state["sources"] if source.id == case.product), None)
    if source is None:
        return Found(case, state["route"], product=False)
    asked = cut_to_size(state["asked"])[source.number]
    told = {*asked.fields, *(field_name(line.field) for line in asked.lines)}
    known = {field_name(line.field) for line in source.statements}
    wanted = {_known(field_name(name), known) for name in case.fields}
    return Found(
        case, state["route"], product=True, silent=bool(asked.unanswered) and not asked.fields,
        fields=wanted <= set(asked.fields) if wanted else None, card=wanted <= told if wanted else None,
    )  # fmt: skip


def _known(name: str, known: set[str]) -> str:
    """A field as the record calls it; the cases name attributes of the feed, with their units: weight_g."""
    return name if name in known else next((other for other in known if name.startswith(f"{other}_")), name)


def table(found: Sequence[Found]) -> str:
    """Every figure with its bootstrap 95 % interval, as Markdown."""
    routed = [(item, item.route == RIGHT_ROUTE[item.case.slice]) for item in found if item.case.slice in RIGHT_ROUTE]
    rows = [("right route", [right for _, right in routed])]
    rows += [(f"right route: {name}", [r for item, r in routed if item.case.slice == name]) for name in RIGHT_ROUTE]
    places = [item.place for item in found if item.place is not None]
    rows += [("right section first", [place == 1 for place in places])]
    rows += [("right section among three", [place > 0 for place in places])]
    for name, told in (("right product", "product"), ("all fields read", "fields"), ("all fields on the card", "card")):
        rows.append((name, [value for item in found if (value := getattr(item, told)) is not None]))
    silent = [item.silent or False for item in found if item.case.slice == "unanswerable"]
    rows.append(("unknown things known as such", silent))
    lines = [f"| {name} | {len(values)} | {_shown(values)} |" for name, values in rows if values]
    return "\n".join(["| | n | share |", "|---|---|---|", *lines])


def _shown(values: Sequence[bool]) -> str:
    mean, low, high = interval([float(value) for value in values])
    return f"{mean:.1%} ({low:.0%} to {high:.0%})"
