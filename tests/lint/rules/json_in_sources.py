"""nlohmann/json costs seconds per file that sees it: it stays out of headers."""


def check(tree):
    for path in tree.sources(".h"):
        for line, name, _ in tree.includes(path):
            if name.startswith("nlohmann/"):
                yield f"{path}:{line}: <{name}> in a header"


BAD = [{"patch/a.h": "#include <nlohmann/json.hpp>\n"}, {"cli/a.h": "#include <nlohmann/json_fwd.hpp>\n"}]
GOOD = [{"patch/a.cpp": "#include <nlohmann/json.hpp>\n"}]
