"""A manual page from what the programs say of themselves: fill.py TEMPLATE PAGE PROGRAM

In the template, a line @OPTIONS@ becomes the program's options, @COMMANDS@ its commands with the options that they alone
have, and @KEYS@ the keys of its configuration.
"""

import os
import re
import subprocess
import sys

OPTION = re.compile(r"  (?:(-\w), )?(--[\w-]+)(?:=(\S+))? +(\S.*)")
COMMAND = re.compile(r"  (\S+(?: \S+)*?)  +(\S.*)")
KEY = re.compile(r"(\w+)=(.*)")


def said(*command):
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", env=environment).stdout


def roff(text):
    """Text as it is: no letter of it means anything to troff."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return re.sub(r"^\.", r"\\&.", escaped)


def sections(text):
    """What stands under each heading of a --help, "" being what has none: {heading: [line]}."""
    found, heading = {"": []}, ""
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][\w ]*:", line):
            heading = line[:-1]
            found[heading] = []
        elif heading and not line.strip():
            heading = ""
        elif line.startswith("  ") or not heading:
            found[heading].append(line)
        else:
            raise SystemExit(f"fill.py: what is this in a --help? {line}")
    return found


def options_of(text):
    """Those of a --help: [(short or None, long, argument or None, what it does)]."""
    found = sections(text)
    matches = [
        OPTION.fullmatch(line) for line in found.get("Application Options", []) + found.get("Help Options", [])
    ]
    if not matches or None in matches:
        raise SystemExit(f"fill.py: unknown options in\n{text}")
    return [match.groups() for match in matches]


def option_lines(options):
    for short, long, argument, text in options:
        name = rf"\fB{roff(long)}\fR" + (rf"=\fI{roff(argument)}\fR" if argument else "")
        yield ".TP"
        yield rf"\fB{roff(short)}\fR, {name}" if short else name
        yield roff(text)


def paragraphs(lines):
    """Paragraphs, of which those with indented lines stay as they are."""
    for block in "\n".join(lines).strip("\n").split("\n\n"):
        indented = "\n " in "\n" + block
        yield ".PP"
        yield from [".nf"] * indented
        yield from map(roff, block.split("\n"))
        yield from [".fi"] * indented


def command_lines(program):
    overview = said(program, "--help")
    common = {long for _, long, _, _ in options_of(overview)}
    for line in sections(overview)["Commands"]:
        name, summary = COMMAND.fullmatch(line).groups()
        text = said(program, *name.split(), "--help")
        found = sections(text)
        usage = found["Usage"][0].split("[OPTION…]")[1].strip()
        yield rf".SS {roff(name)}" + (rf" \fI{roff(usage)}\fP" if usage else "")
        yield roff(summary) + "."
        yield from option_lines(option for option in options_of(text) if option[1] not in common)
        # The summary stands first.
        more = found[""][found[""].index(summary) + 1 :]
        if any(more):
            yield from paragraphs(more)


def key_lines(program):
    comment = []
    for line in said(program, "--print-config").splitlines():
        key = KEY.fullmatch(line)
        if key:
            yield ".TP"
            yield rf"\fB{roff(key[1])}\fR" + (f" (default: {roff(key[2])})" if key[2] else "")
            yield from map(roff, comment)
        elif line.startswith("["):
            yield f".SS {roff(line)}"
        if line.startswith("#"):
            comment.append(line[1:].strip())
        else:
            comment = []


FILLERS = {
    "@OPTIONS@": lambda program: option_lines(options_of(said(program, "--help"))),
    "@COMMANDS@": command_lines,
    "@KEYS@": key_lines,
}


def main(template, page, program):
    with open(template, encoding="utf-8") as file:
        lines = file.read().splitlines()
    with open(page, "w", encoding="utf-8") as file:
        for line in lines:
            filled = FILLERS[line](program) if line in FILLERS else [line]
            file.writelines(each + "\n" for each in filled)


main(*sys.argv[1:])
