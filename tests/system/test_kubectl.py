"""An unmodified kubectl against our agents: every verb that means something here.

Which kubectl: script/kubectl. Where there is none, all of this is skipped, and says so.
"""
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import (API_PORT, BINARY, IMAGE, POLITE, ROOT, SystemTest, say, wait_until, workload)
from lone import LoneAgent

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def find_kubectl():
    done = subprocess.run([os.path.join(ROOT, "script", "kubectl")], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        say(f"SKIPPED: tests/system/test_kubectl.py: {done.stderr.strip()}")
        raise unittest.SkipTest(done.stderr.strip())
    return done.stdout.strip()


def setUpModule():
    Kubectl.program = find_kubectl()


class Kubectl:
    """kubectl without anybody's configuration or cache, talking to one agent."""

    program = None

    def __init__(self, server, directory):
        self.server = server
        self.directory = directory
        self.environment = {**os.environ, "HOME": directory, "KUBECONFIG": "/dev/null",
                            "KUBECTL_EXTERNAL_DIFF": "diff -u"}

    def command(self, *arguments):
        return [self.program, "--server", self.server, *arguments]

    def __call__(self, *arguments, document=None, status=0, timeout=60, **environment):
        """Runs it; the document is its standard input. Returns what it prints: the standard output
        of one that succeeds, the standard error of one that is to fail."""
        done = subprocess.run(self.command(*arguments), text=True, timeout=timeout, check=False,
                              input=json.dumps(document) if document else "",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**self.environment, **environment}, cwd=self.directory)
        assert done.returncode == status, \
            f"kubectl {' '.join(arguments)}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout if status == 0 else done.stdout + done.stderr

    def start(self, *arguments):
        return subprocess.Popen(self.command(*arguments), text=True, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def rows(self, *arguments):
        """A printed table: title to cell, a dictionary a row."""
        lines = self(*arguments).splitlines()
        found = list(re.finditer(r"\S+(?: \S+)*", lines[0]))
        titles, starts = [match.group() for match in found], [m.start() for m in found] + [None]
        return [{title: line[starts[i]:starts[i + 1]].strip() for i, title in enumerate(titles)}
                for line in lines[1:]]


class Documents(unittest.TestCase):
    """One agent without an engine: what happens to documents."""

    @classmethod
    def setUpClass(cls):
        cls.agent = LoneAgent()
        cls.addClassCleanup(cls.agent.close)
        cls.agent.start()
        cls.kubectl = Kubectl(f"http://127.0.0.1:{cls.agent.port}", cls.agent.directory)

    def setUp(self):
        self.addCleanup(self.kubectl, "delete", "workloads", "--all", "--wait=false")

    def document(self, name="web", replicas=0, **spec):
        return workload(name, replicas, **spec)

    def field(self, target, path):
        return self.kubectl("get", target, "-o", f"jsonpath={{{path}}}")

    # -- what there is --

    def test_discovery(self):
        self.assertIn("Server Version: v", self.kubectl("version"))
        self.assertEqual(self.kubectl("api-versions").split(), ["hordelet.dev/v1", "v1"])
        listed = {row["NAME"]: row for row in self.kubectl.rows("api-resources")}
        self.assertEqual(set(listed), {"workloads", "children", "names", "metas", "supervisors",
                                       "members", "pods", "nodes", "events"})
        self.assertEqual(listed["workloads"]["SHORTNAMES"], "wl")
        self.assertEqual(listed["nodes"]["NAMESPACED"], "false")
        verbs = self.kubectl("api-resources", "-o", "wide", "--api-group=hordelet.dev")
        self.assertIn("create,update,patch,delete", verbs)
        self.assertIn("workload.hordelet.dev/all",
                      self.kubectl("apply", "-f", "-", document=self.document("all")))
        self.assertIn("workload.hordelet.dev/all", self.kubectl("get", "all"))

    def test_explain_knows_every_field(self):
        for kind in ("workload", "supervisor", "name", "meta", "child", "member", "pod", "node",
                     "event"):
            shown = self.kubectl("explain", kind, "--recursive")
            self.assertIn(f"KIND:       {kind.capitalize()}", shown)
            self.assertIn("FIELDS:", shown)
        self.assertIn("Node names that run the children",
                      self.kubectl("explain", "supervisor.spec.members"))
        self.assertIn("ENUM:\n    permanent\n    transient",
                      self.kubectl("explain", "workload.spec.restart"))
        shown = self.kubectl("explain", "wl.spec.container.readinessProbe.httpGet.port")
        self.assertIn("by number or by its name", shown)
        self.assertIn('field "nope" does not exist',
                      self.kubectl("explain", "workload.spec.nope", status=1))

    # -- apply --

    def test_apply_created_configured_unchanged(self):
        # With lists and what has defaults in them: a list is compared whole.
        document = self.document(container={
            "ports": [{"name": "http", "containerPort": 80}], "env": [{"name": "EMPTY"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "http",
                                           "httpHeaders": [{"name": "A", "value": "b"}]}}})

        def apply():
            return self.kubectl("apply", "-f", "-", document=document).strip()
        self.assertEqual(apply(), "workload.hordelet.dev/web created")
        self.assertEqual(apply(), "workload.hordelet.dev/web unchanged")
        document["spec"]["replicas"] = 3
        del document["metadata"]["labels"]
        self.assertEqual(apply(), "workload.hordelet.dev/web configured")
        self.assertEqual(apply(), "workload.hordelet.dev/web unchanged")
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "3")
        self.assertEqual(self.field("wl/web", ".metadata.labels"), "")
        last = self.kubectl("apply", "view-last-applied", "wl/web", "-o", "json")
        self.assertEqual(json.loads(last)["spec"]["replicas"], 3)

    def test_apply_names_a_wrong_field(self):
        document = self.document()
        document["spec"]["replicaz"] = 1
        message = self.kubectl("apply", "-f", "-", document=document, status=1)
        self.assertIn('spec.replicaz: unknown field, did you mean "replicas"?', message)
        del document["spec"]["replicaz"]
        document["spec"]["container"]["ports"] = [{"containerPort": 99999}]
        message = self.kubectl("apply", "-f", "-", document=document, status=1)
        self.assertIn("spec.container.ports[0].containerPort: must be 1..65535", message)

    def test_server_side_apply_and_its_conflicts(self):
        def apply(replicas, *flags, status=0):
            document = {"apiVersion": "hordelet.dev/v1", "kind": "Workload",
                        "metadata": {"name": "web"},
                        "spec": {"replicas": replicas, "container": {"image": IMAGE}}}
            return self.kubectl("apply", "--server-side", "-f", "-", *flags, document=document,
                                status=status)
        self.assertIn("serverside-applied", apply(0, "--field-manager=one"))
        message = apply(2, "--field-manager=two", status=1)
        self.assertIn('Apply failed with 1 conflict:\n- .spec.replicas of "one"', message)
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "0")
        self.assertIn("serverside-applied", apply(2, "--field-manager=two", "--force-conflicts"))
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "2")
        message = apply(3, "--field-manager=one", status=1)
        self.assertIn(".spec.replicas", message)
        managers = self.kubectl("get", "wl/web", "--show-managed-fields", "-o",
                                "jsonpath={.metadata.managedFields[*].manager}")
        self.assertEqual(set(managers.split()), {"one", "two"})

    def test_diff_and_dry_run(self):
        document = self.document()
        self.kubectl("apply", "-f", "-", document=document)
        self.assertEqual(self.kubectl("diff", "-f", "-", document=document), "")
        document["spec"]["replicas"] = 4
        shown = self.kubectl("diff", "-f", "-", document=document, status=1)
        self.assertIn("-  replicas: 0", shown)
        self.assertIn("+  replicas: 4", shown)
        shown = self.kubectl("apply", "-f", "-", "--dry-run=server", document=document)
        self.assertIn("web configured (server dry run)", shown)
        self.kubectl("delete", "wl/web", "--dry-run=server")
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "0")
        self.assertIn("created (server dry run)", self.kubectl(
            "create", "-f", "-", "--dry-run=server", document=self.document("other")))
        self.assertIn("not found", self.kubectl("get", "wl/other", status=1))

    # -- one by one --

    def test_create_replace_delete(self):
        document = self.document()
        self.assertIn("web created", self.kubectl("create", "-f", "-", document=document))
        self.assertIn("already exists",
                      self.kubectl("create", "-f", "-", document=document, status=1))
        document["spec"]["priority"] = 7
        self.assertIn("web replaced", self.kubectl("replace", "-f", "-", document=document))
        self.assertEqual(self.field("wl/web", ".spec.priority"), "7")
        whole = json.loads(self.kubectl("get", "wl/web", "-o", "json"))  # with status and all
        whole["spec"]["priority"] = 8
        self.assertIn("web replaced", self.kubectl("replace", "-f", "-", document=whole))
        message = self.kubectl("replace", "-f", "-", document=whole, status=1)
        self.assertIn("the object has been modified", message)  # its resourceVersion is old
        self.assertIn("deleted", self.kubectl("delete", "wl/web", "--wait"))
        self.assertIn("NotFound", self.kubectl("delete", "wl/web", status=1))
        self.assertEqual(self.kubectl("delete", "wl/web", "--ignore-not-found"), "")
        self.assertIn("NotFound",
                      self.kubectl("replace", "-f", "-", document=self.document("x"), status=1))

    def test_edit(self):
        self.kubectl("create", "-f", "-", document=self.document())
        editor = os.path.join(self.agent.directory, "editor")
        with open(editor, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nsed -i "s/replicas: 0/replicas: $WANTED/" "$1"\n')
        os.chmod(editor, 0o755)

        def edit(wanted, status=0):
            return self.kubectl("edit", "wl/web", status=status, EDITOR=editor, WANTED=wanted)
        self.assertIn("edited", edit("5"))
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "5")
        edit("6")  # it finds no "replicas: 0" to replace, and so changes nothing
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "5")
        self.kubectl("scale", "wl/web", "--replicas=0")
        self.assertIn('workloads.hordelet.dev "web" is invalid', edit("100001", status=1))
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "0")

    def test_patch(self):
        self.kubectl("create", "-f", "-", document=self.document())

        def patch(kind, body, status=0):
            return self.kubectl("patch", "wl/web", f"--type={kind}", "-p", json.dumps(body),
                                status=status)
        self.assertIn("patched", patch("merge", {"spec": {"priority": 3, "minReadySeconds": 2}}))
        self.assertIn("no change", patch("merge", {"spec": {"priority": 3}}))
        patch("json", [{"op": "test", "path": "/spec/priority", "value": 3},
                       {"op": "remove", "path": "/spec/minReadySeconds"},
                       {"op": "add", "path": "/metadata/labels/tier", "value": "gold"}])
        self.assertEqual(self.field("wl/web", ".spec.minReadySeconds"), "0")
        self.assertEqual(self.field("wl/web", ".metadata.labels.tier"), "gold")
        patch("json", [{"op": "test", "path": "/spec/priority", "value": 4}], status=1)
        message = patch("strategic", {"spec": {"priority": 1}}, status=1)
        self.assertIn("is not supported by hordelet.dev/v1", message)

    def test_scale_label_annotate(self):
        self.kubectl("create", "-f", "-", document=self.document())
        self.assertIn("scaled", self.kubectl("scale", "wl/web", "--replicas=2"))
        self.kubectl("scale", "wl/web", "--current-replicas=3", "--replicas=4", status=1)
        self.kubectl("scale", "wl/web", "--current-replicas=2", "--replicas=3")
        self.assertEqual(self.field("wl/web", ".spec.replicas"), "3")
        self.kubectl("label", "wl/web", "tier=gold")
        self.assertIn("--overwrite is false", self.kubectl("label", "wl/web", "tier=x", status=1))
        self.kubectl("label", "wl/web", "tier=silver", "--overwrite")
        self.kubectl("annotate", "wl/web", "note=by hand")
        self.assertEqual(self.field("wl/web", ".metadata.annotations.note"), "by hand")
        self.kubectl("label", "wl/web", "tier-", "app-")
        self.assertEqual(self.field("wl/web", ".metadata.labels"), "{}")
        self.kubectl("annotate", "wl/web", "note-")
        self.assertEqual(self.field("wl/web", ".metadata.annotations"), "{}")

    # -- get --

    def test_get_in_every_form(self):
        for name, replicas, tier in (("a", 3, "gold"), ("b", 1, "gold"), ("c", 2, "tin")):
            self.kubectl("create", "-f", "-",
                         document=self.document(name, replicas, labels={"tier": tier}))

        def names(*flags):
            return [line.rpartition("/")[2] for line in
                    self.kubectl("get", "wl", "-o", "name", *flags).split()]
        rows = self.kubectl.rows("get", "wl")
        self.assertEqual([row["NAME"] for row in rows], ["a", "b", "c"])
        self.assertEqual(rows[0]["READY"], "0/3")
        self.assertRegex(rows[0]["AGE"], r"^\d+s$")
        self.assertNotIn("IMAGE", rows[0])
        self.assertEqual(self.kubectl.rows("get", "wl", "-o", "wide")[0]["IMAGE"], IMAGE)
        self.assertEqual(self.kubectl.rows("get", "wl", "-A")[0]["NAMESPACE"], "default")
        self.assertEqual(self.kubectl.rows("get", "wl", "--show-labels")[2]["LABELS"], "tier=tin")
        self.assertEqual(self.kubectl.rows("get", "wl", "-L", "tier")[2]["TIER"], "tin")
        self.assertEqual(names(), ["a", "b", "c"])
        self.assertEqual(names("-l", "tier=gold"), ["a", "b"])
        self.assertEqual(names("-l", "tier in (tin,x)"), ["c"])
        self.assertEqual(names("--field-selector", "metadata.name!=b"), ["a", "c"])
        self.assertEqual(names("--chunk-size=1"), ["a", "b", "c"])
        by_replicas = self.kubectl.rows("get", "wl", "--sort-by=.spec.replicas")
        self.assertEqual([row["NAME"] for row in by_replicas], ["b", "c", "a"])
        self.assertIn("kind: Workload", self.kubectl("get", "wl/a", "-o", "yaml"))
        listed = json.loads(self.kubectl("get", "wl", "-o", "json"))
        self.assertEqual([item["spec"]["replicas"] for item in listed["items"]], [3, 1, 2])
        shown = self.kubectl("get", "wl", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas")
        self.assertIn("b     1", shown)
        self.assertIn("not found", self.kubectl("get", "wl/none", status=1))
        self.assertIn("field selector",
                      self.kubectl("get", "wl", "--field-selector", "spec.x=1", status=1))

    def test_get_of_all_kinds(self):
        self.kubectl("create", "-f", "-", document=self.document("web", 2))
        for verb, most in (("create", 2), ("replace", 3)):
            self.kubectl(verb, "--validate=false", "-f", "-", document={
                "apiVersion": "hordelet.dev/v1", "kind": "Meta", "metadata": {"name": "limit"},
                "spec": {"value": {"max": most}}})
        self.addCleanup(self.kubectl, "delete", "meta/limit")
        self.assertEqual(self.kubectl.rows("get", "metas")[0]["VALUE"], '{"max":3}')
        supervisors = {row["NAME"]: row for row in self.kubectl.rows("get", "sup")}
        self.assertEqual(supervisors["default"]["STRATEGY"], "Uniform")
        self.assertEqual(supervisors["quorum"]["QUORUM"], "no")
        self.assertEqual(self.kubectl.rows("get", "members")[0]["PHASE"], "alive")
        children = self.kubectl.rows("get", "children", "-o", "wide")
        self.assertEqual([row["NAME"] for row in children], ["web-0", "web-1"])
        self.assertEqual((children[0]["PHASE"], children[0]["NODE"]), ("Pending", "<none>"))
        pods = self.kubectl.rows("get", "pods", "-o", "wide")
        self.assertEqual([row["STATUS"] for row in pods], ["Pending", "Pending"])
        both = self.kubectl("get", "wl,ch,po,no,sup", "-o", "name").split()
        self.assertIn("child.hordelet.dev/web-1", both)
        self.assertIn("pod/web-0", both)
        self.assertIn("node/a", both)

    def test_get_watch(self):
        self.kubectl("create", "-f", "-", document=self.document())
        watching = self.kubectl.start("get", "wl", "-w")
        self.addCleanup(watching.stdout.close)
        self.addCleanup(watching.wait)
        self.addCleanup(watching.kill)
        self.assertIn("NAME", watching.stdout.readline())
        self.assertIn("0/0", watching.stdout.readline())
        self.kubectl("scale", "wl/web", "--replicas=7")
        self.assertRegex(watching.stdout.readline(), r"^web +0/7")
        self.kubectl("delete", "wl/web")
        line = watching.stdout.readline()
        while "0/7" in line:  # a change of its status on the way
            line = watching.stdout.readline()
        self.assertEqual(line.split()[0], "web")
        events = self.kubectl.start("get", "wl", "--watch-only", "--output-watch-events", "-o",
                                    "json")
        self.addCleanup(events.stdout.close)
        self.addCleanup(events.wait)
        self.addCleanup(events.kill)
        for number in range(30):  # it has no sign of having begun
            self.kubectl("create", "-f", "-", document=self.document(f"late-{number}"))
            if select.select([events.stdout], [], [], 0.5)[0]:
                break
        shown = events.stdout.readline()
        while '"ADDED"' not in shown:
            shown = events.stdout.readline()

    def test_wait(self):
        self.kubectl("create", "-f", "-", document=self.document())
        self.kubectl("wait", "wl/web", "--for=jsonpath={.spec.replicas}=0", "--timeout=5s")
        self.kubectl("wait", "wl/web", "--for=condition=Available", "--timeout=5s")
        waiting = self.kubectl.start("wait", "wl/web", "--for=jsonpath={.spec.priority}=9",
                                     "--timeout=20s")
        self.kubectl("patch", "wl/web", "--type=merge", "-p", '{"spec":{"priority":9}}')
        self.assertIn("condition met", waiting.communicate(timeout=30)[0])
        message = self.kubectl("wait", "wl/web", "--for=jsonpath={.spec.priority}=1",
                               "--timeout=1s", status=1)
        self.assertIn("timed out", message)
        waiting = self.kubectl.start("wait", "wl/web", "--for=delete", "--timeout=20s")
        self.kubectl("delete", "wl/web")
        waiting.communicate(timeout=30)  # it says nothing if it came too late to see it
        self.assertEqual(waiting.returncode, 0)

    def test_describe_and_events(self):
        self.kubectl("create", "-f", "-", document=self.document())
        shown = self.kubectl("describe", "wl/web")
        self.assertIn("Name:         web", shown)
        self.assertIn("Replicas:                   0", shown)
        for target in ("sup/default", "member/a", "node/a"):
            self.assertIn(f"Name:{' ' * 2}", self.kubectl("describe", target))
        self.assertIn("Kubelet Version:            v", self.kubectl("describe", "node/a"))
        self.assertIn("AgentStarted", self.kubectl("describe", "member/a"))
        self.assertIn("AgentStarted", self.kubectl("describe", "node/a"))
        rows = self.kubectl.rows("get", "events")
        started = [row for row in rows if row["REASON"] == "AgentStarted"]
        self.assertEqual((started[0]["OBJECT"], started[0]["TYPE"]), ("member/a", "Normal"))
        shown = self.kubectl("get", "events", "--field-selector", "reason=AgentStarted", "-o",
                             "jsonpath={.items[*].involvedObject.kind}")
        self.assertEqual(shown, "Member")
        self.assertIn("AgentStarted", self.kubectl("events", "-A"))

    def test_what_is_refused(self):
        self.kubectl("create", "-f", "-", document=self.document("web", 1))
        for verb in (("exec", "web-0", "--", "true"), ("attach", "web-0")):
            self.assertIn("use the engine of the node", self.kubectl(*verb, status=1))
        message = self.kubectl("label", "node/a", "disk=ssd", status=1)
        self.assertIn("flag --labels", message)
        self.assertIn("MethodNotAllowed", self.kubectl(
            "create", "--validate=false", "-f", "-", status=1, document={
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
                "spec": {"containers": [{"name": "c", "image": "x"}]}}))
        self.assertIn("nobody runs it yet", self.kubectl("logs", "web-0", status=1))
        self.assertIn('pods "none-0" not found', self.kubectl("get", "pod/none-0", status=1))


    def test_a_client_library_of_others_reads_pods_and_nodes(self):
        sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, whichever python3 this is
        self.addCleanup(sys.path.remove, "/usr/lib/python3/dist-packages")
        try:
            from kubernetes import client, watch
        except ImportError:
            self.skipTest("python3-kubernetes is not installed")
        self.kubectl("create", "-f", "-", document=self.document("web", 2))
        core = client.CoreV1Api(client.ApiClient(client.Configuration(host=self.kubectl.server)))
        pods = core.list_namespaced_pod("default", label_selector="app=web")
        self.assertEqual([pod.metadata.name for pod in pods.items], ["web-0", "web-1"])
        self.assertEqual(pods.items[0].status.phase, "Pending")
        self.assertEqual(pods.items[0].spec.containers[0].image, IMAGE)
        self.assertEqual(core.read_node("a").status.conditions[0].status, "True")
        changed = core.patch_node("a", {"spec": {"unschedulable": True}})
        self.assertTrue(changed.spec.unschedulable)
        core.patch_node("a", {"spec": {"unschedulable": None}})
        self.kubectl("scale", "wl/web", "--replicas=3")
        for event in watch.Watch().stream(core.list_namespaced_pod, "default", timeout_seconds=10,
                                          resource_version=pods.metadata.resource_version):
            if event["type"] == "ADDED":
                self.assertEqual(event["object"].metadata.name, "web-2")
                break
        else:
            self.fail("the watch has not told of web-2")


class Members(SystemTest):
    """Three agents and a real engine: children as Pods, members as Nodes."""

    def kubectl_of(self, agent):
        directory = tempfile.mkdtemp(prefix="hordelet-kubectl.")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        return Kubectl(f"http://{agent.host}:{API_PORT}", directory)

    def test_pods_and_nodes(self):
        cluster = self.cluster(3)
        kubectls = [self.kubectl_of(cluster[i]) for i in (1, 2, 3)]
        kubectl = kubectls[0]
        talks = ("sh", "-c", "trap 'exit 0' TERM; echo hello; sleep 1000 & wait")
        kubectl("apply", "-f", "-", document=workload("web", 3, command=talks))
        kubectl("wait", "wl/web", "--for=condition=Available", "--timeout=30s")
        kubectl("wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=30s")
        self.read_pods(kubectls)
        self.read_logs(kubectls)
        self.delete_pod(kubectl)
        self.drain(cluster, kubectls)

    def read_pods(self, kubectls):
        for kubectl in kubectls:
            rows = wait_until(lambda: [row for row in kubectl.rows("get", "pods", "-o", "wide")
                                       if row["STATUS"] == "Running"][2:] and
                              kubectl.rows("get", "pods", "-o", "wide"), 10, "all run")
            self.assertEqual([row["READY"] for row in rows], ["1/1"] * 3)
            self.assertTrue(all(row["NODE"] in ("n1", "n2", "n3") for row in rows))
            nodes = kubectl.rows("get", "nodes", "-o", "wide")
            self.assertEqual([row["STATUS"] for row in nodes], ["Ready"] * 3)
        kubectl = kubectls[0]
        pod = json.loads(kubectl("get", "pod/web-0", "-o", "json"))
        self.assertEqual(pod["status"]["phase"], "Running")
        self.assertEqual(pod["spec"]["containers"][0]["image"], IMAGE)
        self.assertEqual(pod["metadata"]["ownerReferences"][0]["name"], "web")
        node = pod["spec"]["nodeName"]
        found = kubectl("get", "pods", "-o", "name", "--field-selector",
                        f"spec.nodeName={node},status.phase=Running")
        self.assertIn("pod/web-0", found)
        shown = kubectl("describe", "pod/web-0")
        self.assertIn("Controlled By:  Workload/web", shown)
        self.assertIn("Started", shown)
        self.assertIn("web-0", kubectl("describe", f"node/{node}"))

    def read_logs(self, kubectls):
        for kubectl in kubectls:  # wherever it runs
            for ordinal in range(3):
                self.assertEqual(kubectl("logs", f"web-{ordinal}"), "hello\n")
        kubectl = kubectls[1]
        self.assertRegex(kubectl("logs", "web-0", "--timestamps"), r"^20\d\d-.*Z hello\n$")
        self.assertEqual(kubectl("logs", "web-0", "--tail=0"), "")
        self.assertEqual(kubectl("logs", "-l", "app=web"), "hello\n" * 3)
        self.assertEqual(kubectl("logs", "web-0", "-c", "web"), "hello\n")
        message = kubectl("logs", "web-0", "-c", "other", status=1)
        self.assertIn("container other is not valid for pod web-0", message)
        following = kubectl.start("logs", "-f", "web-0")
        self.assertEqual(following.stdout.readline(), "hello\n")
        following.kill()
        following.communicate()

    def delete_pod(self, kubectl):
        """A new one takes its place, with another uid and epoch."""
        before = json.loads(kubectl("get", "pod/web-1", "-o", "json"))
        kubectl("delete", "pod/web-1", "--timeout=30s")
        wait_until(lambda: kubectl("get", "pod/web-1", "-o",
                                   "jsonpath={.status.containerStatuses[0].ready}") == "true",
                   30, "it runs again")
        after = json.loads(kubectl("get", "pod/web-1", "-o", "json"))
        self.assertNotEqual(before["metadata"]["uid"], after["metadata"]["uid"])

    def drain(self, cluster, kubectls):
        kubectls[1]("cordon", "n1")
        rows = {row["NAME"]: row for row in kubectls[2].rows("get", "nodes")}
        self.assertEqual(rows["n1"]["STATUS"], "Ready,SchedulingDisabled")
        kubectls[1]("drain", "n1", "--timeout=60s", timeout=90)

        def moved():
            rows = kubectls[2].rows("get", "pods", "-o", "wide")
            return all(row["NODE"] in ("n2", "n3") and row["READY"] == "1/1" for row in rows)
        wait_until(moved, 30, "nothing is left on n1")
        kubectls[2]("uncordon", "n1")
        self.assertEqual({row["STATUS"] for row in kubectls[0].rows("get", "nodes")}, {"Ready"})
        kubectls[0]("delete", "wl/web")
        cluster.gone("web")

    def test_a_watch_tells_of_a_failover(self):
        cluster = self.cluster(3)
        kubectl = self.kubectl_of(cluster[1])
        kubectl("apply", "-f", "-", document=workload("web", 3, command=POLITE))
        kubectl("wait", "wl/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=30s")
        watching = kubectl.start("get", "nodes", "-w")
        cluster.kill_node(3)
        seen = []
        while not any(line.startswith("n3") and "NotReady" in line for line in seen):
            seen.append(watching.stdout.readline())
            self.assertNotEqual(seen[-1], "", seen)
        watching.kill()
        watching.communicate()
        kubectl("wait", "wl/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=60s",
                timeout=90)


if __name__ == "__main__":
    unittest.main(verbosity=2)
