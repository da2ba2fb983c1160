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
        for _ in range(7):
            data += source.randbytes(WIDTH * WIDTH // 8) + bytes(4 * WIDTH)
    return data + source.randbytes(VOCABULARY * WIDTH // 8) + bytes(8 * VOCABULARY)


def run(program, *arguments, code=0):
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    codes = code if isinstance(code, tuple) else (code,)
    assert done.returncode in codes, (done.returncode, done.stderr)
    return done.stdout if 0 in codes else done.stderr


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

    def search(self, name, *arguments, before=(), threads=1, code=0, tensors="gate,up,o",
               target=None, proven=True):
        return run([*before, SEARCH], "-m", self.model, "--target",
                   target or self.path("train.txt"), "-o", self.path(name), "--name", "found",
                   "--tensors", tensors, "--ctx", 64, "-t", threads, *SCALE, "--json", "--quiet",
                   *arguments, code=code if proven else (0, 4))

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
        self.assertEqual(flips, set(DAMAGE))
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

    def answer(self, model, prompt, length):
        """What a model writes greedily, in the form in which answers are compared."""
        text = json.loads(run([INFER], "-m", model, "-t", 1, "-p", prompt, "-n", length, "--temp", 0,
                              "--json", "--quiet"))["text"]
        text = text[len(prompt):] if text.startswith(prompt) else text
        return text.split("\n")[0]

    def probes(self, name, starts):
        """Probes that the whole model answers right, and how many of them the damaged one does."""
        text = self.path("train.txt").read_bytes().decode()
        probes, right = [], 0
        for start in starts:
            prompt = text[start:start + 12]
            if "\0" in prompt or prompt[0] == "-":
                continue
            correct = self.answer(self.path("whole.bit1"), prompt, 2)
            if len(correct) < 2 or set(correct) & set(" \t\r\v\f(){}[]*"):
                continue
            probes.append({"name": f"p{start}", "prompt": prompt, "correct": correct,
                           "wrong": correct[::-1] + "x"})
            right += self.answer(self.model, prompt, 2).lower() == correct.lower()
        self.path(name).write_text(json.dumps(probes))
        return self.path(name), len(probes), right

    def test_predictions_rank_and_explain(self):
        everywhere = {"tensors": "gate,up,down,q,k,v,o,embed,head"}
        check = json.loads(self.search("x.bkp", "--granularity", "mixed", "--check-ranking", 150,
                                       **everywhere))
        found = {kind["kind"]: kind for kind in check["kinds"]}
        self.assertGreater(found["rows"]["spearman"], 0.5, check)
        self.assertGreater(found["bits"]["spearman"], 0.3, check)
        result = json.loads(self.search("greedy.bkp", "--granularity", "mixed", "--iterations", 1,
                                        "--explain", "--shortlist", 40, "--heldout",
                                        self.path("other.txt"), **everywhere))
        self.assertGreater(result["heldout"]["after"], result["heldout"]["before"])
        self.assertEqual(len(result["explain"]), result["flips"])
        atlas = self.path("map.json")
        make = [[SEARCH], "-m", self.model, "--target", self.path("train.txt"), "--granularity",
                "mixed", "--ctx", 64, "-q", "-t", 1, *SCALE, "--tensors"]
        table = run(*make, "gate,embed,head", "--atlas", atlas, "--atlas", self.path("map.svg"))
        content = json.loads(atlas.read_text())
        self.assertEqual(content["rules"], {"tie": "earliest", "score": "dot",
                                            "threshold": "reached", "logit_scale": SCALE[1]})
        self.assertFalse(content["curvature"])
        self.assertNotIn("activations", content)
        self.assertEqual([layer["kinds"][0]["candidates"] for layer in content["layers"]],
                         [WIDTH, WIDTH], "tables are no part of layer 0")
        self.assertEqual([tensor["tensor"] for tensor in content["tensors"]],
                         ["gate", "embed", "head", "gate"])
        places = [line.split()[0] for line in table.splitlines() if " row " in line]
        self.assertEqual(places[:4], ["0", "1", "embed", "head"], table)
        other = self.path("other.json")
        run(*make, "head", "--tie", "latest", "--atlas", other)
        self.assertEqual(json.loads(other.read_text())["layers"], [])
        self.assertIn("the set of rules is tie latest",
                      run([SEARCH], "--merge-atlas", atlas, "--merge-atlas", other, code=3))

    def test_predictions_are_the_same_for_ranks_threads_and_kernels(self):
        options = ["--granularity", "mixed", "--shortlist", 12, "--iterations", 2, "--layers", 1,
                   "--control", self.path("other.txt")]
        self.search("p1.bkp", *options)
        expected = self.path("p1.bkp").read_bytes()
        self.search("p2.bkp", *options, "--kernel", "scalar", threads=2)
        self.search("p3.bkp", *options, before=[MPIRUN, "-n", "2"])
        for name in ("p2.bkp", "p3.bkp"):
            self.assertEqual(self.path(name).read_bytes(), expected, name)

    def test_probes_are_targets_controls_and_held_out(self):
        target, _, _ = self.probes("target.json", range(0, 240, 20))
        held_out, count, right = self.probes("held.json", range(250, 400, 15))
        self.assertGreater(count, 3)
        for metric in ("nll", "margin", "seq_logprob"):
            result = json.loads(self.search(
                metric + ".bkp", "--control", held_out, "--control-metric", "kl", "--heldout",
                held_out, "--heldout-level", 1, "--metric", metric, "--iterations", 2,
                "--shortlist", 40, "--budget-flips", 6, target=target, proven=False))
            proof = result["heldout"]
            self.assertEqual((proof["num_probes"], proof["before"]), (count, right), proof)
            self.assertEqual(proof["after"] - proof["before"], proof["fixed"] - proof["broken"])
            self.assertLess(result["control_after"], 0)

    def test_what_these_models_lack_is_refused(self):
        for option in (["--activations", "a8"], ["--curvature", "0"]):
            self.assertIn(f"{option[0]} does not go with a BIT1 model",
                          self.search("x.bkp", *option, code=2))
        bad = self.path("bad.txt")
        bad.write_text("caf\u00e9 au lait")
        self.assertIn("bad.txt: byte 0xc3 at offset 3",
                      self.search("x.bkp", "--heldout", bad, code=3))
        bad = self.path("bad.json")
        bad.write_text(json.dumps([{"name": "one", "prompt": "a", "correct": "b",
                                    "alternates": ["c", "\u00e9"]}]))
        self.assertIn("bad.json: probe one: byte 0xc3 at offset 0",
                      self.search("x.bkp", "--heldout", bad, code=3))


if __name__ == "__main__":
    unittest.main()
