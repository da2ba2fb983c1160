"""bankai-search on a binary model with a float residual: a model whose rows were flipped on
purpose, and text that the model wrote before. The search has to find flips that help on text it has
not seen.

usage: residual_search_test.py BANKAI_SEARCH BANKAI_INFER BANKAI_PATCH BANKAI_MPIRUN
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from residual_model import make_residual

SEARCH, INFER, PATCH, MPIRUN = (sys.argv.pop(1) for _ in range(4))
DAMAGE = [(0, "gate_proj", 17), (0, "o_proj", 5), (1, "up_proj", 40), (1, "down_proj", 77)]


def run(program, *arguments, code=0):
    codes = code if isinstance(code, tuple) else (code,)
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode in codes, (done.returncode, done.stderr)
    return done.stdout if 0 in codes else done.stderr


class ResidualSearch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        whole, cls.model = cls.path("whole.gguf"), cls.path("model.gguf")
        whole.write_bytes(make_residual(4, scale=0.25, offset=0.1))
        for name, seed in (("train.txt", 1), ("other.txt", 2)):
            text = json.loads(run([INFER], "-m", whole, "-t", 1, "-p", "a", "-n", 500, "--temp", 1,
                                  "--top-k", 0, "--top-p", 1, "--min-p", 0, "-s", seed,
                                  "--json"))["text"]
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

    def command(self, name, *arguments, threads=1, target=None, tensors="gate,up,o,down"):
        return list(map(str, [SEARCH, "-m", self.model, "--target",
                              target or self.path("train.txt"), "-o", self.path(name), "--name",
                              "found", "--tensors", tensors, "--ctx", 64, "-t", threads, "--json",
                              "--quiet", *arguments]))

    def search(self, name, *arguments, before=(), code=0, **more):
        return run([*before, *self.command(name, *arguments, **more)], code=code)

    def probes(self, name, starts):
        """What the text goes on with, two characters at a time."""
        text = self.path("train.txt").read_bytes().decode()
        found = [{"name": f"p{start}", "prompt": text[start - 12:start],
                  "correct": text[start:start + 2], "wrong": text[start + 1] + "x"}
                 for start in starts if text[start:start + 2].isalnum()]
        self.path(name).write_text(json.dumps(found))
        return self.path(name), len(found)

    def test_finds_flips_that_help_on_other_text(self):
        patch = self.path("found.bkp")
        result = json.loads(self.search("found.bkp", "--strategy", "exhaustive", "--budget-flips", 6,
                                        "--iterations", 8, "--heldout", self.path("other.txt")))
        self.assertGreater(result["heldout"]["after"], result["heldout"]["before"] + 1, result)
        text = ["-t", 1, "-f", self.path("other.txt"), "-c", 64, "--perplexity", "--json"]
        nll = lambda *more: json.loads(run([INFER], *more, *text))["nll"]
        self.assertAlmostEqual(nll("-m", self.model), -result["heldout"]["before"], places=9)
        self.assertAlmostEqual(nll("-m", self.model, "--patch", patch),
                               -result["heldout"]["after"], places=9)
        run([PATCH], "convert", patch, "-o", self.path("found.json"))
        flips = {(flip["layer"], flip["proj"], flip["row"])
                 for flip in json.loads(self.path("found.json").read_text())["flips"]}
        self.assertGreaterEqual(len(flips & set(DAMAGE)), 3, flips)
        before, out = self.model.read_bytes(), self.path("out.gguf")
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

    def test_probes_and_metrics_in_any_role(self):
        target, _ = self.probes("target.json", range(20, 240))
        held_out, count = self.probes("held.json", range(250, 480))
        self.assertGreater(count, 3)
        for metric in ("nll", "margin"):
            result = json.loads(self.search(
                metric + ".bkp", "--control", held_out, "--control-metric", "kl",
                "--control-penalty", 0.1, "--heldout", held_out, "--heldout-level", 1, "--metric", metric, "--candidates", 60,
                "--iterations", 2, tensors="gate,head", target=target, code=(0, 4)))
            self.assertEqual(result["heldout"]["num_probes"], count)
            self.assertGreater(result["target_after"], result["target_before"])
            self.assertLess(result["control_after"], 0)

    def test_stops_and_goes_on(self):
        options = ["--strategy", "exhaustive", "--candidates", 300, "--iterations", 5]
        self.search("whole.bkp", *options)
        checkpoint = self.path("checkpoint")
        options += ["--checkpoint", checkpoint]
        process = subprocess.Popen(self.command("part.bkp", *options), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.01)
        process.terminate()
        self.assertIn(process.wait(), (0, 75))
        self.search("part.bkp", *options, "--resume", "--force")
        self.assertEqual(self.path("part.bkp").read_bytes(), self.path("whole.bkp").read_bytes())

    def test_what_these_models_lack_is_refused(self):
        for option in (["--activations", "a8"], ["--logit-scale", "1"], ["--explain"]):
            self.assertIn(f"{option[0]} does not go with a bankai-binary model",
                          self.search("x.bkp", *option, code=2))
        self.assertIn("the embedding of this model is made of floats",
                      self.search("x.bkp", tensors="embed", code=3))
        bad = self.path("bad.txt")
        bad.write_text("caf\u00e9 au lait")
        self.assertIn("bad.txt: byte 0xc3 at offset 3",
                      self.search("x.bkp", "--heldout", bad, code=3))


if __name__ == "__main__":
    unittest.main()
