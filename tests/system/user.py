"""A user of a cluster whose agents die: what was asked for, what was answered, what must be so.

A user asks for one thing at a time, so the writes of a document have an order. Those of a *chained*
document name the last acknowledged one (Hordelet-After), so that each is made by an agent that has
seen it; those of another one are sent to any agent as they come, also to both sides of a cut, where
the later one must win, since all agents of a test have one clock.
"""
import http.client
import json
import threading

from harness import workload

DELETED = None
TIMEOUT_S = 7  # an agent answers within 5 s unless it is frozen


class Write:
    def __init__(self, revision, replicas):
        self.revision, self.replicas = revision, replicas  # None, DELETED: a deletion
        self.acknowledged = False
        self.late = False  # it may still be carried out: a frozen agent has it in a socket

    def __repr__(self):
        state = "" if self.acknowledged else "~" if self.late else "?"
        return f"{state}r{self.revision or '*'}:{self.replicas}"

    def matches(self, seen):
        if seen is DELETED or self.replicas is DELETED:
            return seen is self.replicas
        return seen[1] == self.replicas and self.revision in (None, seen[0])


class Document:
    def __init__(self, name, replicas_max, chained=True, **shape):
        self.name, self.replicas_max, self.chained, self.shape = name, replicas_max, chained, shape
        self.path = f"namespaces/default/workloads/{name}"
        self.revision = 0
        self.after = None  # of the last acknowledged write
        self.writes = []  # acknowledged, or perhaps carried out; refused ones are not kept

    def allows(self, seen):
        """May an agent that knows the last acknowledged write show this? seen: (revision,
        replicas) or DELETED."""
        last = max((i for i, w in enumerate(self.writes) if w.acknowledged), default=-1)
        base = self.writes[last] if last >= 0 else Write(None, DELETED)
        if base.matches(seen):
            return True
        # A deletion removes only what its agent had seen: an unacknowledged put may survive it.
        return any(not w.acknowledged and w.matches(seen) and
                   (i > last or w.late or base.replicas is DELETED)
                   for i, w in enumerate(self.writes))

    @staticmethod
    def seen_in(answer):
        if answer.status == 404:
            return DELETED
        labels = answer.json["metadata"].get("labels", {})
        return int(labels.get("revision", 0)), answer.json["spec"]["replicas"]


class User(threading.Thread):
    """Edits, deletes and reads its documents until told to stop. `note` takes lines of history,
    `accuse` a broken promise."""

    def __init__(self, cluster, documents, dice, note, accuse):
        super().__init__(daemon=True)
        self.cluster, self.documents, self.dice = cluster, documents, dice
        self.note, self.accuse = note, accuse
        self.ended = threading.Event()
        self.asked = self.answered = 0

    def run(self):
        try:
            self.ask_and_ask()
        except Exception as error:  # whatever it is: nobody asks any more
            self.accuse(f"an answer that nobody expects: {error!r}")
            raise

    def ask_and_ask(self):
        while not self.ended.is_set():
            document = self.dice.choice(self.documents)
            agent = self.cluster[self.dice.randint(1, self.cluster.count)]
            dice = self.dice.random()
            if not document.chained or dice < 0.4 or not document.writes:
                self.apply(document, agent)
            elif dice < 0.6:
                self.scale(document, agent)
            elif dice < 0.75:
                self.delete(document, agent)
            else:
                self.read(document, agent)
            self.ended.wait(self.dice.uniform(0.1, 0.9))

    def finish(self):
        self.ended.set()
        self.join()

    # -- the verbs --

    def apply(self, document, agent):
        document.revision += 1
        replicas = self.dice.randint(0 if document.chained else 1, document.replicas_max)
        body = workload(document.name, replicas, labels={"revision": str(document.revision)},
                        **document.shape)
        if self.dice.random() < 0.2:  # a rolling update
            body["spec"]["container"]["env"] = [{"name": "EDITION",
                                                 "value": str(document.revision)}]
        self.write(document, agent, Write(document.revision, replicas), "PATCH",
                   document.path + "?fieldManager=test&force=true", json.dumps(body),
                   "application/apply-patch+yaml")

    def scale(self, document, agent):
        replicas = self.dice.randint(0, document.replicas_max)
        self.write(document, agent, Write(None, replicas), "PATCH", document.path + "/scale",
                   json.dumps({"spec": {"replicas": replicas}}), "application/merge-patch+json")

    def delete(self, document, agent):
        self.write(document, agent, Write(None, DELETED), "DELETE", document.path)

    def read(self, document, agent):
        answer = self.ask(document, agent, "GET", document.path)
        if answer is not None and answer.status in (200, 404):
            self.check(document, agent, document.seen_in(answer))

    def check(self, document, agent, seen):
        if not document.allows(seen):
            self.accuse(f"{agent} shows {document.name} as {seen}, after {document.writes}")

    # -- requests --

    def write(self, document, agent, write, method, path, body=None, kind=None):
        document.writes.append(write)
        what = f"{method} {document.name} {write} at {agent}"
        answer = self.ask(document, agent, method, path, body, kind, write)
        if answer is None:
            return
        if answer.status in (200, 201):
            write.acknowledged, write.late = True, False
            document.after = answer.headers["Hordelet-Written"] or document.after
            self.answered += 1
            self.note(f"{what}: {answer.headers.get('Warning', 'acknowledged')}")
        elif answer.status == 504 and answer.message.startswith(("stored on", agent.name)):
            self.note(f"{what}: {answer.message}")
        else:
            document.writes.remove(write)
            self.note(f"{what}: {answer.status} {answer.message}")
            if answer.status == 404:
                self.check(document, agent, DELETED)
            elif answer.status not in (503, 504):
                self.accuse(f"{what}: {answer}")

    def ask(self, document, agent, method, path, body=None, kind=None, write=None):
        """None: no answer; a write that certainly was not heard is forgotten."""
        headers = {"Content-Type": kind} if kind else {}
        if document.chained and document.after:
            headers["Hordelet-After"] = document.after
        self.asked += 1
        try:
            return agent.ask(method, path, body, headers, timeout=TIMEOUT_S)
        except TimeoutError as error:
            self.note(f"{method} {document.name} {write or ''} at {agent}: {error}")
            if write:
                write.late = True
        except ConnectionRefusedError:
            if write:
                document.writes.remove(write)
        except (OSError, http.client.HTTPException) as error:
            self.note(f"{method} {document.name} {write or ''} at {agent}: {error!r}")
        return None
