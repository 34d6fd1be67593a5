"""api/openapi.yaml and the running server, held to each other.

The contract by itself: its schemas are schemas, its examples are as they say. Then every operation once as it is meant
to be, and each refusal that the contract names for it. Then requests made up by hypothesis, of the contract's shape and
beside it: no answer outside the contract (so no 5xx but a 503 that it names), and nothing accepted that it forbids.

HEADCOUNT_SEED=N repeats a random round.
"""

import json
import os
import random
import string
import time
from urllib.parse import parse_qsl, quote, urlencode

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

import contract
import web_folder
from harness import Answer, Api, Broker, Gateway, Publisher, wait_until

OPERATIONS = list(contract.operations())
SECONDS = 25  # for each of the two rounds of made up requests
TIME = "2020-01-01T00:00:00Z"


# The contract by itself


def walk(thing, path=()):
    yield path, thing
    if isinstance(thing, dict):
        for key, part in thing.items():
            yield from walk(part, (*path, key))
    elif isinstance(thing, list):
        for key, part in enumerate(thing):
            yield from walk(part, (*path, key))


def test_every_reference_leads_somewhere():
    for path, thing in walk(contract.document("openapi.yaml")):
        if isinstance(thing, dict) and "$ref" in thing:
            assert contract.resolve(thing), path


def test_every_schema_is_one():
    for path, thing in walk(contract.document("openapi.yaml")):
        if path and path[-1] == "schema" or path[:2] == ("components", "schemas") and len(path) == 3:
            jsonschema.Draft202012Validator.check_schema(thing)


def examples():
    for path, thing in walk(contract.document("openapi.yaml")):
        if not isinstance(thing, dict) or "schema" not in thing:
            continue
        named = [example["value"] for example in thing.get("examples", {}).values()]
        for example in named + ([thing["example"]] if "example" in thing else []):
            yield "/".join(map(str, path)), thing["schema"], example


@pytest.mark.parametrize("where, schema, example", examples())
def test_every_example_is_as_its_schema_says(where, schema, example):
    contract.complain(schema, example, where)


def test_every_csv_example_has_the_columns_of_the_json():
    found = 0
    for path, thing in walk(contract.document("openapi.yaml")):
        if isinstance(thing, dict) and "example" in thing.get("text/csv", {}):
            contract.check_csv({"content": thing}, thing["text/csv"]["example"], path)
            found += 1
    assert found > 5


def answer(status, body, **headers):
    kind = "application/problem+json" if status >= 400 else "application/json"
    headers = {"Content-Type": kind, "Cache-Control": "x", "Vary": "x", **headers}
    return Answer(status, headers, json.dumps(body).encode())


SPACE = contract.document("openapi.yaml")["paths"]["/spaces/{id}"]["get"]["responses"]["200"]["content"]
SPACE = SPACE["application/json"]["examples"]["hall"]["value"]
NOT_FOUND = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no"}


def test_the_checker_lets_through_what_is_right():
    contract.check("GET", "/spaces/A", answer(200, SPACE, ETag='"1"'))
    contract.check("GET", "/spaces/A", answer(404, NOT_FOUND))


@pytest.mark.parametrize(
    "method, target, given",
    [
        ("GET", "/spaces/A", answer(200, SPACE)),  # no ETag
        ("GET", "/spaces/A", answer(200, {**SPACE, "more": 1}, ETag='"1"')),
        ("GET", "/spaces/A", answer(200, {**SPACE, "count": "1"}, ETag='"1"')),
        ("GET", "/spaces", answer(200, {"items": [{**SPACE, "more": 1}], "next": None})),
        ("GET", "/spaces/A", answer(500, {**NOT_FOUND, "status": 500})),
        ("GET", "/spaces/A", answer(404, {**NOT_FOUND, "status": 400})),
        ("GET", "/spaces/A", answer(404, {**NOT_FOUND, "title": "Gone"})),
        ("GET", "/spaces/A", answer(404, NOT_FOUND, **{"Content-Type": "application/json"})),
        ("GET", "/spaces/A", answer(201, SPACE, ETag='"1"')),
        ("GET", "/nowhere", answer(200, {})),
        ("GET", "/spaces/A", answer(401, {**NOT_FOUND, "status": 401, "title": "Unauthorized"})),
        ("OPTIONS", "/spaces", Answer(204, {"Allow": "GET, HEAD, OPTIONS"}, b"")),
        ("HEAD", "/spaces/A", answer(200, SPACE, ETag='"1"')),
        ("GET", "/spaces/A", Answer(200, {"Content-Type": "text/csv", "ETag": '"1"'}, b"id,name\r\nA,B\r\n")),
    ],
)  # fmt: skip
def test_the_checker_finds_what_is_wrong(method, target, given):
    with pytest.raises(contract.Broken):
        contract.check(method, target, given)


# The server


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """With a token of each scope, and none for anonymous readers."""
    folder = tmp_path_factory.mktemp("system")
    with Broker(folder) as broker, Gateway(broker, folder) as gateway:
        pages = web_folder.write_pages(folder / "pages")
        with Api(gateway, folder, {"api": {"anonymous_read": False, "web_dir": pages}}) as running:
            running.scopes = {scope: running.add_token(scope) for scope in ("read", "ingest", "admin")}
            running.token = running.scopes["read"]
            running.wait_connected()
            yield running


def scope_of(operation):
    """None for anybody."""
    for requirement in operation.get("security", contract.document("openapi.yaml")["security"]):
        return requirement["token"][0]
    return None


def required_headers(operation):
    """Those that the contract asks for, as in its examples."""
    listed = [contract.resolve(parameter) for parameter in operation.get("parameters", [])]
    return {p["name"]: p["example"] for p in listed if p["in"] == "header" and p.get("required")}


def send(api, method, target, operation, body=None, headers=None, **options):
    token = api.scopes.get(scope_of(operation))
    headers = required_headers(operation) | (headers or {})
    return api.request(method, target, body, headers, token=token, **options)


TOKEN = {"token": "…"}  # stands for one that there is

# A registry that needs every operation, in this order.
COURSE = [
    ("POST", "/spaces", "/spaces", {"id": "hall", "capacity": 10}),
    ("POST", "/spaces", "/spaces", {"id": "room", "parent": "hall", "daily_reset": "04:00", "timezone": "Asia/Tokyo"}),
    ("POST", "/doorways", "/doorways", {"id": "front", "space": "hall"}),
    ("POST", "/doorways", "/doorways", {"id": "inner", "space": "room", "adjacent_space": "hall"}),
    ("POST", "/dpus", "/dpus", {"id": "423", "name": "Größe"}),
    ("POST", "/installations", "/installations", {"dpu": "423", "doorway": "front", "started_at": "2018-01-01 00:00"}),
    ("PUT", "/dpus/{id}", "/dpus/423", {"dpu_event_time": TIME, "count": 3}),
    ("PUT", "/dpus/{id}", "/dpus/423", [{"dpu_event_time": "2019-06-01 12:00", "count": -1}]),
    ("POST", "/spaces/{id}/resets", "/spaces/hall/resets", {"count": 5, "at": "2021-01-01T00:00:00+01:00"}),
    ("GET", "/spaces", "/spaces?limit=1", None),
    ("GET", "/spaces/{id}", "/spaces/hall", None),
    ("GET", "/spaces/{id}", "/spaces/hall?time=2020-06-01+00:00&timezone=space", None),
    ("GET", "/spaces/{id}/counts", "/spaces/hall/counts?start=2019-12-31&end=2020-01-02&interval=1h", None),
    ("GET", "/spaces/{id}/events", "/spaces/hall/events?limit=1", None),
    ("GET", "/doorways", "/doorways", None),
    ("GET", "/doorways/{id}", "/doorways/inner", None),
    ("GET", "/dpus", "/dpus", None),
    ("GET", "/dpus/{id}", "/dpus/423", None),
    ("GET", "/installations", "/installations", None),
    ("GET", "/installations/{id}", "/installations/1", None),
    ("GET", "/rejected-events", "/rejected-events", None),
    ("GET", "/audit", "/audit?start=2020-01-01&limit=5", None),
    ("PATCH", "/spaces/{id}", "/spaces/room", {"name": "Room", "daily_reset": None}),
    ("PATCH", "/doorways/{id}", "/doorways/inner", {"adjacent_space": None}),
    ("PATCH", "/dpus/{id}", "/dpus/423", {"name": ""}),
    ("PATCH", "/installations/{id}", "/installations/1", {"orientation": -1}),
    ("POST", "/dpus/{id}/move", "/dpus/423/move", {"doorway": "inner", "at": "2022-01-01T00:00:00Z"}),
    ("POST", "/rejected-events/replay", "/rejected-events/replay", None),
    ("POST", "/rejected-events/replay", "/rejected-events/replay", {"reason": "unknown_dpu"}),
    ("DELETE", "/rejected-events/{id}", "/rejected-events/1", None),
    ("DELETE", "/rejected-events", "/rejected-events?dpu=999", None),
    ("DELETE", "/spaces/{id}/resets/{at}", "/spaces/hall/resets/2020-12-31T23:00:00.000Z", None),
    ("DELETE", "/installations/{id}", "/installations/2", None),
    ("DELETE", "/installations/{id}", "/installations/1", None),
    ("DELETE", "/dpus/{id}", "/dpus/423", None),
    ("DELETE", "/doorways/{id}", "/doorways/inner", None),
    ("DELETE", "/doorways/{id}", "/doorways/front", None),
    ("DELETE", "/spaces/{id}", "/spaces/room", None),
    ("DELETE", "/spaces/{id}", "/spaces/hall", None),
    ("POST", "/session", "/session", TOKEN),
    ("GET", "/session", "/session", None),
    ("DELETE", "/session", "/session", None),
    ("GET", "/", "/", None),
    ("GET", "/display/{id}", "/display/hall?big=1", None),
    ("GET", "/history/{id}", "/history/hall?start=2020-01-01&start=2021-01-01", None),
    ("GET", "/admin", "/admin", None),
    ("GET", "/login", "/login", None),
    ("GET", "/robots.txt", "/robots.txt", None),
    *(("GET", "/web/{file}", f"/web/{name}", None) for name in (*web_folder.PAGES, *web_folder.TYPES)),
    ("GET", "/openapi.json", "/openapi.json", None),
    ("GET", "/healthz", "/healthz", None),
    ("GET", "/readyz", "/readyz", None),
    ("GET", "/metrics", "/metrics", None),
]  # fmt: skip
ENDLESS = {("GET", "/live")}  # live_test.py


def operation_of(method, template):
    return next(operation for m, path, operation in OPERATIONS if (m, path) == (method, template))


def test_every_operation_does_what_the_contract_says(api):
    with Publisher(api.gateway.broker) as dpu:
        dpu.publish("dpu/999/events", {"dpu_event_time": TIME, "count": 1})
    wait_until(lambda: api.gateway.value("SELECT count(*) FROM rejected_event") == 1)
    done = set(ENDLESS)
    for method, template, target, body in COURSE:
        operation = operation_of(method, template)
        body = {"token": api.scopes["read"]} if body is TOKEN else body
        said = send(api, method, target, operation, body)
        assert said.status < 300, (method, target, said.status, said.text)
        done.add((method, template))
        if method != "GET":
            continue
        head = send(api, "HEAD", target, operation)
        assert head.status == said.status
        contents = contract.resolve(operation["responses"]["200"])["content"]
        if "text/csv" in contents:
            rows = send(api, "GET", target, operation, headers={"Accept": "text/csv"})
            assert rows.headers["Content-Type"].startswith("text/csv")
    assert done == {(method, template) for method, template, _ in OPERATIONS}


def with_nobody(template):
    """A path of that form, about what does not exist."""
    numbered = "installations" in template or "rejected" in template
    filled = {"{id}": "999999" if numbered else "nobody", "{at}": TIME, "{file}": "nobody.js"}
    return "/".join(filled.get(part, part) for part in template.split("/"))


def a_body(operation):
    """Some body that the operation takes; None if it takes none."""
    examples_ = [example for where, _, example in examples() if operation["operationId"] in where]
    for kind in contract.body_schemas(operation):
        content = contract.resolve(operation["requestBody"])["content"][kind]
        examples_ += [example["value"] for example in content.get("examples", {}).values()]
    return examples_[0] if examples_ else None


def for_operations(condition=lambda method, template, operation: True):
    """A test of each operation that the condition holds for: what the contract names as a refusal of it."""
    chosen = [one for one in OPERATIONS if condition(*one)]
    return pytest.mark.parametrize(
        "method, template, operation", chosen, ids=[operation["operationId"] for _, _, operation in chosen]
    )


def is_guarded(method, template, operation):
    return scope_of(operation) is not None


def has_body(method, template, operation):
    return bool(contract.body_schemas(operation))


def is_file(method, template, operation):
    return "pages" in operation["tags"]


def is_no_file(method, template, operation):
    return not is_file(method, template, operation)


def names_what_must_exist(method, template, operation):
    forgiving = ("putEvents", "deleteRejectedEvent", "showDisplay", "showHistory")
    return "{" in template and operation["operationId"] not in forgiving


@for_operations()
@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic dTpw"])
def test_who_has_no_token_is_refused(api, monkeypatch, method, template, operation, authorization):
    monkeypatch.setattr(api, "token", None)
    headers = {"Authorization": authorization} if authorization else {}
    said = api.request(method, with_nobody(template), a_body(operation), headers)
    assert (said.status == 401) == is_guarded(method, template, operation), said.text


@for_operations(is_guarded)
def test_a_token_for_something_else_is_refused(api, method, template, operation):
    other = {"read": "ingest", "ingest": "read", "admin": "read"}[scope_of(operation)]
    said = api.request(method, with_nobody(template), a_body(operation), token=api.scopes[other])
    assert said.status == 403, said.text


@for_operations(is_no_file)
def test_an_accept_that_nothing_meets_is_refused(api, method, template, operation):
    headers = {"Accept": "image/png"}
    said = send(api, method, with_nobody(template), operation, a_body(operation), headers=headers)
    assert said.status == 406, said.text


@for_operations(is_no_file)
def test_a_parameter_that_there_is_not_is_refused(api, method, template, operation):
    said = send(api, method, with_nobody(template) + "?colour=red", operation, a_body(operation))
    assert said.status == 400
    assert said.json()["parameter"] == "colour"


@for_operations(names_what_must_exist)
def test_what_does_not_exist_is_not_found(api, method, template, operation):
    query = "?start=2020-01-01" if template.endswith("/counts") else ""
    said = send(api, method, with_nobody(template) + query, operation, a_body(operation))
    assert said.status == 404, said.text


@for_operations(has_body)
def test_a_body_of_another_kind_is_refused(api, method, template, operation):
    headers = {"Content-Type": "text/plain"}
    said = send(api, method, with_nobody(template), operation, b"{}", headers=headers)
    assert said.status == 415, said.text


@pytest.mark.parametrize("template", contract.document("openapi.yaml")["paths"])
def test_a_path_has_its_methods_and_no_others(api, template):
    target = with_nobody(template)
    token = api.scopes["admin"]
    for method in {"PUT", "DELETE", "PATCH", "POST", "TRACE", "LINK"} - contract.methods_of(template):
        assert api.request(method, target, token=token).status == 405
    assert api.request("OPTIONS", target, token=token).status == 204


# Requests made up

KNOWN = {
    "spaces": ["A", "B"],
    "doorways": ["X"],
    "dpus": ["423"],
    "installations": ["1"],
    "rejected-events": ["1"],
    "display": ["A"],
    "history": ["A"],
    "web": [*web_folder.PAGES, *web_folder.TYPES, *web_folder.NOT_SERVED, "..", "."],
}
MOMENTS = st.sampled_from(
    ["2020-01-01", "2020-01-01 12:00", "2020-06-01T00:00:00Z", "2020-06-01T00:00:00.5+02:00", "1970-01-01 00:00",
     "2026-03-29 02:30", "2025-10-26 02:30", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59Z", "2020-02-30 00:00"]
)  # fmt: skip
ACCEPTS = ["text/csv", "*/*", "text/html", "application/json;q=0.1, text/*", ",;=q"]
HEADERS = [
    *[{}] * 10,
    *[{"Accept": accept} for accept in ACCEPTS],
    {"Accept-Encoding": "gzip"},
    {"If-None-Match": "*"},
    {"If-None-Match": '"a", W/"b"'},
]
WORDS = st.text(max_size=20) | st.text(string.printable, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def from_schema(schema):
    """Values of a schema; roughly: what isn't is for the validator to say."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in ("Time", "BodyTime"):
            return MOMENTS
        if name == "Id":
            known = st.sampled_from(["A", "B", "X", "423", "new", "x" * 64])
            return known | st.from_regex(r"\A[A-Za-z0-9._:-]{1,8}\Z")
        if name == "Timezone":
            return st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Mars/Olympus"])
        return from_schema(contract.resolve(schema))
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return st.one_of([from_schema(part) for part in schema[key]])
    if "allOf" in schema:
        return from_schema(schema["allOf"][0])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([of_kind(kind, schema) for kind in kinds])


def of_kind(kind, schema):
    if kind == "null":
        return st.none()
    if kind == "integer":
        return st.integers(schema.get("minimum"), schema.get("maximum"))
    if kind == "string" and "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"))
    if kind == "string":
        return st.text(max_size=min(schema.get("maxLength", 20), 20))
    if kind == "array":
        return st.lists(from_schema(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)
    properties = {name: from_schema(part) for name, part in schema["properties"].items()}
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: properties[name] for name in required},
        optional={name: part for name, part in properties.items() if name not in required},
    )


def beside(schema):
    """Parameters that are nearly of a schema, and some that are nothing like it."""
    schema = contract.resolve(schema)
    edges = [schema[name] + step for name, step in (("minimum", -1), ("maximum", 1)) if name in schema]
    return st.sampled_from(["", "0", "-1", "1e2", "null", *map(str, edges)]) | WORDS | from_schema(schema).map(
        lambda right: f"{right} "
    )


@st.composite
def bodies(draw, schema):
    """Of the schema, or one step beside it, or nothing like it. None: no body."""
    value = draw(from_schema(schema))
    way = draw(st.sampled_from(["right"] * 4 + ["member", "more", "less", "other", "bytes"]))
    target = value[0] if isinstance(value, list) and value else value
    if way in ("member", "less") and isinstance(target, dict) and target:
        name = draw(st.sampled_from(sorted(target)))
        if way == "less":
            del target[name]
        else:
            target[name] = draw(JSON)
    elif way == "more" and isinstance(target, dict):
        target[draw(WORDS)] = draw(JSON)
    elif way == "other":
        value = draw(JSON)
    elif way == "bytes":
        return draw(st.binary(max_size=100) | st.just(json.dumps(value).encode()[:-1]))
    return json.dumps(value).encode()


@st.composite
def segments(draw, template):
    """What stands for the {…} of a path."""
    known = KNOWN.get(template.split("/")[1], [])
    return draw(
        st.sampled_from([*known, *known, *known, "nobody", "0", "-1", "9" * 30])
        | st.from_regex(r"\A[A-Za-z0-9._:-]{1,70}\Z")
        | st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=8)
    )


@st.composite
def requests(draw):
    """(method, template, target, headers, body, operation)"""
    method, template, operation = draw(st.sampled_from([o for o in OPERATIONS if o[:2] not in ENDLESS]))
    filled = {"{at}": draw(MOMENTS)} | dict.fromkeys(("{id}", "{file}"), draw(segments(template)))
    path = "/".join(quote(filled.get(part, part), safe="") for part in template.split("/"))
    query = []
    for parameter in contract.parameters_of(template, method):
        if parameter["in"] == "query" and (parameter.get("required") or draw(st.booleans())):
            of = draw(st.sampled_from([from_schema] * 5 + [beside]))
            query.append((parameter["name"], str(draw(of(parameter["schema"])))))
    if draw(st.integers(0, 9)) == 0:
        query.append((draw(WORDS), draw(WORDS)))
    if query and draw(st.integers(0, 19)) == 0:
        query.append(query[0])
    headers = draw(st.sampled_from(HEADERS))
    body = None
    for schema in contract.body_schemas(operation).values():
        body = draw(bodies(schema))
        break
    encoded = urlencode(query, errors="surrogatepass")
    return method, template, path + ("?" + encoded if encoded else ""), headers, body, operation


def is_allowed(method, template, target, body, operation):
    """May this request be granted, as far as the contract tells? The pieces of it that a schema judges."""
    if is_file(method, template, operation):
        return True  # whatever the query is
    given = parse_qsl(target.partition("?")[2], keep_blank_values=True, errors="surrogateescape")
    known = {p["name"]: p for p in contract.parameters_of(template, method) if p["in"] == "query"}
    names = [name for name, _ in given]
    if len(set(names)) < len(names) or not set(names) <= set(known):
        return False
    if any(p.get("required") and name not in names for name, p in known.items()):
        return False
    for name, value in given:
        schema = contract.resolve(known[name]["schema"])
        if schema.get("type") == "integer":
            if not value.lstrip("-").isascii() or not value.lstrip("-").isdigit():
                return False
            value = int(value)
        if not contract.validator(known[name]["schema"], is_closed=False).is_valid(value):
            return False
    for schema in contract.body_schemas(operation).values():
        return is_body_allowed(schema, body, operation)
    return True


def is_body_allowed(schema, body, operation):
    if not body:
        return not contract.resolve(operation["requestBody"]).get("required", False)
    try:
        value = json.loads(body)
    except ValueError:
        return False
    return contract.validator(schema, is_closed=False).is_valid(value)


def make_known(api):
    admin = api.scopes["admin"]
    for path, body in (
        ("/spaces", {"id": "A"}),
        ("/spaces", {"id": "B", "parent": "A"}),
        ("/doorways", {"id": "X", "space": "A"}),
        ("/dpus", {"id": "423"}),
        ("/installations", {"dpu": "423", "doorway": "X", "started_at": "2018-01-01T00:00:00Z"}),
    ):
        api.request("POST", path, body, token=admin)
    api.request("PUT", "/dpus/423", {"dpu_event_time": TIME, "count": 3}, token=api.scopes["ingest"])
    KNOWN["installations"] = [
        str(item["id"]) for item in api.request("GET", "/installations").json()["items"][:3]
    ] or ["1"]


def rounds():
    if "HEADCOUNT_SEED" in os.environ:
        return [int(os.environ["HEADCOUNT_SEED"])]
    return [1, random.randrange(1000, 2**31)]


@pytest.mark.parametrize("seed", rounds())
def test_no_request_gets_an_answer_outside_the_contract(api, seed, capsys):
    with capsys.disabled():
        print(f"\nHEADCOUNT_SEED={seed}", flush=True)
    make_known(api)
    end = time.monotonic() + SECONDS
    seen = {}
    broken = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=4000,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(requests())
    def ask(request):
        if broken or time.monotonic() > end:
            return
        method, template, target, headers, body, operation = request
        try:
            said = send(api, method, target, operation, body, headers=headers)
            seen[said.status] = seen.get(said.status, 0) + 1
            assert said.status != 503, said.text
            assert said.status >= 300 or is_allowed(method, template, target, body, operation), (
                f"{method} {target} {body} is forbidden by the contract, but was granted: {said.status}"
            )
        except Exception as error:  # the same request may fare otherwise a second time: no shrinking
            broken.append(error)

    ask()
    if broken:
        raise broken[0]
    assert api.running
    assert {200, 400, 404} <= set(seen), seen
