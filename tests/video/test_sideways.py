"""Films that lie on their side and are turned for display, as phones make them."""

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.conftest import SAMPLE
from tests.films import read
from vidcolor.film.run import colorize_film
from vidcolor.live.colorizer import LiveColorizer
from vidcolor.video.reader import Reader


def make(folder, turn, frames=6):
    """The sample's first frames, lying so that they are upright after `turn` quarter turns counterclockwise."""
    path = folder / f"turn{turn}.mkv"
    with av.open(str(SAMPLE)) as inp, av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        for number, frame in zip(range(frames), inp.decode(video=0), strict=False):
            grey = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="gray")[:, :480], -turn))
            if number == 0:
                stream.height, stream.width, stream.pix_fmt = *grey.shape, "yuv420p"
                stream.set_display_rotation(90.0 * turn)
            planes = np.vstack((grey, np.full((grey.shape[0] // 2, grey.shape[1]), 128, np.uint8)))
            made = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            made.pts, made.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(made))
        out.mux(stream.encode(None))
    return path


def shown(path, turn):
    """The film's frames as RGB, turned as a player turns them."""
    return [np.rot90(frame.to_ndarray(format="rgb24"), turn).astype(int) for frame in read(path).frames]


@pytest.fixture(scope="module")
def upright(tmp_path_factory, colorizer):
    folder = tmp_path_factory.mktemp("upright")
    options = dataclasses.replace(colorizer.options, codec="ffv1", size=224)
    colorize_film(make(folder, 0), folder / "out.mkv", colorizer.backend, options)
    return shown(folder / "out.mkv", 0)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_the_network_sees_it_upright(colorizer, tmp_path, upright, turn):
    source, options = make(tmp_path, turn), dataclasses.replace(colorizer.options, codec="ffv1", size=224)
    with Reader(source) as reader:
        assert reader.info.turn == turn
    colorize_film(source, tmp_path / "out.mkv", colorizer.backend, options)
    with Reader(tmp_path / "out.mkv") as reader:
        assert reader.info.turn == turn
    for one, other in zip(upright, shown(tmp_path / "out.mkv", turn), strict=True):
        assert np.abs(one - other).mean() < 1.5  # lying: 4 and more


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_compared_as_it_is_shown(colorizer, tmp_path, turn):
    options = dataclasses.replace(colorizer.options, codec="ffv1", compare=True)
    colorize_film(make(tmp_path, turn), tmp_path / "out.mkv", colorizer.backend, options)
    for picture in shown(tmp_path / "out.mkv", turn):
        height, width, _ = picture.shape
        assert (height, width) == (480, 960)
        left, right = picture[:, : width // 2 - 4], picture[:, width // 2 + 4 :]
        assert np.ptp(left, axis=2).max() <= 3
        assert np.ptp(right, axis=2).mean() > 4


def test_a_live_picture_is_seen_upright_too(colorizer, tmp_path):
    done = {}
    for turn in (0, 1):
        live = LiveColorizer(colorizer.backend, dataclasses.replace(colorizer.options, size=224))
        with av.open(str(make(tmp_path, turn))) as film:
            done[turn] = live.color(next(film.decode(video=0))).to_ndarray(format="rgb24").astype(int)
    assert np.abs(np.rot90(done[1], 1) - done[0]).mean() < 1.5
