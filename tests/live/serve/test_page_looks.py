"""How the page presents itself: names, order and contrast for everyone, and no width it breaks at.

VIDCOLOR_SHOTS=FOLDER keeps pictures of each tab in use, by width and by light.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from tests.conftest import SAMPLE
from tests.live.browser import (
    browsing,
    make_camera,
    make_film,
    make_still,
    sample,
    screen,
    serving,
    start_live,
    tab,
    upload,
    wait,
)

pytestmark = pytest.mark.timeout(300)
TABS = ("live", "film", "photo")
SCREENS = {"desktop": (1280, 900), "phone": (390, 844), "narrow": (360, 640)}
CONTRAST = 4.5  # WCAG 2.2, 1.4.3 AA, for text of any size


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page with a live picture, films and photographs in it."""
    folder = tmp_path_factory.mktemp("looks")
    film = make_film(SAMPLE, folder / "His Girl Friday, reel 1.mp4", frames=60)
    long = make_film(SAMPLE, folder / "His Girl Friday, reel 2.mp4", frames=1500)
    stills = [make_still(SAMPLE, folder / f"still {at}.png", at=at) for at in (5, 100)]
    with serving() as url, browsing(make_camera(SAMPLE, folder / "camera.mjpeg", frames=150), folder) as made:
        made.get(url)
        for which in TABS:
            tab(made, which)
            keep(made, f"{which}-empty")
        upload(made, "photo", *stills)
        wait(lambda: len(made.find_elements("css selector", "#photos .card[data-state='done']")) == 2, "photographs")
        upload(made, "film", film)
        wait(lambda: made.find_elements("css selector", "#films .card[data-state='done']"), "the film")
        upload(made, "film", long)
        wait(lambda: made.find_elements("css selector", "#films .preview:not([hidden])"), "the preview")
        tab(made, "live")
        start_live(made)
        wait(lambda: sample(made, "#live-after")["colourfulness"] > 5, "colour")
        yield made


def test_it_fits_every_screen_and_is_photographed(page):
    for name, size in SCREENS.items():
        for dark in (True, False):
            screen(page, size, dark=dark, touch=size[0] < 500, still=True)
            for which in TABS:
                tab(page, which)
                page.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
                assert page.execute_script("return document.documentElement.scrollWidth") <= size[0], (name, which)
                small = page.execute_script(SMALL_TARGETS)
                assert not small, (name, which, small)
                keep(page, f"{which}-{name}-{'dark' if dark else 'light'}")
                if which == "film":
                    page.execute_script(
                        "document.querySelector('.viewer:not([hidden]) .transport').scrollIntoView({ block: 'end' })"
                    )
                    keep(page, f"player-{name}-{'dark' if dark else 'light'}")
    screen(page, SCREENS["desktop"], dark=True)


def keep(page, name: str) -> None:
    if folder := os.environ.get("VIDCOLOR_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.save_screenshot(str(Path(folder) / f"{name}.png"))


# What a finger must hit is 24 pixels at least (WCAG 2.2, 2.5.8).
SMALL_TARGETS = """
return [...document.querySelectorAll("button, a[href], select, input, [role=slider]")].filter((each) => {
  const box = each.getBoundingClientRect();
  return each.checkVisibility() && (box.width < 24 || box.height < 24);
}).map((each) => each.outerHTML);
"""


def test_all_that_can_be_operated_has_a_name_and_a_role(page):
    roles = {"live": {"tab", "button", "combobox", "slider"}, "film": {"tab", "button", "slider", "link"},
             "photo": {"tab", "button", "slider", "link"}}  # fmt: skip
    for which in TABS:
        tab(page, which)
        nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        found = {}
        for node in nodes:
            focusable = any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", []))
            role = node.get("role", {}).get("value")
            if node["ignored"] or not focusable or role == "RootWebArea":
                continue
            name = node.get("name", {}).get("value", "").strip()
            assert name, (which, node)
            found.setdefault(role, []).append(name)
        assert roles[which] <= set(found), (which, found)
        names = [n for role in ("button", "link") for n in found.get(role, [])]
        assert len(set(names)) == len(names), names  # two that sound the same cannot be told apart
    assert page.execute_script("return document.documentElement.lang") == "en"
    headings = "return [...document.querySelectorAll('h1,h2,h3')].filter(h => h.checkVisibility()).map(h => h.tagName)"
    levels = [int(h[1]) for h in page.execute_script(headings)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), levels


def test_tabs_go_by_arrow_keys_and_the_keyboard_meets_all_in_order(page):
    from selenium.webdriver import ActionChains

    tab(page, "live")
    for key, expected in (
        ("\ue014", "film"),
        ("\ue014", "photo"),
        ("\ue014", "live"),
        ("\ue010", "photo"),
        ("\ue011", "live"),
    ):
        ActionChains(page).send_keys(key).perform()
        shown = page.execute_script(
            "return [...document.querySelectorAll('[role=tabpanel]')].filter(p => !p.hidden).map(p => p.id)"
        )
        assert shown == [expected]
        assert page.switch_to.active_element.get_attribute("id") == f"tab-{expected}"
        assert page.switch_to.active_element.get_attribute("aria-selected") == "true"
    for which in TABS:
        tab(page, which)
        order = page.execute_script(OPERABLE)
        walked = []
        for _ in order:
            walked.append(page.execute_script("return document.activeElement.dataset.order"))
            outline = page.execute_script(OUTLINE)
            assert float(outline.removesuffix("px")) >= 2, (which, walked)  # the focus can be seen
            ActionChains(page).send_keys("\ue004").perform()
        assert walked == order, which


OPERABLE = """
const all = [...document.querySelectorAll("button, a[href], select, input, [role=slider]")];
return all.filter((each) => each.checkVisibility() && each.tabIndex >= 0).map((each, at) => {
  each.dataset.order = String(at);
  return String(at);
});
"""
# A file input is seen through the zone around it.
OUTLINE = """
const on = document.activeElement;
return getComputedStyle(on.type === "file" ? on.parentElement : on).outlineWidth;
"""


def test_text_stands_out_from_its_ground_by_day_and_night(page):
    for dark in (True, False):
        screen(page, SCREENS["desktop"], dark=dark, still=True)  # no colour halfway to another
        for which in TABS:
            tab(page, which)
            faint = [f for f in page.execute_script(CONTRASTS) if f[0] < CONTRAST]
            assert not faint, (dark, which, faint)
    screen(page, SCREENS["desktop"], dark=True)


# Contrast of each text with the ground behind it (WCAG 2.2), grounds laid over one another as the page does.
CONTRASTS = """
const parse = (text) => {
  const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
  return [r, g, b, a];
};
const light = ([r, g, b]) => {
  const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
};
return [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility({ visibilityProperty: true })
  && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim())).map((each) => {
  const behind = ground(each);
  const [a, b] = [light(over(parse(getComputedStyle(each).color), behind)), light(behind)];
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), each.textContent.trim().slice(0, 40)];
});
"""


def test_who_is_made_ill_by_motion_sees_none(page):
    screen(page, SCREENS["desktop"], dark=True, still=True)
    moving = "return [...document.querySelectorAll('*')].filter(e => e.checkVisibility()" \
             " && parseFloat(getComputedStyle(e).transitionDuration) > 0.01).length"  # fmt: skip
    assert page.execute_script(moving) == 0
    screen(page, SCREENS["desktop"], dark=True)
    assert page.execute_script(moving) > 0
