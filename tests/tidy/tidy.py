#!/usr/bin/env python3
"""Rules about the source text, as a test: walls between boxes, a pure core, size, leftovers.

    tidy.py ROOT         prints one line per violation (PATH:LINE: RULE: what); fails on any
    tidy.py --self-test  plants each kind of violation in a canary tree, which must be rejected

The linker keeps the walls between boxes too, but cannot see a header that needs no symbol, nor that
libc has a clock. Comments and strings are blanked first: to speak of a thing is not to use it.
"""
import os
import re
import sys
import tempfile

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
LONG_FUNCTIONS = "tests/tidy/long_functions.txt"
NAMES_TESTS = "docs/horde.md"
SKIPPED = {".git", "build", "__pycache__", "tests/golden", "tests/bad", "docs"}

PURE_HEADERS = {"assert.h", "inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h",
                "stdint.h", "stdio.h", "stdlib.h", "string.h"}
PURE_BOXES = ("crdt/", "placement/", "agent/core/")
# What each box may include of ours. Boxes absent here (main.c, most tests) may include anything.
MAY_INCLUDE = {
    "crdt/": ("crdt/",),
    "placement/": ("placement/",),
    "agent/core/": ("agent/core/", "crdt/", "placement/"),
    "agent/codec/": ("agent/codec/", "agent/core/", "crdt/", "placement/"),
    "agent/guard/": ("agent/guard/",),
    "agent/io/": ("agent/io/", "agent/guard/", "agent/codec/", "agent/core/", "crdt/",
                  "placement/"),
    "agent/cli/": ("agent/cli/", "agent/codec/", "agent/core/", "crdt/", "placement/"),
    "tests/sim/": ("tests/", "agent/codec/", "agent/core/", "crdt/", "placement/"),
}
OURS = ("crdt/", "placement/", "agent/")

IMPURE_CALLS = """
    time clock clock_gettime clock_nanosleep gettimeofday timespec_get localtime localtime_r
    gmtime gmtime_r mktime sleep usleep nanosleep alarm timer_create
    getenv secure_getenv setenv putenv
    rand rand_r srand random srandom drand48 lrand48 arc4random arc4random_uniform getrandom
    getentropy
    printf vprintf puts putchar fprintf vfprintf dprintf fputs fputc perror scanf fscanf
    getchar getline
    fopen freopen fdopen fmemopen fclose fread fwrite fgets fgetc fflush tmpfile remove rename
    unlink
    open openat creat close read write pread pwrite readv writev stat fstat lstat mkdir opendir
    fsync fdatasync mmap ioctl fcntl
    socket socketpair bind listen accept accept4 connect send sendto sendmsg recv recvfrom
    recvmsg poll ppoll select epoll_create1 epoll_ctl epoll_wait getaddrinfo gethostname
    system popen fork vfork execve execv execvp execl execlp posix_spawn kill raise signal
    sigaction getpid syscall""".split()
IMPURE_PREFIXES = r"pthread_\w+|thrd_\w+|mtx_\w+|cnd_\w+|sem_\w+|uv_\w+|nng_\w+|curl_\w+|MHD_\w+"
UNBOUNDED_CALLS = "strcpy strcat sprintf vsprintf gets".split()
SLEEP_CALLS = "sleep usleep nanosleep clock_nanosleep".split()

# Not `x->time(...)`, which is a member of ours.
NOT_A_MEMBER = r"(?<![\w.])(?<!->)"


def call_pattern(names, prefixes=None):
    words = "|".join(names) + ("|" + prefixes if prefixes else "")
    return re.compile(NOT_A_MEMBER + r"(" + words + r")\s*\(")


IMPURE = call_pattern(IMPURE_CALLS, IMPURE_PREFIXES)
IMPURE_WORDS = re.compile(NOT_A_MEMBER + r"(stdout|stderr|stdin|FILE|errno|environ)\b")
UNBOUNDED = call_pattern(UNBOUNDED_CALLS)
# Tests put literals into their own arrays, under AddressSanitizer.
UNBOUNDED_IN_TESTS = call_pattern("sprintf vsprintf gets".split())
SLEEP = call_pattern(SLEEP_CALLS)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>]+)>|"([^"]+)"|(.*))', re.M)
# Spelled in two halves, or this file would be its own first finding.
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b(?!\s*\([^)\s][^)]*\))")
LEXEMES = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(source):
    return LEXEMES.sub(lambda m: blank(m[0]) if m[0].startswith("/") else m[0], source)


def without_comments_and_strings(source):
    return LEXEMES.sub(lambda m: blank(m[0]), source)


def without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: blank(m[0]), code, flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def box_of(path):
    return next((box for box in MAY_INCLUDE if path.startswith(box)), None)


def check_includes(path, source):
    box = box_of(path)
    for match in INCLUDE.finditer(without_comments(source)):
        line, system, own = line_of(source, match.start()), match[1], match[2]
        name = own or system
        if name is None:
            yield line, "include", "an include of a macro cannot be checked"
        elif name.startswith("../") or "/../" in name:
            yield line, "include", f"{name}: from the root of the repository, please"
        elif box in PURE_BOXES and system and system not in PURE_HEADERS:
            yield line, "include", f"<{system}> in {box}, which is pure"
        elif box in PURE_BOXES and own and not own.startswith(MAY_INCLUDE[box]):
            yield line, "include", f'"{own}" in {box}, which includes only {MAY_INCLUDE[box]}'
        elif box and name.startswith(OURS) and not name.startswith(MAY_INCLUDE[box]):
            yield line, "include", f"{name} in {box}: upward or sideways"


def find(pattern, code, rule, why):
    for match in pattern.finditer(code):
        yield line_of(code, match.start()), rule, f"{match[1]}: {why}"


def check_calls(path, source):
    code = without_comments_and_strings(source)
    if path.startswith(PURE_BOXES):
        body = re.sub(r"#[ \t]*include[^\n]*", lambda m: blank(m[0]), code)
        yield from find(IMPURE, body, "impure", "time, randomness and the world are arguments here")
        yield from find(IMPURE_WORDS, body, "impure", "no streams, errno or environment here")
    unbounded = UNBOUNDED_IN_TESTS if path.startswith("tests/") else UNBOUNDED
    yield from find(unbounded, code, "unbounded", "does not know how long its target is")
    if path.startswith("tests/") and not path.startswith("tests/system/"):
        yield from find(SLEEP, code, "sleep", "a test that sleeps is slow, or fails when busy")


def functions(source):
    """(name, first line, last line) of each function: an outermost block after a parenthesis."""
    code = without_preprocessor(without_comments_and_strings(source))
    depth, statement, start, opened_by_function = 0, 0, 0, False
    for match in re.finditer(r"[{};]", code):
        at, mark = match.start(), match[0]
        if mark == "{":
            if depth == 0:
                head = code[statement:at]
                opened_by_function = head.rstrip().endswith(")")
                start = statement + len(head) - len(head.lstrip())
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0 and opened_by_function:
                names = re.findall(r"(\w+)\s*\(", code[start:at])
                yield names[0] if names else "?", line_of(code, start), line_of(code, at)
        if depth == 0:
            statement = at + 1


def check_lengths(path, source, allowed):
    for name, first, last in functions(source):
        lines, limit = last - first + 1, allowed.pop((path, name), None)
        if limit is not None and lines < limit:
            yield first, "ratchet", f"{name} has {lines} lines now, {LONG_FUNCTIONS} says {limit}"
        elif lines > (limit or FUNCTION_LINES_MAX):
            yield first, "length", f"{name} has {lines} lines of {limit or FUNCTION_LINES_MAX}"


def check_text(path, source):
    for number, line in enumerate(source.split("\n"), 1):
        if len(line) > COLUMNS_MAX and not path.endswith((".txt", ".yaml", ".yml")):
            yield number, "columns", f"{len(line)} of {COLUMNS_MAX}"
        if line != line.rstrip():
            yield number, "white space", "at the end of the line"
        if LEFTOVER.search(line):
            yield number, "leftover", "without a reason in parentheses: " + line.strip()[:60]


def is_text(path):
    name = os.path.basename(path)
    return (name.endswith((".c", ".h", ".py", ".sh", ".yaml", ".yml", ".cmake")) or
            name in ("CMakeLists.txt", "Dockerfile") or
            path.startswith(("script/", ".ci/")) and "." not in name)


def sources_of(root):
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        prefix = "" if relative == "." else relative + "/"
        folders[:] = sorted(f for f in folders if prefix + f not in SKIPPED and f not in SKIPPED
                            and not os.path.exists(os.path.join(folder, f, "CMakeCache.txt")))
        for name in sorted(names):
            if is_text(prefix + name):
                yield prefix + name


def read_allowed(root):
    allowed = {}
    file = os.path.join(root, LONG_FUNCTIONS)
    if os.path.exists(file):
        for line in open(file, encoding="utf-8"):
            if line.strip() and not line.startswith("#"):
                path, name, lines = line.split()
                allowed[path, name] = int(lines)
    return allowed


def check_named_tests(root):
    """A document that names a test as its proof must name one that is there."""
    path = os.path.join(root, NAMES_TESTS)
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        tests = ""
        for program, name in re.findall(r'\b((?:unit|sim|laws|system)/\w+)|"([^"]+)"', line):
            if program:
                box, _, stem = program.partition("/")
                file = f"tests/system/test_{stem}.py" if box == "system" else \
                       f"tests/{box}/{stem}_test.c"
                tests = source_of(root, file)
                if not tests:
                    yield NAMES_TESTS, number, "named test", f"there is no {file}"
            elif tests and f'"{name}"' not in tests and \
                    f"def test_{name.replace(' ', '_')}(" not in tests:
                yield NAMES_TESTS, number, "named test", f'there is no "{name}" in {file}'


def source_of(root, path):
    if not os.path.exists(os.path.join(root, path)):
        return ""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def check_tree(root):
    allowed, found = read_allowed(root), list(check_named_tests(root))
    for path in sources_of(root):
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            source = file.read()
        problems = list(check_text(path, source))
        if path.endswith((".c", ".h")):
            problems += check_includes(path, source)
            problems += check_calls(path, source)
            problems += check_lengths(path, source, allowed)
        found += [(path, *problem) for problem in problems]
    found += [(path, 1, "ratchet", f"{name} is in {LONG_FUNCTIONS}, but there is none")
              for path, name in allowed]
    return sorted(found)


# Each canary is one file that must be rejected by the rule named, and for nothing else.
CANARIES = [
    ("include", "crdt/a.c", "#include <time.h>\n"),
    ("include", "crdt/a.h", "#  include <sys/socket.h>\n"),
    ("include", "crdt/a.c", '#include "placement/ring.h"\n'),
    ("include", "crdt/a.c", '#include "agent/core/node.h"\n'),
    ("include", "placement/a.c", '#include "crdt/dot.h"\n'),
    ("include", "placement/a.c", "#include <pthread.h>\n"),
    ("include", "placement/a.c", '#include "ring.h"\n'),
    ("include", "agent/core/a.c", "#include <cjson/cJSON.h>\n"),
    ("include", "agent/core/a.c", '#include "agent/codec/json.h"\n'),
    ("include", "agent/core/a.c", '#include "agent/io/loop.h"\n'),
    ("include", "agent/core/a.c", "#include HEADER\n"),
    ("include", "agent/core/a.c", '#include "agent/core/../io/loop.h"\n'),
    ("include", "agent/codec/a.c", '#include "agent/io/loop.h"\n'),
    ("include", "agent/codec/a.c", "#include <agent/cli/cli.h>\n"),
    ("include", "agent/cli/a.c", '#include "agent/io/loop.h"\n'),
    ("include", "agent/io/a.c", '#include "agent/cli/cli.h"\n'),
    ("include", "tests/sim/a.c", '#include "agent/io/loop.h"\n'),
    ("impure", "crdt/a.c", "long f(void)\n{\n    return time(0);\n}\n"),
    ("impure", "crdt/a.c", "#define NOW clock_gettime (1, 0)\n"),
    ("impure", "placement/a.c", "int f(void)\n{\n    return rand();\n}\n"),
    ("impure", "placement/a.c", 'char *f(void)\n{\n    return getenv("A");\n}\n'),
    ("impure", "agent/core/a.c", "void f(void)\n{\n    pthread_yield();\n}\n"),
    ("impure", "agent/core/a.c", 'void f(void)\n{\n    printf("x");\n}\n'),
    ("impure", "agent/core/a.c", "void *f(void)\n{\n    return stderr;\n}\n"),
    ("impure", "agent/core/a.c", "int f(void)\n{\n    return a - socket(1, 2, 3);\n}\n"),
    ("unbounded", "agent/io/a.c", "void f(char *a)\n{\n    strcpy(a, a);\n}\n"),
    ("unbounded", "tests/unit/a.c", 'void f(char *a)\n{\n    sprintf(a, "x");\n}\n'),
    ("unbounded", "agent/main.c", "void f(char *a)\n{\n    strcat(a, a);\n}\n"),
    ("unbounded", "agent/cli/a.c", "void f(char *a)\n{\n    gets(a);\n}\n"),
    ("sleep", "tests/unit/a.c", "void f(void)\n{\n    usleep(1);\n}\n"),
    ("sleep", "tests/sim/a.c", "void f(void)\n{\n    sleep (1);\n}\n"),
    ("columns", "agent/io/a.c", "/* " + "x" * 98 + " */\n"),
    ("columns", "script/a", "# " + "x" * 99 + "\n"),
    ("white space", "crdt/a.h", "int a; \n"),
    ("white space", "tests/a.py", "a = 1\t\n"),
    ("leftover", "crdt/a.h", "/* TO" "DO: later */\n"),
    ("leftover", "agent/main.c", "int a; // FIX" "ME ()\n"),
    ("leftover", "CMakeLists.txt", "# X" "XX\n"),
    ("length", "agent/io/a.c", "int f(int a)\n{\n" + "    a++;\n" * 68 + "}\n"),
    ("length", "tests/unit/a.c",
     "static struct x *\nf(void)\n{\n" + "    if (a) {\n    }\n" * 34 + "}\n"),
    ("ratchet", LONG_FUNCTIONS, "agent/io/gone.c f 80\n"),
    ("named test", NAMES_TESTS, "| a | b | unit/gone |\n"),
]

# And this tree must pass: all that looks like a violation but is none.
INNOCENT = {
    "crdt/a.c": '#include "crdt/a.h"\n#include <string.h>\n/* time(0), rand() and <time.h> */\n'
                'const char *f(struct s *s)\n{\n    s->time(1);\n    s.open(2);\n    my_rand();\n'
                '    return "fopen(x) /* ";\n}\nint uptime(int time);\n',
    "placement/a.c": "/* \"quote */\nchar c = '\"';\nint f(int time)\n{\n    return time;\n}\n",
    "agent/core/a.c": '#include "crdt/a.h"\n#include "placement/a.h"\n#include "agent/core/a.h"\n',
    "agent/codec/a.c": '#include <yaml.h>\n#include "agent/core/a.h"\n',
    "agent/io/a.c": '#include <time.h>\n#include "agent/codec/a.h"\n'
                    "int f(int a)\n{\n" + "    a++;\n" * 67 + "}\n",
    "agent/main.c": '#include "agent/io/a.h"\n#include "agent/cli/a.h"\n',
    "agent/cli/a.c":
        "struct t t[] = {\n" + "    {1},\n" * 90 + "};\n/* TO" "DO(when nng 2 is out) */\n",
    "agent/io/long.c": "int g(int a)\n{\n" + "    a++;\n" * 77 + "}\n",
    LONG_FUNCTIONS: "# a ratchet\nagent/io/long.c g 80\n",
    "tests/unit/a.c": "#define F \\\n    {{{\nint g(void)\n{\n    return usleep_count;\n}\n",
    NAMES_TESTS: '| a "b" | unit/named "one thing" and system/named "another one" |\n',
    "tests/unit/named_test.c": 'UNIT_MAIN("named", {"one thing", one_thing})\n',
    "tests/system/test_named.py": "def test_another_one(self):\n    pass\n",
    "build/release/a.c": "bad \n",
    "b/CMakeCache.txt": "",
    "b/a.c": "bad \n",
}


def plant(root, files):
    for path, source in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(source)


def self_test():
    failures = 0
    for rule, path, source in CANARIES:
        with tempfile.TemporaryDirectory() as root:
            plant(root, {path: source})
            rules = [violation[2] for violation in check_tree(root)]
        if rules != [rule]:
            failures += 1
            print(f"self-test: expected {rule} alone, got {rules or 'nothing'}:", path, source[:80])
    with tempfile.TemporaryDirectory() as root:
        plant(root, INNOCENT)
        for violation in check_tree(root):
            failures += 1
            print("self-test: innocent, but rejected:", violation)
    print(f"tidy self-test: {len(CANARIES)} canaries, {failures} failures")
    return failures


def main(arguments):
    if arguments == ["--self-test"]:
        return 1 if self_test() else 0
    if len(arguments) != 1 or not os.path.isdir(arguments[0]):
        print("usage: tidy.py ROOT | --self-test", file=sys.stderr)
        return 2
    found = check_tree(arguments[0])
    for path, line, rule, what in found:
        print(f"{path}:{line}: {rule}: {what}")
    print(f"tidy: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
