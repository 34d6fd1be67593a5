"""Fixtures for system tests, and the logs of daemons in the report of a test that fails."""

import pytest

import doors
import harness


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for daemon in harness.daemons:
            report.sections.append((f"log of {daemon.name}", daemon.log()[-20000:]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    harness.daemons[:] = [daemon for daemon in harness.daemons if daemon.running]


@pytest.fixture
def broker(tmp_path):
    with harness.Broker(tmp_path) as running:
        yield running


@pytest.fixture
def gateway(broker, tmp_path):
    with harness.Gateway(broker, tmp_path) as running:
        yield running


@pytest.fixture
def headcount(gateway):
    return harness.Headcount(gateway.config)


@pytest.fixture
def api(gateway, tmp_path):
    with harness.Api(gateway, tmp_path) as running:
        running.wait_connected()
        yield running


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """An api with its gateway and broker, which the tests of a file share; each makes spaces of its own."""
    folder = tmp_path_factory.mktemp("system")
    with harness.Broker(folder) as broker, harness.Gateway(broker, folder) as gateway:
        with harness.Api(gateway, folder) as api:
            api.wait_connected()
            yield api


@pytest.fixture(scope="module")
def minute(system):
    """The path of a space that one person enters at 18:00 and a second at 18:01."""
    doors.make_space(system, "minute", timezone="America/New_York")
    doors.walk(system, "minute", ("2018-02-26T18:00:00Z", 1), ("2018-02-26T18:01:00Z", 1))
    return "/spaces/minute"
