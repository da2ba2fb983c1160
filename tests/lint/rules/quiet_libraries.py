"""A library never prints, exits or aborts: it returns a Result."""
from tree import LIBRARY_ROOMS, room_of

# What these are for: ending a run that is broken, on this rank or on all of them.
ALLOWED = {"core/check.cpp", "mpi/session.cpp", "mpi/mpi_communicator.cpp"}
PRINTING = r"\b(?:v|f|vf|d|vd)?printf\s*\(|\bf?put[sc]\s*\(|\bputchar\s*\(|\bperror\s*\(" \
           r"|\bstd::(?:cout|cerr|clog)\b|#\s*include\s*<iostream>"
ENDING = r"(?<![.>])\b(?:quick_exit|_?exit|_Exit)\s*\(|(?<![.>])\b(?:abort|terminate)\s*\(\s*\)\s*;"


def check(tree):
    paths = [p for p in tree.sources() if room_of(p) in LIBRARY_ROOMS and p not in ALLOWED]
    for place, match in tree.search(f"{PRINTING}|{ENDING}", paths):
        yield f"{place}: a library must not do this: {match.group()}"


BAD = [
    {"core/a.cpp": 'void f() { std::printf("x"); }\n'},
    {"model/a.cpp": 'void f() { fprintf(stderr, "x"); }\n'},
    {"bfs/a.cpp": "void f() { std::cerr << 1; }\n"},
    {"bfs/a.cpp": "#include <iostream>\n"},
    {"patch/a.cpp": "void f() { std::exit(1); }\n"},
    {"mpi/a.cpp": "void f() { ::_exit(1); }\n"},
    {"mpi/a.cpp": "void f() { std::_Exit(1); }\n"},
    {"kernels/a.cpp": "void f() { abort(); }\n"},
    {"kernels/a.cpp": "void f() { std::terminate(); }\n"},
]
GOOD = [
    {"core/a.cpp": 'int n = std::snprintf(b, 1, "printf(exit(1))"); // printf("x"); abort();\n'},
    {"mpi/a.cpp": "int exit_code(int); void f() { communicator.abort(text); on_exit_code(3); }\n"},
    {"cli/a.cpp": "void f() { std::exit(1); }\n", "core/check.cpp": "void f() { std::abort(); }\n"},
]
