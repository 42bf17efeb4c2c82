"""The ledger: what is written can be counted, in SQLite and in PostgreSQL; what cannot be written is said in a line."""

import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluate.making import rows, small, write
from holdfast.core import BadShape, BadValue
from holdfast.data import load
from holdfast.evaluate import Ledger, Revealed
from holdfast.evaluate.ledger import HEARTBEAT_S


def test_a_look_has_a_row_a_metric_and_counts_once(where: str) -> None:
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("photos-001", small())
        for epoch in (1, 2):
            values = {"accuracy": 0.8, "loss": float("nan")}
            ledger.look(run, "validation", "part", values, purpose="early stopping", epoch=epoch)
        looks = ledger.looks("part")
        found = rows(ledger, "select run, number, part, metric, value, epoch, purpose from looks order by id")

    assert looks == 2
    assert found == [
        (run, 1, "validation", "accuracy", 0.8, 1, "early stopping"),
        (run, 1, "validation", "loss", None, 1, "early stopping"),
        (run, 2, "validation", "accuracy", 0.8, 2, "early stopping"),
        (run, 2, "validation", "loss", None, 2, "early stopping"),
    ]


def test_looks_are_counted_by_part_and_by_run(where: str) -> None:
    with Ledger.open(where) as ledger:
        first, second = (ledger.begin_run(name, small()) for name in ("a", "b"))
        ledger.look(first, "validation", "part", {"accuracy": 0.5}, purpose="early stopping")
        ledger.look(first, "validation", "part", {"accuracy": 0.6}, purpose="report")
        ledger.look(second, "validation", "part", {"accuracy": 0.7}, purpose="selection")
        ledger.look(second, "validation", "other", {"accuracy": 0.7}, purpose="selection")

        assert ledger.looks("part") == 3
        assert ledger.looks("part", first) == 2
        assert ledger.looks("part", second) == 1
        assert ledger.looks("never seen") == 0


def test_openings_are_counted_over_all_runs_and_scores_of_them_are_not(where: str) -> None:
    with Ledger.open(where) as ledger:
        for name in ("a", "b"):
            run = ledger.begin_run(name, small())
            ledger.look(run, "test", "part", {}, purpose="unseal")
            ledger.look(run, "test", "part", {"accuracy": 0.7}, purpose="report")

        assert ledger.openings("part") == 2
        assert ledger.openings("other") == 0


def test_runs_are_listed_with_their_looks_and_the_best_accuracy_they_saw(where: str) -> None:
    before = datetime.now(UTC)
    with Ledger.open(where) as ledger:
        done = ledger.begin_run("photos-001", small())
        ledger.begin_run("photos-002", small())
        for value in (0.7, 0.8, 0.75):
            ledger.look(done, "validation", "part", {"accuracy": value, "loss": 9.0}, purpose="early stopping")
        ledger.look(done, "test", "sealed", {"accuracy": 0.99}, purpose="report")
        ledger.end_run(done, "finished")

        first, second = ledger.runs()
        ended = rows(ledger, "select ended >= started from runs order by id")

    assert (first.id, first.name, first.dataset, first.status) == (done, "photos-001", "photos", "finished")
    assert (first.looks, first.best) == (3, 0.8)
    assert (second.status, second.looks, second.best) == ("running", 0, None)
    assert before <= first.started <= second.started <= before + timedelta(minutes=1)
    assert ended == [(True,), (None,)]


def test_a_run_that_was_never_begun_is_refused_and_leaves_no_row(where: str) -> None:
    with Ledger.open(where) as ledger:
        with pytest.raises(BadValue, match=r"^the ledger .* has no run 7; begin_run gives the ids\.$"):
            ledger.look(7, "validation", "part", {"accuracy": 0.5}, purpose="report")
        with pytest.raises(BadValue, match=r"^the ledger .* has no run 7; begin_run gives the ids\.$"):
            ledger.end_run(7, "finished")

        assert ledger.looks("part") == 0
        with pytest.raises(BadValue, match=r"^the ledger .* has no run 7; begin_run gives the ids\.$"):
            ledger.note(7, "by mistake")
        with (
            pytest.raises(BadValue, match=r"^the ledger .* has no run 7; begin_run gives the ids\.$"),
            ledger.beating(7),
        ):
            pass


def test_data_set_and_split_are_written_once(where: str) -> None:
    data, anew = small(seed=1), small(seed=2)
    with Ledger.open(where) as ledger:
        for split in (data, data, anew):
            ledger.begin_run("a", split)
        datasets = rows(ledger, "select fingerprint, name, n, classes from datasets")
        splits = rows(ledger, "select fingerprint, dataset, train_n, validation_n, test_n from splits")
        prints = rows(ledger, "select validation_fingerprint, test_fingerprint from splits")

    assert datasets == [(data.fingerprint, "photos", 40, 2)]
    assert splits == [(split.split_fingerprint, data.fingerprint, 24, 6, 10) for split in (data, anew)]
    assert prints == [(split.validation.fingerprint, split.test.fingerprint) for split in (data, anew)]


def test_the_seed_of_a_split_is_known_where_the_data_was_loaded(where: str) -> None:
    with Ledger.open(where) as ledger:
        ledger.begin_run("a", load("digits", seed=3))

        assert rows(ledger, "select seed from splits") == [(3,)]


def test_a_run_without_a_sign_of_life_counts_as_killed(where: str) -> None:
    with Ledger.open(where) as ledger:
        alive, silent, older, done = (ledger.begin_run(name, small()) for name in "abcd")
        long_ago = (datetime.now(UTC) - timedelta(seconds=2 * HEARTBEAT_S + 1)).isoformat()
        write(ledger, f"update runs set heartbeat = '{long_ago}' where id <> {alive}")
        write(ledger, f"update runs set started = '{long_ago}', heartbeat = null where id = {older}")
        ledger.end_run(done, "finished")

        found = {run.id: run.status for run in ledger.runs()}

    assert found == {alive: "running", silent: "killed", older: "killed", done: "finished"}


def test_a_run_at_work_shows_it_until_it_ends(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.evaluate.ledger.HEARTBEAT_S", 0.02)
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("a", small())
        ledger.end_run(run, "interrupted")

        with ledger.beating(run):
            beats = {rows(ledger, "select heartbeat, status, ended from runs")[0]}
            while len(beats) < 4:
                beats.add(rows(ledger, "select heartbeat, status, ended from runs")[0])
            ledger.end_run(run, "finished")
        after = rows(ledger, "select heartbeat, status from runs")
        time.sleep(0.1)

        assert {beat[1:] for beat in beats} == {("running", None)}
        assert rows(ledger, "select heartbeat, status from runs") == after
        assert after[0][1] == "finished"
    assert not [thread.name for thread in threading.enumerate() if "heartbeat" in thread.name]


def test_notes_are_kept_in_order(where: str) -> None:
    before = datetime.now(UTC)
    with Ledger.open(where) as ledger:
        run, other = (ledger.begin_run(name, small()) for name in "ab")
        for text in ("the camera was changed", "Grün ist schwer — 写真"):
            ledger.note(run, text)
        notes = ledger.notes(run)

        assert [note.text for note in notes] == ["the camera was changed", "Grün ist schwer — 写真"]
        assert before <= notes[0].at <= notes[1].at <= datetime.now(UTC)
        assert ledger.notes(other) == []


def right(count: int) -> NDArray[np.bool_]:
    """A hundred answers, the first `count` right."""
    return np.arange(100) < count


def opened(ledger: Ledger, run: int) -> int:
    ledger.look(run, "test", "part", {}, purpose="unseal")
    return run


def test_the_first_score_of_a_test_part_is_told_and_later_ones_only_when_clearly_better(where: str) -> None:
    with Ledger.open(where) as ledger:
        first, second = (ledger.begin_run(name, small()) for name in "ab")
        steps = [(first, 80), (second, 80), (first, 81), (second, 82), (first, 70)]

        told = [ledger.reveal(opened(ledger, run), "part", right(count)) for run, count in steps]

    assert told == [
        Revealed(0.8, 1, new=True),
        Revealed(0.8, 1, new=False),  # the same again
        Revealed(0.8, 1, new=False),  # one more right is within the standard error
        Revealed(0.82, 4, new=True),
        Revealed(0.82, 4, new=False),  # worse
    ]


def test_scores_that_come_in_another_order_than_openings_climb_one_ladder(where: str) -> None:
    with Ledger.open(where) as ledger:
        first, second, third = (opened(ledger, ledger.begin_run(name, small())) for name in "abc")

        told = [ledger.reveal(run, "part", right(count)) for run, count in ((second, 50), (first, 80), (third, 60))]

    assert told == [
        Revealed(0.5, 2, new=True),
        Revealed(0.8, 1, new=True),
        Revealed(0.8, 1, new=False),  # was told, for it beats the highest opening
    ]


def test_test_parts_have_ladders_of_their_own(where: str) -> None:
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("a", small())
        ledger.reveal(opened(ledger, run), "part", right(80))
        ledger.look(run, "test", "other", {}, purpose="unseal")

        assert ledger.reveal(run, "other", right(50)) == Revealed(0.5, 1, new=True)


def test_what_was_not_told_is_not_written_down(where: str) -> None:
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("a", small())
        for count in (80, 81):
            ledger.reveal(opened(ledger, run), "part", right(count))

        assert rows(ledger, "select opening, run, n, revealed, bits is null from ladder order by opening") == [
            (1, run, 100, True, False),
            (2, run, 100, False, True),
        ]


def test_an_opening_has_one_score(where: str) -> None:
    with Ledger.open(where) as ledger:
        run = ledger.begin_run("a", small())
        with pytest.raises(BadValue, match=rf"^reveal: run {run} has not opened the test part part; unseal does\.$"):
            ledger.reveal(run, "part", right(80))
        ledger.reveal(opened(ledger, run), "part", right(80))

        with pytest.raises(BadValue, match=rf"^reveal: run {run} has had its score for opening 1; unseal opens anew"):
            ledger.reveal(run, "part", right(99))
        with pytest.raises(BadShape, match=r"^reveal: 7 answers for a test part of 100 samples\.$"):
            ledger.reveal(opened(ledger, run), "part", right(80)[:7])
