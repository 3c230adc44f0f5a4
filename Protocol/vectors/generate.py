#!/usr/bin/env python3
"""Writes every vector beside this file, from nothing but the specification. Deterministic: the same bytes each time.

    python3 generate.py           writes the files
    python3 generate.py --check   writes nothing; fails if a file differs

Needs the package `cryptography` (X25519 and the two AEADs); everything else is Python's own library. It shares no code
with the implementation in this repository, so the two check one another.
"""

import os
import sys

import channel
import folder
import session
from content import (CHUNK, LEAF, PAGE, ZERO, ZERO_CHUNK, chunk_hashes, content, file_id, fixed, frame, root_of, tree, u8,
                     u16, u32, u64, uncles)
from noise import CipherState, Handshake, KeyPair, hmac256, sha256
from session import file_key, preamble, proof, tlv

HERE = os.path.dirname(os.path.abspath(__file__))


# Content

def content_file(out):
    out.comment("Content identifiers. Byte i of each file is (i*i + 7*i + 3) mod 251. `length` is a u64.",
                "`chunks` are the chunk hashes in order; a file of one chunk has its root as its chunk hash.")
    for size in [0, 1, 16383, 16384, 16385, 32769, 65537, 1048575, 1048576, 1048577, 2097152, 3145733, 5242881]:
        data = content(size)
        hashes = chunk_hashes(data)
        root = root_of(hashes)
        out.comment("", "%d byte%s" % (size, "" if size == 1 else "s"))
        out.value("%d.length" % size, u64(size))
        out.value("%d.chunks" % size, b"".join(hashes))
        out.value("%d.root" % size, root)
        out.value("%d.fileID" % size, file_id(size, root))
    out.comment("", "70000 bytes: its 5 leaf hashes, which the tree pads to 8.")
    data = content(70000)
    leaves = [sha256(data[i:i + LEAF]) for i in range(0, len(data), LEAF)]
    out.value("70000.leaves", b"".join(leaves))
    out.value("70000.root", tree(leaves, ZERO))
    out.comment("", "The node over 64 missing leaves: a missing chunk.")
    out.value("missing-chunk", ZERO_CHUNK)


def filekey_file(out):
    identifier = file_id(1048577, root_of(chunk_hashes(content(1048577))))
    handshake_hash = fixed("handshake hash")
    out.comment("Proofs of knowing a fileID. `open.0`: OPEN sent by the dialer, `open.1`: by the listener;",
                "`have.0` and `have.1`: OPENED, likewise by its sender.")
    out.value("fileID", identifier)
    out.value("handshake-hash", handshake_hash)
    for name, swarm_key in [("public", None), ("private", fixed("swarm key"))]:
        key = file_key(swarm_key, identifier)
        out.comment("", "No swarm key" if swarm_key is None else "With a swarm key")
        if swarm_key:
            out.value(name + ".swarm-key", swarm_key)
        out.value(name + ".key", key)
        out.value(name + ".bucket", hmac256(key, b"bucket")[:2])
        for what in ["open", "have"]:
            for direction in [0, 1]:
                out.value("%s.%s.%d" % (name, what, direction), proof(key, what.encode(), handshake_hash, direction))


# The channel

SUITES = {"ChaChaPoly": 1, "AESGCM": 2}
PATTERN_NUMBERS = {"XX": 0, "XXpsk0": 1}


def peer_id(public):
    return sha256(b"p2pnode-peerid-v1" + public)


def handshake_file(out, pattern, suite):
    first = preamble(SUITES[suite], PATTERN_NUMBERS[pattern])
    prologue = b"p2pnode-noise-v1" + first
    dialer, dialer_e = KeyPair(fixed("dialer static")), KeyPair(fixed("dialer ephemeral"))
    listener, listener_e = KeyPair(fixed("listener static")), KeyPair(fixed("listener ephemeral"))
    psk = fixed("swarm key") if pattern == "XXpsk0" else None
    a = Handshake(pattern, suite, True, prologue, dialer, dialer_e, psk)
    b = Handshake(pattern, suite, False, prologue, listener, listener_e, psk)
    payloads = [
        b"",
        tlv(1, u16(9800)) + tlv(2, u32(1)) + tlv(3, b"p2pnode/0.1") + tlv(4, u16(64)),
        tlv(1, u16(40001)) + tlv(9, b"unknown") + tlv(3, "dialer é".encode()) + tlv(4, u16(32)) + tlv(5, b"eu-west_1.A"),
    ]
    out.comment("Noise_%s_25519_%s_SHA256 with fixed ephemeral keys. Messages are as on the wire, with their length." %
                (pattern, suite))
    for name, pair in [("dialer.static", dialer), ("dialer.ephemeral", dialer_e), ("listener.static", listener),
                       ("listener.ephemeral", listener_e)]:
        out.value(name + ".secret", pair.secret)
        out.value(name + ".public", pair.public)
    out.value("dialer.peerID", peer_id(dialer.public))
    out.value("listener.peerID", peer_id(listener.public))
    if psk:
        out.value("swarm-key", psk)
    out.value("preamble", first)
    out.value("prologue", prologue)
    for i, payload in enumerate(payloads):
        writer, reader = (a, b) if i % 2 == 0 else (b, a)
        message = writer.write(payload)
        assert reader.read(message) == payload
        out.value("message%d.payload" % (i + 1), payload)
        out.value("message%d" % (i + 1), u16(len(message)) + message)
    assert a.h == b.h and a.rs == listener.public and b.rs == dialer.public
    out.value("handshake-hash", a.h)

    names = ["to-listener", "to-dialer"]
    keys = [cipher.key for cipher in a.split()]
    assert keys == [cipher.key for cipher in b.split()]
    ping = [u32(9) + u8(0x1A) + u64(n) for n in range(6)]
    for direction, key in enumerate(keys):
        out.comment("", ["Records from the dialer to the listener.", "Records from the listener to the dialer."]
                    [direction] + " Each seals one PING frame.", "`record0` has n = 0, `record1` n = 1.")
        cipher = CipherState(suite, key)
        out.value(names[direction] + ".key", key)
        for n in range(2):
            record(out, names[direction] + ".record%d" % n, cipher, ping[direction * 3 + n])
        cipher.n = 1 << 14
        cipher.rekey()
        out.comment("After 16,384 records (n = 0…16383) the key changes and n goes on: this one has n = 16384.")
        out.value(names[direction] + ".rekeyed", cipher.key)
        record(out, names[direction] + ".record16384", cipher, ping[direction * 3 + 2])


def record(out, name, cipher, plaintext):
    sealed = cipher.seal(b"", plaintext)
    out.value(name + ".plaintext", plaintext)
    out.value(name, u16(len(sealed)) + sealed)


# Frames

ROOT, PROOF = fixed("root"), fixed("proof")


def opened(name, availability=0, kind=0, log2=20, status=0):
    return frame(0x04, u32(7) + u8(status) + PROOF + u8(kind) + u64(3145733) + ROOT + u8(log2) + u8(availability) +
                 u8(len(name)) + name)


def data(leaf_first, leaf_count, flags, payload, hashes=None, request=258):
    body = u32(request) + u8(leaf_first) + u8(leaf_count) + u8(flags)
    if hashes is not None:
        body += u8(len(hashes)) + b"".join(hashes)
    return frame(0x0C, body + payload)


def hashes(count):
    return [fixed("leaf %d" % i) for i in range(count)]


def peer(family, address, port, label):
    return u8(family) + bytes(address) + u16(port) + fixed(label)


def frames_file(out):
    out.comment("One frame each, as in the records' plaintexts. hash(x) below is digest.x, 32 made-up bytes.", "")
    for label in ["proof", "root", "leaf 0", "leaf 1", "uncle 0", "peer 0", "peer 1"]:
        out.value("digest." + label.replace(" ", "-"), fixed(label))
    out.comment("")
    out.value("open", frame(0x02, u32(7) + u16(0xBEEF) + PROOF), "handle 7, bucket beef, proof hash(proof)")
    out.value("opened", opened("vidéo.mp4".encode()),
              "handle 7, proof hash(proof), kind 0, length 3145733, root hash(root), 2^20, complete, \"vidéo.mp4\"")
    out.value("opened.partial", opened(b"", availability=1), "the same, partial, without a name")
    out.value("opened.no-such-file", frame(0x04, u32(7) + u8(1)), "handle 7, status 1")
    out.value("opened.too-many", frame(0x04, u32(7) + u8(2)), "handle 7, status 2")
    out.value("opened.not-allowed", frame(0x04, u32(7) + u8(3)), "handle 7, status 3")
    out.value("page-get", frame(0x06, u32(7) + u32(1)), "handle 7, page 1")
    out.value("page", frame(0x08, u32(7) + u32(1) + u16(2) + b"".join(hashes(2)) + u8(1) + fixed("uncle 0")),
              "handle 7, page 1, hash(leaf 0), hash(leaf 1); uncle hash(uncle 0)")
    out.value("page.deepest", frame(0x08, u32(7) + u32(4095) + u16(1) + fixed("leaf 0") + u8(12) + fixed("uncle 0") * 12),
              "handle 7, page 4095, hash(leaf 0); 12 times the uncle hash(uncle 0)")
    out.value("request", frame(0x0A, u32(258) + u32(7) + u32(2) + u8(0) + u8(64) + u8(1)),
              "id 258, handle 7, chunk 2, leaves 0…63, with leaf hashes")
    out.value("request.rest", frame(0x0A, u32(259) + u32(7) + u32(2) + u8(63) + u8(1) + u8(0)),
              "id 259, handle 7, chunk 2, leaf 63, without")
    out.value("data", data(0, 1, 3, b"\xAA\xBB\xCC", hashes(2)),
              "id 258, leaf 0, last; hash(leaf 0), hash(leaf 1); the bytes aabbcc")
    out.value("data.plain", data(4, 4, 0, bytes(range(8))), "id 258, leaves 4…7, not last; the bytes 00…07")
    out.value("data.short-leaves", data(0, 64, 2, bytes(range(64))), "id 258, leaves 0…63, last; the bytes 00…3f")
    out.value("cancel", frame(0x0E, u32(258)), "id 258")
    out.value("busy", frame(0x10, u32(258) + u32(1500)), "id 258, 1,500 ms")
    out.value("have", frame(0x12, u32(7) + u16(2) + u32(2) + u8(0) + u8(64) + u32(3) + u8(4) + u8(2)),
              "handle 7: chunk 2 leaves 0…63, chunk 3 leaves 4…5")
    out.value("bitmap", frame(0x14, u32(7) + u32(8) + u32(11) + bytes([0xA5, 0xC0])),
              "handle 7, chunks 8…18: has 8, 10, 13, 15, 16, 17")
    out.value("bitmap.last", frame(0x14, u32(7) + u32(4194296) + u32(8) + bytes([0x81])),
              "handle 7, chunks 4194296…4194303: has the first and the last")
    out.value("withdrawn", frame(0x16, u32(7) + u8(1)), "handle 7, changed")
    out.value("peers", frame(0x18, u32(7) + u8(2) + peer(4, [192, 0, 2, 1], 9800, "peer 0") +
                             peer(6, [0x20, 1, 0xD, 0xB8] + [0] * 11 + [1], 9801, "peer 1")),
              "handle 7: 192.0.2.1 port 9800 hash(peer 0); [2001:db8::1] port 9801 hash(peer 1)")
    out.value("peers.none", frame(0x18, u32(7) + u8(0)), "handle 7: no peer")
    out.value("peers.mapped", frame(0x18, u32(7) + u8(1) + peer(6, [0] * 10 + [0xFF, 0xFF, 192, 0, 2, 1], 9800, "peer 0")),
              "handle 7: ::ffff:192.0.2.1 port 9800 hash(peer 0), which is read as 192.0.2.1 and not written so")
    out.value("ping", frame(0x1A, u64(0x0102030405060708)), "0102030405060708")
    out.value("pong", frame(0x1C, u64(0x0102030405060708)), "0102030405060708")
    out.value("goodbye", frame(0x1E, u8(1) + u8(4) + b"bye!"), "code 1, \"bye!\"")
    out.value("goodbye.unknown-code", frame(0x1E, u8(200) + u8(0)), "code 200, which is read as 8")
    out.value("promised", frame(0x21, u32(7) + u16(2) + u32(2) + u32(5)), "handle 7: chunks 2 and 5")
    out.value("close", frame(0x23, u32(7)), "handle 7")
    out.value("skipped", frame(0x7F, b"what an extension says"), "an unknown odd type: no message")
    out.value("skipped.empty", frame(0x01, b""), "an unknown odd type without a body: no message")


def page_file(out):
    def synthetic(i):
        return sha256(b"p2pnode-chunk" + u32(i))

    out.comment("Pages of two files whose chunk hashes are made up: that of chunk i is",
                "SHA-256(\"p2pnode-chunk\" + i as u32). Only sums, roots and pages matter here; no content exists.")
    for count, tail in [(1024, 0), (1500, 777), (5000, 1)]:
        length = count * CHUNK if tail == 0 else (count - 1) * CHUNK + tail
        chunk = [synthetic(i) for i in range(count)]
        root = root_of(chunk)
        out.comment("", "%d chunks" % count)
        out.value("%d.length" % count, u64(length))
        out.value("%d.root" % count, root)
        out.value("%d.fileID" % count, file_id(length, root))
        for page in range((count + PAGE - 1) // PAGE):
            hashes_of_page = chunk[page * PAGE:(page + 1) * PAGE]
            out.value("%d.page%d.count" % (count, page), u16(len(hashes_of_page)))
            out.value("%d.page%d.uncles" % (count, page), b"".join(uncles(chunk, page)))
    out.comment("", "Page 1 of the file of 1,500 chunks (476 of them), as a PAGE frame with handle 7.")
    chunk = [synthetic(i) for i in range(1500)]
    over = uncles(chunk, 1)
    out.value("1500.page1.frame", frame(0x08, u32(7) + u32(1) + u16(476) + b"".join(chunk[PAGE:]) + u8(len(over)) +
                                        b"".join(over)))


# The local network

def query(key, nonce):
    start = b"p2pnode\x01" + u8(1) + hmac256(key, b"bucket")[:2] + nonce
    return start + hmac256(key, b"query" + nonce) + b"\0" * 37


def answer(key, nonce, peer, port):
    start = b"p2pnode\x01" + u8(2) + u16(port) + nonce + peer
    return start + hmac256(key, b"have" + nonce + peer + u16(port)) + b"\0" * 5


DISCOVERY_FILE = file_id(1048577, root_of(chunk_hashes(content(1048577))))
DISCOVERY_NONCE = fixed("discovery nonce")[:16]


def discovery_file(out):
    peer = peer_id(KeyPair(fixed("listener static")).public)
    out.comment("Datagrams of a local network: who has the file `fileID`? The node `peerID` does, on port 9800.")
    out.value("fileID", DISCOVERY_FILE)
    out.value("nonce", DISCOVERY_NONCE)
    out.value("peerID", peer)
    for name, swarm_key in [("public", None), ("private", fixed("swarm key"))]:
        key = file_key(swarm_key, DISCOVERY_FILE)
        out.comment("", "No swarm key" if swarm_key is None else "With a swarm key")
        if swarm_key:
            out.value(name + ".swarm-key", swarm_key)
        out.value(name + ".query", query(key, DISCOVERY_NONCE))
        out.value(name + ".answer", answer(key, DISCOVERY_NONCE, peer, 9800))


# What must be refused

def invalid_discovery(out):
    key = file_key(None, DISCOVERY_FILE)
    peer = peer_id(KeyPair(fixed("listener static")).public)
    asked, told = query(key, DISCOVERY_NONCE), answer(key, DISCOVERY_NONCE, peer, 9800)

    def spoiled(datagram, at):
        return datagram[:at] + bytes([datagram[at] ^ 1]) + datagram[at + 1:]

    out.comment("Datagrams that are dropped without a word, by whoever gets them.")
    out.value("fileID", DISCOVERY_FILE, "not a datagram: the file that the good ones are about")
    out.value("query.good", asked, "not invalid: the query that the others spoil")
    out.value("answer.good", told, "not invalid: the answer that the others spoil")
    for name, good in [("query", asked), ("answer", told)]:
        out.value(name + ".empty", b"", "no bytes")
        out.value(name + ".short", good[:-1], "95 bytes")
        out.value(name + ".long", good + b"\0", "97 bytes")
        out.value(name + ".magic", spoiled(good, 0), "not \"p2pnode\"")
        out.value(name + ".version", good[:7] + b"\2" + good[8:], "version 2")
        out.value(name + ".kind-0", good[:8] + b"\0" + good[9:], "no such kind")
        out.value(name + ".kind-3", good[:8] + b"\3" + good[9:], "no such kind")
        out.value(name + ".zero-last", good[:-1] + b"\1", "the last reserved byte is not 0")
    out.value("query.zero-first", spoiled(asked, 59), "the first reserved byte is not 0")
    out.value("answer.zero-first", spoiled(told, 91), "the first reserved byte is not 0")
    out.value("query.as-answer", asked[:8] + b"\2" + asked[9:], "a query that says that it is an answer")
    out.value("answer.as-query", told[:8] + b"\1" + told[9:], "an answer that says that it is a query")
    out.value("answer.port-0", answer(key, DISCOVERY_NONCE, peer, 0), "nobody listens on port 0")
    out.comment("", "Of the right form, but with a wrong proof.")
    out.value("query.proof", spoiled(asked, 27), "a bit of the proof is wrong")
    out.value("query.nonce", spoiled(asked, 11), "the proof is of another nonce")
    out.value("query.other-swarm", query(file_key(fixed("swarm key"), DISCOVERY_FILE), DISCOVERY_NONCE),
              "of a private swarm, whose key is not ours")
    out.value("answer.proof", spoiled(told, 90), "a bit of the proof is wrong")
    out.value("answer.nonce", spoiled(told, 11), "the proof is of another nonce")
    out.value("answer.port", spoiled(told, 10), "the proof is of another port")
    out.value("answer.peer", spoiled(told, 27), "the proof is of another PeerID")


def invalid_preamble(out):
    good = preamble(1, 0)
    out.comment("Preambles after which a listener closes, whatever its suite and pattern.")
    out.value("other-magic", b"P2pnode\x01" + good[8:], "not \"p2pnode\"")
    out.value("other-version", b"p2pnode\x02" + good[8:], "version 2")
    out.value("suite-0", preamble(0, 0), "no such suite")
    out.value("suite-3", preamble(3, 0), "no such suite")
    out.value("pattern-2", preamble(1, 2), "no such pattern")
    out.value("reserved-first", good[:10] + b"\x01" + good[11:], "the first reserved byte is not 0")
    out.value("reserved-last", good[:15] + b"\x01", "the last reserved byte is not 0")


def invalid_message1(out):
    out.comment("First handshake messages (with their length) of pattern XX after which a listener closes.")
    public = KeyPair(fixed("dialer ephemeral")).public
    out.value("length-0", u16(0), "message 1 has 32 bytes")
    out.value("length-513", u16(513), "longer than any handshake message; refused at the length")
    out.value("length-31", u16(31) + public[:31], "message 1 has 32 bytes")
    out.value("length-33", u16(33) + public + b"\0", "the payload of message 1 is empty")
    out.value("low-order-0", u16(32) + b"\0" * 32, "a low-order point: X25519 with it is zero")
    out.value("low-order-1", u16(32) + b"\1" + b"\0" * 31, "a low-order point: X25519 with it is zero")


def invalid_handshake_payload(out):
    out.comment("Payloads of messages 2 and 3 (in clear) after which the receiver closes.")
    out.value("type-alone", b"\x01", "no length")
    out.value("value-missing", b"\x01\x02", "the value is cut off")
    out.value("value-short", b"\x01\x02\x26", "one byte of two")
    out.value("trailing-type", tlv(1, u16(9800)) + b"\x03", "the second has no length")
    out.value("unknown-cut-off", b"\x63\x04abc", "an unknown type, but its value is cut off")
    out.value("port-1-byte", tlv(1, b"\x26"), "a port has 2 bytes")
    out.value("port-3-bytes", tlv(1, b"\x00\x26\x48"), "a port has 2 bytes")
    out.value("capabilities-3-bytes", tlv(2, b"\0\0\1"), "the capability bits have 4 bytes")
    out.value("agent-33-bytes", tlv(3, b"a" * 33), "an agent has at most 32 bytes")
    out.value("agent-not-utf8", tlv(3, b"\xFFp2p"), "an agent is UTF-8")
    out.value("limits-4-bytes", tlv(4, u32(64)), "the limit has 2 bytes")
    out.value("zone-empty", tlv(5, b""), "a zone has at least 1 byte")
    out.value("zone-65-bytes", tlv(5, b"z" * 65), "a zone has at most 64 bytes")
    out.value("zone-space", tlv(5, b"rack 12"), "a zone has no space")
    out.value("zone-separator", tlv(5, b"eu/rack12"), "a zone has no separator but - . and _")
    out.value("zone-control", tlv(5, b"rack\n12"), "a zone has no control character")
    out.value("zone-nul", tlv(5, b"rack\0"), "a zone has no NUL")
    out.value("zone-not-ascii", tlv(5, "zürich".encode()), "a zone is ASCII, though this is UTF-8")
    out.value("zone-not-utf8", tlv(5, b"rack\xFF"), "a zone is ASCII")
    out.value("zone-twice", tlv(5, b"a") + tlv(5, b"a"), "a known type twice")
    out.value("port-twice", tlv(1, u16(1)) + tlv(1, u16(1)), "a known type twice")
    out.value("too-long", tlv(99, b"\0" * 255), "257 bytes; at most 256")


def invalid_record(out):
    cipher = CipherState("ChaChaPoly", fixed("record key"))
    plaintext = frame(0x1A, u64(1))
    good = cipher.seal(b"", plaintext)
    out.comment("Records (length and ciphertext) after which the receiver closes and says nothing. ChaChaPoly, n = 0.")
    out.value("key", fixed("record key"), "not a record: the key of all of these")
    out.value("good", u16(len(good)) + good, "not invalid: the record that the others spoil")
    out.value("length-0", u16(0), "shorter than a tag and a byte")
    out.value("length-16", u16(16) + CipherState("ChaChaPoly", fixed("record key")).seal(b"", b""),
              "seals nothing: a plaintext has at least 1 byte")
    flipped = bytes([good[0] ^ 1]) + good[1:]
    out.value("ciphertext-flipped", u16(len(flipped)) + flipped, "a bit of the ciphertext is wrong")
    flipped = good[:-1] + bytes([good[-1] ^ 0x80])
    out.value("tag-flipped", u16(len(flipped)) + flipped, "a bit of the tag is wrong")
    out.value("cut", u16(len(good) - 1) + good[:-1], "the tag is cut")
    later = CipherState("ChaChaPoly", fixed("record key"))
    later.n = 1
    late = later.seal(b"", plaintext)
    out.value("out-of-order", u16(len(late)) + late, "sealed with n = 1, where n = 0 is due")


def invalid_frames(out):
    out.comment("Frames after which the receiver says GOODBYE 2 and closes. All are complete, but those of the last group.")
    out.value("length-0", u32(0), "the type counts")
    out.value("type-0", frame(0x00, b""), "an unknown even type")
    out.value("type-32", frame(0x20, b"abc"), "an unknown even type")
    out.value("open.short", frame(0x02, u32(7) + u16(1) + PROOF[:31]), "one byte of the proof is missing")
    out.value("open.long", frame(0x02, u32(7) + u16(1) + PROOF + b"\0"), "one byte too many")
    out.value("opened.status-4", frame(0x04, u32(7) + u8(4)), "no such status")
    out.value("opened.status-0-alone", frame(0x04, u32(7) + u8(0)), "status 0 without a manifest")
    out.value("opened.status-1-long", frame(0x04, u32(7) + u8(1) + b"\0"), "nothing follows status 1")
    out.value("opened.availability-2", opened(b"a", availability=2), "no such availability")
    out.value("opened.name-not-utf8", opened(b"a\xC3"), "the name ends within a character")
    good = opened(b"abc")
    out.value("opened.name-short", u32(len(good) - 5) + good[4:-1], "the name is shorter than it says")
    out.value("opened.name-long", frame(0x04, good[5:] + b"d"), "a byte follows the name")
    out.value("page-get.short", frame(0x06, u32(7) + u16(1)), "the page has 4 bytes")
    out.value("page.none", frame(0x08, u32(7) + u32(0) + u16(0) + u8(1) + fixed("uncle 0")), "a page has a chunk")
    out.value("page.1025-chunks", frame(0x08, u32(7) + u32(0) + u16(1025) + ZERO * 1025 + u8(0)), "at most 1,024")
    out.value("page.13-uncles", frame(0x08, u32(7) + u32(0) + u16(1) + ZERO + u8(13) + ZERO * 13), "at most 12")
    out.value("page.missing", frame(0x08, u32(7) + u32(0) + u16(3) + ZERO * 2 + u8(0)), "one hash is missing")
    out.value("page.long", frame(0x08, u32(7) + u32(0) + u16(1) + ZERO + u8(0) + b"\0"), "one byte too many")

    def request(first, count, flags):
        return frame(0x0A, u32(1) + u32(7) + u32(0) + u8(first) + u8(count) + u8(flags))

    out.value("request.no-leaves", request(0, 0, 0), "at least 1 leaf")
    out.value("request.65-leaves", request(0, 65, 0), "at most 64 leaves")
    out.value("request.beyond", request(63, 2, 0), "leaf 64 is in the next chunk")
    out.value("request.far-beyond", request(255, 255, 0), "no such leaf")
    out.value("request.flags", request(0, 1, 2), "a reserved flag")
    out.value("request.short", frame(0x0A, request(0, 1, 0)[5:-1]), "no flags")
    out.value("data.no-leaves", data(0, 0, 0, b"a"), "at least 1 leaf")
    out.value("data.65-leaves", data(0, 65, 0, bytes(65)), "at most 64 leaves")
    out.value("data.255-leaves", data(0, 255, 0, bytes(255)), "at most 64 leaves")
    out.value("data.beyond", data(62, 3, 0, b"a"), "leaf 64 is in the next chunk")
    out.value("data.flags", data(0, 1, 4, b"a"), "a reserved flag")
    out.value("data.empty", data(0, 1, 2, b""), "no bytes of leaves")
    out.value("data.no-hashes", data(0, 1, 1, b"a", []), "the flag says hashes, the count says none")
    out.value("data.65-hashes", data(0, 1, 1, b"a", [ZERO] * 65), "at most 64 leaves in a chunk")
    out.value("data.few-hashes", data(2, 2, 1, b"a", [ZERO] * 3), "leaf 3 is here, its hash is not")
    out.value("data.hashes-only", data(0, 1, 1, b"", [ZERO]), "hashes, but no bytes of leaves")
    out.value("data.hashes-cut", data(0, 1, 1, ZERO[:31], [])[:-32] + u8(1) + ZERO[:31], "the frame ends in a hash")
    out.value("cancel.long", frame(0x0E, u64(1)), "an id has 4 bytes")
    out.value("busy.short", frame(0x10, u32(1) + u16(5)), "the delay has 4 bytes")
    out.value("promised.none", frame(0x21, u32(7) + u16(0)), "at least one chunk")
    out.value("promised.missing", frame(0x21, u32(7) + u16(2) + u32(0)), "one chunk of two")
    out.value("close.short", frame(0x23, u16(7)), "a handle has 4 bytes")
    out.value("close.long", frame(0x23, u32(7) + b"\0"), "one byte too many")
    out.value("have.none", frame(0x12, u32(7) + u16(0)), "at least one run")
    out.value("have.missing", frame(0x12, u32(7) + u16(2) + u32(0) + u8(0) + u8(1)), "one run of two")
    out.value("have.beyond", frame(0x12, u32(7) + u16(1) + u32(0) + u8(1) + u8(64)), "leaf 64 is in the next chunk")
    out.value("have.no-leaves", frame(0x12, u32(7) + u16(1) + u32(0) + u8(1) + u8(0)), "at least 1 leaf")
    out.value("bitmap.none", frame(0x14, u32(7) + u32(0) + u32(0) + b"\0"), "at least one chunk")
    out.value("bitmap.spare-bits", frame(0x14, u32(7) + u32(0) + u32(3) + b"\x10"), "a spare bit is 1")
    out.value("bitmap.short", frame(0x14, u32(7) + u32(0) + u32(9) + b"\0"), "9 bits need 2 bytes")
    out.value("bitmap.long", frame(0x14, u32(7) + u32(0) + u32(8) + b"\0\0"), "8 bits need 1 byte")
    out.value("bitmap.count-huge", frame(0x14, u32(7) + u32(0) + u32(0xFFFFFFFF) + b"\0"), "at most 262,144 chunks")
    out.value("bitmap.beyond", frame(0x14, u32(7) + u32(0x400000) + u32(1) + b"\0"), "at most 2^22 chunks")
    out.value("bitmap.last-beyond", frame(0x14, u32(7) + u32(0x3FFFFF) + u32(2) + b"\0"), "at most 2^22 chunks")
    out.value("bitmap.first-huge", frame(0x14, u32(7) + u32(0xFFFFFFFF) + u32(1) + b"\0"), "the sum must not wrap")
    out.value("withdrawn.reason-0", frame(0x16, u32(7) + u8(0)), "no such reason")
    out.value("withdrawn.reason-5", frame(0x16, u32(7) + u8(5)), "no such reason")
    out.value("peers.51", frame(0x18, u32(7) + u8(51) + peer(4, [192, 0, 2, 1], 1, "p") * 51), "at most 50")
    out.value("peers.family-5", frame(0x18, u32(7) + u8(1) + peer(5, [192, 0, 2, 1], 1, "p")), "no such family")
    out.value("peers.short", frame(0x18, u32(7) + u8(1) + peer(6, [192, 0, 2, 1], 1, "p")), "IPv6 has 16 bytes")
    out.value("peers.long", frame(0x18, u32(7) + u8(0) + b"\0"), "one byte too many")
    out.value("ping.short", frame(0x1A, u32(1)), "8 bytes")
    out.value("pong.long", frame(0x1C, u64(1) + b"\0"), "8 bytes")
    out.value("goodbye.text-129", frame(0x1E, u8(0) + u8(129) + b"a" * 129), "at most 128")
    out.value("goodbye.text-missing", frame(0x1E, u8(0) + u8(1)), "the text is missing")
    out.value("goodbye.long", frame(0x1E, u8(0) + u8(0) + b"a"), "a byte follows the text")
    out.value("goodbye.not-utf8", frame(0x1E, u8(0) + u8(3) + b"\xED\xA0\x80"), "a surrogate is not UTF-8")
    out.value("goodbye.overlong", frame(0x1E, u8(0) + u8(2) + b"\xC0\x80"), "an overlong form is not UTF-8")
    out.comment("", "Only the start of a frame, as far as it takes to refuse it. A receiver MAY refuse it there, or wait for the rest",
                "and refuse it then: to test such a receiver, append zeros up to the frame's length.")
    out.value("cut.length-huge", u32(0xFFFFFFFF), "longer than any frame")
    out.value("cut.control-too-long", u32(65537) + u8(0x12), "a control frame is at most 65,536")
    out.value("cut.extension-too-long", u32(65537) + u8(0x7F), "also one that would be skipped")
    out.value("cut.data-too-long", u32(69633) + u8(0x0C), "a DATA frame is at most 69,632")
    out.value("cut.data.one-leaf-and-a-byte",
              u32(8 + 16385) + u8(0x0C) + u32(1) + u8(0) + u8(1) + u8(2),
              "a leaf is at most 16,384 bytes")
    out.value("cut.data.5-leaves-of-65537-bytes",
              u32(8 + 65537) + u8(0x0C) + u32(1) + u8(0) + u8(5) + u8(2),
              "leaves are at most 65,536 bytes together")
    out.value("cut.data.64-leaves-of-65537-bytes",
              u32(9 + 64 * 32 + 65537) + u8(0x0C) + u32(1) + u8(0) + u8(64) + u8(3) + u8(64) + ZERO * 64,
              "leaves are at most 65,536 bytes together")


# Links

LINK_ID = fixed("link")
PEER_A, PEER_B = fixed("peer 0").hex(), fixed("peer 1").hex()


def link(*parameters, scheme="p2pnode:", identifier=LINK_ID.hex()):
    text = "/".join([scheme + identifier, *parameters])
    return text.encode()


def links_file(out):
    out.comment("`link` is the text as bytes. `name` and `length` (a u64) stand only where the link has them; `peers` is",
                "each peer as [PEERID@]HOST:PORT and a newline. `written`: the same link as it should be written, where",
                "`link` is not that already.", "")

    def good(label, text, name=None, length=None, peers=(), written=None):
        out.value(label + ".link", text)
        out.value(label + ".fileID", LINK_ID)
        if name is not None:
            out.value(label + ".name", name.encode())
        if length is not None:
            out.value(label + ".length", u64(length))
        out.value(label + ".peers", "".join(p + "\n" for p in peers).encode())
        if written:
            out.value(label + ".written", written)

    good("bare", link())
    everything = ["name=disk.img", "length=209715200", "peer=%s@192.0.2.1:9800" % PEER_A,
                  "peer=%s@%%5B2001:db8::1%%5D:9801" % PEER_B, "peer=seed.example.org:9800"]
    peers = [PEER_A + "@192.0.2.1:9800", PEER_B + "@[2001:db8::1]:9801", "seed.example.org:9800"]
    good("everything", link(*everything), "disk.img", 209715200, peers)
    good("any-order", link(*(everything[2:] + everything[:2])), "disk.img", 209715200, peers, link(*everything))
    good("upper-case", link("peer=%s@h:1" % PEER_A.upper(), identifier=LINK_ID.hex().upper()), peers=[PEER_A + "@h:1"],
         written=link("peer=%s@h:1" % PEER_A))
    good("ipv6", link("peer=%5b%3A%3a1%5d%3A1"), peers=["[::1]:1"], written=link("peer=%5B::1%5D:1"))
    good("no-port", link("peer=%s@h" % PEER_A, "peer=%5B::1%5D", "peer=192.0.2.1"),
         peers=[PEER_A + "@h:9800", "[::1]:9800", "192.0.2.1:9800"],
         written=link("peer=%s@h:9800" % PEER_A, "peer=%5B::1%5D:9800", "peer=192.0.2.1:9800"))
    good("ipv6-impossible", link("peer=%5B1:::2%5D:1"), peers=["[1:::2]:1"])
    good("ipv4-impossible", link("peer=999.0.2.1:1"), peers=["999.0.2.1:1"])
    good("tilde", link("name=~a~"), "~a~", written=link("name=%7Ea%7E"))
    good("all-encoded", link("peer=%68%3A%31", "length=%30"), length=0, peers=["h:1"],
         written=link("length=0", "peer=h:1"))
    good("empty-file", link("length=0"), length=0)
    good("longest-file", link("length=4398046511104"), length=1 << 42)
    good("name-text", link("name=vid%C3%A9o%20%26%20co%3F.mp4"), "vidéo & co?.mp4")
    good("name-path", link("name=..%2F..%2Fetc%2Fpasswd"), "../../etc/passwd")
    good("name-control", link("name=a%0A%1B%5B2J%00"), "a\n\x1b[2J\0")
    good("name-longest", link("name=" + "a" * 255), "a" * 255)
    good("extension", link("x-anything=at%20all", "x-=", "peer=h:65535"), peers=["h:65535"], written=link("peer=h:65535"))
    good("extension-repeated", link("x-a=1", "x-a=2"), written=link())
    good("peers-most", link(*["peer=h:%d" % i for i in range(1, 17)]), peers=["h:%d" % i for i in range(1, 17)])
    good("host-longest", link("peer=" + "h" * 253 + ":1"), peers=["h" * 253 + ":1"])


def invalid_links(out):
    out.comment("Links that are refused, as bytes, each for the one reason beside it.")
    good = LINK_ID.hex()
    out.value("empty", b"", "nothing")
    out.value("scheme", link(scheme="p2pnod:"), "another scheme")
    out.value("scheme-case", link(scheme="P2PNODE:"), "the scheme is lower case")
    out.value("scheme-slashes", link(scheme="p2pnode://"), "there is no authority")
    out.value("space-before", link(scheme=" p2pnode:"), "a space before it")
    out.value("fileID-missing", link(identifier=""), "no fileID")
    out.value("fileID-short", link(identifier=good[:63]), "63 digits")
    out.value("fileID-long", link(identifier=good + "0"), "65 digits")
    out.value("fileID-digit", link(identifier=good[:63] + "g"), "g is no digit")
    out.value("fileID-encoded", link(identifier=good[:63] + "%30"), "a fileID is not percent-encoded")
    out.value("newline-after", link() + b"\n", "a newline after it")
    out.value("fragment", link() + b"#a", "there are no fragments")
    out.value("query", link() + b"?length=1", "'?' has no meaning")
    out.value("ampersand", link("length=1&name=a"), "'&' has no meaning")
    out.value("no-parameter", link(""), "'/' and nothing")
    out.value("no-parameter-last", link("length=1", ""), "'/' and nothing")
    out.value("no-parameter-between", link("length=1", "", "name=a"), "'//'")
    out.value("no-key", link("=a"), "no key")
    out.value("no-value", link("name"), "no '='")
    out.value("key-encoded", link("nam%65=a"), "keys are not percent-encoded")
    out.value("key-case", link("Name=a"), "keys are lower case")
    out.value("key-unknown", link("kind=1"), "no such key")
    out.value("key-longer", link("names=a"), "no such key")
    out.value("x-key-character", link("x-y=a b"), "the values of skipped keys are checked too")
    out.value("character-space", link("name=a b"), "a space")
    out.value("character-plus", link("name=a+b"), "'+' must be encoded")
    out.value("character-equals", link("name=a=b"), "'=' must be encoded")
    out.value("character-slash", link("name=a/b"), "'/' must be encoded")
    out.value("character-brackets", link("peer=[::1]:1"), "'[' and ']' must be encoded")
    out.value("character-bracket-open", link("name=a[b"), "'[' must be encoded")
    out.value("character-quote", link("name=a'b"), "an apostrophe must be encoded")
    out.value("character-dollar", link("name=a$b"), "'$' must be encoded")
    out.value("character-control", link("name=a\x1b"), "an escape character")
    out.value("character-nul", link("name=a\0"), "a NUL")
    out.value("character-not-ascii", link("name=é"), "not ASCII")
    out.value("percent-cut", link("name=a%4"), "one digit after '%'")
    out.value("percent-last", link("name=a%"), "no digit after '%'")
    out.value("percent-digit", link("name=a%4g"), "g is no digit")
    out.value("percent-before-slash", link("name=%4", "length=1"), "the digits are not beyond '/'")
    out.value("name-empty", link("name="), "at least one byte")
    out.value("name-256", link("name=" + "a" * 256), "at most 255 bytes")
    out.value("name-not-utf8", link("name=%FF"), "not UTF-8")
    out.value("name-surrogate", link("name=%ED%A0%80"), "a surrogate is not UTF-8")
    out.value("name-overlong", link("name=%C0%80"), "an overlong form is not UTF-8")
    out.value("name-twice", link("name=a", "name=a"), "one name")
    out.value("length-empty", link("length="), "no number")
    out.value("length-zeros", link("length=00"), "a leading zero")
    out.value("length-sign", link("length=%2B1"), "a sign")
    out.value("length-negative", link("length=-1"), "a sign")
    out.value("length-hex", link("length=0x10"), "not decimal")
    out.value("length-too-long", link("length=4398046511105"), "more than 2^42")
    out.value("length-2^64", link("length=18446744073709551617"), "it must not wrap to 1")
    out.value("length-digits", link("length=" + "1" * 400), "it must not overflow")
    out.value("length-not-ascii", link("length=%D9%A1"), "a digit of another script")
    out.value("length-twice", link("length=1", "length=1"), "one length")
    out.value("peer-empty", link("peer="), "nothing")
    out.value("peer-port-empty", link("peer=h:"), "a colon and no port")
    out.value("peer-ipv6-port-empty", link("peer=%5B::1%5D:"), "a colon and no port")
    out.value("peer-ipv6-no-colon", link("peer=%5B::1%5D1"), "a port without its colon")
    out.value("peer-port-0", link("peer=h:0"), "port 0")
    out.value("peer-port-65536", link("peer=h:65536"), "at most 65535")
    out.value("peer-port-zeros", link("peer=h:01"), "a leading zero")
    out.value("peer-port-sign", link("peer=h:%2B1"), "a sign")
    out.value("peer-host-empty", link("peer=:1"), "no host")
    out.value("peer-host-254", link("peer=" + "h" * 254 + ":1"), "at most 253 bytes")
    out.value("peer-host-space", link("peer=h%20h:1"), "a space, though it is encoded")
    out.value("peer-host-control", link("peer=h%0A:1"), "a newline, though it is encoded")
    out.value("peer-host-nul", link("peer=h%00:1"), "a NUL, though it is encoded")
    out.value("peer-host-not-ascii", link("peer=%C3%A9:1"), "names are ASCII")
    out.value("peer-host-slash", link("peer=h%2F:1"), "no path")
    out.value("peer-ipv6-bare", link("peer=::1:1"), "an IPv6 address needs brackets")
    out.value("peer-ipv6-bare-no-port", link("peer=2001:db8::1"), "an IPv6 address needs brackets")
    out.value("peer-two-ports", link("peer=h:1:2"), "one port")
    out.value("peer-ipv6-name", link("peer=%5Bh%5D:1"), "brackets are for IPv6 addresses")
    out.value("peer-ipv6-ipv4", link("peer=%5B1.2.3.4%5D:1"), "brackets are for IPv6 addresses")
    out.value("peer-ipv6-open", link("peer=%5B::1:1"), "no closing bracket")
    out.value("peer-ipv6-empty", link("peer=%5B%5D:1"), "no address")
    out.value("peer-ipv6-zone", link("peer=%5Bfe80::1%25eth0%5D:1"), "a zone means nothing to another machine")
    out.value("peer-ipv6-long", link("peer=%5B" + "0" * 44 + "::%5D:1"), "at most 45 characters")
    out.value("peer-id-short", link("peer=" + PEER_A[:63] + "@h:1"), "63 digits")
    out.value("peer-id-empty", link("peer=@h:1"), "no PeerID")
    out.value("peer-id-alone", link("peer=" + PEER_A + "@"), "no host")
    out.value("peer-id-digit", link("peer=" + PEER_A[:63] + "g@h:1"), "g is no digit")
    out.value("peer-id-twice", link("peer=" + PEER_A + "@" + PEER_B + "@h:1"), "one PeerID")
    out.value("peers-17", link(*["peer=h:1"] * 17), "at most 16 peers")
    out.value("too-long", link("x-=" + "a" * (8192 - len(link("x-=")) + 1)), "at most 8,192 bytes")


class Output:
    def __init__(self):
        self.lines = []

    def comment(self, *lines):
        self.lines += ["# " + line if line else "" for line in lines]

    def value(self, name, data, meaning=None):
        if meaning:
            self.comment(meaning)
        assert not any(line.startswith(name + " =") for line in self.lines), name
        self.lines.append((name + " = " + data.hex()).rstrip())


def files():
    def made(write, *arguments):
        out = Output()
        write(out, *arguments)
        return "\n".join(out.lines) + "\n"

    yield "content.txt", made(content_file)
    yield "filekey.txt", made(filekey_file)
    for pattern in PATTERN_NUMBERS:
        for suite in SUITES:
            yield "handshake-%s-%s.txt" % (pattern.lower(), suite.lower()), made(handshake_file, pattern, suite)
    yield "frames.txt", made(frames_file)
    yield "largest.txt", made(channel.largest_file)
    yield "preamble-answers.txt", made(channel.answers_file)
    yield "handshake-payloads.txt", made(channel.payloads_file)
    yield "page.txt", made(page_file)
    yield "folder.txt", made(folder.folder_file)
    yield "session.txt", made(session.session_file)
    yield "transcript.txt", made(session.transcript_file)
    yield "sequences.txt", made(session.sequences_file)
    yield "discovery.txt", made(discovery_file)
    yield "invalid/preamble.txt", made(invalid_preamble)
    yield "invalid/handshake-message1.txt", made(invalid_message1)
    yield "invalid/handshake.txt", made(channel.invalid_handshake)
    yield "invalid/handshake-payload.txt", made(invalid_handshake_payload)
    yield "invalid/record.txt", made(invalid_record)
    yield "invalid/frames.txt", made(invalid_frames)
    yield "invalid/folder.txt", made(folder.invalid_folder)
    yield "links.txt", made(links_file)
    yield "invalid/links.txt", made(invalid_links)
    yield "invalid/discovery.txt", made(invalid_discovery)


def main():
    check, differing = "--check" in sys.argv[1:], []
    for name, text in files():
        path = os.path.join(HERE, name)
        if check:
            if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
                differing.append(name)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    if differing:
        sys.exit("differs from what generate.py writes: " + ", ".join(differing))


if __name__ == "__main__":
    main()
