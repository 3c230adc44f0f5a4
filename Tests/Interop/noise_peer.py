#!/usr/bin/env python3
"""A peer that shares no code with the node: Protocol/README.md over PyPI's noiseprotocol.

    noise_peer.py dial HOST PORT --suite aes|chacha [--psk FILE] [--pin PEERID] [--open FILEID] --records N
    noise_peer.py listen PORT-FILE [--suite aes|chacha] [--psk FILE] [--leave] --records N

`dial` shakes hands, sends N PING frames of one record each and checks each PONG, opens FILEID where it was told to,
and says GOODBYE. `listen` binds a free port of 127.0.0.1, writes the port and its own PeerID to PORT-FILE (a line
each), shakes hands with the first dialer it can speak with, sends N PINGs, checks each PONG, and then answers every
OPEN with "no such file" until the dialer leaves. PINGs of the other end are always answered at once. With --leave it
sends N OPENs and a GOODBYE all at once and resets the connection: an end that answers the OPENs finds it closed.

N of 16,384 and more crosses a new key in both directions, since never more than one PING is unanswered.
One line of JSON on stdout says what happened; the exit status is 0 only where all of it was right.
"""
import argparse
import collections
import hashlib
import hmac
import json
import os
import secrets
import socket
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage

MAGIC = b"p2pnode\x01"
SUITES = {1: "ChaChaPoly", 2: "AESGCM"}
SUITE_NUMBERS = {"chacha": 1, "aes": 2}
PATTERNS = {0: "XX", 1: "XXpsk0"}
REKEY_INTERVAL = 1 << 14
FRAME_MAX = 69632
HANDLE = struct.pack(">I", 7)
OPEN, OPENED, PING, PONG, GOODBYE = 0x02, 0x04, 0x1A, 0x1C, 0x1E
NAMES = {
    0x02: "OPEN", 0x04: "OPENED", 0x06: "PAGE_GET", 0x08: "PAGE", 0x0A: "REQUEST", 0x0C: "DATA", 0x0E: "CANCEL",
    0x10: "BUSY", 0x12: "HAVE", 0x14: "BITMAP", 0x16: "WITHDRAWN", 0x18: "PEERS", 0x1A: "PING", 0x1C: "PONG",
    0x1E: "GOODBYE", 0x21: "PROMISED", 0x23: "CLOSE",
}
FIELDS = {1: ("listen_port", ">H"), 2: ("capabilities", ">I"), 3: ("agent", None), 4: ("requests_in_flight", ">H")}


class Wrong(Exception):
    """The other end did not do what the protocol says."""


class Answered(Wrong):
    """A public listener answered with its own preamble."""


def preamble(suite, pattern):
    return MAGIC + bytes([suite, pattern]) + bytes(6)


def encode_payload(agent, port=None):
    out = b"" if port is None else bytes([1, 2]) + struct.pack(">H", port)
    # Type 251 is one that nobody knows: it is to be skipped.
    return out + bytes([251, 3]) + b"???" + bytes([3, len(agent)]) + agent + bytes([4, 2]) + struct.pack(">H", 16)


def decode_payload(data):
    fields = {}
    while data:
        if len(data) < 2 or len(data) < 2 + data[1]:
            raise Wrong("the handshake payload is cut within a field")
        kind, value, data = data[0], data[2:2 + data[1]], data[2 + data[1]:]
        if kind not in FIELDS:
            continue
        name, form = FIELDS[kind]
        if form and len(value) != struct.calcsize(form):
            raise Wrong(f"the handshake payload's field {kind} has a wrong length")
        fields[name] = struct.unpack(form, value)[0] if form else value.decode()
    return fields


class Stream:
    """Exact reads of a TCP stream."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, bytearray()

    def read(self, count):
        while len(self.buffer) < count:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError(f"the stream ended, with {len(self.buffer)} of {count} bytes")
            self.buffer += more
        out = bytes(self.buffer[:count])
        del self.buffer[:count]
        return out

    def read_message(self, least):
        length = self.read(2)
        if length == MAGIC[:2]:
            rest = self.read(14)
            raise Answered(f"answered with suite {rest[6]} and pattern {rest[7]}")
        count = struct.unpack(">H", length)[0]
        if not least <= count <= least + 256:
            raise Wrong(f"a handshake message of {count} bytes")
        return self.read(count)


class Peer:
    """An established channel: records, and the frames in them."""

    def __init__(self, connection, stream, noise, dials):
        self.connection, self.stream, self.noise, self.dials = connection, stream, noise, dials
        self.hash = noise.get_handshake_hash()
        self.plaintext = b""
        self.sent = self.received = 0
        self.frames = collections.Counter()
        self.goodbye = None
        self.opened = None
        self.refuses_opens, self.kept_opens = False, []

    def send_frame(self, kind, body=b""):
        self.connection.sendall(self.seal_frame(kind, body))

    def seal_frame(self, kind, body=b""):
        plaintext = struct.pack(">IB", 1 + len(body), kind) + body
        record = self.noise.encrypt(plaintext)
        self.sent += 1
        if self.sent % REKEY_INTERVAL == 0:
            self.noise.rekey_outbound_cipher()  # the key changes, the number of the next record does not
        return struct.pack(">H", len(record)) + record

    def take(self, count):
        """Bytes of the stream of plaintexts."""
        while len(self.plaintext) < count:
            length = struct.unpack(">H", self.stream.read(2))[0]
            if length < 17:
                raise Wrong(f"a record of {length} bytes")
            try:
                self.plaintext += self.noise.decrypt(self.stream.read(length))
            except NoiseInvalidMessage as error:
                raise Wrong(f"record {self.received + 1} does not open") from error
            self.received += 1
            if self.received % REKEY_INTERVAL == 0:
                self.noise.rekey_inbound_cipher()
        out, self.plaintext = self.plaintext[:count], self.plaintext[count:]
        return out

    def next_frame(self):
        """The next frame that is for the caller: PING is answered here, OPEN is refused or kept until it may be."""
        while True:
            length = struct.unpack(">I", self.take(4))[0]
            if not 1 <= length <= FRAME_MAX:
                raise Wrong(f"a frame of {length} bytes")
            kind, body = self.take(1)[0], self.take(length - 1)
            self.frames[NAMES.get(kind, hex(kind))] += 1
            if kind == PING:
                self.expect_length("PING", body, 8)
                self.send_frame(PONG, body)
            elif kind == OPEN:
                self.expect_length("OPEN", body, 38)
                self.kept_opens.append(body[:4])
                if self.refuses_opens:
                    self.refuse_opens()
            elif kind == GOODBYE:
                self.expect_length("GOODBYE", body, 2 + body[1] if len(body) > 1 else 2)
                self.goodbye = {"code": body[0], "text": body[2:].decode()}
                return kind, body
            elif kind % 2 == 0:
                return kind, body

    def expect(self, expected):
        """The body of the next frame of a type; others but GOODBYE are let pass."""
        while True:
            kind, body = self.next_frame()
            if kind == expected:
                return body
            if kind == GOODBYE:
                raise Wrong(f"GOODBYE {self.goodbye} where {NAMES[expected]} was due")

    @staticmethod
    def expect_length(name, body, count):
        if len(body) != count:
            raise Wrong(f"{name} has a body of {len(body)} bytes")

    def ping(self, count):
        for i in range(count):
            value = struct.pack(">Q", secrets.randbits(64))
            self.send_frame(PING, value)
            if self.expect(PONG) != value:
                raise Wrong(f"PONG {i + 1} is not that of its PING")

    def open(self, file_id, psk):
        own, other = (b"\0", b"\1") if self.dials else (b"\1", b"\0")
        key = mac(psk or bytes(32), file_id)
        self.send_frame(OPEN, HANDLE + mac(key, b"bucket")[:2] + mac(key, b"open" + self.hash + own))
        body = self.expect(OPENED)
        if len(body) < 5 or body[:4] != HANDLE:
            raise Wrong("OPENED has another handle")
        self.opened = {"status": body[4]}
        if body[4] != 0:
            return
        self.expect_length("OPENED", body, 81 + body[80] if len(body) > 80 else 81)
        if body[5:37] != mac(key, b"have" + self.hash + other):
            raise Wrong("the proof in OPENED is wrong")
        if hashlib.sha256(b"p2pnode-file-v1" + body[37:78]).digest() != file_id:
            raise Wrong("OPENED does not describe the file")
        self.opened.update(
            length=struct.unpack(">Q", body[38:46])[0], root=body[46:78].hex(), chunk_size_log2=body[78],
            availability=body[79], name=body[81:].decode())

    def refuse_opens(self):
        self.refuses_opens = True
        while self.kept_opens:
            self.send_frame(OPENED, self.kept_opens.pop(0) + b"\1")

    def wait_for_goodbye(self):
        while self.goodbye is None:
            self.next_frame()

    def leave(self, count):
        """Says all that it has to say, and is gone before the answer."""
        opens = [self.seal_frame(OPEN, struct.pack(">I", i) + bytes(34)) for i in range(count)]
        frames = opens + [self.seal_frame(GOODBYE, b"\1\0")]
        self.connection.sendall(b"".join(frames))
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def say_goodbye(self):
        """And waits until the other end closes, with or without a GOODBYE of its own."""
        self.send_frame(GOODBYE, b"\0\0")
        try:
            while True:
                self.next_frame()
        except (EOFError, ConnectionResetError):
            pass

    def report(self):
        return {
            "records_sent": self.sent, "records_received": self.received,
            "rekeys_sent": self.sent // REKEY_INTERVAL, "rekeys_received": self.received // REKEY_INTERVAL,
            "frames": dict(self.frames), "goodbye": self.goodbye, "opened": self.opened,
        }


def start_noise(clear, psk, static, dials):
    noise = NoiseConnection.from_name(f"Noise_{PATTERNS[clear[9]]}_25519_{SUITES[clear[8]]}_SHA256".encode())
    (noise.set_as_initiator if dials else noise.set_as_responder)()
    noise.set_prologue(b"p2pnode-noise-v1" + clear)
    noise.set_keypair_from_private_bytes(Keypair.STATIC, static)
    if psk:
        noise.set_psks(psk=psk)
    noise.start_handshake()
    return noise


def describe(clear, state, payload):
    return {
        "suite": SUITES[clear[8]], "pattern": PATTERNS[clear[9]], "peer": peer_id(state.rs.public_bytes),
        "payload": payload,
    }


def read_message(noise, message):
    try:
        return bytes(noise.read_message(message))
    except InvalidTag as error:
        raise Wrong("a handshake message does not decrypt") from error


def with_length(message):
    return struct.pack(">H", len(message)) + bytes(message)


def shake_as_dialer(connection, suite, psk, static, pin):
    clear = preamble(suite, 1 if psk else 0)
    noise = start_noise(clear, psk, static, True)
    state = noise.noise_protocol.handshake_state  # it is gone from there once the handshake is over
    connection.sendall(clear + with_length(noise.write_message()))
    stream = Stream(connection)
    payload = decode_payload(read_message(noise, stream.read_message(96)))
    if pin and pin != peer_id(state.rs.public_bytes):
        raise Wrong(f"the listener is {peer_id(state.rs.public_bytes)}")
    connection.sendall(with_length(noise.write_message(encode_payload(b"noise_peer"))))
    return Peer(connection, stream, noise, True), describe(clear, state, payload)


def shake_as_listener(connection, suites, psk, static, port):
    """None where the dialer was told to come with another suite."""
    stream = Stream(connection)
    clear = stream.read(16)
    if clear[:8] != MAGIC or clear[8] not in SUITES or clear[9] not in PATTERNS or any(clear[10:]):
        raise Wrong(f"the preamble is {clear.hex()}")
    if clear[9] != (1 if psk else 0):
        if not psk:
            connection.sendall(preamble(max(suites), 0))
        raise Wrong(f"the dialer's pattern is {PATTERNS[clear[9]]}")
    if clear[8] not in suites:
        if psk:
            raise Wrong(f"the dialer's suite is {clear[8]}")
        connection.sendall(preamble(1, 0))
        return None
    noise = start_noise(clear, psk, static, False)
    state = noise.noise_protocol.handshake_state
    length = struct.unpack(">H", stream.read(2))[0]
    if length != (48 if psk else 32):
        raise Wrong(f"message 1 has {length} bytes")
    if read_message(noise, stream.read(length)):
        raise Wrong("message 1 has a payload")
    connection.sendall(with_length(noise.write_message(encode_payload(b"noise_peer", port))))
    payload = decode_payload(read_message(noise, stream.read_message(64)))
    return Peer(connection, stream, noise, False), describe(clear, state, payload)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def peer_id(public_key):
    return hashlib.sha256(b"p2pnode-peerid-v1" + public_key).hexdigest()


def read_psk(path):
    """32 bytes, or their 64 hexadecimal digits."""
    with open(path, "rb") as file:
        data = file.read()
    return data if len(data) == 32 else bytes.fromhex(data.decode().strip())


def write_whole(path, text):
    """So that who waits for the file never reads half of it."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def dial(options, psk, static, result):
    with socket.create_connection((options.host, options.port), options.timeout) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer, found = shake_as_dialer(connection, SUITE_NUMBERS[options.suite], psk, static, options.pin)
        result.update(found, handshake_hash=peer.hash.hex())
        try:
            peer.ping(options.records)
            if options.open:
                peer.open(bytes.fromhex(options.open), psk)
            peer.say_goodbye()
        finally:
            result.update(peer.report())


def listen(options, psk, static, result):
    suites = {1, 2} if options.suite is None else {1, SUITE_NUMBERS[options.suite]}
    own = X25519PrivateKey.from_private_bytes(static).public_key()
    result["own"] = peer_id(own.public_bytes(Encoding.Raw, PublicFormat.Raw))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(options.timeout)
        port = server.getsockname()[1]
        write_whole(options.port_file, f"{port}\n{result['own']}\n")
        while True:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(options.timeout)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                established = shake_as_listener(connection, suites, psk, static, port)
                if established is None:
                    result["redials_asked"] = result.get("redials_asked", 0) + 1
                    continue
                peer, found = established
                result.update(found, handshake_hash=peer.hash.hex())
                try:
                    if options.leave:
                        return peer.leave(options.records)
                    peer.ping(options.records)
                    peer.refuse_opens()
                    peer.wait_for_goodbye()
                finally:
                    result.update(peer.report())
                return


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    dialer, listener = verbs.add_parser("dial"), verbs.add_parser("listen")
    dialer.add_argument("host")
    dialer.add_argument("port", type=int)
    dialer.add_argument("--suite", choices=SUITE_NUMBERS, required=True)
    dialer.add_argument("--pin", metavar="PEERID", help="64 hexadecimal digits: who must answer")
    dialer.add_argument("--open", metavar="FILEID", help="64 hexadecimal digits: a file to open after the PINGs")
    listener.add_argument("port_file", metavar="PORT-FILE")
    listener.add_argument("--suite", choices=SUITE_NUMBERS, help="the best that it can do; both without it")
    listener.add_argument("--leave", action="store_true", help="say GOODBYE at once, and reset the connection")
    for verb in dialer, listener:
        verb.add_argument("--psk", metavar="FILE", help="a swarm key: 32 bytes or 64 hexadecimal digits")
        verb.add_argument("--records", type=int, required=True, help="PINGs to send")
        verb.add_argument("--timeout", type=float, default=60, help="seconds of silence that are too many")
    options = parser.parse_args()
    result = {"ok": False, "role": "dialer" if options.verb == "dial" else "listener", "error": None}
    try:
        psk = read_psk(options.psk) if options.psk else None
        (dial if options.verb == "dial" else listen)(options, psk, secrets.token_bytes(32), result)
        result["ok"] = True
    except (Wrong, OSError, EOFError, ValueError) as error:
        result["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(result), flush=True)
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
