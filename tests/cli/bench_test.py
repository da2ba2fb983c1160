"""bankai-bench from the outside: what it prints and refuses, and the model it writes. No figure of
speed is judged.

usage: bench_test.py PROGRAM DEMO_FOLDER
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from bit1_model import make_bit1

DEMO = pathlib.Path(sys.argv.pop(2))
PROGRAM = sys.argv.pop(1)
MODEL = DEMO / "bankai-demo-5m.gguf"
QUICK = {"-p": 8, "-n": 2, "-c": 2, "-r": 1, "-t": 1}


class BenchProgram(unittest.TestCase):
    def run_program(self, *arguments, code=0):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        if code:
            self.assertEqual(done.stdout, "")
            self.assertEqual(done.stderr.count("\n"), 1, "an error is one line")
            self.assertTrue(done.stderr.startswith("bankai-bench: "), done.stderr)
        return done.stdout if code == 0 else done.stderr

    def run_quickly(self, *arguments, **changed):
        """With QUICK; `changed` gives other values, by the letter of the option."""
        options = QUICK | {f"-{letter}": value for letter, value in changed.items()}
        return self.run_program("-m", MODEL, *(part for pair in options.items() for part in pair),
                                *arguments)

    def measure(self, *arguments, **changed):
        text = self.run_quickly("--json", *arguments, **changed)
        self.assertEqual(text.count("\n"), 1, "one object on one line")
        return json.loads(text)

    def test_json_has_every_figure(self):
        report = self.measure()
        self.assertEqual(report["model"], str(MODEL))
        self.assertEqual(report["threads"], 1)
        self.assertIsInstance(report["kernel"], str)
        for key in ("prompt_tps", "generation_tps", "read_gb_per_s", "int8_tmac_per_s",
                    "generation_fraction_of_bandwidth", "prompt_fraction_of_peak",
                    "candidates_per_s", "plain_candidates_per_s"):
            self.assertGreater(report[key], 0.0, key)
        self.assertIsNone(report["sensitivity_seconds"])
        self.assertEqual([(run["tokens"], run["depth"]) for run in report["prompts"]], [(8, 0)])
        self.assertEqual([(run["tokens"], run["depth"]) for run in report["generations"]], [(2, 0)])
        self.assertEqual(report["prompts"][0]["tps"], report["prompt_tps"])
        self.assertNotIn("stage_us_per_token", report["prompts"][0])
        self.assertEqual((report["activations"], report["candidate_activations"]), ("a8", "a16"))
        self.assertEqual(report["candidate_batch"], 2)
        self.assertEqual(report["model_bytes"], MODEL.stat().st_size)
        # Six layers and the head, every matrix of whole panels: 18 bytes for 128 weights (data/demo/README.md).
        weights = 6 * (2 * 256 * 256 + 2 * 128 * 256 + 3 * 256 * 768) + 1024 * 256
        self.assertEqual(report["weight_bytes_per_token"], weights * 18 // 128)

    def test_fractions_fit_their_figures(self):
        report = self.measure()
        self.assertAlmostEqual(
            report["generation_fraction_of_bandwidth"],
            report["generation_tps"]
            * (report["weight_bytes_per_token"] + report["kv_bytes_per_position"] * 2 / 2)
            / report["generations"][0]["read_bytes_per_s"])

    def test_lists_and_profile(self):
        report = self.measure("--profile", p="4,9", d="0,20", c=0)
        self.assertEqual([run["tokens"] for run in report["prompts"]], [4, 9])
        self.assertEqual([run["depth"] for run in report["generations"]], [0, 20])
        for run in report["prompts"] + report["generations"]:
            stages = run["stage_us_per_token"]
            self.assertIn("attention", stages)
            self.assertGreater(stages["gate, up"], 0.0)
        for run in report["generations"]:
            self.assertGreater(run["stage_us_per_token"]["sampling"], 0.0)
        text = self.run_quickly("--profile", d="0,20", c=0)
        for part in ("attention", "2 at 20", "gate, up"):
            self.assertIn(part, text)

    def test_candidates_on_given_data(self):
        target = DEMO / "probes" / "sequences.search.json"
        control = DEMO / "probes" / "primes.search.json"
        report = self.measure("--target", target, "--control", control, p=0, n=0, c=3)
        self.assertEqual([entry["layer"] for entry in report["candidate_layers"]], list(range(6)))
        for key in ("candidates_per_s", "plain_candidates_per_s", "one_by_one_candidates_per_s"):
            self.assertGreater(report[key], 0.0, key)
        mean_seconds = sum(1 / entry["per_s"] for entry in report["candidate_layers"]) / 6
        self.assertAlmostEqual(report["candidates_per_s"] * mean_seconds, 1.0)
        alone = self.measure("--target", target, p=0, n=0, c=1)
        self.assertLess(alone["candidate_tokens"], report["candidate_tokens"])
        self.assertLess(report["candidate_nodes"], report["candidate_tokens"])
        self.run_program("-m", MODEL, "-p", 0, "-n", 0, "--target", DEMO / "none.json", code=1)

    def test_what_is_not_measured_is_null(self):
        report = self.measure(p=0, c=0)
        self.assertIsNone(report["prompt_tps"])
        self.assertIsNone(report["prompt_fraction_of_peak"])
        self.assertIsNone(report["candidates_per_s"])
        self.assertGreater(report["generation_tps"], 0.0)

    def test_options_reach_the_measurement(self):
        report = self.measure("--activations", "a16", "--kernel", "scalar", c=0, t=2)
        self.assertEqual(report["activations"], "a16")
        self.assertEqual(report["kernel"], "scalar")
        self.assertEqual(report["threads"], 2)

    def test_table_is_for_people(self):
        text = self.run_quickly()
        for part in ("prompt, 8 tokens", "generation, 2 tokens", "flips on", "GB/s", "int8 peak"):
            self.assertIn(part, text)

    def test_help_and_version(self):
        self.assertIn("--random", self.run_program("--help"))
        self.assertIn("bankai-bench", self.run_program("--version"))

    def test_wrong_usage(self):
        for arguments in ([], ["-m", MODEL, "--random", "0.6b"], ["--random", "9b"],
                          ["-m", MODEL, "--save", "x.gguf"], ["--random", "0.6b", "--save", "-"],
                          ["-m", MODEL, "-p", "-1"], ["-m", MODEL, "-n", "x"],
                          ["-m", MODEL, "-r", "0"], ["-m", MODEL, "-t", "0"],
                          ["-m", MODEL, "-c", "-1"], ["-m", MODEL, "--activations", "a4"],
                          ["-m", MODEL, "--kernel", "abacus"], ["-m", MODEL, "--unknown"],
                          ["-m", MODEL, "-p", "513"], ["-m", MODEL, "-p", "8,"],
                          ["-m", MODEL, "-p", "0,8"], ["-m", MODEL, "-d", "500", "-n", "20"],
                          ["-m", MODEL, "-d", "a"], ["--random", "0.6b", "--weights", "q9"]):
            self.run_program(*arguments, code=2)

    def test_damaged_and_missing_models(self):
        with tempfile.TemporaryDirectory() as folder:
            short = pathlib.Path(folder) / "short.gguf"
            short.write_bytes(MODEL.read_bytes()[:-1])
            self.assertIn("short.gguf", self.run_program("-m", short, code=3))
            self.run_program("-m", pathlib.Path(folder) / "none.gguf", code=1)

    def test_writes_a_random_model(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "random.gguf"
            write = ["--random", "0.6b", "--save", path, "-p", "0", "-n", "0", "--quiet"]
            report = json.loads(self.run_program(*write, "--json"))
            self.assertEqual(report, {"model": str(path), "model_bytes": path.stat().st_size})
            content = path.read_bytes()
            self.run_program(*write, code=2)
            self.run_program(*write, "--seed", "2", "--force")
            self.assertNotEqual(path.read_bytes(), content)
            self.run_program(*write, "--force")
            self.assertEqual(path.read_bytes(), content)
            self.assertEqual([entry.name for entry in pathlib.Path(folder).iterdir()],
                             ["random.gguf"])

    def test_binary_models_with_a_float_residual(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "random.gguf"
            self.run_program("--random-residual", "12m", "--save", path, "-p", 0, "-n", 0, "-q")
            quick = [part for pair in QUICK.items() for part in pair]
            report = json.loads(self.run_program("-m", path, *quick, "--json", "-q"))
            for key in ("prompt_tps", "generation_tps", "candidates_per_s",
                        "plain_candidates_per_s", "generation_fraction_of_bandwidth"):
                self.assertGreater(report[key], 0.0, key)
            self.assertEqual(report["candidate_batch"], 2)
            self.assertIn("flips/s", self.run_program("-m", path, *quick, "-q"))
            self.assertIn("--profile does not go with a bankai-binary model",
                          self.run_program("-m", path, "--profile", code=2))
        self.assertIn("expected one of 12m, 21m",
                      self.run_program("--random-residual", "5m", code=2))

    def test_binary_models_without_flips_to_measure(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.bit1"
            quick = ["-m", path, "-p", 8, "-n", 0, "-r", 1, "-t", 1, "-q"]
            for vocabulary, width, why in ((128, 64, "rows of 64 weights"),
                                           (128, 192, "rows of 192 weights"),
                                           (300, 128, "300 tokens")):
                path.write_bytes(make_bit1(3, vocabulary, width, layers=1, heads=1,
                                           hidden=width))
                self.assertIn(why, self.run_program(*quick, "-c", 2, code=2))
                report = json.loads(self.run_program(*quick, "--json"))
                self.assertGreater(report["prompt_tps"], 0.0)
                self.assertIsNone(report["candidates_per_s"])
                self.assertIsNone(report["candidate_layers"])
            self.assertIn(f"not measured: {why}", self.run_program(*quick))


if __name__ == "__main__":
    unittest.main()
