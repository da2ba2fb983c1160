"""Only mpi/mpi_communicator.cpp knows MPI; everything else speaks to the Communicator."""

ALLOWED = "mpi/mpi_communicator.cpp"


def check(tree):
    for path in tree.sources():
        for line, name, _ in tree.includes(path):
            if name in ("mpi.h", "mpi-ext.h") and path != ALLOWED:
                yield f"{path}:{line}: <{name}> belongs to {ALLOWED} alone"


BAD = [{"cli/a.cpp": "#include <mpi.h>\n"}, {"tests/mpi/a.cpp": '#include "mpi.h"\n'}]
GOOD = [{ALLOWED: "#include <mpi.h>\n", "mpi/a.cpp": '// #include <mpi.h>\n#include "mpi/mpi.h"\n'}]
