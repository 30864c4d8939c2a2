#!/usr/bin/env python3
"""What can be said of the chart and the manifests without helm and without a network.

    offline_test.py BINARY     BINARY: the hordelet that was built

tests/system/test_chart.py goes on with a real helm and a real engine.
"""
import copy
import glob
import json
import os
import re
import subprocess
import sys
import unittest

import documents
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHART = os.path.join(ROOT, "helm", "hordelet")
FOLDER = os.path.join(ROOT, "manifests", "kubernetes")
MANIFESTS = sorted(glob.glob(os.path.join(FOLDER, "*.yaml")))
BINARY = None
FLAG_ENVIRONMENT = "HORDELET_AGENT_"


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def pods():
    return [documents.pod_of(document) for path in MANIFESTS for document in documents.load(path)
            if document["kind"] == "DaemonSet"]


def agent_flags():
    text = subprocess.run([BINARY, "agent", "--help"], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    return set(re.findall(r"^  --([a-z-]+)", text, re.M))


def flags_given(file):
    """Flags that a manifest hands to its agents: in the ConfigMap, as arguments, by environment."""
    found = set()
    for document in documents.load(file):
        if document["kind"] == "ConfigMap" and "agent.yaml" in document["data"]:
            found |= set(yaml.safe_load(document["data"]["agent.yaml"]))
        if document["kind"] == "DaemonSet":
            agent = next(container for container in documents.pod_of(document)["containers"]
                         if container["name"] == "agent")
            found |= {word[2:].partition("=")[0] for word in agent["args"]
                      if word.startswith("--")}
            found |= {entry["name"][len(FLAG_ENVIRONMENT):].lower().replace("_", "-")
                      for entry in agent["env"] if entry["name"].startswith(FLAG_ENVIRONMENT)}
    return found


# What has more keys than its default shows.
OPEN = {"config", "livenessProbe", "readinessProbe", "startupProbe",
        "api.tls.certManager.issuerRef"}
KINDS = {"string": str, "boolean": bool, "integer": int, "object": dict, "array": list}


def differences(values, schema, path=""):
    """Where values.yaml and the schema differ in what they have, or in the type of a default."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(values, KINDS[kind]) for kind in kinds if kind in KINDS):
        yield path, f"the default is no {schema['type']}"
    if "properties" not in schema:
        return
    if schema.get("additionalProperties") is not False and path != "global":
        yield path, "other keys are let through"
    for key in set(values) - set(schema["properties"]):
        yield f"{path}.{key}", "is not in the schema"
    for key, inner in schema["properties"].items():
        if key in values:
            yield from differences(values[key], inner, f"{path}.{key}".lstrip("."))
        elif path not in OPEN:
            yield f"{path}.{key}", "is not in values.yaml"


def leaves(values, rows, path=""):
    """Paths of values that a row should tell of: a row may tell of a whole map."""
    for key, value in values.items():
        at = f"{path}{key}"
        if isinstance(value, dict) and value and at not in rows:
            yield from leaves(value, rows, at + ".")
        else:
            yield at


class Manifests(unittest.TestCase):
    maxDiff = None

    def test_they_are_what_the_chart_makes_of_them(self):
        done = subprocess.run([sys.executable, os.path.join(ROOT, "script", "manifests"),
                               "--check-sums"], text=True, check=False, stdout=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_they_are_valid(self):
        self.assertGreaterEqual(len(MANIFESTS), 3)
        for path in MANIFESTS:
            self.assertEqual(documents.check_file(path), [])

    def test_a_mistake_is_found(self):
        path = os.path.join(ROOT, "manifests", "kubernetes", "hordelet.yaml")
        good = documents.load(path)
        for wanted, spoil in MISTAKES:
            bad = copy.deepcopy(good)
            spoil({document["kind"]: document for document in bad})
            found = [problem for index, document in enumerate(bad)
                     for problem in documents.check_document(document, str(index))]
            found = found or documents.check_set(bad)
            self.assertEqual(len([one for one in found if wanted in one]), 1, (wanted, found))

    def test_the_example_has_each_secret_and_no_key_that_an_agent_would_take(self):
        example = {}
        for document in documents.load(os.path.join(FOLDER, "secrets.example.yaml")):
            example[document["metadata"]["name"]] = document["stringData"]
            for value in document["stringData"].values():
                self.assertTrue(value.startswith("REPLACE THIS LINE"), value)
        asked = {}
        for pod in pods():
            for volume in pod["volumes"]:
                for item in volume.get("secret", {}).get("items", []):
                    asked.setdefault(volume["secret"]["secretName"], set()).add(item["key"])
        self.assertEqual(asked, {name: set(data) for name, data in example.items()})

    def test_every_flag_is_one_of_the_agent(self):
        known = agent_flags()
        for path in MANIFESTS:
            self.assertEqual(flags_given(path) - known, set(), path)

    def test_the_containers_ports_are_the_images(self):
        exposed = re.search(r"^EXPOSE (.*)$", read("Dockerfile"), re.M)[1].split()
        for pod in pods():
            ports = [str(port["containerPort"]) for port in pod["containers"][0]["ports"]]
            self.assertEqual(sorted(ports), sorted(exposed))

    def test_every_agent_has_what_the_operators_guide_promises(self):
        self.assertEqual(len(pods()), 4)
        for pod in pods():
            self.assertTrue(pod["hostNetwork"])
            self.assertEqual(pod["dnsPolicy"], "ClusterFirstWithHostNet")
            self.assertEqual(pod["priorityClassName"], "system-node-critical")
            agent = pod["containers"][0]
            # Podman's containers end with the pod: they are handed over before.
            end = "drain" if "initContainers" in pod else "detach"
            self.assertEqual(agent["args"][-2:], ["--on-sigterm", end])
            self.assertEqual([agent[probe]["httpGet"]["path"] for probe in
                              ("startupProbe", "livenessProbe", "readinessProbe")],
                             ["/livez", "/livez", "/readyz"])
            self.assertEqual(agent["securityContext"], TIGHT)
            self.assertEqual(self.moved_mounts(pod, agent), [])

    @staticmethod
    def moved_mounts(pod, container):
        """Directories of the host that are elsewhere in the container: the engine mounts out of
        them by their names on the host."""
        host = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]
                if "hostPath" in volume}
        return [mount for mount in container["volumeMounts"] if mount["name"] in host and
                host[mount["name"]] != mount["mountPath"]]

    def test_only_who_watches_endpoint_slices_may_ask_kubernetes(self):
        for path in MANIFESTS:
            found = documents.load(path)
            rules = [rule for document in found if document["kind"].endswith("Role")
                     for rule in document["rules"]]
            tokens = [documents.pod_of(document)["automountServiceAccountToken"]
                      for document in found if document["kind"] == "DaemonSet"]
            if os.path.basename(path) == "hordelet-endpointslices.yaml":
                self.assertEqual(rules, [{"apiGroups": ["discovery.k8s.io"],
                                          "resources": ["endpointslices"],
                                          "verbs": ["list", "watch"]}])
                self.assertEqual(tokens, [True])
            else:
                self.assertEqual((rules, any(tokens)), ([], False), path)


TIGHT = {"runAsUser": 0, "runAsGroup": 0, "privileged": False, "allowPrivilegeEscalation": False,
         "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def daemon_set_pod(kinds):
    return documents.pod_of(kinds["DaemonSet"])


def agent_of(kinds):
    return daemon_set_pod(kinds)["containers"][0]


# What must be said of the default manifest once it is spoilt so.
MISTAKES = [
    ("no field 'hostNetwrok'", lambda kinds: daemon_set_pod(kinds).update(hostNetwrok=True)),
    ("must be bool", lambda kinds: daemon_set_pod(kinds).update(hostNetwork="yes")),
    ("must be int", lambda kinds: kinds["DaemonSet"]["spec"].update(minReadySeconds=True)),
    ("must be a list", lambda kinds: agent_of(kinds).update(args="agent")),
    ("is no text", lambda kinds: kinds["DaemonSet"]["metadata"]["labels"].update({True: "x"})),
    ("selector: is required", lambda kinds: kinds["DaemonSet"]["spec"].pop("selector")),
    ("Kubernetes has no", lambda kinds: kinds["DaemonSet"].update(apiVersion="apps/v2")),
    ("no DNS name", lambda kinds: kinds["ConfigMap"]["metadata"].update(name="Agent_X")),
    ("no label's value", lambda kinds: kinds["Service"]["metadata"]["labels"].update(x="a b")),
    ("selects not its own", lambda kinds: kinds["DaemonSet"]["spec"]["selector"].update(
        matchLabels={"app": "other"})),
    ("Service hordelet-gossip: selects not", lambda kinds: kinds["Service"]["spec"].update(
        selector={"app": "other"})),
    ("is no port of", lambda kinds: kinds["Service"]["spec"]["ports"][0].update(targetPort="x")),
    ("which is no volume", lambda kinds: agent_of(kinds)["volumeMounts"][0].update(name="other")),
    ("there is no ConfigMap", lambda kinds: daemon_set_pod(kinds)["volumes"][0]["configMap"].update(
        name="other")),
    ("has no agent.yaml", lambda kinds: kinds["ConfigMap"]["data"].pop("agent.yaml")),
    ("mounted nowhere", lambda kinds: agent_of(kinds)["volumeMounts"].pop()),
    ("which is no port", lambda kinds: agent_of(kinds)["livenessProbe"]["httpGet"].update(
        port="apo")),
    ("service account", lambda kinds: daemon_set_pod(kinds).update(serviceAccountName="other")),
]


# In them anything may stand that Kubernetes, or the agent, knows.
FREE = ("config", "labels", "nodeSelector", "podSecurityContext",
        "api.tls.certManager.issuerRef")


class Chart(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.values = yaml.safe_load(read(CHART, "values.yaml"))
        self.schema = json.loads(read(CHART, "values.schema.json"))

    def test_its_schema_has_each_value_and_no_other(self):
        self.assertEqual(list(differences(self.values, self.schema)), [])

    def test_its_readme_and_its_templates_have_each_value(self):
        rows = re.findall(r"^\| `([\w.]+)` \|", read(CHART, "README.md"), re.M)
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual(set(leaves(self.values, rows)) - set(rows), set())
        templates = "".join(read(path) for path in glob.glob(f"{CHART}/templates/**/*.*",
                                                             recursive=True))
        for path in rows:
            # Images are handed to hordelet.image as a whole.
            name = re.sub(r"^(podman\.)?image\.(?!pullPolicy)", "image.", path)
            uses = re.findall(rf"(?:[Vv]alues\.|\$(?=image\.)){re.escape(name)}\b", templates)
            self.assertTrue(uses, f"no template uses {path}")

    def test_the_operators_guide_names_values_that_there_are(self):
        guide = read("docs", "kubernetes.md")
        tops = "|".join(self.values)
        named = set(re.findall(rf"(?:--set |`)((?:{tops})(?:\.\w+)*)(?=[=`:{{])", guide))
        self.assertGreater(len(named), 10)
        for path in named:
            value = self.values
            known = next((free for free in FREE if path.startswith(free + ".")), path)
            for key in known.split("."):
                self.assertIn(key, value, f"docs/kubernetes.md names {path}")
                value = value[key]

    def test_its_version_is_the_programs(self):
        chart = yaml.safe_load(read(CHART, "Chart.yaml"))
        version = re.search(r"^project\(hordelet VERSION ([\d.]+)", read("CMakeLists.txt"), re.M)[1]
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))
        self.assertIn(f"## {version}\n", read(CHART, "CHANGELOG.md"))

    def test_every_flag_of_the_agent_can_be_set(self):
        """By `config`, or by a value of its own: everything-values.yaml gives each of those."""
        config = set(self.schema["properties"]["config"]["properties"])
        helpers = read(CHART, "templates", "_helpers.tpl")
        own = set(re.findall(r'^      "([a-z-]+)" |set \$own "([a-z-]+)"', helpers, re.M))
        own = {one or other for one, other in own}
        own |= {"node-name", "advertise-address", "on-sigterm", "config", "help"}
        self.assertEqual(config & own, set(), "config must not undo what the chart decides")
        self.assertEqual(agent_flags() - config - own, set(),
                         "new ones: put them under config in helm/hordelet/values.schema.json")
        self.assertEqual((config | own) - agent_flags(), set())

    def test_the_dashboard_asks_for_metrics_that_there_are(self):
        board = json.loads(read(CHART, "dashboards", "hordelet.json"))
        asked = {name for panel in board["panels"] for target in panel["targets"]
                 for name in re.findall(r"\b(?:hordelet|process)_\w+", target["expr"])}
        sources = "".join(read(path) for path in glob.glob(os.path.join(ROOT, "agent", "**", "*.c"),
                                                           recursive=True))
        self.assertGreater(len(asked), 10)
        self.assertEqual({name for name in asked if f'"{name}"' not in sources}, set())
        self.assertEqual(len({panel["id"] for panel in board["panels"]}), len(board["panels"]))


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main()
