"""What one client may have of an agent, and what the others have beside a greedy one.

One agent without an engine on loopback; clients are told apart by their address, 127.0.0.x."""
# This module runs alone: its bounds are those of a machine that does nothing else.
import contextlib
import gzip
import http.client
import os
import resource
import select
import signal
import socket
import subprocess
import time
import unittest

from harness import API, Answer, BINARY, ROOT, say, wait_until, workload
from lone import LoneAgent

CHILDREN = 10000
GREEDY, POLITE = "127.0.0.2", "127.0.0.1"
MORE = API + "namespaces/default/workloads"
LIST = API + "children"
NAME = MORE + "/web"


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        cls.agent = LoneAgent()
        cls.addClassCleanup(cls.agent.close)
        cls.agent.start()
        answer = cls.agent.ask("POST", MORE, workload("web", CHILDREN))
        assert answer.status == 201, answer

    def setUp(self):
        wait_until(lambda: self.ask(LIST).status == self.ask(LIST, GREEDY).status == 200, 60,
                   "what the test before has asked for is done")

    def ask(self, path, source=POLITE, **options):
        return self.agent.ask("GET", path, source=source, **options)

    def hold(self, count, source=GREEDY):
        """So many connections, until the test has ended."""
        held = [self.agent.connect(source) for _ in range(count)]
        self.addCleanup(lambda: [connection.close() for connection in held])
        return held

    @staticmethod
    def send(connection, path):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    @contextlib.contextmanager
    def at_once(self):
        """What is sent meanwhile is there when the agent looks again."""
        self.agent.process.send_signal(signal.SIGSTOP)
        yield
        self.agent.process.send_signal(signal.SIGCONT)

    @staticmethod
    def read(connection):
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return Answer(answer)

    def read_all(self, held):
        """In the order in which they come: some may wait until others are read."""
        waiting, answers = set(held), []
        while waiting:
            readable = select.select(waiting, [], [], 30)[0]
            self.assertTrue(readable, f"{len(waiting)} of {len(held)} get no answer")
            for connection in readable:
                answers.append(self.read(connection))
                waiting.remove(connection)
        return answers

    def assert_too_many(self, answer, said):
        self.assertEqual((answer.json["kind"], answer.json["code"], answer.json["reason"]),
                         ("Status", 429, "TooManyRequests"))
        self.assertIn(said, answer.message)
        seconds = answer.json["details"]["retryAfterSeconds"]
        self.assertEqual(str(seconds), answer.headers["Retry-After"])
        self.assertGreaterEqual(seconds, 1)

    def test_large_answers_are_compressed_for_who_accepts_it(self):
        path = LIST + "?labelSelector=hordelet.dev/workload=web"
        plain = self.ask(path)
        self.assertIsNone(plain.headers["Content-Encoding"])
        for accepted in ("gzip", "deflate, gzip;q=0.5, *", "GZIP"):
            answer = self.ask(path, Accept_Encoding=accepted)
            self.assertEqual((answer.status, answer.headers["Content-Encoding"]), (200, "gzip"))
            self.assertEqual(gzip.decompress(answer.body), plain.body)
            self.assertLess(len(answer.body), len(plain.body) / 8)
        for refused in ("identity", "x-gzip", "gzip;q=0", "gzip;q=0.0, br"):
            self.assertIsNone(self.ask(path, Accept_Encoding=refused).headers["Content-Encoding"])
        small = self.ask(NAME, Accept_Encoding="gzip")
        self.assertIsNone(small.headers["Content-Encoding"])
        self.assertEqual(small.json["kind"], "Workload")

    def test_a_client_has_half_of_the_connections_at_most(self):
        held = []
        self.addCleanup(lambda: [connection.close() for connection in held])
        refused = None
        while not refused and len(held) < 1100:
            held.append(self.agent.connect(GREEDY))
            self.send(held[-1], API + "workloads?watch=1")
            head = held[-1].recv(65536)
            if b" 200 " not in head[:20]:
                refused = len(held)
                self.assertIn(b" 429 ", head[:20])
                self.assertIn(b"\r\nRetry-After: 1\r\n", head)
        self.assertTrue(refused and 1000 < refused <= 1025, refused)
        answer = self.ask(NAME, GREEDY)
        self.assertEqual(answer.headers["Connection"].lower(), "close")
        self.assert_too_many(answer, "close some")
        self.assertEqual(self.ask("/livez", GREEDY).status, 200)  # a probe is no client
        self.assertEqual(self.ask(NAME).status, 200)
        for connection in held[:100]:
            connection.close()
        wait_until(lambda: self.ask(NAME, GREEDY).status == 200, 5, "there is room again")

    def test_pages_show_one_content_whatever_changes(self):
        self.assertEqual(self.agent.ask("POST", MORE, workload("zzz", 3)).status, 201)
        whole = self.ask(LIST).json
        names, token, versions = [], "", set()
        while True:
            page = self.ask(f"{LIST}?limit=1000&continue={token}").json
            names += [(item["metadata"]["name"], item["metadata"]["resourceVersion"])
                      for item in page["items"]]
            versions.add(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue", "")
            if not token:
                break
            self.assertIn(self.agent.ask("DELETE", MORE + "/zzz").status, (200, 404))
        self.assertEqual(names, [(item["metadata"]["name"], item["metadata"]["resourceVersion"])
                                 for item in whole["items"]])
        self.assertEqual(len(versions), 1)
        wait_until(lambda: b"zzz-0" not in self.ask(LIST).body, 10, "it really is gone")

    def fill(self, source):
        """Asks for 30 lists and reads none, until the client is told to."""
        held = self.hold(30, source)
        with self.at_once():
            for connection in held:  # the kernel takes 4 MB or so of each
                self.send(connection, LIST)

        def too_many():
            answer = self.ask(NAME, source, timeout=1)  # it may come to wait behind the lists
            if answer.status == 429:
                self.assert_too_many(answer, "this client")
            return "not read" in answer.message
        wait_until(too_many, 90, "the client is told to read")
        return held

    def test_answers_that_nobody_reads_are_few(self):
        self.assertEqual(self.agent.ask("POST", MORE, workload("more", 15000)).status, 201)
        self.addCleanup(self.agent.ask, "DELETE", MORE + "/more")
        one = self.ask(LIST)
        before = self.agent.memory_kib()
        held = self.fill(GREEDY)
        grown = self.agent.memory_kib() - before
        say(f"30 lists of {len(one.body) >> 10} KiB each that nobody reads: "
            f"the agent grew by {grown} KiB")
        self.assertLess(grown, 128 * 1024)  # 64 MiB, and what one turn of the loop adds
        self.assertEqual(self.ask(NAME).status, 200)
        answers = self.read_all(held)
        for answer in answers:
            if answer.status != 200:  # it came when the others had been run
                self.assert_too_many(answer, "this client")
        told = sum(len(answer.body) for answer in answers if answer.status == 200)
        # Who waited goes on when the others have been read; some may have been refused.
        self.assertGreater(told, (64 << 20) + 2 * len(one.body))

    def flood(self, count):
        """So many lists at once. What another client's request, and a probe of the greedy one's,
        take meanwhile, in seconds; and all answers to the greedy one."""
        held = self.hold(count)
        for connection in held:
            self.send(connection, LIST)
        took = []
        for path, source in ((NAME, POLITE), ("/livez", GREEDY)):
            begin = time.monotonic()
            self.assertEqual(self.ask(path, source).status, 200)
            took.append(time.monotonic() - begin)
        answers = [self.read(connection) for connection in held]
        for connection in held:
            connection.close()
        return took, answers

    def test_a_greedy_client_keeps_itself_waiting(self):
        begin = time.monotonic()
        self.ask(LIST)
        one = time.monotonic() - begin
        count = 700  # some 6 s of lists: more than may wait

        def others_go_on():
            (other, probe), answers = self.flood(count)
            say(f"beside {count} lists of {CHILDREN} children at once, {one * 1e3:.0f} ms each: a "
                f"GET of another client takes {other * 1e3:.0f} ms, a probe {probe * 1e3:.0f} ms")
            refused = [answer for answer in answers if answer.status != 200]
            for answer in refused:
                self.assert_too_many(answer, "this client")
            self.assertTrue(0 < len(refused) < count, len(refused))
            return max(other, probe) < 10 * one + 0.3
        # A machine that stalls for a second looks like a loop that is held; but not each time.
        self.assertTrue(any(others_go_on() for _ in range(3)))

    def test_greedy_clients_take_turns(self):
        costly = LIST + "?labelSelector=app=none"  # all are looked at, none is told of

        def second_is_served_among_the_first():
            first, second = self.hold(300), self.hold(3, "127.0.0.3")
            with self.at_once():
                for connection in first + second:
                    self.send(connection, costly)
            answers = [self.read(connection) for connection in second]
            ready = select.select(first, [], [], 0)[0]
            ready = sum(b" 200 " in connection.recv(16, socket.MSG_PEEK) for connection in ready)
            served = sum(self.read(connection).status == 200 for connection in first)
            say(f"when the second client has its {len(second)} answers, the first has {ready} of "
                f"{served}")
            return ready < served / 2 and all(answer.status == 200 for answer in answers)
        # As above: while this process stalls the first one's go on.
        self.assertTrue(any(second_is_served_among_the_first() for _ in range(3)))

    def refused(self):
        return self.agent.metric('hordelet_api_refused_total{reason="busy"}', GREEDY)

    def test_clients_wait_as_long_as_they_are_told(self):
        for program in self.clients():
            held = self.fill(POLITE)  # from the address of all who do not say theirs
            before = self.refused()
            client = subprocess.Popen(program, text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT,
                                      env={**os.environ, "HOME": self.agent.directory,
                                           "KUBECONFIG": "/dev/null"})
            self.addCleanup(client.kill)
            wait_until(lambda: self.refused() > before, 60, "it is told to wait")
            for connection in held:
                connection.close()
            output, _ = client.communicate(timeout=90)
            self.assertEqual(client.returncode, 0, output)
            self.assertIn("web", output)

    def clients(self):
        api = f"http://127.0.0.1:{self.agent.port}"
        yield [BINARY, "get", "workloads", "--api", api]
        kubectl = subprocess.run([os.path.join(ROOT, "script", "kubectl")], text=True, check=False,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
        if kubectl:
            yield [kubectl, "--server", api, "get", "workloads"]


if __name__ == "__main__":
    unittest.main()
