#!/usr/bin/env python3
"""lint.py RULE ROOT: one rule of rules/ on the source tree at ROOT.

First the rule must prove itself on its own examples: a small tree of each of its BAD entries gives
at least one problem, one of each GOOD entry none. Exit codes: 0 clean, 1 problems, 77 skipped.
"""
import importlib
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from tree import Tree  # noqa: E402

SKIPPED = 77


def problems_of_example(rule, files):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return list(rule.check(Tree(folder)))


def self_test(rule):
    for files in rule.BAD:
        if not problems_of_example(rule, files):
            yield f"the rule misses a violation: {files}"
    for files in rule.GOOD:
        for problem in problems_of_example(rule, files):
            yield f"the rule objects to good code: {problem}: {files}"


def main(name, root):
    rule = importlib.import_module(f"rules.{name}")
    reason = rule.unavailable() if hasattr(rule, "unavailable") else None
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    problems = list(self_test(rule)) or list(rule.check(Tree(root)))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
