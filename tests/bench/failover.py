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

REPEATS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
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


def line(what, ours, peer="-", goal="-", limit="-"):
    """As tests/bench/bench.h has it."""
    print(f"{what:<58} | {ours:<26} | {peer:<26} | {goal:<20} | {limit}", flush=True)


def spread(values, unit):
    return f"{median(values):.0f} {unit} ({min(values):.0f} .. {max(values):.0f})"


def bench_failover():
    runs = [failover() for _ in range(REPEATS)]

    def column(name):
        return [run[name] for run in runs]
    rate = median(column("rate"))
    limit = f"{median(column('lost')) / rate * 1000:.0f} ms: raw engine, {rate:.1f} starts/s"
    line(f"one of 3 nodes killed, {CHILDREN} children: verdict", spread(column("detection"), "ms"),
         "Horde 16, Serf 6,100 ms", "500 ms")
    line("  first running again", spread(column("first"), "ms"))
    line("  median running again", spread(column("median"), "ms"))
    line(f"  last of {median(column('lost')):.0f} running again", spread(column("last"), "ms"),
         "Docker Swarm 21-50 s", "3 s + engine", limit)
    line("  starts from verdict to last, of the raw engine's rate",
         spread([ratio * 100 for ratio in column("ratio")], "%"), "-", "90 %")


def bench_names():
    cluster = Cluster(3)
    try:
        cluster.start()
        appeared, went = visibility(cluster, NAME_ROUNDS)
    finally:
        cluster.close()
        cluster.remove()
    for what, lags in (("a name appears on another node: p50 / p99", appeared),
                       ("a name is gone on another node: p50 / p99", went)):
        line(what, f"{median(lags) * 1000:.1f} / {percentile(lags, 99) * 1000:.1f} ms",
             "Horde 147 / 301 ms", "1 / 5 ms", "polled every 0.5 ms")


def main():
    engine()
    bench_failover()
    bench_names()


if __name__ == "__main__":
    main()
