"""Whether the same things stand in the same roles: from here to there, or from there to here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from failsoft.degrade.guards.items import INFINITIVE, PLACED, REVERSED, Item
from failsoft.degrade.guards.language import Language
from failsoft.degrade.guards.reading import INFINITE, NOMINAL, Reading
from failsoft.degrade.guards.voice import ACTORS, UNDERGONE

__all__ = ["same_order"]

_Row = tuple[Item, ...]
# What is needed or had is a thing, however much its name is like a verb.
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
