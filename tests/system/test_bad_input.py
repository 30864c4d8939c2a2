"""Malformed documents, requests and messages: each gets a clear error, nothing changes, the agent
lives."""
import http.client
import json
import os
import random
import resource
import socket
import struct
import threading
import time

from harness import API_PORT, GOSSIP_PORT, ROOT, SystemTest, network, wait_until, workload

BAD = os.path.join(ROOT, "tests", "bad")
WORKLOADS = "/apis/hordelet.dev/v1/namespaces/default/workloads"
BULK_PORT = GOSSIP_PORT + 2
JSON_TYPE = "Content-Type: application/json\r\n"
PUSH, PULL, PAIR = 0x50, 0x51, 0x10


def request(line, headers="", body=b""):
    return f"{line} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode() + body


def post(body, headers=JSON_TYPE, length=None):
    length = len(body) if length is None else length
    return request(f"POST {WORKLOADS}", f"{headers}Content-Length: {length}\r\n", body)


def chunked(body):
    return request(f"POST {WORKLOADS}", JSON_TYPE + "Transfer-Encoding: chunked\r\n", body)


GOOD = json.dumps(workload("never", 1)).encode()
DEEP = b'{"spec":' * 5000 + b"1" + b"}" * 5000
# What is sent, and the statuses that may come; None: the connection is closed without an answer.
RAW = [
    ("garbage", bytes(range(256)) * 4, {400, None}),
    ("only line ends", b"\r\n\r\n\r\n\r\n", {400, None}),
    ("TLS hello", bytes.fromhex("16030100a5010000a10303") + bytes(160), {400, None}),
    ("no version", b"GET /livez\r\n\r\n", {400, 505, None}),
    ("HTTP/9.9", b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", {400, 505, None}),
    ("no Host", b"GET /livez HTTP/1.1\r\n\r\n", {400}),
    ("header without colon", request("GET /livez", "nonsense\r\n"), {400, 200}),
    ("header of 64 KiB", request("GET /livez", f"X: {'x' * 65536}\r\n"), {431, 413, 400}),
    ("2,000 headers", request("GET /livez", "".join(f"X{i}: {i}\r\n" for i in range(2000))),
     {431, 413, 400}),
    ("target of 64 KiB", request("GET /" + "x" * 65536), {414, 431, 400}),
    ("unknown method", request("BREW /livez"), {405, 501, 400}),
    ("wrong method", request(f"DELETE {WORKLOADS}"), {405}),
    ("CONNECT", request("CONNECT x:1"), {404, 405, 400, 501}),
    ("absolute foreign path", request("GET /etc/passwd"), {404}),
    ("dots", request(f"GET {WORKLOADS}/../../../../etc/passwd"), {404, 400}),
    ("NUL in the path", request(f"GET {WORKLOADS}/a%00b"), {400}),
    # libmicrohttpd hands the target over as a C string: what follows the NUL is not seen.
    ("raw NUL in the path", b"GET /livez\0x HTTP/1.1\r\nHost: x\r\n\r\n", {200, 400, None}),
    ("bad escape", request(f"GET {WORKLOADS}/a%zz"), {400}),
    ("encoded slash", request(f"GET {WORKLOADS}/a%2fb"), {404, 400}),
    ("unknown resource", request("GET /apis/hordelet.dev/v1/potatoes"), {404}),
    ("unknown group", request("GET /apis/example.com/v1/workloads"), {404}),
    ("unknown subresource", request(f"GET {WORKLOADS}/a/potatoes"), {404}),
    ("bad namespace", request("GET /apis/hordelet.dev/v1/namespaces/A_B/workloads"), {404, 400}),
    ("bad limit", request(f"GET {WORKLOADS}?limit=x"), {400}),
    ("bad continue", request(f"GET {WORKLOADS}?continue=%21%21"), {400}),
    ("bad selector", request(f"GET {WORKLOADS}?labelSelector=a%20in%20("), {400}),
    ("bad field selector", request(f"GET {WORKLOADS}?fieldSelector=no.such=1"), {400}),
    ("bad after", request(f"GET {WORKLOADS}", "Hordelet-After: nonsense\r\n"), {400}),
    ("bad dryRun", request(f"POST {WORKLOADS}?dryRun=Perhaps",
                           f"{JSON_TYPE}Content-Length: {len(GOOD)}\r\n", GOOD), {400}),
    ("no body", request(f"POST {WORKLOADS}", JSON_TYPE + "Content-Length: 0\r\n"), {400}),
    ("bad JSON", post(b'{"kind": "Workload", }'), {400}),
    ("truncated JSON", post(GOOD[:len(GOOD) // 2]), {400}),
    ("two JSON documents", post(GOOD + GOOD), {400}),
    ("zero byte in JSON", post(GOOD.replace(b"never", b"ne\0er")), {400, 422}),
    ("not UTF-8", post(GOOD.replace(b"never", b"ne\xff\xfeer")), {400, 422}),
    ("deep JSON", post(DEEP), {400, 413}),
    ("deep YAML", post(b"a: " + b"[" * 5000, "Content-Type: application/yaml\r\n"), {400, 413}),
    ("long number", post(GOOD.replace(b'"replicas": 1', b'"replicas": 1' + b"0" * 5000)),
     {400, 422}),
    ("wrong content type", post(GOOD, "Content-Type: text/html\r\n"), {415}),
    ("protobuf", post(b"k8s\0", "Content-Type: application/vnd.kubernetes.protobuf\r\n"), {415}),
    ("body of 2 MiB", post(GOOD + b" " * (2 << 20)), {413}),
    ("body said to be of 1 TiB", post(b"{", length=1 << 40), {413}),
    ("negative length", post(b"{}", length=-1), {400, None}),
    ("length no number", post(b"{}", length="two"), {400, None}),
    ("two lengths", post(GOOD, JSON_TYPE + "Content-Length: 1\r\n"), {400}),
    ("length and chunks", post(GOOD, JSON_TYPE + "Transfer-Encoding: chunked\r\n"), {400}),
    ("gzip", request(f"POST {WORKLOADS}", JSON_TYPE + "Transfer-Encoding: gzip\r\n", b"x"),
     {400, 501}),
    ("chunk size no number", chunked(b"zz\r\n{}\r\n0\r\n\r\n"), {400, None}),
    ("chunk size huge", chunked(b"ffffffffffffffffff\r\n{}\r\n"), {400, 413, None}),
    ("chunk shorter than said", chunked(b"2\r\n{}garbage\r\n0\r\n\r\n"), {400, None}),
    ("chunked bad JSON", chunked(b"3\r\n{\"a\r\n0\r\n\r\n"), {400}),
    ("smuggled second request", post(b"{}" + request("GET /livez"), length=2), {400, 422}),
]
# The client says less than it promised, and goes.
BROKEN_OFF = [
    ("half a request line", b"GET /li"),
    ("half a header", b"GET /livez HTTP/1.1\r\nHo"),
    ("half a body", post(GOOD[:50], length=len(GOOD))),
    ("half a chunk", chunked(b"400\r\n{")),
    ("nothing", b""),
]


def patch_bodies():
    """(content type, body, statuses) for PATCH of a workload that exists."""
    merge, patch = "application/merge-patch+json", "application/json-patch+json"
    apply = "application/apply-patch+yaml"
    return [
        (merge, b"{", {400}), (merge, b"[]", {400, 422}), (merge, b"null", {400, 422}),
        (merge, b'{"spec":{"replicas":-1}}', {422}), (merge, b'{"spec":null}', {422}),
        (merge, b'{"spec":{"potatoes":1}}', {400, 422}), (merge, b'{"kind":"Pod"}', {400, 422}),
        (merge, b'{"metadata":{"name":"other"}}', {400, 422}),
        (merge, b'{"spec":{"supervisor":"other"}}', {422}),
        (patch, b"{}", {400, 422}), (patch, b'[{"op":"fly","path":"/a"}]', {400, 422}),
        (patch, b'[{"op":"remove","path":"/no/such"}]', {400, 422}),
        (patch, b'[{"op":"test","path":"/spec/replicas","value":77}]', {400, 409, 422}),
        (patch, b'[{"op":"add","path":"spec","value":1}]', {400, 422}),
        (apply, b"a: [", {400}), (apply, b"just text", {400, 422}),
        ("application/strategic-merge-patch+json", b"{}", {415}), ("text/plain", b"{}", {415}),
    ]


class BadInput(SystemTest):
    def setUp(self):
        self.one = self.cluster(2)
        self.one.apply(workload("steady", 2))
        self.running = self.ids(self.one.exactly_once("steady", 2))
        self.before = self.state()
        self.agent = self.one[1]

    @staticmethod
    def ids(containers):
        return {ordinal: container.id for ordinal, container in containers.items()}

    def state(self):
        return [[(item["metadata"]["name"], item["metadata"].get("uid"), item["spec"])
                 for item in agent.items(path)]
                for agent in self.one.alive
                for path in ("workloads", "supervisors", "members")]

    def unchanged(self):
        self.assertTrue(self.one[1].running and self.one[2].running, "an agent has ended")
        self.assertEqual(self.agent.ask("GET", "/livez").status, 200)
        self.assertEqual(self.state(), self.before)

    def tearDown(self):
        self.unchanged()
        self.assertEqual(self.ids(self.one.look("steady", 2)), self.running)
        for agent in self.one.alive:
            self.assertEqual(set(agent.phases().values()), {"alive"})

    def exchange(self, data, half_close=False):
        """Sends bytes to the API and returns the status of the answer and its body; None: none."""
        with socket.create_connection((self.agent.host, API_PORT), timeout=8) as client:
            try:
                client.sendall(data)
                if half_close:
                    client.shutdown(socket.SHUT_WR)
                    client.settimeout(0.5)  # it may also be left to the deadline of bodies
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has heard enough; its answer may be there
            response = http.client.HTTPResponse(client)
            try:
                response.begin()
                return response.status, response.read()
            except (http.client.HTTPException, ConnectionResetError):
                return None, b""
            except TimeoutError:
                if half_close:
                    return None, b""
                raise

    def assert_explains(self, status, body):
        """A Status object that says something."""
        answer = json.loads(body)
        self.assertEqual((answer["kind"], answer["status"], answer["code"]),
                         ("Status", "Failure", status))
        self.assertTrue(answer["message"] and answer["reason"], answer)

    def test_every_malformed_document_is_refused_with_its_place(self):
        with open(os.path.join(BAD, "expected.json"), encoding="utf-8") as file:
            expected = json.load(file)
        self.assertGreaterEqual(len(expected), 40)
        for name, wanted in expected.items():
            with self.subTest(name), open(os.path.join(BAD, name), "rb") as file:
                body = file.read()
                kind = "json" if name.endswith(".json") else "yaml"
                path = WORKLOADS
                if b"kind: Supervisor" in body:
                    path = "/apis/hordelet.dev/v1/supervisors"
                answer = self.agent.ask("POST", path, body,
                                        {"Content-Type": f"application/{kind}"})
                self.assert_explains(answer.status, answer.body)
                if "holds 2 documents" not in answer.message:  # then the first one decides
                    self.assertEqual(answer.status, wanted["status"], answer)
                    self.assertIn(wanted["message"], answer.message)
                self.unchanged()

    def test_every_malformed_document_is_refused_by_the_client_too(self):
        for name in ("unknown-field.yaml", "billion-laughs.yaml", "truncated.json",
                     "port-too-great.yaml", "syntax-tab.yaml", "too-deep.yaml"):
            with self.subTest(name):
                done = self.agent.cli("apply", "-f", os.path.join(BAD, name))
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(name, done.stderr)

    def test_every_malformed_request_is_answered_or_closed(self):
        for name, data, statuses in RAW:
            with self.subTest(name):
                began = time.monotonic()
                status, body = self.exchange(data)
                self.assertIn(status, statuses, body)
                if status and body.startswith(b"{") and status >= 400:
                    self.assert_explains(status, body)
                self.assertLess(time.monotonic() - began, 6)
                self.assertEqual(self.agent.ask("GET", "/livez").status, 200)
        self.unchanged()

    def test_clients_that_break_off_change_nothing(self):
        for name, data in BROKEN_OFF:
            with self.subTest(name):
                status, _ = self.exchange(data, half_close=True)
                self.assertIn(status, {400, 408, None})
                with socket.create_connection((self.agent.host, API_PORT)) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.sendall(data)  # and a reset
                self.assertEqual(self.agent.ask("GET", "/livez").status, 200)

    def test_malformed_patches_change_nothing(self):
        for kind, body, statuses in patch_bodies():
            with self.subTest(kind=kind, body=body):
                answer = self.agent.ask("PATCH", WORKLOADS + "/steady?fieldManager=test", body,
                                        {"Content-Type": kind})
                self.assertIn(answer.status, statuses, answer)
                self.assert_explains(answer.status, answer.body)

    def test_six_hundred_half_open_clients_do_not_stop_the_next(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        clients = []
        try:
            for number in range(600):
                client = socket.create_connection((self.agent.host, API_PORT), timeout=5)
                client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "[:number % 40])
                clients.append(client)
            began = time.monotonic()
            self.assertEqual(self.agent.ask("GET", "/livez").status, 200)
            self.assertEqual(self.agent.ask("GET", WORKLOADS).status, 200)
            self.note(f"served after {(time.monotonic() - began) * 1000:.0f} ms")
            self.assertLess(time.monotonic() - began, 1)

            wait_until(lambda: self.drained(clients), 10, "the half-open ones are closed")
        finally:
            for client in clients:
                client.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @staticmethod
    def drained(clients):
        """True once the other side has closed all of them."""
        for client in clients:
            client.settimeout(0.001)
            try:
                while client.recv(4096):
                    pass
            except TimeoutError:
                return False
            except ConnectionResetError:
                pass
        return True

    # -- gossip and bulk --

    def send_to_peers_port(self, port, data):
        with socket.create_connection((self.agent.host, port), timeout=5) as client:
            client.settimeout(0.05)
            try:
                client.sendall(data)
                client.recv(4096)
            except (TimeoutError, BrokenPipeError, ConnectionResetError):
                pass

    @staticmethod
    def handshake(protocol):
        return b"\0SP\0" + struct.pack(">HH", protocol, 0)

    @staticmethod
    def frame(payload, length=None):
        return struct.pack(">Q", len(payload) if length is None else length) + payload

    def test_garbage_on_the_ports_of_the_peers_is_ignored(self):
        hello = self.handshake(PUSH)
        chance = random.Random(1)
        cases = [b"", b"\0", b"\0SP", b"\0SP\1" + bytes(4), bytes(1024), b"GET / HTTP/1.1\r\n\r\n",
                 chance.randbytes(100000), self.handshake(PULL), self.handshake(PAIR),
                 self.handshake(0xffff), hello, hello + b"\0" * 4, hello + self.frame(b""),
                 hello + self.frame(b"x", 1 << 62), hello + self.frame(b"x", (1 << 64) - 1),
                 hello + self.frame(b"x", 1 << 30), hello + self.frame(b"short", 1000),
                 hello + self.frame(bytes(512 * 1024 + 1)), hello + self.frame(bytes(600000))]
        cases += [hello + self.frame(chance.randbytes(chance.randrange(1, 2000)))
                  for _ in range(20)]
        for port in (GOSSIP_PORT, BULK_PORT):
            for number, data in enumerate(cases):
                with self.subTest(port=port, case=number):
                    self.send_to_peers_port(port, data)
                    self.assertEqual(self.agent.ask("GET", "/livez").status, 200)
            self.unchanged()

    def record_messages(self):
        """What the agent really says: a listener of ours is named to it as a peer to join."""
        messages = []
        with socket.create_server((network().address(254), 0)) as listener:
            listener.settimeout(5)
            where = "{}:{}".format(*listener.getsockname())
            join = threading.Thread(target=self.agent.cli, args=("join", where))
            join.start()
            try:
                while len(messages) < 3:
                    self.receive(listener.accept()[0], messages)
            except TimeoutError:
                pass
            join.join()
        self.assertTrue(messages, "the agent has said nothing")
        return messages

    def receive(self, client, messages):
        """Reads as a PULL socket until nothing more comes."""
        with client, client.makefile("rb") as stream:
            client.settimeout(1)
            client.sendall(self.handshake(PULL))
            stream.read(8)
            try:
                while len(messages) < 3:
                    length, = struct.unpack(">Q", stream.read(8))
                    messages.append(stream.read(length))
            except (TimeoutError, struct.error):
                pass

    def test_spoilt_messages_of_peers_are_ignored(self):
        chance = random.Random(2)
        hello = self.handshake(PUSH)
        for message in self.record_messages():
            spoilt = [message[:end] for end in range(0, len(message))]
            for at in range(len(message)):
                changed = bytearray(message)
                changed[at] ^= 1 << chance.randrange(8)
                if bytes(changed) != message:
                    spoilt.append(bytes(changed))
            spoilt += [message + chance.randbytes(chance.randrange(1, 500)) for _ in range(50)]
            for port in (GOSSIP_PORT, BULK_PORT):
                self.send_to_peers_port(port, hello + b"".join(map(self.frame, spoilt)))
            self.assertEqual(self.agent.ask("GET", "/livez").status, 200)

    def test_peers_that_connect_and_stay_silent_do_not_stop_the_others(self):
        clients = []
        try:
            for number in range(300):
                for port in (GOSSIP_PORT, BULK_PORT):
                    client = socket.create_connection((self.agent.host, port), timeout=5)
                    client.sendall(self.handshake(PUSH)[:number % 9])
                    clients.append(client)
            time.sleep(3)  # whoever is not heard for so long is dead
            for agent in self.one.alive:
                self.assertEqual(set(agent.phases().values()), {"alive"})
            written = self.agent.ask("POST", WORKLOADS + "?dryRun=All", workload("dry", 1))
            self.assertEqual(written.status, 201, written)
        finally:
            for client in clients:
                client.close()
