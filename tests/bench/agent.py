#!/usr/bin/env python3
"""Real agents: three processes on this host, a real disk, real sockets, and load from a C program.

    HORDELET_BIN=build/release/hordelet tests/bench/agent.py [SECTION...]

One line per figure, medians of several repeats: what | ours | peer | goal | limit. The limits are
measured in the same run: fdatasync of the data directory's disk, a round trip between two processes
of this host, an HTTP answer that touches nothing, the engine without us. The engine answers
at once and runs nothing (instant_engine.c), so that what is seen is our own time.
"""
import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.environ.get("HORDELET_BIN", os.path.join(ROOT, "build", "release", "hordelet"))
BUILD = os.path.dirname(BINARY)
LOAD = os.path.join(BUILD, "tests", "bench", "http_load")
API = "/apis/hordelet.dev/v1/"
SEEDS = 5  # agents whose addresses all are given
REPEATS = 5
SECONDS = 1.5  # of load per figure and repeat


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def line(what, ours, peer="-", goal="-", limit="-"):
    print(f"{what:<58} | {ours:<26} | {peer:<26} | {goal:<20} | {limit}", flush=True)


def wait_until(predicate, timeout, what, every=0.002):
    deadline = time.monotonic() + timeout
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            if predicate():
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {timeout} s: {what}")
        time.sleep(every)


# Several runs share a machine: each has a loopback address of its own, and so all ports.
HOST = f"127.{1 + (os.getpid() >> 16)}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
ports = itertools.count(20000, 4)  # gossip takes two: the second is two further on


def load(agent, connections, method, path, body=None):
    """Requests per second, p50 and p99 in us, good, bad."""
    arguments = [LOAD, HOST, str(agent.api), str(connections), str(SECONDS), method, path]
    done = subprocess.run(arguments + ([body] if body else []), text=True, check=True,
                          stdout=subprocess.PIPE)
    return [float(word) for word in done.stdout.split()]


def limits(directory):
    """Microseconds: a durable append, a round trip."""
    return [float(word) for word in subprocess.run(
        [LOAD, "limits", directory], text=True, check=True, stdout=subprocess.PIPE).stdout.split()]


# ---- the engine -----------------------------------------------------------------------------


class Engine:
    """One for each agent, as on machines of their own: what dies with a node dies with its
    engine."""

    PROGRAM = os.path.join(BUILD, "tests", "bench", "instant_engine")

    def __init__(self, path, faults=()):
        self.socket = path
        self.process = subprocess.Popen([self.PROGRAM, self.socket, *faults],
                                        stdin=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.socket), 5, "the engine listens")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def running(self):
        """The children, as often as they run, in the engine's own words."""
        for _ in range(20):  # its faults strike us too
            connection = http.client.HTTPConnection("engine", timeout=10)
            connection.sock = socket.socket(socket.AF_UNIX)
            with contextlib.closing(connection), contextlib.suppress(http.client.HTTPException,
                                                                     ConnectionError):
                connection.sock.connect(self.socket)
                connection.request("GET", "/containers/json?all=true")
                return [entry["Labels"]["dev.hordelet.child"]
                        for entry in json.loads(connection.getresponse().read())
                        if entry["State"] == "running"]
        raise RuntimeError(f"{self.socket} does not answer")

    def raw_starts(self):
        """Containers a second with nobody in between: create, start and inspect, 6 at a time."""
        rates = []
        for method, path in (("POST", "/containers/create?name=x"),
                             ("POST", "/containers/0/start"), ("GET", "/containers/0/json")):
            done = subprocess.run([LOAD, self.socket, "0", "6", "0.3", method, path, "{}"],
                                  text=True, check=True, stdout=subprocess.PIPE)
            rates.append(float(done.stdout.split()[0]))
        return 1 / sum(1 / rate for rate in rates)


# ---- agents ---------------------------------------------------------------------------------


class Agent:
    def __init__(self, cluster, index):
        self.name, self.cluster = f"n{index}", cluster
        self.gossip, self.api = next(ports), next(ports)
        self.data = os.path.join(cluster.dir, self.name)
        faults = [*cluster.faults, f"seed={index}"] if cluster.faults else []
        self.engine = Engine(self.data + ".engine", faults)
        self.process = None

    def start(self):
        seeds = ",".join(f"{HOST}:{agent.gossip}" for agent in self.cluster.agents[:SEEDS])
        with open(self.data + ".log", "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "agent", "--node-name", self.name, "--cluster", f"bench-{os.getpid()}",
                 "--data-dir", self.data, "--gossip", f"{HOST}:{self.gossip}", "--api",
                 f"{HOST}:{self.api}", "--allow-host-network", "--join", seeds, "--runtime",
                 f"unix://{self.engine.socket}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(HOST, self.api, timeout=10)
        try:
            connection.request(method, path if path.startswith("/") else API + path,
                               body=json.dumps(body) if body else None,
                               headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, (answer.status, text[:300])
            return json.loads(text) if text[:1] in (b"{", b"[") else text
        finally:
            connection.close()

    def phases(self):
        return {item["metadata"]["name"]: item["status"]["phase"]
                for item in self.ask("GET", "members")["items"]}

    def ready(self, name, replicas):
        path = f"namespaces/default/workloads/{name}"
        return self.ask("GET", path)["status"].get("readyReplicas", 0) == replicas

    def metrics(self):
        """Line's beginning to value."""
        lines = self.ask("GET", "/metrics").decode().splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def kill(self):
        """As a machine that loses its power: the engine and what ran there too. Returns the
        time."""
        self.engine.kill()
        self.process.kill()
        self.process.wait()
        return time.monotonic()

    def sockets(self):
        """Connections that this process has, made or accepted, without those of the API."""
        inodes = set()
        for entry in os.scandir(f"/proc/{self.process.pid}/fd"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(entry.path))
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        return sum(row[3] == "01" and f"socket:[{row[9]}]" in inodes and
                   int(row[1].split(":")[1], 16) != self.api for row in rows)

    def memory_mb(self):
        """Private, resident, and resident with what is shared divided among those who share it."""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            sizes = {words[0]: int(words[1]) for words in map(str.split, file)
                     if len(words) == 3 and words[2] == "kB"}
        private = sizes["Private_Clean:"] + sizes["Private_Dirty:"]
        return private / 1000, sizes["Rss:"] / 1000, sizes["Pss:"] / 1000

    def cpu_seconds(self):
        """Of the threads that live. /proc/PID/stat counts in hundredths only."""
        total_ns = 0
        for task in os.scandir(f"/proc/{self.process.pid}/task"):
            with contextlib.suppress(OSError), open(task.path + "/schedstat", "rb") as file:
                total_ns += int(file.read().split()[0])
        return total_ns / 1e9


def document(name, replicas):
    return {"apiVersion": "hordelet.dev/v1", "kind": "Workload", "metadata": {"name": name},
            "spec": {"replicas": replicas, "shutdown": "brutal_kill", "hostNetwork": True,
                     "container": {"image": "busybox:1.36", "command": ["sleep", "1000"]}}}


class Cluster:
    def __init__(self, count=3, faults=()):
        self.faults = faults  # of the engines
        self.dir = tempfile.mkdtemp(prefix="hordelet-bench-")
        self.agents = []
        self.agents += [Agent(self, i + 1) for i in range(count)]

    def __getitem__(self, index):
        return self.agents[index]

    def __enter__(self):
        return self

    def __exit__(self, *reasons):
        # Whoever is told to end in the middle of this would leave the rest behind.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        for agent in self.agents:
            if agent.process and agent.process.returncode is None:
                agent.process.kill()
                agent.process.wait()
            agent.engine.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})

    def joined(self):
        return all(list(agent.phases().values()) == ["alive"] * len(self.agents)
                   for agent in self.agents)

    def start(self):
        for agent in self.agents:
            agent.start()
        wait_until(self.joined, 20, "the agents see each other")
        for agent in self.agents:
            wait_until(lambda a=agent: a.ask("GET", "/readyz"), 20, "ready")
        return self

    def run(self, name, replicas, timeout=60):
        self[0].ask("POST", "namespaces/default/workloads", document(name, replicas))
        wait_until(lambda: all(agent.ready(name, replicas) for agent in self.agents), timeout,
                   f"{replicas} children of {name} run", every=0.02)


# ---- start ----------------------------------------------------------------------------------


def bench_start():
    joined, running = [], []
    for _ in range(REPEATS):
        with Cluster() as cluster:
            began = time.monotonic()
            for agent in cluster.agents:
                agent.start()
            wait_until(cluster.joined, 20, "the agents see each other")
            joined.append((time.monotonic() - began) * 1000)
            body = document("web", 1)
            wait_until(lambda: cluster[0].ask("POST", "namespaces/default/workloads", body), 20,
                       "a workload is accepted")
            wait_until(lambda: cluster[1].ready("web", 1), 20, "it runs")
            running.append((time.monotonic() - began) * 1000)
    line("three processes started: all see each other", f"{median(joined):.0f} ms")
    line("  ... and a child applied then runs", f"{median(running):.0f} ms", "Horde 511 ms",
         "150 ms + engine")


# ---- puts -----------------------------------------------------------------------------------


def bench_puts():
    one, fifty, floors = [], [], []
    with Cluster() as cluster:
        cluster.start()
        for repeat in range(REPEATS):
            sync_us, trip_us = limits(cluster.dir)
            floors.append(1e6 / (sync_us + trip_us))
            for callers, rates in ((1, one), (50, fifty)):
                body = json.dumps(document(f"w{repeat}-{callers}-%u", 0))
                rates.append(load(cluster[0], callers, "POST", "/apis/hordelet.dev/v1/namespaces/"
                                  "default/workloads", body))
    limit = median(floors)
    rate = median([run[0] for run in one])
    line("durable puts of workloads over HTTP, 1 caller",
         f"{rate:,.0f}/s ({rate / limit * 100:.0f} % of limit)", "Horde 2,480/s (memory)",
         "70 % of the limit", f"{limit:,.0f}/s: 1/(fdatasync + round trip)")
    line("  one put: p50 / p99",
         f"{median([run[1] for run in one]):.0f} / {median([run[2] for run in one]):.0f} us")
    line("durable puts of workloads over HTTP, 50 callers",
         f"{median([r[0] for r in fifty]):,.0f}/s", "Horde 5,510/s, etcd 2,980/s", "5,000/s")
    line("  one put: p50 / p99",
         f"{median([r[1] for r in fifty]):.0f} / {median([r[2] for r in fifty]):.0f} us")
    bad = sum(run[4] for run in one + fifty)
    if bad:
        line("! puts refused", f"{bad:.0f}")


# ---- lookups --------------------------------------------------------------------------------


def bench_lookup():
    with Cluster() as cluster:
        cluster.start()
        cluster.run("web", 100)
        rows = [("GET of /livez over HTTP, 50 connections", "/livez", "-", "-"),
                ("lookup of a name over HTTP, 50 connections",
                 API + "namespaces/default/names/web-7", "Horde 14,400/s far, no HTTP",
                 "50,000/s")]
        rates = {path: [] for _, path, _, _ in rows}
        for _ in range(REPEATS):
            for _, path, _, _ in rows:
                rates[path].append(load(cluster[0], 50, "GET", path))
        for what, path, peer, goal in rows:
            floor = median([run[0] for run in rates["/livez"]])
            line(what, f"{median([run[0] for run in rates[path]]):,.0f}/s", peer, goal,
                 f"{floor:,.0f}/s: an empty answer")


# ---- idle -----------------------------------------------------------------------------------


def bench_idle():
    seconds = 10
    with Cluster() as cluster:
        cluster.start()
        time.sleep(2)
        for children in (0, 10000):
            if children:
                cluster.run("web", children, timeout=120)
                time.sleep(3)
            before = [agent.cpu_seconds() for agent in cluster.agents]
            time.sleep(seconds)
            used = [agent.cpu_seconds() - b for agent, b in zip(cluster.agents, before)]
            memory = [agent.memory_mb() for agent in cluster.agents]
            line(f"an agent at {children:,} children: USS / RSS",
                 f"{median([m[0] for m in memory]):.1f} / {median([m[1] for m in memory]):.1f} MB",
                 f"Horde {178 if children else 50} MB, Serf 15",
                 f"{25 if children else 10} MB (USS)")
            line(f"an agent at {children:,} children: a core, idle",
                 f"{median(used) / seconds * 100:.2f} %", "Serf 0.18, Swarm 0.4-0.7 %", "0.1 %")


# ---- failover and stop ----------------------------------------------------------------------


def children_on(cluster, agent):
    path = f"members/{agent.name}"
    return cluster[0].ask("GET", path)["status"]["children"]


def duplicates(cluster, agents):
    """Children that run more than once, and all that run, in the words of these agents' engines."""
    running = [child for agent in agents for child in cluster[agent].engine.running()]
    return len(running) - len(set(running)), len(running)


def names_are_right(cluster, asked, children, lost):
    """Every child has its name, and none is on the lost node."""
    names = cluster[asked].ask("GET", "namespaces/default/names")["items"]
    return len(names) == children and all(n["status"]["node"] != lost for n in names)


def failover_once(children):
    """One of three dies: figure to value, times in milliseconds from the verdict on, as survivors
    tell it."""
    with Cluster() as cluster:
        cluster.start()
        cluster.run("web", children)
        time.sleep(1.5)
        moved = children_on(cluster, cluster[2])
        killed = cluster[2].kill()
        wait_until(lambda: cluster[0].phases()["n3"] == "dead", 20, "the verdict", every=0.001)
        dead = time.monotonic()
        wait_until(lambda: cluster[0].ready("web", children), 60, "all run again", every=0.003)
        running = time.monotonic()
        wait_until(lambda: names_are_right(cluster, 1, children, "n3"), 60, "names", every=0.003)
        named = time.monotonic()
        raw = 2 * cluster[0].engine.raw_starts()
        time.sleep(1)
        twice, all_running = duplicates(cluster, (0, 1))
        return {"verdict": (dead - killed) * 1000, "running": (running - dead) * 1000,
                "named": (named - dead) * 1000, "moved": moved, "limit": moved / raw * 1000,
                "twice": twice, "missing": children - (all_running - twice)}


def middle(runs, figure):
    return median([run[figure] for run in runs])


def total(runs, figure):
    return sum(run[figure] for run in runs)


def bench_failover():
    for children, horde in ((300, 28), (1000, 58), (3000, 188)):
        runs = [failover_once(children) for _ in range(3)]
        if children == 300:
            line("an agent is killed: verdict", f"{middle(runs, 'verdict'):.0f} ms",
                 "Horde 16 ms, Serf 6,100 ms", "500 ms")
        line(f"  from the verdict to {children:,} running again",
             f"{middle(runs, 'running'):.0f} ms ({runs[0]['moved']} moved)", f"Horde {horde} ms",
             "-", f"{middle(runs, 'limit'):.0f} ms: two raw engines")
        line(f"  ... and all {children:,} names right on the other survivor",
             f"{middle(runs, 'named'):.0f} ms", "Horde 300 ms (p99 of one)", "-",
             "one list of all is asked for at a time")
        line("  ... left running twice / not at all, 3 runs",
             f"{total(runs, 'twice')} / {total(runs, 'missing')}", "Horde: 50 of 71 runs", "0 / 0")


def frozen_once(children):
    """One of three is stopped (SIGSTOP) and goes on once its children run elsewhere."""
    with Cluster() as cluster:
        cluster.start()
        cluster.run("web", children)
        time.sleep(1.5)
        frozen = cluster[2].process
        frozen.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            wait_until(lambda: names_are_right(cluster, 0, children, "n3"), 60, "all run again",
                       every=0.01)
            recovered = time.monotonic()
        finally:
            frozen.send_signal(signal.SIGCONT)
        thawed = time.monotonic()
        wait_until(lambda: duplicates(cluster, (0, 1, 2)) == (0, children), 60, "once each",
                   every=0.05)
        once = time.monotonic()
        time.sleep(2)
        twice, all_running = duplicates(cluster, (0, 1, 2))
        return {"recovered": (recovered - began) * 1000, "once": (once - thawed) * 1000,
                "twice": twice, "missing": children - (all_running - twice)}


def bench_frozen():
    children = 300
    runs = [frozen_once(children) for _ in range(3)]
    line(f"an agent freezes, {children} children: all run and named again",
         f"{middle(runs, 'recovered'):.0f} ms", "Horde 72,500 ms", "3,000 ms")
    line("  ... it thaws: each runs once", f"{middle(runs, 'once'):.0f} ms",
         "Horde never: 746 to 2,127 run", "-", "asked every 50 ms")
    line("  ... left running twice / not at all, 3 runs",
         f"{total(runs, 'twice')} / {total(runs, 'missing')}", "Horde: every run", "0 / 0")


def stop_once(children):
    with Cluster() as cluster:
        cluster.start()
        cluster.run("web", children)
        time.sleep(1.5)
        moved = children_on(cluster, cluster[2])
        began = time.monotonic()
        cluster[2].process.terminate()
        # A member's count of children is up to a second old; its engine knows.
        wait_until(lambda: not cluster[2].engine.running() and
                   cluster[0].ready("web", children), 60, "all run again", every=0.003)
        took = time.monotonic() - began
        limit = moved / (2 * cluster[0].engine.raw_starts())
        cluster[2].process.wait(30)
        twice, all_running = duplicates(cluster, (0, 1, 2))
        return {"took": took * 1000, "moved": moved, "limit": limit * 1000, "twice": twice,
                "missing": children - (all_running - twice)}


def bench_stop():
    for children, horde, goal in ((300, "-", "-"), (1000, "Horde 101 ms", "80 ms of our own"),
                                  (3000, "-", "-")):
        runs = [stop_once(children) for _ in range(3)]
        line(f"graceful stop of one of three, {children:,} children: all moved",
             f"{middle(runs, 'took'):.0f} ms ({runs[0]['moved']} moved)", horde, goal,
             f"{middle(runs, 'limit'):.0f} ms: two raw engines")
        line("  ... left running twice / not at all, 3 runs",
             f"{total(runs, 'twice')} / {total(runs, 'missing')}", "-", "0 / 0")


SECTIONS = {"start": bench_start, "puts": bench_puts, "lookup": bench_lookup, "idle": bench_idle,
            "failover": bench_failover, "frozen": bench_frozen, "stop": bench_stop}


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for name in sys.argv[1:] or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main()
