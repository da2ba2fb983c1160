"""Clang 14 does not compile the views of GCC 12's <ranges>. The algorithms of std::ranges are in <algorithm>."""


def check(tree):
    for path in tree.sources():
        for line, name, _ in tree.includes(path):
            if name == "ranges":
                yield f"{path}:{line}: Clang 14 does not compile <ranges>"
    for place, _ in tree.search(r"\bstd\s*::\s*(?:ranges\s*::\s*)?views\s*::", tree.sources()):
        yield f"{place}: Clang 14 does not compile views"


BAD = [{"packer/a.cpp": "#include <ranges>\n"},
       {"packer/a.cpp": "const auto all = std::views::iota(0, 3);\n"},
       {"packer/a.cpp": "const auto all = std::ranges::views::iota(0, 3);\n"}]
GOOD = [{"packer/a.cpp": "// <ranges> has std::views::iota\n#include <algorithm>\nstd::ranges::sort(all);\n"}]
