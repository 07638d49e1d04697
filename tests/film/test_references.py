"""A film with reference pictures: their colours on their own frames, and carried through their shot both ways."""

import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vidcolor.cli.main import main
from vidcolor.errors import InputError, OptionError, OutputError
from vidcolor.film import run as film_run
from vidcolor.film.hooks import Hooks
from vidcolor.film.rules import Rules
from vidcolor.film.run import colorize_film
from vidcolor.film.survey import Surveyor
from vidcolor.film.work import folder_of
from vidcolor.models.files import ModelIdentity
from vidcolor.options import ColorizeOptions

WIDTH, HEIGHT, CUT, FRAMES, DRIFT = 320, 192, 24, 44, 2
RULES = Rules(shortest=0.5, longest=10.0, lead_in=6)


def scenes():
    """Two wide pictures of smooth noise, the first with a bright square in it."""
    rng = np.random.default_rng(3)
    made = []
    for _ in range(2):
        noise = rng.uniform(30, 150, (16, 36)).astype(np.float32)
        made.append(cv2.resize(noise, (WIDTH + 2 * FRAMES, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(16, 180))
    made[0][64:128, 150:214] += 50
    return made


def picture(number: int) -> np.ndarray:
    first, second = scenes()
    scene, offset = (first, number) if number < CUT else (second, number - CUT)
    return scene[:, DRIFT * offset : DRIFT * offset + WIDTH]


def square(number: int) -> tuple[slice, slice]:
    """Where the inner part of the square stands in a frame, in samples of chroma."""
    left = 150 - DRIFT * number
    return slice(36, 60), slice((left + 8) // 2, (left + 56) // 2)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(FRAMES):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            grey = np.full((HEIGHT // 2, WIDTH // 2), 128.0)
            for plane, values in zip(frame.planes, (picture(i), grey, grey), strict=True):
                np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width] = values
            frame.pts = i
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def still(folder: Path, number: int, *, name: str = "", color: tuple[float, float] = (45.0, 30.0)) -> Path:
    """A frame of the film in colour: the square `color`, all else a weak green; the second shot half violet."""
    lightness = (picture(number) - 16) / 219 * 100
    lab = np.dstack((lightness, np.full_like(lightness, -12.0), np.full_like(lightness, 10.0))).astype(np.float32)
    if number < CUT:
        left = 150 - DRIFT * number
        lab[64:128, left : left + 64, 1:] = color
    else:
        lab[:, WIDTH // 2 :, 1:] = 20.0, -25.0
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1)
    path = folder / (name or f"ref_{number:06d}.png")
    cv2.imwrite(str(path), np.rint(rgb[..., ::-1] * 255).astype(np.uint8))
    return path


def color(film: Path, target: Path, colorizer, references=(), **changes) -> list[np.ndarray]:
    """Colour the film; Cb and Cr of its frames, one beside the other, less 128."""
    hooks = changes.pop("hooks", None)
    options = ColorizeOptions(codec="ffv1", size=96, overwrite=True, references=tuple(references), **changes)
    model = ModelIdentity("test", "0")
    colorize_film(film, target, colorizer.backend, options, rules=RULES, model=model, hooks=hooks)
    found = []
    with av.open(str(target)) as container:
        for frame in container.decode(video=0):
            planes = [np.frombuffer(memoryview(p), np.uint8).reshape(p.height, -1)[:, : p.width] for p in frame.planes]
            found.append(np.dstack(planes[1:3]).astype(np.int16) - 128)
    return found


@pytest.fixture(scope="module")
def red(film, colorizer, tmp_path_factory):
    """Chroma of the film with one reference, of frame 12."""
    folder = tmp_path_factory.mktemp("red")
    return color(film, folder / "out.mkv", colorizer, [still(folder, 12)])


def test_a_reference_holds_on_its_frame_and_both_ways_in_its_shot(red):
    wanted = red[12][square(12)].mean((0, 1))
    assert wanted[1] > 20  # it is red
    for number in (0, 5, 12, 18, CUT - 1):
        inside = red[number][square(number)].reshape(-1, 2)
        assert np.abs(inside.mean(0) - wanted).max() < 2
        outside = red[number][70:90].reshape(-1, 2).mean(0)  # below the square
        assert outside[1] < 0


def test_strength_is_that_of_what_is_not_known(film, red, colorizer, tmp_path):
    found = color(film, tmp_path / "out.mkv", colorizer, [still(tmp_path, 12)], strength=0.0)
    assert np.abs(found[12][square(12)].mean((0, 1)) - red[12][square(12)].mean((0, 1))).max() < 1
    assert np.abs(found[CUT + 3]).max() <= 1  # the other shot is grey


def test_it_ends_at_the_cut_and_the_other_shots_stay_as_they_are(film, red, colorizer, tmp_path):
    plain = color(film, tmp_path / "plain.mkv", colorizer)
    both = color(film, tmp_path / "both.mkv", colorizer, [still(tmp_path, 12), still(tmp_path, 30)])
    for number in range(CUT):
        np.testing.assert_array_equal(red[number], both[number])
    assert np.abs(both[30] - plain[30]).mean() > 1
    assert max(np.abs(a - b).mean() for a, b in zip(red[CUT:], plain[CUT:], strict=True)) < 0.5  # a finer grid alone


def test_two_references_go_over_into_each_other_without_a_step(film, red, colorizer, tmp_path):
    other = (45.0, -40.0)
    found = color(film, tmp_path / "out.mkv", colorizer, [still(tmp_path, 4), still(tmp_path, 20, color=other)])
    means = np.array([found[n][square(n)].reshape(-1, 2).mean(0) for n in range(CUT)])
    assert np.abs(means[4] - red[4][square(4)].mean((0, 1))).max() < 2  # the first holds on its own frame
    assert np.abs(means[20] - means[4]).max() > 15
    even = np.abs(means[20] - means[4]).max() / 16
    assert np.abs(np.diff(means, axis=0)).max() < 2 * even
    assert np.abs(means[:4] - means[4]).max() < 2


@pytest.mark.parametrize("name", ["ref_000035.png", "red.png"])
def test_a_picture_without_its_number_is_found(film, red, colorizer, tmp_path, name):
    found = color(film, tmp_path / "out.mkv", colorizer, [still(tmp_path, 12, name=name)])
    for number in range(CUT):
        np.testing.assert_array_equal(found[number], red[number])


def test_another_films_picture_is_named_and_changes_nothing(film, colorizer, tmp_path):
    noise = np.random.default_rng(9).uniform(0, 255, (9, 16, 3)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "ref_000003.png"), cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))
    options = ColorizeOptions(codec="ffv1", size=96, references=(tmp_path / "ref_000003.png",))
    summary = colorize_film(film, tmp_path / "out.mkv", colorizer.backend, options, rules=RULES)
    assert [w for w in summary.warnings if "ref_000003.png" in w and "not used" in w]


def stopped(film, target, colorizer, references, monkeypatch):
    """A run that ends when all is coloured and nothing assembled."""

    def cut(*_, **__):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(film_run, "assemble", cut)
        with pytest.raises(OSError, match="power cut"):
            color(film, target, colorizer, references)


def test_a_run_that_was_stopped_reads_no_reference_again_and_ends_with_the_same_bytes(
    film, colorizer, tmp_path, monkeypatch
):
    references = [still(tmp_path, 12)]
    color(film, tmp_path / "whole.mkv", colorizer, references)
    stopped(film, tmp_path / "out.mkv", colorizer, references, monkeypatch)
    assert (folder_of(tmp_path / "out.mkv") / "references" / "survey.json").exists()
    monkeypatch.setattr(Surveyor, "read", lambda *_: pytest.fail("read again"))
    color(film, tmp_path / "out.mkv", colorizer, references)
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert not folder_of(tmp_path / "out.mkv").exists()


def test_another_picture_of_the_same_name_is_another_recipe(film, colorizer, tmp_path, monkeypatch):
    references = [still(tmp_path, 12)]
    stopped(film, tmp_path / "out.mkv", colorizer, references, monkeypatch)
    still(tmp_path, 12, color=(-40.0, 30.0))
    with pytest.raises(OutputError, match=r"references.*--restart"):
        color(film, tmp_path / "out.mkv", colorizer, references)
    color(film, tmp_path / "out.mkv", colorizer, references, restart=True)


def test_it_can_be_stopped_while_the_film_is_read(film, colorizer, tmp_path):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Exception, match="stopped"):
        color(film, tmp_path / "out.mkv", colorizer, [still(tmp_path, 12)], hooks=Hooks(cancel=cancel))
    assert not (tmp_path / "out.mkv").exists()


def test_what_cannot_be_is_refused(film, colorizer, tmp_path, capsys):
    with pytest.raises(OptionError, match="leave start out"):
        ColorizeOptions(references=(tmp_path / "x.png",), start=1.0)
    with pytest.raises(OptionError, match="is a still"):
        colorizer.file(still(tmp_path, 3), tmp_path / "out.png", ColorizeOptions(references=(still(tmp_path, 12),)))
    for more in (
        [str(still(tmp_path, 5)), "-o", str(tmp_path / "made/")],
        ["--preview"],
        ["-o", str(tmp_path / "out.m3u8")],
    ):
        assert main([str(film), *more, "--reference", str(still(tmp_path, 12))]) != 0
        assert "references are" in capsys.readouterr().err
    with pytest.raises(InputError, match="no such file"):
        color(film, tmp_path / "out.mkv", colorizer, [tmp_path / "x.png"])
