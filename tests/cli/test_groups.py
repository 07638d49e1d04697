"""Every choice of the library is an argument, and what is parsed becomes the options object."""

import argparse
from dataclasses import fields

import pytest

from vidcolor.cli import colorize, webcam
from vidcolor.cli.groups import COLOR, ENCODE, FILM, STREAM, build
from vidcolor.errors import OptionError
from vidcolor.live.options import WatchOptions
from vidcolor.live.streams.options import StreamOptions
from vidcolor.options import ColorizeOptions, ColorOptions, EncodeOptions, FilmOptions


@pytest.mark.parametrize(
    ("options", "arguments", "elsewhere"),
    [
        (ColorOptions, COLOR, set()),
        (EncodeOptions, ENCODE, {"overwrite"}),  # -y stands beside -o
        (FilmOptions, FILM, set()),
        (StreamOptions, STREAM, set()),
    ],
)
def test_every_field_has_its_argument(options, arguments, elsewhere):
    assert set(arguments) | elsewhere == {f.name for f in fields(options)}


def test_without_arguments_all_is_as_the_library_has_it():
    parsed = colorize.make_parser().parse_args(["film.mp4"])
    assert build(ColorizeOptions, parsed) == ColorizeOptions()
    assert build(StreamOptions, parsed) == StreamOptions()
    parsed = webcam.make_parser().parse_args([])
    assert build(ColorizeOptions, parsed) == ColorizeOptions()
    assert build(WatchOptions, parsed) == WatchOptions()


def test_what_is_given_arrives():
    words = "in.mp4 -y --strength 0.5 --every 7 --pix-fmt yuv444p --compare --end 1:01 --save-shots a.json b.pdf"
    made = build(ColorizeOptions, colorize.make_parser().parse_args([*words.split(), "--reconnect", "3"]))
    assert (made.overwrite, made.strength, made.every, made.pix_fmt, made.compare) == (True, 0.5, 7, "yuv444p", True)
    assert made.end == 61
    assert [path.name for path in made.save_shots] == ["a.json", "b.pdf"]


def test_a_field_that_a_command_has_not_keeps_its_default():
    assert build(ColorizeOptions, argparse.Namespace(strength=1.5, source="x")) == ColorizeOptions(strength=1.5)
    with pytest.raises(OptionError, match="strength 9"):
        build(ColorizeOptions, argparse.Namespace(strength=9.0))


@pytest.mark.parametrize(("words", "mode"), [("--preview", "split"), ("--preview --compare", "side")])
def test_a_preview_that_compares_stands_side_by_side(monkeypatch, words, mode):
    seen = []
    monkeypatch.setattr(webcam, "watch", lambda source, options, view, terminal: seen.append(view) or 0)
    assert colorize.run(["film.mp4", *words.split()]) == 0
    assert [view.mode for view in seen] == [mode]
