#!/usr/bin/env python3
"""Canaries: does the simulator see it when the core is broken?

    tests/sim/canary.py [NAME...]
    tests/sim/canary.py --texts     only whether each can be put in: a quick test

For each invariant the core is broken on purpose, in a copy of the sources: one piece of text is
replaced by another. The swarm of that build, or the explorer, must fail, and in the way that the
canary names. A canary that lives (nothing is found) is a hole in the checks, and a text that is no
longer in the sources exactly once is a canary to be written anew; both fail this test. The unbroken
build must be clean with the same seeds.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ["CMakeLists.txt", "CMakePresets.json", "agent", "crdt", "placement", "tests"]
FIRST_SEED, SEEDS = 1, 2000
STATES = 300000
PATIENCE_S = 1200  # of all seeds, 120 s on two cores; a build that hangs has died as well

SAFETY, LIVENESS, ASSERTION = 3, 4, 134

# scene: of the explorer (tests/explorer), which is to find it in place of the swarm
Canary = collections.namedtuple("Canary", "name invariant edits status words scene",
                                defaults=[None])

CANARIES = [
    Canary("answer-first", "nothing is acknowledged before it is durable",
           [("agent/core/requests.c",
             "if (pending->written.counter && pending->sequence <= node->durable.synced) {",
             "if (pending->written.counter) {")],
           SAFETY, "acknowledged before it was durable"),
    Canary("answer-alone", "what is acknowledged is on a second member",
           [("agent/core/requests.c",
             "if (reply->alone || sync_acknowledged(node->sync, pending->written))",
             "if (true)")],
           SAFETY, "acknowledged before a second member knew"),
    Canary("seen-sinks", "a join only grows knowledge",
           [("crdt/dot.c",
             "if (vector->items[index].counter >= counter)\n        return false;",
             "if (vector->items[index].counter == counter)\n        return false;"),
            ("crdt/join.c",
             "if (dot.counter <= before || !map_raise(map, &map->seen, dot))",
             "if (dot.counter == before || !map_raise(map, &map->seen, dot))")],
           SAFETY, "knowledge was lost"),
    Canary("claims-gaps", "no acknowledged document is lost",
           [("crdt/push.c",
             "bool raises = (head.flags & PUSH_RAISE) && seen >= head.from; /* PUSHGAP */",
             "bool raises = head.flags & PUSH_RAISE;")],
           SAFETY, "an acknowledged edit is lost"),
    Canary("dot-twice", "a dot names one write",
           [("agent/core/durable.c",
             "durable->unclean = durable->restored && counter != durable->counter_ceiling;",
             "durable->unclean = false;")],
           SAFETY, "a dot names two writes"),
    Canary("not-ours", "what is not ours is never touched",
           [("agent/core/supervise.c",
             "return child || !ours ? child : store_child_make(&node->store, &container->child);",
             "(void)ours;\n"
             "    return child ? child : store_child_make(&node->store, &container->child);")],
           SAFETY, "a stranger's container was touched"),
    Canary("two-copies", "no node runs two copies of a child",
           [("agent/core/child_decide.c",
             "if (child_waits_to_take_back(node, child) || !child_clear(node, child, keep))\n"
             "        return;\n"
             "    if (keep || child_forget(node, child))\n"
             "        child_offer(node, child);",
             "if (child_waits_to_take_back(node, child))\n"
             "        return;\n"
             "    child_clear(node, child, keep);\n"
             "    child_offer(node, child);"),
            ("agent/core/child_run.c",
             "bool clear = child_clear(node, child, container);\n"
             "    if (!clear && !container)\n        return;",
             "child_clear(node, child, container);\n    bool clear = true;")],
           SAFETY, "a second container on one engine"),
    Canary("no-repair", "after healing all maps are equal",
           [("agent/core/sync_digest.c",
             "if (!lacking)\n        return;\n    for",
             "return;\n    for")],
           LIVENESS, "maps differ|not converged"),
    Canary("loser-runs-on", "every wanted child runs exactly once",
           [("agent/core/child_decide.c",
             "if (child_waits_to_take_back(node, child) || !child_clear(node, child, keep))",
             "(void)keep;\n    if (child_waits_to_take_back(node, child))")],
           LIVENESS, "not converged"),
    Canary("stale-name", "no name points at nothing",
           [("agent/core/registry.c",
             "registry_remove(node, child, name_of(name));\n    bool conflicted",
             "(void)0;\n    bool conflicted")],
           LIVENESS, "not converged"),
    Canary("asks-for-ever", "nothing is in flight in the end",
           [("agent/core/supervise.c",
             "if (!due || !supervision->engine_healthy || "
             "node->now.mono_ms < supervision->relist_ms)",
             "(void)due;\n    if (!supervision->engine_healthy)")],
           LIVENESS, "operations in flight"),
    Canary("unknown-told", "who watches hears of nothing that it does not know",
           [("agent/core/feed.c",
             "(*item)->since = feed->position + 1;",
             "(*item)->since = 0;")],
           SAFETY, "something unknown"),
    Canary("lost-unheard", "who watches hears of what stands nowhere in the map",
           [("agent/core/shown.c",
             "store_touch_held(store, name);\n        store_touch_names_of(store, name);",
             "(void)0;")],
           SAFETY, "who watches knows"),
    Canary("chatter", "the network falls quiet",
           [("agent/core/membership.h",
             "GREET_EVERY_MS = 30000,",
             "GREET_EVERY_MS = 30,")],
           LIVENESS, "not quiet"),
    Canary("miscount", "what the core asserts of itself",
           [("crdt/retired.c",
             "map->known_sum += hash_known(is) - hash_known(was);",
             "map->known_sum += hash_known(is) + hash_known(was);")],
           ASSERTION, "CHECK|[Aa]ssert"),
    Canary("polls", "work comes to an end in each instant",
           [("agent/core/child_run.c",
             "        child_wake(child, local->retry_ms);\n        return;",
             "        child_wake(child, node->now.mono_ms);\n        return;")],
           ASSERTION, "sim_tick"),
    Canary("lease-short", "a grant outlasts the holder's lease (rule 2)",
           [("agent/core/lease_message.c",
             "return lease_ms * (100 + LEASE_DRIFT_PERCENT) / (100 - LEASE_DRIFT_PERCENT) + 3;",
             "return lease_ms * 7 / 10;")],
           SAFETY, "two copies of a guarded child"),
    Canary("lease-no-rest", "an acceptor rests after a restart (rule 4)",
           [("agent/core/lease_acceptor.c",
             "if (!same && asking->now_ms < acceptor->rest_until_ms) {",
             "if (false) {"),
            # so that restarts of two while the holder is cut off, all within a lease, are common
            ("tests/sim/faults_world.c", "{1, 1, 2, 3, 5, 5, 10, 20, 60};", "{20};"),
            ("tests/sim/faults_world.c",
             "if (world_half(swarm))\n"
             "            swarm->weight[i] = world_below(swarm, 6) == 0 ? WILD : 1;",
             "swarm->weight[i] = i == FAULT_QUICK_RESTART ? WILD : i == FAULT_PARTITION;")],
           SAFETY, "two copies of a guarded child"),
    Canary("lease-early-release", "a release is sent after the container's end (rule 5)",
           [("agent/core/lease_child.c",
             "if (ours || child_is_busy(child) || lease->courted_turn == node->turn)",
             "bool stops = child->local && child->local->stop != STOP_NONE;\n"
             "    lease->uncertain &= !stops;\n"
             "    if (!stops && (ours || child_is_busy(child) || "
             "lease->courted_turn == node->turn))")],
           SAFETY, "two copies of a guarded child"),
    Canary("lease-late-guard", "the guard kills before the lease ends (rule 7)",
           [("agent/core/lease_message.c",
             "return lease_ms * 9 / 10;",
             "return lease_ms * 15 / 10;")],
           SAFETY, "two copies of a guarded child"),
    Canary("lease-drift", "clocks that drift beyond the bound",
           [("tests/sim/faults_world.c",
             "LEASE_PPM = 10000,",
             "LEASE_PPM = 150000,")],
           SAFETY, "two copies of a guarded child"),
    Canary("strike-at-once", "old leases run out before the old voters go",
           [("agent/core/electorate_propose.c",
             "lease_span_ms(electorate_lease_ms_max(&proposal->record)));",
             "0);")],
           SAFETY, "two copies of a guarded child"),
    Canary("explorer-short", "a grant pays for the drift (rule 2)",
           [("agent/core/lease_message.c",
             "return lease_ms * (100 + LEASE_DRIFT_PERCENT) / (100 - LEASE_DRIFT_PERCENT) + 3;",
             "return lease_ms;")],
           SAFETY, "two copies of a guarded child", "loss"),
    Canary("explorer-from-answer", "a lease counts from when it was asked for (rule 1)",
           [("agent/core/lease_holder_ask.c",
             "acceptor->since_ms = acceptor->sent_ms;",
             "acceptor->since_ms = now_ms;")],
           SAFETY, "an epoch has come again", "late-answers"),
    Canary("explorer-no-rest", "an acceptor rests after a restart (rule 4)",
           [("agent/core/lease_acceptor.c",
             "if (!same && asking->now_ms < acceptor->rest_until_ms) {",
             "if (false) {")],
           SAFETY, "two copies of a guarded child", "crash"),
    Canary("explorer-early-release", "what may run is not released (rule 5)",
           [("agent/core/lease_holder.c",
             "drop_tell(holder, lease, over, now_ms);",
             "drop_tell(holder, lease, true, now_ms);")],
           SAFETY, "two copies of a guarded child", "loss"),
    Canary("explorer-later-release", "nor with a later epoch",
           [("agent/core/lease_holder.c",
             "drop_tell(holder, lease, over, now_ms);",
             "drop_tell(holder, lease, !lease->uncertain, now_ms);")],
           SAFETY, "two copies of a guarded child", "again"),
    Canary("explorer-untold", "what was given up is not renewed",
           [("agent/core/lease_drop.c",
             "drop->untold |= untold;",
             "drop->untold = untold;")],
           SAFETY, "what was given up is renewed", "again"),
    Canary("explorer-same-epoch", "what may come true keeps every later lease waiting",
           [("agent/core/lease_holder.c",
             ": held->lease.blocked_until_ms;",
             ": 0;")],
           SAFETY, "two copies of a guarded child", "again"),
    Canary("explorer-strike-at-once", "old leases run out before the old voters go",
           [("tests/explorer/lease_world.c",
             "world->strike_ms = now_ms + lease_span_ms(WORLD_LEASE_MS);",
             "world->strike_ms = now_ms;")],
           SAFETY, "two copies of a guarded child", "step"),
]


def copy_sources(target):
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        else:
            shutil.copy2(source, target / name)


def build(sources, build_dir):
    """The exit status."""
    command = ["cmake", "--build", build_dir, "--target", "swarm", "explorer", "-j",
               str(os.cpu_count())]
    return subprocess.run(command, cwd=sources, stdout=subprocess.DEVNULL).returncode


def run(build_dir, scene=None):
    """The exit status, and what was printed in the end."""
    command = [build_dir / "tests/swarm", "--seed", str(FIRST_SEED), "--seeds", str(SEEDS),
               "--jobs", str(os.cpu_count()), "--first"]
    if scene:
        command = [build_dir / "tests/explorer", "--states", str(STATES), scene]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return "hangs", ""
    return done.returncode, done.stdout + done.stderr


def break_it(sources, canary):
    for file, old, new in canary.edits:
        text = (sources / file).read_text()
        if text.count(old) != 1:
            return f"{file} has its text {text.count(old)} times: write the canary anew"
        (sources / file).write_text(text.replace(old, new))
    return None


def judge(canary, status, output):
    if status == 0:
        return (f"LIVES: {STATES} states of the broken build are clean" if canary.scene else
                f"LIVES: {SEEDS} seeds of the broken build are clean")
    if status != canary.status or not re.search(canary.words, output):
        tail = "\n".join(line for line in output.splitlines() if not line.startswith("seed"))
        return f"dies otherwise than it should (status {status}, not {canary.status}):\n{tail}"
    return None


def try_one(canary, sources, build_dir):
    sound = {sources / file: (sources / file).read_text() for file, _, _ in canary.edits}
    fault = break_it(sources, canary)
    if not fault:
        compiles = build(sources, build_dir) == 0
        fault = judge(canary, *run(build_dir, canary.scene)) if compiles else "does not compile"
    for path, text in sound.items():
        path.write_text(text)
    return fault


def check_texts():
    """A canary that cannot be put in should be noticed when its text goes, not in the long tier."""
    faults = [f"{canary.name}: {file} has its text {count} times"
              for canary in CANARIES for file, old, _ in canary.edits
              if (count := (ROOT / file).read_text().count(old)) != 1]
    print("\n".join(faults) or f"{len(CANARIES)} canaries can be put in")
    return 1 if faults else 0


def main(names):
    if names == ["--texts"]:
        return check_texts()
    chosen = [canary for canary in CANARIES if not names or canary.name in names]
    if len(chosen) < len(names or chosen):
        sys.exit("no such canary; there are: " + " ".join(canary.name for canary in CANARIES))
    failed = 0
    with tempfile.TemporaryDirectory(prefix="hordelet-canary-") as scratch:
        sources = pathlib.Path(scratch)
        build_dir = sources / "build"
        copy_sources(sources)
        subprocess.run(["cmake", "-S", sources, "-B", build_dir, "-G", "Ninja"], check=True,
                       stdout=subprocess.DEVNULL)
        if build(sources, build_dir) != 0 or run(build_dir)[0] != 0:
            sys.exit("the swarm of the unbroken build fails: mend that first")
        for canary in chosen:
            began = time.monotonic()
            fault = try_one(canary, sources, build_dir)
            failed += fault is not None
            print(f"{canary.name:15} {canary.invariant}: {fault or 'seen'} "
                  f"({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(chosen) - failed} canaries died as they should, {failed} did not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
