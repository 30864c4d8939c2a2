"""The Helm chart with a real helm, and the DaemonSet's container as an engine runs it.

Which helm: script/helm; which schemas: script/kubernetes-schemas. Both come from the npm registry;
without it those tests are skipped, and say so. What needs neither is in tests/manifests.
"""
import contextlib
import functools
import glob
import json
import os
import re
import subprocess
import tempfile
import unittest

import yaml
from harness import BINARY, IMAGE, LONG, ROOT, SystemTest, engine, run, say, wait_until, workload
from kubernetes_api import Authority, KubernetesApi, endpoint_slice

CHART = os.path.join(ROOT, "helm", "hordelet")
MANIFESTS = os.path.join(ROOT, "manifests", "kubernetes")
CASES = sorted(glob.glob(os.path.join(CHART, "ci", "*-values.yaml")))
TOKEN = "0123456789abcdefghijklmnopqrstuv"
KUBERNETES = ["--kube-version", "1.34.0", "--api-versions", "monitoring.coreos.com/v1",
              "--api-versions", "cert-manager.io/v1"]


def tool(name):
    done = subprocess.run([os.path.join(ROOT, "script", name)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        say(f"SKIPPED: tests/system/test_chart.py: {done.stderr.strip()}")
        raise unittest.SkipTest(done.stderr.strip())
    return done.stdout.strip()


def load(text):
    return [document for document in yaml.safe_load_all(text) if document]


def only(documents, kind):
    found = [document for document in documents if document["kind"] == kind]
    assert len(found) == 1, (kind, len(found))
    return found[0]


# ---- helm ------------------------------------------------------------------------------------

# Values that must be refused, and what must be said of them: some by the schema, others together.
WRONG = [
    ({"imag": {}}, "imag"),
    ({"image": {"tagg": "1"}}, "tagg"),
    ({"image": {"digest": "sha256:12"}}, "digest"),
    ({"cluster": "Big_One"}, "cluster"),
    ({"config": {"gossip": "0.0.0.0:1"}}, "gossip"),
    ({"config": {"drain-timeout": "25"}}, "drain-timeout"),
    ({"config": {"profile": "moon"}}, "profile"),
    ({"gossip": {"key": "secret"}}, "key"),
    ({"gossip": {"port": 65534}}, "port"),
    ({"seeds": "10.0.0.1:7370"}, "seeds"),
    ({"seeds": ["10.0.0.1"]}, "seeds"),
    ({"labels": {"disk": True}}, "disk"),
    ({"onSigterm": "stop"}, "onSigterm"),
    ({"policy": {"hostPaths": ["srv"]}}, "hostPaths"),
    ({"dataDir": "var"}, "dataDir"),
    ({"resources": "small"}, "resources"),
    ({"livenessProbe": {"httpGet": {}}}, "httpGet"),
    ({"discovery": {"method": "guess"}}, "method"),
    ({"api": {"host": "0.0.0.0"}}, "api.host 0.0.0.0: other machines could reach it"),
    ({"api": {"host": "0.0.0.0", "tls": {"enabled": True}}}, "without TLS and a credential"),
    ({"api": {"host": "0.0.0.0", "tokens": {"existingSecret": "x"}}}, "without TLS and a"),
    ({"api": {"clients": {"existingSecret": "x"}}}, "with api.tls.enabled only"),
    ({"api": {"tls": {"certManager": {"enabled": True}}}}, "without api.tls.enabled"),
    ({"api": {"tls": {"enabled": True, "certManager": {"enabled": True}}}}, "issuerRef.name"),
    ({"api": {"host": "::", "tls": {"enabled": True}, "tokens": {"existingSecret": "x"}},
      "podMonitor": {"enabled": True}}, "podMonitor.tokenSecret.name"),
    ({"api": {"host": "::", "tls": {"enabled": True}, "tokens": {"existingSecret": "x"}},
      "podMonitor": {"enabled": True, "namespace": "monitoring", "tokenSecret": {"name": "x"}}},
     "podMonitor.tlsConfig: is required in namespace monitoring"),
    ({"gossip": {"key": "A" * 43 + "=", "existingSecret": "x"}}, "gossip.key: not together"),
    ({"api": {"port": 7372}}, "api.port 7372: is one of the two that gossip uses (7370 and 7372)"),
    ({"podman": {"enabled": True}, "onSigterm": "detach"}, "onSigterm detach: with podman"),
    ({"podMonitor": {"enabled": True}}, "Prometheus does not reach an API on 127.0.0.1"),
    ({"networkPolicy": {"enabled": True}}, "networkPolicy.nodeNetworks"),
]


class Helm(unittest.TestCase):
    """What helm makes of each ci/*-values.yaml."""

    @classmethod
    def setUpClass(cls):
        cls.program = tool("helm")
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.rendered = [cls.render_case(path) for path in CASES]

    @classmethod
    def render_case(cls, values):
        path = os.path.join(cls.scratch.name, os.path.basename(values))
        write(path, cls.template("--values", values))
        return path

    @classmethod
    def template(cls, *flags):
        return run(cls.program, "template", "hordelet", CHART, "--namespace", "hordelet",
                   *KUBERNETES, *flags)

    def refused(self, values, *flags):
        path = os.path.join(self.scratch.name, "wrong.json")
        write(path, json.dumps(values))
        with self.assertRaises(RuntimeError, msg=values) as caught:
            self.template("--values", path, *flags)
        return str(caught.exception)

    def test_lint_has_nothing_to_say(self):
        for path in CASES:
            text = run(self.program, "lint", "--strict", CHART, "--values", path, *KUBERNETES[:2])
            self.assertNotRegex(text, r"\[(INFO|WARNING|ERROR)\]")

    def test_all_documents_are_valid(self):
        self.assertGreaterEqual(len(self.rendered), 6)
        checker = os.path.join(ROOT, "tests", "manifests", "documents.py")
        run("/usr/bin/python3", checker, *self.rendered)

    def test_all_documents_are_as_the_schemas_say(self):
        modules = tool("kubernetes-schemas")
        checker = os.path.join(ROOT, "tests", "manifests", "schemas.mjs")
        manifests = sorted(glob.glob(os.path.join(MANIFESTS, "*.yaml")))
        run("node", checker, modules, *self.rendered, *manifests)
        broken = os.path.join(self.scratch.name, "broken.yaml")
        write(broken, read(manifests[0]).replace("hostNetwork:", "hostNetwrok:"))
        with self.assertRaisesRegex(RuntimeError, "hostNetwrok"):
            run("node", checker, modules, broken)

    def test_the_manifests_are_what_the_chart_makes_of_them(self):
        run(os.path.join(ROOT, "script", "manifests"), "--check")

    def test_wrong_values_are_refused_by_name(self):
        for values, wanted in WRONG:
            self.assertIn(wanted, self.refused(values))

    def test_what_a_cluster_lacks_is_said(self):
        self.assertIn("needs Kubernetes 1.29, not v1.28.0", self.refused(
            {"podman": {"enabled": True}}, "--kube-version", "1.28.0"))
        for group, values in (
                ("monitoring.coreos.com", "podMonitor.enabled=true,insecure=true,api.host=0.0.0.0"),
                ("cert-manager.io", "api.tls.enabled=true,api.tls.certManager.enabled=true,"
                                    "api.tls.certManager.issuerRef.name=x")):
            with self.assertRaisesRegex(RuntimeError, f"this cluster has no {group}/v1"):
                run(self.program, "template", "hordelet", CHART, "--set", values)

    def test_a_change_of_the_flags_replaces_the_pods(self):
        def checksum(*flags):
            pod = only(load(self.template(*flags)), "DaemonSet")["spec"]["template"]
            return pod["metadata"]["annotations"]["checksum/config"]
        self.assertEqual(checksum(), checksum("--set", "dashboard.enabled=true"))
        self.assertNotEqual(checksum(), checksum("--set", "cluster=other"))

    def test_what_is_rendered_is_taken_by_the_agent(self):
        """An agent with the flags of each case, in a network of its own; it serves without an
        engine."""
        for path in self.rendered:
            self.start_agent(load(read(path)), os.path.basename(path))

    def start_agent(self, documents, name):
        folder = os.path.join(self.scratch.name, name + ".d")
        os.makedirs(folder)
        text = next(document["data"]["agent.yaml"] for document in documents
                    if "agent.yaml" in document.get("data", {}))
        config = yaml.safe_load(text)
        config.update({"data-dir": f"{folder}/data", "run-dir": f"{folder}/run"})
        for key, value in config.items():
            if str(value).startswith("/etc/hordelet/"):
                config[key] = os.path.join(folder, os.path.basename(value))
                write(config[key], secrets()[os.path.basename(value)], 0o400)
        write(f"{folder}/agent.yaml", yaml.safe_dump(config))
        args = [f"{folder}/agent.yaml" if word == "/etc/hordelet/agent/agent.yaml" else word
                for word in agent_of(only(documents, "DaemonSet"))["args"]]
        log = f"{folder}/log"
        with open(log, "w", encoding="utf-8") as file:
            process = subprocess.Popen(
                ["unshare", "--net", BINARY, *args], stdout=file, stderr=file,
                env={**os.environ, "HORDELET_AGENT_ADVERTISE_ADDRESS": "10.0.0.9",
                     "HORDELET_AGENT_NODE_NAME": "n1", "KUBERNETES_SERVICE_HOST": "10.96.0.1",
                     "KUBERNETES_SERVICE_PORT": "443"})
        try:
            wait_until(lambda: f"node n1 of cluster {config['cluster']}" in read(log), 10,
                       f"{name}: the agent has started")
        except AssertionError as error:
            raise AssertionError(read(log)) from error
        finally:
            process.kill()
            process.wait()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def agent_of(daemon_set):
    return next(container for container in daemon_set["spec"]["template"]["spec"]["containers"]
                if container["name"] == "agent")


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8",
              opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(text)


@functools.cache
def secrets():
    """What an operator puts into Secrets, by the name of the file."""
    with tempfile.TemporaryDirectory() as folder:
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=hordelet", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", f"{folder}/tls.key", "-out",
            f"{folder}/tls.crt")
        certificate, key = read(f"{folder}/tls.crt"), read(f"{folder}/tls.key")
    # As docs/kubernetes.md makes one; `hordelet key` isn't at hand yet.
    gossip_key = run("sh", "-c", "head -c 32 /dev/urandom | base64")
    return {"gossip.key": gossip_key, "tls.crt": certificate, "tls.key": key,
            "ca.crt": certificate, "tokens": f"alice {TOKEN} read\n"}


# ---- a pod without Kubernetes ----------------------------------------------------------------


def docker(*words, stdin=None):
    return run("docker", "--host", "unix://" + engine().socket, *words, input=stdin).strip()


class Node:
    """What a kubelet makes of the DaemonSet's pod on a node: a sandbox whose network the pod has
    for the host's, volumes, and the agent's container with all that the pod says of it.

    The directories of the host are others here, so that tests don't meet.
    """

    def __init__(self, documents, folder, image, run_dir):
        self.folder, self.image = folder, image
        moved = {"/var/lib/hordelet": f"{folder}/data", "/run/hordelet": run_dir,
                 "/var/run/docker.sock": engine().socket}
        text = json.dumps(documents)
        for path, instead in moved.items():
            text = re.sub(rf"{path}(?![\w.-])", instead, text)
        self.documents = json.loads(text)
        self.pod = only(self.documents, "DaemonSet")["spec"]["template"]["spec"]
        self.agent = agent_of(only(self.documents, "DaemonSet"))
        self.sandbox = docker("run", "--detach", "--name", "pod-sandbox", IMAGE, "sleep", "10000")
        state = json.loads(docker("inspect", self.sandbox))[0]
        self.address = state["NetworkSettings"]["IPAddress"]
        self.pid = state["State"]["Pid"]
        self.gateway = state["NetworkSettings"]["Gateway"]
        self.account = []  # flags that give the service account
        self.config = yaml.safe_load(only(self.documents, "ConfigMap")["data"]["agent.yaml"])
        # The headless Service.
        docker("exec", self.sandbox, "sh", "-c",
               f"echo {self.address} {self.config.get('discover-dns', 'none')} >>/etc/hosts")

    def kubernetes(self):
        """An API server, and what a pod needs to ask it, where the pod is to be given that."""
        assert self.pod["automountServiceAccountToken"]
        folder = os.path.join(self.folder, "account")
        os.mkdir(folder)
        authority = Authority(self.folder, "kubernetes")
        api = KubernetesApi(self.gateway, authority)
        account = {"namespace": "hordelet", "token": api.token,
                   "ca.crt": read(authority.path + ".crt")}
        for name, text in account.items():
            write(f"{folder}/{name}", text)
        self.account = ["--volume", f"{folder}:/var/run/secrets/kubernetes.io/serviceaccount:ro",
                        "--env", f"KUBERNETES_SERVICE_HOST={self.gateway}",
                        "--env", f"KUBERNETES_SERVICE_PORT={api.port}"]
        return api

    def volume(self, name):
        """The directory or file of the host that is mounted."""
        volume = next(volume for volume in self.pod["volumes"] if volume["name"] == name)
        if "hostPath" in volume:
            path = volume["hostPath"]["path"]
            if volume["hostPath"]["type"] == "DirectoryOrCreate":
                os.makedirs(path, mode=0o755, exist_ok=True)
            assert os.path.exists(path), path
            return path
        folder = os.path.join(self.folder, name)
        if os.path.exists(folder):  # of the pod before: a Secret doesn't change by itself
            return folder
        os.makedirs(folder)
        if "configMap" in volume:
            data = next(document["data"] for document in self.documents if
                        document["kind"] == "ConfigMap" and
                        document["metadata"]["name"] == volume["configMap"]["name"])
            for item in volume["configMap"]["items"]:
                write(f"{folder}/{item['path']}", data[item["key"]])
        else:
            secret = volume["secret"]
            for item in secret["items"]:
                write(f"{folder}/{item['path']}", secrets()[item["key"]], secret["defaultMode"])
        return folder

    def mounts(self, container):
        for mount in container["volumeMounts"]:
            ending = ":ro" if mount.get("readOnly") else ""
            yield from ("--volume", f"{self.volume(mount['name'])}:{mount['mountPath']}{ending}")

    def environment(self, container):
        fields = {"spec.nodeName": "n1", "status.hostIP": self.address}
        for entry in container.get("env", []):
            value = entry.get("value") or fields[entry["valueFrom"]["fieldRef"]["fieldPath"]]
            yield from ("--env", f"{entry['name']}={value}")

    @staticmethod
    def security(context):
        known = {"runAsUser", "runAsGroup", "privileged", "allowPrivilegeEscalation",
                 "readOnlyRootFilesystem", "capabilities"}
        assert set(context) <= known and not context["privileged"], context
        yield from ("--user", f"{context['runAsUser']}:{context['runAsGroup']}")
        for capability in context["capabilities"]["drop"]:
            yield from ("--cap-drop", capability)
        if not context["allowPrivilegeEscalation"]:
            yield from ("--security-opt", "no-new-privileges")
        if context["readOnlyRootFilesystem"]:
            yield "--read-only"

    def image_flags(self):
        """The image, or, in the short form, one of nothing but the machine's own libraries."""
        if self.image:
            return [self.image]
        return ["--volume", "/usr:/usr:ro", "--volume", "/lib:/lib:ro", "--volume",
                "/lib64:/lib64:ro", "--volume", f"{BINARY}:/hordelet:ro", "--entrypoint",
                "/hordelet", IMAGE]

    def start(self, name, container):
        """One of the pod's containers: exactly its arguments."""
        assert "command" not in container  # the image's entry point
        return docker("run", "--detach", "--name", name, "--network",
                      f"container:{self.sandbox}", *self.mounts(container),
                      *self.environment(container), *self.account,
                      *self.security(container["securityContext"]),
                      *self.image_flags(), *container["args"])

    def curl(self, scheme, host, path, *flags):
        """On the node's network, as a kubelet is. Returns the status of the answer."""
        port = next(port["containerPort"] for port in self.agent["ports"] if port["name"] == "api")
        done = subprocess.run(["nsenter", f"--net=/proc/{self.pid}/ns/net", "curl", "--silent",
                               "--max-time", "5", "--output", "/dev/null", "--write-out",
                               "%{http_code}", *flags, f"{scheme}://{host}:{port}{path}"],
                              text=True, check=False, stdout=subprocess.PIPE)
        return int(done.stdout)

    def probe(self, name):
        """A kubelet doesn't look at certificates."""
        asked = self.agent[name]["httpGet"]
        assert asked["port"] == "api"
        return self.curl(asked.get("scheme", "HTTP").lower(), asked.get("host", self.address),
                         asked["path"], "--insecure") == 200

    def hordelet(self, *words, stdin=None):
        """As by kubectl exec."""
        program = "hordelet" if self.image else "/hordelet"
        return docker("exec", "--interactive", "agent", program, *words, stdin=stdin)

    def remove(self):
        for name in ("agent", "test", "pod-sandbox"):
            with contextlib.suppress(RuntimeError):
                docker("rm", "--force", name)
        engine().remove_cluster("default")


class DaemonSet(SystemTest):
    """The agent's container of manifests/kubernetes, in the short form with the program as it
    was built, in the long form with the image."""

    image = "hordelet:test" if LONG else None

    @classmethod
    def setUpClass(cls):
        if cls.image:
            run(os.path.join(ROOT, "script", "image"), cls.image,
                env={**os.environ, "DOCKER_HOST": "unix://" + engine().socket})

    def make_node(self, manifest):
        documents = load(read(os.path.join(MANIFESTS, manifest)))
        folder = tempfile.mkdtemp(dir=engine().dir)
        run_dir = tempfile.mkdtemp(prefix="hordelet-run-", dir="/dev/shm")
        os.chmod(run_dir, 0o755)
        self.addCleanup(run, "rm", "-rf", run_dir)
        self.node = Node(documents, folder, self.image, run_dir)
        self.addCleanup(self.node.remove)
        if "discover-kubernetes" in self.node.config:
            self.api = self.node.kubernetes()
            self.addCleanup(self.api.close)
            self.api.slices = [endpoint_slice("a", [self.node.address, "192.0.2.7"])]
        self.start()
        return self.node

    def start(self):
        self.node.start("agent", self.node.agent)
        try:
            wait_until(lambda: self.node.probe("startupProbe"), 30, "/livez answers")
            wait_until(lambda: self.node.probe("readinessProbe"), 30, "/readyz answers")
        except AssertionError:
            say(self.logs())
            raise
        self.assertTrue(self.node.probe("livenessProbe"))

    def take_examples(self, node):
        """As docs/kubernetes.md says: one of them needs more than the manifest allows."""
        for name in ("web", "run-once", "supervisor", "singleton"):
            text = read(os.path.join(ROOT, "manifests", "examples", f"{name}.yaml"))
            refused = self.assertRaisesRegex(RuntimeError, "allow-host-path")
            with refused if name == "singleton" else contextlib.nullcontext():
                node.hordelet("apply", "--dry-run", "-f", "-", stdin=text)

    def test_its_container_runs_children_and_is_replaced_beside_them(self):
        node = self.make_node("hordelet.yaml")
        self.take_examples(node)
        member = node.hordelet("get", "members", "-o", "name").partition("/")[2]
        node.hordelet("set-members", "quorum", member)
        web, guarded = workload("web", 2), workload("guarded", 1)
        guarded["spec"]["supervisor"] = "quorum"
        for document in (web, guarded):
            del document["spec"]["hostNetwork"]  # which the manifest doesn't allow
        node.hordelet("apply", "--wait", "-f", "-",
                      stdin=json.dumps(web) + "\n---\n" + json.dumps(guarded))
        self.assertEqual({c.workload for c in engine().containers("default")}, {"web", "guarded"})
        web = {c.id for c in engine().containers("default") if c.workload == "web"}
        self.assertEqual(len(web), 2)

        seconds = str(node.pod["terminationGracePeriodSeconds"])
        docker("stop", "--time", seconds, "agent")
        self.assertEqual(docker("inspect", "--format", "{{.State.ExitCode}}", "agent"), "0")
        docker("rm", "agent")
        self.start()
        node.hordelet("wait", "workload/web", "--timeout", "20s")
        self.assertEqual(web, {c.id for c in engine().containers("default")
                               if c.workload == "web"}, "a rollout restarts no container")

    def test_with_tls_its_probes_need_no_credential_and_others_do(self):
        node = self.make_node("hordelet-tls.yaml")
        path = "/apis/hordelet.dev/v1/members"
        authority = os.path.join(node.folder, "tls", "tls.crt")
        self.assertEqual(node.curl("https", "127.0.0.1", path, "--cacert", authority), 401)
        self.assertEqual(node.curl("https", "127.0.0.1", path, "--cacert", authority, "--header",
                                   f"Authorization: Bearer {TOKEN}"), 200)
        self.assertEqual(node.curl("https", node.address, "/metrics", "--insecure", "--header",
                                   f"Authorization: Bearer {TOKEN}"), 200)
        self.assertIn("alive", node.hordelet("get", "members"), "kubectl exec needs none")

    def test_endpoint_slices_are_watched_with_the_service_account(self):
        self.make_node("hordelet-endpointslices.yaml")
        wait_until(lambda: self.api.count("watch"), 10, "it watches")
        wait_until(lambda: "Kubernetes: 2 addresses" in self.logs(), 10, "and says what it found")

    @staticmethod
    def logs():
        done = subprocess.run(["docker", "--host", "unix://" + engine().socket, "logs", "agent"],
                              text=True, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.stdout

    def test_helm_test_asks_the_agent(self):
        helm = tool("helm")
        node = self.make_node("hordelet.yaml")
        text = run(helm, "template", "hordelet", CHART, "--show-only",
                   "templates/tests/agent.yaml", "--set", f"dataDir={node.folder}/data")
        pod = load(text)[0]["spec"]
        node.pod = {**node.pod, "volumes": pod["volumes"]}
        node.start("test", pod["containers"][0])
        self.assertEqual(docker("wait", "test"), "0", docker("logs", "test"))
        self.assertIn("alive", docker("logs", "test"))
