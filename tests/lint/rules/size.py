"""One idea per file: above 400 lines a file is named, above 1,200 the rule fails."""
MENTION_LINES = 400
MOST_LINES = 1200


def check(tree):
    for path in tree.sources(".h", ".cpp", ".py", ".sh", ".cmake"):
        lines = tree.bytes(path).count(b"\n")
        if lines > MOST_LINES:
            yield f"{path}: {lines} lines; at most {MOST_LINES}"
        elif lines > MENTION_LINES and not path.startswith("tests/"):
            print(f"note: {path}: {lines} lines; two ideas?")


BAD = [{"tests/a.cpp": "\n" * (MOST_LINES + 1)}]
GOOD = [{"tests/a.cpp": "\n" * MOST_LINES, "core/a.cpp": "\n" * MENTION_LINES}]
