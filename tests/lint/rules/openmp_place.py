"""OpenMP lives in the .cpp files of model, bfs and packer: never in headers or kernels."""
from tree import room_of

ROOMS_WITH_THREADS = {"model", "bfs", "packer"}


def check(tree):
    paths = [p for p in tree.sources()
             if not (p.endswith(".cpp") and room_of(p) in ROOMS_WITH_THREADS)]
    for place, _ in tree.search(r"^[ \t]*#[ \t]*pragma[ \t]+omp\b|\b_Pragma\b", paths):
        yield f"{place}: no OpenMP here"


BAD = [
    {"kernels/a.cpp": "#pragma omp parallel for\n"},
    {"model/a.h": "  # pragma omp simd\n"},
    {"bfs/a.h": '_Pragma("omp parallel")\n'},
]
GOOD = [{"model/a.cpp": "#pragma omp parallel for\n", "core/a.h": "// #pragma omp\n#pragma once\n"}]
