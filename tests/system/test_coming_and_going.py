"""How an agent comes and goes: joining, refusals, SIGTERM, leaving, flags."""
import subprocess
import tempfile
import time

from harness import BINARY, POLITE, SystemTest, holds_for, wait_until, workload


class ComingAndGoing(SystemTest):
    def test_join_by_hand(self):
        cluster = self.cluster(2, start=False)
        for agent in cluster.agents.values():
            del agent.options["--join"]
            agent.start()
        wait_until(lambda: cluster[1].phases() == {"n1": "alive"}, 15, "n1 is alone")
        wait_until(lambda: cluster[2].phases() == {"n2": "alive"}, 15, "n2 is alone")
        done = cluster[2].cli("join", cluster[1].gossip)
        self.assertEqual(done.returncode, 0, done.stderr)
        cluster.wait_formed()

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
        wait_until(lambda: cluster[1].phases() == {"n1": "alive"}, 15, "n1 is up, alone")
        cluster[2].options["--cluster"] = cluster.name + "-other"
        cluster[2].start()
        wait_until(lambda: "refused us" in cluster[2].log_text(), 20, "n2's log says why")
        holds_for(1, lambda: self.assertEqual(cluster[1].phases(), {"n1": "alive"}))

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
        self.assertEqual(cluster[1].process.wait(20), 0)
        after = cluster.exactly_once("web", 6)
        self.assertNotIn("n1", {c.node for c in after.values()})
        for agent in cluster.alive:
            wait_until(lambda agent=agent: agent.phases().get("n1", "left") == "left", 15,
                       f"n1 has left for {agent}")

    def test_a_second_signal_exits_with_1_at_once(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 1, shutdown="20s"))  # it ignores SIGTERM
        cluster.exactly_once("web", 1)
        cluster[1].process.terminate()
        wait_until(lambda: cluster[1].ask("GET", "/readyz").status == 503, 10, "it drains")
        self.assertEqual(cluster[1].terminate(10), 1)  # not after 20 s

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
