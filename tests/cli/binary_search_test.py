"""bankai-search on a strictly binary model: a model whose rows were flipped on purpose, and text
that the model wrote before. The search has to find flips that help on text it has not seen.

usage: binary_search_test.py BANKAI_SEARCH BANKAI_INFER BANKAI_PATCH BANKAI_MPIRUN
"""
import json
import unittest

import damaged_model
from bit1_model import make_bit1
from damaged_model import INFER, MPIRUN, SEARCH, run

SCALE = ["--logit-scale", 0.25]
DAMAGE = [(0, "gate_proj", 17), (0, "o_proj", 5), (1, "up_proj", 40), (1, "o_proj", 77)]


class BinarySearch(damaged_model.DamagedModel):
    ending = ".bit1"
    tensors = "gate,up,o"
    damage = DAMAGE
    rules = SCALE
    least_gain = 0.5

    @classmethod
    def make_model(cls):
        return make_bit1(4)

    def test_finds_flips_that_help_on_other_text(self):
        self.assertEqual(self.find_damage(), set(DAMAGE))

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
            correct = self.answer(self.whole, prompt, 2)
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
                         [128, 128], "tables are no part of layer 0")
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
        self.search("p2.bkp", *options, "--kernel", "scalar", threads=2)
        self.search("p3.bkp", *options, before=[MPIRUN, "-n", "2"])
        self.expect_equal_files(("p2.bkp", "p3.bkp"), "p1.bkp")

    def test_probes_are_targets_controls_and_held_out(self):
        target, _, _ = self.probes("target.json", range(0, 240, 20))
        held_out, count, right = self.probes("held.json", range(250, 400, 15))
        self.assertGreater(count, 3)
        for metric in ("nll", "margin", "seq_logprob"):
            result = json.loads(self.search(
                metric + ".bkp", "--control", held_out, "--control-metric", "kl", "--heldout",
                held_out, "--heldout-level", 1, "--metric", metric, "--iterations", 2,
                "--shortlist", 40, "--budget-flips", 6, target=target, code=(0, 4)))
            proof = result["heldout"]
            self.assertEqual((proof["num_probes"], proof["before"]), (count, right), proof)
            self.assertEqual(proof["after"] - proof["before"], proof["fixed"] - proof["broken"])
            self.assertLess(result["control_after"], 0)

    def test_what_these_models_lack_is_refused(self):
        self.expect_refusals("a BIT1 model", ["--activations", "a8"], ["--curvature", "0"])
        bad = self.path("bad.json")
        bad.write_text(json.dumps([{"name": "one", "prompt": "a", "correct": "b",
                                    "alternates": ["c", "\u00e9"]}]))
        self.assertIn("bad.json: probe one: byte 0xc3 at offset 0",
                      self.search("x.bkp", "--heldout", bad, code=3))


if __name__ == "__main__":
    unittest.main()
