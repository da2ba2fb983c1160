"""bankai-pack plan and pack --budget-bytes from the outside, on a small generated float model.

usage: pack_plan_test.py BANKAI_PACK BANKAI_INFER TOOLS_FOLDER
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, sys.argv.pop(3))
INFER = sys.argv.pop(2)
PACK = sys.argv.pop(1)

import make_checkpoint  # noqa: E402  (from the tools folder)

TEXT = "the cat 42 and then the other cat: 1, 2, 3.\n" * 4


def run(*arguments):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)


class Plan(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        checkpoint = cls.folder / "llama"
        make_checkpoint.write_checkpoint("llama", checkpoint, make_checkpoint.random_weights("llama"))
        cls.model = cls.folder / "model.gguf"
        assert run(PACK, "convert", checkpoint, "-o", cls.model, "--to", "f16").returncode == 0
        cls.text = cls.folder / "text.txt"
        cls.text.write_text(TEXT)
        cls.options = ["--calibration", cls.text, "--max-measurements", 30, "--quiet", "-t", 1]
        cls.curve = cls.json("plan", cls.model, "--curve", 4, *cls.options)

    @classmethod
    def json(cls, *arguments):
        result = run(PACK, *arguments, "--json")
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def test_budgets_are_met_between_the_smallest_and_the_exact_size(self):
        for point in self.curve:
            self.assertLessEqual(point["total_bytes"], point["budget_bytes"])
        self.assertEqual(self.curve[0]["total_bytes"], self.curve[0]["budget_bytes"])
        self.assertEqual(self.curve[-1]["total_bytes"], self.curve[-1]["budget_bytes"])
        self.assertEqual(self.curve[-1]["measured_change"], 0.0)
        for smaller, larger in zip(self.curve, self.curve[1:-1]):
            self.assertLessEqual(max(larger["measured_change"], 0.0),
                                 max(smaller["measured_change"], 0.0))

    def test_a_pack_has_the_planned_size_and_loads(self):
        budget = (self.curve[0]["budget_bytes"] + self.curve[-1]["budget_bytes"]) // 2
        options = ["--budget-bytes", budget, *self.options]
        plan, = self.json("plan", self.model, *options)
        pack = self.folder / "model.bkpack"
        made, = self.json("pack", self.model, "-o", pack, *options)
        self.assertEqual(pack.stat().st_size, plan["total_bytes"])
        self.assertLessEqual(plan["total_bytes"], budget)
        self.assertEqual(plan["budget_bytes"], budget)
        self.assertEqual(made["steps"], plan["steps"])
        self.assertTrue(plan["steps"])
        self.assertEqual(sum(e["bytes"] for e in plan["entries"]), plan["total_bytes"])
        self.assertEqual(plan["change_unit"], "nats")
        # What was measured is what the unpacked model does.
        unpacked = self.folder / "unpacked.gguf"
        self.assertEqual(run(PACK, "unpack", pack, "-o", unpacked, "--quiet").returncode, 0)
        result = run(INFER, "-m", unpacked, "--perplexity", "-f", self.text, "--ctx", 512, "--json",
                     "--quiet", "-t", 1)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertAlmostEqual(json.loads(result.stdout)["nll"],
                               plan["exact_nll"] + plan["measured_change"], places=5)

    def test_the_held_out_text_is_measured_beside_it(self):
        options = ["plan", self.model, "--budget-bytes", self.curve[1]["budget_bytes"], *self.options]
        alone, = self.json(*options)
        self.assertNotIn("heldout_change", alone)
        same, = self.json(*options, "--heldout", self.text)
        self.assertEqual(same["steps"], alone["steps"])
        self.assertAlmostEqual(same["heldout_nll"], same["exact_nll"])
        self.assertAlmostEqual(same["heldout_change"], same["measured_change"])
        text = run(PACK, *options, "--heldout", self.text).stdout
        self.assertIn("held-out text:", text)
        self.assertIn("blk.*.ffn_up.weight", text)
        self.assertNotIn("blk.0.", text)
        self.assertIn("blk.0.", run(PACK, *options, "--verbose").stdout)

    def test_what_fits_stays_exact(self):
        pack = self.folder / "exact.bkpack"
        made, = self.json("pack", self.model, "-o", pack, "--budget-bytes", "1MiB", "--quiet")
        self.assertEqual(made["steps"], [])
        self.assertEqual(made["budget_bytes"], 1 << 20)
        self.assertEqual(made["total_bytes"], self.curve[-1]["total_bytes"])
        self.assertEqual(run(PACK, "verify", pack, "--against", self.model).returncode, 0)

    def test_an_impossible_budget_names_the_smallest_size(self):
        result = run(PACK, "plan", self.model, "--budget-bytes", self.curve[0]["budget_bytes"] - 1,
                     *self.options)
        self.assertEqual(result.returncode, 4)
        self.assertIn(f"{self.curve[0]['budget_bytes']} bytes", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)

    def test_without_text_there_are_no_nats(self):
        result = run(PACK, "plan", self.model, "--budget-bytes", self.curve[1]["budget_bytes"])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("no --calibration", result.stderr)
        self.assertIn("removing", result.stdout)
        self.assertNotIn("nats", result.stdout)

    def test_wrong_usage(self):
        for options in (["plan", self.model],
                        ["plan", self.model, "--budget-bytes", "12XB"],
                        ["plan", self.model, "--budget-bytes", "9", "--drop-unused-rows"],
                        ["pack", self.model, "--budget-bytes", "9"]):
            result = run(PACK, *options, "--quiet")
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
