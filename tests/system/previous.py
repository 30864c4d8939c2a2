"""The hordelet of before this one, for tests of upgrades: built from git, once, and kept.

HORDELET_PREVIOUS names a program instead. Without git, or in a clone that ends here, there is none.
"""
import os
import shutil
import subprocess
import tempfile

from harness import ROOT, say

KEPT = os.path.join(ROOT, "build", "previous")


def git(*arguments):
    done = subprocess.run(["git", "-C", ROOT, *arguments], text=True, capture_output=True,
                          check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def changed_since(commit):
    """Whether the programs can differ at all."""
    return git("diff", "--name-only", commit, "--", "agent", "crdt", "placement") != ""


def previous_commit():
    """The last release before this one; else the last commit of another program. "" if none."""
    tag = git("describe", "--tags", "--match", "v[0-9]*", "--abbrev=0", "HEAD~1")
    if tag:
        return git("rev-parse", tag + "^{commit}")
    for commit in git("rev-list", "--first-parent", "--max-count=50", "HEAD").split():
        if changed_since(commit):
            return commit
    return ""


def build(commit, folder):
    os.makedirs(folder)
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True,
                             stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    for command in (["cmake", "-S", ".", "-B", "b", "-G", "Ninja", "-DHORDELET_TESTS=OFF",
                     "-DCMAKE_BUILD_TYPE=RelWithDebInfo", *launcher],
                    ["nice", "-n", "5", "ninja", "-C", "b", "-j2", "hordelet"]):
        done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{commit[:9]} does not build: {done.stdout[-3000:]}")
    return os.path.join(folder, "b", "hordelet")


def previous_binary():
    """Its path, or None, and then it has said why."""
    if os.environ.get("HORDELET_PREVIOUS"):
        return os.environ["HORDELET_PREVIOUS"]
    commit = previous_commit()
    if not commit:
        say("      SKIPPED: no commit before this one here (no git, or a shallow clone)")
        return None
    kept = os.path.join(KEPT, commit[:12])
    if not os.access(kept, os.X_OK):
        folder = tempfile.mkdtemp(prefix="hl-previous-")
        try:
            built = build(commit, os.path.join(folder, "source"))
            os.makedirs(KEPT, exist_ok=True)
            shutil.copy2(built, kept)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    say(f"      the one before: {git('log', '-1', '--format=%h %s', commit)}")
    return kept
