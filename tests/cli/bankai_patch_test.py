"""bankai-patch from the outside: a small model made here, every subcommand, exit codes, damage.

usage: bankai_patch_test.py PROGRAM
"""
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
ROWS, COLS = 24, 256
NAMES = {"gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}


def gguf_string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def tq2_0(source, rows):
    """Random rows of one TQ2_0 block each: codes of 0 to 2, and a scale."""
    codes = bytes(sum(source.randrange(3) << shift for shift in (0, 2, 4, 6))
                  for _ in range(64 * rows))
    return b"".join(codes[64 * row:64 * row + 64] + source.randbytes(2) for row in range(rows))


def make_model(seed, ternary=False):
    """A GGUF file of two layers with gate, up and down in Q1_0 or TQ2_0, and a float vector."""
    source = random.Random(seed)
    tensors = [(f"blk.{layer}.{name}.weight", 35 if ternary else 41, [COLS, ROWS],
                tq2_0(source, ROWS) if ternary else source.randbytes(ROWS * COLS // 128 * 18))
               for layer in range(2) for name in NAMES.values()]
    tensors.append(("output_norm.weight", 0, [8], struct.pack("<8f", *range(8))))
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1)
    header += gguf_string("general.name") + struct.pack("<I", 8) + gguf_string("tiny")
    data = b""
    for name, kind, dims, content in tensors:
        header += gguf_string(name) + struct.pack("<I", len(dims))
        header += b"".join(struct.pack("<Q", dim) for dim in dims) + struct.pack("<IQ", kind, len(data))
        data += content + bytes(-len(content) % 32)
    return header + bytes(-len(header) % 32) + data


def flip(layer, proj, row, **more):
    return {"layer": layer, "proj": proj, "row": row, **more}


class PatchProgram(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.model = self.path("model.gguf")
        self.model.write_bytes(make_model(1))
        self.unbound = self.write("unbound.json", [
            flip(0, "gate_proj", 3), flip(1, "up_proj", 7, group=1), flip(1, "down_proj", 23, col=9)])
        self.patch = self.path("patch.json")
        self.run_program("convert", self.unbound, "-o", self.patch, "-m", self.model)

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def write(self, name, flips):
        self.path(name).write_text(json.dumps({"flips": flips}))
        return self.path(name)

    def run_program(self, *arguments, code=0):
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        if code:
            self.assertEqual(done.stderr.count("\n"), 1, "an error is one line")
            self.assertTrue(done.stderr.startswith("bankai-patch: "), done.stderr)
        return done.stdout if code == 0 else done.stderr

    def test_apply_changes_the_listed_bits_only(self):
        out = self.path("out.gguf")
        self.run_program("apply", self.model, self.patch, "-o", out)
        before, after = self.model.read_bytes(), out.read_bytes()
        changed = sum((a ^ b).bit_count() for a, b in zip(before, after))
        self.assertEqual((len(after), changed), (len(before), COLS + 128 + 1))
        self.run_program("revert", out, self.patch, "-o", self.path("back.gguf"))
        self.assertEqual(self.path("back.gguf").read_bytes(), before)

    def test_in_place_equals_a_copy(self):
        self.run_program("apply", self.model, self.patch, "-o", self.path("out.gguf"))
        before = self.model.read_bytes()
        self.run_program("apply", self.model, self.patch, "--in-place")
        self.assertEqual(self.model.read_bytes(), self.path("out.gguf").read_bytes())
        self.run_program("revert", self.model, self.patch, "--in-place")
        self.assertEqual(self.model.read_bytes(), before)
        self.assertFalse(list(self.path("").glob("*journal*")))

    def test_refuses_what_does_not_fit_the_base(self):
        out = self.path("out.gguf")
        self.run_program("apply", self.model, self.patch, "-o", out)
        self.assertIn("already applied",
                      self.run_program("apply", out, self.patch, "-o", self.path("x"), code=5))
        self.assertIn("not applied",
                      self.run_program("revert", self.model, self.patch, "-o", self.path("x"), code=5))
        other = self.path("other.gguf")
        other.write_bytes(make_model(2))
        self.assertIn("layer 0 gate differs",
                      self.run_program("apply", other, self.patch, "-o", self.path("x"), code=5))
        self.assertFalse(self.path("x").exists())
        self.run_program("apply", other, self.patch, "-o", self.path("x"), "--force")
        self.assertTrue(self.path("x").exists())

    def test_existing_outputs_need_force(self):
        out = self.path("out.gguf")
        out.write_text("precious")
        self.run_program("apply", self.model, self.patch, "-o", out, code=2)
        self.assertEqual(out.read_text(), "precious")
        self.run_program("apply", self.model, self.patch, "-o", out, "--force")
        self.assertEqual(len(out.read_bytes()), len(self.model.read_bytes()))

    def test_several_patches_on_one_base_and_on_top_of_each_other(self):
        other = self.path("other.bkp")
        self.run_program("convert", self.write("b.json", [flip(0, "gate_proj", 4)]), "-o", other,
                         "-m", self.model)
        out = self.path("out.gguf")
        self.run_program("apply", self.model, self.patch, other, "-o", out)
        self.run_program("revert", out, self.patch, other, "-o", self.path("back.gguf"))
        self.assertEqual(self.path("back.gguf").read_bytes(), self.model.read_bytes())

        first = self.path("first.gguf")
        self.run_program("apply", self.model, self.patch, "-o", first)
        stacked = self.path("stacked.bkp")
        self.run_program("convert", self.path("b.json"), "-o", stacked, "-m", first)
        self.run_program("apply", self.model, stacked, "-o", self.path("x"), code=5)
        self.run_program("apply", self.model, self.patch, stacked, "-o", self.path("both.gguf"))
        self.assertEqual(self.path("both.gguf").read_bytes(), out.read_bytes())
        self.run_program("revert", out, self.patch, stacked, "-o", self.path("again.gguf"))
        self.assertEqual(self.path("again.gguf").read_bytes(), self.model.read_bytes())

    def test_ternary_model(self):
        model, out = self.path("ternary.gguf"), self.path("out.gguf")
        model.write_bytes(make_model(3, ternary=True))
        steps = [flip(0, "gate_proj", 3), flip(0, "gate_proj", 3, col=7, step=1),
                 flip(1, "up_proj", 7, group=1), flip(1, "down_proj", 23, col=9, step=-1)]
        patch = self.path("steps.bkp")
        self.run_program("convert", self.write("steps.json", steps), "-o", patch, "-m", model)
        self.run_program("apply", model, patch, "-o", out)
        self.assertEqual(len(out.read_bytes()), len(model.read_bytes()))
        self.assertIn("already applied",
                      self.run_program("apply", out, patch, "-o", self.path("x"), code=5))
        self.run_program("revert", out, patch, "-o", self.path("back.gguf"))
        self.assertEqual(self.path("back.gguf").read_bytes(), model.read_bytes())
        found = self.path("found.json")
        self.run_program("diff", model, out, "-o", found)
        self.run_program("apply", model, found, "-o", self.path("again.gguf"))
        self.assertEqual(self.path("again.gguf").read_bytes(), out.read_bytes())
        # A patch made on top, both together, and both in one: order counts.
        second = self.path("second.json")
        self.run_program("convert", self.write("s.json", [
            flip(1, "down_proj", 23), flip(0, "gate_proj", 3, col=7, step=1)]), "-o", second, "-m", out)
        both, composed = self.path("both.gguf"), self.path("composed.bkp")
        self.run_program("apply", model, patch, second, "-o", both)
        self.run_program("compose", patch, second, "-o", composed, "--force")
        self.run_program("apply", model, composed, "-o", self.path("one.gguf"))
        self.assertEqual(self.path("one.gguf").read_bytes(), both.read_bytes())
        self.run_program("revert", both, patch, second, "--in-place")
        self.assertEqual(both.read_bytes(), model.read_bytes())
        info = json.loads(self.run_program("info", patch, "--json"))
        self.assertEqual((info["steps"], info["bit_flips"]), (2, 0))
        # Flips of the other type do not fit.
        bit = self.write("bit.json", [flip(0, "gate_proj", 3, col=7)])
        self.assertIn("ternary", self.run_program("apply", model, bit, "-o", self.path("x"), code=5))
        step = self.write("step.json", [flip(0, "gate_proj", 3, col=7, step=1)])
        self.assertIn("1-bit",
                      self.run_program("apply", self.model, step, "-o", self.path("x"), code=5))

    def test_diff_finds_the_patch(self):
        out = self.path("out.gguf")
        self.run_program("apply", self.model, self.patch, "-o", out)
        found = json.loads(self.run_program("diff", self.model, out, "-o", "-"))
        expected = json.loads(self.patch.read_text())
        self.assertEqual(found["flips"], expected["flips"])
        self.assertEqual(found["metadata"]["bankai"], expected["metadata"]["bankai"])
        self.assertEqual(found["base_model"], "tiny")
        other = self.path("other.gguf")
        other.write_bytes(make_model(2))
        self.assertIn("scales", self.run_program("diff", self.model, other, "-o", "-", code=5))
        changed = bytearray(self.model.read_bytes())
        changed[-1] ^= 1
        other.write_bytes(changed)
        self.assertIn("output_norm.weight",
                      self.run_program("diff", self.model, other, "-o", "-", code=5))

    def test_compose_and_overlap(self):
        twice = self.path("twice.bkp")
        self.run_program("compose", self.patch, self.patch, "-o", twice)
        self.assertEqual(json.loads(self.run_program("info", twice, "--json"))["flips"], 0)
        pairs = json.loads(self.run_program("overlap", self.patch, self.unbound, "--json"))["pairs"]
        self.assertEqual((pairs[0]["common_flips"], pairs[0]["common_bits"]), (3, COLS + 128 + 1))
        foreign = self.path("foreign.json")
        other = self.path("other.gguf")
        other.write_bytes(make_model(2))
        self.run_program("convert", self.unbound, "-o", foreign, "-m", other)
        self.run_program("compose", self.patch, foreign, "-o", self.path("x.json"), code=5)
        self.run_program("compose", self.patch, foreign, "-o", self.path("x.json"), "--force")

    def test_convert_keeps_the_patch(self):
        binary, again = self.path("patch.bkp"), self.path("again.json")
        self.run_program("convert", self.patch, "-o", binary)
        self.run_program("convert", binary, "-o", again)
        self.assertEqual(json.loads(again.read_text())["flips"],
                         json.loads(self.patch.read_text())["flips"])
        info = json.loads(self.run_program("info", self.patch, "--json"))
        self.assertEqual(info["binary_bytes"], binary.stat().st_size)
        self.assertEqual(info["json_bytes"], self.patch.stat().st_size)
        self.assertEqual((info["flips"], info["bits_flipped"]), (3, COLS + 128 + 1))
        self.assertEqual(info["name"], "unbound")

    def test_validate(self):
        self.run_program("validate", self.patch, self.unbound, "-m", self.model)
        self.run_program("validate", self.patch, "-m", self.model, "--budget-bytes", "1kB")
        self.run_program("validate", self.patch, "-m", self.model, "--budget-bytes", "20", code=5)
        outside = self.write("outside.json", [flip(0, "up_proj", ROWS)])
        self.assertIn("the row must be below 24",
                      self.run_program("validate", outside, "-m", self.model, code=5))
        self.run_program("validate", outside)

    def test_wrong_usage_and_bad_files(self):
        for arguments in ([], ["apply"], ["apply", self.model], ["unknown"], ["info"],
                          ["info", self.patch, self.patch], ["apply", self.model, self.patch],
                          ["apply", self.model, self.patch, "-o", "x", "--in-place"],
                          ["apply", self.model, self.patch, "-o", "-"],
                          ["convert", self.patch], ["convert", self.patch, "-o", "x.txt"],
                          ["info", self.patch, "--wrong"]):
            self.run_program(*arguments, code=2)
        self.assertIn("is not replaced", self.run_program("apply", self.model, self.patch, "-o",
                                                          self.patch, "--force", code=2))
        self.path("empty.json").touch()
        self.assertIn("the file is empty", self.run_program("info", self.path("empty.json"), code=3))
        self.run_program("info", self.path("absent.json"), code=1)
        self.run_program("info", self.model, code=3)
        self.run_program("apply", self.patch, self.patch, "-o", self.path("x"), code=3)
        self.run_program("apply", self.model, self.write("bad.json", [{"layer": -1}]), "-o",
                         self.path("x"), code=3)

    def test_an_interrupted_edit_is_seen_and_undone(self):
        journal = self.path("model.gguf.bankai-journal")
        journal.write_bytes(b"torn")
        self.assertIn("interrupted",
                      self.run_program("apply", self.model, self.patch, "-o", self.path("x"), code=3))
        self.assertIn("journal",
                      self.run_program("apply", self.model, self.patch, "--in-place", code=3))
        journal.unlink()
        self.path("model.gguf.bankai-journal.tmp").write_bytes(b"torn")
        self.run_program("apply", self.model, self.patch, "--in-place")


if __name__ == "__main__":
    unittest.main()
