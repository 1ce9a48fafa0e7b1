"""`python -m benchmarks.score REFERENCE SHOWN`: print SSIMULACRA2. A process of its own: it wants much memory."""

import sys

from ssimulacra2 import compute_ssimulacra2

if __name__ == "__main__":
    print(compute_ssimulacra2(*sys.argv[1:3]))
