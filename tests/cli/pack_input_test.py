"""What bankai-pack packs beside GGUF files: strictly binary models and checkpoint folders.

usage: pack_input_test.py BANKAI_PACK BANKAI_INFER BANKAI_BENCH TOOLS_FOLDER SEEDS_FOLDER
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PACK, INFER, BENCH, TOOLS, SEEDS = sys.argv[1:6]
del sys.argv[1:]
sys.path.insert(0, TOOLS)

import make_checkpoint  # noqa: E402  (from the tools folder)


def run(*command, code=0):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == code, (command, done.returncode, done.stdout, done.stderr)
    return done


class Inputs(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def path(self, name):
        return self.folder / name

    def check_binary(self, model):
        pack = self.path("model.bkpack")
        run(PACK, "pack", model, "-o", pack)
        self.assertLess(pack.stat().st_size, model.stat().st_size)
        run(PACK, "verify", pack, "--against", model)
        run(PACK, "unpack", pack, "-o", self.path("again"))
        self.assertEqual(self.path("again").read_bytes(), model.read_bytes())
        info = json.loads(run(PACK, "info", pack, "--json").stdout)
        self.assertEqual(sum(entry["bytes"] for entry in info["entries"]), pack.stat().st_size)
        answers = [run(INFER, "-m", file, "-p", "abc", "-n", 12, "--temp", 0, "--json").stdout
                   for file in (model, pack)]
        self.assertEqual(*answers)
        run(PACK, "pack", pack, "-o", self.path("again.bkpack"))
        self.assertEqual(self.path("again.bkpack").read_bytes(), pack.read_bytes())
        return pack

    def test_a_bit1_file_is_packed_and_runs(self):
        model = self.path("model.bit1")
        run(BENCH, "--random-bit1", "5m", "--save", model, "-p", 0, "-n", 0)
        pack = self.check_binary(model)
        done = run(PACK, "plan", model, "--budget-bytes", "1MB", code=3)
        self.assertIn("strictly binary", done.stderr)
        for option in (("--to", "f16"), ("--scale", "row"), ("--bits", 4), ("--pre", "qwen2")):
            done = run(PACK, "pack", model, "-o", self.path("x.bkpack"), *option, code=2)
            self.assertIn(f"{option[0]} does not go with {model}, which is no", done.stderr)
        run(INFER, "-m", pack, "-p", "abc", "--perplexity")
        run(BENCH, "-m", pack, "-p", 8, "-n", 4, "-r", 1, "-t", 1)
        patch, carrier = self.path("rows.json"), self.path("carrier.bkpack")
        for row, code in ((3, 0), (10**6, 3)):
            flips = [{"layer": 0, "proj": "gate_proj", "row": row}]
            patch.write_text(json.dumps({"name": "rows", "base_model": "", "flips": flips,
                                         "description": "", "metadata": {}}))
            for source in (model, pack):
                run(PACK, "pack", source, "-o", carrier, "--force", "--patch", f"rows={patch}", code=code)
        run(INFER, "-m", carrier, "--patch", "rows", "-p", "abc", "-n", 2)

    def test_a_binary_residual_model_is_packed_and_runs(self):
        seed = pathlib.Path(SEEDS) / "gguf" / "binary_residual.gguf"
        if not seed.exists():
            self.skipTest("no small model of the architecture")
        self.check_binary(seed)

    def test_a_folder_is_packed_as_it_would_be_converted(self):
        checkpoint = self.path("llama")
        make_checkpoint.write_checkpoint("llama", checkpoint, make_checkpoint.random_weights("llama"))
        pack, plain = self.path("model.bkpack"), self.path("model.gguf")
        run(PACK, "pack", checkpoint, "-o", pack)
        # Types that are kept hold the same numbers.
        run(PACK, "unpack", pack, "-o", self.path("kept.gguf"))
        run(PACK, "convert", self.path("kept.gguf"), "-o", self.path("wide.gguf"), "--to", "f32")
        report = json.loads(run(PACK, "convert", checkpoint, "-o", plain, "--to", "f32", "--json").stdout)
        size = report["output_bytes"]
        self.assertEqual(self.path("wide.gguf").read_bytes()[-size:], plain.read_bytes()[-size:])
        self.assertLess(self.path("kept.gguf").stat().st_size, plain.stat().st_size)
        for options in (["--to", "q8_0"], ["--to", "q1_0", "--scale", "row"]):
            run(PACK, "pack", checkpoint, "-o", pack, "--force", *options)
            run(PACK, "convert", checkpoint, "-o", plain, "--force", *options)
            run(PACK, "verify", pack, "--against", plain)
        plan = json.loads(run(PACK, "plan", checkpoint, "--budget-bytes", "60kB", "--json").stdout)
        self.assertLessEqual(plan["total_bytes"], 60000)
        done = run(PACK, "pack", plain, "-o", pack, "--force", "--to", "q8_0", code=2)
        self.assertIn("no checkpoint folder", done.stderr)


if __name__ == "__main__":
    unittest.main()
