"""Spaces with one door each, and who walks through it."""

from datetime import datetime

from harness import Publisher, wait_until
from oracle import milliseconds, utc


def text_of(instant):
    """As the api writes it."""
    return utc(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text):
    return milliseconds(datetime.fromisoformat(text.replace("Z", "+00:00")))


def make_space(api, name, /, **members):
    """A space with one doorway and a DPU, which hangs there since 2018: space A has doorway A-door, DPU A-dpu."""
    api.tell("POST", "/spaces", {"id": name, **members})
    api.tell("POST", "/doorways", {"id": f"{name}-door", "space": name})
    api.tell("POST", "/dpus", {"id": f"{name}-dpu"})
    installation = {"dpu": f"{name}-dpu", "doorway": f"{name}-door", "started_at": "2018-01-01T00:00:00Z"}
    api.tell("POST", "/installations", installation)


def walk(api, name, *crossings):
    """Crossings at the door of a space: (time, count). Returns when all are stored."""
    before = stored(api, name)
    events = [{"dpu_event_time": when, "count": count} for when, count in crossings]
    with Publisher(api.gateway.broker) as dpu:
        dpu.publish(f"dpu/{name}-dpu/events", events)
    wait_until(lambda: stored(api, name) == before + len(crossings), message="all is stored")


def stored(api, name):
    return api.gateway.value(
        "SELECT count(*) FROM installation_count AS c JOIN installation ON installation.id = c.installation"
        " JOIN dpu ON dpu.id = installation.dpu WHERE dpu_id = ?",
        (f"{name}-dpu",),
    )


def refused(answer, parameter=None, status=400):
    """The detail of a problem, which names the parameter."""
    assert answer.status == status, answer.text
    problem = answer.json()
    assert problem.get("parameter") == parameter, problem
    return problem["detail"]
