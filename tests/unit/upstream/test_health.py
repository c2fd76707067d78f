"""The health of a pool: who is bad, who is ejected, who comes back and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.upstream.health import FAILURES, TOLD_SECONDS, Member, Pool, back_at


def pool(number: int = 3, health: str = "/health", *, probed: bool = True) -> Pool:
    return Pool(
        [Member(f"http://b{at}", 100, health, probed=probed, now=0.0) for at in range(number)]
    )


def fail(of: Pool, member: Member, now: float, times: int = FAILURES) -> None:
    for _ in range(times):
        of.failed(member, now)


def state(member: Member) -> str:
    return member.state


def picked(of: Pool, now: float, times: int = 30) -> set[str]:
    found = {of.pick(now) for _ in range(times)}
    return {member.url for member in found if member is not None}


def test_five_failures_in_a_row_eject() -> None:
    p = pool()
    fail(p, p.members[0], 1.0, FAILURES - 1)
    assert state(p.members[0]) == "up"
    p.succeeded(p.members[0], 0.5, 1.0)
    fail(p, p.members[0], 1.0, FAILURES - 1)
    assert state(p.members[0]) == "up"
    p.failed(p.members[0], 2.0)
    assert state(p.members[0]) == "ejected"
    assert p.members[0].ejections == 1
    assert picked(p, 2.0) == {"http://b1", "http://b2"}


def test_at_most_half_are_ejected_and_the_rest_of_the_bad_still_serve() -> None:
    p = pool()
    fail(p, p.members[0], 1.0)
    fail(p, p.members[1], 2.0)
    assert [m.state for m in p.members] == ["ejected", "bad", "up"]
    assert picked(p, 2.0) == {"http://b1", "http://b2"}


def test_where_all_are_bad_all_are_tried() -> None:
    p = pool()
    for at, member in enumerate(p.members):
        fail(p, member, float(at))
    assert [m.state for m in p.members] == ["bad"] * 3
    assert picked(p, 3.0) == {"http://b0", "http://b1", "http://b2"}


def test_a_single_one_is_never_ejected() -> None:
    p = pool(1)
    fail(p, p.members[0], 1.0)
    assert state(p.members[0]) == "bad"
    assert picked(p, 1.0) == {"http://b0"}


def test_the_first_good_probe_brings_it_back() -> None:
    p = pool()
    fail(p, p.members[0], 1.0)
    p.found(p.members[0], 3.0, 0.5, well=False)
    assert state(p.members[0]) == "ejected"
    p.found(p.members[0], 8.0, 0.5, well=True)
    assert state(p.members[0]) == "up"
    assert picked(p, 8.0) == {"http://b0", "http://b1", "http://b2"}


def test_one_failed_probe_ejects_and_requests_do_not_bring_it_back() -> None:
    p = pool(2)
    p.found(p.members[0], 1.0, 0.5, well=False)
    assert state(p.members[0]) == "ejected"
    p.succeeded(p.members[0], 2.0, 3.0)
    assert state(p.members[0]) == "ejected"


def test_a_request_that_began_before_says_nothing_of_after() -> None:
    p = pool(1)
    fail(p, p.members[0], 5.0)
    p.succeeded(p.members[0], 4.0, 6.0)
    assert state(p.members[0]) == "bad"
    p.succeeded(p.members[0], 5.5, 6.5)
    assert state(p.members[0]) == "up"


def test_probes_come_every_thirty_seconds_and_every_five_while_bad() -> None:
    p = pool(2)
    first, second = p.members
    assert p.due(0.0) == [first, second]
    assert p.due(0.0) == []  # they are being probed
    p.found(first, 0.0, 0.5, well=True)
    p.found(second, 0.0, 0.5, well=False)
    assert (first.probe_at, second.probe_at) == (30.0, 5.0)
    assert p.due(5.0) == [second]
    p.found(second, 5.0, 0.0, well=True)
    assert 5 + 30 * 0.8 <= second.probe_at < 5 + 30
    fail(p, first, 10.0)
    assert first.probe_at == 15.0


def test_without_probes_it_is_left_alone_for_longer_each_time() -> None:
    p = pool(2, "")
    first = p.members[0]
    assert p.due(100.0) == []
    fail(p, first, 0.0)
    assert back_at(first) == 30.0
    assert picked(p, 29.9) == {"http://b1"}
    assert picked(p, 30.0) == {"http://b0", "http://b1"}
    fail(p, first, 31.0)
    assert back_at(first) == 31.0 + 60.0
    assert picked(p, 90.9) == {"http://b1"}
    p.serving(91.0)
    p.succeeded(first, 91.0, 92.0)
    fail(p, first, 100.0)
    assert back_at(first) == 130.0


def test_anothers_probes_eject_and_bring_back_one_that_nobody_here_probes() -> None:
    p = pool(probed=False)
    one = p.members[0]
    p.told(one, 9.0, 10.0, well=False)
    assert state(one) == "ejected"
    p.succeeded(one, 10.0, 11.0)
    assert state(one) == "ejected"
    # As long as it is said again, its time does not bring it back.
    for now in range(20, 200, 10):
        p.told(one, now - 1.0, float(now), well=False)
        assert one not in p.serving(now + 9.0)
    p.told(one, 199.0, 200.0, well=True)
    assert picked(p, 200.0) == {"http://b0", "http://b1", "http://b2"}


def test_a_probe_that_was_sent_before_it_became_bad_does_not_bring_it_back() -> None:
    p = pool(probed=False)
    fail(p, p.members[0], 10.0)
    p.told(p.members[0], 9.0, 11.0, well=True)
    assert state(p.members[0]) == "ejected"
    p.told(p.members[0], 12.0, 13.0, well=True)
    assert state(p.members[0]) == "up"


def test_anothers_probe_that_is_old_says_nothing_and_holds_nobody_for_ever() -> None:
    p = pool(probed=False)
    one, two, _ = p.members
    p.told(one, 0.0, TOLD_SECONDS + 1.0, well=False)
    assert state(one) == "up"
    p.told(one, 100.0, 101.0, well=False)
    assert one not in p.serving(100.0 + TOLD_SECONDS - 1.0)
    assert one in p.serving(100.0 + TOLD_SECONDS)
    fail(p, two, 200.0)
    p.told(two, 201.0, 201.0 + TOLD_SECONDS + 1.0, well=True)
    assert state(two) == "ejected"


def test_tried_ones_are_not_picked_again() -> None:
    p = pool(2)
    one = p.pick(0.0)
    assert one is not None
    other = p.pick(0.0, [one])
    assert other is not None
    assert other is not one
    assert p.pick(0.0, [one, other]) is None


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["failed", "ok", "well", "ill", "time", "pick"]),
        st.integers(0, 6),
        st.floats(0.1, 40.0),
    ),
    max_size=120,
)


@given(st.integers(1, 7), st.booleans(), EVENTS)
def test_never_empty_and_never_more_than_half(
    number: int, probed: bool, events: list[tuple[str, int, float]]
) -> None:
    p = pool(number, probed=probed)
    now = 0.0
    for kind, at, seconds in events:
        member = p.members[at % number]
        match kind:
            case "failed":
                fail(p, member, now, 1 + at)
            case "ok":
                p.succeeded(member, now, now)
            case "well" | "ill":
                p.found(member, now, 0.5, well=kind == "well")
            case "time":
                now += seconds
            case _:
                assert p.pick(now) is not None
        out = [m for m in p.members if m.out]
        serving = p.serving(now)
        assert serving
        assert len(out) <= number // 2
        good = [m for m in p.members if not m.bad]
        assert set(good) <= set(serving)
        assert good or len(serving) == number
