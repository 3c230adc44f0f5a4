"""Noise XX and XXpsk0 with 25519 and SHA-256 (Noise revision 34, sections 4, 5 and 9), as plain as it can be said."""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

PATTERNS = {
    "XX": [["e"], ["e", "ee", "s", "es"], ["s", "se"]],
    "XXpsk0": [["psk", "e"], ["e", "ee", "s", "es"], ["s", "se"]],
}


def sha256(data):
    return hashlib.sha256(data).digest()


def hmac256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(chaining_key, material, outputs):
    temp = hmac256(chaining_key, material)
    out = [hmac256(temp, b"\x01")]
    for i in range(2, outputs + 1):
        out.append(hmac256(temp, out[-1] + bytes([i])))
    return out


class KeyPair:
    def __init__(self, secret):
        self.secret = secret
        self.key = X25519PrivateKey.from_private_bytes(secret)
        self.public = self.key.public_key().public_bytes_raw()

    def dh(self, public):
        return self.key.exchange(X25519PublicKey.from_public_bytes(public))


class CipherState:
    def __init__(self, suite, key):
        self.suite, self.key, self.n = suite, key, 0

    def _aead(self):
        return (ChaCha20Poly1305 if self.suite == "ChaChaPoly" else AESGCM)(self.key)

    def _nonce(self, n):
        return b"\0" * 4 + struct.pack("<Q" if self.suite == "ChaChaPoly" else ">Q", n)

    def seal(self, ad, plaintext):
        out = self._aead().encrypt(self._nonce(self.n), plaintext, ad)
        self.n += 1
        return out

    def open(self, ad, ciphertext):
        out = self._aead().decrypt(self._nonce(self.n), ciphertext, ad)
        self.n += 1
        return out

    def rekey(self):
        self.key = self._aead().encrypt(self._nonce(2**64 - 1), b"\0" * 32, b"")[:32]


class Handshake:
    """One end. `write` and `read` alternate through the three messages; `split` after the last."""

    def __init__(self, pattern, suite, dialer, prologue, static, ephemeral, psk=None):
        name = ("Noise_%s_25519_%s_SHA256" % (pattern, suite)).encode()
        self.h = name + b"\0" * (32 - len(name)) if len(name) <= 32 else sha256(name)
        self.ck, self.suite, self.cipher = self.h, suite, None
        self.pattern, self.dialer, self.s, self.e, self.psk = PATTERNS[pattern], dialer, static, ephemeral, psk
        self.rs = self.re = None
        self.step = 0
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.h = sha256(self.h + data)

    def mix_key(self, material):
        self.ck, key = hkdf(self.ck, material, 2)
        self.cipher = CipherState(self.suite, key)

    def mix_psk(self):
        self.ck, temp, key = hkdf(self.ck, self.psk, 3)
        self.mix_hash(temp)
        self.cipher = CipherState(self.suite, key)

    def seal(self, plaintext):
        out = self.cipher.seal(self.h, plaintext) if self.cipher else plaintext
        self.mix_hash(out)
        return out

    def open(self, ciphertext):
        out = self.cipher.open(self.h, ciphertext) if self.cipher else ciphertext
        self.mix_hash(ciphertext)
        return out

    def mix_dh(self, token):
        if token == "ee":
            secret = self.e.dh(self.re)
        elif (token == "es") == self.dialer:  # es: dialer's e, listener's s; se: dialer's s, listener's e
            secret = self.e.dh(self.rs)
        else:
            secret = self.s.dh(self.re)
        self.mix_key(secret)

    def mix_public_ephemeral(self, public):
        self.mix_hash(public)
        if self.psk is not None:  # in psk handshakes only (section 9.2)
            self.mix_key(public)

    def write(self, payload):
        out = b""
        for token in self.pattern[self.step]:
            if token == "psk":
                self.mix_psk()
            elif token == "e":
                out += self.e.public
                self.mix_public_ephemeral(self.e.public)
            elif token == "s":
                out += self.seal(self.s.public)
            else:
                self.mix_dh(token)
        self.step += 1
        return out + self.seal(payload)

    def read(self, message):
        for token in self.pattern[self.step]:
            if token == "psk":
                self.mix_psk()
            elif token == "e":
                self.re, message = message[:32], message[32:]
                self.mix_public_ephemeral(self.re)
            elif token == "s":
                count = 48 if self.cipher else 32
                part, message = message[:count], message[count:]
                self.rs = self.open(part)
            else:
                self.mix_dh(token)
        self.step += 1
        return self.open(message)

    def split(self):
        """The cipher states dialer → listener and listener → dialer."""
        return [CipherState(self.suite, key) for key in hkdf(self.ck, b"", 2)]
