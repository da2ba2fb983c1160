"""bankai-search --atlas and --merge-atlas from the outside, on the demo model: the files, the law of
merging, the same bytes for any ranks and threads, and what is refused.

usage: bankai_search_atlas_test.py SEARCH INFER PATCH MPIRUN DEMO_FOLDER [unittest arguments]
"""
import json
import subprocess
import unittest
import xml.etree.ElementTree

from search_program import SEARCH, SearchProgram, probes

WHERE = ["--layers", "4,5", "--tensors", "gate,down", "--granularity", "mixed"]


class Atlas(SearchProgram):
    def merge(self, *arguments, code=0, says=""):
        done = subprocess.run([SEARCH, "-q", *map(str, arguments)], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        if code:
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(says, done.stderr)
            self.assertEqual(done.stdout, "")
        return done.stdout

    def make(self, name, *data, **more):
        out = self.path(name)
        self.search(*(data or self.data), *WHERE, "--atlas", out, **more)
        return out

    def test_the_file_and_what_is_printed(self):
        out, picture = self.path("a.json"), self.path("a.svg")
        summary = self.search(*self.data, *WHERE, "--atlas", out, "--atlas", picture)
        atlas = json.loads(out.read_text())
        self.assertEqual((atlas["format"], atlas["version"]), ("bankai_atlas", 1))
        self.assertEqual([(entry["role"], entry["file"], entry["items"])
                          for entry in atlas["data"]],
                         [("target", "target.json", 8), ("control", "control.json", 4)])
        self.assertEqual([(tensor["layer"], tensor["tensor"]) for tensor in atlas["tensors"]],
                         [(4, "gate"), (4, "down"), (5, "gate"), (5, "down")])
        for tensor in atlas["tensors"]:
            for kind in tensor["kinds"]:
                for values in kind["rows"].values():
                    self.assertEqual(len(values), tensor["rows"])
                best = kind["best"]
                self.assertAlmostEqual(best["fitness"],
                                       best["target_gain"] - 2 * best["control_loss"], places=12)
            row = tensor["kinds"][0]
            fitness = [gain - 2 * loss for gain, loss in zip(row["rows"]["target_gain"],
                                                             row["rows"]["control_loss"])]
            self.assertAlmostEqual(max(fitness), row["best"]["fitness"], places=6)
            self.assertAlmostEqual(fitness[row["best"]["row"]], row["best"]["fitness"], places=6)
            self.assertEqual(sum(value > 0 for value in fitness), row["improving"])
        for tensor in atlas["tensors"]:
            for kind in tensor["kinds"]:
                del kind["rows"]
        self.assertEqual(summary, atlas)
        root = xml.etree.ElementTree.parse(picture).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        table = self.merge("--merge-atlas", out)
        self.assertIn("####", table)
        self.assertIn("best bit", table)

    def test_the_same_bytes_for_any_ranks_and_threads(self):
        one = self.make("one.json", ranks=0)
        for name, ranks, threads in (("a.json", 2, 1), ("b.json", 3, 2)):
            out = self.path(name)
            self.search(*self.data, *WHERE, "--atlas", out, "-t", threads, ranks=ranks)
            self.assertEqual(out.read_bytes(), one.read_bytes())

    def test_merging(self):
        parts = [self.write(f"{i}.json", probes("sums.search.json", 8 * i, 8 * i + 8))
                 for i in range(2)]
        control = ["--control", self.control]
        atlases = [self.make(f"{i}.atlas.json", "--target", f"{part}:{1 + i}", *control)
                   for i, part in enumerate(parts)]
        merged, picture = self.path("merged.json"), self.path("merged.svg")
        self.merge("--merge-atlas", atlases[0], "--merge-atlas", atlases[1], "--atlas", merged,
                   "--atlas", picture)
        xml.etree.ElementTree.parse(picture)
        whole = json.loads(self.make("whole.json", "--target", f"{parts[0]}:1", "--target",
                                     f"{parts[1]}:2", *control).read_text())
        merged = json.loads(merged.read_text())
        self.assertEqual(merged["data"], whole["data"] + whole["data"][-1:])
        for a, b in zip(merged["tensors"], whole["tensors"]):
            for value, expected in zip(a["kinds"][0]["rows"]["target_gain"],
                                       b["kinds"][0]["rows"]["target_gain"]):
                self.assertAlmostEqual(value, expected, places=6)
            self.assertEqual(a["kinds"][0]["best"]["row"], b["kinds"][0]["best"]["row"])
            self.assertNotIn("best", a["kinds"][2], "bits have no values to merge")
        for a, b in zip(merged["layers"], whole["layers"]):
            for key, expected in b["network_flipped"].items():
                self.assertAlmostEqual(a["network_flipped"][key], expected, places=9)
        # One alone comes back as it was.
        copy = self.path("copy.json")
        self.merge("--merge-atlas", atlases[0], "--atlas", copy)
        self.assertEqual(copy.read_bytes(), atlases[0].read_bytes())

    def test_what_is_refused(self):
        out = self.make("a.json")
        before = out.read_bytes()
        self.refuse(*self.data, *WHERE, "--atlas", out, code=2, says="--force")
        self.merge("--merge-atlas", out, "--atlas", out, code=2, says="--force")
        self.assertEqual(out.read_bytes(), before)
        self.merge("--merge-atlas", out, "--atlas", out, "--force")
        self.assertEqual(out.read_bytes(), before)
        for arguments, says in ((["--atlas", "a.txt"], ".svg"),
                                (["--atlas", "b.json", "-o", "p.bkp"], "--output"),
                                (["--atlas", "b.json", "--check-ranking"], "--check-ranking"),
                                (["--atlas", "b.json", "--control-penalty", "1e10"], "penalty")):
            self.refuse(*self.data, *WHERE, *arguments, code=2, says=says)
        self.merge("--merge-atlas", out, "-m", "x.gguf", code=2, says="--model")
        self.merge("--merge-atlas", self.path("none.json"), code=1, says="none.json")
        self.refuse(*self.data, *WHERE, "--atlas", self.path("no/b.json"), code=1, says="no/b.json")
        text = out.read_text()
        atlas = json.loads(text)
        atlas["model"]["sha256"] = "0" * 64
        for name, content, says in (
                ("other.json", json.dumps(atlas), "the model's SHA-256"),
                ("cut.json", text[:1000], "not valid JSON"),
                ("deep.json", "[" * 100000, "deeper"),
                ("list.json", "[]", "not a sensitivity atlas"),
                ("next.json", text.replace('"version":1', '"version":2'), "version 2"),
                ("short.json", text.replace('"target_gain":[', '"target_gain":[],"x":['),
                 "tensors[0].kinds[0].rows")):
            self.merge("--merge-atlas", out, "--merge-atlas", self.write(name, content), code=3,
                       says=says)
            self.merge("--merge-atlas", self.path(name), "--merge-atlas", out, code=3,
                       says="SHA-256" if name == "other.json" else says)


if __name__ == "__main__":
    unittest.main(verbosity=2)
