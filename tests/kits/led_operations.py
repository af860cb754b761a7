"""Operations of a store, any of them, with any arguments that a process may send."""

from hypothesis import strategies as st

from failsoft.shared_state.store import Operation

KEYS = {"breaker": ("breaker:a", "breaker:b/c"), "hold": ("hold:family x",)}
PROCESSES = ("p1", "p2", "p3")
LEASES = ("l1", "l2", "l3")
SEQUENCES = st.integers(1, 6)
CAUSES = st.sampled_from(["", "overloaded"])
FLAGS = st.sampled_from([0, 1])
LENGTHS = st.sampled_from([0, 1, 40, 300, 2500, 9000])
COUNTS = st.sampled_from([0, 1, 2, 7])


def _row(*parts):
    return st.tuples(
        *[part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts]
    )


# In place of a generation: one that was told, the latest being -1.
GENERATIONS = st.integers(-5, -1)

# In place of the birth of a key, and of another one.
BIRTHS = st.sampled_from([-101, -102])


def arguments(kind):
    """Of every operation by its name."""
    generations = GENERATIONS
    process, lease = st.sampled_from(PROCESSES), st.sampled_from(LEASES)
    if kind == "hold":
        held = (st.sampled_from(["bench", "park"]), LENGTHS, FLAGS, st.integers(0, 3))
        return {
            "sync": _row(generations, BIRTHS, FLAGS, *held, LENGTHS, CAUSES),
            "hold": _row(*held, LENGTHS, CAUSES),
            "lease": _row(lease, LENGTHS),
            "probe": _row(lease, FLAGS, LENGTHS),
            "release": _row(process, SEQUENCES, generations),
        }
    states = st.sampled_from(["closed", "open", "half_open"])
    outcomes = st.sampled_from(["success", "failure", "neutral"])
    counted = (COUNTS, COUNTS, FLAGS, COUNTS, COUNTS)
    return {
        "sync": _row(generations, BIRTHS, FLAGS, states, LENGTHS, FLAGS, CAUSES),
        "record": _row(process, SEQUENCES, generations, *counted, FLAGS, 300, 4, COUNTS, COUNTS),
        "open": _row(generations, LENGTHS, "failures in a row", CAUSES, st.sampled_from([0, 1200])),
        "lease": _row(generations, lease, LENGTHS, st.integers(1, 2)),
        "probe": _row(lease, outcomes, st.integers(1, 3), LENGTHS, CAUSES, FLAGS),
        "isolate": _row(process, SEQUENCES, generations, "isolated by hand"),
        "restore": _row(process, SEQUENCES, generations, "restored by hand"),
    }


def _operations():
    return [
        st.tuples(st.just(kind), st.sampled_from(KEYS[kind]), st.just(name), values)
        for kind in KEYS
        for name, values in arguments(kind).items()
    ]


OPERATIONS = st.one_of(_operations())


def operation(drawn, generations, births):
    """What was drawn, with real ``generations`` (at least five) and two ``births`` in it."""
    kind, key, name, values = drawn

    def real(value):
        if not isinstance(value, int) or value >= 0:
            return value
        return generations[value] if value > -100 else births[value + 100]

    return Operation(kind, key, name, tuple(map(real, values)))
