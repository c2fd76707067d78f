"""Makes the router that comes with Penstock: `python bench/train_router.py` writes src/penstock/routing/default.router.

From the rows of the router set's train part that `keep.json` lists and nothing else; the same rows make the same file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from msgspec.structs import replace

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import routing_sets
from penstock.entry.cli.router import draws, told
from penstock.routing import fit, labels, router

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
OUT = ROOT / "src" / "penstock" / "routing" / "default.router"
CREATED = "2026-11-27"
SOURCE = (
    "github.com/ulab-uiuc/LLMRouter 4e7a796, data/dcrouter_preprocessed/train.json (MIT), without rows of MMLU, GSM8K,"
    " MT-Bench and its own test part"
)
TRUST = (
    "Learned from public questions and two groups of open models, not from your traffic: there it may be no better than"
    " chance. Certify it on your own labels, or fit your own."
)


def main() -> int:
    """0 done, 1 where the set is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="the directory of the set")
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write")
    options = parser.parse_args()
    if missing := routing_sets.lacking(options.data):
        sys.stderr.write(f"train_router: there is no {options.data / missing}\n")
        return 1
    read = labels.read(routing_sets.lines(routing_sets.rows(options.data, "train")))
    made = fit.fit(read, SOURCE, CREATED, draws(), told)
    options.out.write_bytes(router.encode(router.sealed(replace(made, trust=TRUST))))
    print(f"{options.out}: {made.rows} rows, APGR {made.apgr[0]:.4f} by cross-validation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
