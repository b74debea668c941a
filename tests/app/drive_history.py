"""Writes into a history until somebody ends it; argument 1: its folder, argument 2: a seed.

Prints the id of each entry once it is said to be kept. Of every kind of write some are done:
additions, versions, deletions for good.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from app.store.history import History, NewVersion
from tests.app.histories import conversion, png

chance = random.Random(int(sys.argv[2]))
history = History.open(Path(sys.argv[1]))
noise = [png(f"picture {index}", (300 + index, 200)) for index in range(6)]
while True:
    picture = noise[chance.randrange(6)] + bytes([chance.randrange(256)])  # after the end of a PNG
    new = conversion(f"entry {chance.random()}")
    body = "x" * chance.randrange(20_000)
    kept = history.add(
        type(new)(picture, "html", new.title), [NewVersion(f"<p>{body}</p><!-- end -->")]
    ).result()
    assert kept is not None
    print(kept.id, flush=True)
    history.add_version(kept.id, NewVersion(f"<b>{body}</b><!-- end -->", parent=kept.versions[0]))
    if chance.random() < 0.3:
        history.delete([chance.randint(1, kept.id)]).result()
        history.erase_deleted().result()
