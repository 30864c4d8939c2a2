"""As much of a Kubernetes API server as discovery asks: EndpointSlices of one Service, over real
TLS, behind a token. Scripted: tests say what is listed, what a watch tells, and what goes wrong."""
import contextlib
import http.server
import json
import os
import queue
import ssl
import subprocess
import threading
import urllib.parse

NAMESPACE, SERVICE = "hordelet", "hordelet-gossip"
PATH = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """A CA of its own, and certificates of it."""

    def __init__(self, folder, name):
        self.path = os.path.join(folder, name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path + ".key", "-out", self.path + ".crt", "-days", "2", "-subj",
                f"/CN={name}")

    def certificate(self, address):
        """Paths of certificate and key for an IP address."""
        base = f"{self.path}-{address}"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                base + ".key", "-out", base + ".csr", "-subj", "/CN=kubernetes")
        with open(base + ".ext", "w", encoding="ascii") as file:
            file.write(f"subjectAltName=IP:{address}\n")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.path + ".crt", "-CAkey",
                self.path + ".key", "-CAcreateserial", "-days", "2", "-out", base + ".crt",
                "-extfile", base + ".ext")
        return base + ".crt", base + ".key"


def endpoint_slice(name, addresses, port=7370, version="1"):
    """Half of them are not ready: it is all the same to discovery."""
    family = "IPv6" if any(":" in address for address in addresses) else "IPv4"
    return {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": family,
            "metadata": {"name": name, "namespace": NAMESPACE, "resourceVersion": version,
                         "labels": {"kubernetes.io/service-name": SERVICE}},
            "endpoints": [{"addresses": [address], "conditions": {"ready": index % 2 == 0}}
                          for index, address in enumerate(addresses)],
            "ports": [{"name": "metrics", "protocol": "TCP", "port": 7371},
                      {"name": "gossip", "protocol": "TCP", "port": port}]}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that goes away, or does not trust us, is no error of ours."""


class KubernetesApi:
    def __init__(self, address, authority, port=0):
        self.address, self.token = address, "token-one"
        self.slices, self.version = [], "100"
        self.requests = []  # (kind, parameters, status)
        self.watches = []
        self.refuse = None  # (status, body) instead of any answer
        self.may_watch = True
        self.hang = threading.Event()  # set: lists do not end
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # the name is http.server's
                api.answer(self)

            def log_message(self, *arguments):
                """Quiet."""

        self.server = Server((address, port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*authority.certificate(address))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.hang.clear()
        self.end_watches()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    # -- what it answers --

    def answer(self, handler):
        path, _, query = handler.path.partition("?")
        parameters = dict(urllib.parse.parse_qsl(query))
        kind = "watch" if "watch" in parameters else "list"
        authorized = handler.headers.get("Authorization") == "Bearer " + self.token
        status, body = 200, None
        if not authorized:
            status, body = 401, {"kind": "Status", "code": 401, "message": "Unauthorized"}
        elif path != PATH or parameters.get("labelSelector") != \
                f"kubernetes.io/service-name={SERVICE}":
            status, body = 403, {"kind": "Status", "code": 403, "message": f"forbidden: {path}"}
        elif self.refuse:
            status, body = self.refuse
        elif kind == "watch" and not self.may_watch:
            status, body = 403, {"kind": "Status", "code": 403, "message": "may not watch"}
        self.requests.append((kind, parameters, status))
        if status == 200 and kind == "watch":
            self.watch(handler)
            return
        while self.hang.is_set():
            self.hang_tick.wait(0.05)
        if body is None:
            body = {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
                    "metadata": {"resourceVersion": self.version}, "items": self.slices}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    hang_tick = threading.Event()

    def watch(self, handler):
        events = queue.Queue()
        self.watches.append(events)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while (data := events.get()) is not None:
                # In two chunks: a line need not come at once.
                for part in (data[:len(data) // 2], data[len(data) // 2:]):
                    if part:
                        handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    # -- what a test tells --

    def tell_bytes(self, data):
        for events in self.watches:
            events.put(data)

    def tell(self, kind, item):
        self.tell_bytes(json.dumps({"type": kind, "object": item}).encode() + b"\n")

    def bookmark(self, version):
        self.tell("BOOKMARK", {"kind": "EndpointSlice", "metadata": {"resourceVersion": version}})

    def end_watches(self):
        while self.watches:
            self.watches.pop().put(None)

    def count(self, kind, status=200):
        return sum(asked == kind and answered == status for asked, _, answered in self.requests)
