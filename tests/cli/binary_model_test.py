"""bankai-infer and bankai-bench on strictly binary models, from the outside.

usage: binary_model_test.py BANKAI_INFER BANKAI_BENCH
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest

INFER = sys.argv.pop(1)
BENCH = sys.argv.pop(1)


def run(program, *arguments, code=0):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == code, (done.returncode, done.stderr)
    return (done.stdout if code == 0 else done.stderr).decode()


class BinaryModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = pathlib.Path(cls.folder.name) / "model.bit1"
        out = json.loads(run(BENCH, "--random-bit1", "5m", "--save", cls.model, "-p", 0, "-n", 0,
                             "--json"))
        assert out["model_bytes"] == cls.model.stat().st_size, out

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def infer(self, *arguments, model=None, code=0):
        threads = [] if "-t" in arguments else ["-t", 1]
        return run(INFER, "-m", model or self.model, *threads, *arguments, code=code)

    def test_greedy_text_depends_on_neither_kernel_nor_threads(self):
        prompt = ["-p", "Once upon a time", "-n", 12, "--temp", 0, "--json"]
        expected = self.infer(*prompt)
        answer = json.loads(expected)
        self.assertEqual(answer["prompt_tokens"], list(b"Once upon a time"))
        self.assertEqual(len(answer["tokens"]), 12)
        self.assertEqual(bytes(answer["tokens"]).decode("ascii"), answer["text"])
        self.assertEqual(self.infer(*prompt, "--kernel", "scalar"), expected)
        self.assertEqual(self.infer(*prompt, "-t", 2), expected)

    def test_sampling_follows_the_seed(self):
        draw = ["-p", "Once", "-n", 20, "--temp", 1.5, "--json", "-s"]
        self.assertEqual(self.infer(*draw, 3), self.infer(*draw, 3))
        self.assertNotEqual(self.infer(*draw, 3), self.infer(*draw, 4))

    def test_perplexity_is_in_bits_per_character(self):
        text = "The quick brown fox. " * 8
        result = json.loads(self.infer("-p", text, "--perplexity", "-c", 64, "--json"))
        self.assertEqual(result["tokens_scored"], len(text) - 1)
        self.assertAlmostEqual(result["bits_per_character"], result["nll"] / math.log(2))
        begun = json.loads(self.infer("-p", text, "--perplexity", "-c", 64, "--json",
                                      "--logit-scale", 1 / math.sqrt(512)))
        self.assertEqual(begun, result)
        flat = json.loads(self.infer("-p", text, "--perplexity", "--logit-scale", 1e-9, "--json"))
        self.assertAlmostEqual(flat["bits_per_character"], 7, places=5)

    def test_logits_have_a_row_for_each_character(self):
        path = pathlib.Path(self.folder.name) / "logits.npy"
        self.infer("-p", "abc", "-n", 0, "--logits-out", path)
        content = path.read_bytes()
        self.assertIn(b"(3, 128)", content[:128])
        self.assertEqual(len(content), 128 + 3 * 128 * 4)

    def test_what_is_wrong_is_said(self):
        self.assertIn("byte 0xc3 at offset 1", self.infer("-p", "a\u00e9", code=3))
        self.assertIn("--tie first: expected earliest or latest",
                      self.infer("-p", "a", "--tie", "first", code=2).replace("'", ""))
        self.assertIn("--probes", self.infer("--probes", "p.json", code=2))
        broken = pathlib.Path(self.folder.name) / "broken.bit1"
        content = bytearray(self.model.read_bytes())
        content[12] = 0x11
        broken.write_bytes(content)
        error = self.infer("-p", "a", model=broken, code=3)
        self.assertIn("broken.bit1: n_heads at offset 20", error)

    def test_rules_are_options(self):
        prompt = ["-p", "abababababababababababab", "-n", 24, "--temp", 0, "--json"]
        usual = self.infer(*prompt)
        self.assertEqual(self.infer(*prompt, "--tie", "earliest", "--score", "dot"), usual)
        others = [self.infer(*prompt, *rule) for rule in
                  (["--tie", "latest"], ["--score", "popcount"], ["--threshold", "passed"])]
        self.assertTrue(any(other != usual for other in others))

    def test_bench_reports_both_speeds(self):
        out = json.loads(run(BENCH, "-m", self.model, "-p", 16, "-n", 8, "-r", 1, "-t", 1,
                             "--json"))
        self.assertGreater(out["prompt_tps"], 0)
        self.assertGreater(out["generation_tps"], 0)
        self.assertEqual(out["kv_bytes_per_position"], 4 * 2 * 64)

    def test_bench_refuses_options_without_a_meaning(self):
        for option in (["--kv-bits", 2], ["--target", "t.txt"], ["--activations", "a16"]):
            self.assertIn(f"{option[0]} does not go with a BIT1 model",
                          run(BENCH, "-m", self.model, *option, code=2))


if __name__ == "__main__":
    unittest.main()
