"""Gossip under keys: who has none stays outside, and keys are replaced while children run."""
import os
import subprocess
import time

from harness import BINARY, SystemTest, wait_until, workload

REFUSED = "hordelet_gossip_refused_messages_total"


class Sealed(SystemTest):
    def sealed_cluster(self, count, start=True):
        cluster = self.cluster(count, start=False)
        keys = os.path.join(cluster.dir, "key")
        cluster.key_files = {}
        cluster.old, cluster.new = self.key(), self.key()
        for index, agent in cluster.agents.items():
            cluster.key_files[index] = f"{keys}{index}"
            self.write(cluster, index, cluster.old)
            agent.options["--gossip-key-file"] = cluster.key_files[index]
        if start:
            cluster.start()
        return cluster

    @staticmethod
    def key():
        return subprocess.run([BINARY, "key"], text=True, check=True, capture_output=True).stdout

    @staticmethod
    def write(cluster, index, text):
        """As an operator should: aside, then renamed."""
        path = cluster.key_files[index]
        with open(path + ".new", "w", encoding="ascii",
                  opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
        os.rename(path + ".new", path)

    def metrics(self, agent):
        lines = agent.ask("GET", "/metrics").body.decode().splitlines()
        return {line.split()[0]: float(line.split()[1]) for line in lines if line[0] != "#"}

    def test_a_killed_sealed_agent_comes_back_and_a_child_moves(self):
        cluster = self.sealed_cluster(3)
        cluster.apply(workload("web", 3))
        cluster.exactly_once("web", 3)
        cluster.kill_node(2)
        cluster.exactly_once("web", 3)
        cluster[2].start()
        cluster.wait_formed(15)

    def test_keys_are_replaced_without_a_pause(self):
        cluster = self.sealed_cluster(3)
        cluster.apply(workload("web", 3))
        wait_until(lambda: len(cluster.containers()) == 3, 20, "all run")
        before = {c.id for c in cluster.containers()}
        for text in (cluster.old + cluster.new, cluster.new + cluster.old, cluster.new):
            accepted = len(text.splitlines())
            for index in cluster.agents:
                self.write(cluster, index, text)
            wait_until(lambda n=accepted: all(
                sum(name.startswith("hordelet_gossip_key{") for name in self.metrics(agent)) == n
                for agent in cluster.agents.values()), 10, "all have read their files")
            time.sleep(2)  # two rounds of probes under these keys
            for agent in cluster.agents.values():
                self.assertEqual(set(agent.phases().values()), {"alive"}, agent)
                self.assertEqual(self.metrics(agent)[REFUSED], 0, agent)
        self.assertEqual({c.id for c in cluster.containers()}, before)

    def test_who_has_another_key_or_none_stays_outside(self):
        cluster = self.sealed_cluster(3, start=False)
        self.write(cluster, 2, cluster.new)
        del cluster[3].options["--gossip-key-file"]
        for agent in cluster.agents.values():
            agent.start()
        wait_until(lambda: "sealed with a key that this agent does not have" in
                   cluster[1].log_text() and "has no --gossip-key-file" in cluster[1].log_text(),
                   10, "n1 says whom it refuses")
        for index, agent in cluster.agents.items():
            wait_until(lambda a=agent, i=index: a.phases() == {f"n{i}": "alive"}, 5,
                       "it is alone")
        self.assertEqual(cluster[1].log_text().count("this agent does not have"), 1)

    def test_a_file_that_is_spoilt_is_complained_of_and_changes_nothing(self):
        cluster = self.sealed_cluster(2)
        self.write(cluster, 1, "nonsense\n")
        wait_until(lambda: "the keys of before are kept" in cluster[1].log_text(), 10,
                   "n1 complains")
        self.assertIn(f"{cluster.key_files[1]}:1: not 32 bytes in base64", cluster[1].log_text())
        self.assertEqual(cluster[1].phases(), {"n1": "alive", "n2": "alive"})
        cluster[1].kill()
        done = subprocess.run([BINARY, "agent", "--data-dir", cluster.dir + "/other", "--gossip",
                               "127.0.0.1:17990", "--gossip-key-file", cluster.key_files[1]],
                              text=True, capture_output=True, check=False, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not 32 bytes in base64", done.stderr)
