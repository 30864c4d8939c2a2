"""Children move to where they belong: by themselves under `active`, or when somebody asks."""
# This module runs alone: its bounds are those of a machine that does nothing else.
import json
import threading
import time

from harness import SystemTest, wait_until, workload

CHILDREN = 8


def supervisor(name, **spec):
    return {"apiVersion": "hordelet.dev/v1", "kind": "Supervisor", "metadata": {"name": name},
            "spec": spec}


class Counter:
    """The fewest children that ran at any look, and the most copies of them."""

    def __init__(self, cluster):
        self.cluster, self.fewest, self.most, self.looks = cluster, CHILDREN, 0, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.count)

    def count(self):
        while not self.over.is_set():
            running = self.cluster.containers()
            self.fewest = min(self.fewest, len({c.child for c in running}))
            self.most = max(self.most, len(running))
            self.looks += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Redistribution(SystemTest):
    def begin(self, **spec):
        """n1 and n2 run all; n3 is not there yet."""
        cluster = self.cluster(3, start=False)
        cluster[1].start()
        cluster[2].start()
        cluster.wait_formed()
        cluster.apply(supervisor("moving", **spec))
        cluster.apply(workload("web", CHILDREN, supervisor="moving"))
        return cluster, cluster.exactly_once("web", CHILDREN)

    def join(self, cluster):
        cluster[3].start()
        cluster.wait_formed()
        plan = cluster[1].get("supervisors/moving/rebalance")["status"]["moves"]
        self.assertNotEqual(plan, [])
        return {move["child"]: move for move in plan}

    def check_moved(self, cluster, before, plan):
        after = cluster.exactly_once("web", CHILDREN)
        for ordinal, container in after.items():
            move = plan.get(f"web-{ordinal}")
            if move:
                self.assertEqual(container.node, move["to"])
                self.assertGreater(container.epoch, before[ordinal].epoch)
            else:
                self.assertEqual(container.id, before[ordinal].id)  # not touched

    def wait_moved(self, cluster):
        wait_until(lambda: cluster[1].get("supervisors/moving/rebalance")["status"]["moves"] == [],
                   60, "nothing is left to move", every=0.3)

    def test_active_start_first_moves_one_by_one_and_never_dips(self):
        cluster, before = self.begin(processRedistribution="active", order="start-first",
                                     settleSeconds=3)
        began = time.monotonic()
        plan = self.join(cluster)
        with Counter(cluster) as counter:
            self.wait_moved(cluster)
            self.check_moved(cluster, before, plan)
        self.note(f"{len(plan)} of {CHILDREN} moved in {time.monotonic() - began:.1f} s, "
                  f"3 s of which to settle; {counter.looks} looks: never fewer than "
                  f"{counter.fewest}, never more than {counter.most} containers")
        self.assertEqual(counter.fewest, CHILDREN)
        self.assertEqual(counter.most, CHILDREN + 1)
        events = cluster[1].cli("events", "-o", "json")
        self.assertIn("has offered it", events.stdout)
        children = cluster[2].children("web")
        self.assertEqual({c["node"] for n, c in children.items() if n in plan}, {"n3"})

    def test_rebalance_by_hand_shows_first_and_then_moves_stop_first(self):
        cluster, before = self.begin()
        plan = self.join(cluster)
        dry = cluster[2].cli("rebalance", "moving", "--dry-run")
        self.assertEqual(dry.returncode, 0, dry.stderr)
        for child, move in plan.items():
            self.assertRegex(dry.stdout, rf"moving +default/{child} +{move['from']} +n3 +n3 is ")
        time.sleep(2)
        self.assertEqual({c.id for c in cluster.containers()}, {c.id for c in before.values()})
        ring = cluster[2].cli("ring", next(iter(plan)))
        self.assertRegex(ring.stdout, r"\n0 +n3 +-")
        told = json.loads(cluster[2].cli("ring", next(iter(plan)), "-o", "json").stdout)
        self.assertEqual(told["status"]["candidates"][0]["node"], "n3")

        with Counter(cluster) as counter:
            result = cluster[2].cli("rebalance", "moving", "--wait")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.splitlines()[-1], "supervisor/moving: rebalanced")
        self.assertRegex(result.stdout, r"child/default/web-\d: moves from n[12] to n3")
        self.check_moved(cluster, before, plan)
        self.assertGreaterEqual(counter.fewest, CHILDREN - 1)
        self.assertEqual(counter.most, CHILDREN)
        again = cluster[1].cli("rebalance", "--dry-run")
        self.assertEqual(again.stdout, "nothing to move\n")
        wrong = cluster[1].cli("rebalance", "nobody")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("supervisor/nobody", wrong.stderr)

    def test_two_copies_are_refused_where_they_must_not_run(self):
        cluster = self.cluster(1)
        answer = cluster[1].ask("POST", "supervisors", supervisor(
            "no", distributionStrategy="UniformQuorum", members=["n1"], order="start-first"))
        self.assertEqual(answer.status, 422, answer)
        self.assertIn("spec.order", answer.message)
