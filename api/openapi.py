"""openapi.yaml as JSON within a C source: openapi.py openapi.yaml openapi.c"""

import json
import sys

import yaml

LINE = 96


def c_lines(text):
    escaped = [{'"': '\\"', "\\": "\\\\"}.get(letter, letter) for letter in text]
    for begin in range(0, len(escaped), LINE):
        yield '\t"' + "".join(escaped[begin : begin + LINE]) + '"'


def main(contract, source):
    with open(contract, encoding="utf-8") as file:
        text = json.dumps(yaml.safe_load(file), separators=(",", ":"))
    with open(source, "w", encoding="ascii") as file:
        file.write("/* Made from api/openapi.yaml by api/openapi.py. */\n")
        file.write('#include "openapi.h"\n\nconst char openapi_json[] =\n')
        file.write("\n".join(c_lines(text)))
        file.write(";\nconst size_t openapi_json_size = sizeof openapi_json - 1;\n")


main(*sys.argv[1:])
