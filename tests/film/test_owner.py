"""The lock of a work folder: who is at work, whether it still is, and that only one ever is."""

import errno
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, replace

import pytest

from vidcolor.errors import OutputError
from vidcolor.film import owner as owners
from vidcolor.film.owner import LOCK, Owner, boot_id, hold, holder, let_go, read_owner, started
from vidcolor.film.work import locked

LINUX = pytest.mark.skipif(not boot_id(), reason="processes are told apart by what Linux says of them")
HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom vidcolor.film.work import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def leave(folder, **changes) -> Owner:
    """The record of a process like this one, but for `changes`."""
    folder.mkdir(exist_ok=True)
    owner = replace(Owner.this(), **changes)
    (folder / LOCK).write_text(json.dumps(asdict(owner)))
    return owner


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out.mkv.vidcolor"


@pytest.fixture
def other(folder):
    """Another process that holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@LINUX
def test_the_record_says_who_it_is(folder):
    with locked(folder):
        owner = read_owner(folder)
    assert (owner.pid, owner.boot, owner.started) == (os.getpid(), boot_id(), started(os.getpid()))
    assert owner.started
    assert not folder.exists(), "nothing was done, so nothing stays"


def test_a_live_run_is_not_joined(folder, other):
    with pytest.raises(OutputError, match=rf"at work on this target \(process {other.pid} on .* since 20\d\d-"):
        hold(folder)
    assert holder(folder).pid == other.pid


@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_run_gives_way(folder, other, reaped):
    """Also where its parent has not asked for its end, so that it still has its number."""
    other.kill()
    if reaped:
        other.wait()
    else:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert holder(folder) is None
    with locked(folder):
        assert read_owner(folder).pid == os.getpid()


@LINUX
@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("changes", [{"boot": "before"}, {"started": "1"}, {"pid": 2**22 + 1}], ids=str)
def test_a_dead_owner_gives_way(folder, changes, guarded, monkeypatch):
    """Another start of the machine; a number that is another process's now; a number that is nobody's."""
    if not guarded:
        monkeypatch.setattr(owners, "take_guard", lambda folder: None)
    leave(folder, **changes)
    assert holder(folder) is None
    let_go(folder, hold(folder))


@LINUX
@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1])
def test_another_host_is_never_judged_by_its_process(folder, pid):
    """Whether a process of that number runs here or not says nothing of a process there."""
    left = leave(folder, host="attic", boot="of the attic", pid=pid, since="2026-11-20T10:00:00+00:00")
    with pytest.raises(OutputError, match=rf"process {pid} on attic since 2026-11-20 .* delete \S+{LOCK} and give"):
        hold(folder)
    assert read_owner(folder) == holder(folder) == left
    (folder / LOCK).unlink()
    let_go(folder, hold(folder))


@LINUX
def test_a_container_has_process_numbers_of_its_own(folder, monkeypatch):
    """The guard holds across containers of one machine; without it nothing is known of their processes."""
    leave(folder, host="3f0c", pids="pid:[1]", pid=1)
    let_go(folder, hold(folder))
    leave(folder, host="3f0c", pids="pid:[1]", pid=1)
    monkeypatch.setattr(owners, "take_guard", lambda folder: None)
    with pytest.raises(OutputError, match="process 1 on 3f0c"):
        hold(folder)


def test_a_record_that_says_nothing_is_nobodys(folder):
    for content in (b"", b"{}", b"null", b'{"host": "a"', json.dumps(asdict(Owner.this()) | {"since": "x"}).encode()):
        folder.mkdir(exist_ok=True)
        (folder / LOCK).write_bytes(content)
        assert holder(folder) is None
        let_go(folder, hold(folder))


@LINUX
def test_our_own_record_is_no_stranger(folder):
    """On a network disk a link can be made although its answer is lost."""
    leave(folder)
    let_go(folder, hold(folder))


@pytest.mark.parametrize(("dead", "guarded"), [(False, True), (False, False), (True, True)])
def test_of_many_at_once_one_wins(folder, guarded, dead, monkeypatch):
    """Without the guard too, but for two of one machine that take over at once."""
    if not guarded:
        monkeypatch.setattr(owners, "take_guard", lambda folder: None)
    folder.mkdir()
    if dead:
        leave(folder, boot="before")
    barrier, won, lost = threading.Barrier(8), [], []

    def work():
        barrier.wait()
        try:
            won.append(hold(folder))
        except OutputError:
            lost.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    let_go(folder, won[0])


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
@LINUX
def test_a_disk_without_locks_has_the_record(folder, monkeypatch, number):
    class NoLock:
        def __init__(self, *args, **named):
            pass

        def acquire(self):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(owners, "FileLock", NoLock)
    with locked(folder):
        assert read_owner(folder).pid == os.getpid()
        with pytest.raises(OutputError, match="at work on this target"):
            hold(folder)
    assert not folder.exists()


def test_files_of_the_user_are_left_alone(folder):
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    with locked(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_ctrl_c_while_it_is_taken_leaves_nothing(folder, monkeypatch):
    fsync, left = os.fsync, 0  # and calls until it comes

    def interrupted(handle: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        fsync(handle)

    monkeypatch.setattr(os, "fsync", interrupted)
    stopped = 0
    for number in range(1, 20):
        left = number
        try:
            with locked(folder):
                break
        except KeyboardInterrupt:
            stopped += 1
            assert not folder.exists()
    assert stopped >= 3  # the folder's name, the record, the record's name
