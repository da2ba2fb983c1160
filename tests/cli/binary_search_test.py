"""bankai-search on a strictly binary model: a model whose rows were flipped on purpose, and text
that the model wrote before. The search has to find flips that help on text it has not seen.

usage: binary_search_test.py BANKAI_SEARCH BANKAI_INFER BANKAI_PATCH BANKAI_MPIRUN
"""
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

SEARCH, INFER, PATCH, MPIRUN = (sys.argv.pop(1) for _ in range(4))
VOCABULARY, WIDTH, LAYERS, HEADS = 128, 128, 2, 4
SCALE = ["--logit-scale", 0.25]
DAMAGE = [(0, "gate_proj", 17), (0, "o_proj", 5), (1, "up_proj", 40), (1, "o_proj", 77)]


def make_bit1(seed):
    """A BIT1 file with random weights, from its specification."""
    source = random.Random(seed)
    data = struct.pack("<8IQ", 0x31544942, 1, VOCABULARY, WIDTH, LAYERS, HEADS, WIDTH, 64, 65536)
    data += source.randbytes(VOCABULARY * WIDTH // 8)
    for _ in range(LAYERS):
        data += struct.pack(f"<{HEADS}i", *(1 << head for head in range(HEADS)))
        data += (source.randbytes(WIDTH * WIDTH // 8) + bytes(4 * WIDTH)) * 7
    return data + source.randbytes(VOCABULARY * WIDTH // 8) + bytes(8 * VOCABULARY)


def run(program, *arguments, code=0):
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == code, (done.returncode, done.stderr)
    return done.stdout if code == 0 else done.stderr


class BinarySearch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        whole, cls.model = cls.path("whole.bit1"), cls.path("model.bit1")
        whole.write_bytes(make_bit1(4))
        for name, seed in (("train.txt", 1), ("other.txt", 2)):
            text = json.loads(run([INFER], "-m", whole, "-t", 1, "-p", "a", "-n", 500, "--temp", 1,
                                  "--top-k", 0, "--top-p", 1, "--min-p", 0, "-s", seed, "--json",
                                  *SCALE))["text"]
            cls.path(name).write_bytes(text.encode())
        cls.path("damage.json").write_text(json.dumps({"flips": [
            {"layer": layer, "proj": proj, "row": row} for layer, proj, row in DAMAGE]}))
        run([PATCH], "apply", whole, cls.path("damage.json"), "-o", cls.model)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return pathlib.Path(cls.folder.name) / name

    def search(self, name, *arguments, before=(), threads=1, code=0):
        return run([*before, SEARCH], "-m", self.model, "--target", self.path("train.txt"), "-o",
                   self.path(name), "--name", "found", "--tensors", "gate,up,o", "--ctx", 64, "-t", threads, *SCALE,
                   "--json", "--quiet", *arguments, code=code)

    def test_finds_flips_that_help_on_other_text(self):
        patch = self.path("found.bkp")
        result = json.loads(self.search("found.bkp", "--strategy", "exhaustive", "--budget-flips", 6,
                                        "--iterations", 8, "--heldout", self.path("other.txt")))
        self.assertGreater(result["heldout"]["after"], result["heldout"]["before"] + 0.5, result)
        text = ["-t", 1, "-f", self.path("other.txt"), "-c", 64, "--perplexity", "--json", *SCALE]
        nll = lambda *more: json.loads(run([INFER], *more, *text))["nll"]
        self.assertAlmostEqual(nll("-m", self.model), -result["heldout"]["before"], places=9)
        self.assertAlmostEqual(nll("-m", self.model, "--patch", patch),
                               -result["heldout"]["after"], places=9)
        found = json.loads(run([PATCH], "info", patch, "--json"))
        self.assertEqual(found["flips"], result["flips"])
        run([PATCH], "convert", patch, "-o", self.path("found.json"))
        flips = {(flip["layer"], flip["proj"], flip["row"])
                 for flip in json.loads(self.path("found.json").read_text())["flips"]}
        self.assertGreaterEqual(len(flips & set(DAMAGE)), 2, flips)
        before, out = self.model.read_bytes(), self.path("out.bit1")
        run([PATCH], "apply", self.model, patch, "-o", out)
        self.assertNotEqual(out.read_bytes(), before)
        run([PATCH], "revert", out, patch, "--in-place")
        self.assertEqual(out.read_bytes(), before)

    def test_same_bytes_for_any_ranks_threads_and_kernel(self):
        options = ["--granularity", "mixed", "--candidates", 200, "--shortlist", 16, "--iterations",
                   3, "--layers", 1]
        self.search("one.bkp", *options)
        expected = self.path("one.bkp").read_bytes()
        self.search("two.bkp", *options, threads=2)
        self.search("scalar.bkp", *options, "--kernel", "scalar")
        self.search("ranks.bkp", *options, before=[MPIRUN, "-n", "2"])
        self.search("shards.bkp", *options, "--shards", 2, before=[MPIRUN, "-n", "2"])
        for name in ("two.bkp", "scalar.bkp", "ranks.bkp", "shards.bkp"):
            self.assertEqual(self.path(name).read_bytes(), expected, name)

    def test_other_strategies_run(self):
        for strategy, iterations in (("hill-climb", 40), ("evolve", 2)):
            result = json.loads(self.search(strategy + ".json", "--strategy", strategy,
                                            "--iterations", iterations, "--candidates", 40))
            self.assertGreater(result["fitness"], 0)

    def test_what_these_models_lack_is_refused(self):
        for option in (["--activations", "a8"], ["--explain"], ["--check-ranking"]):
            self.assertIn(f"{option[0]} does not go with a BIT1 model",
                          self.search("x.bkp", *option, code=2))
        self.assertIn("metric margin", self.search("x.bkp", "--metric", "margin", code=3))
        bad = self.path("bad.txt")
        bad.write_text("caf\u00e9 au lait")
        self.assertIn("bad.txt: byte 0xc3 at offset 3",
                      self.search("x.bkp", "--heldout", bad, code=3))


if __name__ == "__main__":
    unittest.main()
