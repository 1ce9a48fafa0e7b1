"""Print SSIMULACRA2, in a process of its own for its memory: `python -m benchmarks.score REFERENCE RESULT`."""

import sys

from ssimulacra2 import compute_ssimulacra2

if __name__ == "__main__":
    print(compute_ssimulacra2(*sys.argv[1:3]))
