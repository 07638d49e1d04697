"""The live tab in a real browser, a film as its camera: what comes back is sampled from the screen."""

from __future__ import annotations

import time

import pytest

from tests.conftest import SAMPLE
from tests.live.browser import (
    COLOURFUL,
    GREY,
    browsing,
    make_camera,
    number,
    press,
    sample,
    serving,
    start_live,
    text,
    wait,
)

pytestmark = pytest.mark.timeout(300)


def test_the_live_picture_comes_back_coloured_and_alive(page, record_property):
    start_live(page)
    wait(lambda: sample(page, "#live-after")["colourfulness"] > COLOURFUL, "colour")
    seen = [sample(page, "#live-after") for _ in range(6) if time.sleep(0.3) is None]
    assert len({s["digest"] for s in seen}) >= 4  # it moves
    assert all(s["luma"] > 20 for s in seen)  # and is no black picture
    wait(lambda: number(page, "#live-latency") > 0, "the latency")
    assert number(page, "#live-size") == 640
    record_property("live", f"{text(page, '#live-fps')} frames a second, {text(page, '#live-latency')}")

    press(page, "#live-strength", "\ue011")  # Home: 0
    wait(lambda: sample(page, "#live-after")["colourfulness"] < GREY, "grey at strength 0")
    press(page, "#live-strength", "\ue010")  # End: 2
    wait(lambda: sample(page, "#live-after")["colourfulness"] > COLOURFUL, "colour again")

    grey = "return getComputedStyle(document.querySelector('#live-before')).filter"
    assert page.execute_script(grey) == "grayscale(1)"
    press(page, "#before-look", "true")
    assert page.execute_script(grey) == "none"

    page.find_element("id", "live-stop").click()
    assert "off" in text(page, "#live-message")
    assert page.execute_script("return document.querySelector('#live-before').srcObject") is None
    start_live(page)  # the server has let go of the one before: it takes one a visitor
    page.refresh()
    start_live(page)  # and of the page that was left


def test_the_divider_moves_by_keys_and_pointer(page):
    from selenium.webdriver import ActionChains

    start_live(page)
    handle, stage = (page.find_element("css selector", f"#live .{name}") for name in ("handle", "stage"))

    def now() -> int:
        shown = page.execute_script("return getComputedStyle(document.querySelector('#live .after')).clipPath")
        value = int(handle.get_attribute("aria-valuenow"))
        cut = float(shown.removesuffix(")").split()[-1].removesuffix("%").removesuffix("px"))
        assert abs(cut - value) <= 0.5, (shown, value)  # the picture is cut where the slider says
        return value

    for key, expected in (("\ue012", 48), ("\ue014", 50), ("\ue011", 0), ("\ue010", 100), ("\ue00f", 90)):
        handle.send_keys(key)  # left, right, Home, End, Page Down
        assert now() == expected
    width = stage.size["width"]
    ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(-width // 4, 40).perform()
    assert now() in (24, 25, 26)
    ActionChains(page).move_by_offset(-width // 4 - 40, 0).release().perform()  # beyond the edge, still held
    assert now() == 0
    touch = ActionChains(page)
    finger = touch.w3c_actions.add_pointer_input("touch", "finger")
    finger.create_pointer_move(0, 0, 0, stage)
    finger.create_pointer_down(button=0)
    finger.create_pointer_move(200, width // 4, 0, stage)
    finger.create_pointer_up(0)
    touch.w3c_actions.perform()
    assert now() in (74, 75, 76)


def test_a_camera_that_is_missing_or_not_allowed_is_said(address, tmp_path):
    camera = make_camera(SAMPLE, tmp_path / "camera.mjpeg", frames=5)
    for lent, said in ((None, "No camera"), (camera, "may not use")):
        with browsing(lent, tmp_path / said, allowed=False) as page:
            page.get(address)
            page.find_element("id", "live-start").click()
            wait(lambda page=page, said=said: said in text(page, "#live-message"), said)
            assert page.find_element("css selector", "#live-message button").text == "Try again"
            assert page.find_element("id", "live-start").is_displayed()


def test_a_lost_connection_offers_to_try_again(chromium):
    with serving() as url:
        chromium.get(url)
        start_live(chromium)
    wait(lambda: "lost" in text(chromium, "#live-message"), "the loss")
    wait(lambda: "out of reach" in text(chromium, "#lost"), "the server to be missed")
    assert chromium.find_element("css selector", "#live-message button").text == "Try again"
    assert chromium.execute_script("return document.querySelector('#live-after').srcObject") is None

    with serving("--port", url.rstrip("/").rpartition(":")[2]):  # which knows nobody from before
        wait(lambda: chromium.find_elements("css selector", "#lost button"), "a way back")
        chromium.find_element("css selector", "#lost button").click()
        start_live(chromium)
        assert text(chromium, "#lost") == ""
