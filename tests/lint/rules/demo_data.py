"""The files of data/demo are the ones its card speaks of: exactly those of SHA256SUMS, unchanged."""
import hashlib

FOLDER = "data/demo/"
SUMS = FOLDER + "SHA256SUMS"
UNLISTED = {SUMS, FOLDER + "README.md"}


def check(tree):
    if SUMS not in tree.files:
        yield f"{SUMS}: missing"
        return
    expected = {}
    for line in tree.text(SUMS).splitlines():
        digest, _, name = line.partition("  ")
        expected[FOLDER + name] = digest
    present = {path for path in tree.files if path.startswith(FOLDER)} - UNLISTED
    for path in sorted(present ^ expected.keys()):
        yield f"{path}: " + ("not in SHA256SUMS" if path in present else "missing")
    for path in sorted(present & expected.keys()):
        found = hashlib.sha256(tree.bytes(path)).hexdigest()
        if found != expected[path]:
            yield f"{path}: SHA-256 is {found}, expected {expected[path]}"


HASH_OF_A = hashlib.sha256(b"a").hexdigest()
LISTED = {SUMS: f"{HASH_OF_A}  x/a.txt\n"}
BAD = [
    {"data/README.md": ""},
    LISTED,
    {**LISTED, FOLDER + "x/a.txt": "b"},
    {**LISTED, FOLDER + "x/a.txt": "a", FOLDER + "extra": ""},
]
GOOD = [{**LISTED, FOLDER + "x/a.txt": "a", FOLDER + "README.md": ""}]
