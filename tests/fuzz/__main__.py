"""`make fuzz`: check CSV files against the laws of reading until the time is up or a file breaks one.

The corpus is kept in build/fuzz/corpus, and the next run continues from there. An input that breaks a law is saved in
build/fuzz, with the CSV file that it stands for; name it on the command line to try it again.
"""

import argparse
import sys
from pathlib import Path

from fuzz.seeds import write_seeds

try:
    import atheris
except ModuleNotFoundError:
    sys.exit("make fuzz needs atheris, which exists only for Linux on x86-64 and Python 3.11 to 3.13")

# Only what is imported in this block is instrumented. The compiled scanner, which is imported later, is not.
with atheris.instrument_imports(include=["job.read"]):
    from fuzz.csv_reader import check

MAX_INPUT_BYTES = 8192
# The process grows during a long run; libFuzzer's default limit of 2 GB would end it after ten minutes.
MAX_MEMORY_MB = 6000


def main():
    """Fuzz, or try one saved input again."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    parser.add_argument("input", nargs="?", type=Path, help="a saved input to try again")
    arguments = parser.parse_args()
    corpus, broken = arguments.folder / "corpus", arguments.folder / "broken.csv"
    if arguments.input:
        check(arguments.input.read_bytes(), broken)
        print(f"{arguments.input}: no law is broken")
        return
    write_seeds(corpus)
    options = [f"-max_total_time={arguments.seconds}", f"-max_len={MAX_INPUT_BYTES}", f"-rss_limit_mb={MAX_MEMORY_MB}"]
    options += ["-timeout=60", "-print_final_stats=1", f"-artifact_prefix={arguments.folder}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options], lambda data: check(data, broken))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
