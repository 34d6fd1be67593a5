"""What a database's facts come to, counted by the oracle, and what was made of them.

    world = recount.world_of(gateway)             # everything that is known, as the oracle's World
    recount.check_counts(world, gateway)          # occupancy_now is right
    recount.wait_for_retained(gateway)            # the broker's retained topics say the same
"""

import json

import oracle
from harness import retained_topics, wait_until


def registry_of(gateway, world):
    for name, parent in gateway.query(
        "SELECT space.space_id, parent.space_id FROM space"
        " LEFT JOIN space AS parent ON parent.id = space.parent"
    ):
        world.spaces[name] = oracle.Space(parent)
    for name, space, adjacent in gateway.query(
        "SELECT doorway_id, space.space_id, adjacent.space_id FROM doorway"
        " JOIN space ON space.id = doorway.space"
        " LEFT JOIN space AS adjacent ON adjacent.id = doorway.adjacent_space"
    ):
        world.doorways[name] = oracle.Doorway(space, adjacent)
    world.dpus = {dpu for (dpu,) in gateway.query("SELECT dpu_id FROM dpu")}
    for number, *members in gateway.query(
        "SELECT installation.id, dpu_id, doorway_id, started_at, ended_at, orientation"
        " FROM installation"
        " JOIN dpu ON dpu.id = dpu JOIN doorway ON doorway.id = doorway"
    ):
        world.installations[number] = oracle.Installation(*members)


def stored_events(gateway):
    """The events of table installation_count, as a list: what was counted twice is in it twice."""
    return [
        oracle.Event(*row)
        for row in gateway.query(
            "SELECT dpu_id, dpu_event_time, seq, count FROM installation_count"
            " JOIN installation ON installation.id = installation JOIN dpu ON dpu.id = dpu"
        )
    ]


def world_of(gateway):
    world = oracle.World()
    registry_of(gateway, world)
    world.events = set(stored_events(gateway))
    for space, at, by_person, count in gateway.query(
        "SELECT space_id, reset_time, by_person, count FROM space_reset"
        " JOIN space ON space.id = space"
    ):
        world.resets[space, at, oracle.RESET if by_person else oracle.DAILY_RESET] = count
    return world


def counts_now(gateway):
    """What table occupancy_now says: {space: (count, net)}."""
    return {
        space: oracle.Occupancy(count, net)
        for space, count, net in gateway.query(
            "SELECT space_id, count, net FROM occupancy_now JOIN space ON space.id = space"
        )
    }


def check_counts(world, gateway):
    assert counts_now(gateway) == {space: world.now(space) for space in world.spaces}


def retained_counts(broker):
    """What the retained topics say: {space: {"count": of space/<id>/count, "state": count and net
    of space/<id>/state}}."""
    said = {}
    for topic, payload in retained_topics(broker, "space/#").items():
        _, space, kind = topic.split("/")
        if kind == "state":
            state = json.loads(payload)
            assert state["id"] == space
            said.setdefault(space, {}).update(state=(state["count"], state["net"]))
        else:
            said.setdefault(space, {}).update(count=int(payload))
    return said


def wait_for_retained(gateway, timeout=60.0):
    """Waits until the retained topics of all spaces say what occupancy_now does."""
    expected = {
        space: {"count": now.count, "state": tuple(now)}
        for space, now in counts_now(gateway).items()
    }
    wait_until(
        lambda: retained_counts(gateway.broker) == expected,
        timeout,
        lambda: f"retained topics {retained_counts(gateway.broker)} become {expected}",
    )
