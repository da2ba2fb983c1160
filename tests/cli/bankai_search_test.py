"""bankai-search from the outside, on the demo model: the same bytes everywhere, stops and resumes,
strategies and metrics, the figures recomputed by bankai-infer, exit codes.

usage: bankai_search_test.py SEARCH INFER PATCH MPIRUN DEMO_FOLDER [unittest arguments]
"""
import csv
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SEARCH, INFER, PATCH, MPIRUN = sys.argv[1:5]
DEMO = pathlib.Path(sys.argv[5])
del sys.argv[1:6]
MODEL = DEMO / "bankai-demo-5m.gguf"
HAS_MPI = os.access(MPIRUN, os.X_OK)
LAYER_ROWS = 2 * 768  # gate and up rows of one layer
QUICK = ["--layers", 5, "--candidates", 40, "--iterations", 2, "--shortlist", 16]
# Rounds long enough to be caught in the middle.
LONG = ["--layers", "4,5", "--candidates", 600, "--iterations", 3, "--shortlist", 300, "-t", 1]
NO_NUMBERS = {"seconds", "ranks", "threads", "kernel", "output"}  # may differ between equal searches
KEYS = {"flips", "bits", "patch_bytes", "fitness", "target_before", "target_after",
        "control_before", "control_after", "heldout", "forward_tokens", "seconds", "ranks",
        "threads", "kernel"}


def probes(name, begin, end):
    return json.loads((DEMO / "probes" / name).read_text())[begin:end]


class SearchProgram(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.target = self.write("target.json", probes("sums.search.json", 0, 8))
        self.control = self.write("control.json", probes("control.json", 0, 4))
        self.data = ["--target", self.target, "--control", self.control]

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def write(self, name, content):
        text = content if isinstance(content, str) else json.dumps(content)
        self.path(name).write_text(text)
        return self.path(name)

    def text_of(self, source, lines):
        content = (DEMO / "text" / source).read_text().splitlines(keepends=True)[:lines]
        return self.write(source, "".join(content))

    def command(self, *arguments, ranks=0, model=MODEL):
        if ranks and not HAS_MPI:
            self.skipTest("built without MPI")
        launcher = [MPIRUN, "-n", ranks] if ranks else []
        return [str(part) for part in [*launcher, SEARCH, "-m", model, *arguments]]

    def run_search(self, *arguments, **more):
        return subprocess.run(self.command(*arguments, **more), capture_output=True, text=True,
                              check=False)

    def search(self, *arguments, **more):
        """The JSON result of a search that succeeds."""
        done = self.run_search(*arguments, "--json", "-q", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "", "quiet")
        self.assertEqual(done.stdout.count("\n"), 1, "one object, one line")
        return json.loads(done.stdout)

    def refuse(self, *arguments, code, says, stdout="", **more):
        done = self.run_search(*arguments, "-q", **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, "an error is one line: " + done.stderr)
        self.assertTrue(done.stderr.startswith("bankai-search: "), done.stderr)
        self.assertIn(says, done.stderr)
        if stdout is not None:
            self.assertEqual(done.stdout, stdout)
        return done

    def infer_scores(self, source, *arguments):
        done = subprocess.run(
            [str(part) for part in [INFER, "-m", MODEL, "--probes", source, "--activations", "a16",
                                    "--kv-type", "f32", "--json", "-q", *arguments]],
            capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        return result["mean_score"], [probe["score"] for probe in result["probes"]]


class Invariance(SearchProgram):
    def outcome(self, *arguments, **more):
        """Every number and byte that must not depend on how the search was run."""
        patch, scores = self.path("patch.bkp"), self.path("scores.csv")
        numbers = self.search(*arguments, "-o", patch, "--scores-out", scores, "--force", **more)
        readable = self.path("readable.json")
        self.search(*arguments, "-o", readable, "--force", **more)
        numbers = {key: value for key, value in numbers.items() if key not in NO_NUMBERS}
        return numbers, patch.read_bytes(), readable.read_bytes(), scores.read_bytes()

    def test_same_bytes_for_ranks_threads_and_kernels(self):
        options = [*self.data, *QUICK]
        expected = self.outcome(*options, "-t", 1)
        self.assertGreater(expected[0]["flips"], 1)
        listed = subprocess.run([SEARCH, "--list-kernels"], capture_output=True, text=True,
                                check=True).stdout.splitlines()
        kernels = [line for line in listed if len(line.split()) == 1 and line != "scalar"]
        variants = [([], ranks) for ranks in (1, 2, 3, 5)]
        variants += [(["-t", 2], 0), (["-t", 2], 2)]
        variants += [(["-t", 1, "--kernel", kernel], 0) for kernel in kernels]
        variants += [(["--kernel", kernel], 3) for kernel in kernels[:1]]
        for more, ranks in variants:
            with self.subTest(options=more, ranks=ranks):
                self.assertEqual(self.outcome(*options, *more, ranks=ranks), expected)

    def test_scalar_kernel_gives_the_same_bytes(self):
        small = ["--target", self.write("two.json", probes("sums.search.json", 0, 2)), "--layers", 5,
                 "--tensors", "gate", "--candidates", 8, "--iterations", 1]
        self.assertEqual(self.outcome(*small, "--kernel", "scalar"), self.outcome(*small))

    def test_ranks_are_reported_and_fail_as_one(self):
        result = self.search(*self.data, *QUICK, ranks=3)
        self.assertEqual(result["ranks"], 3)
        done = self.run_search(*self.data, ranks=3, model=self.path("nothing.gguf"))
        lines = [line for line in done.stderr.splitlines() if line.startswith("bankai-search: ")]
        self.assertEqual((done.returncode, len(lines), done.stdout), (1, 1, ""), done.stderr)
        done = self.run_search(*self.data, *QUICK, "--budget-bytes", 10, "-q", ranks=2)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("bankai-search: no flip within the budget", done.stderr)


class StopsAndResumes(SearchProgram):
    def setUp(self):
        super().setUp()
        self.checkpoint, self.out = self.path("state.ck"), self.path("patch.bkp")
        self.options = [*self.data, *LONG, "--checkpoint", self.checkpoint, "-o", self.out]

    def undisturbed(self):
        other = self.path("undisturbed") / "patch.bkp"  # the name of the file is the patch's name
        other.parent.mkdir()
        result = self.search(*self.data, *LONG, "-o", other)
        self.assertGreater(result["flips"], 1)
        return result, other.read_bytes()

    def start(self, *arguments, **more):
        process = subprocess.Popen(self.command(*arguments, **more), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def await_first(self, path, process):
        deadline = time.monotonic() + 120
        while not path.exists():
            self.assertIsNone(process.poll(), "ended before it could be disturbed")
            self.assertLess(time.monotonic(), deadline, "nothing written")
            time.sleep(0.005)

    def stop(self, process, number):
        process.send_signal(number)
        return process.communicate(timeout=120)

    def same_numbers(self, one, other):
        for key in KEYS - NO_NUMBERS:
            self.assertEqual(one[key], other[key], key)

    def test_signals_leave_a_checkpoint_and_resuming_gives_the_same_bytes(self):
        expected, patch_bytes = self.undisturbed()
        for ranks, number, marker in ((0, signal.SIGTERM, self.checkpoint),
                                      (0, signal.SIGUSR1, self.path("scores.csv")),
                                      (2, signal.SIGUSR1, self.checkpoint)):
            with self.subTest(ranks=ranks, signal=number):
                for path in (self.checkpoint, self.out, self.path("scores.csv")):
                    path.unlink(missing_ok=True)
                options = [*self.options, "--scores-out", self.path("scores.csv")]
                process = self.start(*options, "-q", ranks=ranks)
                self.await_first(marker, process)
                stdout, stderr = self.stop(process, number)
                self.assertEqual((process.returncode, stdout), (75, ""), stderr)
                self.assertEqual(stderr.count("bankai-search: stopped after round"), 1)
                self.assertTrue(self.checkpoint.exists())
                self.assertFalse(self.out.exists())
                result = self.search(*options, "--resume")
                self.same_numbers(result, expected)
                self.assertEqual(self.out.read_bytes(), patch_bytes)
                self.assertTrue(self.path("scores.csv").exists())

    def test_kills_at_any_time_do_not_matter(self):
        source = random.Random(7)
        begin = time.monotonic()
        expected, patch_bytes = self.undisturbed()
        whole = time.monotonic() - begin
        for _ in range(5):
            process = self.start(*self.options, "--resume", "-q")
            time.sleep(source.uniform(0.05, 0.6 * whole))
            process.kill()
            process.communicate()
            self.out.unlink(missing_ok=True)  # it may have been through already
        self.same_numbers(self.search(*self.options, "--resume"), expected)
        self.assertEqual(self.out.read_bytes(), patch_bytes)

    def test_hill_climbing_resumes_too(self):
        climb = [*self.data, "--layers", 5, "--strategy", "hill-climb", "--iterations", 150, "-t", 1]
        expected = self.search(*climb, "-o", self.path("whole.bkp"), "--name", "x")
        options = [*climb, "-o", self.out, "--name", "x", "--checkpoint", self.checkpoint]
        process = self.start(*options, "-q")
        self.await_first(self.checkpoint, process)
        self.stop(process, signal.SIGTERM)
        self.assertEqual(process.returncode, 75)
        self.same_numbers(self.search(*options, "--resume"), expected)
        self.assertEqual(self.out.read_bytes(), self.path("whole.bkp").read_bytes())

    def test_time_limit_leaves_a_checkpoint(self):
        endless = [*self.data, "--time-limit", "1s", "-o", self.out]
        done = self.run_search(*endless, "--checkpoint", self.checkpoint)
        self.assertEqual((done.returncode, done.stdout), (75, ""), done.stderr)
        self.assertTrue(self.checkpoint.exists())
        self.assertFalse(self.out.exists())

    def test_interrupted_without_a_checkpoint(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            log = self.path(f"{number}.jsonl")
            process = self.start(*self.data, *LONG, "-o", self.out, "--log", log, "-q")
            self.await_first(log, process)
            stdout, stderr = self.stop(process, number)
            self.assertEqual((process.returncode, stdout), (130, ""), stderr)
            self.assertFalse(self.out.exists())

    def test_refuses_foreign_and_damaged_checkpoints(self):
        options = [*self.data, *QUICK, "--checkpoint", self.checkpoint]
        self.search(*options)
        for other in (["--seed", 43], ["--control-penalty", 3], ["--metric", "margin"],
                      ["--activations", "a8"], ["--tensors", "gate"], ["--target", self.control]):
            self.refuse(*options, *other, "--resume", code=5, says="another search")
        whole = self.checkpoint.read_bytes()
        for damaged in (whole[:-1], whole + b"\0", b"", whole[:60] + b"\x55" + whole[61:], whole[:40]):
            self.checkpoint.write_bytes(damaged)
            self.refuse(*options, "--resume", code=3, says="checkpoint")
        self.checkpoint.write_bytes(whole)
        self.search(*options, "--resume")
        self.refuse(*self.data, "--resume", code=2, says="--checkpoint")


class Failures(SearchProgram):
    def test_wrong_usage(self):
        out = self.write("there.json", "precious")
        for arguments, says in (
                (["-m", MODEL], "--target is missing"),
                (["--target", self.target], "--model is missing"),
                (["-m", MODEL, *self.data, "--no-such-option"], "no-such-option"),
                (["-m", MODEL, *self.data, "--layers", "6"], "6"),
                (["-m", MODEL, *self.data, "--layers", "3-1"], "3-1"),
                (["-m", MODEL, *self.data, "--layers", "x"], "x"),
                (["-m", MODEL, *self.data, "--tensors", "norm"], "norm"),
                (["-m", MODEL, *self.data, "--metric", "luck"], "luck"),
                (["-m", MODEL, *self.data, "--strategy", "luck"], "luck"),
                (["-m", MODEL, *self.data, "--granularity", "byte"], "byte"),
                (["-m", MODEL, *self.data, "--activations", "a4"], "a4"),
                (["-m", MODEL, *self.data, "--control-penalty", "-1"], "negative"),
                (["-m", MODEL, *self.data, "--budget-bytes", "5 apples"], "apples"),
                (["-m", MODEL, *self.data, "--time-limit", "soon"], "soon"),
                (["-m", MODEL, *self.data, "--patience", "1"], "--heldout"),
                (["-m", MODEL, *self.data, "-o", self.path("patch.txt")], ".bkp"),
                (["-m", MODEL, *self.data, "--scores-out", self.path("s.txt")], ".csv"),
                (["-m", MODEL, *self.data, "-o", out], "--force"),
                (["-m", MODEL, *self.data, "--scores-out", self.write("s.csv", "")], "--force")):
            done = subprocess.run([SEARCH, *map(str, arguments)], capture_output=True, text=True,
                                  check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), f"{arguments}: {done.stderr}")
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertTrue(done.stderr.startswith("bankai-search: "), done.stderr)
            self.assertIn(says, done.stderr)
        self.assertEqual(out.read_text(), "precious")
        self.search(*self.data, *QUICK, "-o", out, "--force")
        self.assertTrue(json.loads(out.read_text())["flips"])

    def test_missing_and_bad_files(self):
        quick = [*self.data, *QUICK]
        self.refuse(*quick, code=1, says="nothing.gguf", model=self.path("nothing.gguf"))
        cut = self.path("cut.gguf")
        cut.write_bytes(MODEL.read_bytes()[:300000])
        self.refuse(*quick, code=3, says="cut.gguf", model=cut)
        self.refuse("--target", self.path("nothing.json"), code=1, says="nothing.json")
        for content in ("[{", "{}", "[]", '[{"name": "a"}]', "[" * 5000, '[{"prompt": 1, "correct": 2}]'):
            self.refuse("--target", self.write("bad.json", content), code=3, says="bad.json")

    def test_dead_probe(self):
        one = {"name": "twin", "prompt": "Sum: 1 + 1 =", "correct": " 2", "wrong": " 2"}
        dead = self.write("dead.json", [one])
        self.refuse("--target", dead, *QUICK, "--metric", "seq_logprob", code=3, says="'twin'")

    def test_no_flip_within_the_budget(self):
        out = self.path("patch.bkp")
        self.refuse(*self.data, *QUICK, "--budget-bytes", 10, "-o", out, code=4, says="budget")
        self.assertFalse(out.exists())

    def test_no_generalisation_no_patch(self):
        out = self.path("patch.json")
        right = self.write("right.json", probes("control.json", 4, 10))
        done = self.refuse(*self.data, *QUICK, "--heldout", right, "-o", out, "--json", code=4,
                         says="held-out", stdout=None)
        self.assertFalse(out.exists())
        result = json.loads(done.stdout)
        self.assertEqual((result["output"], result["heldout"]["fixed"]), ("", 0))
        shown = self.refuse(*self.data, *QUICK, "--heldout", right, "-o", out, code=4,
                          says="held-out", stdout=None).stdout
        self.assertIn("6 -> 6 of 6 right", shown)
        self.assertNotIn("written", shown)

    def test_a_patch_that_cannot_be_written(self):
        self.refuse(*self.data, *QUICK, "-o", self.path("no/such/patch.bkp"), code=1, says="no/such")


class Results(SearchProgram):
    def test_the_figures_are_those_of_bankai_infer(self):
        out = self.path("patch.bkp")
        result = self.search(*self.data, *QUICK, "--control-penalty", 1.5, "-o", out)
        target_before, _ = self.infer_scores(self.target)
        target_after, _ = self.infer_scores(self.target, "--patch", out)
        control_before, kept = self.infer_scores(self.control)
        control_after, now = self.infer_scores(self.control, "--patch", out)
        loss = sum(max(0.0, old - new) for old, new in zip(kept, now)) / len(kept)
        for key, expected in (("target_before", target_before), ("target_after", target_after),
                              ("control_before", control_before), ("control_after", control_after),
                              ("fitness", target_after - target_before - 1.5 * loss)):
            self.assertAlmostEqual(result[key], expected, delta=1e-6 * abs(expected), msg=key)
        self.assertGreater(loss, 0.0)

    def test_json_log_and_held_out(self):
        log, out = self.path("log.jsonl"), self.path("patch.json")
        held_out = self.text_of("sums.heldout.txt", 12)
        result = self.search(*self.data, *QUICK, "--heldout", held_out, "--log", log, "-o", out,
                             "--name", "adder")
        self.assertLessEqual(KEYS, result.keys())
        self.assertLessEqual({"before", "after", "fixed", "broken"}, result["heldout"].keys())
        self.assertGreater(result["heldout"]["after"], result["heldout"]["before"])
        self.assertEqual(result["output"], str(out))
        events = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual([event["round"] for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(events[-1]["fitness"], result["fitness"])
        self.assertEqual(events[-1]["accepted"], result["flips"])
        patch = json.loads(out.read_text())
        self.assertEqual((patch["name"], len(patch["flips"])), ("adder", result["flips"]))
        valid = subprocess.run([PATCH, "validate", out, "-m", MODEL], capture_output=True, check=False)
        self.assertEqual(valid.returncode, 0, valid.stderr)

    def test_exhaustive_scores_every_candidate(self):
        table, out = self.path("scores.csv"), self.path("patch.bkp")
        self.search("--target", self.write("two.json", probes("sums.search.json", 0, 2)),
                    "--layers", 5, "--strategy", "exhaustive", "--scores-out", table, "-o", out)
        with table.open() as lines:
            rows = list(csv.DictReader(lines))
        places = [(int(row["layer"]), row["tensor"], int(row["row"])) for row in rows]
        self.assertEqual((len(rows), len(set(places))), (LAYER_ROWS, LAYER_ROWS))
        changes = [float(row["delta_loss"]) for row in rows]
        self.assertTrue(min(changes) < 0 < max(changes))
        self.assertEqual([abs(change) for change in changes], [float(row["sensitivity"]) for row in rows])
        self.assertEqual([-change for change in changes], [float(row["fitness"]) for row in rows],
                         "no controls: the fitness is the gain")
        # One row of the table against the model with that flip alone.
        best = min(rows, key=lambda row: float(row["delta_loss"]))
        flip = {"layer": int(best["layer"]), "proj": best["tensor"] + "_proj", "row": int(best["row"])}
        loose, bound = self.write("loose.json", {"flips": [flip]}), self.path("one.bkp")
        subprocess.run([PATCH, "convert", loose, "-o", bound, "-m", MODEL], check=True,
                       capture_output=True)
        before, _ = self.infer_scores(self.path("two.json"))
        after, _ = self.infer_scores(self.path("two.json"), "--patch", bound)
        self.assertAlmostEqual(float(best["delta_loss"]), before - after, delta=1e-6 * abs(before - after))

    def test_score_table_as_json_lines(self):
        table = self.path("scores.jsonl")
        self.search(*self.data, *QUICK, "--granularity", "group", "--scores-out", table)
        rows = [json.loads(line) for line in table.read_text().splitlines()]
        self.assertEqual(len(rows), 40)
        for row in rows:
            self.assertEqual(row["sensitivity"], abs(row["delta_loss"]))
            self.assertIn(row["group"], (0, 1))

    def test_hill_climbing_is_reproducible(self):
        climb = [*self.data, "--layers", 5, "--strategy", "hill-climb", "--iterations", 60]
        files = [self.path("a.bkp"), self.path("b.bkp"), self.path("c.bkp")]
        for out, seed in zip(files, (42, 42, 1)):
            result = self.search(*climb, "--seed", seed, "-o", out, "--name", "x")
            self.assertGreater(result["fitness"], 0.0)
        contents = [out.read_bytes() for out in files]
        self.assertEqual(contents[0], contents[1])
        self.assertNotEqual(contents[0], contents[2])

    def test_budgets_hold(self):
        free = self.search(*self.data, *QUICK)
        for flips in (1, 5):
            result = self.search(*self.data, *QUICK, "--budget-flips", flips)
            self.assertTrue(1 <= result["flips"] <= flips < free["flips"])
        for budget in (free["patch_bytes"] - 5, free["patch_bytes"] - 20):
            out = self.path(f"{budget}.bkp")
            result = self.search(*self.data, *QUICK, "--budget-bytes", budget, "-o", out)
            self.assertEqual(result["patch_bytes"], out.stat().st_size)
            self.assertLessEqual(out.stat().st_size, budget)

    def test_metrics(self):
        # token_gap looks at the answers' last digits: they have to differ.
        target = self.write("gap.json", [probe for probe in probes("sums.search.json", 0, 16)
                                         if probe["correct"][-1] != probe["wrong"][-1]])
        for metric in ("nll", "margin", "seq_logprob", "token_gap"):
            result = self.search("--target", target, "--control", self.control, *QUICK, "--metric",
                                 metric)
            self.assertGreater(result["fitness"], 0.0, metric)
            self.assertGreater(result["target_after"], result["target_before"], metric)
        result = self.search(*self.data, *QUICK, "--control-metric", "kl")
        self.assertEqual(result["control_before"], 0.0)
        self.assertLess(result["control_after"], 0.0)

    def test_texts(self):
        target, control = self.text_of("sums.search.txt", 8), self.text_of("general.control.txt", 6)
        out = self.path("patch.json")
        result = self.search("--target", f"{target}:2", "--control", control, *QUICK, "--ctx", 64,
                             "-o", out)
        self.assertGreater(result["target_after"], result["target_before"])
        done = subprocess.run(
            [INFER, "-m", MODEL, "--perplexity", "-f", target, "-c", "64", "--activations", "a16",
             "--patch", out, "--json", "-q"], capture_output=True, text=True, check=True)
        nll = json.loads(done.stdout)["nll"]
        self.assertAlmostEqual(-result["target_after"], nll, delta=1e-6 * nll)

    def test_remarks_go_to_standard_error(self):
        done = self.run_search(*self.data, *QUICK)
        self.assertEqual(done.returncode, 0)
        self.assertIn("round 1:", done.stderr)
        self.assertNotIn("round 1:", done.stdout)
        self.assertIn("fitness", done.stdout)


if __name__ == "__main__":
    # Waiting threads sleep: tests run side by side, and spinning ones would take the cores away.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")
    os.environ.setdefault("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
    unittest.main(verbosity=2)
