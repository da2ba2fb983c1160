"""bankai-pack convert from the outside: generated checkpoints become GGUF files that bankai-infer runs
with the logits of an independent reference; refusals; re-encoding.

usage: pack_convert_test.py BANKAI_PACK BANKAI_INFER TOOLS_FOLDER DEMO_FOLDER
"""
import json
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

DEMO = pathlib.Path(sys.argv.pop(4))
sys.path.insert(0, sys.argv.pop(3))
INFER = sys.argv.pop(2)
PACK = sys.argv.pop(1)

import make_checkpoint  # noqa: E402  (from the tools folder)

TEXT = "the cat 42\n<think>"
# By hand, from the merges of make_checkpoint: no longer words, and digits stand alone.
TOKENS = ["the", " ", "c", "a", "t", " ", "4", "2", "\n", "<think>"]


def run(*arguments):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)


def read_npy(path):
    """Rows of a float32 matrix."""
    data = path.read_bytes()
    size = struct.unpack("<H", data[8:10])[0]
    shape = eval(data[10:10 + size].decode().split("'shape':")[1].split(")")[0] + ")")
    values = struct.unpack(f"<{shape[0] * shape[1]}f", data[10 + size:])
    return [values[r * shape[1]:(r + 1) * shape[1]] for r in range(shape[0])]


class Convert(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def checkpoint(self, kind):
        weights = make_checkpoint.random_weights(kind)
        make_checkpoint.write_checkpoint(kind, self.folder / kind, weights)
        return self.folder / kind, weights

    def convert(self, source, name, *options):
        out = self.folder / name
        result = run(PACK, "convert", source, "-o", out, "--quiet", *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return out

    def refused(self, code, message, source, *options):
        out = self.folder / "refused.gguf"
        result = run(PACK, "convert", source, "-o", out, "--quiet", *options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn(message, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertFalse(out.exists())

    def tokens(self, model):
        result = run(INFER, "-m", model, "-p", TEXT, "--tokenize", "--json", "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)["tokens"]

    def logits(self, model, *options):
        out = self.folder / "logits.npy"
        result = run(INFER, "-m", model, "-p", TEXT, "-n", 0, "--logits-out", out, "--force",
                     "--quiet", *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return read_npy(out)

    def distance(self, ours, reference):
        """Root mean square of the difference, relative to the reference's."""
        self.assertEqual(len(ours), len(reference))
        pairs = [(a, b) for x, y in zip(ours, reference) for a, b in zip(x, y, strict=True)]
        return math.sqrt(sum((a - b) ** 2 for a, b in pairs) / sum(b * b for _, b in pairs))

    def check_logits(self, kind, limit):
        folder, weights = self.checkpoint(kind)
        model = self.convert(folder, kind + ".f32.gguf", "--to", "f32")
        vocabulary = make_checkpoint.tokenizer_json(kind)
        ids = {**vocabulary["model"]["vocab"],
               **{t["content"]: t["id"] for t in vocabulary["added_tokens"]}}
        alphabet = make_checkpoint.byte_alphabet()
        wanted = [ids.get(t, ids.get("".join(alphabet[b] for b in t.encode()))) for t in TOKENS]
        tokens = self.tokens(model)
        self.assertEqual(tokens, wanted)
        reference = make_checkpoint.Reference(kind, weights).logits(tokens)
        self.assertLess(self.distance(self.logits(model, "--kv-type", "f32"), reference), limit)
        return folder, model, reference

    def test_logits_are_those_of_the_reference(self):
        for kind in ("llama", "llama3", "qwen2", "qwen3", "bitnet", "banana_kv1"):
            with self.subTest(kind=kind):
                self.check_logits(kind, 1e-5)

    def test_sentence_pieces_are_taken_as_they_are(self):
        folder, weights = self.checkpoint("mistral")
        model = self.convert(folder, "mistral.gguf", "--to", "f32")
        _, pieces = make_checkpoint.tokenizer_model()
        mark = "\u2581"
        wanted = [mark + "the", mark, "c", "at", mark, "4", "<0x32>", "<0x0A>"]
        tokens = self.tokens(model)
        self.assertEqual(tokens, [pieces.index(p) for p in wanted] + [len(pieces)])
        reference = make_checkpoint.Reference("mistral", weights).logits([1] + tokens)
        self.assertLess(self.distance(self.logits(model, "--kv-type", "f32"), reference), 1e-5)
        again = self.convert(model, "q8_0.gguf", "--to", "q8_0")
        self.assertEqual(self.tokens(again), tokens)
        self.refused(3, "a SentencePiece vocabulary cannot be written", model, "--to", "mlx")
        path = folder / "tokenizer.model"
        good = path.read_bytes()
        for change, message in (
                ((b"\x18\x02", b"\x18\x01"), "its pieces are not merged by score"),
                ((b"\x20\x00", b"\x20\x01"), "it removes spaces"),
                ((b"\x03<s>", b"\xff<s>"), "no SentencePiece vocabulary: a field that ends")):
            path.write_bytes(b"".join(good.rpartition(change[0])[:1] + (change[1],)
                                      + good.rpartition(change[0])[2:]))
            self.refused(3, message, folder, "--to", "f32")
        path.write_bytes(good)
        added = folder / "added_tokens.json"
        for place in (5, len(pieces)):  # a piece has it, or another file says otherwise
            added.write_text(json.dumps({"<other>": place}))
            self.refused(3, f"both have the id {place}", folder, "--to", "f32")
        added.write_text(json.dumps({pieces[5]: 5, "<think>": len(pieces)}))
        self.assertEqual(self.tokens(self.convert(folder, "twice.gguf", "--to", "f32")), tokens)

    def test_mlx_words_become_q1_0_bit_for_bit(self):
        folder, floats, reference = self.check_logits("mlx", 1e-5)
        model = self.convert(folder, "q1_0.gguf", "--to", "q1_0", "--embedding", "q1_0")
        again = self.convert(floats, "again.gguf", "--to", "q1_0", "--embedding", "q1_0")
        self.assertEqual(model.read_bytes()[-10000:], again.read_bytes()[-10000:])
        self.assertLess(self.distance(self.logits(model, "--activations", "a16"), reference), 2e-3)

    def test_mlx_words_come_back_from_gguf_as_they_were(self):
        folder, _ = self.checkpoint("mlx")
        model = self.convert(folder, "q1_0.gguf", "--to", "q1_0")
        out = self.folder / "written"
        self.convert(model, "written", "--to", "mlx")
        self.refused_folder(out, model)
        first, second = (self.tensors(f / "model.safetensors") for f in (folder, out))
        for name, (dtype, shape, data) in first.items():
            self.assertEqual(second[name][1], shape)
            if dtype != "BF16":  # norms come back as F32
                self.assertEqual(second[name], (dtype, shape, data), name)
        again = self.convert(out, "again.gguf", "--to", "q1_0")
        self.assertEqual(self.tokens(again), self.tokens(model))
        self.assertEqual(self.logits(again), self.logits(model))

    def test_the_demo_goes_to_mlx_and_back(self):
        demo = next(DEMO.glob("*.gguf"))
        folder = self.convert(demo, "mlx", "--to", "mlx")
        back = self.convert(folder, "back.gguf", "--to", "q1_0")
        self.assertEqual(self.tokens(back), self.tokens(demo))
        self.assertEqual(self.logits(back), self.logits(demo))

    def test_only_one_bit_goes_to_mlx(self):
        folder, _ = self.checkpoint("banana_kv1")
        model = self.convert(folder, "q8_0.gguf", "--to", "q8_0")
        self.refused(3, "is Q8_0; only Q1_0 and floats", model, "--to", "mlx")

    def refused_folder(self, folder, model):
        result = run(PACK, "convert", model, "-o", folder, "--to", "mlx")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("model.safetensors", result.stderr)

    @staticmethod
    def tensors(path):
        data = path.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        return {name: (t["dtype"], t["shape"],
                       data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]])
                for name, t in header.items() if name != "__metadata__"}

    def test_asymmetric_words_are_counted(self):
        folder, _ = self.checkpoint("mlx")
        path = folder / "model.safetensors"
        data = bytearray(path.read_bytes())
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        place = header["model.layers.1.mlp.up_proj.biases"]["data_offsets"][0] + 8 + size
        for group in (3, 7):
            data[place + 2 * group:place + 2 * group + 2] = struct.pack("<e", 0.25)
        path.write_bytes(data)
        self.refused(3, "2 groups are not symmetric (scale = -2 bias), so Q1_0 cannot hold them; the "
                     "first is tensor 'model.layers.1.mlp.up_proj', row 3, group 0", folder,
                     "--to", "q1_0", "--embedding", "q1_0")
        self.convert(folder, "f16.gguf", "--to", "f16")

    def test_every_type_gives_a_model_that_runs(self):
        folder, _ = self.checkpoint("banana_kv1")
        model = self.convert(folder, "f32.gguf", "--to", "f32")
        exact = self.logits(model)
        limits = {"f16": 1e-3, "bf16": 1e-5, "q8_0": 0.08, "q1_0": 2, "q2_0": 2}
        for name, limit in limits.items():
            for scale in ("tensor", "row", "group") if limit == 2 else ("group",):
                with self.subTest(type=name, scale=scale):
                    direct = self.convert(folder, f"{name}.{scale}.gguf", "--to", name, "--scale",
                                          scale, "-t", 1)
                    two = self.convert(folder, "two.gguf", "--force", "--to", name, "--scale", scale,
                                       "-t", 2)
                    self.assertEqual(direct.read_bytes(), two.read_bytes())
                    self.assertLess(self.distance(self.logits(direct), exact), limit)
        few = self.convert(folder, "few.gguf", "--to", "q8_0", "--bits", 4)
        self.assertLess(self.distance(self.logits(few), exact), 0.5)

    def test_packed_trits_are_kept_exactly(self):
        # A scale that is a half is in the blocks, another one in a tensor of its own.
        for kind, scales in (("bitnet_packed", 0), ("bitnet_divided", 14)):
            with self.subTest(kind=kind):
                folder, floats, _ = self.check_logits(kind, 1e-5)
                model = self.convert(folder, kind + ".gguf", "--to", "q2_0", "--embedding", "f32")
                self.assertEqual(model.read_bytes().count(b".scale"), scales)
                self.assertLess(self.distance(
                    self.logits(model, "--activations", "a16", "--kv-type", "f32"),
                    self.logits(floats, "--kv-type", "f32")), 2e-4)

    def test_bad_packed_trits_are_refused_with_the_place(self):
        folder, _ = self.checkpoint("bitnet_packed")
        path = folder / "model.safetensors"
        good = path.read_bytes()
        tensors = self.tensors(path)
        name = "model.layers.1.mlp.up_proj.weight"
        cases = [
            ((name, "U8", [64, 128], b"\x01" * 131 + b"\x07" + b"\x01" * 8060),
             "the byte 0x07 in row 1, column 3 holds the code 3"),
            ((name, "U8", [32, 256], tensors[name][2]), "expected U8 of 64 × 128, four weights"),
            ((name + "_scale", "F32", [2], b"\0" * 8), "holds 8 bytes of F32, expected one float"),
            ((name + "_scale", "F32", [1], b"\0" * 4), "is 0, expected a positive number"),
            ((name + "_other", "F32", [1], b"\0" * 4), "1 tensors have no place"),
        ]
        for (changed, dtype, shape, data), message in cases:
            with self.subTest(message=message):
                make_checkpoint.write_safetensors(path, {**tensors, changed: (dtype, shape, data)})
                self.refused(3, message, folder, "--to", "q2_0")
        make_checkpoint.write_safetensors(
            path, {k: v for k, v in tensors.items() if k != name + "_scale"})
        self.refused(3, "up_proj.weight_scale' is missing", folder, "--to", "q2_0")
        path.write_bytes(good)
        for method, message in (({"quant_method": "gptq"}, "'quant_method' is 'gptq'; only bitnet"),
                                ({"quant_method": "bitnet", "linear_class": "x"},
                                 "'linear_class' is 'x'"),
                                (None, "holds U8; packed weights of this kind are not known")):
            self.edit_config(folder, quantization_config=method)
            self.refused(3, message, folder, "--to", "q2_0")

    def test_gguf_files_are_encoded_anew(self):
        demo = next(DEMO.glob("*.gguf"))
        same = self.convert(demo, "q1_0.gguf", "--to", "q1_0")
        self.assertEqual(same.read_bytes()[-300000:], demo.read_bytes()[-300000:])
        wide = self.convert(demo, "f16.gguf", "--to", "f16")
        back = self.convert(wide, "back.gguf", "--to", "q1_0", "--embedding", "q1_0")
        self.assertEqual(back.read_bytes()[-300000:], demo.read_bytes()[-300000:])

    def test_json_says_what_was_done(self):
        folder, _ = self.checkpoint("banana_kv1")
        result = run(PACK, "convert", folder, "-o", self.folder / "m.gguf", "--to", "bf16", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["architecture"], "llama")
        self.assertEqual(report["tensors"], 2 + 2 * 9)

    def test_wrong_usage(self):
        folder, _ = self.checkpoint("banana_kv1")
        self.refused(2, "--to TYPE is missing", folder)
        self.refused(2, "--to i2_s: expected one of f32, f16, q8_0", folder, "--to", "i2_s")
        self.refused(2, "--scale word: expected", folder, "--to", "q1_0", "--scale", "word")
        self.refused(2, "--bits 9: expected", folder, "--to", "q8_0", "--bits", 9)
        self.refused(2, "128 columns are no multiple of 256, the block of TQ2_0", folder, "--to",
                     "tq2_0")

    def edit_config(self, folder, **changes):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        config.update(changes)
        path.write_text(json.dumps(config))

    def test_bad_checkpoints_are_refused_with_the_place(self):
        cases = [
            ({"model_type": "gpt_neox"}, "model_type 'gpt_neox'"),
            ({"num_hidden_layers": 0}, "'num_hidden_layers' is 0, expected 1 to 4096"),
            ({"num_hidden_layers": 3}, "tensor 'layers.2.input_layernorm.weight' is missing"),
            ({"num_hidden_layers": 1}, "9 tensors have no place in the architecture llama"),
            ({"hidden_size": 1.5}, "'hidden_size' is a number, expected a whole number"),
            ({"hidden_size": -128}, "'hidden_size' is a number, expected a whole number"),
            ({"hidden_size": 256}, "has the shape [320 × 128], expected [320 × 256]"),
            ({"vocab_size": 1 << 24}, "expected [16777216 × 128]"),
            ({"num_key_value_heads": 3}, "expected even heads that share keys evenly"),
            ({"rope_scaling": {"rope_type": "longrope"}}, "is 'longrope'; known are"),
            ({"rope_scaling": {"rope_type": "llama3", "low_freq_factor": 4}},
             "'low_freq_factor' is 4, expected less than 'high_freq_factor', 4"),
            ({"model_type": "mistral", "sliding_window": 64}, "'sliding_window' is 64 of 512"),
            ({"rope_scaling": {"type": "linear", "factor": 0.5}}, "'factor' is 0.5"),
            ({"attention_bias": True}, "'attention_bias' is set"),
            ({"rms_norm_eps": "x"}, "'rms_norm_eps' is a string, expected a number"),
            ({"quantization": {"bits": 4, "group_size": 64}}, "4 bits in groups of 64"),
        ]
        for changes, message in cases:
            with self.subTest(changes=changes):
                folder, _ = self.checkpoint("banana_kv1")
                self.edit_config(folder, **changes)
                self.refused(3, message, folder, "--to", "f16")

    def test_bad_tokenizers_are_refused_with_the_place(self):
        def nothing(t):
            t.clear()

        def pieces(t):
            t["pre_tokenizer"] = {"type": "Metaspace"}

        def words(t):
            t["model"]["type"] = "WordPiece"

        def outside(t):
            t["model"]["vocab"]["zz"] = 320

        def twice(t):
            t["model"]["vocab"]["zz"] = 5

        def unknown(t):
            t["pre_tokenizer"]["pretokenizers"][0] = {
                "type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated"}

        def lower(t):
            t["normalizer"] = {"type": "Lowercase"}

        def merge(t):
            t["model"]["merges"] = [["a", "b", "c"]]

        def prefix(t):
            t["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True

        cases = [(nothing, "'model' is missing"), (pieces, "only byte-level BPE"),
                 (words, "'WordPiece'; only BPE"), (outside, "the embedding has only 320 rows"),
                 (twice, "both have the id 5"), (unknown, "none of the known pre-tokenizers"),
                 (lower, "'Lowercase'"), (merge, "expected two parts"),
                 (prefix, "'add_prefix_space' is not as expected")]
        for change, message in cases:
            with self.subTest(change=change.__name__):
                folder, _ = self.checkpoint("banana_kv1")
                path = folder / "tokenizer.json"
                tokenizer = json.loads(path.read_text())
                change(tokenizer)
                path.write_text(json.dumps(tokenizer))
                self.refused(3, message, folder, "--to", "f16")
        path.write_text("[" * 100000)
        self.refused(3, "tokenizer.json: nested deeper than", folder, "--to", "f16")
        path.unlink()
        self.refused(1, "tokenizer.json", folder, "--to", "f16")

    def test_weights_that_are_no_numbers_are_refused(self):
        folder, _ = self.checkpoint("banana_kv1")
        path = folder / "model.safetensors"
        data = bytearray(path.read_bytes())
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        place = header["layers.1.mlp.down_proj.weight"]["data_offsets"][0] + 8 + size
        is_float = header["layers.1.mlp.down_proj.weight"]["dtype"] == "F32"
        at = place + (256 * 5 + 9) * (4 if is_float else 2)
        data[at:at + (4 if is_float else 2)] = b"\xff" * (4 if is_float else 2)
        path.write_bytes(data)
        self.refused(3, "tensor 'blk.1.ffn_down.weight': row 5, column 9: the weight is", folder,
                     "--to", "q1_0")


if __name__ == "__main__":
    unittest.main()
