"""Shell scripts pass shellcheck."""
import re
import shutil
import subprocess

SHEBANG = re.compile(rb"#!.*\b(?:ba)?sh\b|# shellcheck shell=")


def unavailable():
    return None if shutil.which("shellcheck") else "shellcheck is not installed"


def check(tree):
    for path in tree.files:
        if SHEBANG.match(tree.bytes(path)):
            result = subprocess.run(["shellcheck", "--external-sources", "--format=gcc", path], cwd=tree.root,
                                    capture_output=True, text=True)
            yield from result.stdout.splitlines()


BAD = [{"run": "#!/usr/bin/env bash\nrm $1\n"}]
GOOD = [{"run": '#!/bin/sh\nrm "$1"\n', "a.py": "#!/usr/bin/env python3\nrm $1\n"}]
