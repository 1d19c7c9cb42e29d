"""Build both images, `digit-job` and `digit-job:score`, with docker or podman, whichever is there.

    python3 docker/build.py [--mnist DIR] [--base-image IMAGE] [--tag NAME] [--build-arg NAME=VALUE]...

Packages come from wherever this machine's pip takes them: what its configuration says of indexes and certificates is
handed to the build as secrets, of which neither the images nor the repository keep anything. Uses the standard library
alone, as there may be no environment yet.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What of pip's configuration says where packages come from.
INDEX_OPTIONS = ("index-url", "extra-index-url", "find-links", "trusted-host", "no-index", "proxy", "timeout")
# The secrets' places during the build.
CA = "/run/secrets/ca"


def main() -> None:
    """Build; exits with the engine's code where it fails."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        build = [asked.engine, "build", "--file", str(ROOT / "docker/Dockerfile"), *_pip(asked.engine, Path(folder))]
        if asked.engine == "podman":
            build += ["--network", "host"]  # packages are fetched as this machine fetches them
        if asked.base_image:
            build += ["--build-arg", f"BASE_IMAGE={asked.base_image}"]
        if asked.mnist:
            data = Path(asked.mnist).resolve(strict=True)
            build += ["--build-context", f"mnist={data}", "--build-arg", f"DATA_VERSION={_version(data)}"]
        for each in asked.build_arg:
            build += ["--build-arg", each]
        _run([*build, "--tag", f"{asked.tag}:score", "--target", "score", str(ROOT)])
        _run([*build, "--tag", asked.tag, str(ROOT)])
        labels = {**_source_labels(), **_model_labels(asked.engine, asked.tag)}
        for image in (f"{asked.tag}:score", asked.tag):
            _label(asked.engine, image, labels, Path(folder, "labels"))


def engine() -> str:
    """The container engine that is there and works. Raises SystemExit where none does."""
    for name in ("docker", "podman"):
        # docker's command is of no use where its service does not run.
        if shutil.which(name) and not subprocess.run([name, "info"], capture_output=True, check=False).returncode:
            return name
    raise SystemExit("neither docker nor podman works here; install one of them, or start its service")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", help="docker or podman; by default the one that is there")
    parser.add_argument("--mnist", metavar="DIR", help="the folder of MNIST's four IDX files, to train on")
    parser.add_argument("--base-image", metavar="IMAGE", help="what to build on in place of the Dockerfile's own")
    parser.add_argument("--tag", default="digit-job", metavar="NAME", help="what to call the images")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="see the Dockerfile")
    asked = parser.parse_args()
    asked.engine = asked.engine or engine()
    return asked


def _pip(engine: str, folder: Path) -> list[str]:
    """Options that let pip find packages during the build as it does here: secrets, and folders to look into."""
    found = _pip_configuration()
    options, lines = [], ["[global]"]
    if certificates := found.pop("cert", None):
        options += ["--secret", f"id=ca,src={certificates}"]
        lines.append(f"cert = {CA}")
    lines += [f"{name} = {value}" for name, value in found.items()]
    for path in _folders(found):
        if engine != "podman":
            raise SystemExit(f"pip is set up to look into {path}, where docker's builds cannot; build with podman")
        options += ["--volume", f"{path}:{path}:ro"]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return [*options, "--secret", f"id=pip_conf,src={folder / 'pip.conf'}"]


def _pip_configuration() -> dict[str, str]:
    """What pip is told here of where packages come from; nothing where there is no pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    spoken = {**os.environ, "PIP_QUIET": "0"}  # told to be quiet, pip would not list anything
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=spoken).stdout
    found: dict[str, str] = {}
    # In the order in which pip lets one go before the other.
    for scope in ("global", "user", "site", ":env:"):
        for name, value in re.findall(rf"^{scope}\.(\S+?)='(.*)'$", said, re.MULTILINE):
            if name in (*INDEX_OPTIONS, "cert"):
                found[name] = value.replace("\\n", " ")
    return found


def _folders(options: dict[str, str]) -> Iterator[str]:
    """The folders of this machine that options of pip name, each once."""
    words = [(name, word) for name, value in options.items() for word in value.split()]
    for name, word in words:
        path = Path(urllib.parse.unquote(word.removeprefix("file://")))
        if path.is_absolute() and path.is_dir():
            # The pages of an index may link to files beside it.
            yield str(path.parent if name.endswith("index-url") else path)


def _version(folder: Path) -> str:
    """A word that changes when the files in a folder do: podman would take a model of other data from its cache."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    told = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _label(engine: str, image: str, labels: dict[str, str], folder: Path) -> None:
    """Give an image labels. Not as it is built: podman would take it from its cache, with the labels of before."""
    folder.mkdir(exist_ok=True)
    lines = [f"FROM {image}", *(f"LABEL {name}={json.dumps(value)}" for name, value in labels.items())]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    _run([engine, "build", "--file", str(folder / "Dockerfile"), "--tag", image, str(folder)])


def _source_labels() -> dict[str, str]:
    """What the source is, in the words of the Open Container Initiative."""
    version = re.search(r'__version__ = "(.+)"', (ROOT / "job/_version.py").read_text())[1]
    said = {"version": version, "revision": _git("rev-parse", "HEAD"), "created": _git("log", "-1", "--format=%cI")}
    url = _git("config", "--get", "remote.origin.url")
    # A path says nothing to anybody else.
    if re.match(r"(https?|ssh)://|git@", url):
        said["source"] = re.sub(r"//[^/@]*@", "//", url)  # no name or password that may stand in it
    return {f"org.opencontainers.image.{name}": value or "unknown" for name, value in {"source": "", **said}.items()}


def _git(*arguments: str) -> str:
    """What git says; nothing where the source came without it."""
    if not shutil.which("git"):
        return ""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _model_labels(engine: str, image: str) -> dict[str, str]:
    """What the image's model is, from its card."""
    command = [engine, "run", "--rm", "--network", "none", "--entrypoint", "cat", image, "/model/model.json"]
    card = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    said = {
        "digest": _digest(card["files"]),
        "name": card["name"],
        "data": card["data"]["name"],
        "accuracy": f"{card['metrics']['test']['accuracy']:.4f}",
    }
    return {f"digit-job.model.{name}": value for name, value in said.items()}


def _digest(files: dict[str, str]) -> str:
    """The model digest, as digit-job reckons it from a card: over the names and digests of the model's files."""
    return hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in sorted(files.items())).encode()).hexdigest()


def _run(command: Sequence[str]) -> None:
    result = subprocess.run(command, check=False)
    if result.returncode:
        raise SystemExit(result.returncode)


if __name__ == "__main__":
    main()
