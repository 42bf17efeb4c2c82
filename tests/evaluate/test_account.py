"""The account: what was looked at, how often, and by whom; what came of each opening."""

from datetime import UTC, datetime

import numpy as np
import pytest

from evaluate.making import small, write
from holdfast.evaluate import Ledger, optimism
from holdfast.evaluate.account import Looked, Opening, account


def test_looks_are_added_up_by_part_and_purpose(where: str) -> None:
    data = small()
    part = data.validation.fingerprint
    with Ledger.open(where) as ledger:
        for name, values in (("a", (0.5, 0.75)), ("b", (0.25,))):
            run = ledger.begin_run(name, data)
            for value in values:
                ledger.look(run, "validation", part, {"accuracy": value, "loss": 1.0}, purpose="early stopping")
            ledger.look(run, "validation", part, {"accuracy": values[-1], "loss": 1.0}, purpose="report")
        (found,) = account(ledger)

    assert (found.name, found.n, found.classes, found.runs, found.opened) == ("photos", 40, 2, 2, ())
    (looked,) = found.looked
    assert (looked.part, looked.fingerprint, looked.n) == ("validation", part, 6)
    assert looked.looks == {"early stopping": (3, 2), "report": (2, 2)}
    assert looked.scores == (("a", 0.75), ("b", 0.25))
    assert looked.best == ("a", 0.75)
    assert looked.optimism == pytest.approx(optimism([0.75, 0.25], 6))


def test_a_run_that_is_judged_again_is_no_further_candidate(where: str) -> None:
    data = small()
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("a", data)
        for value in (0.5, 0.5, 0.5):
            ledger.look(run, "validation", data.validation.fingerprint, {"accuracy": value}, purpose="report")

        (looked,) = account(ledger)[0].looked

    assert looked.scores == (("a", 0.5),)
    assert looked.optimism == 0
    assert looked.looks == {"report": (3, 1)}


def test_runs_that_got_better_by_and_by_are_candidates_all_the_same() -> None:
    rising = Looked("validation", "part", 270, {}, (("a", 0.985), ("b", 0.989), ("c", 0.993)))

    assert rising.optimism == Looked("validation", "part", 270, {}, rising.scores[::-1]).optimism
    assert rising.optimism is not None
    assert 0.002 < rising.optimism < 0.006


def test_data_sets_and_splits_stand_apart(where: str) -> None:
    sets = [small("cats", seed=1), small("cats", seed=2), small("dogs", samples=60)]
    with Ledger.open(where) as ledger:
        for data in sets:
            run = ledger.begin_run("a", data)
            ledger.look(run, "validation", data.validation.fingerprint, {"accuracy": 0.5}, purpose="report")
        found = account(ledger)

    assert [(each.name, each.n, [looked.fingerprint for looked in each.looked]) for each in found] == [
        ("cats", 40, [sets[0].validation.fingerprint, sets[1].validation.fingerprint]),
        ("dogs", 60, [sets[2].validation.fingerprint]),
    ]


def test_out_of_fold_predictions_are_of_all_but_the_test_part(where: str) -> None:
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("a", small())
        ledger.look(run, "out-of-fold", "pool", {"accuracy": 0.5}, purpose="report")

        (looked,) = account(ledger)[0].looked

    assert (looked.part, looked.n) == ("out-of-fold", 30)


def test_each_opening_says_what_came_of_it(where: str) -> None:
    data = small()
    part = data.test.fingerprint
    began = datetime.now(UTC)
    with Ledger.open(where) as ledger:
        first, second = (ledger.begin_run(name, data) for name in "ab")
        for run, right in ((first, 5), (second, 5), (first, 9)):
            ledger.look(run, "test", part, {}, purpose="unseal")
            if ledger.reveal(run, part, np.arange(10) < right).new:
                ledger.look(run, "test", part, {"loss": 1.0, "accuracy": right / 10}, purpose="report")
        ledger.look(second, "test", part, {}, purpose="unseal")  # in Python, where nothing need be written
        (opened,) = account(ledger)[0].opened

    assert (opened.fingerprint, opened.n) == (part, 10)
    assert [(each.run, each.told, each.sealed) for each in opened.openings] == [
        ("a", 0.5, False),
        ("b", None, True),
        ("a", 0.9, False),
        ("b", None, False),
    ]
    assert began <= opened.openings[0].at <= opened.openings[-1].at <= datetime.now(UTC)
    assert isinstance(opened.openings[0], Opening)


def test_a_test_part_that_two_data_sets_share_has_all_its_openings_in_both(where: str) -> None:
    with Ledger.open(where) as ledger:
        for data in (small("cats"), small("dogs", samples=60)):
            ledger.look(ledger.begin_run(data.name, data), "test", "shared", {}, purpose="unseal")

        assert [[each.run for each in found.opened[0].openings] for found in account(ledger)] == [["cats", "dogs"]] * 2


def test_what_an_older_holdfast_wrote_is_told_as_far_as_it_is_known(where: str) -> None:
    data = small()
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("a", data)
        ledger.look(run, "validation", data.validation.fingerprint, {"accuracy": 0.5}, purpose="report")
        write(ledger, "update datasets set n = null, classes = null")
        write(ledger, "update splits set train_n = null, validation_n = null, validation_fingerprint = null")

        (found,) = account(ledger)

    assert (found.n, found.classes, found.looked[0].n, found.looked[0].optimism) == (None, None, None, None)


def test_an_empty_ledger_has_no_account(where: str) -> None:
    with Ledger.open(where) as ledger:
        assert account(ledger) == ()
