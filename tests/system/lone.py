"""One agent without an engine, on the loopback: for what is over before an engine is asked."""
import contextlib
import http.client
import shutil
import socket
import subprocess
import tempfile

from harness import BINARY, ask, wait_until


def free_ports():
    """One for the API and one for gossip, which takes also the one two above it. They are free
    until somebody else is given them."""
    while True:
        with socket.socket() as api, socket.socket() as low, socket.socket() as high:
            api.bind(("127.0.0.1", 0))
            low.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                high.bind(("127.0.0.1", low.getsockname()[1] + 2))
                return api.getsockname()[1], low.getsockname()[1]


class LoneAgent:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="hordelet-lone.")
        self.port, self.gossip = free_ports()
        self.process = None

    def start(self):
        with open(self.directory + "/log", "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "agent", "--node-name", "a", "--data-dir", self.directory + "/data",
                 "--api", f"127.0.0.1:{self.port}", "--gossip", f"127.0.0.1:{self.gossip}",
                 "--runtime", "unix:///nonexistent/docker.sock", "--allow-host-network"],
                stdout=log, stderr=log)
        wait_until(self.is_ready, 10, "the agent is ready")
        return self

    def is_ready(self):
        with open(self.directory + "/log", encoding="utf-8") as log:
            assert self.process.poll() is None, log.read()[-2000:]
        return self.ask("GET", "/readyz").status == 200

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, method, path, body=None, source="127.0.0.1", timeout=30, **headers):
        """source: clients are told apart by their address. Accept_Encoding is Accept-Encoding."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout,
                                                source_address=(source, 0))
        with contextlib.closing(connection):
            return ask(connection, method, path, body,
                       {name.replace("_", "-"): text for name, text in headers.items()})

    def connect(self, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), 30, (source, 0))

    def memory_kib(self):
        """Its own, without what it shares with other processes."""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Private"))

    def metric(self, name, source="127.0.0.1"):
        for line in self.ask("GET", "/metrics", source=source).body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")
