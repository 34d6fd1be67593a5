"""The manual pages: clean, and complete. They are made from what the programs say (man/fill.py); here that is read again."""

import os
import re
import subprocess

import pytest

from harness import bin_dir

PAGES = ("headcount.1", "headcount.conf.5", "headcount-gateway.8", "headcount-api.8")


def page(name):
    return bin_dir().parent / "man" / name


def man(*arguments, **environment):
    return subprocess.run(
        ["man", *arguments],
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "300", "MAN_KEEP_FORMATTING": "", **environment},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )


def text_of(name):
    """What a reader sees, in lines that are not broken but at their ends."""
    return man("--no-hyphenation", "--no-justification", page(name)).stdout.replace("‐", "-")


def said(program, *arguments):
    return subprocess.run([bin_dir() / program, *arguments], check=True, capture_output=True, text=True).stdout


def options_in(text):
    return set(re.findall(r"^ *(?:-\w, )?(--[\w-]+)", text, re.M))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_mistake(name):
    assert man("--warnings", "--encoding=UTF-8", "-Tutf8", "-Z", page(name)).stderr == ""


def test_man_finds_mistakes(tmp_path):
    wrong = tmp_path / "wrong.1"
    wrong.write_text('.TH WRONG 1\n.SH NAME\nwrong \\- wrong\n.QQ\n')
    assert "QQ" in man("--warnings", "-Tutf8", "-Z", wrong).stderr


def test_every_command_is_there_with_its_options():
    text = text_of("headcount.1")
    listed = re.search(r"^Commands:\n(.*?)\n\n", said("headcount", "--help"), re.M | re.S)[1]
    commands = [re.split(r"  +", line.strip())[0] for line in listed.splitlines()]
    assert len(commands) > 20
    everywhere = options_in(said("headcount", "--help"))
    for command in commands:
        found = re.search(rf"^   {command}( [^a-z\n-][^\n]*)?\n(.*?)(?=^ {{0,3}}\S)", text, re.M | re.S)
        assert found, command
        assert options_in(found[2]) == options_in(said("headcount", *command.split(), "--help")) - everywhere


def test_every_key_is_there_with_its_default():
    text = text_of("headcount.conf.5")
    keys = re.findall(r"^(\w+)=(.*)$", said("headcount-gateway", "--print-config"), re.M)
    assert len(keys) > 20
    for name, value in keys:
        assert f"       {name}" + (f" (default: {value})" if value else "") in text.splitlines()


@pytest.mark.parametrize("program", ["headcount-gateway", "headcount-api"])
def test_every_option_of_a_daemon_is_there(program):
    assert options_in(text_of(f"{program}.8")) == options_in(said(program, "--help"))
