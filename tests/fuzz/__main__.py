"""`make fuzz`: try CSV files against the laws of reading until the time is up or one breaks a law.

What was found interesting is kept in build/fuzz/corpus, so that the next run goes on from there. An input that breaks
a law is kept in build/fuzz, with the CSV file that it stands for; name it on the command line to try it again.
"""

import argparse
import sys
from pathlib import Path

from fuzz.seeds import write_seeds

try:
    import atheris
except ModuleNotFoundError:
    sys.exit("make fuzz needs atheris, which is there for Linux on x86-64 and Python 3.11 to 3.13 only")

# Only what is imported in here is watched. The compiled scanner is not: it is imported when it is first used.
with atheris.instrument_imports(include=["job.read"]):
    from fuzz.csv_reader import check

MAX_INPUT_BYTES = 8192
# The process grows by itself in a long run; libFuzzer's own limit, 2 GB, would end one of ten minutes.
MAX_MEMORY_MB = 6000


def main():
    """Fuzz, or try one input again."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    parser.add_argument("input", nargs="?", type=Path, help="an input that was kept, to try it again")
    asked = parser.parse_args()
    corpus, broken = asked.folder / "corpus", asked.folder / "broken.csv"
    if asked.input:
        check(asked.input.read_bytes(), broken)
        print(f"{asked.input}: no law is broken")
        return
    write_seeds(corpus)
    options = [f"-max_total_time={asked.seconds}", f"-max_len={MAX_INPUT_BYTES}", "-timeout=60", "-print_final_stats=1"]
    options += [f"-rss_limit_mb={MAX_MEMORY_MB}"]
    options += [f"-artifact_prefix={asked.folder}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options], lambda data: check(data, broken))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
