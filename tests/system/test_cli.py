"""The command line client as people use it: describe, export and restore, completion, help."""
import contextlib
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

from harness import BINARY, POLITE, SystemTest, wait_until, workload


def run(*arguments, **environment):
    return subprocess.run([BINARY, *arguments], text=True, capture_output=True, check=False,
                          timeout=60, env={**os.environ, **environment})


class Describe(SystemTest):
    def test_each_kind_with_its_owners_relatives_and_events(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 3, POLITE, container={
            "ports": [{"name": "http", "containerPort": 80}]}))
        cluster.exactly_once("web", 3)
        told = self.described(cluster, "workload", "web")
        self.assertRegex(told, r"(?m)^Owned by: +supervisor/default$")
        self.assertRegex(told, r"(?m)^  Available +True +ReplicasReady +3 of 3 replicas are ready$")
        self.assertRegex(told, r"(?m)^  web-2 +Running +1/1 +n\d +1 +0 ")
        for ordinal in range(3):  # of all members
            self.assertRegex(told, rf"(?m)^  \d+s +Normal +Started +child/web-{ordinal} +n\d ")
        told = self.described(cluster, "child/web-0")
        self.assertRegex(told, r"(?m)^Owned by: +workload/web of supervisor/default$")
        self.assertRegex(told, r"(?m)^Container: +[0-9a-f]{64}$")
        self.assertNotIn("web-1", told)
        told = self.described(cluster, "name", "web-1")
        self.assertRegex(told, r"(?m)^Owned by: +child/web-1 of workload/web$")
        told = self.described(cluster, "member", "n2")
        self.assertRegex(told, r"(?m)^Phase: +alive$")
        self.assertRegex(told, r"(?m)^  \d+s +Normal +AgentStarted +member/n2 +n2 ")
        told = self.described(cluster, "supervisor", "default")
        self.assertRegex(told, r"(?m)^  n3 +alive$")
        self.assertRegex(told, r"(?m)^  default +web +3/3 +3 ")
        columns = {len(m.group()) for m in re.finditer(r"(?m)^[A-Z][A-Za-z ]*: +(?=\S)", told)}
        self.assertEqual(len(columns), 1, "values stand in one column")
        cluster[3].freeze()
        result = cluster[1].cli("describe", "workload", "web")
        cluster[3].thaw()
        self.assertEqual(result.returncode, 0)
        self.assertIn("no answer from n3", result.stderr)

    def described(self, cluster, *arguments):
        result = cluster[1].cli("describe", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_what_is_not_there(self):
        cluster = self.cluster(1)
        result = cluster[1].cli("describe", "child", "web-7")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("not found", result.stderr)
        self.assertEqual(cluster[1].cli("describe", "members").returncode, 2)
        self.assertEqual(cluster[1].cli("describe").returncode, 2)


SUPERVISOR = """apiVersion: hordelet.dev/v1
kind: Supervisor
metadata: {name: %s, labels: {tier: back}}
spec: {distributionStrategy: UniformRandom, maxChildren: 7}
"""
WORKLOAD = """apiVersion: hordelet.dev/v1
kind: Workload
metadata: {name: web, namespace: %s, annotations: {note: "it's: {odd}"}}
spec:
  supervisor: back
  replicas: 0
  names: [{name: shop, value: {a: [1, "2", null]}}]
  container:
    image: "busybox:1"
    command: [sh, "-c", "echo 'a'\\nsleep 1"]
    env: [{name: X, value: ""}]
"""


class Restore(SystemTest):
    def file(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def test_an_export_restored_elsewhere_exports_the_same(self):
        first = self.cluster(1)
        documents = "---\n".join([WORKLOAD % "default", WORKLOAD % "shop", SUPERVISOR % "back"])
        self.assertEqual(first[1].cli("apply", "-f", self.file(documents)).returncode, 0)
        exported = first[1].cli("export").stdout
        first.close()
        second = self.cluster(2)
        path = self.file(exported)
        result = second[1].cli("restore", path, "--dry-run")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("workload/web in shop created (dry run)\n", result.stdout)
        self.assertEqual(second[2].cli("get", "workloads", "-A", "-o", "name").stdout, "")
        result = second[1].cli("restore", path)
        self.assertEqual(result.returncode, 0, result.stderr)
        done = result.stdout.splitlines()
        self.assertLess(done.index("supervisor/back created"), done.index("workload/web created"))
        self.assertEqual(second[2].cli("export").stdout, exported)
        result = second[2].cli("restore", path)
        self.assertEqual(result.stdout.count(" unchanged\n"), exported.count("---\n"))

        changed = exported.replace("maxChildren: 7", "maxChildren: 8")
        result = second[2].cli("restore", self.file(changed))
        self.assertIn("supervisor/back configured\n", result.stdout)
        self.assertEqual(result.stdout.count(" configured\n"), 1)
        self.assertEqual(second[1].cli("export").stdout, changed)

    def test_what_was_done_as_json(self):
        cluster = self.cluster(2)
        agent = cluster[1]

        def told(*arguments, status=0):
            result = agent.cli(*arguments, "-o", "json")
            self.assertEqual(result.returncode, status, result.stderr)
            return json.loads(result.stdout)
        web = self.file(json.dumps(workload("web", 2)))
        both = self.file("---\n".join([WORKLOAD % "shop", SUPERVISOR % "back"]))
        self.assertEqual(told("apply", "-f", web, "--dry-run")["metadata"]["name"], "web")
        applied = told("apply", "-f", web, "--wait")  # and no line of its progress
        self.assertEqual(applied["status"]["readyReplicas"], 2)
        self.assertNotIn("managedFields", applied["metadata"])
        self.assertEqual([item["kind"] for item in told("apply", "-f", both)["items"]],
                         ["Workload", "Supervisor"])
        result = agent.cli("apply", "-f", both, "-o", "name")
        self.assertEqual(result.stdout, "workload/web\nsupervisor/back\n")
        self.assertEqual([item["kind"] for item in told("restore", both)["items"]],
                         ["Supervisor", "Workload"])
        wrong = self.file((WORKLOAD % "shop").replace("replicas: 0", "replicas: many"))
        self.assertEqual(told("apply", "-f", wrong, status=1)["items"], [])
        self.assertEqual(told("wait", "workload/web")["metadata"]["name"], "web")
        self.assertEqual(told("register", "db", "10.0.0.5:5432", "--token", "a-token-of-our-own")
                         ["metadata"]["name"], "db")
        self.assertIn("kind", told("unregister", "db", "--token", "a-token-of-our-own"))
        self.assertEqual(told("join", cluster[2].gossip)["status"], "Success")
        versions = told("version")
        self.assertEqual(versions["clientVersion"]["gitVersion"],
                         versions["serverVersion"]["gitVersion"])
        self.assertNotIn("server", told("version", "--client"))
        scaled = told("scale", "workload/web", "--replicas", "1", "--wait")  # and only that
        self.assertEqual((scaled["kind"], scaled["spec"]["replicas"]), ("Scale", 1))
        self.assertTrue(told("cordon", "n2")["spec"]["unschedulable"])
        self.assertFalse(told("uncordon", "n2")["spec"].get("unschedulable"))
        self.assertEqual(told("set-members", "back", "n1,n2")["spec"]["members"], ["n1", "n2"])
        self.assertEqual(told("rebalance", "default", "--dry-run")["status"]["moves"], [])
        self.assertEqual(told("terminate", "web-0")["status"], "Success")
        self.assertEqual(agent.cli("delete", "workload/web", "-o", "name", "--wait").stdout,
                         "workload/web\n")
        self.assertEqual(told("delete", "workload/web", "-n", "shop")["status"], "Success")
        drained = told("drain", "n2")
        self.assertTrue(drained["status"]["draining"])
        self.assertEqual(drained["status"]["children"], 0)
        self.assertEqual(agent.cli("drain", "n2", "-o", "wide").returncode, 2)
        self.assertEqual(told("leave")["status"], "Success")

    def test_colours_are_for_terminals(self):
        cluster = self.cluster(1)
        api = f"unix://{cluster[1].data}/api.sock"

        def members():
            text = run("get", "members", "--api", api).stdout
            return "://" in text and text
        plain = wait_until(members, 20, "the engine has said what it is: nothing changes any more")
        self.assertNotIn("\033", plain)
        for environment, coloured in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                                      ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            pid, terminal = pty.fork()
            if pid == 0:
                os.environ.update(environment)
                os.execv(BINARY, [BINARY, "get", "members", "--api", api])
            shown = b""
            with contextlib.suppress(OSError):  # the end of a terminal
                while piece := os.read(terminal, 65536):
                    shown += piece
            os.close(terminal)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            text = shown.decode().replace("\r", "")
            self.assertEqual("\033[32malive\033[0m" in text, coloured)
            self.assertEqual(text.replace("\033[32m", "").replace("\033[0m", "").split(),
                             plain.split())

    def test_one_wrong_document_changes_nothing(self):
        cluster = self.cluster(1)
        text = "---\n".join([SUPERVISOR % "back", WORKLOAD % "default",
                             (WORKLOAD % "shop").replace("replicas: 0", "replicas: many")])
        result = cluster[1].cli("restore", self.file(text))
        self.assertEqual(result.returncode, 1)
        self.assertIn("workload/web in shop", result.stderr)
        self.assertIn("1 of 3 documents cannot be restored: nothing was changed", result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(cluster[1].cli("get", "sup", "back").returncode, 1)

    def test_an_agent_that_goes_away_is_told_of(self):
        cluster = self.cluster(1)
        path = self.file(SUPERVISOR % "back")
        cluster[1].kill()
        result = run("restore", path, "--api", f"unix://{cluster[1].data}/api.sock")
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot reach the agent", result.stderr)


def screen(text):
    """What is to be seen after tables that were drawn over each other."""
    first, *later = re.split(r"\033\[(\d+)A\033\[J", text)
    lines = first.splitlines()
    for up, drawn in zip(later[::2], later[1::2]):
        lines[-int(up):] = drawn.splitlines()
    return lines


class Watching(SystemTest):
    def watched(self, agent, rows, until):
        """The output of `get workloads -w` on a terminal of so many rows."""
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
            os.environ["TERM"] = "dumb"
            api = f"unix://{agent.data}/api.sock"
            os.execv(BINARY, [BINARY, "get", "workloads", "-w", "--timeout", "60s", "--api", api])
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        text = ""

        def read(wanted):
            nonlocal text
            deadline = time.monotonic() + 20
            while not wanted(text):
                left = max(0, deadline - time.monotonic())
                self.assertTrue(select.select([terminal], [], [], left)[0], text)
                text += os.read(terminal, 65536).decode().replace("\r", "")
        read(lambda text: "web" in text)
        until(agent)
        read(lambda text: re.search(r"^web +2/2 ", screen(text)[-1]))
        return text

    def test_a_table_is_drawn_anew_where_there_is_room_and_told_by_lines_elsewhere(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 1))

        def scale(agent, replicas=2):
            done = agent.cli("scale", "workload/web", "--replicas", str(replicas), "--wait")
            self.assertEqual(done.returncode, 0, done.stderr)
        drawn = self.watched(cluster[1], 24, scale)
        self.assertIn("\033[2A\033[J", drawn)
        self.assertEqual([line.split()[0] for line in screen(drawn)], ["NAME", "web"])
        scale(cluster[1], 1)
        lines = self.watched(cluster[1], 2, scale)
        self.assertNotIn("\033", lines)
        self.assertEqual({line.split()[0] for line in lines.splitlines()[1:]}, {"web"})
        self.assertGreater(len(lines.splitlines()), 3)


class Refused(unittest.TestCase):
    """What verbs make of an agent that says no: a server that says what it is told to."""

    def setUp(self):
        answers, asked = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                asked.append(self.command)
                code, body = answers.pop(0) if len(answers) > 1 else answers[0]
                data = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            do_GET = do_POST = do_DELETE = do_PATCH = answer  # names are http.server's

            def log_message(self, *arguments):
                """Quiet."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.answers, self.asked = answers, asked
        self.api = f"127.0.0.1:{server.server_address[1]}"

    @staticmethod
    def status(code, **details):
        return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                      "message": "no, thank you", "details": details}

    def test_a_busy_agent_is_asked_again_as_long_as_there_is_time(self):
        busy = self.status(429, retryAfterSeconds=1)
        self.answers[:] = [busy, (200, {"kind": "MemberList", "metadata": {}, "items": []})]
        result = run("get", "members", "-o", "json", "--api", self.api)
        self.assertEqual((result.returncode, len(self.asked)), (0, 2), result.stderr)
        self.answers[:], self.asked[:] = [self.status(429, retryAfterSeconds=9)], []
        result = run("get", "members", "--timeout", "8s", "--api", self.api)
        self.assertEqual((result.returncode, len(self.asked)), (1, 1), result.stderr)
        self.assertIn("no, thank you", result.stderr)

    def test_what_is_refused_prints_nothing_as_json(self):
        self.answers[:] = [self.status(503)]
        for verb in (["join", "10.0.0.1:7370"], ["leave"], ["detach"], ["register", "db", "a:1"],
                     ["unregister", "db", "--token", "a-token-of-our-own"],
                     ["set-members", "default", "a,b"]):
            result = run(*verb, "-o", "json", "--api", self.api)
            self.assertEqual((result.returncode, result.stdout), (1, ""), (verb, result.stderr))
            self.assertIn("no, thank you", result.stderr)
        result = run("wait", "workload", "-o", "json", "--api", self.api)
        self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)


class Completion(SystemTest):
    def words(self, line, **environment):
        result = run("completion", "words", "--", line, **environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [word.split("\t")[0] for word in result.stdout.splitlines()]

    def bash(self, *lines, environment=()):
        """What an interactive bash makes of each line once TAB has been pressed."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update({"PATH": os.path.dirname(BINARY) + ":" + os.environ["PATH"],
                               "PS1": "> ", "TERM": "dumb", **dict(environment)})
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.addCleanup(os.close, terminal)
        os.write(terminal, b'bind "set enable-bracketed-paste off"; '
                           b'eval "$(hordelet completion bash)"; echo rea""dy\n')
        self.read(terminal, "\nready")
        seen = []
        for line in lines:
            os.write(terminal, b"echo be\"\"gin\n")
            self.read(terminal, "\nbegin")
            os.write(terminal, line.encode() + b"\t")
            time.sleep(0.5)  # nothing tells that TAB has had its say
            os.write(terminal, b"\x01echo \x05; echo do\"\"ne\n")  # ^A ^E: echo it
            text = self.read(terminal, "\ndone")
            lines = [line.strip() for line in text.splitlines()]
            seen.append(lines[lines.index("done") - 1])
        os.write(terminal, b"exit\n")
        os.waitpid(pid, 0)
        return seen

    def read(self, terminal, until, seconds=20):
        text, deadline = "", time.monotonic() + seconds
        while until not in text.replace("\r", ""):
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            self.assertTrue(ready, f"no {until!r} in {text!r}")
            text += os.read(terminal, 65536).decode()
        return text.replace("\r", "")

    def test_bash_completes_verbs_flags_values_and_files(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "cluster.yaml")
        open(path, "w").close()
        lines = ["hordelet descr", "hordelet drain --time", "hordelet get --output=js",
                 "hordelet get -o ya", "hordelet get supervis", f"hordelet restore {path[:-6]}",
                 "hordelet agent --node-n", "hordelet help compl"]
        self.assertEqual(self.bash(*lines), [
            "hordelet describe", "hordelet drain --timeout", "hordelet get --output=json",
            "hordelet get -o yaml", "hordelet get supervisors", f"hordelet restore {path}",
            "hordelet agent --node-name", "hordelet help completion"])

    def test_names_are_asked_of_the_agent(self):
        cluster = self.cluster(1, "--labels", "disk=ssd")
        cluster.apply(workload("web", 2, POLITE))
        cluster.exactly_once("web", 2)
        api = {"HORDELET_API": f"unix://{cluster[1].data}/api.sock"}
        self.assertEqual(self.words("hordelet terminate ", **api), ["web-0", "web-1"])
        self.assertEqual(self.words("hordelet drain ", **api), ["n1"])
        self.assertEqual(self.words("hordelet describe child/web-", **api),
                         ["child/web-0", "child/web-1"])
        self.assertEqual(self.words("hordelet set-members quorum n1,", **api), ["n1,n1"])
        self.assertEqual(self.words("hordelet get children -n other ", **api), [])
        self.assertEqual(self.words(f"hordelet --api {api['HORDELET_API']} get wl w"), ["web"])
        self.assertEqual(self.bash("hordelet describe child we", "hordelet cordon n",
                                   environment=api.items()),
                         ["hordelet describe child web-", "hordelet cordon n1"])
        cluster[1].kill()
        self.assertEqual(self.words("hordelet drain ", **api), [])

    def test_every_shell_has_a_script(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("completion words --", run("completion", shell).stdout)
        self.assertEqual(run("completion").returncode, 2)
        self.assertEqual(run("completion", "tcsh").returncode, 2)


class Help(unittest.TestCase):
    def verbs(self):
        overview = run("--help").stdout.split("Verbs:\n")[1].split("\n\n")[0]
        return re.findall(r"(?m)^  (\S+) ", overview)

    def test_every_verb_explains_itself(self):
        verbs = self.verbs()
        self.assertGreater(len(verbs), 20)
        for verb in verbs:
            by_flag, by_verb = run(verb, "--help"), run("help", verb)
            self.assertEqual((by_flag.returncode, by_verb.returncode), (0, 0), verb)
            self.assertEqual(by_flag.stdout, by_verb.stdout)
            self.assertIn(f"hordelet {verb}", by_flag.stdout)
            self.assertIn("--", by_flag.stdout)
            self.assertLessEqual(max(map(len, by_flag.stdout.splitlines())), 120, verb)

    def test_wrong_usage_is_exit_2_with_the_remedy(self):
        for arguments, remedy in ((["descibe"], "describe"), (["get", "wrkloads"], "workloads"),
                                  (["get", "wl", "--outptu", "json"], "--output"),
                                  (["drain"], "hordelet get members"), ([], None)):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2 if remedy else 0)
            self.assertIn(remedy or "Usage", result.stderr if remedy else result.stdout)

    def test_no_agent_is_exit_1_with_the_remedy(self):
        result = run("get", "wl", "--api", "http://127.0.0.1:9")
        self.assertEqual(result.returncode, 1)
        self.assertIn("--api", result.stderr)


class Metrics(SystemTest):
    SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? '
                        r'(-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)$')

    def test_metrics_are_what_prometheus_reads(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 4, POLITE))
        cluster.exactly_once("web", 4)
        answer = cluster[1].ask("GET", "/metrics")
        self.assertEqual(answer.headers["Content-Type"],
                         "text/plain; version=0.0.4; charset=utf-8")
        text = answer.body.decode()
        self.assertTrue(text.endswith("\n"))
        families, samples, current = {}, {}, None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                current, help_text = line[7:].split(" ", 1)
                self.assertNotIn(current, families, "one family, one place")
                self.assertTrue(help_text)
                families[current] = None
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                self.assertEqual((name, families[name]), (current, None))
                self.assertIn(kind, ("gauge", "counter"))
                families[name] = kind
            else:
                match = self.SAMPLE.match(line)
                self.assertTrue(match, line)
                self.assertEqual(match.group(1), current, "samples stand below their family")
                self.assertNotIn(match.group(1, 2), samples, "no sample twice")
                samples[match.group(1, 2)] = float(match.group(3))
        for name, kind in families.items():
            self.assertRegex(name, r"^(hordelet|process)_[a-z_]+$")
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
        count = "hordelet_supervised_process_count"
        self.assertEqual(samples[count, 'supervisor="default",scope="global"'], 4)
        local = samples[count, 'supervisor="default",scope="local"']
        self.assertEqual(local, len(cluster.containers("n1")))
        self.assertEqual(samples["hordelet_alive_members_count", None], 2)
        self.assertEqual(samples["hordelet_events_total", 'reason="Started"'], local)


class LogFormat(SystemTest):
    def test_each_line_is_one_json_object_with_the_same_keys(self):
        cluster = self.cluster(2, "--log-format", "json")
        cluster.apply(workload('web', 2, POLITE))
        cluster.exactly_once("web", 2)
        cluster[2].terminate(10)
        wait_until(lambda: cluster[1].phases()["n2"] == "absent", 5, "n2 is absent")
        for agent in (cluster[1], cluster[2]):
            lines = agent.log_text().splitlines()
            self.assertGreater(len(lines), 5)
            for line in lines:
                entry = json.loads(line)
                self.assertEqual(list(entry), ["time", "level", "node", "message"], line)
                self.assertTrue(all(isinstance(v, str) for v in entry.values()), line)
                self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
