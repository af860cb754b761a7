"""Compares two readings: what one has and the other lacks, and whether the roles are the same.

Each difference carries the name of its guard. Roles are the order of the same things: from here to
there, or from there to here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from failsoft.ladder.paraphrase.language import Language
from failsoft.ladder.paraphrase.reading import (
    ACTORS,
    INFINITE,
    INFINITIVE,
    NOMINAL,
    PAST,
    PLACED,
    REVERSED,
    THING,
    UNDERGONE,
    Item,
    Reading,
    bag,
)
from failsoft.ladder.paraphrase.spelling import slips

__all__ = ["missing", "same_order", "spelled_alike", "unlike_kinds", "unlike_persons"]

_Bag = list[tuple[str, str]]


_GUARDS = (
    "number", "negation", "unit", "currency", "date", "name", "modality", "tense", "scope",
    "person", "order", "content",
)  # fmt: skip
_QUANTITIES = ("#howmuch", "#howmany", "#howlong", "#howoften", "#price")
_MODALS = ("#can", "#must", "#should", "#would")
_TENSES = ("#past", "#was", "#had", "#perfect", "#future")
# Where "my" and "the" are one: how to close my account is how to close an account.
_OWN_DOING = ("#how", "#where", "#who", "#can", "#must", "#whatdo")
_IMPERSONAL = ("#how", "#can", "#must")
_OWNERS = {"owner": "me", "owners_first": "me", "others_second": "you"}
_PREFIXES = frozenset({
    "un", "in", "im", "il", "ir", "dis", "de", "re", "non", "over", "under", "pre", "post",
    "mis", "out", "up", "down", "auf", "zu", "ab", "an", "ein", "aus", "be", "ent", "ver",
    "vor", "nach", "des",
})  # fmt: skip
_PREFIX_LENGTHS = range(2, 6)


def spelled_alike(ours: Reading, theirs: Reading, language: Language) -> Reading:
    """The first with its slips of the finger put right, where these are all that differs."""
    if ours.bag == theirs.bag:
        return ours
    only_left, only_right = _apart(ours, theirs)
    if any(sort != "content" for sort, _ in only_left + only_right):
        return ours
    words = [[value for _, value in side] for side in (only_left, only_right)]
    right = slips(words[0], words[1], language)
    items = tuple(item._replace(value=right.get(item.value, item.value)) for item in ours.items)
    return ours._replace(items=items, bag=bag(items)) if right else ours


def missing(ours: Reading, theirs: Reading, language: Language) -> str | None:
    """The guard that minds what only one of the two names."""
    if ours.bag == theirs.bag:
        return None
    only_left, only_right = _apart(ours, theirs)
    if _opposed(only_left, only_right, language):
        return "opposite"
    names = ours.names | theirs.names
    sorts = {
        "name" if sort == "content" and value in names else sort
        for sort, value in only_left + only_right
    }
    return next(guard for guard in _GUARDS if guard in sorts)


def _apart(ours: Reading, theirs: Reading) -> tuple[_Bag, _Bag]:
    left, right = list(ours.bag), []
    for named in theirs.bag:
        if named in left:
            left.remove(named)
        else:
            right.append(named)
    return left, right


def unlike_kinds(ours: Reading, theirs: Reading, language: Language) -> str | None:
    """The guard that minds that one asks how and the other when."""
    if ours.kinds == theirs.kinds or _implied(ours, theirs, language):
        return None
    apart = ours.kinds ^ theirs.kinds
    for name, kinds in (("quantity", _QUANTITIES), ("tense", _TENSES), ("modality", _MODALS)):
        if apart.intersection(kinds):
            return name
    return "question"


def unlike_persons(ours: Reading, theirs: Reading) -> str | None:
    """Whether one asks of themselves and the other of us, or one of mine and the other of any."""
    left, right = ours.persons, theirs.persons
    if (PAST in left) != (PAST in right):
        return "tense"
    kinds = ours.kinds
    unlike = _other_actor(left, right, kinds) or _other_owner(left, right, kinds)
    return "person" if unlike else None


def _other_actor(left: frozenset[str], right: frozenset[str], kinds: frozenset[str]) -> bool:
    """Whether "I" do it in the one, and "you" do, or it is done to "me", in the other."""
    actors = left & ACTORS, right & ACTORS
    apart = left ^ right
    you = "subjects_second" in apart
    return (
        (all(actors) and actors[0] != actors[1])
        or {"subjects_first", "others_first"} <= apart
        or ("#who" in kinds and "subjects_first" in apart)
        or (you and ("others_first" in apart or not kinds.isdisjoint(_OWN_DOING)))
    )


def _other_owner(left: frozenset[str], right: frozenset[str], kinds: frozenset[str]) -> bool:
    """Whether one asks for "my" limit, and the other for "your" limit or the limit of all."""
    if "owner" in left ^ right and kinds.isdisjoint(_IMPERSONAL):
        return True
    owners = [{_OWNERS[who] for who in side if who in _OWNERS} for side in (left, right)]
    return all(owners) and owners[0] != owners[1]


def _implied(ours: Reading, theirs: Reading, language: Language) -> bool:
    """Whether the one without a kind, "refund policy", can only mean the other's."""
    bare, full = (ours, theirs) if not ours.kinds else (theirs, ours)
    if bare.kinds or not bare.items:
        return False
    if INFINITE in bare.persons:
        return full.kinds == {"#how"}
    if THING in bare.persons or bare.items[0].value not in language.verbs:
        return full.kinds in ({"#what"}, {"#yesno"})
    # Where its ending says who does it, a verb in front asks for itself.
    return full.kinds == ({"#how"} if language.conjugated is None else {"#yesno"})


def _opposed(left: _Bag, right: _Bag, language: Language) -> bool:
    ours, theirs = {value for _, value in left}, {value for _, value in right}
    return (
        any(not theirs.isdisjoint(language.opposites.get(one, ())) for one in ours)
        or _negated(ours, theirs)
        or _negated(theirs, ours)
    )


def _negated(ours: set[str], theirs: set[str]) -> bool:
    """Whether one has "unlock" where the other has "lock"."""
    return any(
        one[:length] in _PREFIXES and one[length:] in theirs
        for one in ours
        for length in _PREFIX_LENGTHS
    )


_Row = tuple[Item, ...]
# A noun that is needed or had is a thing, however much its name is like a verb.
_OF_THINGS = frozenset({"#must", "#have"})


def same_order(ours: Reading, theirs: Reading, language: Language) -> bool:
    """Whether two readings of the same items name them in the same roles."""
    undergone = [UNDERGONE in side.persons for side in (ours, theirs)]
    alike = undergone[0] == undergone[1] or not (ours.kinds and theirs.kinds)
    our_items, their_items = (_settled(side.items, language) for side in (ours, theirs))
    if _sorted(our_items) == _sorted(their_items):
        return alike
    left = _plain(our_items, their_items, language)
    right = _plain(their_items, our_items, language)
    if left & right and _places(our_items, their_items):
        return alike
    moved = _moved(left, right, language), _moved(right, left, language)
    if not any(moved):
        return False
    if {NOMINAL, INFINITE} & (ours.persons ^ theirs.persons):
        return True
    if language.separable:  # its verbs stand first or last, as the sentence wants
        actors = [side.persons & ACTORS for side in (ours, theirs)]
        return actors[0] == actors[1] != frozenset() and not ours.kinds & _OF_THINGS
    return undergone[0] != undergone[1] and moved[undergone[0]]


def _settled(items: _Row, language: Language) -> _Row:
    """With words like "early" last: wherever they stand, they say how it is done."""
    floats = [item.value in language.floating for item in items]
    if not any(floats):
        return items
    row = list(zip(items, floats, strict=True))
    last = (item._replace(under="") for item, floating in row if floating)
    return (*(item for item, floating in row if not floating), *last)


def _places(ours: _Row, theirs: _Row) -> bool:
    """Whether both name as many places, or one has neither an "in" nor an "of"."""
    marks = [[items[at].value == PLACED for at in _marks(items)] for items in (ours, theirs)]
    return not all(marks) or sum(marks[0]) == sum(marks[1])


def _plain(items: _Row, others: _Row, language: Language) -> set[_Row]:
    """Without any "of": turned round, "delivery cost", and just left out if the other has none.

    Two that both say it are compared as they say it: a photo for a card is no card for a photo.
    """
    found = {_sorted(_turned(items, language))}
    if not (_marks(items) and _marks(others)):
        found.add(_sorted(item for item in items if item.sort != REVERSED))
    return found


def _turned(items: _Row, language: Language) -> list[Item]:
    """With "cost of delivery" as "delivery cost"; as it is where that would change the meaning."""
    said = list(items)
    while marks := _marks(said):
        at = marks[-1]
        mark = said[at]
        under = said[at - 1].under if at else ""
        end = next((n for n in range(at + 1, len(said)) if said[n].under != mark.under), len(said))
        head = [one for one in said[max(at - 1, 0) : at] if one.sort not in ("order", REVERSED)]
        if mark.value == PLACED and head and head[0].value in language.verbs:
            return list(items)  # to pay in money is not to pay money
        moved = [one._replace(under=under) for one in said[at + 1 : end]]
        said[at - len(head) : end] = [*moved, *head]
    return [one._replace(under="") if one.under == INFINITIVE else one for one in said]


def _marks(items: Sequence[Item]) -> list[int]:
    return [at for at, item in enumerate(items) if item.sort == REVERSED]


def _sorted(items: Iterable[Item]) -> _Row:
    """The parts of a question side by side, wherever each was said."""
    return tuple(sorted(items, key=lambda item: item.under))


def _moved(active: set[_Row], passive: set[_Row], language: Language) -> bool:
    """Whether only the verb stands elsewhere: cancel an order, an order cancelled."""
    return any(
        one[0].value in language.verbs and one[0] in other and one[1:] == _without(other, one[0])
        for one in active
        for other in passive
        if one
    )


def _without(items: _Row, verb: Item) -> _Row:
    at = items.index(verb)
    return items[:at] + items[at + 1 :]
