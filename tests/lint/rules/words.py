"""Nothing unfinished, and nothing of one machine: no marks of work to do, no paths of the machine
that it was written on, no hosts of package registries."""
import re

EXEMPT = ("LICENSE", "data/demo/text/", "data/demo/probes/")
# Brackets keep these patterns from matching themselves.
FORBIDDEN = re.compile(
    r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b"
    r"|/wor[k]/|/tm[p]/[a-z]+_jobs|/roo[t]/|/home/[a-z]"
    r"|\b(?:pyp[i]\.org|pythonhosted\.or[g]|crate[s]\.io|npmj[s]\.(?:org|com)|nodesourc[e]\.com"
    r"|de[b]\.debian\.org|conan\.i[o]|anacond[a]\.org|docke[r]\.io|ghc[r]\.io|rubygem[s]\.org)\b")


def check(tree):
    for path in tree.files:
        if path.startswith(EXEMPT) or b"\0" in tree.bytes(path):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            match = FORBIDDEN.search(line)
            if match:
                yield f"{path}:{number}: {match.group()}"


BAD = [
    {"core/a.h": "// TOD" + "O: later\n"},
    {"docs/a.md": "see /wor" + "k/main\n"},
    {"cmake/a.cmake": "https://pyp" + "i.org/simple\n"},
]
GOOD = [{"core/a.h": '// "name.XXXXXX" and todos, /workers/, a/work\n', "a.gguf": "\0 /wor" + "k/"}]
