"""The same run with other seeds, to see how much of a number is luck."""

from __future__ import annotations

from hashlib import blake2b

_BITS = 48


def replication_seed(seed: int, replication: int) -> int:
    """The seed of replication 0, 1, 2 ... of a study, the same for all architectures that are compared.

    The first one is the study's own seed, so that `simulate` with it shows a run that the study has counted; the
    others come from a stable hash of both numbers.
    """
    if replication == 0:
        return seed
    digest = blake2b(f"{seed}\0replication\0{replication}".encode(), digest_size=_BITS // 8).digest()
    return int.from_bytes(digest, "big")
