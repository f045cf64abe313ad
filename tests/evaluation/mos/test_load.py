"""Many raters at once, while the server is killed and started again: no click lost or doubled.

Every rater remembers what the server acknowledged, and asks again where no answer came. The soak
test is the full case: 200 raters, clips of 300 kB, a click each 2 s from everyone (the paper's
raters took 15 s for one), and the time of a click.
"""

import asyncio
import collections
import json
import os
import random
import sqlite3
import time

import numpy as np
import pytest

from tests.evaluation.mos.serving import Serving
from tests.evaluation.mos.small_survey import HUMAN, make_survey, right_answer, write_survey

SURVEY = make_survey(raters=100)


class Rater:
    """A careful rater on one kept connection.

    Args:
        number: tells raters apart.
        think: mean seconds before a click.
    """

    def __init__(self, number, port, think):
        self.token = f"{number:032x}"
        self._port, self._think, self._rng = port, think, random.Random(number)
        self._pipe = None
        self.clicks = {}  # (section, position) -> the value that was acknowledged last
        self.seconds = []  # (start, duration) of clicks that were answered at the first try
        self.retries = 0
        self.codes = []

    async def take_part(self):
        body = HUMAN | {"token": self.token, "consent": True}
        assert (await self._ask("POST", "/api/join", body))[1]["qualified"]
        for step in ("setup", "training", "rating"):
            due = (await self._ask("POST", "/api/next"))[1]
            assert due["step"] == step
            for position, item in enumerate(due["items"]):
                for name in item["videos"]:
                    assert (await self._ask("GET", f"/clips/{name}"))[0] == 200
                right = right_answer(SURVEY, item["videos"], lambda s: self._rng.randint(1, 5))
                changed = [1 + right % 2] if self._rng.random() < 0.2 else []
                for value in (*changed, right):  # some change their minds
                    await self._click(due["section"], position, value)
            end = (await self._ask("POST", "/api/finish", {"section": due["section"]}))[1]
            assert end["passed"]
        self.codes.append(end["code"])
        self._pipe[1].close()

    async def _click(self, section, position, value):
        await asyncio.sleep(self._rng.uniform(0.5, 1.5) * self._think)
        body = {"section": section, "position": position, "answer": value}
        before, start = self.retries, time.monotonic()
        status, answer = await self._ask("POST", "/api/answer", body)
        assert (status, answer) == (200, {"saved": True})
        if self.retries == before:
            self.seconds.append((start, time.monotonic() - start))
        self.clicks[section, position] = value

    async def _ask(self, method, path, body=None):
        """As the page does: again and again, less and less often, until the server answers."""
        wait = 0.5
        while True:
            try:
                return await asyncio.wait_for(self._exchange(method, path, body), 30)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self._pipe = None
                self.retries += 1
                await asyncio.sleep(self._rng.uniform(0.5, 1.0) * wait)
                wait = min(5.0, 2 * wait)

    async def _exchange(self, method, path, body):
        if self._pipe is None:
            self._pipe = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._pipe
        content = json.dumps(body).encode() if body else b""
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        text = await reader.readexactly(length)
        return int(head.split()[1]), json.loads(text) if "json" in head else None


async def crowd(folder, number, think, kills):
    """All raters at once; the server dies `kills` times, each time after a share of the clicks.

    Returns:
        The raters, and (dead, alive) times of each restart.
    """
    serving = Serving(folder)
    raters = [Rater(n, serving.port, think) for n in range(number)]
    tasks = [asyncio.create_task(rater.take_part()) for rater in raters]
    restarts = []
    try:
        for kill in range(kills):
            goal = number * 22 * (kill + 1) / (kills + 1)
            while sum(len(rater.clicks) for rater in raters) < goal:
                assert not any(task.done() and task.exception() for task in tasks)
                await asyncio.sleep(0.02)
            dead = time.monotonic()
            await asyncio.to_thread(serving.kill)
            serving = await asyncio.to_thread(Serving, folder, serving.port)
            restarts.append((dead, time.monotonic()))
        await asyncio.gather(*tasks)
    finally:
        serving.kill()
    return raters, restarts


def check(folder, raters):
    """What is on the disk is what was acknowledged, once."""
    database = sqlite3.connect(folder / "answers.sqlite")
    assert database.execute("SELECT COUNT(*) FROM raters").fetchone() == (len(raters),)
    sections = collections.Counter(
        database.execute("SELECT kind, finished IS NOT NULL FROM sections").fetchall()
    )
    assert sections == {(kind, 1): len(raters) for kind in ("setup", "training", "rating")}
    stored = {
        (section, position): answer
        for section, position, answer in database.execute(
            "SELECT section, position, answer FROM items"
        )
    }
    acknowledged = {}
    for rater in raters:
        assert not acknowledged.keys() & rater.clicks.keys()
        acknowledged |= rater.clicks
    assert stored == acknowledged and len(stored) == 22 * len(raters)
    codes = {code for (code,) in database.execute("SELECT code FROM sections WHERE code != ''")}
    assert codes == {rater.codes[0] for rater in raters} and len(codes) == len(raters)
    database.close()


def test_no_click_is_lost_when_the_server_is_killed(tmp_path):
    folder = write_survey(tmp_path / "survey", SURVEY)
    raters, _ = asyncio.run(crowd(folder, 12, think=0.05, kills=1))
    check(folder, raters)
    assert sum(rater.retries for rater in raters) > 0


@pytest.mark.soak
def test_two_hundred_raters(tmp_path):
    folder = write_survey(tmp_path / "survey", SURVEY)
    for stimulus in SURVEY.stimuli:
        (folder / "clips" / stimulus.name).write_bytes(bytes(300_000))
    start, busy = time.monotonic(), os.getloadavg()[0]
    raters, restarts = asyncio.run(crowd(folder, 200, think=2.0, kills=2))
    check(folder, raters)
    starts, seconds = np.array([click for rater in raters for click in rater.seconds]).T
    # Ten seconds after a restart all pages are back.
    calm = np.all([(starts < dead) | (starts > up + 10) for dead, up in restarts], axis=0)
    for what, which in (("all", seconds), ("away from restarts", seconds[calm])):
        p50, p95, p99 = np.percentile(which, [50, 95, 99]) * 1000
        print(f"{what}: {len(which)} clicks, p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms")
    repeated = sum(rater.retries for rater in raters)
    print(f"{time.monotonic() - start:.0f} s, {repeated} requests repeated")
    p95 = np.percentile(seconds, 95)
    if busy > 1 and p95 >= 0.2:
        pytest.skip(
            f"no click was lost, but their time ({p95:.2f} s) cannot be judged: other programs "
            f"have the processors (load {busy:.1f})"
        )
    assert p95 < 0.2
