"""The process that colours one upload, as the server sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from vidcolor.live.serve.box import ENVIRONMENT
from vidcolor.live.serve.messages import Link, Message

REMEDY = "give another file, or convert it first"
COMMAND = (sys.executable, "-P", "-m", "vidcolor.live.serve.worker")
NOT_FOR_TERMINALS: dict[str, Any] = (  # Ctrl-C is for the server, which ends the others
    {"creationflags": 0x00000200} if os.name == "nt" else {"start_new_session": True}  # CREATE_NEW_PROCESS_GROUP
)


class Process:
    """A worker that has been started and imports what it needs while it waits for its job.

    It ends when this object is closed, and with the server, however that ends.
    """

    def __init__(self, most: int) -> None:
        """`most` is the number of bytes that it may send at once."""
        self.child = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT}, **NOT_FOR_TERMINALS,
        )  # fmt: skip
        self.link = Link(cast(BinaryIO, self.child.stdout), cast(BinaryIO, self.child.stdin), most)

    def run(self, job: dict[str, Any], answer: Callable[[dict[str, Any], bytes], Message | None]) -> dict[str, Any]:
        """Have a job done and give its last message; `answer` replies to those before, where they ask for it.

        A process that ends without a last word gives {"tell": "died", "error": why}.
        """
        try:
            self.link.send(job)
            while (message := self.link.receive()) is not None:
                if message[0].get("tell") in ("done", "failed", "fault"):
                    return message[0]
                reply = answer(*message)
                if reply is not None:
                    self.link.send(*reply)
        except OSError:
            pass  # it is gone
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return {"tell": "died", "error": f"a decoder failed on it; {REMEDY}", "trace": f"an odd message, {error}"}
        finally:
            self.close()
        return {"tell": "died", "error": why(self.child.returncode)}

    def kill(self) -> None:
        """End it at once, from any thread; `run` then returns."""
        self.child.kill()

    def close(self) -> None:
        """End it and wait until it is gone."""
        self.child.kill()
        self.child.wait()
        for end in (self.child.stdin, self.child.stdout):
            try:
                if end is not None:
                    end.close()
            except OSError:
                pass  # what was still to be written has no reader


def why(status: int) -> str:
    """Why a process has ended that was not asked to."""
    if status == -getattr(signal, "SIGXCPU", 0):
        return "takes more time than the server gives it; cut it, or scale it down"
    if status == -getattr(signal, "SIGKILL", 0):
        return "was ended by the system, which may be short of memory; give a smaller one"
    if status >= 0:
        return f"its process ended with status {status}; the server's owner is told"
    return f"a decoder crashed on it ({signal.Signals(-status).name}); {REMEDY}"
