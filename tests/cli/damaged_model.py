"""What the tests of bankai-search on binary models share: a model whose rows were flipped on
purpose, text that the model wrote before, and what searches of every such model have to do.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SEARCH, INFER, PATCH, MPIRUN = (sys.argv.pop(1) for _ in range(4))


def run(program, *arguments, code=0):
    """What the program says where it ends with this code, or one of these."""
    codes = code if isinstance(code, tuple) else (code,)
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode in codes, (done.returncode, done.stderr)
    return done.stdout if 0 in codes else done.stderr


class DamagedModel(unittest.TestCase):
    """Test cases derive from it and say which model it is. It has tests of its own: import the
    module, not this name, for unittest runs what a test file names."""
    ending = ""  # of the model's files
    tensors = ""  # that are searched
    damage = []  # (layer, projection, row)
    rules = []  # options that bankai-search and bankai-infer run the model with
    least_gain = 0.0  # in nats per character of other text, where rows are searched

    @classmethod
    def make_model(cls):
        """The bytes of the model before the damage."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.whole, cls.model = cls.path("whole" + cls.ending), cls.path("model" + cls.ending)
        cls.whole.write_bytes(cls.make_model())
        for name, seed in (("train.txt", 1), ("other.txt", 2)):
            text = json.loads(run([INFER], "-m", cls.whole, "-t", 1, "-p", "a", "-n", 500, "--temp",
                                  1, "--top-k", 0, "--top-p", 1, "--min-p", 0, "-s", seed, "--json",
                                  *cls.rules))["text"]
            cls.path(name).write_bytes(text.encode())
        cls.path("damage.json").write_text(json.dumps({"flips": [
            {"layer": layer, "proj": proj, "row": row} for layer, proj, row in cls.damage]}))
        run([PATCH], "apply", cls.whole, cls.path("damage.json"), "-o", cls.model)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return pathlib.Path(cls.folder.name) / name

    def command(self, name, *arguments, threads=1, target=None, tensors=None):
        return list(map(str, [SEARCH, "-m", self.model, "--target",
                              target or self.path("train.txt"), "-o", self.path(name), "--name",
                              "found", "--tensors", tensors or self.tensors, "--ctx", 64, "-t",
                              threads, *self.rules, "--json", "--quiet", *arguments]))

    def search(self, name, *arguments, before=(), code=0, **more):
        return run([*before, *self.command(name, *arguments, **more)], code=code)

    def expect_equal_files(self, names, expected):
        for name in names:
            self.assertEqual(self.path(name).read_bytes(), self.path(expected).read_bytes(), name)

    def find_damage(self):
        """The flips of an exhaustive search, which help on other text and can be taken back."""
        patch, out = self.path("found.bkp"), self.path("out" + self.ending)
        result = json.loads(self.search("found.bkp", "--strategy", "exhaustive", "--budget-flips", 6,
                                        "--iterations", 8, "--heldout", self.path("other.txt")))
        proof = result["heldout"]
        self.assertGreater(proof["after"], proof["before"] + self.least_gain, result)
        text = ["-t", 1, "-f", self.path("other.txt"), "-c", 64, "--perplexity", "--json",
                *self.rules]
        nll = lambda *more: json.loads(run([INFER], "-m", self.model, *more, *text))["nll"]
        self.assertAlmostEqual(nll(), -proof["before"], places=9)
        self.assertAlmostEqual(nll("--patch", patch), -proof["after"], places=9)
        self.assertEqual(json.loads(run([PATCH], "info", patch, "--json"))["flips"],
                         result["flips"])
        before = self.model.read_bytes()
        run([PATCH], "apply", self.model, patch, "-o", out)
        self.assertNotEqual(out.read_bytes(), before)
        run([PATCH], "revert", out, patch, "--in-place")
        self.assertEqual(out.read_bytes(), before)
        run([PATCH], "convert", patch, "-o", self.path("found.json"))
        return {(flip["layer"], flip["proj"], flip["row"])
                for flip in json.loads(self.path("found.json").read_text())["flips"]}

    def expect_refusals(self, kind, *options):
        """Of options that mean nothing for models of this kind."""
        for option in options:
            self.assertIn(f"{option[0]} does not go with {kind}",
                          self.search("x.bkp", *option, code=2))

    def test_same_bytes_for_any_ranks_threads_and_kernel(self):
        options = ["--granularity", "mixed", "--candidates", 200, "--shortlist", 16, "--iterations",
                   3, "--layers", 1]
        self.search("one.bkp", *options)
        self.search("two.bkp", *options, threads=2)
        self.search("scalar.bkp", *options, "--kernel", "scalar")
        self.search("ranks.bkp", *options, before=[MPIRUN, "-n", "2"])
        self.search("shards.bkp", *options, "--shards", 2, before=[MPIRUN, "-n", "2"])
        self.expect_equal_files(("two.bkp", "scalar.bkp", "ranks.bkp", "shards.bkp"), "one.bkp")

    def test_other_strategies_run(self):
        for strategy, iterations in (("hill-climb", 40), ("evolve", 2)):
            result = json.loads(self.search(strategy + ".json", "--strategy", strategy,
                                            "--iterations", iterations, "--candidates", 40))
            self.assertGreater(result["fitness"], 0)

    def test_text_of_other_characters_is_refused(self):
        bad = self.path("bad.txt")
        bad.write_text("caf\u00e9 au lait")
        self.assertIn("bad.txt: byte 0xc3 at offset 3",
                      self.search("x.bkp", "--heldout", bad, code=3))
