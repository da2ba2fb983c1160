"""Formatting is what clang-format 14 makes of .clang-format; other versions differ in details."""
import re
import shutil
import subprocess

VERSION = "14"
STYLE = "BasedOnStyle: Google\n"


def unavailable():
    if not shutil.which("clang-format"):
        return "clang-format is not installed"
    text = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"version (\d+)", text)
    if not found or found[1] != VERSION:
        return f"clang-format {VERSION} is needed, found: {text.strip()}"
    return None


def check(tree):
    sources = tree.sources()
    if not sources:
        return
    result = subprocess.run(["clang-format", "--dry-run", "--style=file", *sources], cwd=tree.root,
                            capture_output=True, text=True)
    seen = set()
    for path, line in re.findall(r"^([^:\n]+):(\d+):\d+: ", result.stderr, re.M):
        if path not in seen:
            seen.add(path)
            yield f"{path}:{line}: not formatted (clang-format -i {path})"
    if result.returncode != 0:
        yield result.stderr


BAD = [{".clang-format": STYLE, "core/a.cpp": "int  x ;\n"}]
GOOD = [{".clang-format": STYLE, "core/a.cpp": "int x;\n"}]
