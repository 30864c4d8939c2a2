"""A hundred real agents on this machine, and ten whose engines are in trouble.

Each has an engine of its own, of tests/bench, which runs nothing: what is looked at here is what
the agents know and ask for. The profile is the default, lan, though a hundred processes share a few
cores. The bounds are several times what was seen on two cores that had other work.
"""
# This module runs alone: its bounds are those of a machine that does nothing else.
import contextlib
import glob
import math
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))

import agent as bench  # noqa: E402
from hundred import each_once, joined, run, verdicts, wait_dead  # noqa: E402
from harness import SystemTest, say, wait_until  # noqa: E402

AGENTS = 100
CHILDREN = 200
DEAD_BOUND_S = 10
RUN_BOUND_S = 20
SETTLE_BOUND_S = 90  # connections that nobody uses are closed after 10 s
CONNECTIONS_MAX = math.ceil(3 * math.log2(AGENTS))


@contextlib.contextmanager
def agents(count, faults=()):
    """They and their engines, which end with the block; if it fails the logs are shown."""
    with bench.Cluster(count, faults) as cluster:
        try:
            for agent in cluster.agents:
                agent.start()
            joined(cluster, count)
            yield cluster
        except BaseException:
            for log in sorted(glob.glob(cluster.dir + "/*.log")):
                with open(log, encoding="utf-8") as file:
                    say(f"---- {os.path.basename(log)}\n" + "".join(file.readlines()[-8:]))
            raise


class Hundred(SystemTest):
    def test_a_hundred_agents_know_who_of_them_is_alive_and_run_each_child_once(self):
        began = time.monotonic()
        with agents(AGENTS) as cluster:
            self.note(f"{AGENTS} agents see each other after {time.monotonic() - began:.1f} s")
            run(cluster, "web", CHILDREN)
            self.assertTrue(each_once(cluster, CHILDREN))
            victim = cluster[AGENTS // 2]
            seconds = wait_dead(cluster, victim, victim.kill())
            self.note(f"one killed: dead to all after {seconds[-1]:.1f} s")
            self.assertLess(seconds[-1], DEAD_BOUND_S)
            wait_until(lambda: each_once(cluster, CHILDREN), RUN_BOUND_S,
                       "its children run elsewhere, each once")
            wanted = {agent.name: "alive" for agent in cluster.agents} | {victim.name: "dead"}
            for agent in cluster.agents:
                if agent is not victim:
                    wait_until(lambda a=agent: a.metrics()["hordelet_gossip_connections"] <=
                               CONNECTIONS_MAX, SETTLE_BOUND_S, "no full mesh is left", every=0.2)
                    self.assertEqual(agent.phases(), wanted)
            self.assertTrue(each_once(cluster, CHILDREN))
            self.assertEqual(verdicts(cluster), AGENTS - 1)

    def test_engines_that_are_slow_fail_and_drop_answers_end_with_each_child_once(self):
        with agents(10, ["slow=200", "fail=10", "drop=5"]) as cluster:
            run(cluster, "web", 60, RUN_BOUND_S * 2)
            cluster[7].kill()
            wait_until(lambda: each_once(cluster, 60), RUN_BOUND_S * 3,
                       "its children run elsewhere, each once", every=0.1)
            cluster[0].ask("DELETE", "namespaces/default/workloads/web")
            wait_until(lambda: each_once(cluster, 0), RUN_BOUND_S * 2, "nothing runs", every=0.1)
