#!/usr/bin/env python3
"""verify_proof.py PROOF.json [KEY.pem]...: checks what `leashctl prove` printed with none of leash's code. Exit code 0: it
holds. Needs python3-cryptography. Without KEY.pem the keys that the proof brings are taken."""
import base64, hashlib, json, re, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
CHECKPOINT = r'(\{.*?), "sig": "([A-Za-z0-9+/=]+)", "seq": (?:0|[1-9][0-9]*), "chain": "[0-9a-f]{64}"\}'
LINE = r'(\{.*, "seq": (0|[1-9][0-9]*)), "chain": "([0-9a-f]{64})"\}'
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()

def need(is_true, why):
    if not is_true: raise ValueError(why)

def members(pairs):
    need(len(dict(pairs)) == len(pairs), "a name comes twice")
    return dict(pairs)
def digests(texts):
    need(type(texts) is list and all(re.fullmatch("[0-9a-f]{64}", text) for text in texts), "not digests")
    return [bytes.fromhex(text) for text in texts]

def root_of(node, index, size, path):  # RFC 9162, section 2.1.3.2
    last = size - 1
    for sibling in path:
        is_right = index & 1 or index == last
        need(last > 0, "a path is too long")
        while is_right and index and not index & 1:
            index, last = index >> 1, last >> 1
        node = sha(b"\x01", sibling, node) if is_right else sha(b"\x01", node, sibling)
        index, last = index >> 1, last >> 1
    return node if last == 0 else None

def main(proof_file, *key_files):
    proof = json.load(open(proof_file, encoding="utf-8"), object_pairs_hook=members)
    need(len(proof) == 5 and proof["format"] == "leash audit proof v1" and proof["id"] and proof["lines"], "not a proof")
    need(all(type(proof[name]) is list for name in ("keys", "checkpoints", "lines")), "not a proof")
    pems = [open(name, "rb").read() for name in key_files] or [pem.encode() for pem in proof["keys"]]
    raw = {key.public_bytes(Encoding.Raw, PublicFormat.Raw): key for key in map(load_pem_public_key, pems)}
    keys, trees, before = {hashlib.sha256(data).hexdigest()[:16]: key for data, key in raw.items()}, [], 0
    for line in proof["checkpoints"]:
        signed, text = re.fullmatch(CHECKPOINT, line).groups()
        fields, signature = json.loads(signed + "}"), base64.b64decode(text)  # only what it covers counts
        need(fields["event"] == "checkpoint" and base64.b64encode(signature).decode() == text, "not a checkpoint")
        keys[fields["key"]].verify(signature, b"leash audit checkpoint v1\n" + signed.encode("ascii"))
        trees.append((fields["first"], fields["last"], digests([fields["root"]])[0]))
    for item in proof["lines"]:
        covered, seq, chain = re.fullmatch(LINE, item["line"]).groups()
        previous, chain, seq = *digests([item["previous"], chain]), int(seq)
        need(len(item) == 4 and sha(previous, covered.encode("ascii")) == chain, f"line {seq} was changed")
        need(json.loads(item["line"])["id"] == proof["id"], f"line {seq} has another id")
        need(type(item["checkpoint"]) is int and item["checkpoint"] >= 0, "not a checkpoint's number")
        first, last, root = trees[item["checkpoint"]]
        need(before < seq and first <= seq <= last, f"line {seq} is out of place")
        before, leaf, path = seq, sha(b"\0", chain), digests(item["path"])
        need(root_of(leaf, seq - first, last - first + 1, path) == root, f"line {seq} was not signed")
    print(f"proven: {len(proof['lines'])} lines of {proof['id']}")

try:
    main(*sys.argv[1:])
except (InvalidSignature, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
    sys.exit(f"not proven: {error!r}")
