"""The engine driver by itself: its C checks against a real dockerd, and against one that lies."""
import os
import shutil
import subprocess
import tempfile
import unittest

from harness import BINARY, ROOT


class DockerDriver(unittest.TestCase):
    def begin(self, program):
        path = os.path.join(os.path.dirname(os.path.abspath(BINARY)), "tests", program)
        folder = tempfile.mkdtemp(prefix="hldrv-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return subprocess.Popen([path, folder], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def test_life_cycle_on_a_real_engine_and_beside_it_one_that_lies_and_hangs(self):
        programs = [self.begin("docker_driver"), self.begin("docker_driver_faults")]
        for program in programs:
            output, _ = program.communicate(timeout=300)
            self.assertEqual(program.returncode, 0, output[-5000:])
