#!/usr/bin/env python3
"""A hundred real agents on this machine, each with an engine of its own that answers at once:

    HORDELET_BIN=build/release/hordelet tests/bench/hundred.py

The profile is the default, lan. All hundred share this machine's cores, so that starting them and
asking them all is work of seconds, which is in the figures; what each agent takes at rest is not
touched by that. As tests/bench/agent.py otherwise.
"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from agent import Cluster, document, line, median, wait_until  # noqa: E402

AGENTS = 100
CHILDREN = 300
JOINS = 3
KILLS = 3
SETTLE_S = 15  # connections that nobody uses are closed after 10 s
IDLE_S = 10
BOUND_S = 60


def joined(cluster, count=AGENTS):
    for agent in cluster.agents:
        wait_until(lambda a=agent: a.metrics()['hordelet_members{phase="alive"}'] == count,
                   BOUND_S, f"{agent.name} sees {count}", every=0.02)


def run(cluster, name, replicas, bound_s=BOUND_S):
    body = document(name, replicas)
    wait_until(lambda: cluster[0].ask("POST", "namespaces/default/workloads", body), BOUND_S,
               "a workload is accepted")
    wait_until(lambda: cluster[0].ready(name, replicas) and each_once(cluster, replicas), bound_s,
               f"{replicas} run", every=0.02)


def wait_dead(cluster, victim, killed):
    """Seconds from the kill until each of the others has been seen to hold it dead."""
    others = [agent for agent in cluster.agents if agent.process.returncode is None]
    seconds = []
    for agent in others:
        wait_until(lambda a=agent: a.ask("GET", f"members/{victim.name}")["status"]["phase"] ==
                   "dead", BOUND_S, f"{agent.name} holds {victim.name} dead", every=0.01)
        seconds.append(time.monotonic() - killed)
    return seconds


def copies(cluster):
    """Child to the number of its running containers, on engines that live."""
    count = {}
    for agent in cluster.agents:
        if agent.engine.process.returncode is None:
            for child in agent.engine.running():
                count[child] = count.get(child, 0) + 1
    return count


def each_once(cluster, replicas):
    count = copies(cluster)
    return len(count) == replicas and set(count.values()) <= {1}


def verdicts(cluster):
    """How often anybody called anybody dead."""
    done = subprocess.run("cat ./*.log | grep -c ' is dead'", shell=True, cwd=cluster.dir,
                          text=True, check=False, stdout=subprocess.PIPE)
    return int(done.stdout)


def start(cluster):
    """Milliseconds until all see all, and of processor time that the agents took for it."""
    began = time.monotonic()
    for agent in cluster.agents:
        agent.start()
    joined(cluster)
    wall = time.monotonic() - began
    return wall * 1000, sum(agent.cpu_seconds() for agent in cluster.agents) * 1000


def bench_join():
    runs = []
    for _ in range(JOINS):
        with Cluster(AGENTS) as cluster:
            runs.append(start(cluster))
    line(f"{AGENTS} agents started: all see all", f"{median([r[0] for r in runs]):.0f} ms",
         "Serf 2,800 ms", "2,000 ms",
         f"{median([r[1] for r in runs]) / os.cpu_count():.0f} ms: their time on all cores")


def bench_idle(cluster):
    time.sleep(SETTLE_S)
    before = [(agent.cpu_seconds(), agent.metrics()) for agent in cluster.agents]
    time.sleep(IDLE_S)
    after = [(agent.cpu_seconds(), agent.metrics()) for agent in cluster.agents]

    def rates(name):
        return [(a[1][name] - b[1][name]) / IDLE_S for a, b in zip(after, before)]
    sizes = [agent.memory_mb() for agent in cluster.agents]
    sockets = [agent.sockets() for agent in cluster.agents]
    made = [a[1]["hordelet_gossip_connections"] for a in after]
    cores = [(a[0] - b[0]) / IDLE_S * 100 for a, b in zip(after, before)]
    sent = rates("hordelet_gossip_sent_bytes_total")
    line(f"an agent among {AGENTS}: USS / PSS / RSS", " / ".join(
        f"{median([size[i] for size in sizes]):.1f}" for i in (0, 2, 1)) + " MB", "Serf 15 MB RSS",
        "10 MB USS")
    line(f"an agent among {AGENTS}: a core, idle: median, max",
         f"{median(cores):.2f}, {max(cores):.2f} %", "Serf 0.18 %", "0.1 %")
    line(f"an agent among {AGENTS}: sends, idle: median, max",
         f"{median(sent):.0f}, {max(sent):.0f} B/s", "Serf 270-310 B/s", "1,000 B/s")
    line(f"an agent among {AGENTS}: connections made; all: median, max",
         f"{median(made):.0f}, {max(made):.0f}; {median(sockets):.0f}, {max(sockets):.0f}", "-",
         "O(log n)", f"{2 * (AGENTS - 1)}: full mesh")


def bench_killed(cluster):
    run(cluster, "web", CHILDREN)
    first, everybody, again, moved = [], [], [], []
    for victim in cluster.agents[10:10 + KILLS]:
        moved.append(len(victim.engine.running()))
        killed = victim.kill()
        seconds = wait_dead(cluster, victim, killed)
        first.append(seconds[0] * 1000)
        everybody.append(seconds[-1] * 1000)
        wait_until(lambda: each_once(cluster, CHILDREN), BOUND_S, "all run again", every=0.01)
        again.append((time.monotonic() - killed) * 1000)
    line(f"one of {AGENTS} killed: dead to the first asked", f"{median(first):.0f} ms",
         "Serf 10,000 ms", "4,000 ms")
    line("  ... to all, asked one by one", f"{median(everybody):.0f} ms")
    line("  ... and all it ran runs once elsewhere, as asked then",
         f"{median(again):.0f} ms ({median(moved):.0f} moved)")
    wrong = verdicts(cluster) - sum(AGENTS - i - 1 for i in range(KILLS))
    line("  verdicts on agents that lived", f"{wrong}", "-", "0")


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    bench_join()
    with Cluster(AGENTS) as cluster:
        start(cluster)
        bench_idle(cluster)
        bench_killed(cluster)


if __name__ == "__main__":
    main()
