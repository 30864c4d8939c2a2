"""Gossip under keys: who has none stays outside, and keys are replaced while children run."""
import collections
import contextlib
import http.client
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

from harness import BINARY, LEAKS, SystemTest, wait_until, workload
from lone import free_ports

REFUSED = "hordelet_gossip_refused_messages_total"
RECEIVED = "hordelet_gossip_received_messages_total"
PUSH, PULL = b"\0SP\0\0\x50\0\0", b"\0SP\0\0\x51\0\0"  # how nng's sockets greet


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

    def wait_for_probes(self, cluster):
        agents = list(cluster.agents.values())
        before = [agent.metrics()[RECEIVED] for agent in agents]
        wait_until(lambda: all(agent.metrics()[RECEIVED] >= count + 3
                               for agent, count in zip(agents, before)), 15,
                   "all have heard a few messages more")

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
                sum(name.startswith("hordelet_gossip_key{") for name in agent.metrics()) == n
                for agent in cluster.agents.values()), 10, "all have read their files")
            self.wait_for_probes(cluster)  # under these keys
            for agent in cluster.agents.values():
                self.assertEqual(set(agent.phases().values()), {"alive"}, agent)
                self.assertEqual(agent.metrics()[REFUSED], 0, agent)
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


class Recorder:
    """Stands between two agents, and remembers what goes to the one behind it."""

    def __init__(self, port):
        self.port, self.frames = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def messages(self, count):
        """Some of one ticket, which stands behind version and key: no greetings. Or None."""
        tickets = collections.Counter(frame[5:21] for frame in self.frames)
        ticket, seen = tickets.most_common(1)[0] if tickets else (b"", 0)
        found = [frame for frame in self.frames if frame[5:21] == ticket]
        return found[:count] if seen >= count else None

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:  # the agent does not listen yet: it will be tried again
                client.close()
                continue
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, source, target, keep):
        data = b""
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
                data += piece if keep else b""
                if keep and data[:8] == PUSH:
                    data = data[8:]
                while keep and len(data) >= 8:
                    length = struct.unpack(">Q", data[:8])[0]
                    if len(data) < 8 + length:
                        break
                    self.frames.append(data[8:8 + length])
                    data = data[8 + length:]
        source.close()
        target.close()


class Wire(unittest.TestCase):
    """What a stranger on the network can say to an agent with a key."""

    def agent(self, name, api, gossip, *flags):
        log = open(f"{self.directory}/{name}.log", "ab")
        process = subprocess.Popen(
            [BINARY, "agent", "--node-name", name, "--data-dir", f"{self.directory}/{name}",
             "--gossip", f"127.0.0.1:{gossip}", "--api", f"127.0.0.1:{api}", "--gossip-key-file",
             self.key, "--runtime", "unix:///nonexistent/docker.sock", *flags], stdout=log,
            stderr=log, env={"LSAN_OPTIONS": LEAKS, **os.environ})
        self.addCleanup(log.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def say(self, *frames):
        """Each on a connection of its own: who is refused is hung up on."""
        for frame in frames:
            with socket.create_connection(("127.0.0.1", self.gossip), 10) as connection:
                connection.sendall(PUSH + struct.pack(">Q", len(frame)) + frame)
                with contextlib.suppress(ConnectionError):
                    while connection.recv(4096):
                        pass

    def refused(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        return int(text.split(f"\n{REFUSED} ")[1].split()[0])

    def log(self):
        with open(f"{self.directory}/b.log", encoding="utf-8") as file:
            return [line for line in file if " refused: " in line]

    def test_what_was_sealed_once_counts_once(self):
        self.directory = tempfile.mkdtemp(prefix="hordelet-wire.")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.key = self.directory + "/key"
        text = subprocess.run([BINARY, "key"], text=True, check=True, capture_output=True).stdout
        with open(self.key, "w", encoding="ascii",
                  opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
        self.api, self.gossip = free_ports()
        recorder = Recorder(self.gossip)
        self.addCleanup(recorder.listener.close)
        self.agent("b", self.api, self.gossip, "--advertise-address", recorder.address)
        self.agent("a", *free_ports(), "--join", recorder.address)
        frames = wait_until(lambda: recorder.messages(3), 20, "a has said something to b")
        self.assertEqual(self.refused(), 0)
        self.say(*frames)
        self.assertEqual(self.refused(), 3)
        self.assertEqual(len(self.log()), 1, self.log())
        self.assertIn("has been here before", self.log()[0])
        # One bit, at the end, in the middle; then nothing of it is right.
        last = bytearray(recorder.frames[-1])
        last[-1] ^= 1
        middle = bytearray(recorder.frames[-1])
        middle[len(middle) // 2] ^= 0x80
        self.say(bytes(last), bytes(middle))
        self.assertEqual(self.refused(), 5)
        self.assertEqual(len(self.log()), 2, self.log())
        self.assertIn("is not what somebody with that key has sealed", self.log()[1])
        self.say(b"", b"\0" * 100, bytes(range(256)), frames[0][:20])
        self.assertEqual(self.refused(), 9)
        with open(f"{self.directory}/b.log", encoding="utf-8") as file:
            self.assertNotIn(text.strip(), file.read())
