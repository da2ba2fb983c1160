"""tools/read_patch.py, which knows docs/formats/patch.md only, against the golden files."""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import read_patch  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "patch"
# Rules about the choice of one encoding, which a simple reader does not check.
CHOICES = {"bits_of_a_group", "bound_without_shapes", "embedding_in_layer_one",
           "groups_of_a_whole_row", "mask_of_untouched", "shape_not_repeated",
           "shape_per_tensor_needless", "shape_unknown_not_least", "shift_not_best",
           "step_up_and_down",
           "untouched_layer"}


def by_place(flips):
    return sorted(json.dumps(flip, sort_keys=True) for flip in flips)


def check_ok(path):
    patch = read_patch.read_patch(path.read_bytes())
    expected = json.loads(path.with_suffix(".json").read_text())
    own = expected["metadata"].get("bankai", {})
    assert by_place(patch["flips"]) == by_place(expected["flips"]), path
    assert patch["base_hash"] == own.get("base_hash"), path
    shapes = [{key: entry[key] for key in ("layer", "proj", "rows", "cols")}
              for entry in own.get("tensors", [])]
    assert by_place(patch["tensors"]) == by_place(shapes), path
    assert patch["name"] == expected["name"], path


def check_reject(path):
    try:
        read_patch.read_patch(path.read_bytes())
    except read_patch.BadPatch:
        return
    assert path.name.split(".")[1] in CHOICES, f"{path} was accepted"


def main():
    accepted = sorted((GOLDEN / "ok").glob("*.bkp"))
    refused = sorted((GOLDEN / "reject").glob("*.bkp"))
    assert len(accepted) >= 8 and len(refused) >= 40
    for path in accepted:
        check_ok(path)
    for path in refused:
        check_reject(path)
    print(f"{len(accepted)} files read, {len(refused)} refused or not canonical")


if __name__ == "__main__":
    main()
