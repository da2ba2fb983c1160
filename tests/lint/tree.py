"""The source tree as the rules see it: its files, their text, and C++ code without its comments."""
import re
from pathlib import Path

LIBRARY_ROOMS = ("core", "kernels", "patch", "mpi", "model", "bfs", "packer")
ROOMS = LIBRARY_ROOMS + ("cli",)
SKIPPED_FOLDERS = {".git", "build", "__pycache__"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)
TOKEN = re.compile(
    r"(?P<include>^[ \t]*#[ \t]*include[ \t]*[\"<][^\">\n]*[\">])"
    r"|(?P<comment>//[^\n]*|/\*.*?\*/)"
    r'|(?P<literal>R"(?P<end>[^(\s]*)\(.*?\)(?P=end)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+')",
    re.M | re.S)


def without_comments(text):
    """C++ text with comments blanked and literals emptied; lines keep their numbers."""

    def blank(match):
        token = match.group()
        if match.lastgroup == "include":
            return token
        quotes = '""' if match.group("literal") else ""
        return quotes + "\n" * token.count("\n")

    return TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.files = sorted(self._walk(self.root))

    def _walk(self, folder):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink() and entry.name not in SKIPPED_FOLDERS:
                yield from self._walk(entry)
            elif entry.is_file():
                yield entry.relative_to(self.root).as_posix()

    def sources(self, *endings):
        """The C++ files, or those with one of the endings."""
        return [path for path in self.files if path.endswith(endings or (".h", ".cpp"))]

    def bytes(self, path):
        return (self.root / path).read_bytes()

    def text(self, path):
        return self.bytes(path).decode("utf-8", errors="replace")

    def code(self, path):
        return without_comments(self.text(path))

    def includes(self, path):
        """(line, name, is_quoted) of every include."""
        code = self.code(path)
        for match in INCLUDE.finditer(code):
            yield line_of(code, match.start()), match[1] or match[2], match[1] is not None

    def search(self, pattern, paths):
        """path:line of each match of a pattern in the code of some files."""
        for path in paths:
            code = self.code(path)
            for match in re.finditer(pattern, code, re.M):
                yield f"{path}:{line_of(code, match.start())}", match


def room_of(path):
    return path.split("/", 1)[0]
