"""bankai-search from the outside, on the demo model: strategies, metrics and budgets, the figures
recomputed by bankai-infer, exit codes.

usage: bankai_search_test.py SEARCH INFER PATCH MPIRUN DEMO_FOLDER [unittest arguments]
"""
import csv
import json
import subprocess
import unittest

from search_program import DEMO, INFER, KEYS, MODEL, PATCH, QUICK, SEARCH, SearchProgram, probes

LAYER_ROWS = 2 * 768  # gate and up rows of one layer


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
                (["-m", MODEL, *self.data, "--strategy", "hill-climb", "--granularity", "mixed"],
                 "hill-climb"),
                (["-m", MODEL, *self.data, "--activations", "a4"], "a4"),
                (["-m", MODEL, *self.data, "--control-penalty", "-1"], "negative"),
                (["-m", MODEL, *self.data, "--flip-penalty", "-1"], "negative"),
                (["-m", MODEL, *self.data, "--population", "1"], "--population"),
                (["-m", MODEL, *self.data, "--probe-fraction", "0"], "--probe-fraction"),
                (["-m", MODEL, *self.data, "--verify-fraction", "2"], "--verify-fraction"),
                (["-m", MODEL, *self.data, "--verify-fraction", "0.5", "--strategy", "evolve"], "greedy"),
                (["-m", MODEL, *self.data, "--verify-fraction", "0.5", "--check-ranking", "1"], "greedy"),
                (["-m", MODEL, *self.data, "--verify-fraction", "0.5", "--scores-out", self.path("sample.csv")], "exact"),
                (["-m", MODEL, *self.data, "--heldout-level", "2"], "--heldout-level"),
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
        for content in ("[{", "{}", "[]", '[{"name": "a"}]', "[" * 5000,
                        '[{"prompt": 1, "correct": 2}]'):
            self.refuse("--target", self.write("bad.json", content), code=3, says="bad.json")

    def test_dead_probe(self):
        one = {"name": "twin", "prompt": "Sum: 1 + 1 =", "correct": " 2", "wrong": " 2"}
        dead = self.write("dead.json", [one])
        self.refuse("--target", dead, *QUICK, "--metric", "seq_logprob", code=3, says="'twin'")

    def test_activations_that_do_not_fit(self):
        self.refuse(*self.data, *QUICK, "--activation-memory", "10KiB", code=2,
                    says="more than the limit of 0.0 MiB")

    def test_options_of_strictly_binary_models(self):
        for option in (["--tie", "latest"], ["--logit-scale", 1]):
            self.refuse(*self.data, *QUICK, *option, code=2, says=f"{option[0]} does not go with")

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
        out = self.path("no/such/patch.bkp")
        self.refuse(*self.data, *QUICK, "-o", out, code=1, says="no/such")


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
        valid = subprocess.run([PATCH, "validate", out, "-m", MODEL], capture_output=True,
                               check=False)
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
        self.assertEqual([abs(change) for change in changes],
                         [float(row["sensitivity"]) for row in rows])
        self.assertEqual([-change for change in changes], [float(row["fitness"]) for row in rows],
                         "no controls: the fitness is the gain")
        # One row of the table against the model with that flip alone.
        best = min(rows, key=lambda row: float(row["delta_loss"]))
        flip = {"layer": int(best["layer"]), "proj": best["tensor"] + "_proj",
                "row": int(best["row"])}
        loose, bound = self.write("loose.json", {"flips": [flip]}), self.path("one.bkp")
        subprocess.run([PATCH, "convert", loose, "-o", bound, "-m", MODEL], check=True,
                       capture_output=True)
        before, _ = self.infer_scores(self.path("two.json"))
        after, _ = self.infer_scores(self.path("two.json"), "--patch", bound)
        self.assertAlmostEqual(float(best["delta_loss"]), before - after,
                               delta=1e-6 * abs(before - after))

    def test_score_table_as_json_lines(self):
        table = self.path("scores.jsonl")
        self.search(*self.data, *QUICK, "--strategy", "exhaustive", "--granularity", "group",
                    "--scores-out", table)
        rows = [json.loads(line) for line in table.read_text().splitlines()]
        self.assertEqual(len(rows), 40)
        for row in rows:
            self.assertEqual(row["sensitivity"], abs(row["delta_loss"]))
            self.assertIn(row["group"], (0, 1))

    def test_ranking_holds_against_exact_changes(self):
        check = ["--layers", 5, "--granularity", "mixed", "--check-ranking", 40]
        report = self.search(*self.data, *check)
        self.assertEqual([kind["kind"] for kind in report["kinds"]], ["rows", "groups", "bits"])
        for kind in report["kinds"]:
            self.assertEqual(kind["evaluated"], 40)
            self.assertGreater(kind["spearman"], 0.8)
        table = self.run_search(*self.data, *check, "-q").stdout
        self.assertIn("Spearman", table)
        self.assertIn("forward passes", table)

    def test_explanation_adds_up(self):
        result = self.search(*self.data, *QUICK, "--explain")
        self.assertEqual(len(result["explain"]), result["flips"])
        for reason in result["explain"]:
            self.assertAlmostEqual(reason["inside"],
                                   reason["target_gain"] - 2.0 * reason["control_loss"], delta=1e-9)
        gains = [reason["inside"] for reason in result["explain"]]
        self.assertEqual(gains, sorted(gains, reverse=True))
        self.assertIn("in patch", self.run_search(*self.data, *QUICK, "--explain", "-q").stdout)

    def test_a_bare_patch_is_smaller_and_tells_no_base(self):
        bound, bare = self.path("bound.bkp"), self.path("bare.bkp")
        self.search(*self.data, *QUICK, "--name", "x", "-o", bound)
        self.search(*self.data, *QUICK, "--name", "x", "-o", bare, "--bare")
        self.assertEqual(bound.stat().st_size - bare.stat().st_size, 16)
        scores = [self.infer_scores(self.path("target.json"), "--patch", patch)
                  for patch in (bound, bare)]
        self.assertEqual(scores[0], scores[1])

    def test_a_few_fixed_answers_prove_nothing(self):
        memorised = ["--target", DEMO / "probes/short_capitals.search.json", "--control",
                     self.control, "--heldout", DEMO / "probes/short_capitals.heldout.json",
                     "--iterations", 3, "--shortlist", 8]
        self.refuse(*memorised, code=4, says="does not generalise", stdout=None)

    def test_hill_climbing_is_reproducible(self):
        climb = [*self.data, "--layers", 5, "--strategy", "hill-climb", "--iterations", 60]
        files = [self.path("a.bkp"), self.path("b.bkp"), self.path("c.bkp")]
        for out, seed in zip(files, (42, 42, 1)):
            result = self.search(*climb, "--seed", seed, "-o", out, "--name", "x")
            self.assertGreater(result["fitness"], 0.0)
        contents = [out.read_bytes() for out in files]
        self.assertEqual(contents[0], contents[1])
        self.assertNotEqual(contents[0], contents[2])

    def test_evolution_of_two_targets(self):
        second = self.write("second.json", probes("sums.search.json", 30, 36))
        evolve = [*self.data, "--target", second, "--layers", 5, "--granularity", "mixed",
                  "--strategy", "evolve", "--iterations", 3, "--population", 6, "--pareto"]
        files = [self.path("a.bkp"), self.path("b.bkp")]
        results = [self.search(*evolve, "-o", out, "--name", "x", ranks=ranks)
                   for out, ranks in zip(files, (1, 2))]
        self.assertEqual(files[0].read_bytes(), files[1].read_bytes())
        self.assertEqual(results[0]["pareto_front"], results[1]["pareto_front"])
        front = results[0]["pareto_front"]
        for point in front:
            self.assertEqual(len(point["gains"]), 2)
            self.assertGreaterEqual(min(point["gains"]), 0.0)
        self.assertIn((results[0]["patch_bytes"], results[0]["flips"]),
                      [(point["patch_bytes"], point["flips"]) for point in front])

    def test_budgets_hold(self):
        free = self.search(*self.data, *QUICK)
        for flips in (1, 5):
            result = self.search(*self.data, *QUICK, "--budget-flips", flips)
            self.assertTrue(1 <= result["flips"] <= flips < free["flips"])
        for budget in (free["patch_bytes"] - 2, free["patch_bytes"] - 6):
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
        result = self.search(*self.data, *QUICK, "--metric", "probability", "--verify-fraction", 0.5)
        self.assertTrue(0.0 < result["target_before"] < result["target_after"] <= 1.0)
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
    unittest.main(verbosity=2)
