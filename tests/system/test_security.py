"""The API's doors: who has no key, a wrong one, an old one or too small a one stays outside, is
told nothing, and is logged once; what opens them is replaced while the agent runs.

Certificates are made by openssl. No engine is needed: all of this happens before one is asked.
"""
import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

from harness import BINARY, LEAKS, ROOT, UnixConnection, ask, holds_for, wait_until
from lone import free_ports
from test_kubectl import find_kubectl

API = "/apis/hordelet.dev/v1/"
LIST_A = API + "namespaces/team-a/workloads"
LIST_B = API + "namespaces/team-b/workloads"
EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
NAME_OF_SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1"
CLIENT, SERVER = "extendedKeyUsage=clientAuth", "extendedKeyUsage=serverAuth"


def openssl(*arguments, directory, text=""):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, input=text, text=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Keys:
    """A directory of authorities, certificates and tokens."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hordelet-security.")
        self.secrets = set()

    def path(self, name):
        return os.path.join(self.dir, name)

    def authority(self, name):
        openssl("req", "-x509", *EC, "-days", "30", "-subj", f"/CN={name}", "-keyout",
                name + ".key", "-out", name + ".crt", directory=self.dir)
        return self

    def leaf(self, name, subject, *extensions, by="ca"):
        extra = [word for extension in extensions for word in ("-addext", extension)]
        command = ["req", "-x509", *EC, "-subj", subject, "-CA", by + ".crt", "-CAkey", by + ".key",
                   "-addext", "basicConstraints=critical,CA:FALSE", *extra, "-keyout",
                   name + ".key", "-out", name + ".crt", "-days", "30"]
        openssl(*command, directory=self.dir)
        os.chmod(self.path(name + ".key"), 0o600)
        with open(self.path(name + ".key"), encoding="ascii") as file:
            self.secrets.update(line.strip() for line in file if "-" not in line)

    def leaf_until(self, end, name, subject, *extensions):
        """From 2020 to that moment: openssl ca is the only verb that takes both."""
        with open(self.path("index"), "w", encoding="ascii"):
            pass
        with open(self.path("ca.cnf"), "w", encoding="ascii") as file:
            file.write("[ca]\ndefault_ca=c\n[c]\ndatabase=index\nnew_certs_dir=.\nserial=serial\n"
                       "default_md=sha256\npolicy=p\nrand_serial=yes\nx509_extensions=e\n"
                       "unique_subject=no\ndefault_crl_days=30\n[p]\norganizationName=optional\n"
                       "commonName=optional\n[e]\n" + "\n".join(extensions) + "\n")
        openssl("req", "-new", *EC, "-subj", subject, "-keyout", name + ".key", "-out",
                name + ".csr", directory=self.dir)
        openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in",
                name + ".csr", "-out", name + ".crt", "-notext", "-startdate", "20200101000000Z",
                "-enddate", end, directory=self.dir)

    def revoke(self, name):
        """The authority's certificate and its list of what it takes back, in one file."""
        self.write("index", "")
        openssl("ca", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-revoke",
                name + ".crt", directory=self.dir)
        openssl("ca", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-gencrl",
                "-out", "ca.crl", directory=self.dir)
        return self.read("ca.crt") + self.read("ca.crl")

    def read(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def write(self, name, text, mode=0o600):
        """As an operator should: aside, then renamed."""
        with open(self.path(name + ".new"), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name + ".new"), mode)
        os.rename(self.path(name + ".new"), self.path(name))

    def token(self, text):
        self.secrets.add(text)
        return text


def hashed(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


class Door:
    """An agent whose API asks for credentials, on the loopback."""

    def __init__(self, keys, *flags):
        self.keys = keys
        self.data = tempfile.mkdtemp(prefix="data.", dir=keys.dir)
        self.log = self.data + ".log"
        self.port, gossip = free_ports()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "agent", "--node-name", "a", "--data-dir", self.data, "--api",
                 f"127.0.0.1:{self.port}", "--gossip", f"127.0.0.1:{gossip}", "--runtime",
                 "unix:///nonexistent/docker.sock", *flags], stdout=log, stderr=log, cwd=keys.dir,
                env={"LSAN_OPTIONS": LEAKS, **os.environ})
        wait_until(lambda: os.path.exists(self.data + "/api.sock") and
                   self.local("GET", "/readyz").status == 200, 10, "the agent is ready")

    def local(self, method, path, headers=None, body=None, name="api.sock"):
        connection = UnixConnection(f"{self.data}/{name}", 10)
        with contextlib.closing(connection):
            return ask(connection, method, path, body, headers)

    def context(self, certificate=None, authority="ca"):
        context = ssl.create_default_context(cafile=self.keys.path(authority + ".crt"))
        if certificate:
            context.load_cert_chain(self.keys.path(certificate + ".crt"),
                                    self.keys.path(certificate + ".key"))
        return context

    def connect(self, certificate=None, authority="ca"):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10,
                                           context=self.context(certificate, authority))

    def ask(self, method, path, certificate=None, token=None, body=None, authorization=None):
        if token:
            authorization = "Bearer " + token
        headers = {"Authorization": authorization} if authorization else {}
        with contextlib.closing(self.connect(certificate)) as connection:
            answer = ask(connection, method, path, body, headers)
        self.look_for_secrets(answer.body.decode() + str(answer.headers))
        return answer

    def refused(self):
        """Reason to number."""
        text = self.local("GET", "/metrics").body.decode()
        return {match[1]: int(match[2]) for match in
                re.finditer(r'hordelet_api_refused_total{reason="(\w+)"} (\d+)', text)}

    def lines(self, text=" api: refused: "):
        with open(self.log, encoding="utf-8") as file:
            return [line for line in file if text in line]

    def look_for_secrets(self, text):
        for secret in self.keys.secrets:
            assert secret not in text, f"{secret[:8]}... is told"

    def close(self):
        self.process.terminate()
        status = self.process.wait(20)
        with open(self.log, encoding="utf-8") as file:
            text = file.read()
        self.look_for_secrets(text)
        assert status == 0, f"exit status {status}\n{text}"


class SecurityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = Keys()
        cls.addClassCleanup(shutil.rmtree, cls.keys.dir, ignore_errors=True)
        cls.keys.authority("ca").authority("foreign")
        cls.keys.leaf("a", "/CN=a", NAME_OF_SERVER, SERVER)
        cls.keys.leaf("alice", "/O=hordelet:admin/CN=alice", CLIENT)
        cls.keys.leaf("bob", "/O=hordelet:write:team-a/CN=bob", CLIENT)
        cls.keys.leaf("eve", "/O=system:masters/O=hordelet:root/CN=eve", CLIENT)
        cls.keys.leaf("nameless", "/O=hordelet:admin", CLIENT)
        cls.keys.leaf("stranger", "/O=hordelet:admin/CN=alice", CLIENT, by="foreign")
        cls.keys.leaf("for-servers", "/O=hordelet:admin/CN=alice", SERVER)
        cls.keys.leaf_until("20200201000000Z", "old", "/O=hordelet:admin/CN=alice", CLIENT)
        cls.ci = cls.keys.token("ci-0123456789-0123456789")
        cls.over = cls.keys.token("over-0123456789-0123456789")
        cls.reader = cls.keys.token("reader-0123456789-0123456789")
        cls.lines = (f"ci {hashed(cls.ci)} write:team-a # a comment\n"
                     f"over {cls.over} admin 2020-01-01T00:00:00Z\nreader {cls.reader} read\n")
        cls.keys.write("tokens", cls.lines)

    def door(self, *flags, **files):
        """With all four files, unless they are others or None."""
        files = {"cert": "a.crt", "key": "a.key", "ca": "ca.crt", "token-file": "tokens", **files}
        given = [word for name, file in files.items() if file for word in (f"--api-{name}", file)]
        door = Door(self.keys, *given, *flags)
        self.addCleanup(door.close)
        return door

    def assert_status(self, answer, code, reason, said=""):
        self.assertEqual(answer.status, code, answer)
        self.assertEqual((answer.json["kind"], answer.json["status"], answer.json["code"],
                          answer.json["reason"]), ("Status", "Failure", code, reason))
        self.assertIn(said, answer.message)

    # -- who comes in --

    def test_certificates_tokens_and_what_they_may(self):
        door = self.door()
        document = {"apiVersion": "hordelet.dev/v1", "kind": "Workload", "metadata": {"name": "w"},
                    "spec": {"replicas": 0, "container": {"image": "x"}}}
        for path in ("/livez", "/readyz", "/healthz", "/version"):
            self.assertEqual(door.ask("GET", path).status, 200, path)
        self.assertEqual(door.ask("POST", LIST_B, "alice", body=document).status, 201)
        self.assertEqual(door.ask("POST", LIST_A, "bob", body=document).status, 201)
        self.assertEqual(door.ask("GET", LIST_A, token=self.ci).status, 200)
        self.assertEqual(door.ask("GET", API + "workloads", token=self.reader).status, 200)
        self.assertEqual(door.ask("GET", "/metrics", token=self.reader).status, 200)
        self.assertEqual(door.ask("GET", "/apis", "eve").status, 200)
        cannot = 'User "{}" cannot {} resource "{}" in API group "hordelet.dev" {}'
        for method, path, who, said in (
                ("GET", LIST_B, {"certificate": "bob"},
                 cannot.format("bob", "list", "workloads", 'in the namespace "team-b"')),
                ("DELETE", LIST_B + "/w", {"token": self.ci},
                 cannot.format("ci", "delete", "workloads", 'in the namespace "team-b"')),
                ("GET", API + "workloads", {"token": self.ci},
                 cannot.format("ci", "list", "workloads", "at the cluster scope")),
                ("PATCH", LIST_A + "/w/scale", {"token": self.reader},
                 cannot.format("reader", "patch", "workloads/scale", 'in the namespace "team-a"')),
                ("POST", API + "members/SELF/leave", {"certificate": "bob"},
                 cannot.format("bob", "create", "members/leave", "at the cluster scope")),
                ("GET", LIST_A, {"certificate": "eve"}, 'User "eve" cannot list'),
                ("GET", "/metrics", {"token": self.ci}, 'User "ci" cannot get path "/metrics"')):
            self.assert_status(door.ask(method, path, **who), 403, "Forbidden", said)
        self.assertEqual(door.ask("DELETE", LIST_B + "/w", "alice").status, 200)
        self.assertEqual(door.refused()["role"], 7)
        self.assertEqual(len(door.lines()), 1, door.lines())
        self.assertIn("refused: bob from 127.0.0.1: workloads.hordelet.dev is forbidden",
                      door.lines()[0])

    def refuse(self, kind, said, times=3, **how):
        """All the same for who is refused; the reason is in the log, once."""
        with contextlib.closing(Door(self.keys, "--api-cert", "a.crt", "--api-key", "a.key",
                                     "--api-ca", how.pop("ca", "ca.crt"), "--api-token-file",
                                     "tokens")) as door:
            for _ in range(times):
                answer = door.ask("GET", API + "workloads", **how)
                self.assert_status(answer, 401, "Unauthorized", "a client certificate")
                self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
            self.assertEqual(door.refused()[kind], times)
            self.assertEqual(len(door.lines()), 1, door.lines())
            self.assertIn(said, door.lines()[0])
            self.assertEqual(door.ask("GET", API + "workloads", "alice").status, 200)

    def test_who_shows_nothing(self):
        self.refuse("no_credential", "neither a client certificate nor a token")

    def test_a_certificate_of_an_authority_that_is_not_ours(self):
        self.refuse("certificate", "issuer is unknown", certificate="stranger")

    def test_a_certificate_that_has_ended(self):
        self.refuse("certificate", "expired", certificate="old")

    def test_a_certificate_that_ends_while_its_client_is_there(self):
        door = self.door()
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 5))
        self.keys.leaf_until(end, "brief", "/O=hordelet:read/CN=brief", CLIENT)
        with contextlib.closing(door.connect("brief")) as kept:
            self.assertEqual(ask(kept, "GET", LIST_B).status, 200)
            wait_until(lambda: ask(kept, "GET", LIST_B).status == 401, 15, "its time is over")
        self.assertIn("has expired", door.lines()[0])

    def test_a_certificate_that_is_not_for_clients(self):
        self.refuse("certificate", "purpose", certificate="for-servers")

    def test_a_certificate_without_a_name(self):
        self.refuse("certificate", "its common name is missing", certificate="nameless")

    def test_a_certificate_that_is_taken_back(self):
        self.keys.leaf("mallory", "/O=hordelet:admin/CN=mallory", CLIENT)
        self.keys.write("ca-and-list.crt", self.keys.revoke("mallory"))
        self.refuse("certificate", "revoked", certificate="mallory", ca="ca-and-list.crt")

    def test_tokens_that_do_not_count(self):
        unknown = self.keys.token("unknown-0123456789-0123456789")
        self.refuse("token", "it is not in --api-token-file", token=unknown)
        self.refuse("token", "the token of over from 127.0.0.1: its time", token=self.over)
        self.refuse("token", 'it is not of the form "Bearer TOKEN"', token="short")
        self.refuse("token", "it is not of the form", authorization="Basic " + self.ci)
        self.refuse("token", "it is not of the form", authorization="Bearer " + self.ci + " more")
        self.refuse("token", "it is not in --api-token-file", token=hashed(self.ci)[7:])
        self.refuse("token", "it is not in --api-token-file", token=self.ci[:-1] + "0")

    def test_no_tls_1_2_no_plain_text_no_garbage(self):
        door = self.door()
        context = door.context("alice")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", door.port), 10) as plain, \
                self.assertRaises((ssl.SSLError, OSError)):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
        for garbage in (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" * 500,
                        bytes(range(256)) * 8):
            with socket.create_connection(("127.0.0.1", door.port), 10) as plain:
                with contextlib.suppress(OSError):
                    plain.sendall(garbage)
                    self.assertNotIn(b"HTTP", plain.recv(4096))
        wait_until(lambda: door.refused()["handshake"] == 4, 10, "all four are counted")
        self.assertEqual(len(door.lines()), 1, door.lines())
        self.assertIn("before a handshake of TLS 1.3 was complete", door.lines()[0])
        with contextlib.closing(door.connect("alice")) as connection:
            self.assertEqual(ask(connection, "GET", "/metrics").status, 200)
            self.assertEqual(connection.sock.version(), "TLSv1.3")

    # -- the unix sockets --

    def test_the_unix_socket_knows_its_users(self):
        door = self.door()
        self.assertEqual(door.local("GET", API + "members").status, 200)
        os.chmod(door.data, 0o755)
        os.chmod(self.keys.dir, 0o755)
        os.chmod(door.data + "/api.sock", 0o666)  # by mistake
        program = ("import os, sys; sys.path.insert(0, sys.argv[1]); "
                   "from harness import UnixConnection, ask; os.setgid(65534); os.setuid(65534); "
                   "c = UnixConnection(sys.argv[2], 10); h = {'Authorization': sys.argv[4]} "
                   "if sys.argv[4] else {}; print(ask(c, 'GET', sys.argv[3], headers=h).status)")
        found = []
        for path, authorization in ((API + "members", ""), ("/livez", ""),
                                    (API + "members", "Bearer " + self.reader)):
            done = subprocess.run([sys.executable, "-c", program, os.path.dirname(__file__),
                                   door.data + "/api.sock", path, authorization], text=True,
                                  capture_output=True, check=True)
            found.append(int(done.stdout))
        self.assertEqual(found, [401, 200, 200])
        self.assertIn("from user 65534: neither", door.lines()[0])

    def child_token(self, door, child, epoch=1, uid="00000000-0000-4000-8000-000000000001"):
        with open(door.data + "/child-api.key", "rb") as file:
            key = file.read()
        text = f"default.{child}.0.{uid}.{epoch}."
        mac = hashlib.blake2b(text.encode(), key=key, digest_size=16).hexdigest()
        return self.keys.token(text + mac)

    def test_a_container_has_its_own_token_only(self):
        door = self.door()
        # There is no engine: children wait, which is enough to be somebody.
        for name in ("web", "other"):
            document = {"apiVersion": "hordelet.dev/v1", "kind": "Workload",
                        "metadata": {"name": name}, "spec": {"container": {"image": "x"}}}
            answer = door.local("POST", API + "namespaces/default/workloads", body=document)
            self.assertEqual(answer.status, 201, answer)
            if name == "web":
                uid = answer.json["metadata"]["uid"]
        good, gone = self.child_token(door, "web", 9, uid), self.child_token(door, "web", 9)

        def inside(token, path, method="GET", authorization=None):
            headers = {"Hordelet-Token": token} if token else {}
            if authorization:
                headers["Authorization"] = authorization
            answer = door.local(method, API + path, headers, name="child-api/api.sock")
            door.look_for_secrets(answer.body.decode())
            return answer.status
        own, others = ("namespaces/default/children/%s-0/state" % name for name in ("web", "other"))
        self.assertEqual(inside(good, "names"), 200)
        self.assertEqual(inside(good, own), 404)  # nothing there yet
        self.assertEqual(inside(good, others), 403)
        self.assertEqual(inside(good, "workloads"), 403)
        self.assertEqual(inside(gone, "names"), 403)
        self.assertEqual(inside(good[:-1] + ("0" if good[-1] != "0" else "1"), "names"), 401)
        self.assertEqual(inside(good.replace("web", "other", 1), others), 401)
        self.assertEqual(inside(None, "names"), 401)
        # What opens the other doors does not open this one; root of a container is nobody here.
        self.assertEqual(inside(None, "names", authorization="Bearer " + self.reader), 401)
        self.assertEqual(door.refused()["child"], 7)
        self.assertEqual(len(door.lines()), 1, door.lines())
        # A watch ends with the child, too.
        with contextlib.closing(UnixConnection(door.data + "/child-api/api.sock", 15)) as watch:
            watch.request("GET", API + "names?watch=1", headers={"Hordelet-Token": good})
            answer = watch.getresponse()
            self.assertEqual(answer.status, 200)
            door.local("DELETE", API + "namespaces/default/workloads/web")
            wait_until(lambda: inside(good, "names") == 403, 10, "the child is gone")
            door.process.send_signal(signal.SIGHUP)
            with contextlib.suppress(ConnectionError, http.client.IncompleteRead):
                self.assertEqual(answer.read(), b"")
        # And the other way round.
        self.assert_status(door.ask("GET", API + "names", token=good), 401, "Unauthorized")

    # -- what is replaced --

    def shown(self, door):
        """The certificate that the agent shows, as openssl prints its subject."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", door.port), 10) as plain, \
                context.wrap_socket(plain) as sealed:
            return hashlib.sha256(sealed.getpeercert(True)).hexdigest()

    def test_everything_is_replaced_while_the_agent_runs(self):
        keys = self.keys
        keys.authority("next")
        keys.leaf("b", "/CN=b", NAME_OF_SERVER, SERVER)
        keys.leaf("carol", "/O=hordelet:read/CN=carol", CLIENT, by="next")
        for name in ("crt", "key"):
            keys.write("live." + name, keys.read("a." + name))
        keys.write("live-ca.crt", keys.read("ca.crt"))
        keys.write("live-tokens", self.lines)
        door = self.door(cert="live.crt", key="live.key", ca="live-ca.crt",
                         **{"token-file": "live-tokens"})
        before = self.shown(door)
        with contextlib.closing(door.connect("alice")) as kept:
            self.assertEqual(ask(kept, "GET", API + "members").status, 200)
            self.assertEqual(door.ask("GET", API + "members", "carol").status, 401)
            # Nothing that is broken counts; what was there goes on.
            keys.write("live.crt", "no certificate\n")
            keys.write("live-tokens", self.lines + "nonsense\n")
            wait_until(lambda: len(door.lines(" are kept")) == 2, 10, "both are complained of")
            self.assertIn("line 4: must be: NAME SECRET ROLE", "".join(door.lines(" are kept")))
            self.assertEqual((self.shown(door), door.ask("GET", LIST_A, token=self.ci).status),
                             (before, 200))
            # A certificate whose key is another's is none either.
            keys.write("live.crt", keys.read("b.crt"))
            door.process.send_signal(signal.SIGHUP)
            wait_until(lambda: door.lines("is not the key of the first certificate"), 5, "it says")
            self.assertEqual(self.shown(door), before)
            # Both authorities, then the new one alone.
            keys.write("live.key", keys.read("b.key"))
            keys.write("live-ca.crt", keys.read("ca.crt") + keys.read("next.crt"))
            keys.write("live-tokens", self.lines.replace("write:team-a", "read"))
            wait_until(lambda: self.shown(door) != before, 10, "the new certificate is shown")
            self.assertEqual(door.ask("GET", API + "members", "carol").status, 200)
            self.assertEqual(ask(kept, "GET", API + "members").status, 200)
            self.assertEqual(door.ask("GET", LIST_B, token=self.ci).status, 200)
            keys.write("live-ca.crt", keys.read("next.crt"))
            door.process.send_signal(signal.SIGHUP)
            wait_until(lambda: door.ask("GET", API + "members", "alice").status == 401, 5,
                       "the old authority is none any more")
            self.assertEqual(ask(kept, "GET", API + "members").status, 401)
        self.assertEqual(door.ask("GET", API + "members", "carol").status, 200)

    def test_a_secret_that_kubernetes_mounts_is_seen_to_change(self):
        place = self.keys.path("mounted")
        for version, token in (("..1", self.ci), ("..2", self.reader)):
            os.makedirs(f"{place}/{version}")
            self.keys.write(f"mounted/{version}/tokens", f"someone {hashed(token)} read\n", 0o440)
        os.symlink("..1", place + "/..data")
        os.symlink("..data/tokens", place + "/tokens")
        door = self.door(**{"token-file": "mounted/tokens"})
        self.assertEqual(door.ask("GET", LIST_A, token=self.ci).status, 200)
        os.symlink("..2", place + "/..new")
        os.rename(place + "/..new", place + "/..data")  # as a kubelet does
        wait_until(lambda: door.ask("GET", LIST_A, token=self.reader).status == 200, 10,
                   "the new token counts")
        self.assertEqual(door.ask("GET", LIST_A, token=self.ci).status, 401)

    def test_a_watch_ends_with_the_token_of_its_owner(self):
        self.keys.write("watch-tokens", self.lines)
        door = self.door(**{"token-file": "watch-tokens"})
        watches = []
        for token in (self.ci, self.reader):
            connection = door.connect()
            self.addCleanup(connection.close)
            connection.request("GET", LIST_A + "?watch=1",
                               headers={"Authorization": "Bearer " + token})
            watches.append(connection.getresponse())
            self.assertEqual(watches[-1].status, 200)
        self.keys.write("watch-tokens", f"reader {self.reader} read\n")
        door.process.send_signal(signal.SIGHUP)
        with contextlib.suppress(ConnectionError, http.client.IncompleteRead):
            self.assertEqual(watches[0].read(), b"")  # within the connection's 10 s
        document = {"apiVersion": "hordelet.dev/v1", "kind": "Workload", "metadata": {"name": "w"},
                    "spec": {"replicas": 0, "container": {"image": "x"}}}
        self.assertEqual(door.ask("POST", LIST_A, "alice", body=document).status, 201)
        self.assertEqual(json.loads(watches[1].readline())["type"], "ADDED")

    # -- what is bounded --

    @staticmethod
    def metric(door, name):
        text = door.local("GET", "/metrics").body.decode()
        return int(re.search(rf"^{name} (\d+)", text, re.M)[1])

    @staticmethod
    def hello(door):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = door.context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        return outgoing.read()

    def test_a_crowd_of_strangers_keeps_nobody_out(self):
        door = self.door()
        crowd = []
        self.addCleanup(lambda: [one.close() for one in crowd])
        hello = self.hello(door)
        for index in range(300):  # in the middle of the first message, and of the handshake
            crowd.append(socket.create_connection(("127.0.0.1", door.port), 10))
            crowd[-1].sendall(hello[:6] if index % 2 else hello)
        began = time.monotonic()
        self.assertEqual(door.ask("GET", API + "members", "alice").status, 200)
        self.assertLess(time.monotonic() - began, 2)
        turns = self.metric(door, "hordelet_loop_turns_total")
        holds_for(1, lambda: self.assertEqual(door.local("GET", "/livez").status, 200))
        turns = self.metric(door, "hordelet_loop_turns_total") - turns
        self.assertLess(turns, 400)  # they wait without work
        self.assertLessEqual(self.metric(door, "hordelet_api_strangers"), 128)
        self.assertGreaterEqual(door.refused()["crowd"], 300 - 128)
        self.assertEqual(len(door.lines("a connection from")), 1, door.lines())
        for one in crowd:  # the rest have 3 s for handshake and header
            one.settimeout(10)
            with contextlib.suppress(ConnectionError):
                while one.recv(4096):
                    pass
        self.assertLess(time.monotonic() - began, 8)

    def test_handshakes_take_turns(self):
        """Eight go on in one turn of the loop, however many have come: gossip is between them."""
        door = self.door()
        crowd = [socket.create_connection(("127.0.0.1", door.port), 10) for _ in range(120)]
        self.addCleanup(lambda: [one.close() for one in crowd])
        wait_until(lambda: self.metric(door, "hordelet_api_strangers") == 120, 10, "all are there")
        hello = self.hello(door)
        turns = self.metric(door, "hordelet_loop_turns_total")
        door.process.send_signal(signal.SIGSTOP)
        for one in crowd:
            one.sendall(hello)
        door.process.send_signal(signal.SIGCONT)
        for one in crowd:
            self.assertNotEqual(one.recv(4096), b"")
        turns = self.metric(door, "hordelet_loop_turns_total") - turns
        self.assertGreaterEqual(turns, len(crowd) / 8)

    def test_what_strangers_send_is_not_kept(self):
        door = self.door()
        with contextlib.closing(door.connect()) as connection:
            answer = ask(connection, "POST", LIST_A, "x" * 60000,
                         {"Content-Type": "application/json"})
            self.assert_status(answer, 401, "Unauthorized")
        with contextlib.closing(door.connect()) as connection:
            connection.putrequest("POST", LIST_A)
            connection.putheader("Content-Length", str(8 << 20))
            connection.endheaders()
            self.assertEqual(connection.getresponse().status, 401)  # before any of it

    def test_a_web_page_changes_nothing(self):
        door = self.door(cert=None, key=None, ca=None, **{"token-file": None})
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
        with contextlib.closing(connection):
            answer = ask(connection, "POST", API + "members/SELF/leave",
                         headers={"Origin": "http://example.com"})
            self.assert_status(answer, 403, "Forbidden", "a web page may not use the API")
            self.assertEqual(ask(connection, "GET", API + "members").status, 200)  # nobody is asked
        self.assertIsNone(door.process.poll())

    # -- the start --

    def test_what_is_refused_at_the_start(self):
        keys = self.keys
        keys.write("public.key", keys.read("a.key"), 0o644)
        api, gossip = free_ports()
        for flags, status, said in (
                (["--api", "0.0.0.0:0"], 2, "--api"),
                (["--api", "10.0.0.1:7371"], 2, "without TLS: give --api-cert and --api-key"),
                (["--api", "10.0.0.1:7371", "--api-cert", "a.crt", "--api-key", "a.key"], 2,
                 "without a credential: give --api-ca or --api-token-file"),
                (["--api-cert", "a.crt", "--api-key", "public.key"], 1, "everybody may read it"),
                (["--api-cert", "a.crt", "--api-key", "alice.key"], 1, "is not the key of"),
                (["--api-cert", "a.crt", "--api-key", "a.key", "--api-ca", "tokens"], 1,
                 "--api-ca: tokens"),
                (["--api-token-file", "nowhere"], 1, "--api-token-file: nowhere: No such file"),
                (["--api-token-file", "a.key"], 1, "--api-token-file: a.key: line 1")):
            done = subprocess.run(
                [BINARY, "agent", "--node-name", "a", "--data-dir", keys.path("start"), "--gossip",
                 f"127.0.0.1:{gossip}", *(["--api", f"127.0.0.1:{api}"]
                                          if "--api" not in flags else []), *flags],
                cwd=keys.dir, text=True, capture_output=True, check=False, timeout=20,
                env={"LSAN_OPTIONS": LEAKS, **os.environ})
            self.assertEqual(done.returncode, status, (flags, done.stderr))
            self.assertIn(said, done.stderr, flags)
            for secret in keys.secrets:
                self.assertNotIn(secret, done.stderr + done.stdout)

    # -- clients --

    def test_hordelet_believes_only_who_is_vouched_for(self):
        door = self.door()
        keys = self.keys
        keys.write("token", self.reader + "\n")

        def cli(*arguments, api=f"https://127.0.0.1:{door.port}", **environment):
            done = subprocess.run([BINARY, *arguments, "--api", api], cwd=keys.dir, text=True,
                                  capture_output=True, check=False, timeout=30,
                                  env={**os.environ, **environment})
            door.look_for_secrets(done.stdout + done.stderr)
            return done.returncode, done.stdout + done.stderr
        ours = ("--ca-file", "ca.crt")
        self.assertEqual(cli("get", "members", *ours, "--cert-file", "alice.crt", "--key-file",
                             "alice.key")[0], 0)
        self.assertEqual(cli("get", "members", *ours, "--token-file", "token")[0], 0)
        self.assertEqual(cli("get", "members", HORDELET_CA_FILE="ca.crt",
                             HORDELET_TOKEN_FILE="token")[0], 0)
        status, text = cli("get", "members", *ours, api=f"https://127.0.0.2:{door.port}")
        self.assertEqual(status, 1, text)  # nobody listens there
        for said, arguments, options in (
                ("is not believed to be one", ("--ca-file", "foreign.crt"), {}),
                ("Unauthorized", ours, {}),
                ("--token-file nowhere: No such file", (*ours, "--token-file", "nowhere"), {}),
                ("hung up: if it serves TLS", (), {"api": f"http://127.0.0.1:{door.port}"})):
            status, text = cli("get", "members", *arguments, **options)
            self.assertEqual(status, 1, text)
            self.assertIn(said, text)
        status, text = cli("get", "members", "--token-file", "token", api="http://10.0.0.1:7371")
        self.assertEqual(status, 2, text)
        self.assertIn("everybody on the way could read the token", text)

    def test_hordelet_sees_that_a_name_is_wrong(self):
        self.keys.leaf("elsewhere", "/CN=elsewhere", "subjectAltName=DNS:elsewhere", SERVER)
        door = self.door(cert="elsewhere.crt", key="elsewhere.key")
        done = subprocess.run([BINARY, "get", "members", "--api", f"https://127.0.0.1:{door.port}",
                               "--ca-file", "ca.crt", "--cert-file", "alice.crt", "--key-file",
                               "alice.key"], cwd=self.keys.dir, text=True, capture_output=True,
                              check=False, timeout=30)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("is not believed to be one", done.stderr)
        self.assertIn("alternative", done.stderr)
        self.assertEqual(door.refused(), dict.fromkeys(door.refused(), 0))  # no request has come


class Recipe(unittest.TestCase):
    def test_the_documented_recipe_works_as_it_is_written(self):
        kubectl = find_kubectl()
        directory = tempfile.mkdtemp(prefix="hordelet-recipe.")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        with open(os.path.join(ROOT, "docs", "security.md"), encoding="utf-8") as file:
            make, start, verbs, users = re.findall(r"^```sh\n(.*?)^```", file.read(), re.S | re.M)
        os.mkdir(directory + "/bin")
        os.symlink(BINARY, directory + "/bin/hordelet")
        os.symlink(kubectl, directory + "/bin/kubectl")
        script = ("set -eu\nip link set lo up\nip address add 10.0.0.1/32 dev lo\n"
                  f"{make}{start}agent=$!\ntrap 'kill $agent; wait $agent' EXIT\n"
                  "until curl -sSf --cacert ca.crt https://$ADDRESS:7371/readyz; do\n"
                  "    kill -0 $agent; sleep 0.1\ndone\n"
                  f"{verbs}{users}"
                  "! kubectl --context metrics delete workload web 2>refused\ncat refused\n"
                  "! kubectl --context metrics --token wrong-0123456789-0123456789 get wl 2>wrong\n"
                  "cat wrong\n")
        done = subprocess.run(["unshare", "--net", "bash", "-c", script], cwd=directory, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=120, env={**os.environ, "DATA": directory + "/data",
                                                "PATH": f"{directory}/bin:{os.environ['PATH']}",
                                                "HOME": directory, "LSAN_OPTIONS": LEAKS})
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("node-1", done.stdout)
        self.assertIn('Error from server (Forbidden): workloads.hordelet.dev "web" is forbidden: '
                      'User "metrics" cannot delete resource "workloads"', done.stdout)
        self.assertIn("You must be logged in to the server", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
