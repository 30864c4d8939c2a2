"""Discovery against a real DNS server (dnsmasq) and a small Kubernetes API over real TLS: answers
that change, fail and are partial. No agent here has a seed."""
# This module begins first: it takes longest.
import contextlib
import os
import shutil
import signal
import socket
import subprocess

import harness
from harness import GOSSIP_PORT, SystemTest, holds_for, wait_until, workload
from kubernetes_api import NAMESPACE, SERVICE, Authority, KubernetesApi, endpoint_slice

NAME = "agents.hordelet.test"
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"


def seedless(cluster, flags):
    for agent in cluster.agents.values():
        del agent.options["--join"]
        agent.options.update(flags)
        agent.options["--discover-interval"] = "1s"


def formed(cluster, *indices):
    """Those, and only those, know each other."""
    names = {f"n{index}" for index in indices}
    for index in indices:
        phases = cluster[index].phases()
        assert names == {n for n, phase in phases.items() if phase == "alive"}, (index, phases)
    return True


class Dns(SystemTest):
    def setUp(self):
        if not shutil.which("dnsmasq"):
            self.skipTest("no dnsmasq: script/bootstrap installs it")

    def dns_cluster(self, count):
        cluster = self.cluster(count, start=False)
        seedless(cluster, {"--discover-dns": NAME})
        self.server = harness.network().address(254)
        self.hosts = os.path.join(cluster.dir, "hosts")
        self.resolv = os.path.join(cluster.dir, "resolv.conf")
        self.resolver(timeout=1)
        self.process = None
        self.addCleanup(self.stop_server)
        for agent in cluster.agents.values():
            agent.private = f"mount --bind {self.resolv} /etc/resolv.conf"
        return cluster

    def resolver(self, timeout):
        with open(self.resolv, "w", encoding="ascii") as file:
            file.write(f"nameserver {self.server}\noptions timeout:{timeout} attempts:1\n")

    def zone(self, *addresses):
        """What the name has from now on."""
        with open(self.hosts + ".new", "w", encoding="ascii") as file:
            file.writelines(f"{address} {NAME}\n" for address in addresses)
        os.rename(self.hosts + ".new", self.hosts)
        if self.process:
            self.process.send_signal(signal.SIGHUP)

    def start_server(self):
        self.process = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=",
             "--no-hosts", "--no-resolv", "--local=/hordelet.test/", "--local-ttl=0", "--user=root",
             f"--addn-hosts={self.hosts}", f"--listen-address={self.server}", "--bind-interfaces"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop_server(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def deaf_server(self):
        """Takes the server's place, and hears all queries without a word."""
        self.stop_server()
        deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(deaf.close)
        deaf.bind((self.server, 53))
        return deaf

    def heard(self, cluster):
        """All have asked for the name, whole, since now."""
        name = 'hordelet_discovery_answers_total{source="dns",result="%s"}'

        def rounds(agent):
            told = agent.metrics()
            return told[name % "ok"] + told[name % "failed"]
        before = {agent: rounds(agent) for agent in cluster.agents.values()}
        wait_until(lambda: all(rounds(a) >= n + 2 for a, n in before.items()), 20, "all have asked")

    def test_who_is_added_to_the_name_joins_and_who_goes_from_it_stays(self):
        cluster = self.dns_cluster(3)
        self.zone(cluster[1].host)
        self.start_server()
        for agent in cluster.agents.values():
            agent.start()
        cluster.wait_formed(10)  # each was told of n1, and n1 of itself only
        cluster.apply(workload("web", 3))
        found = harness.identity(cluster.exactly_once("web", 3).values())
        known = 'hordelet_discovery_addresses{source="dns"}'
        # "No such name" takes nothing away, for it may as well be a server without its zone.
        for addresses, count in (((), 1), (("2001:db8::1", cluster[3].host), 2)):
            self.zone(*addresses)
            self.heard(cluster)
            self.assertEqual(cluster[1].metrics()[known], count)
            formed(cluster, 1, 2, 3)
        cluster[3].kill()
        cluster[3].start()
        cluster.wait_formed(15)
        self.assertEqual(harness.identity(cluster.exactly_once("web", 3).values()), found)

    def test_a_server_that_does_not_answer_keeps_nobody_from_serving(self):
        cluster = self.dns_cluster(2)
        for agent in cluster.agents.values():
            agent.start()
        for agent in cluster.agents.values():  # alone, after the five seconds that a peer may take
            wait_until(lambda a=agent: a.ask("GET", "/readyz").status == 200, 10, f"{agent} serves")
        cluster.apply(workload("alone"), on=1)
        wait_until(lambda: cluster.containers("n1"), 10, "it runs what it is given")
        self.zone(*(agent.host for agent in cluster.agents.values()))
        self.start_server()
        cluster.wait_formed(15)
        for agent in cluster.agents.values():
            warned = agent.log_text().count("discovery: DNS")
            self.assertLessEqual(warned, 3, "said once, not each second")

    def test_a_server_that_hangs_blocks_nothing(self):
        cluster = self.dns_cluster(2)
        self.zone(*(agent.host for agent in cluster.agents.values()))
        self.start_server()
        for agent in cluster.agents.values():
            agent.start()
        cluster.wait_formed(10)
        deaf = self.deaf_server()
        self.heard(cluster)
        self.assertIn("what it said before counts, 2 addresses", cluster[1].log_text())
        self.resolver(timeout=30)
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while deaf.recv(512):
                """A query of before, which is given up after a second."""
        deaf.settimeout(20)
        while deaf.recvfrom(512)[1][0] != cluster[1].host:
            """The next one of n1 hangs."""
        for _ in range(20):
            self.assertEqual(cluster[1].ask("GET", "/livez", timeout=10).status, 200)
        formed(cluster, 1, 2)
        self.assertEqual(cluster[1].terminate(6), 0)
        self.assertNotIn("closing down hangs", cluster[1].log_text())


class Kubernetes(SystemTest):
    def kubernetes_cluster(self, count):
        cluster = self.cluster(count, start=False)
        seedless(cluster, {"--discover-kubernetes": SERVICE})
        self.account = os.path.join(cluster.dir, "account")
        os.mkdir(self.account)
        self.authority = Authority(cluster.dir, "first")
        self.api = KubernetesApi(harness.network().address(254), self.authority)
        self.addCleanup(lambda: self.api.close())
        self.credential("namespace", NAMESPACE)
        self.credential("token", self.api.token)
        self.trust(self.authority)
        for agent in cluster.agents.values():
            agent.private = (f"mount -t tmpfs none /run; mkdir -p {ACCOUNT}\n"
                             f"mount --bind {self.account} {ACCOUNT}")
            agent.environment = {"KUBERNETES_SERVICE_HOST": self.api.address,
                                 "KUBERNETES_SERVICE_PORT": str(self.api.port)}
        return cluster

    def credential(self, name, text):
        path = os.path.join(self.account, name)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def trust(self, authority):
        with open(authority.path + ".crt", encoding="ascii") as file:
            self.credential("ca.crt", file.read())

    @staticmethod
    def known(agent):
        return agent.metrics()['hordelet_discovery_addresses{source="kubernetes"}']

    def test_a_list_and_then_what_a_watch_tells(self):
        cluster = self.kubernetes_cluster(3)
        self.api.slices = [endpoint_slice("one", [cluster[1].host])]
        cluster[1].start()
        cluster[2].start()
        wait_until(lambda: formed(cluster, 1, 2), 10, "by the list")
        cluster[3].environment = {"KUBERNETES_SERVICE_HOST": "192.0.2.1",
                                  "KUBERNETES_SERVICE_PORT": "1"}  # it hears of nobody itself
        cluster[3].start()
        wait_until(lambda: len(self.api.watches) == 2, 15, "both watch")
        self.api.tell("ADDED", endpoint_slice("two", [cluster[3].host, "fd00::9"], version="101"))
        wait_until(lambda: formed(cluster, 1, 2, 3), 10, "by the watch")
        self.assertEqual(self.known(cluster[1]), 3)
        self.api.tell("DELETED", endpoint_slice("two", [], version="102"))
        self.api.tell("MODIFIED", endpoint_slice("one", [], version="103"))
        wait_until(lambda: self.known(cluster[1]) == 0, 15, "it was told")
        formed(cluster, 1, 2, 3)  # nobody goes for that
        self.assertEqual(self.api.count("list"), 2)
        self.assertEqual({p.get("resourceVersion") for k, p, _ in self.api.requests if k == "list"},
                         {"0"})

    def test_a_watch_goes_on_where_it_was_and_an_expired_one_begins_anew(self):
        cluster = self.kubernetes_cluster(1)
        agent = cluster[1]
        agent.start()
        wait_until(lambda: self.api.watches, 10, "it watches")
        self.api.bookmark("500")
        self.api.end_watches()
        wait_until(lambda: self.api.watches, 15, "it watches again")
        self.assertEqual(self.api.count("watch"), 2)
        self.assertEqual(self.api.requests[-1][1]["resourceVersion"], "500")
        self.assertEqual(self.api.count("list"), 1)
        self.api.slices = [endpoint_slice("one", [agent.host, "192.0.2.7"])]
        self.api.version = "900"
        self.api.tell("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
        wait_until(lambda: self.known(agent) == 2, 15, "it has listed again")
        lists = [p for k, p, _ in self.api.requests if k == "list"]
        self.assertNotIn("resourceVersion", lists[-1], "not from a cache")
        wait_until(lambda: self.api.requests[-1][1].get("resourceVersion") == "900", 15,
                   "and watches from there")

    def test_partial_and_spoilt_answers_change_nothing(self):
        cluster = self.kubernetes_cluster(1)
        agent = cluster[1]
        self.api.slices = [endpoint_slice("one", ["192.0.2.1", "192.0.2.2"])]
        agent.start()
        wait_until(lambda: self.known(agent) == 2, 10, "the list is there")
        wait_until(lambda: self.api.watches, 10, "it watches")  # so that it has to list anew
        whole = b'{"kind":"EndpointSliceList","metadata":{"resourceVersion":"7"},"items":['
        for status, body in ((200, whole), (200, b"[]"), (500, b"\0\xff"), (503, b"")):
            lists = self.api.count("list", status)
            self.api.refuse = (status, body)
            self.api.tell_bytes(b'{"type":"MODIFIED","object":{"metadata":{"name":"one"\n')
            self.api.end_watches()
            wait_until(lambda s=status, n=lists: self.api.count("list", s) > n, 20, "it has asked")
            holds_for(0.5, lambda: self.assertEqual(self.known(agent), 2))
            self.api.refuse = None
            wait_until(lambda: self.api.watches, 20, "it watches again")
        self.assertEqual(agent.ask("GET", "/readyz").status, 200)

    def test_who_may_list_and_not_watch_says_so_once(self):
        cluster = self.kubernetes_cluster(1)
        agent = cluster[1]
        self.api.slices = [endpoint_slice("one", ["192.0.2.1", "192.0.2.2"])]
        self.api.may_watch = False
        agent.start()
        wait_until(lambda: self.api.count("watch", 403) == 3, 15, "it has tried again, and again")
        self.assertEqual(self.known(agent), 2)
        told = [line for line in agent.log_text().splitlines() if "discovery: Kubernetes" in line]
        self.assertEqual(len(told), 2, told)
        self.assertIn("status 403: may not watch", told[1])
        self.api.may_watch = True
        wait_until(lambda: self.api.watches, 20, "now it may")
        self.api.tell("MODIFIED", endpoint_slice("one", ["192.0.2.1"], version="101"))
        wait_until(lambda: self.known(agent) == 1, 15, "it was told")
        self.assertIn("discovery: Kubernetes: 1 addresses", agent.log_text())

    def test_a_token_and_an_authority_are_replaced(self):
        cluster = self.kubernetes_cluster(1)
        agent = cluster[1]
        agent.start()
        wait_until(lambda: self.api.watches, 10, "it watches")
        self.api.token = "token-two"
        self.api.end_watches()
        wait_until(lambda: "status 401: Unauthorized" in agent.log_text(), 10,
                   "its token is too old")
        self.credential("token", self.api.token + "\n")
        wait_until(lambda: self.api.watches, 15, "it has read the new one")
        # Another authority, at the same address.
        port = self.api.port
        other = Authority(cluster.dir, "second")
        self.api.close()
        self.api = KubernetesApi(self.api.address, other, port)
        self.api.token = "token-two"
        wait_until(lambda: "certificate" in agent.log_text(), 15, "it does not trust that one")
        self.assertEqual(self.api.requests, [], "and has told it nothing")
        self.trust(other)
        wait_until(lambda: self.api.watches, 30, "now it does")
        self.assertNotIn("token-", agent.log_text())

    def test_a_certificate_of_another_address_is_not_believed(self):
        cluster = self.kubernetes_cluster(1)
        agent = cluster[1]
        certificate = Authority.certificate
        self.api.close()
        with_name = type("Misnamed", (), {"certificate":
                                          lambda _, a: certificate(self.authority, "192.0.2.1")})()
        self.api = KubernetesApi(self.api.address, with_name, self.api.port)
        agent.start()
        wait_until(lambda: "discovery: Kubernetes: " in agent.log_text(), 10, "it refuses")
        self.assertEqual(self.api.requests, [])

    def test_a_server_that_hangs_and_no_server_at_all(self):
        cluster = self.kubernetes_cluster(1)
        agent = cluster[1]
        self.api.hang.set()
        agent.start()
        wait_until(lambda: self.api.requests, 10, "it asks")
        wait_until(lambda: agent.ask("GET", "/readyz").status == 200, 10, "it serves")
        wait_until(lambda: "no whole answer in time" in agent.log_text(), 25, "it has a deadline")
        self.assertEqual(agent.terminate(10), 0)
        agent.private = ""  # no service account
        agent.start()
        self.assertEqual(agent.process.wait(10), 1)
        self.assertIn("give it as NAMESPACE/SERVICE", agent.log_text())
