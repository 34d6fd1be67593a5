"""A real browser (Debian's chromium, driven by selenium) that looks at the pages of a headcount-api.

    with Browser(api) as browser:
        browser.open("/")
        browser.text_is(".row[data-id=A] .count", "1")

Waits for conditions, never for times. What the browser complained of (errors in scripts, violations of the
page's policy, requests that failed) is in `complaints()`.
"""

import contextlib
import tempfile

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import npm
from harness import bin_dir, wait_until

OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --hide-scrollbars --lang=en-GB"
).split()
SEVERE = ("SEVERE", "WARNING")
SCREENSHOTS = "screenshots"  # folder beside the programs'
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FIND_BARRIERS = """
const [rules, done] = arguments;
axe.run(document, {runOnly: rules, resultTypes: ["violations"]}).then(({violations}) =>
    done(violations.map(({id, nodes}) => [id, ...nodes.map((node) => node.target.join(" "))])));
"""


class Browser:
    def __init__(self, api):
        self.base = f"http://127.0.0.1:{api.port}"
        self.driver = None

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for option in (*OPTIONS, f"--user-data-dir={self.profile.name}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.chrome.service.Service("/usr/bin/chromedriver")
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(60)
        self.resize(1280, 900)
        self.prefer("light")
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.profile.cleanup()

    @contextlib.contextmanager
    def blocked(self, *addresses):
        """Requests for addresses with these in them get no answer."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": addresses})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})

    # --- the window

    def resize(self, width, height):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme):
        """light or dark; and nothing moves, so that what is seen is final"""
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, path):
        """A fresh load, even if only the fragment is another."""
        self.driver.get("about:blank")
        self.driver.get(self.base + path)

    def screenshot(self, name):
        folder = bin_dir().parent / SCREENSHOTS
        folder.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(folder / f"{name}.png"))

    def barriers(self):
        """What keeps somebody out, as far as a program can tell (npm's axe-core): a list of [rule, element…]."""
        self.run((npm.install("accessibility") / "node_modules/axe-core/axe.min.js").read_text())
        return self.driver.execute_async_script(FIND_BARRIERS, RULES)

    # --- what is there

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """The text of the first element, None if there is none."""
        return self.run("return document.querySelector(arguments[0])?.textContent", selector)

    def texts(self, selector):
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
        )

    def until(self, condition, what, timeout=30.0):
        def answer():
            with contextlib.suppress(StaleElementReferenceException):
                return condition()

        return wait_until(answer, timeout, lambda: f"{what}\n{self.describe()}")

    def describe(self):
        return f"{self.driver.current_url}\n{self.text('body')}\n{self.driver.get_log('browser')}"

    def seen(self, selector, timeout=30.0):
        """Waits until something visible matches: the first such element."""

        def visible():
            return next((element for element in self.find(selector) if element.is_displayed()), None)

        return self.until(visible, f"{selector} is seen", timeout)

    def text_is(self, selector, text, timeout=30.0):
        self.until(lambda: self.text(selector) == text, f"{selector} says {text!r}", timeout)

    def text_has(self, selector, text, timeout=30.0):
        self.until(lambda: text in (self.text(selector) or ""), f"{selector} says {text!r}", timeout)

    def gone(self, selector):
        self.until(lambda: not any(e.is_displayed() for e in self.find(selector)), f"{selector} is gone")

    # --- what people do

    def click(self, selector):
        self.seen(selector).click()

    def press(self, text, within="body"):
        """The button or link with this text."""

        def named():
            for element in self.find(f"{within} button, {within} a, {within} [role=tab]"):
                if element.is_displayed() and text in (element.text, element.get_attribute("aria-label")):
                    return element
            return None

        self.until(named, f"{text!r} can be pressed").click()

    def fill(self, **members):
        """The fields of the dialog, by the members that they stand for."""
        for member, value in members.items():
            field = self.seen(f"dialog [name={member}]")
            if field.tag_name == "select":
                Select(field).select_by_visible_text(value)
            else:
                field.clear()
                field.send_keys(value)

    def type(self, selector, *keys):
        self.seen(selector).send_keys(*keys)

    def key(self, name):
        self.driver.switch_to.active_element.send_keys(getattr(Keys, name))

    # --- what it says of itself

    def complaints(self):
        """What it wrote to its console since the last time it was asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in SEVERE]

    def overflow(self):
        """How many pixels the page is wider than the window."""
        return self.run("return document.documentElement.scrollWidth - window.innerWidth")

    def collect_garbage(self):
        self.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})

    def memory(self):
        """What a page holds: bytes of JavaScript, nodes, listeners."""
        self.collect_garbage()
        heap = self.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
        counters = self.driver.execute_cdp_cmd("Memory.getDOMCounters", {})
        return {"bytes": heap["usedSize"], **{name: counters[name] for name in ("nodes", "jsEventListeners")}}
