"""bankai-pack from the outside: identity, tables, patches inside, running a pack, damage, exit codes.

usage: bankai_pack_test.py BANKAI_PACK BANKAI_INFER BANKAI_PATCH DEMO_FOLDER READ_PACK
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PACK, INFER, PATCH, DEMO, READER = sys.argv[1:6]
del sys.argv[1:]
MODEL = pathlib.Path(DEMO) / "bankai-demo-5m.gguf"


def run(*command, code=0):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == code, (command, done.returncode, done.stdout, done.stderr)
    return done


class Packing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        flips = [{"layer": 0, "proj": "gate_proj", "row": row} for row in (3, 7, 200)]
        (cls.folder / "rows.json").write_text(json.dumps({
            "name": "rows", "base_model": "", "flips": flips, "description": "", "metadata": {}}))
        run(PATCH, "convert", cls.folder / "rows.json", "-o", cls.folder / "rows.bkp", "-m", MODEL)
        cls.pack = cls.folder / "model.bkpack"
        cls.packed = json.loads(run(PACK, "pack", MODEL, "-o", cls.pack, "--json", "--patch",
                                    f"a name={cls.folder / 'rows.bkp'}").stdout)

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def path(self, name):
        return self.folder / name

    def test_unpack_gives_the_same_file(self):
        run(PACK, "unpack", self.pack, "-o", self.path("again.gguf"))
        self.assertEqual(self.path("again.gguf").read_bytes(), MODEL.read_bytes())
        run(PACK, "unpack", self.pack, "-o", self.path("again.gguf"), code=2)  # it exists

    def test_entries_add_up(self):
        info = json.loads(run(PACK, "info", self.pack, "--json").stdout)
        for table in (self.packed, info):
            self.assertEqual(sum(entry["bytes"] for entry in table["entries"]), table["total_bytes"])
            self.assertEqual(table["total_bytes"], self.pack.stat().st_size)
            self.assertIsNone(table["budget_bytes"])
            for entry in table["entries"]:
                self.assertLessEqual({"name", "codec", "bytes", "raw_bytes", "entropy_bytes"}, entry.keys())
        self.assertEqual(self.packed["entries"], info["entries"])
        self.assertLess(info["total_bytes"], 0.9 * MODEL.stat().st_size)
        self.assertEqual(info["patches"], [{"name": "a name", "flips": 3,
                                            "bytes": self.path("rows.bkp").stat().st_size}])
        self.assertIn("total", run(PACK, "info", self.pack).stdout)

    def test_the_same_bytes_for_any_number_of_threads(self):
        for threads in (1, 3):
            run(PACK, "pack", MODEL, "-o", self.path("other.bkpack"), "--force", "-t", threads,
                "--patch", f"a name={self.path('rows.bkp')}")
            self.assertEqual(self.path("other.bkpack").read_bytes(), self.pack.read_bytes())

    def test_verify(self):
        run(PACK, "verify", self.pack)
        run(PACK, "verify", self.pack, "--against", MODEL)
        other = bytearray(MODEL.read_bytes())
        other[-1000] ^= 1
        self.path("other.gguf").write_bytes(other)
        done = run(PACK, "verify", self.pack, "--against", self.path("other.gguf"), code=5)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.path("short.gguf").write_bytes(other[:-1])
        run(PACK, "verify", self.pack, "--against", self.path("short.gguf"), code=5)

    def test_damage_is_located(self):
        plain = self.pack.read_bytes()
        damaged = self.path("damaged.bkpack")
        for change in (5, 13, 5000, len(plain) // 2, len(plain) - 300, len(plain) - 50, len(plain) - 1):
            bad = bytearray(plain)
            bad[change] ^= 0x10
            damaged.write_bytes(bad)
            done = run(PACK, "verify", damaged, code=3)
            self.assertIn(str(damaged), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        for size in (0, 10, 5000, len(plain) - 1):
            damaged.write_bytes(plain[:size])
            run(PACK, "verify", damaged, code=3)
            run(PACK, "unpack", damaged, "-o", self.path("never.gguf"), code=3)
        self.assertFalse(self.path("never.gguf").exists())
        run(PACK, "verify", self.path("missing.bkpack"), code=1)
        run(PACK, "verify", MODEL, code=3)

    def test_a_pack_runs_as_its_model(self):
        def answer(model, *more):
            return json.loads(run(INFER, "-m", model, "-p", "2 + 2 =", "-n", 8, "--temp", 0, "--json",
                                  *more).stdout)
        self.assertEqual(answer(self.pack), answer(MODEL))
        self.assertEqual(answer(self.pack, "--patch", "a name"),
                         answer(MODEL, "--patch", self.path("rows.bkp")))
        done = run(INFER, "-m", self.pack, "-p", "x", "-n", 1, "--patch", "no name", code=2)
        self.assertIn("it has: 'a name'", done.stderr)
        text = ("--tokenize", "-p", "Hello", "--json")
        self.assertEqual(run(INFER, "-m", self.pack, *text).stdout, run(INFER, "-m", MODEL, *text).stdout)

    def test_a_pack_is_a_model_to_pack_again(self):
        again = self.path("again.bkpack")
        run(PACK, "pack", self.pack, "-o", again)
        self.assertEqual(again.read_bytes(), self.pack.read_bytes())
        run(PACK, "pack", self.pack, "-o", again, "--force", "--patch",
            f"another={self.path('rows.json')}")
        info = json.loads(run(PACK, "info", again, "--json").stdout)
        self.assertEqual([patch["name"] for patch in info["patches"]], ["a name", "another"])
        run(PACK, "pack", self.pack, "-o", again, "--force", "--patch",
            f"a name={self.path('rows.json')}", code=2)
        plans = [json.loads(run(PACK, "plan", model, "--budget-bytes", "1TB", "--json").stdout)
                 for model in (MODEL, self.pack)]
        for plan in plans:
            self.assertEqual(plan["steps"], [])
        for name in ("a.gguf", "b.gguf"):
            run(PACK, "convert", self.pack if name == "a.gguf" else MODEL, "-o", self.path(name),
                "--to", "q8_0")
        self.assertEqual(self.path("a.gguf").read_bytes(), self.path("b.gguf").read_bytes())

    def test_patches_are_put_on_packs(self):
        plain, packed = self.path("patched.gguf"), self.path("patched.bkpack")
        run(PATCH, "apply", MODEL, self.path("rows.bkp"), "-o", plain)
        run(PATCH, "apply", self.pack, "a name", "-o", self.path("same.gguf"))
        self.assertEqual(self.path("same.gguf").read_bytes(), plain.read_bytes())
        run(PATCH, "apply", self.pack, "a name", "-o", packed)
        run(PACK, "verify", packed, "--against", plain)
        run(PATCH, "revert", packed, self.path("rows.bkp"), "-o", self.path("back.gguf"))
        self.assertEqual(self.path("back.gguf").read_bytes(), MODEL.read_bytes())
        self.assertIn("valid (base)", run(PATCH, "validate", "a name", "-m", self.pack).stdout)
        run(PATCH, "diff", self.pack, packed, "-o", self.path("diff.bkp"))
        self.assertIn("3 rows", run(PATCH, "info", self.path("diff.bkp")).stdout)
        done = run(PATCH, "apply", self.pack, "a name", "--in-place", code=2)
        self.assertIn("a pack is not changed in place", done.stderr)

    def test_patches_are_checked_against_the_model(self):
        patched, never = self.path("other_base.gguf"), self.path("never.bkpack")
        run(PATCH, "apply", MODEL, self.path("rows.bkp"), "-o", patched)
        patch = ("--patch", f"p={self.path('rows.bkp')}")
        done = run(PACK, "pack", patched, "-o", never, *patch, code=5)
        self.assertIn("already applied", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        for row, code in ((10 ** 6, 3), (3, 0)):
            self.path("far.json").write_text(json.dumps({
                "name": "far", "base_model": "", "description": "", "metadata": {},
                "flips": [{"layer": 0, "proj": "gate_proj", "row": row}]}))
            done = run(PACK, "pack", MODEL, "-o", self.path("far.bkpack"), "--patch",
                       f"p={self.path('far.json')}", code=code)
            if code == 0:
                self.assertIn("names no base", done.stderr)
        self.path("layer.json").write_text(json.dumps({
            "name": "layer", "base_model": "", "description": "", "metadata": {},
            "flips": [{"layer": 99, "proj": "gate_proj", "row": 0}]}))
        run(PACK, "pack", MODEL, "-o", never, "--patch", f"p={self.path('layer.json')}", code=5)
        self.assertFalse(never.exists())
        run(PACK, "pack", patched, "-o", never, "--force", *patch)

    def test_the_input_is_never_replaced(self):
        copy = self.path("copy.gguf")
        copy.write_bytes(MODEL.read_bytes())
        for command in (["pack", copy], ["convert", copy, "--to", "f16"]):
            done = run(PACK, *command, "-o", copy, "--force", code=2)
            self.assertIn("that is the input", done.stderr)
        run(PACK, "unpack", self.pack, "-o", self.pack, "--force", code=2)
        self.assertEqual(copy.read_bytes(), MODEL.read_bytes())

    def test_other_files_are_named(self):
        for model in (MODEL, self.pack):
            done = run(PACK, "compare", model, code=3)
            self.assertIn("no parameter-golf checkpoint", done.stderr)
        done = run(PACK, "compare", self.folder, code=1)
        self.assertIn("a folder; expected a parameter-golf checkpoint", done.stderr)
        done = run(PACK, "pack", self.folder, "-o", self.path("x.bkpack"), code=3)
        self.assertIn("config.json", done.stderr)
        done = run(PACK, "convert", self.folder, "-o", self.path("x.gguf"), "--to", "f16", code=3)
        self.assertIn("config.json", done.stderr)
        done = run(INFER, "-m", self.folder, "-p", "x", code=1)
        self.assertIn("a folder", done.stderr)
        done = run(PACK, "convert", MODEL, "-o", self.path("x.gguf"), "--to", "f16", "--scale", "row",
                   code=2)
        self.assertIn("--scale row", done.stderr)
        # What is wrong with an option is said before the model is opened.
        done = run(PACK, "plan", self.path("none.gguf"), "--budget-bytes", 5, "--activations", "a9",
                   code=2)
        self.assertIn("a9", done.stderr)

    def test_info_sums_up_by_kind(self):
        short = run(PACK, "info", self.pack).stdout
        self.assertIn("blk.*.ffn_up.weight bits", short)
        self.assertNotIn("blk.0.", short)
        self.assertIn("blk.0.ffn_up.weight bits", run(PACK, "info", self.pack, "--verbose").stdout)

    def test_wrong_usage(self):
        run(PACK, code=2)
        run(PACK, "press", MODEL, code=2)
        run(PACK, "pack", MODEL, code=2)
        run(PACK, "info", code=2)
        run(PACK, "pack", MODEL, "-o", self.path("x.bkpack"), "--patch", "no file", code=2)
        # An option of another command is no option; a minus sign does not wrap around.
        run(PACK, "info", self.pack, "--budget-bytes", 5, code=2)
        run(PACK, "pack", MODEL, "-o", self.path("x.bkpack"), "--calibration", "text", code=2)
        run(PACK, "pack", MODEL, "-o", self.path("x.bkpack"), "--min-decode-rate", -1, code=2)
        run(PACK, "plan", MODEL, "--curve", -1, code=2)
        run(PACK, "unpack", self.pack, "-o", "-", code=2)

    def test_a_second_reader_agrees(self):
        small = self.path("small.gguf")
        small.write_bytes(pathlib.Path(READER).parent.parent.joinpath(
            "tests/fuzz/seeds/gguf/small.gguf").read_bytes())
        run(PACK, "pack", small, "-o", self.path("small.bkpack"), "--force")
        run(sys.executable, "-B", READER, self.path("small.bkpack"), small)


if __name__ == "__main__":
    unittest.main()
