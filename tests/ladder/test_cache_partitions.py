"""No answer ever crosses a partition, whatever its parts look like."""

import asyncio

from cache_kit import ALIKE, ASKED, Words
from hypothesis import given, settings
from hypothesis import strategies as st

from failsoft.ladder.cache.cache import PUBLIC, Partition, SemanticCache, tenant_scope, user_scope
from failsoft.ladder.partition import digest

# Few and easily mistaken for each other when they are put together.
WORDS = st.sampled_from(
    ["", "a", "b", "ab", "a/b", "b/a", "a b", "/", "%2F", "a%2Fb", "\0", "\ud800"]
)
SCOPES = (
    st.just(PUBLIC) | st.builds(tenant_scope, WORDS) | st.builds(user_scope, WORDS, WORDS) | WORDS
)
PARTITIONS = st.builds(
    Partition, scope=SCOPES, shared=st.booleans(), route=WORDS, context=WORDS, history=WORDS
)
LANGUAGES = st.sampled_from(["en", "de", "e", "n", ""])
PLACES = st.tuples(PARTITIONS, LANGUAGES)


@settings(max_examples=1000)
@given(st.lists(st.text() | st.binary(), max_size=4), st.lists(st.text() | st.binary(), max_size=4))
def test_other_parts_have_another_digest(these, those):
    def as_bytes(parts):
        return [p.encode("utf-8", "surrogatepass") if isinstance(p, str) else p for p in parts]

    assert (digest(*these) == digest(*those)) == (as_bytes(these) == as_bytes(those))


@settings(max_examples=1000)
@given(PLACES, PLACES)
def test_two_partitions_have_one_key_only_where_they_are_one(one, other):
    assert (one[0].key_in(one[1]) == other[0].key_in(other[1])) == (one == other)
    assert (one[0].key == other[0].key) == (one[0] == other[0])


@settings(max_examples=1000)
@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()), st.text())
def test_two_users_have_one_scope_only_where_they_are_one(one, other, tenant):
    assert (user_scope(*one) == user_scope(*other)) == (one == other)
    assert len({PUBLIC, tenant_scope(tenant), user_scope(*one)}) == 3


@settings(max_examples=60)
@given(
    kept=st.lists(PLACES, min_size=1, max_size=6),
    asked=st.lists(PLACES, max_size=4),
)
def test_no_answer_crosses_a_partition(tmp_path_factory, kept, asked):
    path = tmp_path_factory.mktemp("leak") / "cache.db"

    async def run():
        cache = SemanticCache(path, embedder=Words())
        cache.start()
        last = {}
        for number, place in enumerate(kept):
            cache.keep(place[0], ASKED, str(number), locale=place[1])
            storable = "\ud800" not in place[0].scope + place[0].route
            last[place] = str(number) if storable else None
        for place in [*kept, *asked]:
            expected = last.get(place)
            for question in (ASKED, ALIKE):
                hit = await cache.lookup(place[0], question, locale=place[1])
                answer = hit and hit.response
                if question is ASKED or (place[0].shared and place[1] == "en"):
                    assert answer == expected
                else:  # guards that do not know the language tell most questions apart
                    assert answer in {None, expected if place[0].shared else None}
        await cache.aclose()

    asyncio.run(run())
