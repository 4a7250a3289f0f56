"""Places in the order in which they were asked for, and lines that are not waited for. Threads and sockets are real."""

import socket
import threading
import time
from typing import Any

import pytest

from backend.lines import Deadlines, let_go
from backend.queueing import Queue


def started(*works: Any) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


def until(step: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not step():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.001)


def test_who_waits_longest_is_next_and_whoever_lets_go_goes_to_the_end() -> None:
    queue, order = Queue(1), list[str]()
    queue.enter()

    def work(name: str) -> None:
        for turn in range(3):
            with queue.place():
                order.append(f"{name}{turn}")
                time.sleep(0.002)

    threads: list[threading.Thread] = []
    for n, name in enumerate("abcd"):
        threads += started(lambda name=name: work(name))
        until(lambda n=n: queue.waiting == n + 1)
    queue.leave()
    for thread in threads:
        thread.join()
    assert order == [f"{name}{turn}" for turn in range(3) for name in "abcd"]
    assert (queue.held, queue.waiting) == (0, 0)


def test_no_more_are_inside_than_there_are_places() -> None:
    queue, inside, most = Queue(3), [0], [0]

    def work() -> None:
        for _ in range(20):
            with queue.place():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1

    for thread in started(*[work] * 9):
        thread.join()
    assert most[0] == 3 and (queue.held, queue.waiting) == (0, 0)


def test_who_gives_up_is_passed_over_and_takes_no_place_along() -> None:
    queue, got = Queue(1), list[bool]()
    queue.enter()
    impatient = started(lambda: got.append(queue.enter(0.02)))
    until(lambda: queue.waiting == 1)
    patient = started(lambda: got.append(queue.enter(10)))
    impatient[0].join()
    assert got == [False]
    queue.leave()
    patient[0].join()
    assert got == [False, True] and (queue.held, queue.waiting) == (1, 0)
    queue.leave()
    assert queue.held == 0


def test_a_place_handed_over_at_the_last_moment_is_not_lost() -> None:
    for _ in range(300):  # the hand-over and the giving up meet in some of these
        queue, got = Queue(1), list[bool]()
        queue.enter()
        thread = started(lambda queue=queue, got=got: got.append(queue.enter(0.001)))[0]
        time.sleep(0.001)
        queue.leave()
        thread.join()
        assert queue.held == int(got[0])


def test_a_line_that_is_late_reads_its_end_and_one_in_time_does_not() -> None:
    deadlines = Deadlines(tick_s=0.01)
    late, far = socket.socketpair()
    prompt, other = socket.socketpair()
    with late, far, prompt, other:
        deadlines.arm(late, 0.02)
        deadlines.arm(prompt, 0.02)
        deadlines.disarm(prompt)
        late.settimeout(10)
        assert late.recv(10) == b""
        other.sendall(b"here")
        assert prompt.recv(10) == b"here"
        late.sendall(b"the answer still goes out")
        assert far.recv(100) == b"the answer still goes out"


class Body:
    """A WSGI server's reader of `left` bytes."""

    def __init__(self, line: socket.socket, left: int) -> None:
        self.line, self.left = line, left

    def read(self, size: int) -> bytes:
        data = self.line.recv(min(size, self.left)) if self.left else b""
        self.left -= len(data)
        return data


def test_the_rest_of_a_refused_body_is_taken_off_a_fast_line_and_the_line_goes_on() -> None:
    near, far = socket.socketpair()
    with near, far:
        thread = started(lambda: far.sendall(b"x" * 200_000 + b"next"))[0]
        body = Body(near, 200_000)
        let_go(near, body)
        thread.join()
        assert body.left == 0
        assert near.recv(10) == b"next"


@pytest.mark.parametrize("sent", [b"", b"x" * 5000])
def test_a_slow_line_is_not_waited_for(sent: bytes) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(sent)
        begun = time.monotonic()
        let_go(near, Body(near, 200_000))
        assert time.monotonic() - begun < 1.0
        assert near.recv(10) == b""  # its end, though the other side has not closed
