"""The pages as a browser gets them: types, tags, compression, policies; and that nothing else of the disk is given out."""

import gzip
import os
import signal
import subprocess

import pytest

import web_folder
from harness import SANITIZER_ENVIRONMENT, Api, bin_dir, wait_until

ROUTES = {
    "/": "overview.html",
    "/display/A": "display.html",
    "/display/nowhere:1.x_y-z": "display.html",
    "/history/A": "history.html",
    "/admin": "admin.html",
    "/login": "login.html",
    "/web/overview.html": "overview.html",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
NOTHING = "default-src 'none'; frame-ancestors 'none'"
PACKED = {"Accept-Encoding": "gzip, br"}
FILES = 64
FILE_BYTES = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def web(system, tmp_path_factory):
    """An api that gives nobody anything without a token, but for pages."""
    folder = tmp_path_factory.mktemp("web")
    pages = web_folder.write_pages(folder / "pages")
    (folder / "secret.html").write_text("secret")
    (folder / "secret.js").write_text("secret")
    (pages / "noise.png").write_bytes(os.urandom(4096))
    with Api(system.gateway, folder, {"api": {"anonymous_read": False, "web_dir": pages}}) as api:
        api.folder_of_pages = pages
        yield api


@pytest.mark.parametrize("path, name", ROUTES.items())
def test_a_page_needs_no_token_and_may_do_little(web, path, name):
    answer = web.get(path)
    assert answer.status == 200
    assert answer.body == web_folder.content_of(name)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert len(answer.headers.get_all("Content-Security-Policy")) == 1


@pytest.mark.parametrize("name, kind", web_folder.TYPES.items())
def test_what_a_page_is_made_of_has_its_type(web, name, kind):
    answer = web.get(f"/web/{name}")
    assert answer.status == 200
    assert answer.body == web_folder.content_of(name)
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Security-Policy"] == NOTHING


def test_search_engines_are_told_to_stay_out(web):
    assert web.get("/robots.txt").body == web.get("/web/robots.txt").body == web_folder.content_of("robots.txt")


def test_data_keeps_the_policy_that_allows_nothing(web):
    for answer in (web.get("/healthz"), web.get("/spaces"), web.get("/web/nothing.js")):
        assert answer.headers["Content-Security-Policy"] == NOTHING
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/web/overview.js", "/web/icon.png"])
def test_it_comes_compressed_for_who_takes_that(web, path):
    plain, packed = web.get(path), web.get(path, headers=PACKED)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert len(packed.body) < len(plain.body) / 4
    assert gzip.decompress(packed.body) == plain.body
    for takes in ("identity", "br", "gzip;q=0"):
        assert "Content-Encoding" not in web.get(path, headers={"Accept-Encoding": takes}).headers


def test_what_would_not_be_shorter_is_not_compressed(web):
    plain, packed = web.get("/web/noise.png"), web.get("/web/noise.png", headers=PACKED)
    assert "Content-Encoding" not in packed.headers
    assert packed.body == plain.body
    assert packed.headers["ETag"] == plain.headers["ETag"]


@pytest.mark.parametrize("path", ["/", "/web/overview.js"])
@pytest.mark.parametrize("takes", [{}, PACKED])
def test_what_a_browser_has_is_not_sent_again(web, path, takes):
    answer = web.get(path, headers=takes)
    tag = answer.headers["ETag"]
    for names in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = web.get(path, headers={**takes, "If-None-Match": names})
        assert again.status == 304, names
        assert again.body == b""
        # A browser takes them over from a 304.
        for name in ("ETag", "Cache-Control", "Vary", "Content-Security-Policy", "Referrer-Policy"):
            assert again.headers[name] == answer.headers[name], name
    assert web.get(path, headers={**takes, "If-None-Match": '"other"'}).status == 200


def test_a_tag_is_of_exactly_these_bytes(web):
    paths = ["/", "/login", "/web/overview.js", "/web/overview.css"]
    tags = [web.get(path, headers=takes).headers["ETag"] for path in paths for takes in ({}, PACKED)]
    assert len(set(tags)) == len(tags)
    assert all(tag.startswith('"') for tag in tags), "strong"


@pytest.mark.parametrize("path", ["/", "/web/overview.js"])
@pytest.mark.parametrize("takes", [{}, PACKED])
def test_head_is_get_without_a_body(web, path, takes):
    get = web.request("GET", path, headers=takes)
    head = web.request("HEAD", path, headers=takes)
    assert (head.status, head.body) == (200, b"")
    assert {n: v for n, v in head.headers.items() if n != "Date"} == {
        n: v for n, v in get.headers.items() if n != "Date"
    }


def test_a_page_is_only_to_be_read(web):
    for path in ("/", "/web/overview.js", "/web/nothing.js"):
        assert web.request("OPTIONS", path).headers["Allow"] == "GET, HEAD, OPTIONS"
        assert web.request("POST", path, {}).status == 405


@pytest.mark.parametrize("accept", ["image/avif,image/webp,*/*;q=0.8", "text/css", "application/json", ""])
@pytest.mark.parametrize("path", ["/?utm=1&utm=2", "/history/A?start=2020-01-01#x", "/web/overview.js?v=1"])
def test_query_and_accept_are_the_browsers_business(web, path, accept):
    assert web.request("GET", path, headers={"Accept": accept}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/web",
        "/web/",
        "/web/nothing.js",
        "/web/../secret.js",
        "/web/%2e%2e/secret.js",
        "/web/..%2fsecret.js",
        "/web/..%2Fsecret.html",
        "/web/%2e%2e%2fsecret.js",
        "/web/..%5csecret.js",
        "/web/....//secret.js",
        "/web/./overview.html",
        "/web//overview.html",
        "/web/%2foverview.html",
        "/web/overview.html/",
        "/web/overview.html%00",
        "/web/overview.html%00.js",
        "/web/%252e%252e%252fsecret.js",
        "/web/OVERVIEW.HTML",
        "/web/folder.js",
        "/web/folder.js/x.js",
        "/web/..",
        "/web/.",
        "/../secret.html",
        "//secret.html",
        "/overview.html",
        "/display",
        "/display/",
        "/display/a%2fb",
        "/display/A/x",
        "/display/" + "x" * 65,
        "/history/%3Cscript%3E",
        "/admin/",
        *(f"/web/{name}" for name in web_folder.NOT_SERVED),
    ],
)
def test_nothing_else_of_the_disk_is_given_out(web, path):
    answer = web.request("GET", path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_path_of_bytes_that_are_no_text_is_not_found(web):
    for path in ("/web/%ff.js", "/web/%c0%ae%c0%ae%2fsecret.js", "/web/%zz"):
        assert web.request("GET", path).status == 404


# The folder


def test_changed_pages_are_read_again_when_asked(web):
    path = web.folder_of_pages / "changing.js"
    path.write_text("1")
    assert web.get("/web/changing.js").status == 404, "not before it is asked"
    web.signal(signal.SIGHUP)
    wait_until(lambda: web.get("/web/changing.js").status == 200)
    first = web.get("/web/changing.js")
    path.write_text("2")
    web.signal(signal.SIGHUP)
    wait_until(lambda: web.get("/web/changing.js").body == b"2")
    assert web.get("/web/changing.js", headers={"If-None-Match": first.headers["ETag"]}).status == 200
    path.unlink()
    web.signal(signal.SIGHUP)
    wait_until(lambda: web.get("/web/changing.js").status == 404)


def test_pages_at_fault_change_nothing(web):
    path = web.folder_of_pages / "grown.css"
    path.write_text("1")
    web.signal(signal.SIGHUP)
    wait_until(lambda: web.get("/web/grown.css").status == 200)
    path.write_bytes(b" " * (FILE_BYTES + 1))
    web.signal(signal.SIGHUP)
    wait_until(lambda: f"{path} has more than" in web.log())
    assert web.get("/web/grown.css").body == b"1"
    path.unlink()
    web.signal(signal.SIGHUP)
    wait_until(lambda: web.get("/web/grown.css").status == 404)


def check(api):
    """--check-config with its configuration."""
    return subprocess.run(
        [*api.command(), "--check-config"],
        env={**os.environ, **SANITIZER_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
    )


def with_pages(system, tmp_path, files):
    """An api, not started, with these files as pages: {name: bytes}."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text)
    return Api(system.gateway, tmp_path, {"api": {"web_dir": folder}})


@pytest.mark.parametrize(
    "files, complaint",
    [
        ({"big.js": b" " * (FILE_BYTES + 1)}, "big.js has more than 2097152 bytes"),
        ({f"{n}.js": b"" for n in range(FILES + 1)}, ".js is one file too many, there may be 64"),
    ],
)
def test_a_folder_out_of_bounds_is_no_start(system, tmp_path, files, complaint):
    api = with_pages(system, tmp_path, files)
    checked = check(api)
    assert checked.returncode == os.EX_CONFIG
    assert "[api] web_dir: " in checked.stderr and complaint in checked.stderr
    api.spawn()
    assert api.wait() == os.EX_CONFIG
    assert complaint in api.log()


def test_the_bounds_themselves_are_within(system, tmp_path):
    files = {f"{n}.js": b"" for n in range(FILES - 1)}
    api = with_pages(system, tmp_path, {**files, "big.js": b" " * FILE_BYTES, "notes.md": b"", ".x.js": b""})
    assert check(api).returncode == 0
    with api:
        assert len(api.get("/web/big.js").body) == FILE_BYTES
        # So much of the same that its compressed form could be compressed again.
        packed = api.get("/web/big.js", headers=PACKED)
        assert packed.headers.get_all("Content-Encoding") == ["gzip"]
        assert packed.text == " " * FILE_BYTES


def test_a_folder_that_is_not_there_is_named(system, tmp_path):
    checked = check(Api(system.gateway, tmp_path, {"api": {"web_dir": tmp_path / "none"}}))
    assert checked.returncode == os.EX_CONFIG
    assert "[api] web_dir: " in checked.stderr and f"{tmp_path}/none" in checked.stderr


def test_a_missing_page_is_not_found(system, tmp_path):
    with with_pages(system, tmp_path, {}) as api:
        answer = api.get("/")
        assert answer.status == 404
        assert "overview.html" in answer.json()["detail"]


def has_its_own_pages(api):
    assert api.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
    assert b"Dygraph" in api.get("/web/dygraph.min.js").body
    assert api.get("/web/dygraph.min.css").headers["Content-Type"].startswith("text/css")


def test_a_program_just_built_finds_its_pages(system):
    has_its_own_pages(system)


def test_an_installed_program_finds_its_pages(system, tmp_path):
    prefix = tmp_path / "usr"
    subprocess.run(
        ["cmake", "--install", bin_dir().parent, "--prefix", prefix], check=True, capture_output=True, timeout=60
    )
    assert not any(path.is_symlink() for path in (prefix / "share/headcount/web").iterdir())

    class Installed(Api):
        def command(self):
            return [str(prefix / "sbin/headcount-api"), *super().command()[1:]]

    with Installed(system.gateway, tmp_path) as api:
        has_its_own_pages(api)
