"""The rules of the tree: who may include what, where SQL stands, what a file may be called. A rule is a function that
takes the root of a tree and yields its breaches. Each is tried on a small bad tree first: a rule that can't fail
says nothing."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from harness import SOURCE_DIR, bin_dir

PROGRAMS = ("gateway", "api", "ctl")
FOLDERS = ("core", *PROGRAMS)
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
COMMENT = re.compile(r"/\*.*?\*/", re.S)

# A library has one owner in a folder; elsewhere it does not exist.
OWNERS = {
    "sqlite3.h": {"core": "store.c"},
    "json-c/": {"core": "json.c"},
    "json.h>": {"core": "json.c"},
    "mosquitto.h": {"gateway": "broker.c", "api": "broker.c", "ctl": "broker.c"},
    "mqtt_protocol.h": {"gateway": "broker.c", "api": "broker.c", "ctl": "broker.c"},
    "openssl/": {"ctl": "tls.c"},
    "gnutls/": {"api": "certificate.c"},
    "microhttpd.h": {"api": "http.c", "gateway": "metrics.c"},
}

SQL = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|SAVEPOINT|RELEASE|ATTACH|WITH)\s+\S"
    r"|^\s*(BEGIN|COMMIT|ROLLBACK|VACUUM)\b|\bSELECT\b.*\bFROM\b|\bINSERT\s+INTO\b|\bDELETE\s+FROM\b"
)
# What belongs to a connection and its transactions, not to the data.
CONNECTION_SQL = re.compile(r"^(PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|ATTACH)\b")
CONNECTION_QUERIES = {
    "SELECT count(*) FROM sqlite_schema": "is the file empty? asked before there is a schema",
}

SPEAKING = re.compile(r"\b(stderr|perror|syslog|sd_journal_\w+|g_(?:printerr|message|warning|critical|error))\b(?=\s*[(,)])")

NAMELESS = {"util", "utils", "common", "helper", "helpers", "misc", "shared", "stuff", "lib", "defs", "types"}
LONGEST_FUNCTION = 60


def sources(root, *patterns):
    for folder in FOLDERS:
        for pattern in patterns:
            yield from sorted((root / folder).rglob(pattern))


def where(root, path, text="", at=0):
    return f"{path.relative_to(root)}:{text.count(chr(10), 0, at) + 1}"


def folder_of(root, path):
    return path.relative_to(root).parts[0]


def headers_of(root, folder):
    return {path.name for path in (root / folder).rglob("*.h")}


def a_program_knows_core_and_itself(root):
    for path in sources(root, "*.c", "*.h"):
        folder = folder_of(root, path)
        text = path.read_text()
        own = headers_of(root, folder)
        for match in INCLUDE.finditer(text):
            name = match[1].split("/")[-1]
            for other in PROGRAMS:
                if other != folder and name not in own and name in headers_of(root, other):
                    yield f"{where(root, path, text, match.start())}: {folder} includes {other}/{name}"


def a_library_has_one_owner(root):
    for path in sources(root, "*.c", "*.h"):
        folder = folder_of(root, path)
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            included = match[1] + (">" if ">" in match[0] else "")
            for library, owners in OWNERS.items():
                found = included.startswith(library)
                if found and owners.get(folder) != path.name:
                    yield f"{where(root, path, text, match.start())}: includes {match[1]}"


def sql_stands_in_sql_files(root):
    for path in sources(root, "*.c", "*.h"):
        text = COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), path.read_text())
        for match in STRING.finditer(text):
            literal = match[1]
            in_store = path.relative_to(root).as_posix() == "core/store.c"
            allowed = in_store and (CONNECTION_SQL.match(literal) or literal in CONNECTION_QUERIES)
            if SQL.search(literal) and not allowed:
                yield f"{where(root, path, text, match.start())}: {literal}"


def a_daemon_speaks_through_its_log(root):
    allowed = {"core/log.c", "core/program.c"}  # the latter before there is a log: wrong options
    for path in sources(root, "*.c"):
        name = path.relative_to(root).as_posix()
        if folder_of(root, path) in ("core", "gateway", "api") and name not in allowed:
            text = path.read_text()
            for match in SPEAKING.finditer(text):
                yield f"{where(root, path, text, match.start())}: {match[0]}"


def a_source_has_no_conditional_compilation(root):
    for path in sources(root, "*.c"):
        text = path.read_text()
        for match in re.finditer(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b", text, re.M):
            yield f"{where(root, path, text, match.start())}: #{match[1]}"


def a_header_has_its_guard(root):
    for path in sources(root, "*.h"):
        guard = "HEADCOUNT_" + re.sub(r"\W", "_", path.stem).upper() + "_H"
        if not re.search(rf"^#ifndef \w*{guard}\n#define \w*{guard}\n", path.read_text(), re.M):
            yield f"{where(root, path)}: its guard is not {guard}"


def a_header_says_first_what_it_is(root):
    for path in sources(root, "*.h"):
        if not path.read_text().startswith("/* "):
            yield f"{where(root, path)}: begins without a sentence"


def a_header_compiles_alone(root):
    flags = shlex.split(
        subprocess.run(
            ["pkg-config", "--cflags", "glib-2.0"], check=True, capture_output=True, text=True
        ).stdout
    )
    folders = [f"-I{root / 'core'}", f"-I{bin_dir().parent / 'core'}"]
    for path in sources(root, "*.h"):
        result = subprocess.run(
            ["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
            + [*folders, f"-I{path.parent}", *flags, "-include", str(path), "-x", "c", "-"],
            input="typedef int something;\n",
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            yield f"{where(root, path)}: " + re.search(r"error: .*|$", result.stderr)[0]


def a_file_is_named_after_a_thing(root):
    for path in sources(root, "*.c", "*.h"):
        if NAMELESS & set(re.split(r"[_\W]", path.stem)):
            yield f"{where(root, path)}: says nothing"


def a_function_fits_on_a_screen(root):
    for path in sources(root, "*.c"):
        begin = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line == "{":
                begin = number
            elif line == "}" and begin is not None:
                if number - begin - 1 > LONGEST_FUNCTION:
                    yield f"{path.relative_to(root)}:{begin}: {number - begin - 1} lines"
                begin = None


def code_map(root):
    """The README's map: {folder: names in it}. A row reads `core/event`, or names several, `core/event`, `span`."""
    readme = (root / "README.md").read_text() if (root / "README.md").exists() else ""
    section = re.search(r"^## Code map$(.*?)(?=^## |\Z)", readme, re.M | re.S)
    named = {folder: set() for folder in FOLDERS}
    for match in re.finditer(r"`(\w+)/(\w+)`", section[1] if section else ""):
        named.setdefault(match[1], set()).add(match[2])
    return named


def the_code_map_names_every_module(root):
    named = code_map(root)
    modules = {(folder_of(root, path), path.stem) for path in sources(root, "*.c", "*.h")}
    for folder, name in sorted(modules):
        if name not in named[folder]:
            yield f"README.md: the code map lacks {folder}/{name}"


def the_code_map_names_nothing_else(root):
    for folder, names in code_map(root).items():
        there = {path.stem for path in (root / folder).rglob("*") if path.suffix in (".c", ".h", ".sql", ".py")}
        for name in sorted(names - there):
            yield f"README.md: the code map names {folder}/{name}, which does not exist"


# rule: a tree that breaks it
RULES = {
    a_program_knows_core_and_itself: {
        "gateway/ingest.h": "",
        "api/spaces.c": '#include "ingest.h"\n',
    },
    a_library_has_one_owner: {"core/history.c": "#include <sqlite3.h>\n"},
    sql_stands_in_sql_files: {"gateway/ingest.c": 'run("SELECT count FROM occupancy_now");\n'},
    a_daemon_speaks_through_its_log: {"api/spaces.c": "fprintf(stderr, text);\n"},
    a_source_has_no_conditional_compilation: {"core/zone.c": "\n#ifdef __linux__\n#endif\n"},
    a_header_has_its_guard: {"core/zone.h": "/* Zones. */\nstruct zone;\n"},
    a_header_says_first_what_it_is: {"core/zone.h": "#ifndef HEADCOUNT_ZONE_H\n"},
    a_header_compiles_alone: {"core/zone.h": "/* Zones. */\nint64_t zone_offset(void);\n"},
    a_file_is_named_after_a_thing: {"core/time_utils.c": ""},
    a_function_fits_on_a_screen: {"core/zone.c": "void f(void)\n{\n" + "\tg();\n" * 61 + "}\n"},
    the_code_map_names_every_module: {
        "README.md": "## Code map\n`core/zone`\n",
        "core/zone.c": "",
        "core/span.c": "",
    },
    the_code_map_names_nothing_else: {"README.md": "## Code map\n`core/zone`\n", "core/span.c": ""},
}

# More ways to break a rule that is easily written too narrow.
BREACHES = [
    (a_library_has_one_owner, "core/event.c", "#include <json-c/json.h>\n"),
    (a_library_has_one_owner, "core/event.c", "#include <json.h>\n"),
    (a_library_has_one_owner, "core/event.c", "#  include <mosquitto.h>\n"),
    (a_library_has_one_owner, "gateway/publish.c", "#include <mosquitto.h>\n"),
    (a_library_has_one_owner, "gateway/main.c", "#include <microhttpd.h>\n"),
    (a_library_has_one_owner, "api/spaces.c", "#include <microhttpd.h>\n"),
    (sql_stands_in_sql_files, "ctl/check.c", 'char *q = "INSERT INTO space VALUES (1)";\n'),
    (sql_stands_in_sql_files, "ctl/check.c", 'char *q = "PRAGMA user_version";\n'),
    (sql_stands_in_sql_files, "core/store.c", 'char *q = "DELETE FROM space";\n'),
    (sql_stands_in_sql_files, "core/history.c", 'char *q = "select_" "UPDATE space SET id = 1";\n'),
]

# What is no breach, though it looks like one.
INNOCENT = [
    (a_library_has_one_owner, "core/event.c", '#include "json.h"\n'),
    (a_library_has_one_owner, "core/store.c", "#include <sqlite3.h>\n"),
    (sql_stands_in_sql_files, "core/store.c", 'execute(store, "BEGIN IMMEDIATE");\n'),
    (sql_stands_in_sql_files, "core/store.c", '/* "SELECT 1 FROM space" */\n'),
    (sql_stands_in_sql_files, "api/routes.c", '{"DELETE", "/spaces/{id}"}, {"GET, DELETE", ""}\n'),
    (sql_stands_in_sql_files, "ctl/space.c", '"update", "Select a space to update", "created"\n'),
    (a_source_has_no_conditional_compilation, "core/zone.c", "#include <glib.h>\n#define X 1\n"),
    (a_file_is_named_after_a_thing, "core/commonwealth.c", ""),
]


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_can_fail(rule, tmp_path):
    assert list(rule(tree(tmp_path, RULES[rule])))


@pytest.mark.parametrize("rule, path, text", BREACHES)
def test_the_rule_sees(rule, path, text, tmp_path):
    assert list(rule(tree(tmp_path, {path: text})))


@pytest.mark.parametrize("rule, path, text", INNOCENT)
def test_the_rule_spares(rule, path, text, tmp_path):
    assert list(rule(tree(tmp_path, {path: text}))) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps(rule):
    breaches = list(rule(Path(SOURCE_DIR)))
    assert not breaches, "\n" + "\n".join(breaches)
