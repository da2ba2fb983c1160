"""bankai-search in all the ways it can be run, on the demo model: the same bytes for any ranks,
threads and kernel, and after stops, kills and resumes.

usage: bankai_search_runs_test.py SEARCH INFER PATCH MPIRUN DEMO_FOLDER [unittest arguments]
"""
import random
import signal
import subprocess
import time
import unittest

from search_program import KEYS, QUICK, SEARCH, SearchProgram, probes

# Rounds long enough to be caught in the middle.
LONG = ["--layers", "4,5", "--candidates", 600, "--iterations", 3, "--shortlist", 300, "-t", 1]
# May differ between equal searches.
NO_NUMBERS = {"seconds", "ranks", "threads", "kernel", "output"}


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
        variants += [(["--shards", 2], 2), (["--shards", 2], 5), (["--shards", 3], 0),
                     (["--activation-memory", 0], 2), (["--activation-memory", "700KiB"], 4)]
        for more, ranks in variants:
            with self.subTest(options=more, ranks=ranks):
                self.assertEqual(self.outcome(*options, *more, ranks=ranks), expected)

    def test_outputs_are_looked_at_before_the_work(self):
        one, nowhere = self.path("one.json"), self.path("no/where.bkp")
        for options, code, says in (
                (["-o", one, "--log", one], 2, "--output and of --log"),
                (["--scores-out", self.path("a.csv"), "--checkpoint", self.path("x/../a.csv")], 2, "two files"),
                (["-o", nowhere], 1, "cannot create"), (["--checkpoint", nowhere], 1, "cannot create"),
                (["--log", nowhere], 1, "cannot append"),
                (["--strategy", "exhaustive", "--probe-fraction", 0.5], 2, "greedy and evolve"),
                (["--min-effect", -1], 2, "negative"), (["--min-gain", "nan"], 2, "a number")):
            self.refuse(*self.data, *QUICK, *options, code=code, says=says)
        self.assertFalse(one.exists())

    def test_scalar_kernel_gives_the_same_bytes(self):
        two = self.write("two.json", probes("sums.search.json", 0, 2))
        small = ["--target", two, "--layers", 5, "--tensors", "gate", "--candidates", 8,
                 "--iterations", 1]
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
        climb = [*self.data, "--layers", 5, "--strategy", "hill-climb", "--iterations", 150,
                 "-t", 1]
        expected = self.search(*climb, "-o", self.path("whole.bkp"), "--name", "x")
        options = [*climb, "-o", self.out, "--name", "x", "--checkpoint", self.checkpoint]
        process = self.start(*options, "-q")
        self.await_first(self.checkpoint, process)
        self.stop(process, signal.SIGTERM)
        self.assertEqual(process.returncode, 75)
        self.same_numbers(self.search(*options, "--resume"), expected)
        self.assertEqual(self.out.read_bytes(), self.path("whole.bkp").read_bytes())

    def test_time_limit_leaves_a_checkpoint(self):
        endless = [*self.data, "--strategy", "exhaustive", "--time-limit", "1s", "-o", self.out]
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
        for damaged in (whole[:-1], whole + b"\0", b"", whole[:60] + b"\x55" + whole[61:],
                        whole[:40]):
            self.checkpoint.write_bytes(damaged)
            self.refuse(*options, "--resume", code=3, says="checkpoint")
        self.checkpoint.write_bytes(whole)
        self.search(*options, "--resume")
        self.refuse(*self.data, "--resume", code=2, says="--checkpoint")


if __name__ == "__main__":
    unittest.main(verbosity=2)
