"""Story W30: the noVNC page in a real browser shows the guest, and what is typed there arrives in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, sync_playwright

from tests.e2e.cloud import Guest, until

pytestmark = pytest.mark.real
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def page() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 800, "height": 480})
        browser.close()


def connected(page: Any, url: str) -> bool:
    """Chromium breaks a page off when an interface appears on its machine, as each guest's does here."""
    try:
        page.goto(url)
        page.wait_for_function("document.getElementById('state').textContent == 'Connected'", timeout=10_000)
    except Error:
        return False
    return True


def test_w30_what_is_typed_in_the_browser_arrives(guest: Guest, page: Any, tmp_path: Path) -> None:
    until(lambda: "getty 38400 tty1" in guest.run("ps"), "no log-in on the screen")
    console = guest.cloud.api.compute.create_console(guest.server, console_type="novnc")
    until(lambda: connected(page, console["url"]), "the page does not connect")
    page.wait_for_selector("canvas")
    page.click("canvas")
    for line, then in (("cirros", "login -- cirros"), ("gocubsgo", " -sh"), ("touch typed-here", " -sh")):
        page.keyboard.type(line, delay=60)
        page.keyboard.press("Enter")
        until(lambda then=then: then in guest.run("ps"), f"no {then} after '{line}'", 60)
    until(lambda: "typed-here" in guest.run("ls"), "nothing arrived", 60)
    page.screenshot(path=str(tmp_path / "console.png"))
    assert (tmp_path / "console.png").stat().st_size > 1000


def test_a_console_token_opens_one_guest_for_a_while(guest: Guest, page: Any) -> None:
    url = guest.cloud.api.compute.create_console(guest.server, console_type="novnc")["url"]
    page.goto(url.split("path=")[0] + "path=console%2Fvnc%2Fstream%3Ftoken%3Dmade-up")
    page.wait_for_function("document.getElementById('state').textContent.includes('ended')", timeout=30_000)
