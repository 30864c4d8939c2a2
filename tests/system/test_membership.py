"""Who belongs, who is alive, and how an agent comes and goes."""
import subprocess
import tempfile
import time

from harness import BINARY, LONG, POLITE, SystemTest, holds_for, wait_until, workload


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
        for index in (5, 4, 3):
            cluster[index].kill()
            seconds = self.wait_dead(cluster, f"n{index}", 5)
            self.note(f"killed: dead after {seconds * 1000:.0f} ms")
            self.assertLess(seconds, 1)

    def test_a_frozen_process_is_dead_to_the_others_within_three_seconds(self):
        cluster = self.cluster(4)
        for index in (4, 3):
            cluster[index].freeze()
            seconds = self.wait_dead(cluster, f"n{index}", 8)
            self.note(f"frozen: dead after {seconds * 1000:.0f} ms")
            self.assertLess(seconds, 3)
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

    def idle(self, seconds):
        cluster = self.cluster(20)

        def nobody_is_dead():
            for agent in cluster.alive:
                phases = set(agent.phases().values())
                self.assertLessEqual(phases, {"alive", "suspect"}, agent)
        holds_for(seconds, nobody_is_dead, every=1)
        cluster.wait_formed(5)
        for agent in cluster.agents.values():
            self.assertNotIn(" is dead", agent.log_text(), agent)

    def test_twenty_idle_agents_never_call_each_other_dead(self):
        self.idle(600 if LONG else 30)


class ComingAndGoing(SystemTest):
    def test_twenty_agents_find_each_other(self):
        began = time.monotonic()
        self.cluster(20)
        self.note(f"20 agents see each other after {time.monotonic() - began:.2f} s")

    def test_join_by_hand(self):
        cluster = self.cluster(2, start=False)
        for agent in cluster.agents.values():
            del agent.options["--join"]
            agent.start()
        wait_until(lambda: cluster[1].phases() == {"n1": "alive"}, 5, "n1 is alone")
        wait_until(lambda: cluster[2].phases() == {"n2": "alive"}, 5, "n2 is alone")
        done = cluster[2].cli("join", cluster[1].gossip)
        self.assertEqual(done.returncode, 0, done.stderr)
        cluster.wait_formed(5)

    def test_a_second_agent_under_a_living_ones_name_is_refused(self):
        cluster = self.cluster(3, start=False)
        cluster[1].start()
        cluster[2].start()
        cluster.wait_formed()
        cluster.apply(workload("web", 4))
        before = cluster.exactly_once("web", 4)
        cluster[3].options["--node-name"] = "n1"
        cluster[3].start()
        self.assertNotEqual(cluster[3].process.wait(15), 0)
        self.assertIn("NodeNameTaken", cluster[3].log_text())
        after = cluster.exactly_once("web", 4)
        self.assertEqual({c.id for c in after.values()}, {c.id for c in before.values()})

    def test_a_member_of_another_cluster_is_refused_and_told_so(self):
        cluster = self.cluster(2, start=False)
        cluster[1].start()
        wait_until(lambda: cluster[1].phases() == {"n1": "alive"}, 8, "n1 is up, alone")
        cluster[2].options["--cluster"] = cluster.name + "-other"
        cluster[2].start()
        wait_until(lambda: "refused us" in cluster[2].log_text(), 10, "n2's log says why")
        time.sleep(1)
        self.assertEqual(cluster[1].phases(), {"n1": "alive"})

    def test_sigterm_hands_over_and_exits_with_0(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 9, POLITE, shutdown="10s"))
        before = cluster.exactly_once("web", 9)
        began = time.monotonic()
        self.assertEqual(cluster[2].terminate(20), 0)
        self.note(f"exit after {time.monotonic() - began:.2f} s")
        self.assertEqual(cluster.containers("n2"), [])
        after = cluster.exactly_once("web", 9)
        for ordinal, container in before.items():
            if container.node != "n2":
                self.assertEqual(after[ordinal].id, container.id)
        cluster[2].start()
        cluster.wait_formed()
        cluster.exactly_once("web", 9)

    def test_sigterm_of_the_last_agent_stops_its_children_and_keeps_what_is_wanted(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 3, POLITE, shutdown="10s"))
        cluster.exactly_once("web", 3)
        self.assertEqual(cluster[1].terminate(20), 0)
        self.assertEqual(cluster.containers(), [])
        cluster[1].start()
        cluster.exactly_once("web", 3)

    def test_leave_hands_over_and_ends_the_membership(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 6, POLITE, shutdown="10s"))
        cluster.exactly_once("web", 6)
        done = cluster[1].cli("leave")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(cluster[1].process.wait(10), 0)
        after = cluster.exactly_once("web", 6)
        self.assertNotIn("n1", {c.node for c in after.values()})
        for agent in cluster.alive:
            wait_until(lambda agent=agent: agent.phases().get("n1", "left") == "left", 5,
                       f"n1 has left for {agent}")

    def test_a_second_signal_exits_with_1_at_once(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 1, shutdown="20s"))  # it ignores SIGTERM
        cluster.exactly_once("web", 1)
        cluster[1].process.terminate()
        time.sleep(0.5)
        self.assertTrue(cluster[1].running)
        began = time.monotonic()
        self.assertEqual(cluster[1].terminate(5), 1)
        self.assertLess(time.monotonic() - began, 1)

    def test_bad_flags_exit_with_2_and_say_which(self):
        with tempfile.TemporaryDirectory() as data:
            good = ["--data-dir", data, "--gossip", "127.0.0.1:7397", "--api", "127.0.0.1:7398"]
            for flags, what in (
                    (["--no-such-flag"], "--no-such-flag"),
                    (["--node-name", "Not_A_Name"], "--node-name"),
                    (["--cluster", "-"], "--cluster"),
                    (["--gossip", "nonsense"], "--gossip"),
                    (["--gossip", "127.0.0.1:99999"], "--gossip"),
                    (["--api", "127.0.0.1:x"], "--api"),
                    (["--profile", "moon"], "--profile"),
                    (["--start-grace", "5 minutes"], "--start-grace"),
                    (["--drain-timeout", "-1s"], "--drain-timeout"),
                    (["--labels", "novalue"], "--labels"),
                    (["--log-format", "xml"], "--log-format"),
                    (["--runtime", "ftp://x"], "--runtime"),
                    (["--join"], "--join"),
                    (["surplus"], "surplus"),
                    (["--api", "0.0.0.0:7401"], "--insecure"),  # without it
                    (["--config", "/no/such/file"], "/no/such/file")):
                with self.subTest(flags=flags):
                    done = subprocess.run([BINARY, "agent", *good, *flags], text=True, timeout=10,
                                          stdin=subprocess.DEVNULL, capture_output=True)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn(what, done.stderr)
            done = subprocess.run([BINARY, "agnet"], text=True, timeout=10, capture_output=True)
            self.assertEqual(done.returncode, 2)
