"""A run that outlives its decoders: one process waits, another one works until all is done or a decoder crashes.

They are one until the work begins, before anything heavy is imported, so the fork costs next to nothing. After a crash
the next process goes on from the film's plan and decodes carefully (see video.careful): so the packet that a decoder
crashes on becomes known, and is left out. Only on Linux; elsewhere there is one process, and a crash ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, NoReturn, TextIO

from vidcolor.cli.faults import DONE, FAILED, STOPPED, ended, endings
from vidcolor.cli.terminal import Terminal
from vidcolor.film.batch import Job
from vidcolor.frames.summary import Summary
from vidcolor.stills.content import is_still
from vidcolor.video.careful import Care

CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, getattr(signal, "SIGBUS", signal.SIGSEGV))
MOST = 10  # packets on which a film's decoder may crash


@dataclass
class Tally:
    """What has become of `jobs`, in their order.

    Attributes:
        care: how the next of them is decoded, where a process has crashed on it.
        out: where a process tells the one that waits for it.
        begun: whether the process has got as far as the first job.
    """

    jobs: list[Job]
    done: list[Summary] = field(default_factory=list)
    failed: list[tuple[Job, str]] = field(default_factory=list)
    care: Care | None = None
    out: TextIO | None = None
    begun: bool = False

    @property
    def over(self) -> int:
        """How many are over."""
        return len(self.done) + len(self.failed)

    @property
    def status(self) -> int:
        return FAILED if self.failed else DONE

    def begin(self) -> None:
        """The first job begins."""
        self.begun = True
        self.tell("begun", True)

    def succeed(self, summary: Summary) -> None:
        """The next job is done."""
        self.done.append(summary)
        self.care = None
        self.tell("done", asdict(summary))

    def fail(self, text: str) -> None:
        """The next job has failed."""
        self.failed.append((self.jobs[self.over], text))
        self.care = None
        self.tell("failed", text)

    def tell(self, what: str, value: object) -> None:
        if self.out is not None:
            print(json.dumps({what: value}), file=self.out, flush=True)

    def hear(self, line: str) -> None:
        """Take up what another process tells; a line that its crash has cut off says nothing."""
        if not line.endswith("\n"):
            return
        told = json.loads(line)
        if "done" in told:
            self.succeed(Summary(**told["done"]))
        elif "failed" in told:
            self.fail(told["failed"])
        self.begun = True


def can_outlive() -> bool:
    """Whether this process can be forked: nothing heavy has been imported yet, and there is one thread."""
    return sys.platform == "linux" and threading.active_count() == 1 and not {"av", "numpy"} & set(sys.modules)


def outlive(work: Callable[[], int], tally: Tally, terminal: Terminal) -> int:
    """The exit status of `work`, which is done by another process, and by the next one where that crashes."""
    while True:
        how = have_done(work, tally)
        if not os.WIFSIGNALED(how):
            return os.WEXITSTATUS(how)
        terminal.restore()
        number = signal.Signals(os.WTERMSIG(how))
        if number not in CRASHES:
            return die_likewise(number, terminal)
        if tally.over == len(tally.jobs):  # all that was left to do was to end
            break
        if not tally.begun:
            terminal.error(f"the backend crashed ({number.name}) at its start; choose another one by --backend")
            return FAILED
        go_on(tally, number.name, terminal)
        if tally.over == len(tally.jobs):
            break
    terminal.summary(tally.done, tally.failed)
    return tally.status


def have_done(work: Callable[[], int], tally: Tally) -> int:
    """Fork, and wait for the other process, which does `work`; gives how it has ended, as `os.waitpid` does."""
    ends = [s for s in endings(ctrl_c=True) if signal.getsignal(s) != signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in (*ends, signal.SIGTSTP)}
    signal.pthread_sigmask(signal.SIG_BLOCK, before)
    parent, (reading, writing) = os.getpid(), os.pipe()
    tally.begun = False
    child = os.fork()
    if child == 0:
        from vidcolor.live.serve.box import die_with_parent

        die_with_parent(parent)
        os.close(reading)
        tally.out = os.fdopen(writing, "w")
        leave(work, before)
    os.close(writing)
    forward = dict.fromkeys(ends, lambda number, _: os.kill(child, number))
    listen({**forward, signal.SIGTSTP: partial(pause, child)})
    with open(reading) as told:
        for line in told:
            tally.hear(line)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    listen(before)  # while the child's number is still its own
    return os.waitpid(child, 0)[1]


def listen(handlers: Mapping[signal.Signals, Any]) -> None:
    """Let signals in again, to these handlers."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*handlers, signal.SIGTSTP))


def pause(child: int, *_: object) -> None:
    """Ctrl-Z: both stop, where the system lets them, and both go on."""
    os.kill(child, signal.SIGTSTP)
    again = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, again)
    os.kill(child, signal.SIGCONT)


def leave(work: Callable[[], int], handlers: Mapping[signal.Signals, Any]) -> NoReturn:
    """Do `work` and end this process, which is a copy of one that goes on."""
    status: int | str | None = FAILED
    try:
        listen(handlers)
        status = ended(work)
    except KeyboardInterrupt:
        status = STOPPED
    except BaseException:
        traceback.print_exc()
    os._exit(status if isinstance(status, int) else FAILED)


def die_likewise(number: signal.Signals, terminal: Terminal) -> int:
    """The process was ended from outside: so does this one."""
    if number == signal.SIGKILL:
        terminal.error("ended by the system, which may be short of memory; the same command goes on from there")
        return FAILED
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return FAILED


def go_on(tally: Tally, crash: str, terminal: Terminal) -> None:
    """What the next process shall do otherwise, or a job that has failed."""
    job = tally.jobs[tally.over]
    if is_still(job.source, job.target):
        fail(tally, f"{job.source}: a decoder crashed on it ({crash}); convert it first", terminal)
    elif tally.care is None:
        tally.care = Care()
        terminal.note(f"{job.source}: crashed ({crash}); going on from what is done, with care")
    elif not tally.care.learn():
        fail(tally, f"{job.source}: vidcolor crashed on it twice ({crash}), not in its decoder; report it", terminal)
    elif len(tally.care.crashed_on) > MOST:
        fail(tally, f"{job.source}: its decoder crashed {MOST + 1} times ({crash}); convert it first", terminal)
    else:
        terminal.note(f"{job.source}: the decoder crashed ({crash}) on a packet, which is left out")


def fail(tally: Tally, text: str, terminal: Terminal) -> None:
    terminal.error(text)
    tally.fail(text)
