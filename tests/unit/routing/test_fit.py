"""Learning a router: the numbers behind it, what it learns, and what it says of itself."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from penstock.errors import BadRequest, Misconfigured
from penstock.routing import features, router
from penstock.routing.certify import certify
from penstock.routing.evaluate import by, evaluate, held_out
from penstock.routing.fit import calibrated, fit, fitted, kept
from penstock.routing.labels import Labels, read
from penstock.routing.recovered import apgr
from penstock.routing.router import InvalidRouter, Router, Scorer, decode, encode, sealed, threshold
from penstock.routing.sparse import Design, ridge, scale
from tests.unit.routing.labelled import draw, lines, made, silent


@pytest.fixture(scope="module")
def labels() -> Labels:
    return read(lines(made(400)))


@pytest.fixture(scope="module")
def fresh() -> Labels:
    return read(lines(made(400, seed=2)))


@pytest.fixture(scope="module")
def learned(labels: Labels) -> Router:
    return fit(labels, "made", "2026-11-27", draw(), silent)


def test_ridge_solves_its_equations() -> None:
    """Transposed(A w - y) + penalty · w = 0, for each penalty."""
    random = Random(1)
    rows = [sorted(random.sample(range(12), random.randint(1, 6))) for _ in range(40)]
    targets = [random.gauss(0, 1) for _ in rows]
    design = Design(rows)
    for penalty, weights in zip((0.5, 5.0), ridge(design, targets, (0.5, 5.0)), strict=True):
        wrong = [had - due for had, due in zip(design.times(weights), targets, strict=True)]
        slope = design.transposed(wrong)
        for at in range(12):
            assert slope[at] + penalty * weights[at] == pytest.approx(0, abs=1e-6)


def test_products_are_those_of_the_matrix() -> None:
    design = Design([[0, 7], [5], []])
    half = scale([0, 7])
    assert design.slots == [0, 5, 7]
    assert design.times([1.0, 10.0, 100.0]) == pytest.approx([101 * half, 10.0, 0.0])
    assert design.transposed([1.0, 2.0, 5.0]) == pytest.approx([half, 2.0, half])


def test_targets_without_any_variance_weigh_nothing() -> None:
    assert ridge(Design([[0], [1]]), [0.0, 0.0], (1.0,)) == [[0.0, 0.0]]


def test_it_learns_who_gains(learned: Router, fresh: Labels) -> None:
    gains = [row.gain for row in fresh.rows]
    assert apgr(by(learned, fresh.rows), gains) > 0.62  # 0.65 is all that the noise leaves
    assert learned.apgr[1] > 0.6
    assert "certify" in learned.trust


def test_the_file_weighs_as_the_fit_did(learned: Router, labels: Labels) -> None:
    exact = fitted(labels.rows, (learned.penalty,))[0]
    for row, score in zip(labels.rows, by(learned, labels.rows), strict=True):
        assert score == pytest.approx(exact.mean + exact.score(row), abs=0.02)


def test_the_same_labels_make_the_same_file(learned: Router, labels: Labels) -> None:
    assert encode(fit(labels, "made", "2026-11-27", draw(), silent)) == encode(learned)


def test_labels_of_chance_make_a_router_that_says_so() -> None:
    random = Random(1)
    rows = [row | {"weak": random.random(), "strong": 0.9} for row in made(200)]
    made_of_noise = fit(read(lines(rows)), "noise", "2026-11-27", draw(), silent)
    assert made_of_noise.apgr[1] < 0.5
    assert "do not use it" in made_of_noise.trust


def test_a_file_is_small_and_comes_back(learned: Router) -> None:
    data = encode(learned)
    assert len(data) <= router.MOST_BYTES
    assert decode(data, "file") == learned
    assert decode(data.decode(), "file") == learned


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-100],
        lambda data: data.replace(b'"base": ', b'"base": 1'),
        lambda data: data.replace(b'"rows": 400', b'"rows": 4000'),
        lambda data: b"",
        lambda data: b"{}",
        lambda data: b"\xff" * 40,
        lambda data: b"[" * 60_000,
        lambda data: data + b" " * router.MOST_BYTES,
    ],
)
def test_a_damaged_file_is_refused_with_one_code(learned: Router, damage) -> None:
    with pytest.raises(InvalidRouter) as caught:
        decode(damage(encode(learned)), "F")
    assert caught.value.code == "invalid_router"
    assert isinstance(caught.value, Misconfigured)
    assert caught.value.message.startswith("F ")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"features": features.VERSION + 1},
        {"weights": "AAAA"},
        {"weights": "?"},
        {"calibration": router.Calibration([0.0], [1.0], [1.0])},
    ],
)
def test_a_sound_checksum_over_what_does_not_fit_is_refused(learned: Router, change) -> None:
    data = encode(sealed(msgspec.structs.replace(learned, **change)))
    with pytest.raises(InvalidRouter):
        decode(data, "F")


def test_thresholds_by_share_and_by_quality(learned: Router, fresh: Labels) -> None:
    scores = by(learned, fresh.rows)
    for share in (0.2, 0.5, 0.8):
        strong = sum(score >= threshold(learned, None, share) for score in scores)
        assert strong / len(scores) == pytest.approx(share, abs=0.08)
    cuts = [threshold(learned, quality, None) for quality in (0.0, 0.6, 0.8, 0.95, 1.0)]
    assert cuts == sorted(cuts, reverse=True)
    best = sum(row.strong for row in fresh.rows)
    for quality, cut in zip((0.6, 0.8, 0.95), cuts[1:4], strict=True):
        had = sum(
            row.strong if score >= cut else row.weak
            for row, score in zip(fresh.rows, scores, strict=True)
        )
        assert had / best >= quality - 0.03
    assert all(score < threshold(learned, 0.0, None) for score in scores)
    assert all(score >= threshold(learned, 1.0, None) for score in scores)


def test_quality_at_the_ends() -> None:
    rows = read(lines(made(60))).rows
    table = calibrated([row.gain for row in rows], rows)
    assert table.quality[0] == pytest.approx(
        sum(row.weak for row in rows) / sum(row.strong for row in rows)
    )
    assert (table.quality[-1], table.least[-1]) == (1.0, 1.0)
    assert kept(list(range(60)), rows, 60).over_chance == 0


def test_held_out_scores_never_saw_their_rows() -> None:
    """Where every text is of its own words nothing can be learned, however well a fit knows its own rows."""
    random = Random(1)
    rows = [
        {"prompt": f"w{at}x w{at}y", "weak": float(random.random() < 0.5), "strong": 1.0}
        for at in range(300)
    ]
    found = read(lines(rows)).rows
    gains = [row.gain for row in found]
    assert 0.4 < apgr(held_out(found, 5, silent), gains) < 0.6


def test_an_evaluation_has_every_baseline(labels: Labels) -> None:
    found = evaluate(labels.rows, held_out(labels.rows, 5, silent), draw())
    assert found.router.apgr.low > found.random.apgr.high
    assert found.random.apgr.value == 0.5
    assert found.oracle.apgr.value >= found.router.apgr.value
    assert 0.4 < found.heuristic.apgr.value < 0.6
    assert (found.rows, found.groups) == (400, 400)


def test_certified_where_it_holds_and_not_where_it_does_not(learned: Router, fresh: Labels) -> None:
    scores = by(learned, fresh.rows)
    yes = certify(fresh.rows, scores, 0.85)
    assert yes.certified
    assert yes.least >= 0.85
    assert 0 < yes.strong_share < 1
    assert yes.saving.low > 0
    assert yes.over_chance.low > 0
    no = certify(fresh.rows, scores, 0.999)
    assert not no.certified
    assert "no share" in no.reason


def test_chance_is_not_certified_though_it_saves(fresh: Labels) -> None:
    random = Random(4)
    found = certify(fresh.rows, [random.random() for _ in fresh.rows], 0.75)
    assert not found.certified
    assert "by chance" in found.reason
    assert found.saving.value > 0


def test_rows_that_lost_nothing_are_no_proof_that_none_will() -> None:
    """A dozen of them have no variance at all; the share of weak calls that they show may still lose some."""
    rows = read(lines(made(200, noise=0.1))).rows
    gain_first = [row.gain for row in rows]
    assert not certify(rows, gain_first, 1.0).certified
    assert kept(sorted(range(200), key=lambda at: -gain_first[at]), rows, 188).least < 0.99


def test_certificates_are_rarely_wrong() -> None:
    """Of scores that are chance, on labels whose quality is known: far fewer than one in ten may be certified."""
    wrong = 0
    for seed in range(40):
        random = Random(seed)
        rows = read(lines(made(150, seed=seed))).rows
        wrong += certify(rows, [random.random() for _ in rows], 0.7).certified
    assert wrong <= 6


def test_the_weak_target_alone_may_do() -> None:
    rows = read(
        lines([row | {"weak": 0.99 - at % 2 / 100} for at, row in enumerate(made(100))])
    ).rows
    found = certify(rows, [0.0] * 100, 0.9)
    assert found.certified
    assert found.strong_share == 0
    assert "alone" in found.reason


def test_savings_are_of_cost_where_every_row_has_both() -> None:
    rows = made(200, weak_cost=0.001, strong_cost=0.01)
    found = certify(read(lines(rows)).rows, [row["weak"] * -1 for row in rows], 0.9)
    assert found.saving_of == "cost"
    assert found.saving.value == pytest.approx(0.9 * (1 - found.strong_share), abs=0.001)
    dear = [row | {"weak_cost": 0.02} for row in rows]
    assert not certify(read(lines(dear)).rows, [row["weak"] * -1 for row in rows], 0.9).certified
    some = [*rows[1:], made(1)[0]]
    assert certify(read(lines(some)).rows, [0.0] * 200, 0.5).saving_of == "strong_calls"


def test_a_scorer_takes_an_empty_ask(learned: Router) -> None:
    assert Scorer(learned)([]) == learned.base


def test_no_fit_without_enough_groups() -> None:
    rows = [row | {"group": at % 2} for at, row in enumerate(made(60))]
    with pytest.raises(BadRequest):
        fit(read(lines(rows)), "made", "2026-11-27", draw(), silent)
