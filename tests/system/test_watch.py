"""Watches over real HTTP: nothing missed over failovers, restarts, bad readers; what they cost."""
import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from harness import API, API_PORT, BINARY, SystemTest, say, wait_until, workload

WATCHERS = 1000


class Watch:
    """A list, and a thread that takes in what changes after it."""

    def __init__(self, host, port, path):
        self.host, self.port, self.path = host, port, path
        self.known, self.mistakes, self.events = {}, [], 0
        self.ended = threading.Event()
        listed = self.ask(path)
        for item in listed["items"]:
            self.known[self.key(item)] = item
        self.version = listed["metadata"]["resourceVersion"]
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    @staticmethod
    def key(item):
        return item["metadata"].get("namespace", ""), item["metadata"]["name"]

    def ask(self, path):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def follow(self):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        connection.request("GET", f"{self.path}?watch=1&resourceVersion={self.version}")
        try:
            for line in connection.getresponse():
                self.take(json.loads(line))
        except (OSError, http.client.HTTPException):
            pass
        connection.close()
        self.ended.set()

    def take(self, event):
        self.events += 1
        item = event["object"]
        key = self.key(item)
        if (event["type"] == "ADDED") != (key not in self.known):
            self.mistakes.append((event["type"], key))
        if event["type"] == "DELETED":
            self.known.pop(key, None)
        else:
            self.known[key] = item

    def wrong(self):
        """In what it differs from a list made now."""
        listed = {self.key(item): item for item in self.ask(self.path)["items"]}
        for item in list(listed.values()) + list(self.known.values()):
            item.get("status", {}).pop("incarnation", None)
            item["metadata"].pop("resourceVersion", None)
        return [key for key in listed.keys() | self.known.keys()
                if listed.get(key) != self.known.get(key)]


class Failover(SystemTest):
    def test_who_watches_knows_what_a_list_shows(self):
        cluster = self.cluster(3)
        watches = [Watch(cluster[1].host, API_PORT, API + plural)
                   for plural in ("workloads", "children", "names", "members", "supervisors")]
        cluster.apply(workload("web", 6))
        wait_until(lambda: len(cluster[1].names("web")) == 6, 60, "six names")
        cluster.kill_node(3)
        wait_until(lambda: len(cluster[1].names("web")) == 6 and
                   all(place[0] != "n3" for place in cluster[1].names("web").values()),
                   60, "the names of n3 are elsewhere")
        wait_until(lambda: all(watch.wrong() == [] for watch in watches), 10, "all is told")
        cluster.delete("web")
        wait_until(lambda: not watches[1].known and not watches[2].known, 30, "all is gone")
        for watch in watches:
            self.assertEqual(watch.mistakes, [])


class Alone(unittest.TestCase):
    """One agent without an engine, on loopback."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="hordelet-watch.")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            self.port, self.gossip = first.getsockname()[1], second.getsockname()[1]
        self.process = None
        self.addCleanup(self.stop)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [BINARY, "agent", "--node-name", "a", "--data-dir", self.directory, "--api",
             f"127.0.0.1:{self.port}", "--gossip", f"127.0.0.1:{self.gossip}", "--runtime",
             "unix:///nonexistent/docker.sock"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_until(lambda: self.ask("GET", "/readyz")[0] == 200, 10, "the agent is ready")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body and json.dumps(body),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.status, response.read().decode()
        connection.close()
        return answer

    def put(self, name, priority=0):
        document = workload(name, 0)
        document["spec"]["priority"] = priority
        status, _ = self.ask("POST", API + "namespaces/default/workloads", document)
        if status == 409:
            status, _ = self.ask("PUT", API + f"namespaces/default/workloads/{name}", document)
        self.assertIn(status, (200, 201))

    def open(self, query=""):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        target = f"{API}workloads?watch=1{query}"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return connection

    def version(self):
        return json.loads(self.ask("GET", API + "workloads")[1])["metadata"]["resourceVersion"]

    def test_another_run_is_410_and_a_stop_ends_streams(self):
        self.put("web")
        version = self.version()
        stream = self.open(f"&resourceVersion={version}")
        self.put("web", 1)
        self.process.terminate()
        text = b""
        while piece := stream.recv(65536):
            text += piece
        self.assertIn(b'"type":"MODIFIED"', text)
        stream.close()
        self.assertTrue(text.endswith(b"0\r\n\r\n"), "the stream ends in good order")
        self.process.wait(30)
        self.start()
        status, answer = self.ask("GET", API + f"workloads?watch=1&resourceVersion={version}")
        self.assertEqual(status, 410)
        self.assertEqual(json.loads(answer)["reason"], "Expired")

    def test_a_reader_that_stalls_harms_itself_only(self):
        stalled = self.open()
        good = Watch("127.0.0.1", self.port, API + "workloads")
        before = self.memory()
        for i in range(3000):
            self.put(f"w{i % 100}", i)
        wait_until(lambda: good.wrong() == [], 10, "the other one knows all")
        self.assertEqual(good.mistakes, [])
        grown = self.memory() - before
        say(f"a stalled reader and 3,000 changes of 100 objects: the agent grew by {grown} KiB")
        self.assertLess(grown, 8192)
        stalled.close()

    def memory(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Private"))

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_thousand_watchers(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.put("web")
        before = self.memory()
        streams = [self.open("&sendInitialEvents=false") for _ in range(WATCHERS)]
        for stream in streams:
            self.assertIn(b"200", stream.recv(65536))
        memory, idle = self.memory(), self.cpu()
        time.sleep(3)
        idle = (self.cpu() - idle) / 3
        spent, changes = self.cpu(), 20
        for i in range(changes):
            self.put("web", i + 1)
        for stream in streams:
            text = b""
            while b'"priority":20' not in text:
                text += stream.recv(65536)
        spent = self.cpu() - spent
        say(f"{WATCHERS} watchers: {(memory - before) / WATCHERS:.1f} KiB each, idle "
            f"{100 * idle:.2f} % of a core, a change to all of them "
            f"{1e3 * spent / changes:.1f} ms of CPU")
        self.assertLess((memory - before) / WATCHERS, 64)
        self.assertLess(idle, 0.05)
        for stream in streams:
            stream.close()
        wait_until(lambda: self.connections() == 1, 5, "all are gone, and noticed without a byte")

    def connections(self):
        lines = self.ask("GET", "/metrics")[1].splitlines()
        return next(float(line.split()[-1]) for line in lines
                    if line.startswith("hordelet_api_connections"))

    def test_a_client_library_of_others(self):
        sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, whichever python3 this is
        self.addCleanup(sys.path.remove, "/usr/lib/python3/dist-packages")
        try:
            from kubernetes import client, watch
        except ImportError:
            self.skipTest("python3-kubernetes is not installed")
        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{self.port}"
        api = client.CustomObjectsApi(client.ApiClient(configuration))
        where = ("hordelet.dev", "v1", "default", "workloads")
        api.create_namespaced_custom_object(*where, workload("a", 0, labels={"app": "x"}))
        listed = api.list_namespaced_custom_object(*where)
        seen, version = [], listed["metadata"]["resourceVersion"]
        api.create_namespaced_custom_object(*where, workload("b", 0))
        api.patch_namespaced_custom_object(*where, "a", {"spec": {"priority": 3}})
        api.delete_namespaced_custom_object(*where, "b")
        for event in watch.Watch().stream(api.list_namespaced_custom_object, *where,
                                          resource_version=version, timeout_seconds=2):
            seen.append((event["type"], event["object"]["metadata"]["name"]))
        self.assertEqual(seen, [("MODIFIED", "a")])  # b came and went between two looks
        with self.assertRaises(client.ApiException) as caught:
            for _ in watch.Watch().stream(api.list_namespaced_custom_object, *where,
                                          resource_version="1", timeout_seconds=1):
                pass
        self.assertEqual(caught.exception.status, 410)


if __name__ == "__main__":
    unittest.main()
