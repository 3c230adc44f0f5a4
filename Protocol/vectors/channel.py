"""The channel's edges: answers to preambles, payloads with their meaning, spoiled handshakes, the largest frames."""

from content import fixed, frame, u8, u16, u32, u64
from noise import CipherState, Handshake, KeyPair, sha256
from session import preamble, tlv


def answers_file(out):
    out.comment("Preambles that a listener understands and cannot accept, its answer, and what the dialer makes of it.",
                "`listener`: the pattern of the listener (u8), then the suites that it can do, the preferred first (u8 each).",
                "`answer`: the listener's bytes before it closes; empty: it closes without a byte.",
                "`dialer`: 1 the dialer MAY redial once with suite 1; 2 it is not admitted.")

    def case(name, listener, offered, answer, dialer):
        out.comment("")
        out.value(name + ".listener", bytes(listener))
        out.value(name + ".offered", preamble(*offered))
        out.value(name + ".answer", preamble(*answer) if answer else b"")
        out.value(name + ".dialer", u8(dialer))

    case("suite", [0, 1], (2, 0), (1, 0), 1)
    case("pattern", [0, 1], (1, 1), (1, 0), 2)
    case("pattern-other-suite", [0, 2, 1], (1, 1), (2, 0), 2)
    case("pattern-and-suite", [0, 1], (2, 1), (1, 0), 2)
    case("private-suite", [1, 1], (2, 1), None, 1)
    case("private-pattern", [1, 1], (1, 0), None, 2)
    case("private-both", [1, 1], (2, 0), None, 2)


def payloads_file(out):
    out.comment("Payloads of messages 2 and 3 in clear, and the fields of each as they are sent. A field that the payload does not",
                "have is not listed. `port` u16: 0 means the same as no port; `capabilities` u32; `requests` u16: a requester",
                "reads 0 as 1; `agent` and `zone` are text.")

    def case(name, payload, **fields):
        out.comment("")
        out.value(name + ".payload", payload)
        for field, value in fields.items():
            out.value(name + "." + field, value)

    case("empty", b"")
    case("all", tlv(1, u16(9800)) + tlv(2, u32(1)) + tlv(3, b"p2pnode/0.1") + tlv(4, u16(64)) + tlv(5, b"rack-12"),
         port=u16(9800), capabilities=u32(1), agent=b"p2pnode/0.1", requests=u16(64), zone=b"rack-12")
    case("any-order", tlv(5, b"a") + tlv(1, u16(1)) + tlv(3, b""), port=u16(1), agent=b"", zone=b"a")
    case("port-0", tlv(1, u16(0)), port=u16(0))
    case("unknown-types", tlv(0, b"") + tlv(99, b"skipped") + tlv(99, b"twice") + tlv(1, u16(2)) + tlv(255, b"\xFF"),
         port=u16(2))
    case("unknown-capabilities", tlv(2, u32(0xFFFFFFFE)), capabilities=u32(0xFFFFFFFE))
    case("requests-0", tlv(4, u16(0)), requests=u16(0))
    case("requests-most", tlv(4, u16(0xFFFF)), requests=u16(0xFFFF))
    case("agent-longest", tlv(3, "é".encode() * 16), agent="é".encode() * 16)
    case("agent-control", tlv(3, b"a\x1b[2J"), agent=b"a\x1b[2J")
    case("zone-longest", tlv(5, b"Z" * 64), zone=b"Z" * 64)
    case("longest", tlv(99, b"\0" * 254))


def ends(pattern, swarm_key="swarm key"):
    prologue = b"p2pnode-noise-v1" + preamble(1, 0 if pattern == "XX" else 1)
    psk = fixed(swarm_key) if pattern == "XXpsk0" else None
    return [Handshake(pattern, "ChaChaPoly", role == "dialer", prologue, KeyPair(fixed(role + " static")),
                      KeyPair(fixed(role + " ephemeral")), psk) for role in ["dialer", "listener"]]


def message(body):
    return u16(len(body)) + body


def flipped(body, at):
    return message(body[:at] + bytes([body[at] ^ 1]) + body[at + 1:])


def invalid_handshake(out):
    out.comment("Messages (with their length) after which the reader closes and says nothing. ChaChaPoly; the keys, the payloads",
                "and the messages before them are those of handshake-xx-chachapoly.txt and handshake-xxpsk0-chachapoly.txt.")
    payload = tlv(1, u16(9800)) + tlv(2, u32(1)) + tlv(3, b"p2pnode/0.1") + tlv(4, u16(64))

    def case(name, value, meaning):
        out.value(name, value, meaning)

    for pattern in ["XX", "XXpsk0"]:
        head = pattern.lower()
        dialer, listener = ends(pattern)
        first = dialer.write(b"")
        if pattern == "XXpsk0":
            case("xxpsk0.message1.tag", flipped(first, 40), "a bit of the tag is wrong")
            case("xxpsk0.message1.ephemeral", flipped(first, 0), "a bit of e is wrong")
            other = ends(pattern, "another swarm key")[0].write(b"")
            case("xxpsk0.message1.other-key", message(other), "sealed with another swarm key")
            case("xxpsk0.message1.xx", message(first[:32]), "message 1 of XX: 32 bytes")
        listener.read(first)
        second = listener.write(payload)
        for label, at in [("ephemeral", 0), ("static", 32), ("static-tag", 64), ("payload", 80), ("tag", len(second) - 1)]:
            case("%s.message2.%s" % (head, label), flipped(second, at), "a bit is wrong")
        case(head + ".message2.cut", message(second[:-1]), "the last byte of the tag is missing")
        case(head + ".message2.longer", message(second + b"\0"), "a byte follows the tag")
        case(head + ".message2.length-95", u16(95), "message 2 has at least 96 bytes; refused at the length")
        case(head + ".message2.length-353", u16(353), "message 2 has at most 96 + 256 bytes; refused at the length")
        case(head + ".message2.low-order", message(b"\0" * 32 + second[32:]), "e is a low-order point")
        spoiled = ends(pattern)[1]
        spoiled.read(first)
        case(head + ".message2.payload-twice", message(spoiled.write(tlv(1, u16(1)) * 2)), "a known type twice")
        spoiled = ends(pattern)[1]
        spoiled.read(first)
        case(head + ".message2.payload-257", message(spoiled.write(tlv(99, b"\0" * 255))), "a payload of 257 bytes")
        dialer.read(second)
        third = dialer.write(b"")
        for label, at in [("static", 0), ("static-tag", 40), ("tag", 63)]:
            case("%s.message3.%s" % (head, label), flipped(third, at), "a bit is wrong")
        case(head + ".message3.length-63", u16(63), "message 3 has at least 64 bytes; refused at the length")
        case(head + ".message3.length-321", u16(321), "message 3 has at most 64 + 256 bytes; refused at the length")
        case(head + ".message3.replayed", message(second[32:]), "the rest of message 2, sent back")
    dialer, listener = ends("XX")
    listener.read(dialer.write(b""))
    dialer.read(listener.write(payload))
    zero = dialer.seal(b"\0" * 32)
    case("xx.message3.low-order", message(zero + b"\0" * 16), "s is a low-order point, sealed as it should be")


def largest_frames():
    """The longest frame of each type that has a variable body: name, how it is made, the frame."""
    def numbered(i):
        return sha256(b"p2pnode-largest" + u32(i))

    leaves = bytes((i * i + 7 * i + 3) % 251 for i in range(251)) * 262
    yield "opened", "status 0, hash(0), kind 0, length 2^42, root hash(1), 2^20, complete, a name of 255 times \"n\"", \
        frame(0x04, u32(7) + u8(0) + numbered(0) + u8(0) + u64(1 << 42) + numbered(1) + u8(20) + u8(0) + u8(255) + b"n" * 255)
    yield "page", "page 4095, hash(0) … hash(1023), 12 uncles hash(0) … hash(11)", \
        frame(0x08, u32(7) + u32(4095) + u16(1024) + b"".join(map(numbered, range(1024))) + u8(12) +
              b"".join(map(numbered, range(12))))
    yield "data", "id 7, leaves 60…63, both flags, hash(0) … hash(63), 65,536 bytes: byte i is (i*i + 7*i + 3) mod 251", \
        frame(0x0C, u32(7) + u8(60) + u8(4) + u8(3) + u8(64) + b"".join(map(numbered, range(64))) + leaves[:65536])
    yield "have", "10,921 runs: run i is chunk i, leaves 0…63", \
        frame(0x12, u32(7) + u16(10921) + b"".join(u32(i) + u8(0) + u8(64) for i in range(10921)))
    yield "bitmap", "first chunk 786432, count 262144, each byte 5a", \
        frame(0x14, u32(7) + u32(786432) + u32(262144) + b"\x5A" * 32768)
    yield "peers", "50 entries: entry i is IPv6 with 16 bytes i + 32, port i, PeerID hash(i)", \
        frame(0x18, u32(7) + u8(50) + b"".join(u8(6) + bytes([i + 32]) * 16 + u16(i) + numbered(i) for i in range(50)))
    yield "goodbye", "code 8, 64 times \"é\"", frame(0x1E, u8(8) + u8(128) + "é".encode() * 64)
    yield "promised", "16,382 chunks: chunk i is i", \
        frame(0x21, u32(7) + u16(16382) + b"".join(map(u32, range(16382))))
    yield "skipped", "type 7f, 65,535 bytes 55", frame(0x7F, b"\x55" * 65535)


def largest_file(out):
    out.comment("The longest frame of each type whose body varies, and the longest record, as SHA-256 and length of all their bytes:",
                "make them by the comment beside each. The handle is 7. hash(i) is SHA-256(\"p2pnode-largest\" + i as u32).")
    for name, meaning, value in largest_frames():
        out.comment("", meaning)
        out.value(name + ".length", u32(len(value)))
        out.value(name + ".sha256", sha256(value))
    out.comment("", "The record of 65,519 bytes 55: ChaChaPoly, the key `record.key`, n = 0; with its length.")
    sealed = CipherState("ChaChaPoly", fixed("record key")).seal(b"", b"\x55" * 65519)
    out.value("record.key", fixed("record key"))
    out.value("record.length", u32(2 + len(sealed)))
    out.value("record.sha256", sha256(u16(len(sealed)) + sealed))
