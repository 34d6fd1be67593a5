"""Fixtures for system tests, and the logs of daemons in the report of a test that fails."""

import pytest

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
