"""A link in a document leads to a file that is there."""
import posixpath
import re

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)


def check(tree):
    for path in tree.sources(".md"):
        text = CODE.sub("", tree.text(path))
        for target in LINK.findall(text):
            target = target.split("#")[0]
            if not target or "://" in target:
                continue
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if not (tree.root / found).exists():
                yield f"{path}: broken link: {target}"


BAD = [{"docs/a.md": "[b](b.md)\n"}, {"docs/a.md": "[b](../docs/b/)\n"}]
GOOD = [{"docs/a.md": "[b](../b.md#part) [c](https://example.org/x) `[d](d.md)` [a](#here)\n[r](..)\n",
         "b.md": ""}]
