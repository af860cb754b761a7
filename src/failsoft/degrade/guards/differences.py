"""What one reading has and the other lacks, under the name of the guard that minds it."""

from __future__ import annotations

from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.reading import INFINITE, THING, Reading, bag
from failsoft.degrade.guards.spelling import slips
from failsoft.degrade.guards.voice import ACTORS, PAST

_Bag = list[tuple[str, str]]

__all__ = ["missing", "spelled_alike", "unlike_kinds", "unlike_persons"]

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
    # Where its ending tells who does it, a verb in front asks for itself.
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
