"""The command line client as people use it: describe, export and restore, completion, help."""
import json
import os
import pty
import re
import select
import subprocess
import tempfile
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
        self.assertRegex(told, r"(?m)^  web-2 +Running +yes +n\d +1 +0 ")
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
        self.assertRegex(told, r"(?m)^  default +web +3 ")
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
        versions = told("version")
        self.assertEqual(versions["clientVersion"]["gitVersion"],
                         versions["serverVersion"]["gitVersion"])
        self.assertNotIn("server", told("version", "--client"))
        drained = told("drain", "n2")
        self.assertTrue(drained["status"]["draining"])
        self.assertEqual(drained["status"]["children"], 0)
        self.assertEqual(agent.cli("drain", "n2", "-o", "wide").returncode, 2)

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
