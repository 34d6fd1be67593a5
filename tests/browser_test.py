"""The pages for people, in a real browser, served by real daemons: they show what happens as it happens, say when they
can't, and can be used by phone, by keyboard and for days."""

import subprocess
import time
import urllib.parse
from datetime import datetime, timedelta, timezone

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.support.ui import Select

import doors
from browser import Browser
from harness import Api, Broker, Gateway, Publisher, bin_dir, wait_until

SIZES = ((360, 780), (1280, 900), (3840, 2160))
SCHEMES = ("light", "dark")
LIVE_S = 1.0  # from a crossing to its number on a page
STALL_S = 15.0  # beyond it a page waits for a connection
YEAR_S = 2.0  # until the chart of a year can be used
HOSTILE = "<img src=x onerror=alert(1)>"


def now():
    return datetime.now(timezone.utc)


def rfc3339(when):
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(count=1, seq=0):
    return {"dpu_event_time": rfc3339(now()), "count": count, "seq": seq}


def make_building(api):
    """A house with three rooms, of which the hall is nearly full, and a yard beside it."""
    zone = {"timezone": "Europe/Berlin"}
    api.tell("POST", "/spaces", {"id": "house", "name": "House by the lake", "capacity": 60, **zone})
    for room, capacity in (("hall", 10), ("library", 20), ("cellar", None)):
        doors.make_space(api, room, name=room.title(), capacity=capacity, parent="house", **zone)
    doors.make_space(api, "yard", name="Yard", **zone)
    api.tell("POST", "/doorways", {"id": "spare", "space": "yard"})
    today = now()
    for room, people in (("hall", 9), ("library", 4), ("cellar", 2), ("yard", 3)):
        walks = [(rfc3339(today - timedelta(minutes=5 * n + 1)), 1) for n in range(people)]
        doors.walk(api, room, *walks)


@pytest.fixture(scope="module")
def town(system):
    make_building(system)
    return system


@pytest.fixture(scope="module")
def window(town):
    with Browser(town) as browser:
        yield browser


@pytest.fixture
def browser(window):
    """The browser, logged out, with nothing said yet."""
    window.resize(1280, 900)
    window.prefer("light")
    window.driver.delete_all_cookies()
    window.complaints()
    return window


def log_in(browser, api, scope="admin"):
    if scope not in api.tokens:
        api.tokens[scope] = api.add_token(scope)
    browser.open("/login")
    browser.type("#token", api.tokens[scope])
    browser.press("Log in", "main")
    browser.seen(".session")


def count_of(space):
    return f'.row[data-id="{space}"] .count'


# Looks

PAGES = {
    "overview": ("/", ".row .spark path"),
    "display": ("/display/hall", ".number"),
    "history": ("/history/hall", ".chart canvas"),
    "login": ("/login", "#token"),
    "admin-spaces": ("/admin#show=spaces", "tbody tr"),
    "admin-dpus": ("/admin#show=dpus", "tbody tr"),
    "admin-installations": ("/admin#show=installations", ".timeline .bar"),
    "admin-rejected": ("/admin#show=rejected", "tbody tr"),
}


@pytest.fixture(scope="module")
def rejected(town):
    with Publisher(town.gateway.broker) as dpu:
        dpu.publish("dpu/nobody/events", event())
        dpu.publish("dpu/hall-dpu/events", {"dpu_event_time": HOSTILE, "count": 1})
    wait_until(lambda: town.gateway.value("SELECT count(*) FROM rejected_event") >= 2)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_screen_and_the_browser_has_no_complaint(browser, town, rejected, name):
    path, there = PAGES[name]
    if name.startswith("admin"):
        log_in(browser, town)
    for scheme in SCHEMES:
        browser.prefer(scheme)
        for width, height in SIZES:
            browser.resize(width, height)
            browser.open(path)
            browser.until(lambda: browser.find(there), f"{name} is there")
            browser.gone(".notice")
            if width < 3840 or scheme == "light":
                browser.screenshot(f"{name}-{scheme}-{width}")
            assert browser.overflow() <= 0, (name, width)
            assert browser.complaints() == []
            assert browser.barriers() == [], (name, scheme, width)


@pytest.mark.parametrize("width, height", [(360, 640), (640, 360), (1280, 720), (1080, 1920), (3840, 2160)])
def test_the_wall_display_never_scrolls_and_fills_the_screen(browser, town, width, height):
    browser.resize(width, height)
    browser.open("/display/hall")
    browser.text_is(".number", "9")
    size = "const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]"
    assert browser.run(size) == [width, height]
    box = browser.run("return document.querySelector('.number').getBoundingClientRect().toJSON()")
    assert 0 <= box["left"] and box["right"] <= width and 0 <= box["top"] and box["bottom"] <= height
    assert box["height"] > 0.45 * min(width, height)


# Numbers


def test_the_overview_groups_searches_and_sorts(browser, town):
    browser.open("/")
    browser.text_is(count_of("hall"), "9")
    assert browser.texts("section h2 .name") == ["House by the lake"]
    assert browser.text('.building[data-id="house"] .count') == "15"
    assert browser.texts(".row .name") == ["Cellar", "Hall", "Library", "Yard"]
    Select(browser.seen("select")).select_by_value("count")
    browser.until(lambda: browser.texts(".row .name")[:2] == ["Hall", "Library"], "sorted by count")
    browser.type("input[type=search]", "yar")
    browser.until(lambda: browser.texts(".row .name") == ["Yard"], "only the yard")
    browser.driver.refresh()
    browser.until(lambda: browser.texts(".row .name") == ["Yard"], "what was searched for stays")
    assert browser.complaints() == []


@pytest.mark.parametrize(
    "path, selector",
    [("/", count_of("yard")), ("/display/yard", ".number"), ("/history/yard", ".title .count")],
)
def test_a_crossing_is_on_the_page_at_once(browser, town, path, selector):
    browser.open(path)
    browser.seen(selector)
    browser.until(lambda: (browser.text(selector) or "").isdigit(), "there is a number")
    browser.gone(".notice")
    before = int(browser.text(selector))
    with Publisher(town.gateway.broker) as dpu:
        begin = time.monotonic()
        dpu.publish("dpu/yard-dpu/events", event())
        browser.text_is(selector, str(before + 1))
        taken = time.monotonic() - begin
    print(f"{path}: {taken * 1000:.0f} ms")
    assert taken < LIVE_S


def test_the_display_says_whether_there_is_room(browser, town):
    doors.make_space(town, "lift", name="Lift", capacity=10)
    browser.open("/display/lift")
    for people, verdict in ((1, "Welcome"), (9, "Almost full"), (10, "Please wait")):
        town.tell("POST", "/spaces/lift/resets", {"count": people})
        browser.text_is(".number", str(people))
        browser.text_is(".verdict", verdict)
        browser.screenshot(f"display-{verdict.lower().replace(' ', '-')}")


def test_names_are_text_whatever_they_hold(browser, town):
    doors.make_space(town, "evil", name=HOSTILE, parent="house")
    for path, selector in (("/", '[data-id="evil"] .name'), ("/display/evil", "h1"), ("/history/evil", "h1")):
        browser.open(path)
        browser.text_is(selector, HOSTILE)
        assert browser.find("img") == []
    town.tell("PATCH", "/spaces/evil", {"name": "Attic"})


# The past


def test_a_history_is_shown_in_the_range_asked_for_and_zooms_to_finer_steps(browser, town):
    browser.open("/history/hall")
    browser.seen(".chart canvas")
    browser.text_has(".facts", "Peak9")
    browser.press("12 months")
    browser.text_has("main", "In steps of 1 d.")
    browser.until(lambda: "#range=year" in browser.driver.current_url, "the range is in the address")
    for _ in range(3):
        before = browser.text(".readout")
        browser.press("Zoom in")
        browser.until(lambda: browser.text(".readout") != before, "another range")
    browser.text_has("main", "In steps of 1 h.")
    assert "interval=1h" in browser.seen("a[download]").get_attribute("href")
    assert browser.complaints() == []


def test_a_history_can_be_zoomed_with_the_mouse_and_read_with_the_keyboard(browser, town):
    browser.open("/history/hall#range=month")
    browser.seen(".chart canvas")
    browser.text_has("main", "In steps of 30 min.")
    drag(browser, ".chart-above", 0.4, 0.5)
    browser.text_has("main", "In steps of 5 min.")
    browser.run("document.querySelector('.chart').focus()")
    browser.key("END")
    browser.text_has(".readout", "+0")
    assert browser.complaints() == []


def drag(browser, selector, begin, end):
    """With the mouse, between two parts of the element's width."""
    element = browser.seen(selector)
    width = element.size["width"]
    chain = ActionChains(browser.driver)
    chain.move_to_element_with_offset(element, (begin - 0.5) * width, 0).click_and_hold()
    chain.move_by_offset((end - begin) * width, 0).release().perform()


def test_the_csv_has_the_rows_of_the_chart(browser, town):
    browser.open("/history/hall#range=week")
    browser.seen(".chart canvas")
    target = browser.seen("a[download]").get_attribute("href").removeprefix(browser.base)
    answer = town.request("GET", target)
    assert answer.status == 200 and answer.headers.get_content_type() == "text/csv"
    assert answer.text.startswith("start,end,opening,closing")


def ask_at(browser, local):
    browser.run("document.querySelector('.look-up input').value = arguments[0]", local)
    browser.press("Look up")


def test_one_can_ask_for_a_moment_in_the_local_time_of_the_space(browser, town):
    doors.make_space(town, "shop", name="Shop", timezone="Europe/Berlin")
    doors.walk(town, "shop", ("2025-03-29T12:00:00Z", 1), ("2025-03-29T12:30:00Z", 1))
    browser.open("/history/shop")
    browser.seen(".look-up input")
    ask_at(browser, "2025-03-29T13:15")
    browser.text_has(".answer", "1 person at")
    ask_at(browser, "2025-03-29T13:45:00")
    browser.text_has(".answer", "2 people at")
    ask_at(browser, "2025-03-30T02:30")  # which the clocks skip
    browser.text_has("#time-error", "Europe/Berlin")
    ask_at(browser, "2025-10-26T02:30")  # which they show twice
    browser.text_has("#time-error", "2025-10-26T00:30:00")
    assert browser.text(".answer") == ""


# Who may what


def test_the_administration_asks_who_one_is_and_goes_on_after_the_login(browser, town):
    browser.open("/admin")
    browser.press("Log in", "main")
    browser.type("#token", "nonsense")
    browser.press("Log in", "main")
    browser.until(lambda: browser.text("#token-error"), "it says that the token is wrong")
    browser.seen("#token").clear()
    browser.type("#token", town.add_token("admin"))
    browser.press("Log in", "main")
    browser.seen("tbody tr")
    assert browser.driver.current_url.startswith(f"{browser.base}/admin")
    browser.press("Log out")
    browser.text_has("main", "needs a token")


@pytest.mark.parametrize("way", ["//example.org/", "/.//example.org/", "https://example.org/", "http://", "javascript:0"])
def test_a_login_leads_to_no_other_server(browser, town, way):
    browser.open("/login#" + urllib.parse.urlencode({"next": way}))
    browser.type("#token", town.add_token("read"))
    browser.press("Log in", "main")
    browser.until(lambda: "/login" not in browser.driver.current_url, "it goes on")
    assert browser.driver.current_url.startswith(f"{browser.base}/")


def test_a_link_logs_nobody_in_as_somebody_else(browser, town):
    log_in(browser, town)
    name = browser.text(".session")
    for path in ("/", "/display/hall"):
        browser.open(f"{path}#token={town.add_token('read')}")
        browser.until(lambda: browser.find(".row, .number"), "the page is there")
    browser.open("/")
    browser.text_is(".session", name)


def test_the_token_of_a_link_stays_until_the_server_has_judged_it(browser, town):
    token = town.add_token("read")
    with browser.blocked(f"{browser.base}/session"):
        browser.open(f"/display/hall#token={token}")
        browser.until(lambda: browser.text(".number"), "everybody may look, so it shows the count")
        assert token in browser.driver.current_url
    browser.driver.refresh()
    browser.until(lambda: token not in browser.driver.current_url, "it is judged")
    browser.complaints()


def test_a_link_with_a_token_opens_a_display_where_nobody_may_look_without(tmp_path):
    closed = {"api": {"anonymous_read": False}}
    with Broker(tmp_path) as broker, Gateway(broker, tmp_path) as gateway, Api(gateway, tmp_path, closed) as api:
        api.token = api.add_token("read")
        api.wait_connected()
        api.tell("POST", "/spaces", {"id": "A"})
        api.tell("POST", "/spaces/A/resets", {"count": 7})
        with Browser(api) as browser:
            browser.open("/display/A")
            browser.until(lambda: browser.text(".display-notice"), "it says why it shows nothing")
            browser.open(f"/display/A#token={api.token}")
            browser.text_is(".number", "7")
            assert browser.driver.current_url == f"{browser.base}/display/A"
            browser.open("/")
            browser.text_is(count_of("A"), "7")


# Changes


def test_a_building_is_set_up_and_its_first_person_counted(browser, town):
    log_in(browser, town)
    browser.open("/admin")
    browser.press("Add a space")
    browser.fill(id="not possible", timezone="Nowhere/Land")
    browser.press("Save", "dialog")
    browser.until(lambda: any(browser.texts("dialog .error")), "what is wrong is said")
    browser.fill(id="studio", name="Studio", timezone="Nowhere/Land", capacity="5")
    browser.press("Save", "dialog")
    browser.text_has("#field-timezone-error", "such as Europe/Berlin")
    assert browser.seen("#field-timezone").get_attribute("aria-invalid") == "true"
    browser.fill(timezone="Europe/Paris")
    browser.press("Save", "dialog")
    browser.text_has(".done", "studio was added.")
    browser.press("Doorways")
    browser.press("Add a doorway")
    browser.fill(id="studio-door", space="studio")
    browser.press("Save", "dialog")
    browser.text_has(".done", "studio-door was added.")
    browser.press("DPUs")
    browser.press("Add a DPU")
    browser.fill(id="studio-dpu")
    browser.press("Save", "dialog")
    browser.text_has(".done", "studio-dpu was added.")
    browser.press("Installations")
    browser.press("Add an installation")
    browser.fill(dpu="studio-dpu", doorway="studio-door", started_at="2026-01-01 00:00")
    browser.press("Save", "dialog")
    browser.text_has(".done", "was added.")
    with Publisher(town.gateway.broker) as dpu:
        dpu.publish("dpu/studio-dpu/events", event())
    browser.open("/")
    browser.text_is(count_of("studio"), "1")


def test_a_space_is_changed_reset_and_removed(browser, town):
    town.tell("POST", "/spaces", {"id": "shed"})
    log_in(browser, town)
    browser.open("/admin#show=spaces&id=shed")
    browser.press("Change shed")
    browser.fill(capacity="12", daily_reset="04:00")
    browser.press("Save", "dialog")
    browser.text_has(".done", "shed was changed.")
    assert town.ask("/spaces/shed")["capacity"] == 12
    browser.press("Reset shed")
    browser.fill(count="3")
    browser.press("Save", "dialog")
    browser.text_is("tbody [data-member=count]", "3")
    browser.press("Remove shed")
    browser.press("Remove", "dialog")
    browser.text_has(".table", "There is nothing here.")


def test_a_dpu_is_moved_and_its_way_is_seen(browser, town):
    doors.make_space(town, "gate")
    log_in(browser, town)
    browser.open("/admin#show=dpus&id=gate-dpu")
    browser.press("Move gate-dpu")
    browser.fill(doorway="nowhere")
    browser.press("Save", "dialog")
    browser.text_has("#field-doorway-error", "nowhere")
    browser.fill(doorway="spare")
    browser.press("Save", "dialog")
    browser.text_is("tbody [data-member=doorway]", "spare")
    browser.press("History gate-dpu")
    browser.until(lambda: len(browser.find(".timeline .bar")) == 2, "two installations")
    assert browser.texts(".timeline li") == ["gate-door", "spare"]


def test_rejected_events_are_replayed_and_removed(browser, town):
    log_in(browser, town)
    with Publisher(town.gateway.broker) as dpu:
        dpu.publish("dpu/stranger/events", event())
        dpu.publish("dpu/stranger/events", {"dpu_event_time": HOSTILE, "count": 1})
    wait_until(lambda: len(town.gateway.query("SELECT 1 FROM rejected_event WHERE dpu_id = 'stranger'")) == 2)
    browser.open("/admin#show=rejected&dpu=stranger")
    browser.until(lambda: len(browser.find("tbody tr")) == 2, "both are listed")
    assert any(HOSTILE in text for text in browser.texts("tbody code"))
    browser.press("Replay what is listed")
    browser.text_has(".done", "0 stored, 0 known already, 2 still rejected")
    browser.press("Remove what is listed")
    browser.press("Remove", "dialog")
    browser.text_has(".done", "2 removed")
    browser.text_has(".table", "There is nothing here.")


# The keyboard


def test_every_control_of_a_page_can_be_reached_and_its_focus_is_seen(browser, town):
    browser.open("/")
    browser.seen(".row .name")
    reached = set()
    for _ in range(12):
        browser.key("TAB")
        reached.add(browser.run("return document.activeElement.className || document.activeElement.tagName"))
        outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
    assert {"skip", "brand", "INPUT", "SELECT", "name"} <= reached
    browser.open("/admin")
    browser.seen("main a")
    assert browser.find("[tabindex]:not([tabindex='0']):not([tabindex='-1'])") == []


# Faults


@pytest.fixture
def own(tmp_path):
    """A system of a test's own, which it may stop."""
    with Broker(tmp_path) as broker, Gateway(broker, tmp_path) as gateway, Api(gateway, tmp_path) as api:
        api.wait_connected()
        doors.make_space(api, "A", capacity=10)
        yield api


def walk_and_see(browser, api, selector, expected):
    with Publisher(api.gateway.broker) as dpu:
        dpu.publish("dpu/A-dpu/events", event(seq=expected))
    browser.text_is(selector, str(expected), timeout=60)


@pytest.mark.parametrize(
    "path, selector, dimmed",
    [("/", count_of("A"), ".board.stale"), ("/display/A", ".number", "body.stale")],
)
def test_a_page_says_that_it_is_cut_off_and_wakes_by_itself(own, path, selector, dimmed):
    api, gateway, broker = own, own.gateway, own.gateway.broker
    with Browser(api) as browser:
        browser.open(path)
        walk_and_see(browser, api, selector, 1)
        browser.gone(dimmed)
        api.stop()
        browser.until(lambda: browser.find(dimmed), "it says that it is cut off")
        assert browser.text(selector) == "1"
        browser.screenshot(f"cut-off{path.replace('/', '-')}")
        api.start()
        browser.until(lambda: not browser.find(dimmed), "it has woken")
        walk_and_see(browser, api, selector, 2)
        gateway.stop()
        browser.until(lambda: browser.find(dimmed), "it says that nobody counts", timeout=60)
        gateway.start()
        browser.until(lambda: not browser.find(dimmed), "it has woken")
        walk_and_see(browser, api, selector, 3)
        broker.stop()
        browser.until(lambda: browser.find(dimmed), "it says that nobody counts", timeout=60)
        broker.start()
        browser.until(lambda: not browser.find(dimmed), "it has woken", timeout=60)
        walk_and_see(browser, api, selector, 4)


@pytest.mark.parametrize(
    "path, selector",
    [("/", count_of("A")), ("/display/A", ".number"), ("/history/A", ".people .count")],
)
def test_a_page_believes_a_server_that_begins_anew(own, path, selector):
    api, gateway = own, own.gateway
    with Browser(api) as browser:
        browser.open(path)
        for count in (1, 2, 3):
            walk_and_see(browser, api, selector, count)
        api.stop()
        gateway.stop()
        for file in gateway.database.parent.glob(gateway.database.name + "*"):
            file.unlink()
        gateway.start()
        api.start()
        api.wait_connected()
        doors.make_space(api, "A")
        walk_and_see(browser, api, selector, 1)


def test_pages_that_were_left_hold_no_connection(browser, town):
    pages = (("/", count_of("hall")), ("/display/hall", ".number"), ("/history/hall", ".title .count"))
    for path, selector in pages:
        for _ in range(8):  # a browser opens six to a server, and waits a minute for one of them
            begin = time.monotonic()
            browser.open(path)
            browser.text_is(selector, "9")
            assert time.monotonic() - begin < STALL_S
    browser.open("/display/hall")
    browser.driver.get("about:blank")
    browser.driver.back()
    browser.text_is(".number", "9", timeout=10)
    town.tell("POST", "/spaces/hall/resets", {"count": 8})
    browser.text_is(".number", "8")
    town.tell("POST", "/spaces/hall/resets", {"count": 9})
    browser.text_is(".number", "9")


def test_a_removed_space_leaves_the_pages(browser, town):
    town.tell("POST", "/spaces", {"id": "tent"})
    browser.open("/")
    browser.seen('.row[data-id="tent"]')
    town.tell("DELETE", "/spaces/tent")
    browser.gone('.row[data-id="tent"]')


# Days

DOORS = 40
ROUNDS = 1000
WARM_UP = 150
ROOM_FOR_NOISE = 128 * 1024  # bytes: code is compiled when it has run often enough


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Many spaces that change as fast as the gateway tells."""
    folder = tmp_path_factory.mktemp("busy")
    settings = {"gateway": {"publish_interval_ms": 0}}
    with Broker(folder) as broker, Gateway(broker, folder, settings) as gateway, Api(gateway, folder) as api:
        api.wait_connected()
        api.tell("POST", "/spaces", {"id": "all", "capacity": 100})
        for number in range(DOORS):
            doors.make_space(api, f"s{number}", parent="all", capacity=100)
        yield api


# The page itself counts what it shows: asking it would leave traces of its own in its memory.
WATCH = """
const element = document.querySelector(arguments[0]);
window.shown = 0;
new MutationObserver(() => window.shown++).observe(element, {childList: true, characterData: true, subtree: true});
"""


def shake(api, rounds):
    """In each round somebody enters, or leaves, every space."""
    with Publisher(api.gateway.broker) as dpu:
        for turn in range(rounds):
            for number in range(DOORS):
                dpu.send(f"dpu/s{number}-dpu/events", event(-1 if turn % 2 else 1))
            dpu.flush()
            expected = 0 if turn % 2 else DOORS
            wait_until(lambda: api.ask("/spaces/all")["count"] == expected, message="the round is counted")


@pytest.mark.parametrize("path, selector", [("/", count_of("s39")), ("/display/all", ".number")])
def test_a_page_that_is_open_for_days_does_not_grow(busy, path, selector):
    with Browser(busy) as browser:
        browser.open(path)
        browser.text_is(selector, "0")
        browser.run(WATCH, selector)
        shake(busy, WARM_UP)
        before = browser.memory()
        shake(busy, ROUNDS)
        after = browser.memory()
        print(f"{path}: {DOORS * ROUNDS} changes: {before} -> {after}")
        assert browser.run("return window.shown") > ROUNDS / 10  # the server tells what changes faster every 50 ms
        browser.text_is(selector, "0")
        assert after["bytes"] < before["bytes"] + ROOM_FOR_NOISE
        # The texts of every row, once, may still wait to be collected.
        assert after["nodes"] <= before["nodes"] + 4 * DOORS
        assert after["jsEventListeners"] <= before["jsEventListeners"] + 5


# Much


def filled(folder, *options):
    """A gateway's folder with a town of many crossings (tests/bench/fill.c)."""
    build = ["cmake", "--build", str(bin_dir().parent), "--target", "bench-fill"]
    subprocess.run(build, check=True, capture_output=True, timeout=600)
    (folder / "gateway").mkdir()
    fill = [bin_dir() / "bench-fill", "--database", folder / "gateway" / "headcount.db", *options]
    subprocess.run(fill, check=True, capture_output=True, timeout=600)


def test_a_year_of_a_million_crossings_can_be_used_at_once(tmp_path):
    filled(tmp_path, "--dpus", "4", "--events", "1000000", "--days", "365", "--open-hours", "12")
    with Broker(tmp_path) as broker, Gateway(broker, tmp_path) as gateway, Api(gateway, tmp_path) as api:
        api.wait_connected()
        with Browser(api) as browser:
            for name in ("today", "year", "week"):
                begin = time.monotonic()
                browser.open(f"/history/r0#range={name}")
                browser.until(lambda: browser.find(".chart canvas"), "the chart is drawn")
                browser.run("document.querySelector('.chart').focus()")
                browser.key("END")
                browser.text_has(".readout", "+")
                taken = time.monotonic() - begin
                print(f"{name}: {taken * 1000:.0f} ms")
                assert taken < YEAR_S, name
                browser.screenshot(f"history-{name}-of-a-million")
            assert browser.complaints() == []


def test_the_overview_of_25000_spaces_shows_a_page_of_them(tmp_path):
    filled(tmp_path, "--dpus", "100000", "--events", "10000", "--days", "2")
    with Broker(tmp_path) as broker, Gateway(broker, tmp_path) as gateway, Api(gateway, tmp_path) as api:
        api.wait_connected()
        rooms = gateway.value("SELECT count(*) FROM space")
        assert rooms > 25_000
        with Browser(api) as browser:
            begin = time.monotonic()
            browser.open("/")
            browser.seen(".row")
            print(f"first rows: {time.monotonic() - begin:.1f} s")
            browser.text_has(".shown", f"{rooms:,} spaces", timeout=60)
            print(f"all: {time.monotonic() - begin:.1f} s")
            assert len(browser.find(".row")) == 50
            browser.press("Next page")
            browser.text_has(".pager", "Page 2 of")
            browser.type("input[type=search]", "Room 24999")
            browser.until(lambda: browser.texts(".row .name") == ["Room 24999"], "it is found")
            requests = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
            asked = sum("/counts?" in request for request in requests)
            print(f"trends asked for: {asked}")
            assert asked <= 150
            with Publisher(broker) as dpu:
                before = int(browser.text(".row .count"))
                dpu.publish("dpu/99996/events", event())
                browser.text_is(".row .count", str(before + 1))
            browser.screenshot("overview-25000")
            assert browser.complaints() == []
