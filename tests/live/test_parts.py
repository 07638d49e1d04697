"""The small parts of the live path: mailbox, controls, view, devices, pace."""

from __future__ import annotations

import errno
import threading
import time

import av
import numpy as np
import pytest

from vidcolor.errors import InputError
from vidcolor.live import devices
from vidcolor.live.backoff import Backoff, reopened
from vidcolor.live.controls import Controls
from vidcolor.live.devices import Camera, attempts, find_camera, is_camera, open_camera
from vidcolor.live.newest import Closed, Newest
from vidcolor.live.options import CameraRequest
from vidcolor.live.pacing import Pace
from vidcolor.live.view import aspect_of, compose, fit
from vidcolor.video.formats import plane


def plain(y: int, cb: int, cr: int, *, size=(64, 48), pix_fmt="yuv420p") -> av.VideoFrame:
    frame = av.VideoFrame(*size, pix_fmt)
    for index, value in enumerate((y, cb, cr)):
        plane(frame, index)[:] = value
    frame.colorspace, frame.color_range = 1, 1
    return frame


def test_the_newest_item_is_taken_and_the_others_are_counted():
    box: Newest[int] = Newest()
    for i in range(1, 5):
        box.put(i)
    assert box.take() == 4
    assert box.dropped == 3
    assert box.take(timeout=0.01) is None


def test_the_last_item_is_taken_before_the_end():
    box: Newest[int] = Newest()
    box.put(1)
    box.close()
    assert box.take() == 1
    with pytest.raises(Closed):
        box.take()


def test_who_waits_is_woken():
    box: Newest[int] = Newest()
    got: list[int | None] = []
    thread = threading.Thread(target=lambda: got.append(box.take(60)))
    thread.start()
    box.put(7)
    thread.join(60)
    assert got == [7]


def test_back_off_grows_and_is_left_at_once_on_stop():
    backoff, stop = Backoff(first=0.001, longest=0.004), threading.Event()
    spans = []
    for _ in range(5):
        spans.append(backoff.next)
        assert backoff.wait(stop)
    assert spans == [0.001, 0.002, 0.004, 0.004, 0.004]
    backoff.reset()
    assert backoff.next == 0.001
    stop.set()
    assert not Backoff(first=3600).wait(stop)


def test_what_is_lost_is_opened_again_until_the_timeout(monkeypatch):
    stop, faults, tries = threading.Event(), [], iter(["no", "no", "yes", "no"])

    def opened() -> str:
        if (word := next(tries)) == "no":
            raise InputError("away")
        return word

    monkeypatch.setattr(Backoff, "span", lambda self: 0.001)
    assert reopened(opened, stop, failed=faults.append) == "yes"
    assert len(faults) == 2
    assert reopened(opened, stop, timeout=0) is None
    stop.set()
    assert reopened(opened, stop, at_once=True) is None
    assert next(tries) == "no"  # neither of them has tried


@pytest.mark.parametrize(
    ("keys", "field", "value"),
    [
        ("c", "mode", "side"), ("ccc", "mode", "split"), ("+", "strength", 1.1), ("=", "strength", 1.1),
        ("-", "strength", 0.9), ("-" * 20, "strength", 0.0), ("+" * 20, "strength", 2.0), ("++0", "strength", 1.0),
        ("q", "quit", True), ("r", "record", True), ("rr", "record", False), ("s", "snapshot", True),
        ("h", "help", True), ("f", "fullscreen", True), ("x", "quit", False),
    ],
)  # fmt: skip
def test_keys(keys, field, value):
    controls = Controls()
    for key in keys:
        controls.press(key)
    assert getattr(controls, field) == value


def test_named_keys_and_the_bar():
    controls = Controls()
    controls.press("space")
    controls.press("left")
    assert controls.paused
    assert controls.bar == pytest.approx(0.48)
    controls.move(7.0)
    assert controls.bar == 1.0
    controls.press("escape")
    assert controls.quit


def test_colours_of_the_window_are_those_of_the_matrix_and_range():
    # BT.709, limited: R'G'B' by ITU-R BT.709 item 3
    y, cb, cr = (120 - 16) / 219, (90 - 128) / 224, (200 - 128) / 224
    r, b = y + 1.5748 * cr, y + 1.8556 * cb
    g = (y - 0.2126 * r - 0.0722 * b) / 0.7152
    shown = compose(plain(120, 90, 200), (64, 48), "color")
    assert np.abs(shown[20, 20].astype(float) - 255 * np.array([r, g, b])).max() < 2


def test_split_shows_grey_left_of_the_bar_and_colour_right_of_it():
    shown = compose(plain(120, 90, 200), (64, 48), "split", bar=0.25)
    grey = round((120 - 16) / 219 * 255)
    assert np.abs(shown[:, :14].astype(int) - grey).max() <= 1
    assert np.abs(np.diff(shown[:, 18:].astype(int), axis=2)).min() > 20
    assert (shown[:, 15] == 255).all()


@pytest.mark.parametrize("bar", [0.0, 1.0])
def test_a_bar_at_the_edge_is_not_drawn(bar):
    assert not (compose(plain(120, 90, 200), (64, 48), "split", bar=bar) == 255).all(axis=2).any()


def test_side_by_side_is_twice_as_wide():
    frame = plain(120, 90, 200)
    assert aspect_of(frame, "side") == 2 * aspect_of(frame, "split")
    shown = compose(frame, (128, 48), "side")
    assert shown.shape == (48, 128, 3)
    assert np.ptp(shown[:, :60], axis=2).max() == 0
    assert np.ptp(shown[:, 68:], axis=2).min() > 20


def test_a_turned_film_is_shown_upright():
    frame = plain(50, 128, 128)
    plane(frame, 0)[:, :8] = 200  # bright at its left
    assert aspect_of(frame, "split", rotation=90) == pytest.approx(48 / 64)
    assert aspect_of(frame, "split", pixel=1.5) == pytest.approx(1.5 * 64 / 48)
    assert aspect_of(frame, "split", rotation=90, pixel=1.5) == pytest.approx(48 / 64 / 1.5)
    shown = compose(frame, (48, 64), "color", rotation=90)
    assert shown.shape == (64, 48, 3)
    assert shown[-4:].mean() > 200 > 60 > shown[:-12].mean()  # counterclockwise: left becomes bottom


def test_deep_luma_is_shown_as_eight_bits_are():
    frame = plain(120 * 4, 512, 512, pix_fmt="yuv420p10le")
    assert abs(int(compose(frame, (64, 48), "split", bar=1.0)[9, 9, 0]) - round((120 - 16) / 219 * 255)) <= 1


@pytest.mark.parametrize("window", [(1280, 720), (300, 900), (77, 33)])
def test_the_picture_fits_into_any_window(window):
    area = fit(window, 4 / 3)
    assert area.width <= window[0]
    assert area.height <= window[1]
    assert abs(area.width / area.height - 4 / 3) < 0.1
    assert area.width % 2 == 0


@pytest.mark.parametrize(
    ("source", "camera"),
    [("webcam", True), ("webcam:1", True), ("webcam:USB Cam", True), ("/dev/video2", True), ("webcam.mp4", False)],
)
def test_what_names_a_camera(source, camera):
    assert is_camera(source) == camera


def test_cameras_are_found_by_number_and_name(monkeypatch):
    cameras = [Camera("/dev/video0", "Laptop"), Camera("/dev/video4", "USB Cam")]
    monkeypatch.setattr(devices, "list_cameras", lambda: cameras)
    assert find_camera("webcam") is cameras[0]
    assert find_camera("webcam:1") is cameras[1]
    assert find_camera("webcam:usb cam") is cameras[1]
    with pytest.raises(InputError, match=r"webcam:7: .*choose from webcam:0 \(Laptop\), webcam:1 \(USB Cam\)"):
        find_camera("webcam:7")
    monkeypatch.setattr(devices, "list_cameras", list)
    with pytest.raises(InputError, match="no camera is connected"):
        find_camera("webcam")


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.EBUSY, "used by another program"), (errno.EACCES, "no permission"), (errno.ENODEV, "gone")],
)
def test_why_a_camera_cannot_be_had(monkeypatch, number, says):
    tries = []

    def refuse(*args, **kwargs):
        tries.append(kwargs["options"])
        raise OSError(number, "no")

    monkeypatch.setattr(devices.av, "open", refuse)
    with pytest.raises(InputError, match=f"/dev/video0: .*{says}"):
        open_camera("/dev/video0", CameraRequest())
    assert len(tries) == 1, "nothing else helps then"


def test_a_camera_is_asked_for_less_and_less(monkeypatch):
    tries = []

    def refuse(*args, **kwargs):
        tries.append(kwargs["options"])
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(devices.av, "open", refuse)
    with pytest.raises(InputError, match="--video-size"):
        open_camera("/dev/video0", CameraRequest(1280, 720, 25))
    assert tries[0]["video_size"] == "1280x720"
    assert tries[-1] == {}


@pytest.mark.parametrize("name", ["v4l2", "dshow", "avfoundation"])
def test_the_last_attempt_leaves_all_to_the_camera(name):
    assert list(attempts(name, CameraRequest()))[-1] == {}


def test_a_real_camera_gives_pictures_where_there_is_one():
    if not devices.list_cameras():
        pytest.skip("no camera here")
    with open_camera("webcam", CameraRequest()) as container:
        assert next(container.decode(video=0)).width > 0


def test_frames_of_a_file_wait_for_their_time_and_stand_still_in_a_pause():
    stop, paused = threading.Event(), threading.Event()
    pace = Pace(stop, paused)
    times = [pace.wait(stamp) for stamp in (0.0, 0.05, 0.1)]
    assert times[1] - times[0] == pytest.approx(0.05, abs=1e-6)
    assert times[2] - times[0] == pytest.approx(0.10, abs=1e-6)
    assert time.monotonic() >= times[2]
    paused.set()
    waiting = threading.Thread(target=lambda: times.append(pace.wait(0.11)))
    waiting.start()
    time.sleep(0.1)
    assert len(times) == 3
    paused.clear()
    waiting.join(60)
    assert len(times) == 4
