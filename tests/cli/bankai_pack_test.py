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
        run(INFER, "-m", self.pack, "-p", "x", "-n", 1, "--patch", "no name", code=1)
        text = ("--tokenize", "-p", "Hello", "--json")
        self.assertEqual(run(INFER, "-m", self.pack, *text).stdout, run(INFER, "-m", MODEL, *text).stdout)

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
