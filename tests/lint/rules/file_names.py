"""A file name says which file is meant without its folder: snake_case, and one place per name."""
import re
from collections import defaultdict
from pathlib import PurePosixPath

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def check(tree):
    folders = defaultdict(set)
    for path in map(PurePosixPath, tree.sources()):
        folders[path.stem].add(str(path.parent))
        if not SNAKE_CASE.fullmatch(path.stem):
            yield f"{path}: not snake_case"
    for name, places in sorted(folders.items()):
        if len(places) > 1:
            yield f"{name}: the same name in {', '.join(sorted(places))}"


BAD = [
    {"core/a.h": "", "model/a.h": ""},
    {"core/a.h": "", "model/a.cpp": ""},
    {"core/BitMatrix.h": ""},
    {"core/bit-matrix.cpp": ""},
]
GOOD = [{"core/a.h": "", "core/a.cpp": "", "tests/core/a_test.cpp": "", "model/b2_c.cpp": ""}]
