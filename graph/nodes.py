"""The other nodes of the workflow: who handles the turn, what is looked up, what comes back."""

import re
import time
from collections.abc import Sequence

from langgraph.runtime import Runtime

from graph.asks import options_asked, says_nothing
from graph.audiences import briefly
from graph.delivery import delivery_points
from graph.deps import Turn
from graph.desk import (
    asks_to_arrange,
    asks_to_change,
    asks_what_it_costs,
    awaits_parcel,
    changes_in,
    gives_email,
    goes_on_with_items,
    names_order,
    number_and_email,
)
from graph.find import (
    asks_of_nothing,
    find_policies,
    find_products,
    focus_of,
    points_back,
    standalone,
)
from graph.findings import Findings, product_sources
from graph.follow_ups import earlier_asking, resolved, wish_of
from graph.handoff import is_person_wanted, offer_colleague
from graph.pen import Pen
from graph.persons import complains, wants_assistant
from graph.routing import Route, RouteScores, asks_for_products, route_scores
from graph.state import Account, Lead, State, start_state
from graph.turn import Message, Sentence, Timings, Tokens, TurnRequest, TurnResult, Verdict, answer_text
from shopbot.language import latin_share, without_sign_off
from shopbot.search import search_policies
from shopbot.sections import HINTS
from shopbot.types import Hit

# Routes with which a question that names nothing may go on: "how many days will it take?" after one about repairs.
_SAY_MORE = (Route.PROMOTION, Route.POLICY)
# What a change to an order costs is asked of the policies where they score at most this much less than the order desk.
NEAR_POLICY = 0.1
# A text with fewer Latin letters than this among its letters is in a language that the shop can't help in yet.
LATIN_SHARE_FLOOR = 0.5
_CHATTER = {
    "greeting": re.compile(r"^\W*(hi|hello|hey|howdy|good (morning|afternoon|evening|day)|greetings)\b", re.IGNORECASE),
    "contact": re.compile(
        r"\b(opening|office|business|working) hours\b|\bwhen are you open\b|\bcontact\b"
        r"|\b(tele)?phone number\b|\be-?mail address\b|\bcall you\b",
        re.IGNORECASE,
    ),
    "thanks": re.compile(r"\b(thanks?|thank you|thx|cheers|bye|goodbye)\b", re.IGNORECASE),
    "identity": re.compile(
        r"\b(who|what) are you\b|\bare you (a |an )?(bot|robot|human|real|ai|person|machine)\b", re.IGNORECASE
    ),
}


def guard(state: State, runtime: Runtime[Turn]) -> State:
    """Refuse what cannot be read as a question; everything after this node may rely on plain, bounded text.

    The turn begins here, with its own request and nothing of the turn before.
    """
    turn = runtime.context
    assert turn.request is not None
    fresh = start_state(turn.request)
    question = " ".join("".join(c if c.isprintable() else " " for c in turn.request.question).split())
    refusal = _refusal(question, turn)
    if refusal:
        Pen(fresh["account"], runtime.stream_writer).show(Sentence(text=refusal, author="shop"))
    question = without_sign_off(question)
    told: State = {"question": question, "refused": refusal is not None, "route": Route.OTHER, "route_scores": {}}
    return {**fresh, **told}


def _refusal(question: str, turn: Turn) -> str | None:
    if not question:
        return turn.phrase("empty")
    if len(question) > (limit := turn.deps.question_max_chars):
        return turn.phrase("too_long", length=len(question), limit=limit)
    if latin_share(question) < LATIN_SHARE_FLOOR:
        return turn.phrase("language")
    return None if re.search(r"[a-z]{2}", question, re.IGNORECASE) else turn.phrase("unclear")


def route(state: State, runtime: Runtime[Turn]) -> State:
    """Read the message once: who handles the turn, which products it is about, which policy sections it may mean."""
    turn, history = runtime.context, state["request"].messages[:-1]
    started = time.perf_counter()
    question = resolved(state["question"], history, turn)
    utterance = turn.read(question)
    wish = wish_of(question, history, turn)
    focus = [] if wish and wish.is_closed else focus_of(question, utterance, history, turn)
    asked = question
    if not asks_what_it_costs(question, utterance.meant):  # that stands by itself, whatever was talked about
        asked = standalone(question, utterance, earlier_asking(history, turn), bool(focus))
        utterance = turn.read(asked)
    sections = search_policies(turn.version, asked, utterance.vector, utterance.meant, HINTS)
    scores = route_scores(question, utterance.meant, names_product=bool(focus))
    if asked.endswith(f" {question}") and scores.best == Route.POLICY:
        sections = _of_same_policy(question, sections, turn) or sections
    state["account"].retrieve_ms += (time.perf_counter() - started) * 1000
    read: State = {
        "question": question,
        "route_scores": scores.scores,
        "focus": focus,
        "wish": wish,
        "utterance": utterance,
        "sections": sections,
        "delivery": delivery_points(question, turn),
    }
    best = _handler(read, scores, state["request"], turn)
    if best != Route.HANDOFF and complains(question) and not wants_assistant(question):
        offer_colleague(Pen(state["account"], runtime.stream_writer), turn)
    return {**read, "route": best}


def _of_same_policy(question: str, earlier: list[Hit], turn: Turn) -> list[Hit]:
    """For a message that goes on with a policy: its sections, by what the message itself asks.

    Read together with the message before it, it would be answered by what that asked; that it is about this policy at
    all, only the two together say.
    """
    if not earlier:
        return []
    policies, utterance = turn.version.policies, turn.read(question)
    ranked = search_policies(turn.version, question, utterance.vector, utterance.meant, len(policies))
    same = [hit for hit in ranked if policies[hit.id].policy == policies[earlier[0].id].policy][:HINTS]
    return [hit.model_copy(update={"cosine": max(hit.cosine or 0.0, earlier[0].cosine or 0.0)}) for hit in same]


def _handler(read: State, scores: RouteScores, request: TurnRequest, turn: Turn) -> Route:
    """The route that scores best, overruled by what is certain."""
    question, history = read["question"], request.messages[:-1]
    if wants_assistant(question):
        return Route.OTHER
    best, meant = scores.best, read["utterance"].meant
    is_arranged = request.customer_id and (
        asks_to_arrange(question, meant, request.customer_id, turn)
        or (asks_to_change(question, request.customer_id, turn) and not asks_what_it_costs(question, meant))
    )
    if names_order(question) or is_arranged or _is_about_parcels(question, best, request, turn):
        best = Route.ORDER
    elif _is_about_policies(read, scores):
        best = Route.POLICY
    elif _is_about_products(read, scores) or _asks_for_an_option(read, history, turn):
        best = Route.PRODUCT
    return Route.HANDOFF if is_person_wanted(question, history, best, turn) else best


def _is_about_policies(read: State, scores: RouteScores) -> bool:
    """Whether it is what something costs: a delivery, or a change to an order that nobody asks for yet."""
    if scores.best != Route.ORDER:
        return bool(read["delivery"])
    is_near = scores.scores[Route.ORDER] - scores.scores[Route.POLICY] <= NEAR_POLICY
    return is_near and asks_what_it_costs(read["question"], read["utterance"].meant)


def _is_about_parcels(question: str, best: Route, request: TurnRequest, turn: Turn) -> bool:
    """Whether who asks tells what is asked: a visitor who gives an e-mail, a customer who awaits something."""
    if request.customer_id is None:
        return gives_email(question) and number_and_email(question, request.messages[:-1]) is not None
    if best not in (Route.PRODUCT, Route.OTHER):
        return False
    history = request.messages[:-1]
    return awaits_parcel(question, request.customer_id, turn) or goes_on_with_items(
        question, request.customer_id, history, turn
    )


def _is_about_products(read: State, scores: RouteScores) -> bool:
    question = read["question"]
    goes_on = points_back(question) and asks_of_nothing(question) and scores.best not in _SAY_MORE
    only_names_one = bool(read["focus"]) and says_nothing(read["utterance"].text)
    return goes_on or only_names_one or asks_for_products(question, read["wish"], scores)


def _asks_for_an_option(read: State, history: Sequence[Message], turn: Turn) -> bool:
    """Whether a message goes on about a product and names a size or colour of it: "could I have the red one in XL?".

    After an answer about an order it may be what is wanted in exchange.
    """
    last = next((message.content for message in reversed(history) if message.role == "assistant"), "")
    if len(read["focus"]) != 1 or not last or names_order(last) or changes_in(read["question"]):
        return False
    return bool(options_asked(read["question"], product_sources(read["focus"][0][:1], turn)[0]))


def look_up_products(state: State, runtime: Runtime[Turn]) -> State:
    started = time.perf_counter()
    findings = find_products(state["question"], state["utterance"], state["focus"], runtime.context, state["wish"])
    return _found(findings, started, state, runtime)


def look_up_policies(state: State, runtime: Runtime[Turn]) -> State:
    started = time.perf_counter()
    if points := state["delivery"]:
        return _found(Findings(points, as_list=len(points) > 1), started, state, runtime)
    return _found(
        find_policies(state["question"], state["sections"], state["utterance"].vector, runtime.context),
        started,
        state,
        runtime,
    )


def _found(findings: Findings, started: float, state: State, runtime: Runtime[Turn]) -> State:
    account = state["account"]
    account.retrieve_ms += (time.perf_counter() - started) * 1000
    pen = Pen(account, runtime.stream_writer)
    lead = findings.lead
    if not _is_written_by_model(lead, state, runtime.context):
        for line in lead:
            pen.show(Sentence(text=line.text, author="shop"))
        lead = []
    to_staff = state["request"].audience != "customer"
    return {
        "points": briefly(findings.points, findings.sources) if to_staff else findings.points,
        "lead": lead,
        "sources": findings.sources,
        "asked": findings.asked,
        "as_list": findings.as_list or to_staff,
        "table": findings.table,
        "account": account,
    }


def _is_written_by_model(lead: list[Lead], state: State, turn: Turn) -> bool:
    """Whether a tuned model gets to say the lead itself; what it leaves out is said after its draft."""
    return (
        state["request"].audience == "customer"
        and turn.prompt(state["route"]).layout == "cards"
        and any(line.about for line in lead)
    )


def small_talk(state: State, runtime: Runtime[Turn]) -> State:
    """Greet, thank, say what it is; everything else that is not the shop's business is declined."""
    if complains(question := state["question"]):  # who is upset has been offered a colleague
        return {"account": state["account"]}
    said = (name for name, pattern in _CHATTER.items() if pattern.search(question))
    kind = "called_back" if wants_assistant(question) else next(said, "other")
    Pen(state["account"], runtime.stream_writer).show(Sentence(text=runtime.context.phrase(kind), author="shop"))
    return {"account": state["account"], "refused": kind == "other"}


def respond(state: State, runtime: Runtime[Turn]) -> State:
    """Sum the turn up and tell the listener that it is over."""
    turn, account = runtime.context, state["account"]
    result = TurnResult(
        answer=answer_text(account.sentences),
        citations=tuple(account.citations),
        product_ids=_products_of(state),
        role=state["route"],
        verdict=(verdict := verdict_of(state)),
        fallback=verdict == "fallback",
        model_share=model_share(account.sentences),
        handoff=state.get("handed_over", False),
        ticket=state.get("ticket"),
        arm=turn.arm,
        catalog_version=turn.version.version_id,
        timings_ms=_timings(account),
        tokens=Tokens(prompt=account.prompt_tokens, answer=account.answer_tokens),
        reduced=account.reduced,
        stopped=account.stopped,
        prompt_hash=account.prompt_hash,
        fingerprint=turn.model.fingerprint,
        findings=tuple(account.findings),
    )
    runtime.stream_writer({"kind": "done", "result": result.model_dump(mode="json")})
    return {"result": result}


def _products_of(state: State) -> tuple[str, ...]:
    """Products that the answer cites; where it cites none, the one that the question is clearly about."""
    cited = [citation.id for citation in state["account"].citations if citation.kind in ("product", "fact")]
    asked = [ids[0] for ids in state.get("focus", []) if len(ids) == 1 and state["route"] == Route.PRODUCT]
    return tuple(dict.fromkeys(cited or asked))


def model_share(sentences: list[Sentence]) -> float:
    """Share of shown sentences that the model wrote, 0..1; 0 where nothing was shown."""
    return sum(sentence.author == "model" for sentence in sentences) / len(sentences) if sentences else 0.0


def verdict_of(state: State) -> Verdict:
    """passed: as the model (or the shop's phrases) had it; repaired: partly; fallback: composed or unknown.

    Staff who ask for facts get them from the records, as is meant.
    """
    account = state["account"]
    authors = {sentence.author for sentence in account.sentences}
    if state["refused"]:
        return "refused"
    if "model" in authors:
        return "repaired" if account.repaired or account.findings or "record" in authors else "passed"
    from_records = state["request"].audience != "customer" and account.prompt_hash is None
    looked_up = state["route"] in (Route.PRODUCT, Route.POLICY) and not from_records
    return "fallback" if looked_up else "passed"


def _timings(account: Account) -> Timings:
    total = account.elapsed_ms()
    return Timings(
        first_sentence=round(account.first_sentence_ms or total, 1),
        total=round(total, 1),
        retrieve=round(account.retrieve_ms, 1),
        generate=round(account.generate_ms, 1),
    )
