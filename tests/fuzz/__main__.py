"""`make fuzz`: check inputs against the laws of reading until the time is up or one breaks a law.

Each target has its corpus in build/fuzz, and the next run continues from there. An input that breaks a law is saved
beside it (and for `csv`, the CSV file that it stands for); name it on the command line to try it again.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from fuzz import seeds

try:
    import atheris
except ModuleNotFoundError:
    sys.exit("make fuzz needs atheris, which exists only for Linux on x86-64 and Python 3.11 to 3.13")

MAX_INPUT_BYTES = 8192
# The process grows during a long run; libFuzzer's default limit of 2 GB would end it after ten minutes.
MAX_MEMORY_MB = 6000


def csv_target(folder):
    """The check of the CSV reader. Only what is imported in its block is instrumented, not the compiled scanner."""
    with atheris.instrument_imports(include=["job.read"]):
        from fuzz.csv_reader import check
    return partial(check, broken=folder / "broken.csv")


def parquet_target(name):
    """A check of a Parquet kernel, which is instrumented where it runs as plain Python."""

    def target(_folder):
        from fuzz import parquet_kernels

        return getattr(parquet_kernels, name)(atheris.instrument_func).check

    return target


def parquet_files_target(folder):
    """The check of whole Parquet files. Their reader is another process, so only the choice of lies is instrumented."""
    from fuzz.parquet_files import FileTarget

    atheris.instrument_func(FileTarget.check)
    return FileTarget(folder / "broken.parquet").check


def readers_target(_folder):
    """The check of the readers of other binary files, which run in a process of their own, too."""
    from fuzz.binary_readers import ReadersTarget

    return ReadersTarget().check


TARGETS = {
    "csv": (csv_target, seeds.csv_seeds),
    "readers": (readers_target, seeds.readers_seeds),
    "parquet": (parquet_files_target, seeds.file_seeds),
    "page": (parquet_target("PageTarget"), seeds.page_seeds),
    "footer": (parquet_target("FooterTarget"), seeds.footer_seeds),
    "snappy": (parquet_target("SnappyTarget"), seeds.snappy_seeds),
}


def main():
    """Fuzz, or try one saved input again."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--target", choices=TARGETS, default="csv")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="for each target's folder")
    parser.add_argument("input", nargs="?", type=Path, help="a saved input to try again")
    arguments = parser.parse_args()
    make_check, make_seeds = TARGETS[arguments.target]
    folder = arguments.folder / arguments.target
    corpus = folder / "corpus"
    seeds.write_seeds(corpus, make_seeds)
    check = make_check(folder)
    if arguments.input:
        check(arguments.input.read_bytes())
        print(f"{arguments.input}: no law is broken")
        return
    options = [f"-max_total_time={arguments.seconds}", f"-max_len={MAX_INPUT_BYTES}", f"-rss_limit_mb={MAX_MEMORY_MB}"]
    options += ["-timeout=60", "-print_final_stats=1", f"-artifact_prefix={folder}/", str(corpus)]
    atheris.Setup([sys.argv[0], *options], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
