"""Arrows between rooms point down only: docs/architecture.md has the picture of this table."""
from tree import ROOMS, room_of

MAY_INCLUDE = {
    "core": {"core"},
    "kernels": {"kernels", "core"},
    "patch": {"patch", "core"},
    "mpi": {"mpi", "core"},
    "model": {"model", "kernels", "core"},
    "bfs": {"bfs", "model", "patch", "mpi", "kernels", "core"},
    "packer": {"packer", "model", "patch", "kernels", "core"},
    "cli": set(ROOMS),
    "tests": set(ROOMS) | {"tests"},
}


def check(tree):
    for path in tree.sources():
        room = room_of(path)
        if room not in MAY_INCLUDE:
            yield f"{path}: C++ outside the rooms"
            continue
        for line, name, is_quoted in tree.includes(path):
            if is_quoted and "/" not in name:
                yield f'{path}:{line}: "{name}" is not written from the root'
            elif is_quoted and room_of(name) not in MAY_INCLUDE[room]:
                yield f'{path}:{line}: {room} must not include "{name}"'
            elif not is_quoted and room_of(name) in ROOMS:
                yield f"{path}:{line}: <{name}> is ours: write it in quotes"


BAD = [
    {"core/a.h": '#include "model/b.h"\n'},
    {"model/a.cpp": '#include "patch/b.h"\n'},
    {"model/a.cpp": '#include "mpi/b.h"\n'},
    {"patch/a.cpp": '#include "kernels/b.h"\n'},
    {"bfs/a.cpp": '#  include "packer/b.h"\n'},
    {"packer/a.cpp": '#include "bfs/b.h"\n'},
    {"kernels/a.cpp": '#include "b.h"\n'},
    {"kernels/a.cpp": "#include <core/b.h>\n"},
    {"extra/a.cpp": ""},
]
GOOD = [
    {"bfs/a.cpp": '#include "bfs/a.h"\n#include "model/b.h"\n#include "mpi/c.h"\n'},
    {"model/a.cpp": '// #include "patch/b.h"\nconst char* s = "\\n#include \\"bfs/b.h\\"";\n'},
    {"cli/a.cpp": '#include "packer/b.h"\n', "tests/x/a.cpp": '#include "tests/y/b.h"\n'},
]
