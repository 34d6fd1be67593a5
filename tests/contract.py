"""The contracts in api/, as something that answers and messages are held to.

    contract.check("GET", "/spaces/A?time=...", answer)     # a status, headers and body that openapi.yaml allows?
    contract.check_message("state", payload)                # a payload that asyncapi.yaml allows?
    contract.check_schema("State", text)                    # JSON that a schema of openapi.yaml allows?

A contract lets members be added to answers, so that clients ignore those they don't know. Here it is read as closed:
a member that it does not name is an error.
"""

import copy
import csv
import functools
import http
import io
import json
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jsonschema
import yaml

SOURCE_DIR = Path(os.environ.get("HEADCOUNT_SOURCE_DIR", Path(__file__).resolve().parents[1]))
DOCUMENTS = ("openapi.yaml", "asyncapi.yaml")
METHODS = ("get", "put", "post", "patch", "delete")
IN_PLACE = ("$ref", "allOf", "oneOf", "anyOf", "properties")


class Broken(AssertionError):
    """Something is not as the contract says."""


@functools.cache
def document(name):
    with open(SOURCE_DIR / "api" / name, encoding="utf-8") as file:
        return yaml.load(file, yaml.CSafeLoader)


def closed(schema):
    """The schema, with every object in it closed. What stands at one place of an instance (allOf, oneOf, $ref) is
    closed together, so only where a new place begins is something added."""
    schema = copy.copy(schema)
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            schema[key] = [inside(part) for part in schema[key]]
    schema = inside(schema)
    if any(key in schema for key in IN_PLACE) and "additionalProperties" not in schema:
        schema["unevaluatedProperties"] = False
    return schema


def inside(schema):
    """The schema with the objects below it closed, but not itself."""
    schema = copy.copy(schema)
    if "properties" in schema:
        schema["properties"] = {name: closed(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = closed(schema["items"])
    if "allOf" in schema:
        schema["allOf"] = [inside(part) for part in schema["allOf"]]
    return schema


@functools.cache
def closed_document(name):
    """The document, with the objects below its shared schemas closed."""
    whole = copy.copy(document(name))
    whole["components"] = dict(whole["components"])
    whole["components"]["schemas"] = {
        key: inside(schema) for key, schema in whole["components"]["schemas"].items()
    }
    return whole


validators = {}  # made so far; each holds its schema, so that no other gets its id


def validator(schema, name="openapi.yaml", is_closed=True):
    key = id(schema), name, is_closed
    if key not in validators:
        validators[key] = schema, make_validator(schema, name, is_closed)
    return validators[key][1]


def make_validator(schema, name, is_closed):
    documents = {key: (closed_document if is_closed else document)(key) for key in DOCUMENTS}
    store = {f"file:///{key}": whole for key, whole in documents.items()}
    resolver = jsonschema.RefResolver(f"file:///{name}", documents[name], store=store)
    return jsonschema.Draft202012Validator(closed(schema) if is_closed else schema, resolver=resolver)


def complain(schema, value, what, name="openapi.yaml", is_closed=True):
    errors = list(validator(schema, name, is_closed).iter_errors(value))
    # Where something else is wrong, members count as unevaluated that are quite right.
    error = jsonschema.exceptions.best_match(
        [error for error in errors if error.validator != "unevaluatedProperties"] or errors
    )
    if error is not None:
        where = "/".join(str(step) for step in error.absolute_path)
        raise Broken(f"{what}: at '{where}': {error.message}")


def resolve(thing, name="openapi.yaml"):
    """What a $ref stands for."""
    while "$ref" in thing:
        place, _, path = thing["$ref"].partition("#/")
        thing = document(place.removeprefix("./") or name)
        for step in path.split("/"):
            thing = thing[step]
    return thing


# HTTP


@functools.cache
def templates():
    """[(regular expression of a path, the path as the contract writes it)], the most literal first."""
    found = []
    for path in document("openapi.yaml")["paths"]:
        pattern = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(path))
        found.append((path.count("{"), re.compile(pattern), path))
    return [(pattern, path) for _, pattern, path in sorted(found, key=lambda item: item[0])]


def template_of(target):
    """The contract's path that a URL belongs to; None if there is none."""
    path = urlsplit(target).path
    for pattern, template in templates():
        if pattern.fullmatch(path):
            return template
    return None


def operations():
    """All of them: (method, path, operation)."""
    for path, item in document("openapi.yaml")["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def methods_of(template):
    item = document("openapi.yaml")["paths"][template]
    methods = {method.upper() for method in METHODS if method in item}
    return methods | ({"HEAD"} if "GET" in methods else set()) | {"OPTIONS"}


def parameters_of(template, method):
    item = document("openapi.yaml")["paths"][template]
    listed = item.get("parameters", []) + item[method.lower()].get("parameters", [])
    return [resolve(parameter) for parameter in listed]


def body_schemas(operation):
    """{media type: schema} of what may be sent; {} if nothing is expected."""
    content = resolve(operation.get("requestBody", {})).get("content", {})
    return {kind: part["schema"] for kind, part in content.items()}


def expected_response(method, template, status, what):
    anywhere = document("openapi.yaml")["x-anywhere"]
    responses = dict(anywhere)
    if template is not None and method in methods_of(template) and method != "OPTIONS":
        item = document("openapi.yaml")["paths"][template]
        responses |= item["get" if method == "HEAD" else method.lower()]["responses"]
    if str(status) not in responses:
        raise Broken(f"{what}: {status} is not in the contract")
    return resolve(responses[str(status)])


def check_headers(response, answer, what):
    for name, header in response.get("headers", {}).items():
        header = resolve(header)
        value = answer.headers.get(name)
        if value is None and header.get("required"):
            raise Broken(f"{what}: no {name} with {answer.status}")
        if value is not None:
            complain(header["schema"], value, f"{what}: {name}")


def columns_of(schema):
    """The names of an object's members; arrays have no column."""
    schema = resolve(schema)
    names = []
    for part in schema.get("allOf", []):
        names += columns_of(part)
    for name, member in schema.get("properties", {}).items():
        if resolve(member).get("type") != "array":
            names.append(name)
    return names


def row_schema(json_schema):
    """The schema of what a row of the CSV form of an answer stands for."""
    schema = resolve(json_schema)
    for rows in ("items", "buckets"):
        if rows in schema.get("properties", {}):
            return schema["properties"][rows]["items"]
    return json_schema


def check_csv(response, text, what):
    if not text.endswith("\r\n"):
        raise Broken(f"{what}: the last row has no CR LF")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    names = columns_of(row_schema(response["content"]["application/json"]["schema"]))
    if sorted(header) != sorted(names):
        raise Broken(f"{what}: columns {header}, expected {names}")
    if any(len(row) != len(names) for row in rows):
        raise Broken(f"{what}: a row has another number of fields than the header")


def check_body(response, answer, what):
    content = response.get("content", {})
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if not content:
        if answer.body:
            raise Broken(f"{what}: {answer.status} with a body: {answer.body[:200]!r}")
        return
    if kind not in content:
        raise Broken(f"{what}: {answer.status} is '{kind}', expected {list(content)}")
    if kind.endswith("json"):
        complain(content[kind]["schema"], json.loads(answer.text), what)
    elif kind == "text/csv":
        check_csv(response, answer.text, what)
    if kind == "application/problem+json":
        problem = json.loads(answer.text)
        title = http.HTTPStatus(answer.status).phrase
        if (problem["status"], problem["title"]) != (answer.status, title):
            raise Broken(f"{what}: {answer.status} {title} has the problem {problem}")


def check_allow(template, answer, what):
    allowed = {method.strip() for method in answer.headers.get("Allow", "").split(",")}
    if allowed != methods_of(template):
        raise Broken(f"{what}: Allow: {sorted(allowed)}, expected {sorted(methods_of(template))}")


def check(method, target, answer):
    """Raises Broken if the answer (status, headers, body, text) is not one that the contract allows."""
    what = f"{method} {unquote(target)}"
    template = template_of(target)
    if template is not None and (method == "OPTIONS" or answer.status == 405):
        check_allow(template, answer, what)
    if method == "OPTIONS" and template is not None and answer.status == 204:
        if answer.body:
            raise Broken(f"{what}: a body with 204")
        return
    if template is None and answer.status not in (400, 404, 414, 431):
        raise Broken(f"{what}: {answer.status}, but the contract has no such path")
    if template is not None and method not in methods_of(template) and answer.status != 405:
        raise Broken(f"{what}: {answer.status}, but the contract has no such method")
    response = expected_response(method, template, answer.status, what)
    check_headers(response, answer, what)
    if method == "HEAD":
        if answer.body:
            raise Broken(f"{what}: a body")
        return
    check_body(response, answer, what)


def check_always(answer):
    """Raises Broken unless the answer has what every answer has: see "Headers of every answer" in the contract."""
    wanted = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    for name, value in wanted.items():
        if answer.headers.get_all(name) != [value]:
            raise Broken(f"{answer.status}: {name} is {answer.headers.get_all(name)}, expected {value}")
    policy = answer.headers.get("Content-Security-Policy", "")
    if not policy.startswith("default-src 'none'; ") or "frame-ancestors 'none'" not in policy:
        raise Broken(f"{answer.status}: the policy is '{policy}'")
    if "Cache-Control" not in answer.headers:
        raise Broken(f"{answer.status}: no Cache-Control")
    for name in answer.headers:
        if name.lower().startswith("access-control-"):
            raise Broken(f"{answer.status}: {name} grants something to another site")


# MQTT


def message(name):
    return document("asyncapi.yaml")["components"]["messages"][name]


def check_message(name, payload):
    """Raises Broken if the text is no payload that the contract allows for the message."""
    is_json = message(name).get("contentType", "application/json") == "application/json"
    complain(
        message(name)["payload"],
        json.loads(payload) if is_json else payload,
        f"{name} {payload!r}",
        "asyncapi.yaml",
    )


def check_schema(name, text):
    """Raises Broken if the JSON text is not what a schema of openapi.yaml says."""
    complain({"$ref": f"#/components/schemas/{name}"}, json.loads(text), f"{name} {text!r}")
