"""Every header opens with a comment that says what it is, then #pragma once; a source file
includes its own header first."""
import re

OPENING = re.compile(r"(//[^\n]*\n)+(\n*)#pragma once\n")


def check(tree):
    for path in tree.sources(".h"):
        if not OPENING.match(tree.text(path)):
            yield f"{path}: must open with a comment and #pragma once"
    for path in tree.sources(".cpp"):
        own = path.removesuffix(".cpp") + ".h"
        if own in tree.files:
            first = next(tree.includes(path), (1, None, True))
            if first[1] != own:
                yield f'{path}:{first[0]}: the first include must be "{own}"'


HEADER = "// What it is.\n#pragma once\n"
BAD = [
    {"core/a.h": "#pragma once\n"},
    {"core/a.h": "// What it is.\n#ifndef A_H\n"},
    {"core/a.h": HEADER, "core/a.cpp": '#include <vector>\n#include "core/a.h"\n'},
    {"core/a.h": HEADER, "core/a.cpp": "int x;\n"},
]
GOOD = [{"core/a.h": HEADER, "core/a.cpp": '#include "core/a.h"\n\n#include <vector>\n',
         "core/b.cpp": "#include <vector>\n"}]
