#!/usr/bin/env python3
"""The API over HTTP: one name beside a bare libmicrohttpd, long lists, how late a watch tells, what
a thousand watchers cost.

    HORDELET_BIN=build/release/hordelet tests/bench/api.py [SECTION...]

Three real agents over an engine that answers at once, as in agent.py; a line per figure.
"""
import http.client
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time

from agent import API, BUILD, HOST, REPEATS, Cluster, line, load, median, ports, wait_until

BARE = os.path.join(BUILD, "tests", "bench", "bare_http")
CHILDREN = 10000
CHANGES = 300
WATCHERS = 1000
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


class Bare:
    """libmicrohttpd with an answer of so many bytes, and nothing behind it."""

    def __init__(self, size):
        self.api = next(ports)
        self.process = subprocess.Popen([BARE, HOST, str(self.api), str(size)])
        wait_until(lambda: socket.create_connection((HOST, self.api)).close() is None, 5,
                   "the bare server listens")

    def __enter__(self):
        return self

    def __exit__(self, *reasons):
        self.process.kill()
        self.process.wait()


def get(agent, path, headers=None):
    """Seconds from the request to the last byte, and the body."""
    connection = http.client.HTTPConnection(HOST, agent.api, timeout=60)
    connection.connect()
    begin = time.monotonic()
    connection.request("GET", path, headers=headers or {})
    body = connection.getresponse().read()
    took = time.monotonic() - begin
    connection.close()
    return took, body


def cpu_us(process):
    """Processor time of all its threads so far."""
    total = 0
    tasks = f"/proc/{process.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e3


def load_and_cpu(server, path):
    """As load, and microseconds of the server's processor time per request."""
    before = cpu_us(server.process)
    run = load(server, 50, "GET", path)
    return [*run, (cpu_us(server.process) - before) / max(run[3], 1)]


def bench_name():
    path = API + "namespaces/default/names/web-7"
    with Cluster() as cluster:
        cluster.start()
        cluster.run("web", 100)
        size = len(get(cluster[0], path)[1])
        with Bare(size) as bare:
            ours, least = [], []
            for _ in range(REPEATS):
                ours.append(load_and_cpu(cluster[0], path))
                least.append(load_and_cpu(bare, "/"))
    rate, floor = median([run[0] for run in ours]), median([run[0] for run in least])
    late, floor_late = median([run[2] for run in ours]), median([run[2] for run in least])
    line("GET of one name over HTTP, 50 connections", f"{rate:,.0f}/s", "-", "50,000/s",
         f"{floor:,.0f}/s: bare libmicrohttpd")
    line("... p99", f"{late:,.0f} us", "-", "-", f"{floor_late:,.0f} us: the same")
    line("... processor time of one", f"{median([run[5] for run in ours]):.1f} us", "-", "20 us",
         f"{median([run[5] for run in least]):.1f} us: the same")


def bench_lists():
    with Cluster() as cluster:
        cluster.start()
        cluster.run("web", CHILDREN, timeout=120)
        for what, path, headers, goal in (
                ("list of 10,000 children over HTTP", "children", None, "50 ms"),
                ("... as a Table", "children", TABLE, "-"),
                ("... compressed", "children", {"Accept-Encoding": "gzip"}, "-"),
                ("... as Pods", "/api/v1/pods", None, "-"),
                ("... one page of 500", "children?limit=500", None, "-"),
                ("... how many there are", "children?count=true", None, "-")):
            path = path if path.startswith("/") else API + path
            before = cpu_us(cluster[0].process)
            runs = [get(cluster[0], path, headers) for _ in range(REPEATS)]
            spent = (cpu_us(cluster[0].process) - before) / REPEATS / 1e3
            line(what, f"{median([run[0] for run in runs]) * 1e3:.1f} ms, "
                 f"{len(runs[0][1]) / 1e6:.2f} MB", "-", goal,
                 f"{spent:.1f} ms: its processor time")


def metas(cluster, number):
    document = {"apiVersion": "hordelet.dev/v1", "kind": "Meta", "metadata": {"name": "m"},
                "spec": {"value": number}}
    cluster[0].ask("PUT", "namespaces/default/metas/m", document)


def watch_delays(cluster, watched):
    """From before the PUT at the first agent to the event's line at the watched one, in ms."""
    connection = http.client.HTTPConnection(HOST, watched.api, timeout=60)
    connection.request("GET", API + "metas?watch=1")
    stream = connection.getresponse()
    delays = []
    for number in range(CHANGES):
        begin = time.monotonic()
        metas(cluster, number)
        while True:
            event = json.loads(stream.readline())
            if event["object"].get("spec", {}).get("value") == number:
                break
        delays.append((time.monotonic() - begin) * 1e3)
    connection.close()
    delays.sort()
    return delays[len(delays) // 2], delays[len(delays) * 99 // 100]


def bench_watch():
    with Cluster() as cluster:
        cluster.start()
        puts = []
        for number in range(CHANGES):
            begin = time.monotonic()
            metas(cluster, -1 - number)
            puts.append((time.monotonic() - begin) * 1e3)
        floor = f"{median(puts):.2f} ms: the PUT alone"
        for what, agent in (("from a PUT to the watch's line, same agent: p50 / p99", cluster[0]),
                            ("... another agent", cluster[1])):
            middle, late = watch_delays(cluster, agent)
            line(what, f"{middle:.2f} / {late:.2f} ms", "-", "-", floor)


def private_kib(process):
    with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(row.split()[1]) for row in file if row.startswith("Private"))


def watch_all(agent):
    target = f"GET {API}metas?watch=1&sendInitialEvents=false HTTP/1.1\r\nHost: x\r\n\r\n"
    streams = []
    for _ in range(WATCHERS):
        stream = socket.create_connection((HOST, agent.api), timeout=20)
        stream.sendall(target.encode())
        streams.append(stream)
    for stream in streams:
        assert b" 200 " in stream.recv(65536)
    return streams


def tell_all(cluster, streams, number):
    """Milliseconds until the last has been told of a change."""
    begin = time.monotonic()
    metas(cluster, number)
    waited, text = select.poll(), {stream.fileno(): b"" for stream in streams}
    by_number = {stream.fileno(): stream for stream in streams}
    for stream in streams:
        waited.register(stream, select.POLLIN)
    missing = len(streams)
    while missing:
        for descriptor, _ in waited.poll(10000):
            text[descriptor] += by_number[descriptor].recv(65536)
            if f'"value":{number}}}'.encode() in text[descriptor]:
                waited.unregister(descriptor)
                missing -= 1
    return (time.monotonic() - begin) * 1e3


def bench_watchers():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with Cluster() as cluster:
        cluster.start()
        metas(cluster, 0)
        process = cluster[0].process
        before = private_kib(process)
        streams = watch_all(cluster[0])
        memory, idle = (private_kib(process) - before) / WATCHERS, cpu_us(process)
        time.sleep(3)  # what is measured: what they cost while nothing changes
        idle = (cpu_us(process) - idle) / 3e6
        spent = cpu_us(process)
        took = [tell_all(cluster, streams, 1000000 + i) for i in range(20)]
        spent = (cpu_us(process) - spent) / 20e3
        for stream in streams:
            stream.close()
    line(f"{WATCHERS:,} watchers: memory of each", f"{memory:.1f} KiB", "-", "-")
    line("... processor time while nothing changes", f"{100 * idle:.2f} % of a core", "-", "-")
    line("... a change told to all: processor time", f"{spent:.1f} ms", "-", "-")
    line("... from the PUT to the last watcher's line", f"{median(took):.1f} ms", "-", "-")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


SECTIONS = {"name": bench_name, "lists": bench_lists, "watch": bench_watch,
            "watchers": bench_watchers}


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for name in sys.argv[1:] or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main()
