#!/usr/bin/env python3
"""What it costs to hold leases: five real agents, each with an engine that answers at once, and a
thousand guarded children.

    HORDELET_BIN=build/release/hordelet tests/bench/quorum.py

Beside it the same thousand without guards, in the same run: the difference is what leases cost. As
tests/bench/agent.py otherwise.
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from agent import Cluster, document, line, wait_until  # noqa: E402

AGENTS = 5
CHILDREN = 1000
LEASE_S = 5
SETTLE_S = 5
MEASURE_S = 10 * LEASE_S // 3  # some ten renewals
BOUND_S = 120


def rates(cluster):
    """Of all agents together, a second: of a core, messages sent, bytes sent."""
    def now():
        counts = [agent.metrics() for agent in cluster.agents]
        return [sum(agent.cpu_seconds() for agent in cluster.agents),
                sum(c["hordelet_gossip_sent_messages_total"] for c in counts),
                sum(c["hordelet_gossip_sent_bytes_total"] for c in counts)]
    time.sleep(SETTLE_S)
    before = now()
    time.sleep(MEASURE_S)
    return [(a - b) / MEASURE_S for a, b in zip(now(), before)]


def run(guarded):
    with Cluster(AGENTS) as cluster:
        cluster.start()
        cluster[0].ask("POST", "supervisors", {
            "apiVersion": "hordelet.dev/v1", "kind": "Supervisor",
            "metadata": {"name": "guarded"},
            "spec": {"distributionStrategy": "UniformQuorum", "leaseSeconds": LEASE_S,
                     "members": [agent.name for agent in cluster.agents]}})
        body = document("web", CHILDREN)
        if guarded:
            body["spec"]["supervisor"] = "guarded"
        began = time.monotonic()
        cluster[0].ask("POST", "namespaces/default/workloads", body)
        wait_until(lambda: cluster[0].ready("web", CHILDREN), BOUND_S, "all run", every=0.02)
        seconds = time.monotonic() - began
        measured = rates(cluster)
        held = sum(agent.metrics().get('hordelet_leases{supervisor="guarded",state="held"}', 0)
                   for agent in cluster.agents)
        assert held == (CHILDREN if guarded else 0), held
        return seconds, measured


def main():
    free_s, free = run(False)
    seconds, guarded = run(True)
    core, messages, sent = [(a - b) for a, b in zip(guarded, free)]
    # a request and its answer to each of the others
    least = 2 * AGENTS * (AGENTS - 1) * 3 / LEASE_S
    line(f"{CHILDREN:,} guarded children on {AGENTS} agents: all run", f"{seconds:.1f} s", "-", "-",
         f"{free_s:.1f} s: without guards")
    line(f"  leases of {LEASE_S} s: a core, all agents together", f"{core * 100:.2f} %", "-", "1 %",
         f"{free[0] * 100:.2f} %: without guards")
    line("  messages, all agents together", f"{messages:.1f}/s", "-", f"{least:.0f}/s",
         f"{free[1]:.1f}/s: without guards")
    line("  their bytes, an agent", f"{sent / AGENTS:.0f} B/s", "-", "-",
         f"{free[2] / AGENTS:.0f} B/s: without guards")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
