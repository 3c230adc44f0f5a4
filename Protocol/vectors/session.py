"""Whole sessions: the small transfer of the specification, a longer one, and what each end does at a frame out of place."""

from content import (ZERO, chunk_hashes, content, file_id, fixed, frame, root_of, u8, u16, u32, u64)
from noise import CipherState, Handshake, KeyPair, hmac256, sha256


def preamble(suite, pattern):
    return b"p2pnode\x01" + u8(suite) + u8(pattern) + b"\0" * 6


def file_key(swarm_key, identifier):
    return hmac256(swarm_key or ZERO, identifier)


def proof(key, what, handshake_hash, direction):
    return hmac256(key, what + handshake_hash + u8(direction))


def tlv(kind, value):
    return u8(kind) + u8(len(value)) + value


def bucket(key):
    return hmac256(key, b"bucket")[:2]


def leaf_hashes(data):
    return [sha256(data[i:i + (1 << 14)]) for i in range(0, len(data), 1 << 14)]


# Frames, each with the fields that a session fills in

def open_frame(handle, key, handshake_hash, direction):
    return frame(0x02, u32(handle) + bucket(key) + proof(key, b"open", handshake_hash, direction))


def opened_frame(handle, have_proof, length, root, name=b"", kind=0, log2=20, availability=0):
    return frame(0x04, u32(handle) + u8(0) + have_proof + u8(kind) + u64(length) + root + u8(log2) + u8(availability) +
                 u8(len(name)) + name)


def refused_frame(handle, status):
    return frame(0x04, u32(handle) + u8(status))


def page_get(handle, page):
    return frame(0x06, u32(handle) + u32(page))


def page_frame(handle, page, hashes, uncles=()):
    return frame(0x08, u32(handle) + u32(page) + u16(len(hashes)) + b"".join(hashes) + u8(len(uncles)) + b"".join(uncles))


def request(number, handle, chunk, first, count, flags=1):
    return frame(0x0A, u32(number) + u32(handle) + u32(chunk) + u8(first) + u8(count) + u8(flags))


def data(number, first, count, leaves, hashes=None, is_last=True):
    flags = (1 if hashes is not None else 0) | (2 if is_last else 0)
    shown = b"" if hashes is None else u8(len(hashes)) + b"".join(hashes)
    return frame(0x0C, u32(number) + u8(first) + u8(count) + u8(flags) + shown + leaves)


def cancel(number):
    return frame(0x0E, u32(number))


def busy(number, milliseconds=1000):
    return frame(0x10, u32(number) + u32(milliseconds))


def have(handle, chunk, first, count):
    return frame(0x12, u32(handle) + u16(1) + u32(chunk) + u8(first) + u8(count))


def bitmap(handle, first, count, bits):
    return frame(0x14, u32(handle) + u32(first) + u32(count) + bits)


def withdrawn(handle, reason=1):
    return frame(0x16, u32(handle) + u8(reason))


def peers(handle, *entries):
    return frame(0x18, u32(handle) + u8(len(entries)) + b"".join(entries))


def peer(address, port, label):
    return u8(4 if len(address) == 4 else 6) + bytes(address) + u16(port) + fixed(label)


def ping(number):
    return frame(0x1A, u64(number))


def pong(number):
    return frame(0x1C, u64(number))


def goodbye(code, text=b""):
    return frame(0x1E, u8(code) + u8(len(text)) + text)


def promised(handle, *chunks):
    return frame(0x21, u32(handle) + u16(len(chunks)) + b"".join(u32(c) for c in chunks))


def close(handle):
    return frame(0x23, u32(handle))


class Pair:
    """Two ends with fixed keys whose handshake is done, and the records that they seal."""

    def __init__(self, out, pattern, payloads):
        self.out, self.count = out, [0, 0]
        self.first = preamble(1, 0 if pattern == "XX" else 1)
        prologue = b"p2pnode-noise-v1" + self.first
        keys = {name: KeyPair(fixed(name)) for name in
                ["dialer static", "dialer ephemeral", "listener static", "listener ephemeral"]}
        for name, pair in keys.items():
            out.value(name.replace(" ", ".") + ".secret", pair.secret)
        psk = fixed("swarm key") if pattern == "XXpsk0" else None
        if psk:
            out.value("swarm-key", psk)
        a = Handshake(pattern, "ChaChaPoly", True, prologue, keys["dialer static"], keys["dialer ephemeral"], psk)
        b = Handshake(pattern, "ChaChaPoly", False, prologue, keys["listener static"], keys["listener ephemeral"], psk)
        self.messages = []
        for i, payload in enumerate(payloads):
            writer, reader = (a, b) if i % 2 == 0 else (b, a)
            message = writer.write(payload)
            assert reader.read(message) == payload
            self.messages.append(u16(len(message)) + message)
        self.h, self.ciphers = a.h, a.split()

    def seal(self, direction, plaintext):
        sealed = self.ciphers[direction].seal(b"", plaintext)
        return u16(len(sealed)) + sealed


def session_file(out):
    text = b"hello, swarm\n"
    root = sha256(text)
    identifier = file_id(len(text), root)
    key = file_key(None, identifier)
    out.comment("The small transfer at the start of README.md: the dialer fetches a file of 13 bytes from the listener.",
                "Public, ChaChaPoly. Each `frame` is the plaintext of one record.")
    out.value("content", text)
    out.value("root", root)
    out.value("fileID", identifier)
    pair = Pair(out, "XX", [b"", tlv(1, u16(9800)), b""])
    out.comment("")
    out.value("preamble", pair.first)
    for i, message in enumerate(pair.messages):
        out.value("message%d" % (i + 1), message)
    out.value("handshake-hash", pair.h)
    steps = [
        (0, "open", open_frame(1, key, pair.h, 0)),
        (1, "opened", opened_frame(1, proof(key, b"have", pair.h, 1), len(text), root, b"hello.txt")),
        (0, "request", request(1, 1, 0, 0, 1)),
        (1, "data", data(1, 0, 1, text, [root])),
        (0, "close", close(1)),
        (0, "goodbye", goodbye(0)),
    ]
    for direction, name, plaintext in steps:
        out.comment("", ["Dialer to listener", "Listener to dialer"][direction])
        out.value(name + ".frame", plaintext)
        out.value(name + ".record", pair.seal(direction, plaintext))


LENGTH = (1 << 20) + (1 << 14) + 3
BYTES = content(LENGTH)
CHUNKS = chunk_hashes(BYTES)
ROOT = root_of(CHUNKS)
FILE = file_id(LENGTH, ROOT)
LAST = leaf_hashes(BYTES[1 << 20:])
FIRST = leaf_hashes(BYTES[:1 << 20])
LEAF0, LEAF1 = BYTES[1 << 20:][:1 << 14], BYTES[-3:]


def transcript_file(out):
    out.comment("A longer session in a private swarm. The file has %d bytes, byte i is (i*i + 7*i + 3) mod 251: two chunks," %
                LENGTH, "the second of two leaves. The listener has it in part: chunk 1, and leaf 5 of chunk 0. Records are in the",
                "order of their numbers; a frame may span records, and a record may hold several frames.")
    out.value("length", u64(LENGTH))
    out.value("fileID", FILE)
    pair = Pair(out, "XXpsk0", [b"", tlv(1, u16(9800)) + tlv(4, u16(8)), tlv(3, b"transcript")])
    key = file_key(fixed("swarm key"), FILE)
    out.value("preamble", pair.first)
    for i, message in enumerate(pair.messages):
        out.value("message%d" % (i + 1), message)
    out.value("handshake-hash", pair.h)
    leaf5 = BYTES[5 << 14:6 << 14]
    answer = data(2, 5, 1, leaf5, FIRST)
    steps = [
        (0, "OPEN, in two records: the first ends within the length", open_frame(1, key, pair.h, 0), [3]),
        (1, "OPENED partial, BITMAP of both chunks, HAVE of chunk 0 leaf 5, PEERS without a peer: one record",
         opened_frame(1, proof(key, b"have", pair.h, 1), LENGTH, ROOT, b"a.bin", availability=1) +
         bitmap(1, 0, 2, b"\x40") + have(1, 0, 5, 1) + peers(1), []),
        (0, "PAGE_GET 0", page_get(1, 0), []),
        (1, "PAGE 0: both chunk hashes, no uncle", page_frame(1, 0, CHUNKS), []),
        (0, "REQUEST 1 of chunk 1 leaf 1, REQUEST 2 of chunk 0 leaf 5, REQUEST 3 of chunk 1 leaf 0, all with leaf hashes",
         request(1, 1, 1, 1, 1) + request(2, 1, 0, 5, 1) + request(3, 1, 1, 0, 1), []),
        (1, "BUSY for 3, which overtakes", busy(3), []),
        (1, "DATA for 1: 3 bytes", data(1, 1, 1, LEAF1, LAST), []),
        (0, "PING", ping(7), []),
        (1, "DATA for 2, in three records, the second starts within the leaf hashes; then an unknown odd type, then PONG",
         answer + frame(0x7F, b"later") + pong(7), [100, 9000]),
        (0, "REQUEST 4 of chunk 1 leaf 0 without leaf hashes, and at once CANCEL 4", request(4, 1, 1, 0, 1, 0) + cancel(4), []),
        (1, "WITHDRAWN: changed. It crosses CLOSE", withdrawn(1), []),
        (0, "CLOSE, GOODBYE 0", close(1) + goodbye(0), []),
    ]
    number = 0
    for direction, meaning, plaintext, cuts in steps:
        out.comment("", meaning)
        bounds = [0] + cuts + [len(plaintext)]
        for start, end in zip(bounds, bounds[1:]):
            number += 1
            name = "%02d.%s" % (number, ["dialer", "listener"][direction])
            out.value(name + ".plaintext", plaintext[start:end])
            out.value(name + ".record", pair.seal(direction, plaintext[start:end]))
    out.comment("", "The types of the frames of each direction, in order.")
    out.value("dialer.types", bytes([0x02, 0x06, 0x0A, 0x0A, 0x0A, 0x1A, 0x0A, 0x0E, 0x23, 0x1E]))
    out.value("listener.types", bytes([0x04, 0x14, 0x12, 0x18, 0x08, 0x10, 0x0C, 0x0C, 0x7F, 0x1C, 0x16]))


def flip(value):
    return bytes([value[0] ^ 1]) + value[1:]


SENT, RECEIVED = 0, 1


def frame_count(frames):
    count = 0
    while frames:
        frames, count = frames[4 + int.from_bytes(frames[:4], "big"):], count + 1
    return count


def sequences_file(out):
    h = fixed("handshake hash")
    key = file_key(None, FILE)
    due = proof(key, b"have", h, 1)

    def opened(handle=1, have_proof=due, length=LENGTH, root=ROOT, **fields):
        return opened_frame(handle, have_proof, length, root, **fields)

    asked = open_frame(1, key, h, 0)
    good_page = page_frame(1, 0, CHUNKS)
    answer1 = data(1, 1, 1, LEAF1, LAST)
    requests = request(1, 1, 1, 1, 1) + request(2, 1, 1, 0, 2)
    out.comment("What each end does at frames that are well-formed, but may be out of place or false. No swarm key.",
                "The file has %d bytes, byte i is (i*i + 7*i + 3) mod 251. The handshake hash is `handshake-hash`." % LENGTH,
                "The fetcher is the dialer, the server the listener, and the server has the whole file.", "",
                "`<state>.sent` and `<state>.received` are the frames that this end has sent and received so far, each direction",
                "on its own. `<state>.order` says how the two interleave, a byte a frame: 00 is the next frame of `sent`, 01 the",
                "next one of `received`. `<state>.<case>.<result>` are the frames that come next. The result is the code of the",
                "GOODBYE after which this end closes, `ok` if the connection stays open, or `any` if the text allows both code 2",
                "and `ok`. Where a state has a fileID of its own, it is about that file.")
    out.value("handshake-hash", h)
    out.value("fileID", FILE)

    def state(name, text, steps, identifier=None):
        """`steps`: pairs of SENT or RECEIVED and frames, in order."""
        out.comment("", text)
        if identifier:
            out.value(name + ".fileID", identifier)
        for direction, label in [(SENT, "sent"), (RECEIVED, "received")]:
            out.value(name + "." + label, b"".join(frames for way, frames in steps if way == direction))
        out.value(name + ".order", b"".join(u8(way) * frame_count(frames) for way, frames in steps))

        def case(label, result, value, meaning):
            out.value("%s.%s.%s" % (name, label, result), value, meaning)
        return case

    case = state("asked", "A fetcher has sent OPEN with handle 1.", [(SENT, asked)])
    case("opened", "ok", opened(), "the answer")
    for status in [1, 2, 3]:
        case("status-%d" % status, "ok", refused_frame(1, status), "the answer")
    case("name-path", "ok", opened(name=b"../../etc/passwd"), "a bad name is no lie")
    case("proof", 6, opened(have_proof=flip(due)), "a bit of the proof is wrong")
    case("proof-direction", 6, opened(have_proof=proof(key, b"have", h, 0)), "the proof is of the other direction")
    case("proof-open", 6, opened(have_proof=proof(key, b"open", h, 1)), "the proof of OPEN")
    case("kind-1", 6, opened(kind=1), "the ID does not commit to this kind")
    case("kind-2", 6, opened(kind=2), "the ID was not derived from a listing")
    case("kind-9", 6, opened(kind=9), "there is no kind 9: not code 2, since the field may hold any value on the wire")
    case("chunk-size", 6, opened(log2=21), "the chunk size is 2^20")
    case("length", 6, opened(length=LENGTH + 1), "the ID does not commit to this length")
    case("length-most", 6, opened(length=(1 << 42) + 1), "longer than any file")
    case("root", 6, opened(root=flip(ROOT)), "the ID does not commit to this root")
    case("handle", 2, opened(handle=2), "no OPEN has handle 2")
    case("page", 2, good_page, "PAGE before OPENED")
    case("data", 2, answer1, "DATA that answers nothing")
    case("busy", 2, busy(1), "BUSY that answers nothing")
    case("withdrawn", 2, withdrawn(1), "WITHDRAWN before OPENED")
    case("have", 2, have(1, 0, 0, 1), "HAVE before OPENED")
    case("bitmap", 2, bitmap(1, 0, 2, b"\xC0"), "BITMAP before OPENED")
    case("peers", 2, peers(1), "PEERS before OPENED")
    case("promised", 2, promised(1, 0), "PROMISED before OPENED")

    case = state("opened", "Then OPENED has come.", [(SENT, asked), (RECEIVED, opened())])
    case("opened-again", 2, opened(), "OPEN is answered once")
    case("refused-again", 2, refused_frame(1, 1), "OPEN is answered once")
    case("page", 2, good_page, "PAGE that was not asked for")
    case("data", 2, answer1, "DATA that answers nothing")
    case("busy", 2, busy(1), "BUSY that answers nothing")
    case("withdrawn", "ok", withdrawn(1), "the file is gone")
    case("withdrawn-handle", 2, withdrawn(2), "handle 2 was never used")
    case("withdrawn-twice", 2, withdrawn(1) * 2, "the handle is gone after the first")
    case("have", "ok", have(1, 0, 0, 1), "the server has the whole file: not new, and allowed")
    case("have-beyond", "ok", have(1, 9, 0, 1), "the file has no chunk 9: ignored")
    case("have-handle", 2, have(2, 0, 0, 1), "handle 2 was never used")
    case("have-handle-0", 2, have(0, 0, 0, 1), "handle 0 was never used")
    case("bitmap", "ok", bitmap(1, 0, 1, b"\0") + bitmap(1, 1, 1, b"\x80"), "not new, in the order of the chunks")
    case("bitmap-zero", "ok", bitmap(1, 0, 2, b"\0"), "no whole chunk")
    case("bitmap-beyond", "ok", bitmap(1, 0, 8, b"\xFF"), "the file has two chunks: the rest is ignored")
    case("bitmap-twice", 2, bitmap(1, 0, 2, b"\0") * 2, "a BITMAP told of chunk 0 before")
    case("bitmap-back", 2, bitmap(1, 1, 1, b"\x80") + bitmap(1, 0, 1, b"\x80"), "it begins before the end of an earlier one")
    case("bitmap-overlap", 2, bitmap(1, 0, 2, b"\0") + bitmap(1, 1, 1, b"\x80"), "a BITMAP told of chunk 1 before")
    case("bitmap-handle", 2, bitmap(2, 0, 2, b"\0"), "handle 2 was never used")
    case("peers", "ok", peers(1, peer([192, 0, 2, 1], 9800, "peer 0")), "news")
    case("peers-none", "ok", peers(1), "news of no peer")
    case("peers-handle", 2, peers(2), "handle 2 was never used")
    case("promised", "ok", promised(1, 0, 9), "news; the file has no chunk 9: ignored")
    case("promised-handle", 2, promised(2, 0), "handle 2 was never used")
    case("pong", "ok", pong(5), "a PONG that answers nothing is ignored")
    case("own-handle", 2, page_get(1, 0), "handle 1 is this end's: the other end has opened nothing")

    case = state("page", "Then the fetcher has sent PAGE_GET 0.",
                 [(SENT, asked), (RECEIVED, opened()), (SENT, page_get(1, 0))])
    case("page", "ok", good_page, "the answer")
    case("number", 2, page_frame(1, 1, CHUNKS), "page 1 was not asked for")
    case("handle", 2, page_frame(2, 0, CHUNKS), "handle 2 was never used")
    case("twice", 2, good_page * 2, "one PAGE answers one PAGE_GET")
    case("hash", 6, page_frame(1, 0, [flip(CHUNKS[0]), CHUNKS[1]]), "does not fold to the root")
    case("order", 6, page_frame(1, 0, CHUNKS[::-1]), "does not fold to the root")
    case("one-hash", 6, page_frame(1, 0, CHUNKS[:1]), "n is 2 for this file")
    case("three-hashes", 6, page_frame(1, 0, CHUNKS + [ZERO]), "n is 2 for this file")
    case("uncle", 6, page_frame(1, 0, CHUNKS, [ZERO]), "m is 0 for this file")

    requested = [(SENT, asked), (RECEIVED, opened()), (SENT, page_get(1, 0)), (RECEIVED, good_page), (SENT, requests)]
    case = state("request", "Then PAGE has come, and the fetcher has sent REQUEST 1 of chunk 1 leaf 1, and REQUEST 2 of chunk 1\n"
                 "# leaves 0 and 1, both with leaf hashes.", requested)
    case("answer", "ok", answer1, "the answer to REQUEST 1")
    case("busy", "ok", busy(2) + busy(1), "BUSY may overtake")
    case("busy-twice", 2, busy(1) * 2, "a request is answered once")
    case("busy-id", 2, busy(3), "there is no REQUEST 3")
    case("busy-begun", 2, busy(1) + data(2, 0, 1, LEAF0, LAST, False) + busy(2), "DATA of the same answer came before")
    case("id", 2, data(3, 1, 1, LEAF1, LAST), "there is no REQUEST 3")
    case("twice", 2, answer1 * 2, "a request is answered once")
    case("overtakes", 2, data(2, 1, 1, LEAF1, LAST), "REQUEST 1 is answered first")
    case("leaf", 2, data(1, 0, 1, LEAF1, LAST, False), "leaf 0 was not asked for")
    case("leaves", 2, data(1, 1, 2, LEAF1, LAST + [ZERO]), "leaf 2 was not asked for")
    case("gap", 2, busy(1) + data(2, 1, 1, LEAF1, LAST), "leaf 0 comes first")
    case("bytes-more", 2, data(1, 1, 1, LEAF1 + b"\0", LAST), "the leaf has 3 bytes")
    case("bytes-fewer", 2, data(1, 1, 1, LEAF1[:2], LAST), "the leaf has 3 bytes")
    case("last-missing", 2, data(1, 1, 1, LEAF1, LAST, False), "bit 1 is missing from the last DATA")
    case("last-early", 2, busy(1) + data(2, 0, 1, LEAF0, LAST), "bit 1 before the last leaf")
    case("hashes-missing", 2, data(1, 1, 1, LEAF1), "leaf hashes were asked for")
    case("hashes-again", 2, busy(1) + data(2, 0, 1, LEAF0, LAST, False) + data(2, 1, 1, LEAF1, LAST),
         "leaf hashes are in the first DATA alone")
    case("hash", 6, data(1, 1, 1, LEAF1, [flip(LAST[0]), LAST[1]]), "does not fold to the chunk hash")
    case("hashes-more", 6, data(1, 1, 1, LEAF1, LAST + [ZERO]), "the chunk has 2 leaves; 3 is possible on the wire")
    case("bytes", 6, data(1, 1, 1, flip(LEAF1), LAST), "does not hash to its leaf hash")

    case = state("cancelled", "As `request`; then the fetcher has sent CANCEL 1.", requested + [(SENT, cancel(1))])
    case("answer", "ok", answer1, "it was on its way: dropped")
    case("bytes", "ok", data(1, 1, 1, flip(LEAF1), LAST), "nothing of it is hashed")
    case("busy", "ok", busy(1), "it was on its way: dropped")
    case("busy-twice", 2, busy(1) * 2, "a request is answered once")
    case("twice", 2, answer1 * 2, "its answer has ended")
    case("bytes-more", 2, data(1, 1, 1, LEAF1 + b"\0", LAST), "it is dropped, and still checked for its form")
    case("hashes-false", "ok", data(1, 1, 1, LEAF1, [flip(LAST[0]), LAST[1]]), "nothing of it is hashed")
    case("hashes-more", 6, data(1, 1, 1, LEAF1, LAST + [ZERO]), "the chunk has 2 leaves: a wrong number is a lie also here")
    case("hashes-missing", 2, data(1, 1, 1, LEAF1), "leaf hashes were asked for")
    case("forgotten", 2, data(2, 0, 1, LEAF0, LAST, False) + answer1, "the answer to a later REQUEST has begun")

    begun = busy(1) + data(2, 0, 1, LEAF0, LAST, False)
    case = state("begun", "As `request`; then BUSY 1 and the first DATA for REQUEST 2 have come, and the fetcher has sent CANCEL 2.",
                 requested + [(RECEIVED, begun), (SENT, cancel(2))])
    case("rest", "ok", data(2, 1, 1, LEAF1), "it was on its way: dropped")
    case("busy", "ok", busy(2), "dropped, though the server should not send it after DATA")
    case("busy-twice", 2, busy(2) * 2, "after BUSY the id is forgotten")
    case("busy-rest", 2, busy(2) + data(2, 1, 1, LEAF1), "after BUSY the id is forgotten")
    case("hashes-again", 2, data(2, 1, 1, LEAF1, LAST), "leaf hashes are in the first DATA alone")

    case = state("withdrawn", "As `request`; then WITHDRAWN has come.", requested + [(RECEIVED, withdrawn(1))])
    case("answer", "ok", answer1, "dropped, though the server should not send it")
    case("busy", "ok", busy(1), "dropped")
    news = [("page", good_page), ("have", have(1, 0, 0, 1)), ("bitmap", bitmap(1, 0, 2, b"\0")), ("peers", peers(1)),
            ("promised", promised(1, 0))]
    for label, value in news:
        case(label, "ok", value, "dropped")
    case("withdrawn", 2, withdrawn(1), "a handle is withdrawn once")
    case("opened", 2, opened(), "no OPEN waits for it")

    case = state("closed", "As `request`; then the fetcher has sent CANCEL 1, CANCEL 2 and CLOSE 1.",
                 requested + [(SENT, cancel(1) + cancel(2) + close(1))])
    for label, value in [("answer", answer1), ("busy", busy(1)), ("withdrawn", withdrawn(1))] + news:
        case(label, "ok", value, "it was on its way: dropped")
    for label, value in [("opened", opened()), ("opened-refused", refused_frame(1, 1)), ("withdrawn-twice", withdrawn(1) * 2)]:
        case(label, "ok", value, "dropped, though the server should not send it")

    case = state("refused", "A fetcher has sent OPEN with handle 1, and OPENED with status 1 has come.",
                 [(SENT, asked), (RECEIVED, refused_frame(1, 1))])
    case("opened", 2, opened(), "OPEN is answered once")
    case("withdrawn", 2, withdrawn(1), "the handle is not open")
    for label, value in news:
        case(label, "ok", value, "dropped, though the server should not send it")

    def empty_opened(identifier, root):
        return opened_frame(1, proof(file_key(None, identifier), b"have", h, 1), 0, root)

    empty, wrong = file_id(0, ZERO), file_id(0, flip(ZERO))
    case = state("empty", "A fetcher has sent OPEN of an empty file with handle 1.",
                 [(SENT, open_frame(1, file_key(None, empty), h, 0))], empty)
    case("opened", "ok", empty_opened(empty, ZERO), "the answer")
    case("root", 6, empty_opened(empty, flip(ZERO)), "the ID does not commit to this root")

    case = state("empty-root", "A fetcher has sent OPEN with handle 1. The ID commits to length 0 and a root that is not zero.",
                 [(SENT, open_frame(1, file_key(None, wrong), h, 0))], wrong)
    case("opened", 6, empty_opened(wrong, flip(ZERO)), "the ID commits to this root, but an empty file has another one")
    case("status-1", "ok", refused_frame(1, 1), "no end has such a file")

    case = state("new", "A server has received nothing yet.", [])
    case("open", "ok", asked, "answered OPENED 0")
    case("open-other", "ok", frame(0x02, u32(1) + bucket(key) + flip(proof(key, b"open", h, 0))), "answered status 1")
    case("request", 2, request(1, 1, 0, 0, 1), "handle 1 was never open")
    case("page-get", 2, page_get(1, 0), "handle 1 was never open")
    case("close", "ok", close(1), "CLOSE of a handle that is not open is ignored")
    case("cancel", "ok", cancel(1), "CANCEL of an unknown id is ignored")
    case("opened", 2, opened(), "this end has sent no OPEN")

    case = state("serving", "Then OPEN with handle 1 has come, and the server has sent OPENED.",
                 [(RECEIVED, asked), (SENT, opened(name=b"a.bin"))])
    case("page-get", "ok", page_get(1, 0), "answered PAGE")
    case("page-get-1", 2, page_get(1, 1), "the file has one page")
    case("page-get-handle", 2, page_get(2, 0), "handle 2 was never open")
    case("page-gets-64", "ok", page_get(1, 0) * 64, "a page may be asked for again")
    case("page-gets-65", 2, page_get(1, 0) * 65, "if no PAGE has left: at most 64 unanswered")
    case("request", "ok", requests, "answered in order")
    many = b"".join(request(number, 1, 0, 0, 1) for number in range(1, 66))
    case("requests-65", "ok", many, "if no DATA has left, the 65th is answered BUSY, or by DATA if the server accepts more")
    case("request-id-0", "ok", request(0, 1, 0, 0, 1), "the first id may be any")
    case("request-id-same", 2, request(1, 1, 0, 0, 1) * 2, "the id does not grow")
    case("request-id-less", 2, request(2, 1, 0, 0, 1) + request(1, 1, 0, 0, 1), "the id does not grow")
    case("request-handle", 2, request(1, 2, 0, 0, 1), "handle 2 was never open")
    case("request-chunk", 2, request(1, 1, 2, 0, 1), "the file has chunks 0 and 1")
    case("request-leaf", 2, request(1, 1, 1, 2, 1), "chunk 1 has leaves 0 and 1")
    case("request-leaves", 2, request(1, 1, 1, 0, 3), "chunk 1 has leaves 0 and 1")
    case("open-in-use", 2, asked, "handle 1 is open")
    case("open-twice", "ok", open_frame(2, key, h, 0), "answered status 2: the file is open as handle 1")
    case("close", "ok", close(1) * 2, "the second is ignored")
    case("cancel", "ok", request(1, 1, 0, 0, 1) + cancel(1) * 2, "the second is ignored")
    case("ping-twice", 2, ping(1) + ping(2), "if the PONG of the first has not left")
    case("open-again", "any", close(1) + asked, "the opener must not use handle 1 again; a server need not remember it")

    case = state("gone", "Then the server has sent WITHDRAWN.",
                 [(RECEIVED, asked), (SENT, opened(name=b"a.bin") + withdrawn(1))])
    case("request", "ok", request(1, 1, 0, 0, 1), "it was on its way: dropped without an answer")
    case("request-id-same", 2, request(1, 1, 0, 0, 1) * 2, "also the id of a REQUEST that is dropped has to grow")
    case("page-get", "ok", page_get(1, 0), "it was on its way: dropped without an answer")
    case("cancel", "ok", cancel(1), "ignored")
    case("close", "ok", close(1), "ignored")
    case("open-again", "any", asked, "the opener must not use handle 1 again; a server need not remember it")

    case = state("hashing", "A server has received nothing yet. It still hashes its files, so it answers no OPEN.", [])
    opens = b"".join(frame(0x02, u32(i) + bucket(key) + flip(proof(key, b"open", h, 0))) for i in range(1, 66))
    case("opens-64", "ok", opens[:64 * len(asked)], "64 OPENs unanswered")
    case("opens-65", 2, opens, "at most 64 OPENs unanswered")

    announced = opened(name=b"a.bin", availability=1)
    case = state("nothing", "A server has the file in part, and no leaf of it yet. It has sent OPENED and BITMAP.",
                 [(RECEIVED, asked), (SENT, announced + bitmap(1, 0, 2, b"\0"))])
    case("page-get", 2, page_get(1, 0), "no chunk of the page was announced")
    case("request", "ok", request(1, 1, 0, 0, 1), "answered BUSY")

    case = state("partial", "A server has the file in part: chunk 1. It has sent OPENED and BITMAP.",
                 [(RECEIVED, asked), (SENT, announced + bitmap(1, 0, 2, b"\x40"))])
    case("page-get", "ok", page_get(1, 0), "answered PAGE")
    case("request", "ok", request(1, 1, 1, 0, 2), "answered DATA")
    case("request-lacks", "ok", request(1, 1, 0, 0, 1), "answered BUSY")

    case = state("serving-empty", "A server has sent OPENED for an empty file.",
                 [(RECEIVED, open_frame(1, file_key(None, empty), h, 0)), (SENT, empty_opened(empty, ZERO))], empty)
    case("page-get", 2, page_get(1, 0), "an empty file has no page")
    case("request", 2, request(1, 1, 0, 0, 1), "an empty file has no chunk")
    case("close", "ok", close(1), "the handle is free")
