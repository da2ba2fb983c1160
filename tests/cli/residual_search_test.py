"""bankai-search on a binary model with a float residual: a model whose rows were flipped on
purpose, and text that the model wrote before. The search has to find flips that help on text it has
not seen.

usage: residual_search_test.py BANKAI_SEARCH BANKAI_INFER BANKAI_PATCH BANKAI_MPIRUN
"""
import json
import subprocess
import time
import unittest

import damaged_model
from residual_model import make_residual

DAMAGE = [(0, "gate_proj", 17), (0, "o_proj", 5), (1, "up_proj", 40), (1, "down_proj", 77)]


class ResidualSearch(damaged_model.DamagedModel):
    ending = ".gguf"
    tensors = "gate,up,o,down"
    damage = DAMAGE
    least_gain = 1.0

    @classmethod
    def make_model(cls):
        return make_residual(4, scale=0.25, offset=0.1)

    def probes(self, name, starts):
        """What the text goes on with, two characters at a time."""
        text = self.path("train.txt").read_bytes().decode()
        found = [{"name": f"p{start}", "prompt": text[start - 12:start],
                  "correct": text[start:start + 2], "wrong": text[start + 1] + "x"}
                 for start in starts if text[start:start + 2].isalnum()]
        self.path(name).write_text(json.dumps(found))
        return self.path(name), len(found)

    def test_finds_flips_that_help_on_other_text(self):
        found = self.find_damage()
        self.assertGreaterEqual(len(found & set(DAMAGE)), 3, found)

    def test_probes_and_metrics_in_any_role(self):
        target, _ = self.probes("target.json", range(20, 240))
        held_out, count = self.probes("held.json", range(250, 480))
        self.assertGreater(count, 3)
        for metric in ("nll", "margin"):
            result = json.loads(self.search(
                metric + ".bkp", "--control", held_out, "--control-metric", "kl",
                "--control-penalty", 0.1, "--heldout", held_out, "--heldout-level", 1, "--metric",
                metric, "--candidates", 60, "--iterations", 2, tensors="gate,head", target=target, code=(0, 4)))
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
        self.expect_equal_files(["part.bkp"], "whole.bkp")

    def test_what_these_models_lack_is_refused(self):
        self.expect_refusals("a bankai-binary model", ["--activations", "a8"],
                             ["--logit-scale", "1"], ["--explain"])
        self.assertIn("the embedding of this model is made of floats",
                      self.search("x.bkp", tensors="embed", code=3))


if __name__ == "__main__":
    unittest.main()
