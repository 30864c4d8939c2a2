"""The agent of before and this one in one cluster, and on one data directory, in both directions.

Takes minutes, most of them to build the one of before: HORDELET_LONG=1, or HORDELET_PREVIOUS=PATH.
"""
import os
import unittest

import harness
from harness import BINARY, LONG, SystemTest, holds_for, wait_until, workload
from previous import previous_binary

GRACE_S = 20


@unittest.skipUnless(LONG or os.environ.get("HORDELET_PREVIOUS"), "HORDELET_LONG=1 runs it")
class Upgrade(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.old = previous_binary()
        if not cls.old:
            raise unittest.SkipTest("there is no agent of before")
        help_text = harness.run(cls.old, "agent", "--help")
        cls.old_allows = "--allow-host-network" in help_text

    def mixed(self, *binaries):
        cluster = self.cluster(len(binaries), start=False)
        for index, binary in enumerate(binaries, 1):
            self.becomes(cluster[index], binary)
            cluster[index].options["--on-sigterm"] = "detach"
        return cluster.start()

    def becomes(self, agent, binary):
        """From its next start on."""
        if not hasattr(agent, "allowed"):
            agent.allowed = agent.allow
        agent.binary = binary
        agent.allow = agent.allowed if binary == BINARY or self.old_allows else []

    def upgrade(self, cluster, index, binary):
        """As the package and the DaemonSet do: the containers run on."""
        agent = cluster[index]
        self.assertEqual(agent.terminate(15), 0)
        self.becomes(agent, binary)
        agent.start()
        cluster.wait_formed(15)

    def guarded(self, cluster):
        names = [agent.name for agent in cluster.agents.values()]
        cluster.apply({"apiVersion": "hordelet.dev/v1", "kind": "Supervisor",
                       "metadata": {"name": "guarded"},
                       "spec": {"distributionStrategy": "UniformQuorum", "members": names,
                                "leaseSeconds": 2}})
        cluster.apply(workload("single", 3, supervisor="guarded", shutdown="100ms"))

    def never_twice(self, cluster):
        """Of each guarded child one container runs, whatever moment one looks at."""
        running = [c.ordinal for c in cluster.containers() if c.workload == "single"]
        self.assertEqual(len(running), len(set(running)), running)

    def test_they_understand_each_other_both_ways(self):
        cluster = self.mixed(self.old, BINARY, self.old)
        for index in cluster.agents:  # written by either, seen by all
            cluster.apply(workload(f"web{index}", 3), on=index)
            cluster.exactly_once(f"web{index}", 3)
        self.guarded(cluster)
        cluster.exactly_once("single", 3, timeout=30)
        for index in (2, 1):  # this one fails, and then one of before
            cluster.kill_node(index)
            for name in ("web1", "web3"):
                cluster.exactly_once(name, 3, timeout=GRACE_S)
            cluster.exactly_once("single", 3, timeout=30)
            cluster[index].start()
            cluster.wait_formed(15)
        cluster.delete("web1", on=2)
        cluster.gone("web1")
        cluster.scale("web2", 5, on=3)
        cluster.exactly_once("web2", 5)
        for agent in cluster.agents.values():
            self.assertNotIn("cannot read", agent.log_text(), agent)

    def test_a_rolling_upgrade_and_back_again_restarts_no_container(self):
        cluster = self.mixed(self.old, self.old, self.old)
        cluster.apply(workload("web", 6))
        found = harness.identity(cluster.exactly_once("web", 6).values())
        for binary in (BINARY, self.old):
            for index in cluster.agents:
                self.upgrade(cluster, index, binary)
                self.assertEqual(
                    harness.identity(cluster.exactly_once("web", 6).values()), found)
        for agent in cluster.agents.values():
            self.assertNotIn("not understood", agent.log_text(), agent)

    def test_guarded_children_never_run_twice_during_it(self):
        cluster = self.mixed(self.old, self.old, self.old)
        self.guarded(cluster)
        cluster.exactly_once("single", 3, timeout=30)
        for binary in (BINARY, self.old):
            for index in cluster.agents:
                self.upgrade(cluster, index, binary)
                holds_for(3, lambda: self.never_twice(cluster), every=0.05)
                cluster.exactly_once("single", 3, timeout=30)
                self.never_twice(cluster)

    def test_one_that_was_down_for_a_while_opens_the_others_directory(self):
        cluster = self.mixed(self.old, BINARY)
        cluster.apply(workload("web", 4))
        cluster.exactly_once("web", 4)
        for agent in cluster.agents.values():
            self.assertEqual(agent.terminate(15), 0)
        self.becomes(cluster[1], BINARY)
        self.becomes(cluster[2], self.old)
        for agent in cluster.agents.values():
            agent.start()
        cluster.wait_formed(20)
        cluster.exactly_once("web", 4)
        wait_until(lambda: all("keys from disk" in a.log_text() and "not understood" not in
                               a.log_text() for a in cluster.agents.values()), 5, "all was read")
