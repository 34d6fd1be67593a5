"""Who may do what over MQTT: what config/mosquitto.acl is held to."""

TOPICS = [
    "dpu/423/events",
    "dpu/423/status",
    "dpu/423/stored",
    "dpu/283/events",
    "dpu/283/status",
    "dpu/283/stored",
    "dpu/display/events",
    "dpu/homeassistant/events",
    "registry/commands",
    "replies/headcount-1/1",
    "space/A/count",
    "space/A/state",
    "gateway/headcount-gateway/status",
    "homeassistant/device/A/config",
    "homeassistant/status",
    "something/else",
]

EVENTS = {f"dpu/{name}/events" for name in ("423", "283", "display", "homeassistant")}
STATUS = {"dpu/423/status", "dpu/283/status"}
STORED = {"dpu/423/stored", "dpu/283/stored"}
SPACE = {"space/A/count", "space/A/state"}
COMMANDS = {"registry/commands"}
REPLIES = {"replies/headcount-1/1"}
GATEWAY = {"gateway/headcount-gateway/status"}
DISCOVERY = {"homeassistant/device/A/config"}
BIRTH = {"homeassistant/status"}

# user: may write, may read
RIGHTS = {
    None: (set(TOPICS), set(TOPICS)),
    "423": ({"dpu/423/events", "dpu/423/status"}, {"dpu/423/stored"}),
    "stranger": (set(), set()),
    "display": (set(), SPACE | GATEWAY),
    "homeassistant": (BIRTH, DISCOVERY | BIRTH | SPACE | GATEWAY),
    "headcount-gateway": (
        STORED | REPLIES | SPACE | GATEWAY | DISCOVERY,
        EVENTS | STATUS | COMMANDS | DISCOVERY | BIRTH,
    ),
    "headcount-api": (EVENTS | COMMANDS, REPLIES | SPACE | GATEWAY),
    "headcount-ctl": (EVENTS | STATUS | COMMANDS, STORED | REPLIES | SPACE | GATEWAY),
    # Names that would match more than one topic, if they were put into a pattern as they are.
    "+": (set(), set()),
    "#": (set(), set()),
}
