"""The line: one video at a time, places, stops, deadlines, and errors that stay inside."""

import asyncio
import logging
import threading

import pytest

from nwt_tf.serving.film import Event
from nwt_tf.serving.jobs import Busy, Jobs


async def told(job):
    """A job's events to their end."""
    events = []
    while (event := await asyncio.wait_for(job.events.get(), 10)) is not None:
        events.append(event)
    return events


def quick(name):
    def make(check):
        check()
        yield Event("frames", {"name": name})

    return make


class Held:
    """A video that goes on until it is let go, checking as film does."""

    def __init__(self):
        self.begun, self.go, self.steps = threading.Event(), threading.Event(), 0

    def __call__(self, check):
        self.begun.set()
        while not self.go.wait(0.01):
            check()
            self.steps += 1
        yield Event("frames", {"name": "held"})


@pytest.fixture
def jobs():
    jobs = Jobs(waiting=2, seconds=30)
    yield jobs
    jobs.close()


def test_one_after_the_other_in_order(jobs):
    async def scenario():
        held = Held()
        first = jobs.submit(held)
        assert await asyncio.to_thread(held.begun.wait, 10)
        others = [jobs.submit(quick(name)) for name in "ab"]
        await asyncio.sleep(0.05)
        held.go.set()
        return [await told(job) for job in (first, *others)]

    first, second, third = asyncio.run(scenario())
    assert [event.kind for event in first] == ["frames"]
    waits = [event.facts["ahead"] for event in second if event.kind == "waiting"]
    assert waits and set(waits) == {1}
    waits = [event.facts["ahead"] for event in third if event.kind == "waiting"]
    assert waits[0] == 2 and waits[-1] == 1
    assert [each[-1].facts["name"] for each in (second, third)] == ["a", "b"]


def test_who_hangs_up_while_waiting_leaves_the_line_to_others(jobs):
    async def scenario():
        held = Held()
        jobs.submit(held)
        assert await asyncio.to_thread(held.begun.wait, 10)
        for _ in range(20):
            jobs.submit(quick("gone")).stop()
        last = jobs.submit(quick("last"))
        assert len(jobs._line) == 1  # the others' sound is not kept
        held.go.set()
        return await told(last)

    assert asyncio.run(scenario())[-1].facts["name"] == "last"


def test_places_are_bounded_and_come_back(jobs):
    with jobs.place(), jobs.place():
        with jobs.place(), pytest.raises(Busy):
            with jobs.place():
                pass
        assert jobs.taken == 2
    assert jobs.taken == 0
    with pytest.raises(RuntimeError), jobs.place():
        raise RuntimeError
    assert jobs.taken == 0


def test_a_stopped_video_is_given_up_and_the_next_one_made(jobs):
    async def scenario():
        held = Held()
        first = jobs.submit(held)
        assert await asyncio.to_thread(held.begun.wait, 10)
        never, last = Held(), jobs.submit(quick("last"))
        waiting = jobs.submit(never)
        waiting.stop()
        first.stop()
        assert await told(first) == [] and not held.go.is_set()
        assert (await told(last))[-1].facts["name"] == "last"
        assert {event.kind for event in await told(waiting)} == {"waiting"}
        assert not never.begun.is_set()

    asyncio.run(scenario())


def test_a_video_that_takes_too_long_ends_in_words():
    jobs = Jobs(waiting=0, seconds=0.1)
    (event,) = asyncio.run(_submitted(jobs, Held()))
    assert event.kind == "error" and event.facts["status"] == 422
    assert "took longer than 0.1 seconds" in event.facts["error"]
    jobs.close()


async def _submitted(jobs, make):
    return await told(jobs.submit(make))


def test_errors_do_not_end_the_line(jobs, caplog):
    def wrong(check):
        yield Event("start", {})
        raise ValueError("no such <b>thing</b>")

    def broken(check):
        yield Event("start", {})
        raise KeyError("a secret")

    _, event = asyncio.run(_submitted(jobs, wrong))
    assert event.facts == {"error": "no such <b>thing</b>", "status": 422}
    assert not caplog.records
    with caplog.at_level(logging.ERROR):
        _, event = asyncio.run(_submitted(jobs, broken))
    assert event.facts["status"] == 500 and "secret" not in event.facts["error"]
    assert "a secret" in caplog.text
    assert jobs.alive()
    assert asyncio.run(_submitted(jobs, quick("after")))[-1].facts["name"] == "after"


def test_closing_ends_what_is_made_and_what_waits():
    jobs = Jobs(waiting=2, seconds=30)

    async def scenario():
        held = Held()
        first = jobs.submit(held)
        assert await asyncio.to_thread(held.begun.wait, 10)
        never = Held()
        waiting = jobs.submit(never)
        jobs.close()
        assert {event.kind for event in await told(waiting)} == {"waiting"}
        assert not never.begun.is_set()
        return await told(first)

    assert asyncio.run(scenario()) == []
    assert not jobs.alive()


def test_the_end_is_told_at_once_even_while_the_models_draw(jobs):
    """A chunk of frames may take longer than the server waits for its last answers."""
    drawn = threading.Event()

    def drawing(check):
        yield Event("start", {})
        drawn.wait(30)
        check()

    async def scenario():
        first = jobs.submit(drawing)
        assert (await asyncio.wait_for(first.events.get(), 10)).kind == "start"
        second = jobs.submit(quick("second"))
        jobs.close()
        late = jobs.submit(quick("late"))
        ends = [await told(job) for job in (first, second, late)]
        assert [[event.kind for event in each] for each in ends] == [[], ["waiting"], []]
        assert not drawn.is_set()

    try:
        asyncio.run(scenario())
    finally:
        drawn.set()
