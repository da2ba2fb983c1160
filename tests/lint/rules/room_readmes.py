"""Every room opens with a README.md: purpose, what it must not know, where to start."""
from tree import ROOMS, room_of


def check(tree):
    rooms = {room_of(path) for path in tree.files} & {*ROOMS, "data", "tests"}
    for room in sorted(rooms):
        if f"{room}/README.md" not in tree.files:
            yield f"{room}: has no README.md"


BAD = [{"core/a.h": ""}, {"core/README.md": "", "data/a.txt": ""}]
GOOD = [{"core/a.h": "", "core/README.md": "", "docs/a.md": ""}]
