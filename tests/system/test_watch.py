"""Watches over real HTTP: nothing missed over failovers, restarts, bad readers; what they cost."""
import http.client
import json
import os
import resource
import sys
import threading
import time
import unittest

from harness import API, API_PORT, SystemTest, say, wait_until, workload
from lone import LoneAgent

WATCHERS = 1000
IDLE_SECONDS = 2
WORKLOADS = API + "namespaces/default/workloads"


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
        self.agent = LoneAgent()
        self.addCleanup(self.agent.close)
        self.agent.start()

    def ask(self, method, path, body=None):
        return self.agent.ask(method, path, body)

    def put(self, name, priority=0, note=""):
        document = workload(name, 0)
        document["spec"]["priority"] = priority
        document["metadata"]["annotations"] = {"note": note}
        answer = self.ask("PUT", f"{WORKLOADS}/{name}", document)
        if answer.status == 404:
            answer = self.ask("POST", WORKLOADS, document)
        self.assertIn(answer.status, (200, 201))

    def open(self, query=""):
        connection = self.agent.connect()
        target = f"{API}workloads?watch=1{query}"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return connection

    def version(self):
        return self.ask("GET", API + "workloads").json["metadata"]["resourceVersion"]

    def test_another_run_is_410_and_a_stop_ends_streams(self):
        self.put("web")
        version = self.version()
        stream = self.open(f"&resourceVersion={version}")
        self.put("web", 1)
        self.agent.process.terminate()
        text = b""
        while piece := stream.recv(65536):
            text += piece
        self.assertIn(b'"type":"MODIFIED"', text)
        stream.close()
        self.assertTrue(text.endswith(b"0\r\n\r\n"), "the stream ends in good order")
        self.agent.process.wait(30)
        self.agent.start()
        answer = self.ask("GET", API + f"workloads?watch=1&resourceVersion={version}")
        self.assertEqual((answer.status, answer.json["reason"]), (410, "Expired"))

    def stops(self):
        """Its API answers nobody any more but those whose answers are on their way."""
        try:
            return self.ask("GET", "/livez").status == 503
        except OSError:
            return True

    def test_a_list_on_its_way_is_finished_at_a_stop(self):
        self.assertEqual(self.ask("POST", WORKLOADS, workload("web", 20000)).status, 201)
        with self.agent.connect() as connection:
            connection.sendall(f"GET {API}children HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()  # the kernel has a part of it, the agent the rest
            self.agent.process.terminate()
            wait_until(self.stops, 10, "the agent stops")
            body = answer.read()
        self.assertEqual(len(json.loads(body)["items"]), 20000)
        self.agent.process.wait(30)

    def test_a_reader_that_stalls_harms_itself_only(self):
        stalled = self.open()
        good = Watch("127.0.0.1", self.agent.port, API + "workloads")
        before = self.agent.memory_kib()
        for i in range(500):
            self.put(f"w{i % 20}", i, "x" * 32768)
        wait_until(lambda: good.wrong() == [], 10, "the other one knows all")
        self.assertEqual(good.mistakes, [])
        grown = self.agent.memory_kib() - before
        say(f"a stalled reader and 16 MiB of changes of 20 objects: the agent grew by {grown} KiB")
        self.assertLess(grown, 8192)  # the kernel takes 4 MiB of what it is told
        stalled.close()

    def cpu(self):
        with open(f"/proc/{self.agent.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_thousand_watchers(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.put("web")
        before = self.agent.memory_kib()
        streams = [self.open("&sendInitialEvents=false") for _ in range(WATCHERS)]
        for stream in streams:
            self.assertIn(b"200", stream.recv(65536))
        memory, idle = self.agent.memory_kib(), self.cpu()
        time.sleep(IDLE_SECONDS)  # what is measured is that nothing happens
        idle = (self.cpu() - idle) / IDLE_SECONDS
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
        wait_until(lambda: self.agent.metric("hordelet_api_connections") == 1, 5,
                   "all are gone, and noticed without a byte")

    def test_a_client_library_of_others(self):
        sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, whichever python3 this is
        self.addCleanup(sys.path.remove, "/usr/lib/python3/dist-packages")
        try:
            from kubernetes import client, watch
        except ImportError:
            self.skipTest("python3-kubernetes is not installed")
        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{self.agent.port}"
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
