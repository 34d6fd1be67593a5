"""Tokens that are not known, over HTTP: so many a minute of an address, and who may come in all the same."""

import contextlib
import http.client

import pytest

from harness import Api, Answer
from http_test import samples
import contract

MOST = 3
OURS = {"Headcount-Request": "1"}


@pytest.fixture
def api(system, tmp_path):
    settings = {"api": {"anonymous_read": False, "failed_tokens_per_minute": MOST}}
    with Api(system.gateway, tmp_path, settings) as running:
        yield running


def from_address(api, address, method="GET", target="/spaces", token=None, body=None, **headers):
    """A request of another address of this machine."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30, source_address=(address, 0))
    with contextlib.closing(connection):
        connection.request(method, target, body, headers)
        said = connection.getresponse()
        answer = Answer(said.status, said.headers, said.read())
    contract.check(method, target, answer)
    contract.check_always(answer)
    return answer


def statuses(api, times, address="127.0.0.2", **request):
    return [from_address(api, address, **request).status for _ in range(times)]


WAYS = {
    "bearer": {"token": "wrong"},
    "cookie": {"Cookie": "headcount_token=wrong"},
    "login": {"method": "POST", "target": "/session", "body": '{"token": "wrong"}', **OURS},
}


@pytest.mark.parametrize("way", WAYS)
def test_too_many_are_told_to_wait(api, way):
    assert statuses(api, MOST + 2, **WAYS[way]) == [401] * MOST + [429] * 2
    answer = from_address(api, "127.0.0.2", **WAYS[way])
    assert 0 < int(answer.headers["Retry-After"]) <= 60 // MOST + 1
    assert answer.headers["Connection"] == "close"
    assert "127.0.0.2" in answer.json()["detail"]


def test_all_ways_count_together(api):
    for way in WAYS.values():
        from_address(api, "127.0.0.2", **way)
    assert statuses(api, 1, token="wrong") == [429]
    # Asking who one is must not tell more than that.
    assert statuses(api, 1, target="/session", token="wrong") == [429]


def test_nobody_else_pays_for_it(api):
    statuses(api, MOST + 1, token="wrong")
    assert statuses(api, 1, address="127.0.0.3", token="wrong") == [401]
    assert statuses(api, 1) == [401], "no token is no wrong token"
    assert statuses(api, 1, target="/healthz", token="wrong") == [200]


def test_a_good_token_is_let_in_all_the_same(api):
    good = api.add_token("read")
    statuses(api, MOST + 1, token="wrong")
    assert statuses(api, 3, token=good) == [200] * 3
    login = {**WAYS["login"], "body": f'{{"token": "{good}"}}'}
    assert statuses(api, 1, **login) == [200]
    # A browser that still has a bad cookie can log in.
    assert statuses(api, 1, **login, Cookie="headcount_token=wrong") == [200]
    assert statuses(api, 1, token="wrong") == [429], "that has forgiven nothing"


def test_one_line_says_it_and_a_metric_counts(api):
    statuses(api, MOST + 5, token="wrong")
    statuses(api, MOST + 5, address="127.0.0.3", token="wrong")
    assert api.log().count("is told to wait") == 1
    assert "wrong" not in api.log(), "tokens are never logged"
    assert samples(api.get("/metrics").text)["headcount_api_tokens_refused_total"] == 2 * (MOST + 5)


def test_what_a_client_says_of_its_address_is_not_believed(api):
    forged = [
        from_address(api, "127.0.0.2", token="wrong", **{"X-Forwarded-For": f"192.0.2.{n}"}).status
        for n in range(MOST + 1)
    ]
    assert forged == [401] * MOST + [429]
