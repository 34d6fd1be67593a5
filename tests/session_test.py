"""Logging in with a browser: the cookie, what it opens, and who can't make use of it."""

from datetime import datetime, timedelta, timezone

import pytest

from doors import make_space, refused, walk
from harness import Api, Headcount

OURS = {"Headcount-Request": "1"}
EVENT = {"dpu_event_time": "2020-01-01T00:00:00Z", "count": 1}
DAYS_400 = 34560000
NOBODY = {"name": None, "scope": None, "spaces": None}


@pytest.fixture(scope="module")
def closed(system, tmp_path_factory):
    """An api that admits nobody without a token, and logs all it can."""
    for name in ("mine", "theirs"):
        make_space(system, name)
        walk(system, name, ("2020-01-01T00:00:00Z", 1))
    settings = {"api": {"anonymous_read": False}, "log": {"level": "debug"}}
    with Api(system.gateway, tmp_path_factory.mktemp("closed"), settings) as api:
        api.wait_connected()
        yield api


def log_in(api, token, headers=OURS):
    return api.request("POST", "/session", {"token": token}, headers)


def cookie_of(answer):
    """{"headcount_token": …, attribute: value or None} of the one cookie that is set."""
    (cookie,) = answer.headers.get_all("Set-Cookie")
    parts = [part.strip().partition("=") for part in cookie.split(";")]
    return {name: value if equals else None for name, equals, value in parts}


def with_cookie(token, **more):
    return {"Cookie": f"headcount_token={token}", **more}


def name_of(api, token):
    return next(name for name, known in api.tokens.items() if known == token)


# In and out


@pytest.mark.parametrize("scope", ["read", "ingest", "admin"])
def test_a_token_becomes_a_cookie(closed, scope):
    token = closed.add_token(scope)
    answer = log_in(closed, token)
    assert answer.status == 200
    assert answer.json() == {"name": name_of(closed, token), "scope": scope, "spaces": None}
    assert cookie_of(answer) == {
        "headcount_token": token,
        "HttpOnly": None,
        "SameSite": "Strict",
        "Path": "/",
        "Max-Age": str(DAYS_400),
    }
    assert answer.headers["Cache-Control"] == "no-store"
    shown = closed.get("/session", headers=with_cookie(token))
    assert shown.json() == answer.json()
    assert "Set-Cookie" not in shown.headers
    assert shown.headers["Cache-Control"] == "no-store"


def test_of_several_scopes_the_one_for_people_is_shown(closed):
    token = closed.add_token("ingest", "--scope", "read")
    assert log_in(closed, token).json()["scope"] == "read"


def test_the_cookie_ends_with_its_token(closed):
    end = datetime.now(timezone.utc) + timedelta(hours=1)
    token = closed.add_token("read", "--expires", end.isoformat(timespec="seconds").replace("+00:00", "Z"))
    assert 3500 < int(cookie_of(log_in(closed, token))["Max-Age"]) <= 3600


def test_behind_tls_the_cookie_never_goes_without(closed, tmp_path):
    with Api(closed.gateway, tmp_path, {"api": {"behind_tls": True}}) as api:
        answers = [log_in(api, api.add_token("read")), api.request("DELETE", "/session", headers=OURS)]
        assert all(cookie_of(answer)["Secure"] is None for answer in answers)


def test_the_cookie_opens_what_its_token_does(closed):
    token = closed.add_token("admin")
    assert closed.get("/spaces/mine").status == 401
    assert closed.get("/spaces/mine", headers=with_cookie(token)).status == 200
    assert closed.get("/live", headers=with_cookie(token)).status == 200
    assert closed.get("/rejected-events", headers=with_cookie(token)).status == 200
    made = closed.request("POST", "/spaces", {"id": "by-cookie"}, with_cookie(token, **OURS))
    assert made.status == 201
    reader = closed.add_token("read")
    assert closed.get("/rejected-events", headers=with_cookie(reader)).status == 403
    assert closed.request("PUT", "/dpus/mine-dpu", EVENT, with_cookie(reader, **OURS)).status == 403


def test_the_cookie_is_found_among_others(closed):
    token = closed.add_token("read")
    others = {"Cookie": f"a=b; headcount_token={token}; xheadcount_token=c"}
    assert closed.get("/spaces/mine", headers=others).status == 200
    proxied = with_cookie(token, Authorization="Basic dTpw")
    assert closed.get("/spaces/mine", headers=proxied).status == 200
    for cookie in ("headcount_token", "headcount_token=", "headcount_token=x", f"token={token}", ";;=,"):
        assert closed.get("/spaces/mine", headers={"Cookie": cookie}).status == 401, cookie


def test_a_bearer_token_goes_before_the_cookie(closed):
    reader, admin = closed.add_token("read"), closed.add_token("admin")
    shown = closed.request("GET", "/session", headers=with_cookie(admin), token=reader)
    assert shown.json()["name"] == name_of(closed, reader)
    assert closed.request("GET", "/spaces", headers=with_cookie(admin), token="wrong").status == 401


def test_logging_out_removes_the_cookie(closed):
    answer = closed.request("DELETE", "/session", headers=with_cookie(closed.add_token("read"), **OURS))
    assert answer.status == 204
    cookie = cookie_of(answer)
    assert (cookie["headcount_token"], cookie["Max-Age"], cookie["Path"]) == ("", "0", "/")


def test_whose_token_is_removed_is_out_at_once(closed):
    token = closed.add_token("read")
    assert closed.get("/spaces/mine", headers=with_cookie(token)).status == 200
    Headcount(closed.config)("token", "remove", name_of(closed, token))
    assert closed.get("/spaces/mine", headers=with_cookie(token)).status == 401
    assert log_in(closed, token).status == 401
    shown = closed.get("/session", headers=with_cookie(token))
    assert shown.json() == NOBODY
    assert cookie_of(shown)["Max-Age"] == "0"


def test_who_nobody_is(closed, system):
    assert closed.ask("/session") == NOBODY
    assert system.ask("/session") == {**NOBODY, "scope": "read"}
    # A bad cookie goes; a program is left to see for itself what its token is worth.
    assert "Set-Cookie" not in closed.request("GET", "/session", token="wrong").headers


# Who does not get in


def test_a_wrong_token_is_refused(closed):
    token = closed.add_token("read")
    for wrong in (token[:-1], token + "x", token.swapcase(), "x", "x" * 512):
        answer = log_in(closed, wrong)
        assert answer.status == 401, wrong
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "body, member",
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        ({}, "token"),
        ({"token": None}, "token"),
        ({"token": 1}, "token"),
        ({"token": "x" * 513}, "token"),
        ({"token": "a b"}, "token"),
        ({"token": "a; Domain=example.org"}, "token"),
        ({"token": "a\r\nSet-Cookie: b=c"}, "token"),
        ({"token": "a\0b"}, "token"),
        ({"token": "ä"}, "token"),
        ({"token": "x", "name": "y"}, "name"),
    ],
)
def test_what_is_no_login_is_refused(closed, body, member):
    answer = closed.request("POST", "/session", body, OURS)
    refused(answer)
    assert answer.json().get("member") == member


def changes(token):
    """Requests that change something, as a browser sends them: (method, target, body, headers)."""
    cookie = with_cookie(token)
    return [
        ("POST", "/session", {"token": token}, {}),
        ("POST", "/session", {"token": token}, cookie),
        ("DELETE", "/session", None, cookie),
        ("DELETE", "/session", None, {}),
        ("PUT", "/dpus/mine-dpu", EVENT, cookie),
        ("POST", "/spaces/mine/resets", {"count": 99}, cookie),
        ("PATCH", "/spaces/mine", {"name": "forged"}, cookie),
        ("DELETE", "/rejected-events", None, cookie),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Headcount-Request": "0"},
        {"Headcount-Request": ""},
        {"Sec-Fetch-Site": "same-origin"},
        {**OURS, "Sec-Fetch-Site": "cross-site"},
        {**OURS, "Sec-Fetch-Site": "same-site"},
        {**OURS, "Sec-Fetch-Site": "none"},
    ],
)
def test_another_site_can_not_change_anything_with_the_cookie(closed, headers):
    before = closed.get("/spaces/mine", headers=with_cookie(closed.add_token("read"))).json()
    token = closed.add_token("admin")
    for method, target, body, own in changes(token):
        answer = closed.request(method, target, body, {**own, **headers})
        assert answer.status == 403, (method, target)
        named = "Sec-Fetch-Site" if "Headcount-Request" in headers and len(headers) > 1 else "Headcount-Request: 1"
        assert named in answer.json()["detail"]
        assert "Set-Cookie" not in answer.headers
    after = closed.get("/spaces/mine", headers=with_cookie(token)).json()
    assert {**after, "as_of": None} == {**before, "as_of": None}


def test_our_own_pages_can(closed):
    token = closed.add_token("admin")
    for headers in (OURS, {**OURS, "Sec-Fetch-Site": "same-origin"}):
        for method, target, body, own in changes(token):
            assert closed.request(method, target, body, {**own, **headers}).status < 300, (method, target)


def test_what_only_reads_needs_no_proof(closed):
    token = closed.add_token("read")
    for method in ("GET", "HEAD"):
        for site in ("cross-site", "none"):
            headers = with_cookie(token, **{"Sec-Fetch-Site": site})
            assert closed.request(method, "/spaces/mine", headers=headers).status == 200


def test_a_bearer_token_needs_no_proof(closed):
    token = closed.add_token("ingest")
    for headers in ({}, with_cookie(closed.add_token("admin")), {"Sec-Fetch-Site": "cross-site"}):
        assert closed.request("PUT", "/dpus/mine-dpu", EVENT, headers, token).status == 202


def test_a_preflight_is_granted_nothing(closed):
    asked = {
        "Origin": "http://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "headcount-request, content-type",
    }
    for answer in (
        closed.request("OPTIONS", "/session", headers=asked),
        closed.request("OPTIONS", "/spaces", headers=asked),
        closed.request("GET", "/session", headers={"Origin": "http://example.org"}),
    ):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_other_spaces_do_not_exist_for_its_cookie(closed):
    token = closed.add_token("read", "--space", "mine")
    answer = log_in(closed, token)
    assert answer.json()["spaces"] == ["mine"]
    seen = with_cookie(cookie_of(answer)["headcount_token"])
    assert [space["id"] for space in closed.get("/spaces", headers=seen).json()["items"]] == ["mine"]
    for path in ("/spaces/theirs", "/spaces/theirs/events", "/live?space=theirs", "/doorways/theirs-door"):
        assert closed.get(path, headers=seen).status == 404, path


# What is left behind


def test_an_answer_to_a_cookie_is_kept_for_nobody_else(closed, system):
    path = "/spaces/mine?time=2020-06-01+00:00"
    answer = closed.get(path, headers=with_cookie(closed.add_token("read")))
    assert answer.headers["Cache-Control"].startswith("private, ")
    for other in (answer, system.get(path), system.get("/spaces"), closed.get("/session"), closed.get(path)):
        assert "Cookie" in other.headers["Vary"].split(", ")


def test_no_cookie_is_ever_in_the_log(closed):
    token = closed.add_token("admin", "--space", "mine")
    log_in(closed, token)
    log_in(closed, token, {})
    for headers in (with_cookie(token), with_cookie(token, **OURS), {"Cookie": f'headcount_token="{token}; ='}):
        closed.get("/spaces/mine", headers=headers)
        closed.get("/spaces/mine?time=never", headers=headers)
        closed.request("POST", "/spaces/mine/resets", {"count": -1}, headers)
        closed.request("DELETE", "/session", headers=headers)
    assert "tokens: there are" in closed.log(), "it is a log that tells much"
    for known in closed.tokens.values():
        assert known not in closed.log()
        assert known not in closed.token_file.read_text()
