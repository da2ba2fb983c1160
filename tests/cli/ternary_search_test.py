"""bankai-search on a ternary version of the demo model: the patch improves the targets, applies,
and reverts to the same bytes; the file keeps its type.

usage: ternary_search_test.py SEARCH INFER PATCH MPIRUN DEMO_FOLDER [unittest arguments]
"""
import csv
import json
import subprocess
import unittest

import ternary_model
from search_program import INFER, MODEL, PATCH, QUICK, SEARCH, SearchProgram


class Ternary(SearchProgram):
    def setUp(self):
        super().setUp()
        self.ternary = self.path("ternary.gguf")
        self.ternary.write_bytes(ternary_model.convert(MODEL.read_bytes()))

    def patch_program(self, *arguments):
        subprocess.run([str(part) for part in [PATCH, *arguments]], check=True, capture_output=True)

    def scores(self, model, *arguments):
        done = subprocess.run(
            [str(part) for part in [INFER, "-m", model, "--probes", self.target, "--activations",
                                    "a16", "--kv-type", "f32", "--json", "-q", *arguments]],
            capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        return result["mean_score"], [probe["score"] for probe in result["probes"]]

    def test_flips_improve_apply_and_revert(self):
        for granularity in ("row", "group", "bit", "mixed"):
            patch, out, back = (self.path(granularity + end) for end in (".bkp", ".gguf", ".back"))
            result = self.search(*self.data, *QUICK, "--granularity", granularity, "-o", patch,
                                 model=self.ternary)
            self.assertGreater(result["fitness"], 0.0)
            self.assertGreater(result["target_after"], result["target_before"])
            self.patch_program("apply", self.ternary, patch, "-o", out)
            self.assertEqual(out.stat().st_size, self.ternary.stat().st_size)
            # The file with the patch, and the patch on the model, score what the search says.
            applied = self.scores(out)
            self.assertEqual(applied, self.scores(self.ternary, "--patch", patch))
            self.assertAlmostEqual(applied[0], result["target_after"], places=9)
            self.patch_program("revert", out, patch, "-o", back)
            self.assertEqual(back.read_bytes(), self.ternary.read_bytes())

    def test_single_weights_take_steps(self):
        patch, table = self.path("steps.json"), self.path("steps.csv")
        self.search(*self.data, *QUICK, "--granularity", "bit", "-o", patch, "--scores-out", table,
                    model=self.ternary)
        flips = json.loads(patch.read_text())["flips"]
        self.assertTrue(flips)
        self.assertTrue(all(flip["step"] in (1, -1) for flip in flips))
        with open(table, newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 16)
        self.assertTrue(all(row["step"] in ("1", "-1") and row["column"] for row in rows))

    def test_the_atlas_tells_of_steps(self):
        atlas = self.path("atlas.json")
        self.search(*self.data, "--layers", 5, "--tensors", "up", "--granularity", "bit", "--atlas",
                    atlas, model=self.ternary)
        kinds = json.loads(atlas.read_text())["tensors"][0]["kinds"]
        self.assertEqual([kind["kind"] for kind in kinds], ["step_up", "step_down"])
        # Every weight has one legal step, zeros have both.
        self.assertGreaterEqual(sum(kind["candidates"] for kind in kinds), 768 * 256)
        self.assertLess(max(kind["candidates"] for kind in kinds), 768 * 256)
        shown = subprocess.run([SEARCH, "--merge-atlas", str(atlas)], capture_output=True, text=True,
                               check=True)
        self.assertIn("best step down", shown.stdout)


if __name__ == "__main__":
    unittest.main()
