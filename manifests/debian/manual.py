#!/usr/bin/env python3
"""hordelet(1) out of what the program says of itself: manual.py PROGRAM PAGE"""
import re
import subprocess
import sys


def told(program, *words):
    return subprocess.run([program, *words], text=True, check=True, capture_output=True).stdout


def roff(text):
    """As it stands: no dash is a hyphen, and no line of it is a request."""
    text = text.rstrip().replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\\&.", text, flags=re.M)


def section(title, text):
    return f".SH {title}\n.nf\n{roff(text)}\n.fi\n"


def page(program):
    version = told(program, "--version").split()[1]
    overview = told(program, "help")
    verbs = re.findall(r"^  ([a-z-]+)  +\S", overview.split("Verbs:\n")[1], flags=re.M)
    parts = [f'.TH HORDELET 1 "" "hordelet {version}" "User Commands"\n',
             ".SH NAME\nhordelet \\- a container orchestrator with no control plane\n",
             section("OVERVIEW", overview)]
    for verb in verbs:
        if verb != "help":
            parts.append(section(f'"hordelet {roff(verb)}"', told(program, verb, "--help")))
    parts.append(".SH FILES\n.TP\n.I /etc/hordelet/agent.yaml\nthe agent's flags, of the package's "
                 "unit\n.TP\n.I /var/lib/hordelet\nwhat a node must not forget\n.TP\n"
                 ".I /run/hordelet\nthe deadlines of quorum-guarded containers\n")
    return "".join(parts)


def main():
    program, path = sys.argv[1:]
    with open(path, "w", encoding="utf-8") as file:
        file.write(page(program))


if __name__ == "__main__":
    main()
