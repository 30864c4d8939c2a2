"""Who is alive: how soon a death is known, and that nobody is called dead who lives."""
# This module runs alone: its bounds are those of a machine that does nothing else.
import time

from harness import LONG, SystemTest, holds_for, median, wait_until


class Detection(SystemTest):
    def wait_dead(self, cluster, name, timeout):
        """How long until all others call it dead."""
        began = time.monotonic()
        for agent in cluster.alive:
            wait_until(lambda agent=agent: agent.phases()[name] == "dead", timeout,
                       f"{agent} calls {name} dead", every=0.005)
        return time.monotonic() - began

    def test_a_killed_process_is_dead_to_the_others_within_a_second(self):
        cluster = self.cluster(5)
        seconds = []
        for index in (5, 4, 3):
            cluster[index].kill()
            seconds.append(self.wait_dead(cluster, f"n{index}", 5))
            self.note(f"killed: dead after {seconds[-1] * 1000:.0f} ms")
        self.assertLess(median(seconds), 1)  # a machine may stall once

    def test_a_frozen_process_is_dead_to_the_others_within_three_seconds(self):
        cluster = self.cluster(4)
        seconds = []
        for index in (4, 3):
            cluster[index].freeze()
            seconds.append(self.wait_dead(cluster, f"n{index}", 8))
            self.note(f"frozen: dead after {seconds[-1] * 1000:.0f} ms")
        self.assertLess(median(seconds), 3)
        for index in (4, 3):
            cluster[index].thaw()
        cluster.wait_formed(5)

    def test_a_cut_off_node_is_seen_again_within_three_seconds_of_the_heal(self):
        cluster = self.cluster(3)
        cluster.cut([3], [1, 2])
        wait_until(lambda: cluster[1].phases()["n3"] == "dead" == cluster[3].phases()["n1"], 8,
                   "both sides call the other dead")
        cluster.heal()
        began = time.monotonic()
        cluster.wait_formed(10)
        self.note(f"alive again after {time.monotonic() - began:.2f} s")
        self.assertLess(time.monotonic() - began, 4)

    def test_twenty_agents_find_each_other_and_never_call_each_other_dead(self):
        # In the short form for a while only: test_hundred.py has more of them, for longer.
        began = time.monotonic()
        cluster = self.cluster(20)
        self.note(f"20 agents see each other after {time.monotonic() - began:.2f} s")

        def nobody_is_dead():
            for agent in cluster.alive:
                phases = set(agent.phases().values())
                self.assertLessEqual(phases, {"alive", "suspect"}, agent)
        holds_for(600 if LONG else 10, nobody_is_dead, every=1)
        cluster.wait_formed(5)
        for agent in cluster.agents.values():
            self.assertNotIn(" is dead", agent.log_text(), agent)
