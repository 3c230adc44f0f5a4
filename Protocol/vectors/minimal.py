#!/usr/bin/env python3
"""The minimal fetcher and the minimal server of README.md, sections 15 and 16. For reading and for tests, not for use.

    python3 minimal.py fetch HOST PORT FILEID > FILE
    python3 minimal.py serve FILE PORT-FILE      writes the port and the fileID to PORT-FILE; ends after one transfer

Public swarms and suite 1 only. A check that fails ends the program, where an implementation would send GOODBYE 2 or 6.
"""

import hmac
import os
import socket
import struct
import sys

from content import (CHUNK, LEAF, PAGE, ZERO, ZERO_CHUNK, chunk_hashes, file_id, frame, node, root_of, tree, u8, u16, u32,
                     uncles)
from noise import Handshake, KeyPair
from session import (bucket, data, file_key, goodbye, leaf_hashes, open_frame, opened_frame, page_frame, page_get, pong,
                     preamble, proof, refused_frame, request)

OPEN, OPENED, PAGE_GET, PAGE_, REQUEST, DATA, CANCEL, BUSY = range(0x02, 0x12, 2)
HAVE, BITMAP, WITHDRAWN, PEERS, PING, PONG, GOODBYE, PROMISED, CLOSE = 0x12, 0x14, 0x16, 0x18, 0x1A, 0x1C, 0x1E, 0x21, 0x23
PREAMBLE = preamble(1, 0)


def check(condition, what):
    if not condition:
        sys.exit("minimal: " + what)


class Refused(Exception):
    """The dialer offers what this listener cannot do."""


class Connection:
    """Handshake, records and frames. `direction` is 0 for the dialer, 1 for the listener."""

    def __init__(self, stream, direction):
        self.stream, self.direction, self.came, self.plain = stream, direction, b"", b""
        stream.settimeout(10)
        if direction == 1 and self.take(16) != PREAMBLE:
            raise Refused()
        noise = Handshake("XX", "ChaChaPoly", direction == 0, b"p2pnode-noise-v1" + PREAMBLE, KeyPair(os.urandom(32)),
                          KeyPair(os.urandom(32)))
        if direction == 0:
            stream.sendall(PREAMBLE)
        for step in range(3):
            if step % 2 == direction:
                message = noise.write(b"")
                stream.sendall(u16(len(message)) + message)
            else:
                length, = struct.unpack(">H", self.take(2))
                check(length <= 512, "no handshake message is so long")
                noise.read(self.take(length))
        self.hash, ciphers = noise.h, noise.split()
        self.sealer, self.opener = ciphers[direction], ciphers[1 - direction]
        stream.settimeout(120)

    def take(self, count):
        while len(self.came) < count:
            more = self.stream.recv(1 << 16)
            check(more, "the other end closed")
            self.came += more
        taken, self.came = self.came[:count], self.came[count:]
        return taken

    def send(self, frames):
        for start in range(0, len(frames), 65519):
            sealed = self.sealer.seal(b"", frames[start:start + 65519])
            self.stream.sendall(u16(len(sealed)) + sealed)
            if self.sealer.n % 16384 == 0:
                self.sealer.rekey()

    def fill(self, count):
        while len(self.plain) < count:
            length, = struct.unpack(">H", self.take(2))
            check(length >= 17, "no record is so short")
            self.plain += self.opener.open(b"", self.take(length))
            if self.opener.n % 16384 == 0:
                self.opener.rekey()

    def next(self):
        """The next frame that needs an answer of its own."""
        while True:
            self.fill(5)
            length, kind = struct.unpack(">IB", self.plain[:5])
            check(1 <= length <= (69632 if kind == DATA else 65536), "an impossible length")
            self.fill(4 + length)
            body, self.plain = self.plain[5:4 + length], self.plain[4 + length:]
            if kind == PING:
                self.send(pong(*struct.unpack(">Q", body)))
            elif kind % 2 == 0 and kind != PONG or kind == CLOSE:
                return kind, body


def fetch(host, port, identifier):
    connection = Connection(socket.create_connection((host, port), 10), 0)
    key = file_key(None, identifier)

    def answer(*wanted):
        while True:
            kind, body = connection.next()
            if kind in wanted:
                return kind, body
            if kind == OPEN:
                connection.send(refused_frame(*struct.unpack(">I", body[:4]), 1))
            else:
                check(kind in (HAVE, BITMAP, PEERS, CANCEL, CLOSE), "message %#x ends the transfer: %r" % (kind, body))

    connection.send(open_frame(1, key, connection.hash, 0))
    _, body = answer(OPENED)
    check(body[:5] == u32(1) + u8(0), "the file is not opened: status %d" % body[4])
    due = proof(key, b"have", connection.hash, 1)
    kind, length, root, log2, availability, name = struct.unpack(">BQ32sBBB", body[37:81])
    check(hmac.compare_digest(body[5:37], due) and kind == 0 and log2 == 20 and length <= 1 << 42, "a lie in OPENED")
    check(file_id(length, root) == identifier and (length > 0 or root == ZERO), "a lie in OPENED")
    check(availability == 0 and len(body) == 81 + name, "it has the file in part, or the name has another length")
    count = (length + CHUNK - 1) // CHUNK
    hashes = [root][:count]
    if count > 1:
        hashes = [one for page in range((count + PAGE - 1) // PAGE) for one in fetch_page(connection, answer, page, count, root)]
    for chunk in range(count):
        yield fetch_chunk(connection, answer, chunk, min(CHUNK, length - chunk * CHUNK), hashes[chunk], count)
    connection.send(goodbye(0))


def fetch_page(connection, answer, page, count, root):
    connection.send(page_get(1, page))
    _, body = answer(PAGE_)
    n = min(PAGE, count - PAGE * page)
    check(body[:10] == u32(1) + u32(page) + u16(n), "not the page that was asked for")
    rows = [body[i:i + 32] for i in range(10, 10 + 32 * n, 32)]
    above = [body[i:i + 32] for i in range(11 + 32 * n, len(body), 32)]
    depth = (count - 1).bit_length() - 10 if count > PAGE else 0
    check(body[10 + 32 * n] == len(above) == depth, "a lie: the number of uncles")
    top = tree(rows + ([ZERO_CHUNK] * (PAGE - n) if count > PAGE else []), ZERO_CHUNK)
    for i, uncle in enumerate(above):
        top = node(uncle, top) if page >> i & 1 else node(top, uncle)
    check(top == root, "a lie: the page does not fold to the root")
    return rows


def fetch_chunk(connection, answer, chunk, length, chunk_hash, count):
    leaves = (length + LEAF - 1) // LEAF
    fetch.requests = getattr(fetch, "requests", 0) + 1
    connection.send(request(fetch.requests, 1, chunk, 0, leaves))
    bytes_, known = b"", []
    while len(bytes_) < length:
        kind, body = answer(DATA, BUSY)
        check(kind == DATA, "the server is busy")
        number, first, n, flags = struct.unpack(">IBBB", body[:7])
        check(number == fetch.requests and first * LEAF == len(bytes_) and flags & 1 == (first == 0), "not the DATA that is due")
        start = 7
        if flags & 1:
            start = 8 + 32 * body[7]
            known = [body[i:i + 32] for i in range(8, start, 32)]
            padding = [ZERO] * (64 - len(known)) if count > 1 else []
            check(len(known) == leaves and tree(known + padding, ZERO) == chunk_hash, "a lie: the leaf hashes")
        part = body[start:]
        bytes_ += part
        check(len(bytes_) == min(length, (first + n) * LEAF), "another number of bytes")
        check((flags & 2 != 0) == (len(bytes_) == length), "the end of the answer in a wrong place")
        check(leaf_hashes(part) == known[first:first + n], "a lie: a leaf")
    return bytes_


def serve(content, listening):
    hashes = chunk_hashes(content)
    root = root_of(hashes)
    key = file_key(None, file_id(len(content), root))
    while True:
        stream, _ = listening.accept()
        try:
            connection = Connection(stream, 1)
            break
        except Refused:
            stream.sendall(PREAMBLE)
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(1 << 10):
                pass
            stream.close()
    handle, last = None, -1
    while True:
        kind, body = connection.next()
        if kind == OPEN:
            asked, _, shown = struct.unpack(">I2s32s", body)
            if not hmac.compare_digest(shown, proof(key, b"open", connection.hash, 0)):
                connection.send(refused_frame(asked, 1))
            elif handle is not None:
                check(asked != handle, "OPEN of a handle in use")
                connection.send(refused_frame(asked, 2))
            else:
                handle = asked
                connection.send(opened_frame(handle, proof(key, b"have", connection.hash, 1), len(content), root, b"minimal.bin"))
        elif kind == PAGE_GET:
            asked, page = struct.unpack(">II", body)
            check(asked == handle and page * PAGE < len(hashes), "no such handle or page")
            above = uncles(hashes, page) if len(hashes) > PAGE else []
            connection.send(page_frame(handle, page, hashes[page * PAGE:(page + 1) * PAGE], above))
        elif kind == REQUEST:
            number, asked, chunk, first, n, flags = struct.unpack(">IIIBBB", body)
            bytes_ = content[chunk * CHUNK:(chunk + 1) * CHUNK]
            known = leaf_hashes(bytes_)
            check(asked == handle and number > last and n > 0 and first + n <= len(known) and flags < 2, "no such leaves")
            last = number
            for start in range(first, first + n, 4):
                end = min(start + 4, first + n)
                shown = known if start == first and flags & 1 else None
                connection.send(data(number, start, end - start, bytes_[start * LEAF:end * LEAF], shown, end == first + n))
        elif kind == CLOSE:
            handle = None if body == u32(handle or 0) else handle
        elif kind == GOODBYE:
            return
        else:
            check(kind == CANCEL, "message %#x, though nothing was opened here" % kind)


if __name__ == "__main__":
    if sys.argv[1] == "fetch":
        for part in fetch(sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4])):
            sys.stdout.buffer.write(part)
    else:
        with open(sys.argv[2], "rb") as file:
            served = file.read()
        listener = socket.create_server(("127.0.0.1", 0))
        with open(sys.argv[3], "w") as file:
            file.write("%d\n%s\n" % (listener.getsockname()[1], file_id(len(served), root_of(chunk_hashes(served))).hex()))
        serve(served, listener)
