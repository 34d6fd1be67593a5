"""A story of the whole system under valgrind: crossings come in, the registry changes, people ask, all is stopped. No byte is
read before it is written, and none is lost."""

import doors
from harness import Api, Gateway

ERROR_EXIT = 98
VALGRIND = [
    "valgrind",
    "--quiet",
    "--leak-check=full",
    "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite",
    f"--error-exitcode={ERROR_EXIT}",
]
PATHS = [
    "/spaces",
    "/spaces/hall?time=2018-02-26+18:00",
    "/spaces/hall/counts?start=2018-02-01&end=2018-03-01&interval=1d&timezone=Europe/Berlin",
    "/spaces/hall/counts?start=2018-02-26&interval=1mo&format=csv",
    "/spaces/hall/events?start=2018-02-26&limit=1",
    "/doorways",
    "/dpus?limit=1",
    "/installations",
    "/rejected-events",
    "/metrics",
    "/openapi.json",
    "/readyz",
]


def under_valgrind(daemon):
    daemon.wrapper = VALGRIND
    return daemon


def test_nothing_is_read_too_early_and_nothing_is_lost(broker, tmp_path):
    with under_valgrind(Gateway(broker, tmp_path)) as gateway, under_valgrind(Api(gateway, tmp_path)) as api:
        api.wait_connected()
        api.token = api.add_token("admin")
        doors.make_space(api, "hall", timezone="Europe/Berlin", daily_reset="04:00", capacity=3)
        doors.walk(api, "hall", ("2018-02-26T18:00:00Z", 1), ("2018-02-26T18:01:00Z", 2), ("2018-02-26T17:00:00Z", -1))
        api.tell("PATCH", "/spaces/hall", {"name": "Hall"})
        api.tell("POST", "/spaces/hall/resets", {"count": 5})
        assert api.request("PUT", "/dpus/hall-dpu", {"count": 1}).status == 400
        assert api.request("PUT", "/dpus/unknown", {"dpu_event_time": 1, "count": 1}).status == 202
        for path in PATHS:
            assert api.request("GET", path).status == 200, path
        gateway.stop(timeout=120)
        api.stop(timeout=120)
