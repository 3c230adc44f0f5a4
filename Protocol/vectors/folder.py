"""Folders: listings, their rules, the layout of contents. Written from section 14 alone, as the rest of this generator."""

from content import (CHUNK, LEAF, PAGE, ZERO, ZERO_CHUNK, chunk_hashes, content, file_id, fixed, frame, root_of, tree, u8,
                     u16, u32, u64, uncles)
from noise import sha256

MAGIC = b"p2pnode-folder-v1"
FILE, EXECUTABLE, LINK, EMPTY = range(4)
LEAVES = CHUNK // LEAF


# The listing

class Entry:
    """`data`: bytes of a real file. `chunks`: made-up chunk hashes. Neither: only the length and the root matter."""

    def __init__(self, type, path, length=0, root=None, data=None, chunks=None, target=None):
        self.type, self.path = type, path.encode() if isinstance(path, str) else path
        self.target = target.encode() if isinstance(target, str) else target
        self.data, self.chunks = data, chunks
        self.length = len(data) if data is not None else length
        if data is not None:
            self.chunks = chunk_hashes(data)
        self.root = root if root is not None else root_of(self.chunks or [])

    @property
    def is_file(self):
        return self.type in (FILE, EXECUTABLE)

    def encoded(self):
        head = u8(self.type) + u16(len(self.path)) + self.path
        if self.is_file:
            return head + u64(self.length) + self.root
        return head + u16(len(self.target)) + self.target if self.type == LINK else head


def real(path, size, type=FILE):
    return Entry(type, path, data=content(size))


def made_up(path, chunks, tail=CHUNK, type=FILE):
    """A file of `chunks` chunks, the last one of `tail` bytes; chunk hashes are made up from its path."""
    path = path.encode()
    hashes = [sha256(b"p2pnode-chunk" + path + u32(i)) for i in range(chunks)]
    return Entry(type, path, length=(chunks - 1) * CHUNK + tail, chunks=hashes)


def link(path, target):
    return Entry(LINK, path, target=target)


def empty(path):
    return Entry(EMPTY, path)


def listing(entries, count=None):
    return MAGIC + u32(len(entries) if count is None else count) + b"".join(e.encoded() for e in entries)


class Refused(Exception):
    """The number of the rule that a listing breaks."""


def check(holds, rule):
    if not holds:
        raise Refused(rule)


def read_utf8(data, rule):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(rule)
    check(b"\0" not in data, rule)


def read(data):
    """The entries of a listing; it is checked by the rules of section 14, in their order within an entry."""
    at = 0

    def take(size):
        nonlocal at
        check(at + size <= len(data), 1)
        at += size
        return data[at - size:at]

    def number(size):
        return int.from_bytes(take(size), "big")

    check(len(data) <= 1 << 30 and take(17) == MAGIC, 1)
    count = number(4)
    check(count <= 1 << 22, 1)
    entries = []
    for _ in range(count):
        type = number(1)
        check(type <= EMPTY, 2)
        path = take(number(2))
        parts = path.split(b"/")
        check(1 <= len(path) <= 4095 and len(parts) <= 64, 3)
        check(all(1 <= len(part) <= 255 and part not in (b".", b"..") for part in parts), 3)
        read_utf8(path, 3)
        if entries:
            before = entries[-1].path.split(b"/")
            check(before < parts, 4)
            check(parts[:len(before)] != before, 5)
        if type in (FILE, EXECUTABLE):
            length, root = number(8), take(32)
            check((length == 0) == (root == ZERO), 6)
            entries.append(Entry(type, path, length=length, root=root))
        elif type == LINK:
            target = take(number(2))
            check(1 <= len(target) <= 4095, 7)
            read_utf8(target, 7)
            names = target.split(b"/")
            check(b"" not in names and b"." not in names, 7)
            up = 0
            while up < len(names) and names[up] == b"..":
                up += 1
            check(up <= len(parts) - 1 and b".." not in names[up:], 7)
            entries.append(Entry(type, path, target=target))
        else:
            entries.append(Entry(type, path))
    check(at == len(data), 1)
    check(sum(e.length for e in entries) <= 1 << 42, 6)
    check(Layout(entries, pages=False).chunk_count <= 1 << 22, 6)
    return entries


# The layout

def parts_of(length, size):
    return (length + size - 1) // size


class Layout:
    def __init__(self, entries, pages=True):
        self.entries = entries
        files = [(i, e.length) for i, e in enumerate(entries) if e.is_file and e.length > 0]
        self.shared = next_fit([(i, parts_of(n, LEAF)) for i, n in files if parts_of(n, LEAF) <= LEAVES], LEAVES)
        self.larger, first = {}, len(self.shared)
        for i, length in files:
            if parts_of(length, LEAF) > LEAVES:
                self.larger[i] = (first, parts_of(length, CHUNK))
                first += parts_of(length, CHUNK)
        self.chunk_count = first
        if pages:
            self.pages = self.make_pages()

    def make_pages(self):
        """(runs of chunks, files, uncles) of each page."""
        out, is_open = [], False
        for i, (first, count) in self.larger.items():
            if count > PAGE:
                m = (count - 1).bit_length() - 10
                for page in range(parts_of(count, PAGE)):
                    out.append(([(first + page * PAGE, min(PAGE, count - page * PAGE))], [i], m))
                is_open = False
            elif is_open and sum(n for _, n in out[-1][0]) + count <= PAGE:
                out[-1][0].append((first, count))
                out[-1][1].append(i)
            else:
                out.append(([(first, count)], [i], 0))
                is_open = True
        return out

    def runs(self, chunk):
        """(entry, offset, length) of the bytes of a chunk."""
        if chunk < len(self.shared):
            return [(i, 0, self.entries[i].length) for i in self.shared[chunk]]
        for i, (first, count) in self.larger.items():
            if first <= chunk < first + count:
                offset = (chunk - first) * CHUNK
                return [(i, offset, min(CHUNK, self.entries[i].length - offset))]

    def leaves(self, chunk):
        """(entry, offset, length) of each leaf of a chunk."""
        return [(i, at, min(LEAF, offset + length - at)) for i, offset, length in self.runs(chunk)
                for at in range(offset, offset + length, LEAF)]


def next_fit(files, most):
    """Packs (index, size) into groups of at most `most`, without ever going back to an earlier group."""
    groups, room = [], 0
    for i, size in files:
        if size > room:
            groups.append([])
            room = most
        groups[-1].append(i)
        room -= size
    return groups


# Vectors

HANDLE, REQUEST = 7, 258
TYPES = ["file", "executable file", "link", "empty folder"]


def shown(data):
    text = data.decode()
    text = "".join(c if c.isprintable() else "\\u{%X}" % ord(c) for c in text)
    return '"%s"' % (text if len(text) <= 60 else text[:28] + "…" + text[-28:])


def tree_values(out, name, entries, about, chunks=None, pages=None):
    data = listing(entries)
    assert [e.encoded() for e in read(data)] == [e.encoded() for e in entries], name
    layout = Layout(entries)
    root, total = root_of(chunk_hashes(data)), sum(e.length for e in entries)
    out.comment("", "%s: %s" % (name, about))
    out.value(name + ".listing", data)
    out.value(name + ".root", root)
    out.value(name + ".folderID", file_id(len(data), root, kind=1))
    out.value(name + ".length", u64(total))
    out.value(name + ".contentsID", file_id(total, root, kind=2))
    out.value(name + ".entries", u32(len(entries)))
    for i, e in enumerate(entries):
        what = "%s %s" % (TYPES[e.type], shown(e.path))
        what += ", %d bytes" % e.length if e.is_file else " -> " + shown(e.target) if e.type == LINK else ""
        at = "%s.entry%d" % (name, i)
        out.value(at + ".type", u8(e.type), what)
        out.value(at + ".path", e.path)
        if e.is_file:
            out.value(at + ".length", u64(e.length))
            out.value(at + ".root", e.root)
        elif e.type == LINK:
            out.value(at + ".target", e.target)
    out.value(name + ".chunks", u32(layout.chunk_count))
    out.value(name + ".shared-chunks", u32(len(layout.shared)))
    for chunk in range(layout.chunk_count) if chunks is None else chunks:
        chunk_values(out, "%s.chunk%d" % (name, chunk), layout, chunk)
    out.value(name + ".pages", u32(len(layout.pages)))
    for page in range(len(layout.pages)) if pages is None else pages:
        page_values(out, "%s.page%d" % (name, page), layout, page)
    return layout


def chunk_values(out, at, layout, chunk):
    out.value(at + ".runs", b"".join(u32(i) + u64(offset) + u64(length) for i, offset, length in layout.runs(chunk)))
    leaves = layout.leaves(chunk)
    out.value(at + ".leaves", b"".join(u16(length) for _, _, length in leaves))
    if any(layout.entries[i].data is None for i, _, _ in leaves):
        return
    hashes = [(i, sha256(layout.entries[i].data[offset:offset + length])) for i, offset, length in leaves]
    if chunk < len(layout.shared):
        for file in layout.shared[chunk]:
            assert tree([h for i, h in hashes if i == file], ZERO) == layout.entries[file].root
    out.value(at + ".leaf-hashes", b"".join(h for _, h in hashes))


def page_values(out, at, layout, page):
    runs, files, m = layout.pages[page]
    out.value(at + ".chunks", b"".join(u32(first) + u32(count) for first, count in runs))
    out.value(at + ".files", b"".join(u32(i) for i in files))
    out.value(at + ".m", u8(m))
    if any(layout.entries[i].chunks is None for i in files):
        return
    hashes, over = [], []
    for i, (first, count) in zip(files, runs):
        entry, start = layout.entries[i], first - layout.larger[i][0]
        part = entry.chunks[start:start + count]
        hashes += part
        if m == 0:
            assert tree(part, ZERO_CHUNK) == entry.root
        else:
            own = start // PAGE
            over = uncles(entry.chunks, own)
            node = tree(part + [ZERO_CHUNK] * (PAGE - len(part)), ZERO_CHUNK)
            for bit, uncle in enumerate(over):
                node = sha256(uncle + node) if own >> bit & 1 else sha256(node + uncle)
            assert node == entry.root
    assert len(over) == m
    out.value(at + ".uncles", b"".join(over))
    if len(hashes) <= 16:
        out.value(at + ".frame", frame(0x08, u32(HANDLE) + u32(page) + u16(len(hashes)) + b"".join(hashes) + u8(m) +
                                       b"".join(over)))


def folder_file(out):
    out.comment(
        "Folders. Names begin with the name of the folder, F below. All numbers are big-endian.",
        "  F.listing      the listing; F.root its root, F.folderID its ID",
        "  F.length       u64: the sum of the lengths of the files; F.contentsID the ID of the contents",
        "  F.entries      u32: how many entries. Entry N has F.entryN.type (u8) and F.entryN.path,",
        "                 a file F.entryN.length (u64) and F.entryN.root, a link F.entryN.target",
        "  F.chunks       u32: the chunks of the contents; F.shared-chunks: how many of these are shared",
        "  F.chunkN.runs         the bytes of chunk N: for each run entry number u32, offset in the file u64, length u64",
        "  F.chunkN.leaves       the length of each leaf of chunk N: u16 each",
        "  F.chunkN.leaf-hashes  the hash of each leaf, where files are not made up",
        "  F.pages        u32: the pages of the contents",
        "  F.pageN.chunks        the chunks of page N: for each run of neighbours first chunk u32, count u32; one run a file",
        "  F.pageN.files         the entry number of the file of each run: u32 each",
        "  F.pageN.m             u8: the uncles of page N; 0 exactly for shared pages",
        "  F.pageN.uncles        the uncles, where the file has chunk hashes",
        "  F.pageN.frame         a PAGE with handle 7, for pages of at most 16 chunks",
        "  F.chunkN.frame        a DATA with all leaves of chunk N: id 258, leaf hashes, last",
        "A folder with many chunks or pages has some of them here. Byte i of each file with leaf hashes is",
        "(i*i + 7*i + 3) mod 251, as in content.txt. In `pages`, chunk i of the file P has the hash",
        "SHA-256(\"p2pnode-chunk\" + P + i as u32), where P is the path. Other roots are made up. A listing of 2^30 bytes or of",
        "2^22 entries would be too large to be here.")
    tree_values(out, "nothing", [], "an empty folder: 0 entries, no chunk")
    tree_values(out, "one", [real("hello.txt", 5)], "one small file")
    tree_values(out, "no-bytes", [
        real("a/empty", 0), Entry(EXECUTABLE, "a/run", data=b""), empty("b/c"), link("b/up", ".."),
        link("dangling", "nowhere/at all"),
    ], "entries, but no chunk: the contents are not opened")

    order = tree_values(out, "order", in_order([
        real("README", 3), real("Readme", 3), real("a/x", 1), empty("a/x.d"), real("a/y/z", 2), real("a/y.z", 2),
        real("a b", 4), real("a\nb", 5), real("a\\b", 6), real("a-b", 7), real("a.b", 8), real("aa", 9),
        real("é", 10), real("e\u0301", 11), real("\uFFFF", 12), real("\U00010000", 13), real(".hidden", 14),
        real("...", 15), real("..a", 16), real("a-b.d/x", 17),
    ]), "names whose order is by components and bytes; all files are in one shared chunk and have one leaf each")
    out.value("order.chunk0.frame", data_frame(order, 0))

    one_leaf = [real("tail/%02d" % i, i + 1) for i in range(3)]
    tree_values(out, "next-fit", in_order([
        real("a", CHUNK),                  # 64 leaves: chunk 0, full
        real("b", 1), real("c", CHUNK - LEAF),         # 1 + 63 leaves: chunk 1, full
        real("d", LEAF), real("e", 39 * LEAF),         # 40 leaves in chunk 2
        real("e1", CHUNK + 1),             # 65 leaves: not shared
        real("f", 25 * LEAF - 5),          # 25 do not fit: chunk 3; chunk 2 has room for 24, but stays
        real("g", 24 * LEAF), real("h", 0), real("i", 15 * LEAF),       # 64 in chunk 3: full
        real("j", LEAF + 1), real("k", 62 * LEAF + 1),  # 2 leaves; 63 do not fit: chunks 4 and 5
        real("l", LEAF - 1),               # 64 in chunk 5: full
        real("l1", 2 * CHUNK),
        real("m", LEAF), real("n", LEAF),  # equal files are laid out twice
    ] + one_leaf), "small files, packed next-fit; the files of 65 and of 128 leaves are not shared, and come last")

    mixed = tree_values(out, "mixed", in_order([
        real("bin/tool", 70000, EXECUTABLE), link("bin/latest", "tool"), link("bin/data", "../data"),
        empty("cache"), real("data/big.bin", 3 * CHUNK + 5), real("data/none", 0), real("data/tiny", 1),
        real("docs/a.md", 16385), real("docs/more/big", CHUNK + 1), link("docs/more/to", "../../data/tiny"),
    ]), "small and larger files, empty ones, executables, links")
    assert mixed.chunk_count == 1 + 4 + 2

    pages = [
        made_up("a", 2), made_up("b", 1025, 77), made_up("c", 1022), made_up("d", 3, 1), made_up("e", 1024),
        made_up("f", 2), made_up("g", 4097, 16385), made_up("h", 5), Entry(FILE, "i", length=100, root=fixed("file i")),
        made_up("j", 3, LEAF),
    ]
    layout = Layout(pages)
    edges = sorted({0} | {c for first, count in layout.larger.values() for c in (first, first + count - 1)})
    tree_values(out, "pages", pages, "made-up files of more than one page, and of less; the pages of b and g are their own",
                chunks=edges)

    limits = in_order([
        real("/".join(["%02d" % i + "p" * 61 for i in range(64)]), 1),         # 64 components, 4,095 bytes
        link("/".join(["l"] * 64), "/".join([".."] * 63 + ["x"])),
        link("far", "/".join(["t"] * 2047) + "tt"), link("long", "t" * 4095),
        real("n" * 255, 1), real("é" * 127 + "x", 1),
    ])
    assert len(limits[0].path) == 4095 and {len(e.target) for e in limits if e.type == LINK} >= {4095}
    tree_values(out, "limits", limits, "the longest paths, components and targets")
    tree_values(out, "most", [
        Entry(FILE, "a", length=1 << 41, root=fixed("file a")),
        Entry(EXECUTABLE, "b", length=1 << 41, root=b"\0" * 31 + b"\1"),
    ], "2^42 bytes in 2^22 chunks", chunks=[0, (1 << 21) - 1, 1 << 21, (1 << 22) - 1], pages=[0, 2047, 2048, 4095])
    tree_values(out, "largest", [Entry(FILE, "a", length=1 << 42, root=fixed("file a"))],
                "one file of 2^42 bytes", chunks=[0, (1 << 22) - 1], pages=[0, 4095])


def in_order(entries):
    return sorted(entries, key=lambda e: e.path.split(b"/"))


def data_frame(layout, chunk):
    leaves = [layout.entries[i].data[offset:offset + length] for i, offset, length in layout.leaves(chunk)]
    return frame(0x0C, u32(REQUEST) + u8(0) + u8(len(leaves)) + u8(3) + u8(len(leaves)) +
                 b"".join(sha256(leaf) for leaf in leaves) + b"".join(leaves))


# What must be refused

def invalid_folder(out):
    out.comment("Listings that are refused, each for one reason: the number of the rule in section 14 (\"Listing\") and why.",
                "A listing of more than 2^30 bytes, or one with more than 2^22 entries in it, would be too large to be here.")
    used = set()

    def bad(name, rule, data, why):
        try:
            read(data)
        except Refused as refused:
            assert refused.args[0] == rule, (name, refused.args[0])
        else:
            raise AssertionError(name)
        used.add(rule)
        out.value(name, data, "rule %d: %s" % (rule, why))

    def entries(name, rule, list, why):
        bad(name, rule, listing(list), why)

    def path(name, path, why, rule=3):
        entries("path." + name, rule, [empty(path)], why)

    def target(name, target, why, at="p/q/l"):
        entries("target." + name, 7, [link(at, target)], why)

    def file(path, length=3, root=None, type=FILE):
        return Entry(type, path, length=length, root=fixed("file") if root is None else root)

    good = [file("a"), file("b", type=EXECUTABLE), empty("c"), link("d", "ef")]
    data = listing(good)
    read(data)
    out.value("good", data, "not invalid: the listing that many others spoil")

    starts, at = [], 21
    for e in good:
        starts.append(at)
        at += len(e.encoded())
    bad("empty", 1, b"", "no bytes")
    bad("magic.cut", 1, data[:16], "the first 17 bytes are not all there")
    bad("magic.other", 1, b"p2pnode-folder-v2" + data[17:], "not \"p2pnode-folder-v1\"")
    bad("magic.case", 1, b"P" + data[1:], "not \"p2pnode-folder-v1\"")
    bad("magic.only", 1, data[:17], "no count")
    bad("count.cut", 1, data[:20], "3 bytes of the count")
    bad("count.without-entries", 1, data[:21], "4 entries, and none is there")
    bad("count.large", 1, listing(good, count=5), "5 entries, and 4 are there")
    bad("count.small", 1, listing(good, count=3), "3 entries, and 4 are there")
    bad("count.zero", 1, listing(good, count=0), "no entry, and 4 are there")
    bad("count.over-2^22", 1, listing(good, count=(1 << 22) + 1), "at most 2^22")
    bad("count.most", 1, listing(good, count=0xFFFFFFFF), "at most 2^22; no memory is set aside for them")
    bad("trailing", 1, data + b"\0", "a byte follows the last entry")
    bad("trailing.nothing", 1, listing([]) + b"\0", "a byte follows no entry")
    for name, end, why in [
        ("type", starts[1], "the second entry has no type"), ("path-length", starts[0] + 2, "1 byte of the path's length"),
        ("no-path", starts[0] + 3, "no path"), ("length", starts[0] + 4 + 7, "7 bytes of the length"),
        ("no-length", starts[0] + 4, "no length"), ("no-root", starts[0] + 12, "no root"),
        ("root", starts[0] + 12 + 31, "31 bytes of the root"), ("empty-folder", starts[2] + 3, "no path"),
        ("no-target-length", starts[3] + 4, "no length of the target"),
        ("target-length", starts[3] + 5, "1 byte of the target's length"),
        ("no-target", starts[3] + 6, "no target"), ("target", starts[3] + 7, "1 byte of the target"),
    ]:
        bad("cut." + name, 1, data[:end], why)
    bad("path.beyond", 1, MAGIC + u32(1) + u8(EMPTY) + u16(0xFFF) + b"a", "the path is longer than the listing")
    bad("target.beyond", 1, MAGIC + u32(1) + u8(LINK) + u16(1) + b"a" + u16(0xFFF) + b"b", "and here the target is")

    for type in [4, 255]:
        bad("type.%d" % type, 2, MAGIC + u32(1) + u8(type) + u16(1) + b"a", "no such type")

    path("none", "", "at least 1 byte")
    path("dot", ".", "a component is not \".\"")
    path("dot-inside", "a/./b", "a component is not \".\"")
    path("dots", "..", "a component is not \"..\"")
    path("dots-first", "../a", "a component is not \"..\"")
    path("dots-inside", "a/../b", "a component is not \"..\"")
    path("dots-last", "a/..", "a component is not \"..\"")
    path("slash", "/", "an empty component")
    path("slash-first", "/a", "an empty component")
    path("slash-last", "a/", "an empty component")
    path("slash-twice", "a//b", "an empty component")
    path("nul", "a\0b", "a NUL")
    path("nul-last", "a\0", "a NUL")
    path("component-256", "a/" + "n" * 256, "a component has at most 255 bytes")
    path("component-256-bytes", "é" * 128, "128 characters, but 256 bytes")
    path("4096-bytes", "/".join(["p" * 63] * 63 + ["p" * 64]), "at most 4,095 bytes")
    path("65-components", "/".join(["a"] * 65), "at most 64 components")
    for name, spoiled, why in NOT_UTF8:
        path("utf8-" + name, b"a" + spoiled, why)
    entries("path.of-file", 3, [file("../a")], "the rules hold for files")
    entries("path.of-executable", 3, [file("../a", type=EXECUTABLE)], "the rules hold for executable files")
    entries("path.of-link", 3, [link("../a", "b")], "the rules hold for links")
    entries("path.of-last", 3, good + [empty("e/..")], "the rules hold for the last entry")

    entries("order.descending", 4, [file("b"), file("a")], "b is greater than a")
    entries("order.last", 4, good + [file("bb")], "the last entry is out of order")
    entries("order.equal", 4, [file("a"), file("a")], "twice the same path")
    entries("order.equal-other-type", 4, [file("a"), empty("a")], "twice the same path, of two types")
    entries("order.plain-bytes", 4, [file("a.b"), file("a/x")], "as plain bytes a.b is less than a/x; by components, greater")
    entries("order.plain-bytes-deep", 4, [file("d/a-b/c"), file("d/a/c")], "the same below a folder")
    entries("order.case", 4, [file("a"), file("B")], "B is byte 42, a is byte 61")
    entries("order.shorter-first", 4, [file("ab"), file("a")], "a is the start of ab, so it is less")
    entries("order.number", 4, [file("9"), file("10")], "digits are bytes, not numbers")
    entries("order.utf-16", 4, [file("\U00010000"), file("\uFFFF")], "by UTF-16 U+10000 is less; by bytes, greater")
    entries("order.signed-bytes", 4, [file("é"), file("z")], "bytes are unsigned")
    entries("order.fewer-last", 4, [file("a/b/c"), file("a/b")], "the path with fewer components is less")

    entries("below.file", 5, [file("a"), file("a/b")], "an entry below a file")
    entries("below.empty-file", 5, [Entry(FILE, "a"), file("a/b")], "an entry below an empty file")
    entries("below.executable", 5, [file("a", type=EXECUTABLE), file("a/b")], "an entry below an executable file")
    entries("below.link", 5, [link("a", "b"), file("a/b")], "an entry below a link")
    entries("below.empty-folder", 5, [empty("a"), file("a/b")], "an empty folder that is not empty")
    entries("below.two-empty-folders", 5, [empty("a"), empty("a/b")], "an empty folder that is not empty")
    entries("below.deep", 5, [file("a/b"), link("a/b/c/d", "x")], "an entry two levels below a file")
    entries("below.after", 5, [file("0"), link("a", "b"), link("a/b", "x"), file("a.b")], "an entry below a link, among others")

    entries("file.empty-with-root", 6, [file("a", length=0)], "length 0, but a root")
    entries("file.empty-with-root-of-nothing", 6, [file("a", length=0, root=sha256(b""))], "length 0, but a root")
    entries("file.without-root", 6, [file("a", root=ZERO)], "3 bytes, but no root")
    entries("file.executable-without-root", 6, [file("a", root=ZERO, type=EXECUTABLE)], "3 bytes, but no root")
    entries("file.executable-empty-with-root", 6, [file("a", length=0, type=EXECUTABLE)], "length 0, but a root")
    entries("sum.one", 6, [file("a", length=(1 << 42) + 1)], "one file of more than 2^42 bytes")
    entries("sum.two", 6, [file("a", length=1 << 42), file("b", length=1)], "together more than 2^42 bytes")
    entries("sum.2^63", 6, [file("a", length=1 << 63)], "negative, if read as signed")
    entries("sum.2^64-1", 6, [file("a", length=(1 << 64) - 1)], "more than 2^42 bytes")
    entries("sum.wraps-to-0", 6, [file("a", length=1 << 63), file("b", length=1 << 63)], "the sum must not wrap to 0")
    entries("sum.wraps-to-1", 6, [file("a", length=(1 << 64) - 1), file("b", length=2)], "the sum must not wrap to 1")
    entries("chunks.two", 6, [file("a", length=(1 << 41) + 1), file("b", length=(1 << 41) - 1)],
            "2^42 bytes, but 2^22 + 1 chunks")
    entries("chunks.shared", 6, [file("a", length=(1 << 42) - 1), file("b", length=1)],
            "2^42 bytes, but 2^22 chunks and a shared one")

    target("none", "", "at least 1 byte")
    target("absolute", "/a", "an empty component")
    target("root", "/", "an empty component")
    target("slash-last", "a/", "an empty component")
    target("slash-twice", "a//b", "an empty component")
    target("dots-slash", "../", "an empty component")
    target("dot", ".", "a component is not \".\"")
    target("dot-first", "./a", "a component is not \".\"")
    target("dot-later", "a/./b", "a component is not \".\"")
    target("dot-after-dots", ".././a", "a component is not \".\"")
    target("dots-later", "a/..", "\"..\" is only at the start")
    target("dots-through-link", "a/../x", "\"..\" is only at the start: a may be a link")
    target("dots-again", "../a/../b", "\"..\" is only at the start")
    target("dots-3-of-2", "../../../a", "the link has 2 parents")
    target("dots-only-3-of-2", "../../..", "the link has 2 parents")
    target("dots-at-top", "..", "a link at the top has no parent inside", at="l")
    target("dots-at-top-and-name", "../l", "a link at the top has no parent inside", at="l")
    target("nul", "a\0b", "a NUL")
    target("4096-bytes", "t" * 4096, "at most 4,095 bytes")
    for name, spoiled, why in NOT_UTF8:
        target("utf8-" + name, b"a" + spoiled, why)
    assert used == set(range(1, 8))


NOT_UTF8 = [
    ("byte-ff", b"\xFF", "no byte of UTF-8"),
    ("continuation", b"\x80", "a continuation byte that continues nothing"),
    ("cut", b"\xE2\x82", "it ends within a character"),
    ("overlong-slash", b"\xC0\xAF", "an overlong form is not UTF-8"),
    ("overlong-nul", b"\xC0\x80", "an overlong form is not UTF-8"),
    ("overlong-3", b"\xE0\x80\xAF", "an overlong form is not UTF-8"),
    ("surrogate", b"\xED\xA0\x80", "a surrogate is not UTF-8"),
    ("above-10ffff", b"\xF4\x90\x80\x80", "above U+10FFFF"),
]
