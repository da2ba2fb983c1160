"""bankai-patch and bankai-infer --patch on binary models: BIT1 files and bankai-binary GGUF files.

usage: binary_patch_test.py BANKAI_PATCH BANKAI_INFER
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from bit1_model import make_bit1
from residual_model import make_residual

PATCH, INFER = (sys.argv.pop(1) for _ in range(2))
VOCABULARY, WIDTH = 128, 128


def run(program, *arguments, code=0):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == code, (done.returncode, done.stderr)
    return done.stdout if code == 0 else done.stderr


def flip(layer, proj, row, **more):
    return {"layer": layer, "proj": proj, "row": row, **more}


FLIPS = [flip(0, "q_proj", 3), flip(1, "up_proj", 100, col=77), flip(0, "embed_tokens", 97, group=0),
         flip(0, "lm_head", 98, col=127), flip(1, "o_proj", 5, col=0)]
CHANGED = 128 + 1 + 128 + 1 + 1


class BinaryPatch(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.model = self.path("model.bit1")
        # A feed-forward of 192 is no multiple of 128.
        self.model.write_bytes(make_bit1(1, hidden=192, most_threshold=5))
        self.unbound = self.path("unbound.json")
        self.unbound.write_text(json.dumps({"flips": FLIPS}))
        self.patch = self.path("patch.bkp")
        run(PATCH, "convert", self.unbound, "-o", self.patch, "-m", self.model)

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def infer(self, *arguments, model=None, code=0):
        return run(INFER, "-m", model or self.model, "-t", 1, *arguments, code=code)

    def test_apply_and_revert(self):
        before, out = self.model.read_bytes(), self.path("out.bit1")
        run(PATCH, "apply", self.model, self.patch, "-o", out)
        after = out.read_bytes()
        self.assertEqual(sum((a ^ b).bit_count() for a, b in zip(before, after)), CHANGED)
        row = 40 + (97 * WIDTH) // 8  # of the embedding, by the specification
        self.assertEqual(bytes(b ^ 255 for b in before[row:row + 16]), after[row:row + 16])
        head = len(before) - 8 * VOCABULARY - (VOCABULARY - 98) * WIDTH // 8
        self.assertEqual(before[head + 15] ^ after[head + 15], 0x80)
        self.assertIn("already applied",
                      run(PATCH, "apply", out, self.patch, "-o", self.path("x"), code=5))
        run(PATCH, "revert", out, self.patch, "-o", self.path("back.bit1"))
        self.assertEqual(self.path("back.bit1").read_bytes(), before)

    def test_in_place_equals_a_copy(self):
        before = self.model.read_bytes()
        run(PATCH, "apply", self.model, self.patch, "-o", self.path("out.bit1"))
        run(PATCH, "apply", self.model, self.patch, "--in-place")
        self.assertEqual(self.model.read_bytes(), self.path("out.bit1").read_bytes())
        run(PATCH, "revert", self.model, self.patch, "--in-place")
        self.assertEqual(self.model.read_bytes(), before)

    def test_diff_finds_the_flips(self):
        out, found = self.path("out.bit1"), self.path("found.bkp")
        run(PATCH, "apply", self.model, self.patch, "-o", out)
        run(PATCH, "diff", self.model, out, "-o", found)
        describe = lambda path: json.loads(run(PATCH, "info", path, "--json"))
        first, second = describe(self.patch), describe(found)
        for key in ("base_hash", "bits_flipped", "tensors", "flips"):
            self.assertEqual(first[key], second[key], key)
        self.assertEqual(first["bits_flipped"], CHANGED)
        run(PATCH, "validate", found, "-m", self.model)
        damaged = bytearray(out.read_bytes())
        damaged[40 + VOCABULARY * WIDTH // 8] ^= 1  # the first slope
        out.write_bytes(damaged)
        self.assertIn("byte at offset 2088 differs",
                      run(PATCH, "diff", self.model, out, "-o", self.path("x.bkp"), code=5))

    def test_a_matrix_of_another_width_has_nothing_to_patch(self):
        down = self.path("down.json")
        down.write_text(json.dumps({"flips": [flip(0, "down_proj", 3)]}))
        self.assertIn("layer 0 down",
                      run(PATCH, "apply", self.model, down, "-o", self.path("x"), code=5))

    def test_metadata_is_refused(self):
        self.assertIn("--metadata", run(PATCH, "apply", self.model, self.patch, "--metadata", "-o",
                                        self.path("x"), code=2))

    def test_probes_are_refused_before_anything_is_said(self):
        done = subprocess.run([PATCH, "validate", self.patch, "-m", self.model, "--probes", "p.json"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--probes does not go with a BIT1 model", done.stderr)

    def test_infer_runs_a_patched_model(self):
        out = self.path("out.bit1")
        run(PATCH, "apply", self.model, self.patch, "-o", out)
        text = ["-p", "abracadabra abba" * 4, "--perplexity", "--json"]
        patched = self.infer(*text, "--patch", self.patch)
        self.assertEqual(patched, self.infer(*text, model=out))
        self.assertNotEqual(patched, self.infer(*text))
        self.assertIn("already applied", self.infer(*text, "--patch", self.patch, model=out, code=5))

    def test_options_without_a_meaning_are_refused(self):
        for option in (["--kv-bits", 8], ["--activations", "a16"], ["--alpha", "stored"]):
            self.assertIn(f"{option[0]} does not go with a BIT1 model",
                          self.infer("-p", "a", *option, code=2))

    def test_gguf_with_a_float_residual(self):
        model, out = self.path("model.gguf"), self.path("out.gguf")
        model.write_bytes(make_residual(2))
        patch = self.path("residual.bkp")
        flips = [one for one in FLIPS if one["proj"] != "embed_tokens"]
        self.unbound.write_text(json.dumps({"flips": flips}))
        run(PATCH, "convert", self.unbound, "-o", patch, "-m", model)
        run(PATCH, "apply", model, patch, "-o", out)
        text = ["-p", "abracadabra", "--perplexity", "--json"]
        self.assertEqual(self.infer(*text, "--patch", patch, model=model),
                         self.infer(*text, model=out))
        run(PATCH, "revert", out, patch, "--in-place")
        self.assertEqual(out.read_bytes(), model.read_bytes())


if __name__ == "__main__":
    unittest.main()
