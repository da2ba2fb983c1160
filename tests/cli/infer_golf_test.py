#!/usr/bin/env python3
"""bankai-infer on generated parameter-golf checkpoints against golf_reference.py, and what
bankai-pack and bankai-bench make of them:
infer_golf_test.py BANKAI_INFER BANKAI_PACK BANKAI_BENCH MAKE_GOLF_CHECKPOINT"""
import importlib.util
import io
import json
import lzma
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

import golf_reference

PROGRAM, PACKER, BENCH, MAKER = sys.argv[1:5]
_spec = importlib.util.spec_from_file_location("make_golf_checkpoint", MAKER)
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

TEXT = "the hen in the inner tea \u00e9tat, a h\u00e4t and the theater.\n"
MAX_KL = 1e-8
# Checkpoints and bits. A value that lies between two codes as nearly as single precision tells
# would have another code in the reference; these have none.
KV_CASES = [("base3", 1, 32), ("base3", 1, 16), ("base3", 1, 8), ("base3", 2, 4), ("signs", 1, 2),
            ("base3", 1, 1.5), ("signs", 2, 1), ("bitmask", 1, 2), ("two-bit", 1, 2)]


def run(*arguments, program=PROGRAM):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


class GolfTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.vocabulary = cls.path("v.model")
        with open(cls.vocabulary, "wb") as out:
            out.write(maker.vocabulary_file(290))
        cls.pieces = maker.vocabulary_pieces(290)
        cls.text = cls.path("text.txt")
        with open(cls.text, "w", encoding="utf-8") as out:
            out.write(TEXT)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.directory.name, name)

    def write(self, codes, seed=1, compression=None, scales=maker.FLOAT16):
        checkpoint = maker.Checkpoint(codes, maker.SHAPES[codes, "small"], seed, scales)
        path = self.path(f"{codes}-{seed}.ptz")
        with open(path, "wb") as out:
            out.write(checkpoint.file(compression))
        return checkpoint, path

    def ok(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def fails(self, code, *arguments, program=PROGRAM):
        result = run(*arguments, program=program)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result.stderr

    def tokens(self, count=24):
        path = self.path("any.ptz")
        if not os.path.exists(path):
            with open(path, "wb") as out:
                out.write(maker.Checkpoint("two-bit", maker.SHAPES["two-bit", "small"], 1).file())
        ids = json.loads(self.ok("-m", path, "--tokenize", "-f", self.text, "--tokenizer",
                                 self.vocabulary, "--json"))["tokens"]
        return [1] + ids[:count - 1]

    def shard(self, tokens, name="tokens.bin"):
        path = self.path(name)
        with open(path, "wb") as out:
            out.write(struct.pack("<256i", 20240520, 1, len(tokens), *[0] * 253))
            out.write(struct.pack(f"<{len(tokens)}H", *tokens))
        return path

    def check_logits(self, checkpoint, path, reference, *options):
        rng = random.Random(5)
        tokens = [rng.randrange(checkpoint.shape.vocabulary) for _ in range(9)]
        out = self.path("logits.npy")
        self.ok("-m", path, "-f", self.shard(tokens), "-n", 0, "--logits-out", out, "--force",
                *options)
        with open(out, "rb") as file:
            data = file.read()
        start = 10 + struct.unpack_from("<H", data, 8)[0]
        width = checkpoint.shape.vocabulary
        worst = 0.0
        for row, expected in enumerate(reference.logits(tokens)):
            found = struct.unpack_from(f"<{width}f", data, start + 4 * width * row)
            worst = max(worst, golf_reference.kl(expected, found))
        self.assertLessEqual(worst, MAX_KL)
        # An instrument that sees a difference: other logits are far away.
        self.assertGreater(golf_reference.kl(expected, [0.0] * width), 1e-3)

    def test_every_form_equals_the_reference(self):
        for codes in maker.PACKERS:
            for seed in (1, 2):
                with self.subTest(codes=codes, seed=seed):
                    checkpoint, path = self.write(codes, seed)
                    self.check_logits(checkpoint, path, golf_reference.Reference(checkpoint))

    def test_keys_and_values_in_few_bits_equal_the_reference(self):
        for codes, seed, bits in KV_CASES:
            with self.subTest(codes=codes, bits=bits):
                checkpoint, path = self.write(codes, seed)
                reference = golf_reference.Reference(checkpoint, kv_bits=bits)
                self.check_logits(checkpoint, path, reference, "--kv-bits", bits)
                if bits < 16:  # the cache counts
                    plain = golf_reference.Reference(checkpoint).logits([1, 20])[-1]
                    kept = reference.logits([1, 20])[-1]
                    self.assertGreater(golf_reference.kl(plain, kept), 2 * MAX_KL)

    def test_memory_of_a_token_is_that_of_the_format(self):
        checkpoint, path = self.write("signs", 2)  # head dimension 12
        vectors = checkpoint.shape.passes * 2 * checkpoint.shape.kv_heads
        for bits, key, value in (("", 96, 96), ("32", 48, 48), ("16", 24, 24), ("8", 16, 20),
                                 ("4", 10, 12), ("2", 7, 8), ("1.5", 4, 4), ("1", 2, 2)):
            noted = run("-m", path, "-f", self.shard([1, 20]), "-n", 1, "--json", "-v",
                        *(["--kv-bits", bits] if bits else [])).stderr
            self.assertIn(f"{bits or 64} bits", noted)
            self.assertIn(f"{vectors * (key + value) // 2} bytes per token", noted)

    def test_divergence_is_that_of_the_logits(self):
        checkpoint, path = self.write("base3", 6)
        tokens = self.tokens()
        plain = golf_reference.Reference(checkpoint)
        kept = golf_reference.Reference(checkpoint, kv_bits=2)
        common = ("-m", path, "-f", self.shard(tokens), "--kl-divergence", "-c", 8, "--json")
        found = json.loads(self.ok(*common, "--kv-bits", 2))
        divergences = []
        for start in range(0, len(tokens) - 1, 8):
            chunk = tokens[start:start + 8][:-1]
            divergences += map(golf_reference.kl, plain.logits(chunk), kept.logits(chunk))
        self.assertEqual(found["positions"], len(divergences))
        self.assertAlmostEqual(found["mean_kld"], math.fsum(divergences) / len(divergences),
                               delta=1e-6)
        self.assertEqual(found["model"]["kv"], "2 bits (kv1)")
        self.assertAlmostEqual(found["shrink"], found["reference"]["kv_bytes_per_token"]
                               / found["model"]["kv_bytes_per_token"])
        # From itself nothing, for any kernels and threads.
        itself = json.loads(self.ok(*common, "--kv-bits", 4, "--kv-quant", "rotated", "-t", 2,
                                    "--reference-kv-bits", 4, "--reference-kv-quant", "rotated",
                                    "--reference-kernel", "scalar", "--reference", path))
        self.assertEqual(itself["maximum_kld"], 0.0)
        self.assertEqual(itself["shrink"], 1.0)
        other = self.path("other.gguf")
        with open(other, "wb") as out:
            out.write(b"GGUF" + bytes(60))
        self.assertIn("expected a parameter-golf checkpoint",
                      self.fails(3, *common, "--reference", other))
        for wrong in (("--reference-patch", path), ("--reference-activations", "a8")):
            self.fails(2, *common, *wrong)

    def test_bf16_scales_and_no_outer_compression(self):
        checkpoint, path = self.write("bitmask", 3, "none", maker.BFLOAT16)
        self.check_logits(checkpoint, path, golf_reference.Reference(checkpoint))

    def test_rederived_alpha_is_the_reload_bug(self):
        checkpoint, path = self.write("two-bit", 4)
        self.check_logits(checkpoint, path, golf_reference.Reference(checkpoint, rederived=True),
                          "--alpha", "rederived")
        _, grouped = self.write("base3", 4)
        self.assertIn("group scales", self.fails(2, "-m", grouped, "-f", self.shard([1, 2]), "-n",
                                                 0, "--logits-out", self.path("x.npy"), "--alpha",
                                                 "rederived"))

    def test_rules_can_be_set(self):
        checkpoint, path = self.write("two-bit", 5)
        rules = {"rope_base": 200000.0, "eps": 2.0**-7, "leak": 0.5, "cap": ("poly", 10.0),
                 "yarn": 2.0}
        self.check_logits(checkpoint, path, golf_reference.Reference(checkpoint, rules=rules),
                          "--golf", "rope-base=200000", "--golf", "eps=0.0078125", "--golf",
                          "leak=0.5", "--golf", "soft-cap=poly:10", "--golf", "yarn=2")
        for wrong in ("nothing=1", "eps", "eps=x", "passes=5", "soft-cap=sin:1"):
            self.fails(3 if wrong == "passes=5" else 2, "-m", path, "-p", "a", "--perplexity",
                       "--tokenizer", self.vocabulary, "--golf", wrong)

    def test_sliding_bits_per_byte(self):
        checkpoint, path = self.write("base3", 6)
        reference = golf_reference.Reference(checkpoint)
        tokens = self.tokens()
        context = 8
        for stride, limit in ((8, 0), (4, 0), (3, 0), (1, 0), (4, 2)):
            starts = [s for s in range(0, len(tokens), stride) if s + context < len(tokens)]
            starts = starts[:limit] if limit else starts
            bits, size, scored = 0.0, 0, 0
            for start in starts:
                rows = reference.logits(tokens[start:start + context])
                for i in range(context if start == 0 else stride):
                    row = i if start == 0 else context - stride + i
                    target = tokens[start + row + 1]
                    bits -= golf_reference.log_softmax(rows[row])[target] / math.log(2)
                    size += golf_reference.counted_bytes(self.pieces, target, tokens[start + row])
                    scored += 1
            with self.subTest(stride=stride, limit=limit):
                found = json.loads(self.ok("-m", path, "--perplexity", "-f", self.shard(tokens),
                                           "--tokenizer", self.vocabulary, "-c", context,
                                           "--stride", stride, "--chunks", limit, "--json"))
                self.assertEqual(found["tokens_scored"], scored)
                self.assertEqual(found["bytes_scored"], size)
                self.assertAlmostEqual(found["bits_per_byte"], bits / size, places=6)

    def test_text_and_token_file_agree_for_any_threads_and_kernels(self):
        _, path = self.write("signs", 7)
        tokens = self.tokens(10**6)
        common = ("--perplexity", "--tokenizer", self.vocabulary, "-c", 8, "--json")
        outputs = {self.ok("-m", path, "-f", self.text, *common),
                   self.ok("-m", path, "-f", self.shard(tokens), *common),
                   self.ok("-m", path, "-f", self.text, "-t", 2, *common),
                   self.ok("-m", path, "-f", self.text, "--kernel", "scalar", *common)}
        self.assertEqual(len(outputs), 1, outputs)
        found = json.loads(outputs.pop())
        # The whole text is counted, but for what does not fill a window.
        self.assertLessEqual(found["bytes_scored"], len(TEXT.encode()))

    def test_generation_follows_the_reference(self):
        for codes, seed in (("two-bit", 1), ("signs", 2)):
            checkpoint, path = self.write(codes, seed)
            reference = golf_reference.Reference(checkpoint)
            prompt = [1, 20, 99, 270]
            tokens, margins = list(prompt), []
            for _ in range(6):
                row = reference.logits(tokens)[-1]
                order = sorted(range(len(row)), key=lambda i: -row[i])
                margins.append(row[order[0]] - row[order[1]])
                tokens.append(order[0])
            self.assertGreater(min(margins), 1e-4)  # no tie that rounding could turn
            common = ("-m", path, "-n", 6, "--temp", 0, "--json")
            outputs = {self.ok(*common, "-f", self.shard(prompt), *more)
                       for more in ((), ("-t", 2), ("--kernel", "scalar"))}
            self.assertEqual(len(outputs), 1)
            found = json.loads(outputs.pop())
            self.assertEqual(found["prompt_tokens"], prompt)
            wanted = tokens[len(prompt):]
            self.assertEqual(found["tokens"], wanted[:len(found["tokens"])])
            self.assertEqual(len(found["tokens"]), 6)

    def test_text_is_continued(self):
        _, path = self.write("base3", 2)
        common = ("-m", path, "-p", "the hen", "--tokenizer", self.vocabulary, "-n", 8)
        found = json.loads(self.ok(*common, "--json"))
        self.assertEqual(self.ok(*common), found["text"] + "\n")
        self.assertEqual(found["prompt_tokens"][0], 1)  # BOS
        self.assertEqual(self.ok(*common, "--seed", 42), found["text"] + "\n")
        noted = run(*common, "-v").stderr
        self.assertIn("bytes per token", noted)

    def test_compare_counts_every_part(self):
        for codes in ("two-bit", "bitmask", "signs"):
            checkpoint, path = self.write(codes, 9)
            result = run("compare", path, "--json", program=PACKER)
            self.assertEqual(result.returncode, 0, result.stderr)
            found = json.loads(result.stdout)
            self.assertEqual(found["file_bytes"], os.path.getsize(path))
            self.assertEqual(found["total_bytes"], sum(e["bytes"] for e in found["entries"]))
            coded = [e for e in found["entries"] if e["kind"] in ("trits", "signs")]
            self.assertEqual({e["name"] for e in coded}, set(checkpoint.ternary))
            for entry in coded:
                stored = checkpoint.ternary[entry["name"]]
                self.assertEqual(entry["elements"], stored.get("n_trits", stored.get("n")))
            rest = {e["name"] for e in found["entries"] if e["kind"] == "numbers"}
            self.assertEqual(rest, set(checkpoint.other))
            text = run("compare", path, program=PACKER).stdout
            self.assertIn(f"published file {found['file_bytes']} bytes", text)
            self.assertNotIn(" \n", text)

    def test_speed_is_measured(self):
        _, path = self.write("base3", 2)
        common = ("-m", path, "-p", 9, "-n", 2, "-r", 1, "-t", 1)
        result = run(*common, "-d", "0,20", "--json", "--kv-bits", 2, program=BENCH)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = json.loads(result.stdout)
        for key in ("prompt_tps", "generation_tps", "read_gb_per_s", "int8_tmac_per_s",
                    "generation_fraction_of_bandwidth", "prompt_fraction_of_peak"):
            self.assertGreater(found[key], 0.0, key)
        self.assertEqual([(run["tokens"], run["depth"]) for run in found["generations"]],
                         [(2, 0), (2, 20)])
        self.assertEqual(found["model_bytes"], os.path.getsize(path))
        self.assertEqual(found["kv"], "2 bits (kv1)")
        self.assertIsNone(found["candidates_per_s"])
        text = run(*common, program=BENCH).stdout
        for part in ("prompt, 9 tokens", "generation, 2 tokens", "64 bits", "GB/s", "int8 peak"):
            self.assertIn(part, text)
        for wrong in (["--profile"], ["--activations", "a8"], ["-c", 2], ["-p", 1025],
                      ["--target", self.text], ["--golf", "nothing=1"]):
            self.fails(2, "-m", path, *wrong, program=BENCH)

    def test_other_commands_say_which_take_them(self):
        _, path = self.write("base3", 2)
        for command in (["pack", "-o", self.path("o")], ["plan", "--budget-bytes", 9], ["info"],
                        ["verify"], ["unpack", "-o", self.path("o")],
                        ["convert", "-o", self.path("o"), "--to", "tq2_0"]):
            message = self.fails(3, *command, path, program=PACKER)
            self.assertIn("as parameter-golf checkpoints are", message)
            self.assertIn("bankai-pack compare", message)

    def test_a_tensor_that_is_there_twice_is_refused(self):
        checkpoint = maker.Checkpoint("two-bit", maker.SHAPES["two-bit", "tiny"], 1)
        name = next(iter(checkpoint.ternary))
        checkpoint.other[name] = maker.tensor(maker.FLOAT16, (1,), [0.0])[0]
        path = self.path("twice.ptz")
        with open(path, "wb") as out:
            out.write(checkpoint.file())
        message = self.fails(3, "-m", path, "--perplexity", "-f", self.shard([1, 2, 3]))
        self.assertIn("second tensor", message)
        self.assertIn(name, message)

    def write_table(self, name, rows, cols, padded_cols, group, scales, code_bytes):
        """An xz file whose table of tokens has signs and scales, all 0."""
        def text(content):
            return b"X" + struct.pack("<I", len(content)) + content.encode()

        def number(value):
            return b"\x8a\x08" + struct.pack("<q", value)

        storage = b"((" + text("storage") + b"ctorch\nHalfStorage\n" + text("0") + text("cpu")
        scale = (b"ctorch._utils\n_rebuild_tensor_v2\n" + storage + number(scales) + b"tQ"
                 + number(0) + number(scales) + b"\x85" + number(1)
                 + b"\x85\x89ccollections\nOrderedDict\n)RtR")
        entry = (text("type") + text("binary") + text("shape") + number(rows) + number(cols)
                 + b"\x86" + text("padded_cols") + number(padded_cols) + text("group_size")
                 + number(group) + text("scale") + scale + text("packed") + b"B"
                 + struct.pack("<I", code_bytes) + bytes(code_bytes))
        plain = io.BytesIO()
        with zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("m/data.pkl",
                             b"\x80\x02}(" + text("tok_emb.weight") + b"}(" + entry + b"uu.")
            archive.writestr("m/data/0", bytes(2 * scales))
        path = self.path(name)
        with open(path, "wb") as out:
            out.write(lzma.compress(plain.getvalue()))
        return path

    def test_groups_beyond_every_matrix_are_refused(self):
        # 2^24 rows of 2^40 columns are 0 modulo 2^64: no codes and no scales, but a matrix.
        path = self.write_table("huge.ptz", 2**24, 1, 2**40, 2**40, 0, 0)
        self.assertIn("do not fill groups", self.fails(3, "-m", path, "--tokenize", "-p", "x"))

    def test_memory_follows_the_content(self):
        # One row would leave 15 of 16 places in its columns free; a scale takes what it needs.
        for rows, cols, message in ((1, 2**20, "too wide for so few rows"),
                                    (16, 2**16, "attn.q_gain|no tensor|skip_weights")):
            path = self.write_table("wide.ptz", rows, cols, cols, 1, rows * cols, rows * cols // 8)
            self.assertLess(os.path.getsize(path), 2000)
            process = subprocess.Popen([PROGRAM, "-m", path, "--tokenize", "-p", "x"],
                                       stderr=subprocess.PIPE, text=True)
            found = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stderr.close()
            self.assertEqual(process.returncode, 3, found)
            self.assertRegex(found, message)
            self.assertLess(usage.ru_maxrss, 300 * 1024)  # KiB

    def test_wrong_use(self):
        _, path = self.write("two-bit", 8)
        self.assertIn("--tokenizer", self.fails(2, "-m", path, "--perplexity", "-f", self.text))
        self.fails(2, "-m", path, "-f", self.shard([1, 2]), "-n", 3)  # text without a vocabulary
        for job in (["-n", 3, "--kv-bits", 3], ["-n", 3, "--chunks", 2], ["-n", 3, "--patch", path],
                    ["-n", 3, "--tie", "latest"], ["-n", 3, "--activations", "a16"]):
            self.fails(2, "-m", path, "-p", "a", "--tokenizer", self.vocabulary, *job)
        self.fails(2, "-m", path, "--probes", path, "--tokenizer", self.vocabulary)
        self.fails(2, "-m", path, "--perplexity", "-f", self.text, "--tokenizer", self.vocabulary,
                   "--alpha", "other")
        self.fails(3, "-m", path, "--perplexity", "-f", self.text, "--tokenizer", self.text)
        self.fails(3, "-m", path, "--perplexity", "-f", self.shard([1, 60000], "far.bin"))
        with open(path, "rb") as file:
            data = file.read()
        cut = self.path("cut.ptz")
        with open(cut, "wb") as out:
            out.write(data[:-9])
        self.assertIn("cut.ptz", self.fails(3, "-m", cut, "--perplexity", "-f",
                                            self.shard([1, 2, 3])))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
