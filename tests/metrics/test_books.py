"""Counters of workers that come and go, whichever of them answers a scrape."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sockudo.metrics.books import Books
from sockudo.metrics.figures import Figures
from tests.support.properties import THOROUGH
from tests.support.steps import finished

NAME = "new_connections_total"


def figures(count: float) -> Figures:
    made = Figures({})
    made.set(NAME, count, "1")
    made.set("connected", 1, "1")
    return made


def shown(whole: Figures) -> float:
    ((_, value),) = whole.samples(NAME) or [((), 0.0)]
    assert not isinstance(value, list)
    return value


def test_workers_that_answer_are_added() -> None:
    whole = finished(Books().settle({0: figures(5), 1: figures(7)}, []))
    assert (shown(whole), whole.samples("connected")) == (12, [(("1",), 2.0)])


def test_a_killed_worker_keeps_the_counts_that_were_shown() -> None:
    books = Books()
    finished(books.settle({0: figures(5), 1: figures(7)}, []))
    whole = finished(books.settle({0: figures(6)}, []))
    assert (shown(whole), whole.samples("connected")) == (13, [(("1",), 1.0)])
    assert shown(finished(books.settle({0: figures(6), 2: figures(1)}, []))) == 14


def test_a_worker_that_leaves_in_order_keeps_its_counts() -> None:
    books = Books()
    finished(books.settle({0: figures(5), 1: figures(7)}, []))
    leaving = Books()
    leaving.take_leave(1, figures(9))
    books.learn(leaving.known())
    assert shown(finished(books.settle({0: figures(5)}, []))) == 14
    # Said once more by another worker that had heard it too.
    books.learn(leaving.known())
    assert shown(finished(books.settle({0: figures(5)}, []))) == 14


def test_a_worker_that_leaves_and_still_answers_is_counted_once() -> None:
    books = Books()
    books.take_leave(1, figures(9))
    assert shown(finished(books.settle({0: figures(5), 1: figures(9)}, []))) == 14
    assert shown(finished(books.settle({0: figures(5)}, []))) == 14


def test_a_worker_that_answers_late_is_shown_as_before() -> None:
    books = Books()
    finished(books.settle({0: figures(5), 1: figures(7)}, []))
    assert shown(finished(books.settle({0: figures(5)}, [1]))) == 12
    assert shown(finished(books.settle({0: figures(5), 1: figures(8)}, []))) == 13


def test_whoever_answers_next_knows_what_was_shown() -> None:
    first, second = Books(), Books()
    finished(first.settle({0: figures(5), 1: figures(7)}, []))
    second.learn(first.known())
    assert shown(finished(second.settle({1: figures(7)}, []))) == 12


def test_what_is_learnt_while_figures_are_added_is_not_lost() -> None:
    books, other, leaving = Books(), Books(), Books()
    steps = books.settle({0: figures(5), 1: figures(7)}, [])
    next(steps)
    leaving.take_leave(1, figures(9))
    books.learn(leaving.known())
    # Another worker was still answering a scrape.
    finished(other.settle({0: figures(5), 2: figures(3)}, []))
    books.learn(other.known())
    assert shown(finished(steps)) == 15
    assert shown(finished(books.settle({0: figures(5)}, []))) == 17


def test_a_worker_is_told_only_of_newer_scrapes() -> None:
    first, second = Books(), Books()
    finished(first.settle({0: figures(5)}, []))
    told = first.known(since=second.number)
    second.learn(told)
    assert told.ledger is not None
    assert first.known(since=second.number).ledger is None


@given(data=st.data())
@THOROUGH
def test_the_sum_never_goes_back_whatever_happens_to_workers(data: st.DataObject) -> None:
    """Workers count, die, leave and are replaced; one of those alive answers each scrape and tells the others."""
    counts, books = {0: 0, 1: 0}, {0: Books(), 1: Books()}
    serial, before = 2, 0.0
    for what in data.draw(st.lists(st.sampled_from(("count", "kill", "leave", "stall", "scrape")), max_size=30)):
        one = data.draw(st.sampled_from(sorted(counts)))
        if what == "count":
            counts[one] += data.draw(st.integers(1, 9))
        elif what in ("kill", "leave"):
            counts[serial], books[serial] = 0, Books()
            if what == "leave":
                books[one].take_leave(one, figures(counts[one]))
                for other in books.keys() - {one}:
                    books[other].learn(books[one].known())
            del counts[one], books[one]
            for other in books:
                books[serial].learn(books[other].known())
            serial += 1
        else:
            silent = [other for other in counts if other != one] if what == "stall" else []
            asked = [other for other in counts if other not in silent]
            for other in asked:
                books[one].learn(books[other].known())
            whole = finished(books[one].settle({other: figures(counts[other]) for other in asked}, silent))
            for other in books.keys() - {one}:
                books[other].learn(books[one].known())
            assert shown(whole) >= before
            before = shown(whole)
