#!/usr/bin/env python3
"""A node dies: how long until it is noticed, and until what it ran runs again. As root:

    HORDELET_BIN=build/release/hordelet tests/bench/failover.py [REPEATS]

Real agents in network namespaces and a real engine, as the system tests have them. Each repeat
starts three agents and 30 children, measures how fast the engine starts containers without us,
kills one agent and its containers, and reads from the engine when each child ran again. The
figures are medians of the repeats, then their least and greatest; what counts is the ratio to the
engine's own rate.
"""
import concurrent.futures
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

from harness import IMAGE, Cluster, ask, engine, median, percentile, workload  # noqa: E402
from test_failover import started_at  # noqa: E402
from test_registry import visibility  # noqa: E402

REPEATS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
CHILDREN = 30
RAW_STARTS = 12
IN_FLIGHT = 6  # as the agent has
NAME_ROUNDS = 40


def raw_start_rate():
    """Containers a second that the engine creates and starts with nobody in between."""
    def one(number):
        return engine().run(f"raw-{os.getpid()}-{number}")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
        started = list(pool.map(one, range(RAW_STARTS)))
    rate = RAW_STARTS / (time.monotonic() - began)
    for identity in started:
        engine().remove_container(identity)
    return rate


class Detection(threading.Thread):
    """Asks one survivor, every 2 ms, until it calls the member dead."""

    def __init__(self, agent, name):
        super().__init__(daemon=True)
        self.agent, self.path = agent, f"/apis/hordelet.dev/v1/members/{name}"
        self.dead_at = None
        self.start()

    def run(self):
        connection = self.agent.connect()
        while self.dead_at is None:
            answer = ask(connection, "GET", self.path)
            if answer.json["status"]["phase"] == "dead":
                self.dead_at = time.time()
            time.sleep(0.002)


def failover():
    """One repeat: figure to value."""
    cluster = Cluster(3)
    try:
        cluster.start()
        cluster.apply(workload("web", CHILDREN))
        before = cluster.exactly_once("web", CHILDREN, timeout=60)
        rate = raw_start_rate()
        lost = [o for o, container in before.items() if container.node == "n3"]
        watchers = [Detection(agent, "n3") for agent in (cluster[1], cluster[2])]
        killed = cluster.kill_node(3)
        after = cluster.exactly_once("web", CHILDREN, timeout=60)
        for watcher in watchers:
            watcher.join(10)
        times = sorted((started_at(after[ordinal]) - killed) * 1000 for ordinal in lost)
        detected = max(watcher.dead_at for watcher in watchers) - killed
        return {"rate": rate, "lost": len(lost), "detection": detected * 1000, "first": times[0],
                "median": median(times), "last": times[-1],
                "ratio": (len(lost) / (times[-1] / 1000 - detected)) / rate}
    finally:
        cluster.close()
        cluster.remove()


def line(what, values, unit, peer=""):
    print(f"{what:<44} {median(values):8.1f} {unit:<4} ({min(values):.1f} .. {max(values):.1f})"
          f"{'  ' + peer if peer else ''}", flush=True)


def bench_failover():
    runs = [failover() for _ in range(REPEATS)]

    def column(name):
        return [run[name] for run in runs]
    print(f"one of 3 nodes killed, {CHILDREN} children (sleep on the host's network, {IMAGE}), "
          f"{min(column('lost'))} to {max(column('lost'))} of them lost; {REPEATS} repeats")
    line("raw engine, create + start, 6 in flight", column("rate"), "1/s", "the limit")
    line("both survivors call it dead after", column("detection"), "ms",
         "goal 500; Horde 16 (nodedown), Serf 6100")
    line("first running again after", column("first"), "ms")
    line("median running again after", column("median"), "ms")
    line("last running again after", column("last"), "ms",
         "Horde 28-58 (processes), Docker Swarm 21000-50000, Kubernetes 340000")
    line("starts from verdict to last, of raw rate", [r * 100 for r in column("ratio")], "%")


def bench_names():
    cluster = Cluster(3)
    try:
        cluster.start()
        appeared, went = visibility(cluster, NAME_ROUNDS)
    finally:
        cluster.close()
        cluster.remove()
    for what, lags in (("a name appears on another node", appeared),
                       ("a name is gone on another node", went)):
        print(f"{what:<44} {median(lags) * 1000:8.1f} ms   p99 {percentile(lags, 99) * 1000:.1f} "
              f"ms, {len(lags)} lags  goal 1 / 5; Horde 147 / 301 (polled every 0.5 ms)")


def main():
    engine()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    bench_failover()
    bench_names()


if __name__ == "__main__":
    main()
