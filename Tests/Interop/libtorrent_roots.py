#!/usr/bin/python3
"""Prints the BEP 52 pieces root that libtorrent computes for each file named, as `root  path`.

A file is made into a v2-only torrent with pieces of 1 MiB. An empty file has no root: `-  path`.
Needs libtorrent 2 (Debian: python3-libtorrent). Exits 64 if no file is named.
"""

import os
import sys

import libtorrent

PIECE_BYTES = 1 << 20


def pieces_root(path):
    if os.path.getsize(path) == 0:
        return None
    folder, name = os.path.split(os.path.abspath(path))
    files = libtorrent.file_storage()
    files.add_file(name, os.path.getsize(path))
    torrent = libtorrent.create_torrent(files, PIECE_BYTES, libtorrent.create_torrent.v2_only)
    libtorrent.set_piece_hashes(torrent, folder)
    tree = torrent.generate()[b"info"][b"file tree"]
    return tree[name.encode()][b""][b"pieces root"]


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 64
    for path in paths:
        root = pieces_root(path)
        print(f"{root.hex() if root else '-'}  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
