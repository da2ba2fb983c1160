"""bankai-infer from the outside, on the demo model: every job, exit codes, damage.

usage: infer_test.py BANKAI_INFER BANKAI_PATCH DEMO_FOLDER
"""
import array
import ast
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
PATCH_PROGRAM = sys.argv.pop(1)
DEMO = pathlib.Path(sys.argv.pop(1))
MODEL = DEMO / "bankai-demo-5m.gguf"
PROMPT = "Sum: 28 + 92 ="


def rows(layer, proj, count):
    return [{"layer": layer, "proj": proj, "row": row} for row in range(0, 3 * count, 3)]


def read_npy(path):
    """Shape and numbers of a version 1.0 file of little-endian float32 in C order."""
    content = path.read_bytes()
    assert content[:8] == b"\x93NUMPY\x01\x00", content[:8]
    end = 10 + int.from_bytes(content[8:10], "little")
    header = ast.literal_eval(content[10:end].decode("latin-1"))
    assert header["descr"] == "<f4" and header["fortran_order"] is False, header
    assert end % 64 == 0 and content[end - 1:end] == b"\n"
    values = array.array("f")
    values.frombytes(content[end:])
    return header["shape"], values


class InferProgram(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def write(self, name, content):
        self.path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def raw(self, *arguments, stdin=b"", model=MODEL, environment=None):
        threads = [] if "-t" in arguments else ["-t", 1]
        command = [PROGRAM, "-m", model, *threads, *arguments]
        return subprocess.run([str(part) for part in command], input=stdin, capture_output=True,
                              env={**os.environ, **(environment or {})}, check=False)

    def infer(self, *arguments, code=0, **more):
        """Standard output as text, or the error."""
        done = self.raw(*arguments, **more)
        error = done.stderr.decode()
        self.assertEqual(done.returncode, code, error)
        if code == 0:
            return done.stdout.decode()
        self.assertEqual(done.stdout, b"")
        self.assertEqual(error.count("\n"), 1, "an error is one line: " + error)
        self.assertTrue(error.startswith("bankai-infer: "), error)
        return error

    def json(self, *arguments, **more):
        text = self.infer(*arguments, "--json", **more)
        self.assertEqual(text.count("\n"), 1, "one object, one line")
        return json.loads(text)

    def patch(self, *arguments):
        subprocess.run([PATCH_PROGRAM, *map(str, arguments)], check=True, capture_output=True)

    def make_patch(self, name, flips, model=MODEL):
        """A patch that is bound to `model`."""
        loose = self.write("loose.json", json.dumps({"flips": flips}))
        self.patch("convert", loose, "-o", self.path(name), "-m", model)
        return self.path(name)

    def probe_file(self, count=6):
        probes = json.loads((DEMO / "probes" / "sums.heldout.json").read_text())[:count]
        return self.write("probes.json", json.dumps(probes))


class Generating(InferProgram):
    def test_prints_the_text_and_nothing_else(self):
        done = self.raw("-p", PROMPT, "-n", 6, "--temp", 0)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        object = self.json("-p", PROMPT, "-n", 6, "--temp", 0)
        self.assertEqual(done.stdout.decode(), object["text"] + "\n")
        self.assertEqual(object["text"].split("\n")[0].strip(), "120")
        self.assertEqual(len(object["tokens"]), 6)
        self.assertEqual(set(object), {"prompt_tokens", "tokens", "text"})

    def test_zero_tokens_are_no_text(self):
        self.assertEqual(self.infer("-p", PROMPT, "-n", 0), "")
        object = self.json("-p", PROMPT, "-n", 0)
        self.assertEqual((object["tokens"], object["text"]), ([], ""))
        self.assertGreater(len(object["prompt_tokens"]), 0)

    def test_is_the_same_whatever_computes_it(self):
        names = subprocess.run([PROGRAM, "--list-kernels"], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        kernels = [name for name in names if "not on this machine" not in name]
        self.assertIn("scalar", kernels)
        for precision in ("a8", "a16"):
            job = ["-p", PROMPT, "-n", 8, "--temp", 1, "--activations", precision]
            texts = {self.infer(*job, "-t", threads, "--kernel", kernel)
                     for kernel in kernels for threads in (1, 2, 3)}
            texts.add(self.infer(*job, environment={"BANKAI_KERNEL": "scalar"}))
            self.assertEqual(len(texts), 1)

    def test_the_seed_decides(self):
        job = ["-p", "The", "-n", 24, "--temp", 2, "--top-k", 0, "--min-p", 0, "--top-p", 1]
        first = self.infer(*job, "-s", 1)
        self.assertEqual(self.infer(*job, "--seed", 1), first)
        self.assertNotEqual(self.infer(*job, "-s", 2), first)

    def test_without_a_limit_it_ends_with_the_context(self):
        object = self.json("-p", PROMPT, "-n", -1, "--temp", 0)
        self.assertLessEqual(len(object["prompt_tokens"]) + len(object["tokens"]), 512)
        self.assertGreater(len(object["tokens"]), 128)

    def test_prompts_come_from_files_and_standard_input(self):
        expected = self.infer("-p", PROMPT, "-n", 8, "--temp", 0)
        file = self.write("prompt.txt", PROMPT)
        self.assertEqual(self.infer("-f", file, "-n", 8, "--temp", 0), expected)
        self.assertEqual(self.infer("-f", "-", "-n", 8, "--temp", 0, stdin=PROMPT.encode()), expected)

    def test_warns_beyond_the_declared_context(self):
        done = self.raw("-p", "7" * 600, "-n", 1)
        self.assertEqual(done.returncode, 0)
        self.assertIn("beyond the context of 512", done.stderr.decode())
        self.assertEqual(self.raw("-p", "7" * 600, "-n", 1, "-q").stderr, b"")

    def test_an_empty_prompt_is_refused(self):
        self.assertIn("empty", self.infer("-f", "-", code=2))

    def test_verbose_tells_times_beside_the_result(self):
        done = self.raw("-p", PROMPT, "-n", 6, "--temp", 0, "-v")
        self.assertIn("tokens/s", done.stderr.decode())
        self.assertEqual(done.stdout.decode(), self.infer("-p", PROMPT, "-n", 6, "--temp", 0))


class Logits(InferProgram):
    def test_are_those_that_the_program_uses(self):
        out = self.path("logits.npy")
        object = self.json("-p", PROMPT, "-n", 1, "--temp", 0, "--logits-out", out)
        shape, values = read_npy(out)
        self.assertEqual(shape, (len(object["prompt_tokens"]), 1024))
        self.assertEqual(len(values), shape[0] * shape[1])
        last = values[-1024:]
        self.assertEqual(max(range(1024), key=last.__getitem__), object["tokens"][0])
        # The text's own likelihood, from the logits and from --perplexity.
        total = 0.0
        for i, token in enumerate(object["prompt_tokens"][1:]):
            row = values[1024 * i:1024 * (i + 1)]
            total += math.log(sum(math.exp(x) for x in row)) - row[token]
        nll = self.json("--perplexity", "-p", PROMPT)["nll"]
        self.assertAlmostEqual(total / (len(object["prompt_tokens"]) - 1), nll, places=4)

    def test_are_written_in_pieces_without_a_seam(self):
        text = (DEMO / "text" / "general.heldout.txt").read_bytes()[:5000]
        long, short = self.path("long.npy"), self.path("short.npy")
        self.infer("-f", "-", "-n", 0, "-q", "--logits-out", long, stdin=text)
        self.infer("-f", "-", "-n", 0, "-q", "--logits-out", short, stdin=text[:1000])
        (count, _), values = read_npy(long)
        self.assertGreater(count, 1024)
        shared = read_npy(short)[0][0] - 1  # the cut may change the last token
        self.assertEqual(values[:1024 * shared], read_npy(short)[1][:1024 * shared])

    def test_replace_a_file_only_when_forced(self):
        out = self.write("logits.npy", "precious")
        self.infer("-p", PROMPT, "-n", 0, "--logits-out", out, code=2)
        self.assertEqual(out.read_text(), "precious")
        self.infer("-p", PROMPT, "-n", 0, "--logits-out", out, "--force")
        self.assertEqual(read_npy(out)[0][1], 1024)
        self.infer("-p", PROMPT, "-n", 0, "--logits-out", self.path("no/where.npy"), code=1)
        self.assertEqual({p.name for p in self.path("").iterdir()}, {"logits.npy"})


class Perplexity(InferProgram):
    TEXT = DEMO / "text" / "sums.heldout.txt"

    def test_has_the_promised_keys(self):
        result = self.json("--perplexity", "-f", self.TEXT)
        for key in ("tokens_scored", "nll", "perplexity", "bits_per_byte"):
            self.assertIn(key, result)
        self.assertAlmostEqual(result["perplexity"], math.exp(result["nll"]))
        self.assertEqual(result["context"], 512)
        text = self.infer("--perplexity", "-f", self.TEXT, "-q")
        self.assertIn(f"{result['nll']:.6f}", text)
        self.assertIn(f"{result['bits_per_byte']:.6f}", text)

    def test_a_smaller_stride_sees_more_and_scores_the_same(self):
        text = self.write("text", (DEMO / "text" / "general.heldout.txt").read_bytes()[:4000])
        whole = self.json("--perplexity", "-f", text, "-c", 64)
        dense = self.json("--perplexity", "-f", text, "--ctx", 64, "--stride", 8)
        self.assertEqual(whole["tokens_scored"], dense["tokens_scored"])
        self.assertLess(dense["nll"], whole["nll"])

    def test_wrong_sizes_and_texts(self):
        self.assertIn("--stride 65", self.infer("--perplexity", "-f", self.TEXT, "-c", 64,
                                                "--stride", 65, code=2))
        self.infer("--perplexity", "-f", self.TEXT, "-c", 0, code=2)
        self.infer("--perplexity", "-f", self.TEXT, "--stride", -1, code=2)
        self.assertIn("fewer than two tokens", self.infer("--perplexity", "-p", "x", code=3))
        self.infer("--perplexity", "-f", "/nowhere/text", code=1)


class Probes(InferProgram):
    def test_have_the_promised_keys(self):
        file = self.probe_file()
        result = self.json("--probes", file)
        self.assertEqual(result["num_probes"], 6)
        self.assertEqual(result["num_correct"], sum(p["correct"] for p in result["probes"]))
        self.assertAlmostEqual(result["mean_score"],
                               sum(p["score"] for p in result["probes"]) / 6)
        for probe, source in zip(result["probes"], json.loads(file.read_text())):
            self.assertEqual(probe["name"], source["name"])
            if probe["correct"]:
                self.assertTrue(probe["generated"].startswith(source["correct"]))
        text = self.infer("--probes", file, "-q")
        for probe in result["probes"]:
            self.assertIn(probe["name"], text)
        self.assertIn(f"{result['num_correct']} of 6", text)

    def test_the_metric_changes_scores_and_not_answers(self):
        file = self.probe_file()
        results = {metric: self.json("--probes", file, "--metric", metric)
                   for metric in ("nll", "margin", "seq_logprob", "token_gap")}
        answers = {json.dumps([p["generated"] for p in r["probes"]]) for r in results.values()}
        self.assertEqual(len(answers), 1)
        means = {r["mean_score"] for r in results.values()}
        self.assertEqual(len(means), 4)
        self.assertLess(results["nll"]["mean_score"], 0)
        for probe in results["margin"]["probes"]:
            self.assertEqual(probe["score"] > 0, probe["correct"], "right answers beat their rivals")

    def test_answers_can_be_cut_short(self):
        result = self.json("--probes", self.probe_file(), "--answer-tokens", 1)
        self.assertTrue(all(len(p["generated"]) <= 4 for p in result["probes"]))

    def test_several_files_are_one_list(self):
        capitals = DEMO / "probes" / "short_capitals.search.json"
        result = self.json("--probes", self.probe_file(), "--probes", capitals)
        self.assertEqual(result["num_probes"], 6 + len(json.loads(capitals.read_text())))

    def test_bad_files_are_named(self):
        self.assertIn("probes.json", self.infer("--probes", self.write("probes.json", "[{}]"), code=3))
        self.infer("--probes", self.path("missing.json"), code=1)
        self.assertIn("--perplexity", self.infer("--probes", self.write("t.txt", "a text"), code=3))
        bare = self.write("bare.json", '[{"prompt": "a", "correct": " b"}]')
        self.assertIn("wrong answer", self.infer("--probes", bare, "--metric", "seq_logprob", code=3))

    def test_compare_is_one_run_without_and_one_with_the_patch(self):
        file = self.probe_file(24)
        patch = self.make_patch("p.bkp", rows(1, "gate_proj", 200))
        both = self.json("--probes", file, "--compare", "--patch", patch)
        self.assertEqual(both["before"], self.json("--probes", file))
        self.assertEqual(both["after"], self.json("--probes", file, "--patch", patch))
        change = {"fixed": [], "broken": []}
        for before, after in zip(both["before"]["probes"], both["after"]["probes"]):
            if before["correct"] != after["correct"]:
                change["fixed" if after["correct"] else "broken"].append(before["name"])
        self.assertEqual({key: both[key] for key in change}, change)
        self.assertGreater(len(change["broken"]), 0)
        text = self.infer("--probes", file, "--compare", "--patch", patch, "-q")
        for name in change["broken"]:
            self.assertIn(name, text)


class Patches(InferProgram):
    JOBS = (["-p", PROMPT, "-n", 12, "--temp", 0], ["--perplexity", "-f", Perplexity.TEXT])

    def test_run_like_the_patched_file(self):
        flips = rows(0, "gate_proj", 30) + [
            {"layer": 2, "proj": "down_proj", "row": 7, "group": 3},
            {"layer": 5, "proj": "q_proj", "row": 9, "col": 255}]
        first = self.make_patch("first.json", flips)
        second = self.make_patch("second.bkp", rows(3, "up_proj", 30))
        patched = self.path("patched.gguf")
        self.patch("apply", MODEL, first, second, "-o", patched)
        for job in self.JOBS:
            plain = self.json(*job)
            together = self.json(*job, "--patch", first, "--patch", second)
            if "--perplexity" in job:
                self.assertNotEqual(together, plain)
            self.assertEqual(together, self.json(*job, model=patched))
            self.assertEqual(together, self.json(*job, "--patch", second, "--patch", first))
            self.assertEqual(self.json(*job, "--patch", first, "--patch", first), plain)

    def test_stack_on_the_patch_they_were_made_on(self):
        first = self.make_patch("first.json", rows(0, "gate_proj", 5))
        patched = self.path("patched.gguf")
        self.patch("apply", MODEL, first, "-o", patched)
        upper = self.make_patch("upper.json", rows(0, "gate_proj", 9)[5:], model=patched)
        self.assertIn("another base", self.infer("-p", "a", "--patch", upper, code=5))
        self.assertEqual(self.json(*self.JOBS[0], "--patch", first, "--patch", upper),
                         self.json(*self.JOBS[0], "--patch", upper, model=patched))

    def test_are_refused_on_another_base(self):
        patch = self.make_patch("p.json", rows(0, "up_proj", 3) + rows(4, "gate_proj", 3))
        other, applied = self.path("other.gguf"), self.path("applied.gguf")
        self.patch("apply", MODEL, self.make_patch("q.json", [{"layer": 4, "proj": "gate_proj",
                                                              "row": 100, "col": 1}]), "-o", other)
        self.patch("apply", MODEL, patch, "-o", applied)
        error = self.infer("-p", "a", "--patch", patch, model=other, code=5)
        self.assertIn("layer 4 gate differs", error)
        self.assertIn("p.json", error)
        self.assertIn("already applied",
                      self.infer("-p", "a", "--patch", patch, model=applied, code=5))
        forced = self.json(*self.JOBS[0], "--patch", patch, "--force", model=applied)
        self.assertEqual(forced, self.json(*self.JOBS[0]))

    def test_that_fit_no_matrix_are_refused(self):
        for flip in ({"layer": 9, "proj": "gate_proj", "row": 0},
                     {"layer": 0, "proj": "gate_proj", "row": 768},
                     {"layer": 0, "proj": "gate_proj", "row": 0, "group": 2}):
            loose = self.write("loose.json", json.dumps({"flips": [flip]}))
            for force in ([], ["--force"]):
                done = self.raw("-p", "a", "-n", 1, "--patch", loose, *force)
                self.assertIn(done.returncode, (3, 5), done.stderr)
        self.infer("-p", "a", "--patch", self.path("missing.json"), code=1)
        self.infer("-p", "a", "--patch", self.write("bad.bkp", "BKP?"), code=3)

    def test_without_a_base_are_taken_with_a_warning(self):
        loose = self.write("loose.json", json.dumps({"flips": rows(0, "gate_proj", 2)}))
        done = self.raw(*self.JOBS[0], "--patch", loose)
        self.assertEqual(done.returncode, 0)
        self.assertIn("names no base", done.stderr.decode())
        quiet = self.raw(*self.JOBS[0], "--patch", loose, "-q")
        self.assertEqual((quiet.stderr, quiet.stdout), (b"", done.stdout))


class Tokenizing(InferProgram):
    def test_takes_the_bytes_as_they_are(self):
        for text in (b"Sum: 28 + 92 =\n", b"", b"\n\n  x\t", "é√漢🙂".encode(), b"\xff\xfe\x80 a",
                     b"<|im_start|>"):
            file = self.write("text", text)
            tokens = self.json("--tokenize", "-f", file)["tokens"]
            self.assertEqual(self.json("--tokenize", "-f", "-", stdin=text)["tokens"], tokens)
            plain = self.infer("--tokenize", "-f", file)
            self.assertEqual([int(word) for word in plain.split()], tokens)
            self.assertTrue(plain.endswith("\n"))
            self.assertEqual(len(tokens) > 0, len(text) > 0)

    def test_agrees_with_generation(self):
        self.assertEqual(self.json("--tokenize", "-p", PROMPT)["tokens"],
                         self.json("-p", PROMPT, "-n", 0)["prompt_tokens"])

    def test_control_tokens_count_when_asked(self):
        text = "a<|endoftext|>b"
        plain = self.json("--tokenize", "-p", text)["tokens"]
        special = self.json("--tokenize", "-p", text, "--parse-special")["tokens"]
        self.assertLess(len(special), len(plain))


class KeysAndValues(InferProgram):
    def test_types_are_bits(self):
        job = ["--perplexity", "-f", Perplexity.TEXT]
        self.assertEqual(self.json(*job, "--kv-type", "f32"), self.json(*job, "--kv-bits", 32))
        self.assertEqual(self.json(*job), self.json(*job, "--kv-bits", 16))
        self.assertNotEqual(self.json(*job), self.json(*job, "--kv-bits", 2))

    def test_generation_is_the_same_whatever_computes_it(self):
        job = ["-p", PROMPT, "-n", 24, "--temp", 0, "--kv-bits", 2, "--kv-quant", "rotated"]
        expected = self.infer(*job)
        self.assertEqual(self.infer(*job, "-t", 3), expected)
        self.assertEqual(self.infer(*job, "--kernel", "scalar"), expected)

    def test_verbose_tells_their_size(self):
        done = self.raw("-p", "a", "-n", 1, "--kv-bits", 2, "-v")
        self.assertIn(b"2 bits (kv1), 480 bytes per token, 6.40 times smaller", done.stderr)


class Divergence(InferProgram):
    JOB = ["--kl-divergence", "-f", Perplexity.TEXT]

    def test_of_a_model_from_itself_is_zero(self):
        result = self.json(*self.JOB, "--reference", MODEL, "--reference-kernel", "scalar")
        self.assertEqual((result["mean_kld"], result["maximum_kld"], result["same_top"]), (0, 0, 1))
        self.assertEqual(result["perplexity"], result["reference_perplexity"])

    def test_has_the_promised_keys(self):
        result = self.json(*self.JOB, "--kv-bits", 2)
        self.assertAlmostEqual(result["mean_kld_bits"], result["mean_kld"] / math.log(2))
        self.assertAlmostEqual(result["shrink"], 6.4)
        for key in ("kld_99_9", "kld_99", "median_kld", "maximum_chunk_mean", "rms_delta_p"):
            self.assertGreater(result[key], 0, key)
        self.assertEqual(result["reference"]["kv"], "16 bits")
        self.assertEqual(result["model"],
                         {"activations": "a8", "kv": "2 bits (kv1)", "kv_bytes_per_token": 480})
        text = self.infer(*self.JOB, "--kv-bits", 2, "-q")
        self.assertIn("99.9 % KLD", text)
        limited = self.json(*self.JOB, "-c", 64, "--chunks", 2)
        self.assertEqual((limited["chunks"], limited["positions"]), (2, 126))

    def test_takes_two_configurations(self):
        forth = self.json(*self.JOB, "--activations", "a16", "--kv-bits", 4,
                          "--reference-activations", "a8", "--reference-kv-bits", 2,
                          "--reference-kv-quant", "rotated")
        back = self.json(*self.JOB, "--kv-bits", 2, "--kv-quant", "rotated",
                         "--reference-activations", "a16", "--reference-kv-bits", 4)
        self.assertEqual(forth["perplexity"], back["reference_perplexity"])
        self.assertEqual(forth["model"], back["reference"])

    def test_short_texts(self):
        self.assertIn("fewer than two tokens", self.infer("--kl-divergence", "-p", "x", code=3))


class Failures(InferProgram):
    def test_wrong_usage(self):
        for arguments in ([], ["--nonsense"], ["-p", "a", "-f", "b"], ["-p", "a", "--compare"],
                          ["--perplexity"], ["--tokenize", "--perplexity", "-p", "a"],
                          ["--probes", "x", "-p", "a"], ["--tokenize", "-p", "a", "--logits-out", "x"],
                          ["-p", "a", "-n", -2], ["-p", "a", "--temp", -1], ["-p", "a", "--temp", "nan"],
                          ["-p", "a", "--top-p", 1.5], ["-p", "a", "--min-p", -0.1],
                          ["-p", "a", "--top-k", -1], ["-p", "a", "-t", 0],
                          ["-p", "a", "--activations", "a4"], ["-p", "a", "--kv-type", "q8"],
                          ["-p", "a", "--kv-bits", 3], ["-p", "a", "--kv-bits", 2, "--kv-quant", "x"],
                          ["-p", "a", "--kv-bits", 16, "--kv-quant", "kv1"],
                          ["-p", "a", "--chunks", 2], ["-p", "a", "--perplexity", "--chunks", 2],
                          ["-p", "a", "--kl-divergence", "--chunks", -1],
                          ["-p", "a", "--kv-quant", "kv1"],
                          ["-p", "a", "--kv-bits", 16, "--kv-type", "f16"],
                          ["--kl-divergence"], ["--kl-divergence", "--perplexity", "-p", "ab"],
                          ["--kl-divergence", "-p", "ab", "-c", 1],
                          ["--kl-divergence", "-p", "ab", "--reference-kv-quant", "kv1"],
                          ["--kl-divergence", "-p", "ab", "--reference-activations", "a4"],
                          ["--kl-divergence", "-p", "ab", "--reference-kernel", "x"],
                          ["-p", "a", "--metric", "x"], ["-p", "a", "--kernel", "x"],
                          ["-p", "a", "--logits-out", "-"]):
            self.infer(*arguments, code=2)
        self.assertIn("'words' belongs to no option", self.infer("-p", "two", "words", code=2))
        done = subprocess.run([PROGRAM, "-p", "a"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--model", done.stderr)

    def test_options_of_other_jobs_and_models_are_refused(self):
        for job, options in (
                ([], ["--tie latest", "--alpha stored", "--stride 5", "--metric nll",
                      "--reference x", "--chunks 0"]),
                (["--perplexity"], ["--chunks 0", "--logit-scale 1", "--answer-tokens 4"]),
                (["--tokenize"], ["--tokenizer x", "--patch x", "--activations a8", "--kv-bits 8"]), (["--kl-divergence"], ["--stride 5"])):
            for option in options:
                name, value = option.split()
                says = f"{name} does not go with a GGUF model and {job[0] if job else 'a prompt'}"
                self.assertIn(says, self.infer("-p", "ab", *job, name, value, code=2))

    def test_missing_and_foreign_models(self):
        self.infer("-p", "a", model="/nowhere/model.gguf", code=1)
        self.infer("-p", "a", model=self.path(""), code=1)
        for content in (b"", b"GG", b"PK\x03\x04" * 100):
            self.infer("-p", "a", model=self.write("m", content), code=3)

    def test_truncated_models(self):
        whole = MODEL.read_bytes()
        for length in (4, 23, 24, 1000, 20000, 40000, len(whole) // 2, len(whole) - 1):
            error = self.infer("-p", "a", model=self.write("cut.gguf", whole[:length]), code=3)
            self.assertIn("cut.gguf", error)

    def test_half_edited_models(self):
        model = self.write("m.gguf", MODEL.read_bytes())
        self.write("m.gguf.bankai-journal", b"journal")
        self.assertIn("interrupted", self.infer("-p", "a", model=model, code=3))

    def test_an_output_that_is_gone(self):
        for job in (["-p", PROMPT, "-n", 4], ["--tokenize", "-p", PROMPT],
                    ["--perplexity", "-p", PROMPT], ["-p", PROMPT, "-n", 4, "--json"]):
            command = [str(part) for part in (PROGRAM, "-m", MODEL, *job)]
            for redirection in (">&-", ">/dev/full"):
                done = subprocess.run(["sh", "-c", 'exec "$@" ' + redirection, "sh", *command],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 1, (job, redirection))
                self.assertIn("standard output", done.stderr)

    def test_an_interrupt_ends_the_text_and_says_so(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            command = [PROGRAM, "-m", MODEL, "-t", "1", "-p", PROMPT, "-n", "1000000"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
                running.stdout.read(1)
                running.send_signal(number)
                text, error = running.communicate(timeout=60)
            self.assertEqual(running.returncode, 130)
            self.assertTrue(text.endswith(b"\n"))
            self.assertTrue(error.decode().endswith("bankai-infer: interrupted\n"), error)

    def test_a_reader_that_leaves_is_no_result(self):
        command = [PROGRAM, "-m", MODEL, "-t", "1", "-p", PROMPT, "-n", "1000000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            running.stdout.read(1)
            running.stdout.close()
            self.assertNotEqual(running.wait(timeout=60), 0)

    def test_help_and_version_are_results(self):
        for option, word in (("--help", "--perplexity"), ("--version", "bankai-infer ")):
            done = subprocess.run([PROGRAM, option], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(word, done.stdout)


if __name__ == "__main__":
    unittest.main()
