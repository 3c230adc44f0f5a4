"""Numbers, hash trees and frames, as the specification has them: what the writers of vectors share."""

import struct

from noise import sha256

LEAF, CHUNK, PAGE = 1 << 14, 1 << 20, 1024


def u8(n):
    return struct.pack(">B", n)


def u16(n):
    return struct.pack(">H", n)


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def fixed(label):
    """32 bytes that stand for a random value."""
    return sha256(b"p2pnode-vector " + label.encode())


def content(size):
    period = bytes((i * i + 7 * i + 3) % 251 for i in range(251))
    return (period * (size // 251 + 1))[:size]


def node(a, b):
    return sha256(a + b)


def tree(hashes, padding):
    """The root over `hashes`, padded with `padding` to the next power of two."""
    level = list(hashes)
    while len(level) & (len(level) - 1):
        level.append(padding)
    while len(level) > 1:
        level = [node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


ZERO = b"\0" * 32
ZERO_CHUNK = tree([ZERO] * 64, ZERO)


def chunk_hashes(data):
    leaves = [sha256(data[i:i + LEAF]) for i in range(0, len(data), LEAF)]
    if len(data) <= CHUNK:
        return [tree(leaves, ZERO)] if leaves else []
    chunks = [leaves[i:i + 64] for i in range(0, len(leaves), 64)]
    return [tree(c + [ZERO] * (64 - len(c)), ZERO) for c in chunks]


def root_of(hashes):
    return tree(hashes, ZERO_CHUNK) if hashes else ZERO


def file_id(length, root, kind=0):
    return sha256(b"p2pnode-file-v1" + u8(kind) + u64(length) + root)


def uncles(hashes, page):
    """The hashes beside the path from a page's node to the root, lowest first."""
    level = list(hashes)
    while len(level) & (len(level) - 1):
        level.append(ZERO_CHUNK)
    at, out = page, []
    width = PAGE
    while width > 1:
        level = [node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        width //= 2
    while len(level) > 1:
        out.append(level[at ^ 1])
        at //= 2
        level = [node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return out


def frame(kind, body):
    return u32(1 + len(body)) + u8(kind) + body
