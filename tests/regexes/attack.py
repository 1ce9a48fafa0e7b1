"""A process that applies patterns to long hostile words, and is killed by the kernel where one takes too much time.

    python -m tests.regexes.attack SECONDS < arrays

Each line of the input is one JSON array: bytes or text, pattern, flags, searched. The number of each pattern is printed
when it is done. SECONDS limits the processor time of the whole run: a linear pattern needs milliseconds for a word of
`LENGTH`, a quadratic one minutes, an exponential one for ever.
"""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Sequence

from tests.regexes.ambiguity import attacks
from tests.regexes.automaton import Automaton
from tests.regexes.patterns import ROOT, Use

LENGTH = 200_000


def survivors(uses: Sequence[Use], cpu_seconds: int) -> list[Use]:
    """Return the patterns that are done with all their words before the processor time is used up, in their order."""
    lines = [json.dumps([isinstance(use.pattern, bytes), _text(use.pattern), use.flags, use.searched]) for use in uses]
    command = [sys.executable, "-m", "tests.regexes.attack", str(cpu_seconds)]
    done = subprocess.run(
        command, input="\n".join(lines), cwd=ROOT, capture_output=True, text=True, check=False, timeout=110
    )
    return [uses[int(number)] for number in done.stdout.split()]


def _text(pattern: str | bytes) -> str:
    return pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern


def _attack(line: str) -> None:
    is_bytes, text, flags, searched = json.loads(line)
    pattern = text.encode("latin-1") if is_bytes else text
    compiled = re.compile(pattern, flags)
    for word in attacks(Automaton(pattern, flags, searched=searched), LENGTH):
        subject = word.encode("latin-1") if is_bytes else word
        if searched:
            compiled.findall(subject)
        else:
            compiled.fullmatch(subject)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
    for number, line in enumerate(sys.stdin):
        _attack(line)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
