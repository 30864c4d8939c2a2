"""What the system tests stand on: one real engine, agents in network namespaces, and looks at both.

Agents of a Cluster are real processes, each in a network namespace of its own with the address
10.89.N.i; they share one Docker Engine (script/engine), where containers are told apart by their
labels. Nothing stands in for the engine.

The namespaces hang on a bridge inside of a namespace of its own, not in the root's: an engine's
rules (FORWARD policy DROP) would otherwise sift the frames between them. The root namespace is
connected as 10.89.N.254, so that tests reach every agent's API also while the agents are cut off
from each other.
"""
import atexit
import collections
import contextlib
import functools
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("HORDELET_BIN", os.path.join(ROOT, "build", "release", "hordelet"))
LONG = os.environ.get("HORDELET_LONG") == "1"
IMAGE = "hordelet-test:1"
POLITE = ("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")  # ends at once when told to
API = "/apis/hordelet.dev/v1/"
GOSSIP_PORT, API_PORT = 7370, 7371
# Of a sanitized agent: nng frees what it has closed on a thread of its own, some of it after the
# process has ended (see tests/unit/peers_test.c).
LEAKS = f"print_suppressions=0:suppressions={ROOT}/tests/system/leaks.txt"
LOG_LINES = 60


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def wait_until(predicate, timeout, what, every=0.03):
    """Polls until the predicate returns something true, and returns that.

    It may raise AssertionError or an error of a connection for "not yet"; the last one is told when
    the time is up.
    """
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = value
        except (AssertionError, OSError, http.client.HTTPException) as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s: {what}; last: {last!r}")
        time.sleep(every)


def holds_for(seconds, check, every=0.2):
    """Runs the check, which asserts, again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        check()
        time.sleep(every)


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


# ---- HTTP -----------------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """Status, headers and body of a response; `json` is None if the body is none."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @functools.cached_property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def message(self):
        return self.json.get("message", "") if isinstance(self.json, dict) else ""

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def ask(connection, method, path, body=None, headers=None):
    """One request on a connection that stays open."""
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection.request(method, path, body=body, headers=headers)
    return Answer(connection.getresponse())


# ---- the engine -----------------------------------------------------------------------------


class Engine:
    """A private dockerd; see script/engine."""

    def __init__(self):
        self.given = os.environ.get("HORDELET_ENGINE_DIR")  # one that runs already, and stays
        self.dir = self.given or tempfile.mkdtemp(prefix="hlsys-")
        self.socket = os.path.join(self.dir, "docker.sock")

    def script(self, verb):
        log = os.path.join(self.dir, "script.log")
        with open(log, "a", encoding="utf-8") as file:
            done = subprocess.run([os.path.join(ROOT, "script", "engine"), verb, self.dir],
                                  stdout=file, stderr=file, check=False)
        if done.returncode != 0:
            with open(log, encoding="utf-8") as file:
                raise RuntimeError(f"script/engine {verb} {self.dir}: {file.read()[-3000:]}")

    def start(self):
        self.script("start")

    def remove(self):
        if not self.given:
            self.script("stop")
            shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def pid(self):
        with open(os.path.join(self.dir, "dockerd.pid"), encoding="ascii") as file:
            return int(file.read())

    def signal(self, number):
        os.kill(self.pid, number)

    def ask(self, method, path, body=None, timeout=60):
        connection = UnixConnection(self.socket, timeout)
        try:
            return ask(connection, method, path, body)
        finally:
            connection.close()

    def must(self, method, path, body=None):
        answer = self.ask(method, path, body)
        if answer.status >= 400:
            raise RuntimeError(f"engine: {method} {path}: {answer}")
        return answer.json

    def containers(self, cluster, node=None, every=False):
        """Those of a cluster: all, or only those that run."""
        labels = [f"dev.hordelet.cluster={cluster}"]
        if node:
            labels.append(f"dev.hordelet.node={node}")
        filters = urllib.parse.quote(json.dumps({"label": labels}))
        flag = "true" if every else "false"
        return [Container(entry) for entry in
                self.must("GET", f"/containers/json?all={flag}&filters={filters}")]

    def inspect(self, identity):
        return self.must("GET", f"/containers/{identity}/json")

    def run(self, name, labels=None, command=("sleep", "1000")):
        """A container of somebody else. Returns its id."""
        body = {"Image": IMAGE, "Cmd": list(command), "Labels": labels or {},
                "HostConfig": {"NetworkMode": "host"}}
        identity = self.must("POST", f"/containers/create?name={name}", body)["Id"]
        self.must("POST", f"/containers/{identity}/start")
        return identity

    def kill(self, identity):
        return self.ask("POST", f"/containers/{identity}/kill")

    def remove_container(self, identity):
        return self.ask("DELETE", f"/containers/{identity}?force=true&v=true")

    def remove_cluster(self, cluster):
        for _ in range(3):  # a create may have been in flight
            left = self.containers(cluster, every=True)
            if not left:
                return
            for container in left:
                self.remove_container(container.id)
        left = self.containers(cluster, every=True)
        if left:
            raise RuntimeError(f"containers that do not go: {left}")


class Container:
    """One line of the engine's list."""

    def __init__(self, entry):
        self.id = entry["Id"]
        self.name = entry["Names"][0].lstrip("/")
        self.state = entry["State"]
        self.labels = entry["Labels"]
        self.child = self.labels.get("dev.hordelet.child", "")  # NS/WORKLOAD/ORDINAL
        _, self.workload, ordinal = (self.child.split("/") + ["", ""])[:3]
        self.ordinal = int(ordinal or 0)
        self.node = self.labels.get("dev.hordelet.node", "")
        epoch = self.labels.get("dev.hordelet.epoch", "")
        self.epoch = int(epoch) if epoch.isdigit() else 0

    def __repr__(self):
        return f"{self.child}@{self.node}:{self.epoch} {self.state} {self.id[:8]}"


# ---- the network ----------------------------------------------------------------------------


def identity(containers):
    """What must not change: ids and start times."""
    return {c.id: engine().inspect(c.id)["State"]["StartedAt"] for c in containers}


class Network:
    """Namespaces hlN-1, hlN-2, ... with 10.89.N.1, 10.89.N.2, ...; made when first asked for."""

    def __init__(self):
        self.count = 0
        self.number = self.take_number()
        self.switch = f"hl{self.number}-sw"
        root = f"hl{self.number}-root"
        self.batch(None, f"link add {root} type veth peer name root netns {self.switch}",
                   f"addr add {self.address(254)}/24 dev {root}", f"link set {root} up")
        self.batch(self.switch, "link add br0 type bridge", "link set br0 up",
                   "link set root master br0", "link set root up")

    @staticmethod
    def take_number():
        numbers = list(range(1, 250))
        random.shuffle(numbers)
        for number in numbers:
            if os.path.exists(f"/sys/class/net/hl{number}-root"):
                continue  # of a run that was killed
            with contextlib.suppress(RuntimeError):
                run("ip", "netns", "add", f"hl{number}-sw")
                return number
        raise RuntimeError("no free network namespace: are you root?")

    @staticmethod
    def batch(namespace, *lines):
        place = ["-netns", namespace] if namespace else []
        run("ip", *place, "-batch", "-", input="\n".join(lines) + "\n")

    def address(self, index):
        return f"10.89.{self.number}.{index}"

    def namespace(self, index):
        while self.count < index:
            self.count += 1
            self.add(self.count)
        return f"hl{self.number}-{index}"

    def add(self, index):
        name = f"hl{self.number}-{index}"
        run("ip", "netns", "add", name)
        self.batch(self.switch, f"link add p{index} type veth peer name eth0 netns {name}",
                   f"link set p{index} master br0", f"link set p{index} up")
        self.batch(name, "link set lo up", f"addr add {self.address(index)}/24 dev eth0",
                   "link set eth0 up")

    def cut(self, here, there):
        """Nothing goes from here to there any more, without a word: the frames go to nobody."""
        self.batch(self.namespace(here), f"neigh replace {self.address(there)} "
                   "lladdr 02:00:00:00:00:01 nud permanent dev eth0")

    def heal(self, here, there):
        self.batch(self.namespace(here), f"neigh del {self.address(there)} dev eth0")

    def remove(self):
        for index in range(1, self.count + 1):
            run("ip", "netns", "delete", f"hl{self.number}-{index}")
        run("ip", "link", "delete", f"hl{self.number}-root")
        run("ip", "netns", "delete", self.switch)


# ---- what all tests of a run share ----------------------------------------------------------

shared = {}
open_clusters = []


def engine():
    if "engine" not in shared:
        if os.geteuid() != 0:
            raise RuntimeError("the system tests need root: a container engine, network namespaces")
        if not os.access(BINARY, os.X_OK):
            raise RuntimeError(f"HORDELET_BIN: {BINARY} is no program")
        shared["engine"] = Engine()
        shared["engine"].start()
    return shared["engine"]


def network():
    if "network" not in shared:
        shared["network"] = Network()
    return shared["network"]


@atexit.register
def remove_shared():
    for cluster in list(open_clusters):
        cluster.close()
        cluster.remove()
    for name in ("network", "engine"):
        if name in shared:
            shared.pop(name).remove()


def exit_on_signal(number, frame):
    del frame
    sys.exit(128 + number)


signal.signal(signal.SIGTERM, exit_on_signal)
signal.signal(signal.SIGHUP, exit_on_signal)


# ---- agents ---------------------------------------------------------------------------------


class Agent:
    """One agent's place: its name, addresses, data directory and log outlive its processes."""

    def __init__(self, cluster, index):
        self.cluster, self.index = cluster, index
        self.name = f"n{index}"
        self.host = network().address(index)
        self.gossip = f"{self.host}:{GOSSIP_PORT}"
        self.data = os.path.join(cluster.dir, self.name)
        self.log = os.path.join(cluster.dir, self.name + ".log")
        self.process = None
        self.binary = BINARY
        self.frozen = False
        self.allow = ["--allow-host-network", "--allow-host-path=" + cluster.dir]
        self.private = ""  # shell commands before it, in a mount namespace of its own
        self.environment = {}
        seeds = [f"{network().address(i)}:{GOSSIP_PORT}" for i in range(1, cluster.count + 1)]
        self.options = {  # of the next start
            "--node-name": self.name, "--cluster": cluster.name, "--data-dir": self.data,
            "--gossip": self.gossip, "--api": f"{self.host}:{API_PORT}", "--join": ",".join(seeds),
            "--runtime": f"unix://{engine().socket}"}

    def __repr__(self):
        return self.name

    def start(self):
        assert not self.running, f"{self.name} runs already"
        space = network().namespace(self.index)
        flags = [f"{flag}={value}" for flag, value in self.options.items()]
        with open(self.log, "ab") as log:
            private = ["unshare", "--mount", "sh", "-ec", self.private + '\nexec "$@"', "sh"]
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{space}", *(private if self.private else []),
                 self.binary, "agent", "--insecure", *self.allow, *flags, *self.cluster.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"LSAN_OPTIONS": LEAKS, **os.environ, **self.environment})

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.frozen = False

    def terminate(self, timeout):
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(timeout)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def connect(self, timeout=10):
        return http.client.HTTPConnection(self.host, API_PORT, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, timeout=10):
        """path: from the root, or what follows /apis/hordelet.dev/v1/."""
        connection = self.connect(timeout)
        try:
            return ask(connection, method, path if path.startswith("/") else API + path, body,
                       headers)
        finally:
            connection.close()

    def get(self, path, timeout=10):
        answer = self.ask("GET", path, timeout=timeout)
        assert answer.status == 200, f"{self.name}: GET {path}: {answer}"
        return answer.json

    def items(self, path):
        return self.get(path)["items"]

    def phases(self):
        """Of all members, as this agent sees them."""
        return {item["metadata"]["name"]: item["status"]["phase"] for item in self.items("members")}

    def children(self, workload=None):
        """Name to status."""
        items = self.items("children")
        return {item["metadata"]["name"]: item["status"] for item in items
                if workload in (None, item["spec"]["workload"])}

    def names(self, workload=None):
        """Name to (node, address, port)."""
        path = "names"
        if workload:
            path += "?labelSelector=" + urllib.parse.quote(f"hordelet.dev/workload={workload}")
        return {item["metadata"]["name"]: (item["status"]["node"], item["status"].get("address"),
                                           item["status"].get("port"))
                for item in self.items(path)}

    def cli(self, *arguments, timeout=60):
        return subprocess.run([BINARY, arguments[0], "--api", f"http://{self.host}:{API_PORT}",
                               *arguments[1:]], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                              check=False)

    def metrics(self):
        """Name with labels to value."""
        lines = self.ask("GET", "/metrics").body.decode().splitlines()
        return {line.split()[0]: float(line.split()[1]) for line in lines if line[0] != "#"}

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


def workload(name, replicas=1, command=("sleep", "1000"), labels=None, image=IMAGE, container=None,
             **spec):
    """A document. On the host's network by default, since that starts twice as fast."""
    spec = {"replicas": replicas, "hostNetwork": True, "shutdown": "brutal_kill",
            "container": {"image": image, "command": list(command), **(container or {})}, **spec}
    return {"apiVersion": "hordelet.dev/v1", "kind": "Workload",
            "metadata": {"name": name, "labels": labels or {"app": name}}, "spec": spec}


class Cluster:
    serial = itertools.count(1)

    def __init__(self, count, *flags):
        engine()
        self.name = f"t{os.getpid()}-{next(Cluster.serial)}"
        self.dir = tempfile.mkdtemp(prefix=f"hl-{self.name}-")
        self.count, self.flags = count, flags
        self.agents = {i: Agent(self, i) for i in range(1, count + 1)}
        self.cuts = []
        self.mounts = []
        self.ends = {}  # how each agent ended, for dump()
        open_clusters.append(self)

    def __getitem__(self, index):
        return self.agents[index]

    def start(self, timeout=15):
        for agent in self.agents.values():
            agent.start()
        self.wait_formed(timeout)
        return self

    @property
    def alive(self):
        return [agent for agent in self.agents.values() if agent.running and not agent.frozen]

    def by_name(self, name):
        return next(agent for agent in self.agents.values() if agent.name == name)

    def wait_formed(self, timeout=15):
        wanted = {agent.name for agent in self.alive}

        def formed():
            for agent in self.alive:
                phases = agent.phases()
                assert wanted == {n for n, p in phases.items() if p == "alive"}, (agent, phases)
                assert agent.ask("GET", "/readyz").status == 200
            return True
        wait_until(formed, timeout, f"{len(wanted)} agents see each other")

    def kill_node(self, index):
        """The agent and its containers, as one machine that loses its power. Returns the time."""
        agent = self.agents[index]
        pids = [engine().inspect(container.id)["State"]["Pid"]
                for container in self.containers(agent.name)]
        agent.process.kill()
        at = time.time()
        for pid in pids:
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        agent.process.wait()
        return at

    def cut(self, left, right, one_way=False):
        """Between all of the left and all of the right; one way: only what the left ones send."""
        pairs = list(itertools.product(left, right))
        if not one_way:
            pairs += itertools.product(right, left)
        for pair in pairs:
            network().cut(*pair)
            self.cuts.append(pair)

    def heal(self):
        while self.cuts:
            network().heal(*self.cuts.pop())

    def containers(self, node=None, every=False):
        return engine().containers(self.name, node, every)

    def apply(self, document, on=1):
        """Creates it, or changes it to be so. Returns the answer."""
        resource = document["kind"].lower() + "s"
        path = f"{resource}/{document['metadata']['name']}?fieldManager=test&force=true"
        if resource == "workloads":
            path = "namespaces/default/" + path
        answer = self[on].ask("PATCH", path, json.dumps(document),
                              {"Content-Type": "application/apply-patch+yaml"})
        assert answer.status in (200, 201), answer
        return answer

    def scale(self, name, replicas, on=1):
        answer = self[on].ask("PATCH", f"namespaces/default/workloads/{name}/scale",
                              {"spec": {"replicas": replicas}},
                              {"Content-Type": "application/merge-patch+json"})
        assert answer.status == 200, answer
        return answer

    def delete(self, name, on=1):
        answer = self[on].ask("DELETE", f"namespaces/default/workloads/{name}")
        assert answer.status == 200, answer
        return answer

    # -- the invariant --

    def look(self, name, replicas):
        """Asserts that each ordinal runs in exactly one container, on the node that all agents
        tell, and that its name is the same everywhere. Returns ordinal to container."""
        running = collections.defaultdict(list)
        for container in self.containers():
            if container.workload == name:
                running[container.ordinal].append(container)
        assert sorted(running) == list(range(replicas)), f"engine: ordinals {sorted(running)}"
        doubles = {o: found for o, found in running.items() if len(found) != 1}
        assert not doubles, f"engine: not exactly one: {doubles}"
        alive = {agent.name for agent in self.alive}
        lost = [found[0] for found in running.values() if found[0].node not in alive]
        assert not lost, f"engine: of agents that are gone: {lost}"
        for agent in self.alive:
            self.look_at(agent, name, {o: found[0] for o, found in running.items()})
        return {ordinal: found[0] for ordinal, found in running.items()}

    def look_at(self, agent, name, running):
        children = agent.children(name)
        wanted = {f"{name}-{ordinal}": container for ordinal, container in running.items()}
        assert set(children) == set(wanted), f"{agent} tells of {sorted(children)}"
        for child, container in wanted.items():
            status = children[child]
            told = (status["phase"], status.get("node"), status.get("containerID"),
                    status.get("epoch"))
            real = ("Running", container.node, container.id, container.epoch)
            assert told == real, f"{agent} tells {child}: {told}, the engine: {real}"
        expected = {name: running[0].node} if len(running) == 1 else \
            {child: container.node for child, container in wanted.items()}
        told = {n: place[0] for n, place in agent.names(name).items()}
        assert told == expected, f"{agent} resolves {told}, not {expected}"

    def exactly_once(self, name, replicas, timeout=20, settle=0.3):
        """Waits until it is so, and still is a moment later: an engine may yet carry out what it
        was told before."""
        def stays():
            self.look(name, replicas)
            time.sleep(settle)
            self.found = self.look(name, replicas)
            return True
        wait_until(stays, timeout, f"{replicas} of {name} run, exactly once each", every=0.1)
        return self.found

    def gone(self, name, timeout=20):
        """Nothing of it is left, anywhere."""
        def check():
            left = [c for c in self.containers(every=True) if c.workload == name]
            assert not left, f"engine: {left}"
            for agent in self.alive:
                assert not agent.children(name), f"{agent}: {agent.children(name)}"
                assert not agent.names(name), f"{agent}: {agent.names(name)}"
                assert agent.ask("GET", f"namespaces/default/workloads/{name}").status == 404
            return True
        wait_until(check, timeout, f"{name} is gone", every=0.1)

    # -- the end --

    def close(self):
        """Ends all that runs; logs and data stay until remove()."""
        if self not in open_clusters:
            return
        for agent in self.agents.values():
            if agent.running:
                self.ends[agent.index] = "ran until the end of the test"
                agent.kill()
            elif agent.process:
                self.ends[agent.index] = f"exit status {agent.process.returncode}"
        with contextlib.suppress(RuntimeError):
            self.heal()
        engine().start()  # a test may have left it stopped
        engine().remove_cluster(self.name)
        open_clusters.remove(self)

    def remove(self):
        for mount in self.mounts:
            run("umount", "-l", mount)
        shutil.rmtree(self.dir, ignore_errors=True)

    def dump(self):
        for agent in self.agents.values():
            if os.path.exists(agent.log):
                lines = agent.log_text().splitlines()
                state = self.ends.get(agent.index, "never started")
                say(f"---- {self.name} {agent.name} ({state}): "
                    f"the last {LOG_LINES} of {len(lines)} lines")
                say("\n".join(lines[-LOG_LINES:]))


class SystemTest(unittest.TestCase):
    """Closes the clusters of its test, and shows their agents' logs if it has failed."""

    maxDiff = 4000

    def cluster(self, count, *flags, start=True):
        cluster = Cluster(count, *flags)
        self.clusters.append(cluster)
        self.addCleanup(cluster.close)
        return cluster.start() if start else cluster

    def run(self, result=None):
        self.clusters = []
        before = len(result.failures) + len(result.errors)
        begin = time.monotonic()
        super().run(result)
        failed = len(result.failures) + len(result.errors) > before
        say(f"      {time.monotonic() - begin:.1f} s")
        for cluster in self.clusters:
            if failed:
                cluster.dump()
            cluster.remove()
        return result

    def note(self, text):
        """A figure that was measured on the way."""
        say(f"\n      {text}")
