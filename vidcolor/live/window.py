"""The window on SDL, by way of pygame: draws the newest frame, and hands keys to the controls."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from vidcolor.errors import BackendError, InputError
from vidcolor.live.controls import HELP, Controls
from vidcolor.live.newest import Closed
from vidcolor.live.session import LiveSession, Meter, Shown
from vidcolor.live.view import Area, aspect_of, compose, fit

if TYPE_CHECKING:
    from pygame import Surface
    from pygame.event import Event

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
SMALLEST, SHARE = 480, 0.9  # height of the window at least; how much of the screen it takes at most
WAIT = 0.02  # seconds that keys may wait for
TEXT, SHADE, WARM = (240, 240, 240), (0, 0, 0, 150), (255, 196, 96)
MARGIN, FONT = 10, 18  # pixels


def load_pygame() -> ModuleType:
    """pygame, or one line on how to get it."""
    try:
        import pygame
    except ImportError as error:
        raise BackendError("the window needs pygame: pip install 'vidcolor[live]'") from error
    return pygame


@dataclass
class Status:
    """What stands in the window beside the picture."""

    lines: list[str]  # at the top left
    alert: str = ""  # in the middle


class Window:
    """A window of the system; use it with `with`, in the main thread.

    Raises:
        BackendError: pygame is not installed.
        InputError: there is no screen.
    """

    def __init__(self, title: str, controls: Controls, size: tuple[int, int]) -> None:
        self.pygame, self.controls = load_pygame(), controls
        pygame = self.pygame
        try:
            pygame.display.init()
            if pygame.display.get_driver() in ("offscreen", "evdev", "KMSDRM", "kmsdrm"):
                raise pygame.error("no window system")
            self.desktop = pygame.display.get_desktop_sizes()[0]
            self.height = max(SMALLEST, size[1])  # of the picture; as far as the screen has room
            self.aspect = size[0] / size[1]
            pygame.display.set_mode(self.room(), pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise InputError(
                f"no screen for a window ({error}); run it on a desktop, or take vidcolor serve and a browser"
            ) from error
        pygame.font.init()
        pygame.display.set_caption(title)
        pygame.key.set_repeat(300, 40)
        self.font = pygame.font.Font(None, FONT + 6)
        self.area = Area(0, 0, *self.surface.get_size())
        self.own = pygame.Window.from_display_module()
        self.fullscreen = False

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.pygame.display.quit()

    @property
    def surface(self) -> Surface:
        surface: Surface = self.pygame.display.get_surface()
        return surface

    def room(self) -> tuple[int, int]:
        """Width and height of a window for a picture of `aspect`."""
        area = fit((int(self.desktop[0] * SHARE), min(self.height, int(self.desktop[1] * SHARE))), self.aspect)
        return area.width, area.height

    def resize(self, aspect: float) -> None:
        """Fit the window to a picture of another aspect."""
        self.aspect = aspect
        self.own.size = self.room()
        self.own.position = self.pygame.WINDOWPOS_CENTERED

    def handle_events(self) -> bool:
        """Pass on keys and mouse; whether anything has to be drawn anew."""
        pygame, changed = self.pygame, False
        for event in pygame.event.get():
            changed = True
            if event.type == pygame.QUIT:
                self.controls.quit = True
            elif event.type == pygame.KEYDOWN:
                self.controls.press(self.name_of(event))
            elif self.drags(event):
                self.drag(event.pos[0])
        if self.controls.fullscreen != self.fullscreen:
            self.fullscreen = self.controls.fullscreen
            pygame.display.toggle_fullscreen()
        return changed

    def drags(self, event: Event) -> bool:
        """Whether it is the left button, pressed or held."""
        pressed = event.type == self.pygame.MOUSEBUTTONDOWN and event.button == 1
        return pressed or (event.type == self.pygame.MOUSEMOTION and bool(event.buttons[0]))

    def name_of(self, event: Event) -> str:
        name: str = self.pygame.key.name(event.key)
        typed: str = event.unicode
        return typed if typed and typed in "+-=?" else name.strip("[]")

    def drag(self, x: int) -> None:
        if self.controls.mode == "split":
            self.controls.move((x - self.area.left) / max(1, self.area.width))

    def draw(self, shown: Shown | None, status: Status) -> None:
        """The frame as the controls want it, with the status over it."""
        self.surface.fill((0, 0, 0))
        if shown is not None:
            aspect = aspect_of(shown.frame, self.controls.mode, shown.rotation, float(shown.aspect))
            if abs(aspect - self.aspect) > 0.01 and not self.fullscreen:
                self.resize(aspect)
            self.area = fit(self.surface.get_size(), aspect)
            picture = compose(
                shown.frame, (self.area.width, self.area.height), self.controls.mode, self.controls.bar, shown.rotation
            )
            self.surface.blit(self.to_surface(picture), (self.area.left, self.area.top))
        self.write(status.lines, MARGIN, MARGIN)
        if self.controls.help:
            self.write([f"{keys}: {what}" for keys, what in HELP], MARGIN, MARGIN + 3 * FONT)
        if status.alert:
            self.write([status.alert], None, self.surface.get_height() // 2, WARM)
        self.pygame.display.flip()

    def to_surface(self, picture: np.ndarray) -> Surface:
        height, width = picture.shape[:2]
        surface: Surface = self.pygame.image.frombuffer(np.ascontiguousarray(picture), (width, height), "RGB")
        return surface

    def write(self, lines: list[str], left: int | None, top: int, colour: tuple[int, int, int] = TEXT) -> None:
        """Lines of text on a shade; without `left` in the middle."""
        drawn = [self.font.render(line, True, colour) for line in lines if line]
        if not drawn:
            return
        shade = self.pygame.Surface(
            (max(x.get_width() for x in drawn) + 12, sum(x.get_height() for x in drawn) + 8), self.pygame.SRCALPHA
        )
        if left is None:
            left = max(6, (self.surface.get_width() - shade.get_width()) // 2)
        shade.fill(SHADE)
        self.surface.blit(shade, (left - 6, top - 4))
        for line in drawn:
            self.surface.blit(line, (left, top))
            top += line.get_height()


def show(
    session: LiveSession, window: Window, describe: Callable[[Meter], Status], serve: Callable[[Shown | None], None]
) -> Meter:
    """Draw the newest frame until the user quits or the source ends; gives the last rates.

    `serve` is called after each turn with the frame on screen: for snapshots, recording and strength.
    """
    meter, shown, drawn = Meter(), None, 0.0
    controls = window.controls
    while not controls.quit:
        changed = window.handle_events()
        try:
            newest = None if controls.paused else session.next(WAIT)
        except Closed:
            break
        if controls.paused:
            time.sleep(WAIT)
        shown = newest or shown
        if newest is not None or changed or time.monotonic() - drawn > 0.5:
            window.draw(shown, describe(meter))
            drawn = time.monotonic()
            if newest is not None:
                meter.add(newest.taken)
        serve(shown)
    return meter
