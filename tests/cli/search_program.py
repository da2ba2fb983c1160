"""What the tests of bankai-search share: the programs and files named on the command line, small
inputs cut from the demo's data, runs with their results and errors.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SEARCH, INFER, PATCH, MPIRUN = sys.argv[1:5]
DEMO = pathlib.Path(sys.argv[5])
del sys.argv[1:6]
MODEL = DEMO / "bankai-demo-5m.gguf"
HAS_MPI = os.access(MPIRUN, os.X_OK)
QUICK = ["--layers", 5, "--candidates", 40, "--iterations", 2, "--shortlist", 16]
KEYS = {"flips", "bits", "patch_bytes", "fitness", "target_before", "target_after",
        "control_before", "control_after", "heldout", "forward_tokens", "seconds", "ranks",
        "threads", "kernel"}
# Waiting threads sleep: tests run side by side, and spinning ones would take the cores away.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")
os.environ.setdefault("OMPI_MCA_btl_vader_single_copy_mechanism", "none")


def probes(name, begin, end):
    return json.loads((DEMO / "probes" / name).read_text())[begin:end]


class SearchProgram(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.target = self.write("target.json", probes("sums.search.json", 0, 8))
        self.control = self.write("control.json", probes("control.json", 0, 4))
        self.data = ["--target", self.target, "--control", self.control]

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def write(self, name, content):
        text = content if isinstance(content, str) else json.dumps(content)
        self.path(name).write_text(text)
        return self.path(name)

    def text_of(self, source, lines):
        content = (DEMO / "text" / source).read_text().splitlines(keepends=True)[:lines]
        return self.write(source, "".join(content))

    def command(self, *arguments, ranks=0, model=MODEL):
        if ranks and not HAS_MPI:
            self.skipTest("built without MPI")
        launcher = [MPIRUN, "-n", ranks] if ranks else []
        return [str(part) for part in [*launcher, SEARCH, "-m", model, *arguments]]

    def run_search(self, *arguments, **more):
        return subprocess.run(self.command(*arguments, **more), capture_output=True, text=True,
                              check=False)

    def search(self, *arguments, **more):
        """The JSON result of a search that succeeds."""
        done = self.run_search(*arguments, "--json", "-q", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "", "quiet")
        self.assertEqual(done.stdout.count("\n"), 1, "one object, one line")
        return json.loads(done.stdout)

    def refuse(self, *arguments, code, says, stdout="", **more):
        done = self.run_search(*arguments, "-q", **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, "an error is one line: " + done.stderr)
        self.assertTrue(done.stderr.startswith("bankai-search: "), done.stderr)
        self.assertIn(says, done.stderr)
        if stdout is not None:
            self.assertEqual(done.stdout, stdout)
        return done

    def infer_scores(self, source, *arguments):
        done = subprocess.run(
            [str(part) for part in [INFER, "-m", MODEL, "--probes", source, "--activations", "a16",
                                    "--kv-type", "f32", "--json", "-q", *arguments]],
            capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        return result["mean_score"], [probe["score"] for probe in result["probes"]]
