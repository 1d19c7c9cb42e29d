"""What kustomize makes of the Kubernetes files is what Kubernetes takes, and says what errors.py and the flags say."""

import copy
import functools
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from support.scripts import write_script

from job._version import __version__
from job.errors import DigitJobError, Stopped

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docker/kubernetes"
README = (ROOT / "docker/README.md").read_text()
VERSION = "1.34"
# What each overlay makes, beside the claims of the base.
OVERLAYS = {
    "single": ["Job/digit-job"],
    "shards": ["Job/digit-job-shards"],
    "nightly": ["CronJob/digit-job-nightly"],
    "transfer": ["Pod/digit-job-transfer"],
    "example": [
        "CronJob/digit-job-nightly", "Namespace/digits", "PersistentVolumeClaim/digit-job-model",
        "Pod/digit-job-transfer",
    ],
}  # fmt: skip
CLAIMS = ["PersistentVolumeClaim/digit-job-input", "PersistentVolumeClaim/digit-job-output"]
WORKLOADS = ["single", "shards", "nightly"]
# No document of its own, but a change to another.
PATCHES = ["kustomization.yaml", "indexed-job.yaml"]


def has_kustomize():
    """Whether there is a kubectl that says which kustomize it holds, as since 1.25; Debian's is too old."""
    if not shutil.which("kubectl"):
        return False
    command = ["kubectl", "version", "--client"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return "Kustomize Version" in said.stdout


needs_kubectl = pytest.mark.skipif(not has_kustomize(), reason="there is no kubectl of 1.25 or later")


def documents(text):
    """The documents of a YAML file."""
    return [each for each in yaml.safe_load_all(text) if each]


@functools.cache
def rendered(folder):
    """What kubectl makes of a kustomization."""
    command = ["kubectl", "kustomize", str(folder)]
    return documents(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def kustomized(name):
    """What kubectl makes of an overlay, by kind and name."""
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in rendered(FOLDER / "overlays" / name)}


def workload(name):
    """An overlay's Job, or CronJob."""
    return kustomized(name)[OVERLAYS[name][0]]


def job_spec(name):
    """The specification of an overlay's Job."""
    found = workload(name)
    return found["spec"]["jobTemplate"]["spec"] if found["kind"] == "CronJob" else found["spec"]


def container(name):
    """The one container of an overlay's pods."""
    (found,) = job_spec(name)["template"]["spec"]["containers"]
    return found


def environment(name):
    """A container's variables with their values."""
    return {each["name"]: each.get("value") for each in container(name).get("env", [])}


def validate(each):
    """Hold a document to Kubernetes's schema, which knows no other fields."""
    kubernetes_validate.validate(each, VERSION, strict=True)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.name)
def test_each_file_fits_the_schema(path):
    """Strictly: a misspelt field is an error."""
    if path.name not in PATCHES:
        for each in documents(path.read_text()):
            validate(each)


@needs_kubectl
def test_a_misspelt_field_does_not_fit():
    """The test above can fail."""
    found = copy.deepcopy(workload("single"))
    found["spec"]["podFailurPolicy"] = found["spec"].pop("podFailurePolicy")
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(found)


@needs_kubectl
@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_makes_what_it_chooses(name):
    """That alone, beside the claims, and all of it fits the schema."""
    found = kustomized(name)
    assert sorted(found) == sorted([*CLAIMS, *OVERLAYS[name]])
    for each in found.values():
        validate(each)
        if each["kind"] != "Namespace":
            assert each["metadata"]["labels"]["app.kubernetes.io/name"] == "digit-job"


@needs_kubectl
def test_the_base_starts_nothing():
    """Two claims, which whatever is chosen works on."""
    assert [each["kind"] for each in rendered(FOLDER / "base")] == ["PersistentVolumeClaim"] * 2


def test_each_overlay_has_its_line_in_the_readme():
    """One command starts it."""
    assert {path.name for path in (FOLDER / "overlays").iterdir()} == {*OVERLAYS}
    for name in OVERLAYS:
        assert f"kubectl apply --kustomize docker/kubernetes/overlays/{name} " in README
    for path in (FOLDER / "components").iterdir():
        assert f"(kubernetes/components/{path.name}/" in README


def pod_spec(each):
    """The specification of the pods that a document makes."""
    spec = each["spec"]
    while "containers" not in spec:
        spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec["template"]["spec"]
    return spec


@needs_kubectl
def test_the_pods_of_all_workloads_are_alike():
    """But for what they run, and where their results go."""
    own = {"command", "args", "env"}
    found = []
    for name in WORKLOADS:
        spec = pod_spec(workload(name))
        (inside,) = spec["containers"]
        kept = {key: value for key, value in inside.items() if key not in own}
        found.append({**spec, "containers": [kept]})
    assert found[0] == found[1] == found[2]


@needs_kubectl
def test_the_example_changes_what_it_says():
    """Images of one's own, a namespace that holds pods to the restricted profile, a time zone."""
    found = kustomized("example")
    cron, pod = found["CronJob/digit-job-nightly"], found["Pod/digit-job-transfer"]
    image = f"registry.example.org/digits/digit-job:{__version__}-score"
    assert [pod_spec(each)["containers"][0]["image"] for each in (cron, pod)] == [image] * 2
    assert {each["metadata"]["namespace"] for each in found.values() if each["kind"] != "Namespace"} == {"digits"}
    assert cron["spec"]["timeZone"] == "Europe/London"


def test_the_readme_pushes_the_image_that_the_example_pulls():
    """From the name that `make image` gives it."""
    (images,) = documents((FOLDER / "overlays/example/kustomization.yaml").read_text())[0]["images"]
    pulled = f"{images['newName']}:{images['newTag']}"
    assert images["newTag"] == f"{__version__}-score"
    build = (ROOT / "docker/build.py").read_text()
    assert f'"--tag", default="{images["name"]}"' in build
    assert 'f"{asked.tag}:score"' in build
    assert "docker/build.py" in re.search(r"^image:.*\n\t(.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert f"docker tag {images['name']}:score {pulled}\ndocker push {pulled}\n" in README


@needs_kubectl
def test_the_readme_copies_to_what_the_transfer_pod_mounts():
    """By the names that the overlay gives to pod and volumes."""
    (inside,) = pod_spec(kustomized("example")["Pod/digit-job-transfer"])["containers"]
    places = set(re.findall(r"digit-job-transfer:(/[a-z-]+)", README))
    assert places == {"/input", "/output", "/own-model"}
    assert places < {each["mountPath"] for each in inside["volumeMounts"]}
    assert "job --from=cronjob/digit-job-nightly " in README


@needs_kubectl
def test_an_own_model_is_where_its_variable_says():
    """Jobs of every kind read it; the transfer pod writes it."""
    cron, pod = (
        pod_spec(kustomized("example")[name]) for name in ("CronJob/digit-job-nightly", "Pod/digit-job-transfer")
    )
    (inside,) = cron["containers"]
    assert {"name": "DIGIT_JOB_MODEL", "value": "/own-model"} in inside["env"]
    assert {"name": "model", "mountPath": "/own-model", "readOnly": True} in inside["volumeMounts"]
    assert {"name": "model", "mountPath": "/own-model"} in pod["containers"][0]["volumeMounts"]
    claim = {"name": "model", "persistentVolumeClaim": {"claimName": "digit-job-model"}}
    assert claim in pod["volumes"]
    assert {**claim, "persistentVolumeClaim": {"claimName": "digit-job-model", "readOnly": True}} in cron["volumes"]


@needs_kubectl
@pytest.mark.parametrize("name", ["single", "shards"])
def test_an_own_model_goes_with_every_job(name, tmp_path):
    """Also where there is no CronJob and no pod to change."""
    folder = shutil.copytree(FOLDER, tmp_path / "kubernetes") / "overlays/mine"
    folder.mkdir()
    chosen = {"resources": ["../../base"], "components": [f"../../components/{each}" for each in (name, "own-model")]}
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({**head, **chosen}))
    found = rendered(folder)
    for each in found:
        validate(each)
    (job,) = (each for each in found if each["kind"] == "Job")
    assert {"name": "DIGIT_JOB_MODEL", "value": "/own-model"} in pod_spec(job)["containers"][0]["env"]


@needs_kubectl
def test_only_new_looks_where_the_nights_are():
    """The folder around those that the CronJob writes."""
    (inside,) = pod_spec(kustomized("example")["CronJob/digit-job-nightly"])["containers"]
    assert {"name": "DIGIT_JOB_SKIP_DONE", "value": "/output"} in inside["env"]
    assert 'score --output "/output/$folder"' in inside["args"][0]


@needs_kubectl
def test_the_transfer_pod_can_write_what_the_jobs_read():
    """As the same user, so that either can change what the other wrote; it is as locked up as they are."""
    spec, job = pod_spec(kustomized("transfer")["Pod/digit-job-transfer"]), pod_spec(workload("single"))
    (inside,) = spec["containers"]
    mounts = {each["mountPath"]: each.get("readOnly", False) for each in inside["volumeMounts"]}
    assert mounts == {"/input": False, "/output": False, "/tmp": False}  # noqa: S108  # a place in the container
    assert spec["securityContext"] == job["securityContext"]
    assert inside["securityContext"] == job["containers"][0]["securityContext"]
    assert inside["command"] == ["sleep", str(spec["activeDeadlineSeconds"])]
    for name in CLAIMS:
        assert kustomized("transfer")[name]["spec"]["accessModes"] == ["ReadWriteMany"]


def exit_codes():
    """Every code that an error ends with, and whether trying again can help."""
    codes, classes = {}, [DigitJobError]
    while classes:
        each = classes.pop()
        if each is not Stopped:
            codes[each.exit_code] = each.can_retry
        classes += each.__subclasses__()
    return codes


# SIGABRT and SIGSEGV, which one file brings about again and again.
CRASHES = {134, 139}


def actions(name):
    """What a file's rules do about an exit code."""
    rules = job_spec(name)["podFailurePolicy"]["rules"]
    return {code: rule["action"] for rule in rules if "onExitCodes" in rule for code in rule["onExitCodes"]["values"]}


@needs_kubectl
@pytest.mark.parametrize("name", WORKLOADS)
def test_another_try_is_made_where_one_can_help(name):
    """The rules are those of errors.py; a container that the kernel killed is tried again, one that crashed is not."""
    found = actions(name)
    assert {code for code, action in found.items() if action == "Count"} == {
        *(code for code, can_retry in exit_codes().items() if can_retry), 137,
    }  # fmt: skip
    failing = {code for code, action in found.items() if action in {"FailJob", "FailIndex"}}
    assert failing == {code for code, can_retry in exit_codes().items() if not can_retry} | CRASHES
    assert job_spec(name)["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
    assert job_spec(name)["template"]["spec"]["restartPolicy"] == "Never"  # what podFailurePolicy asks for


@needs_kubectl
def test_what_is_wrong_with_the_data_fails_one_index():
    """And not the whole of an Indexed Job."""
    found = actions("shards")
    assert {code for code, action in found.items() if action == "FailIndex"} == {65, 66} | CRASHES
    assert "backoffLimitPerIndex" in job_spec("shards")


@needs_kubectl
def test_there_are_as_many_pods_as_shards():
    """A number that stands three times."""
    spec = job_spec("shards")
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(environment("shards")["DIGIT_JOB_SHARD_COUNT"])


@needs_kubectl
def test_a_nightly_run_is_not_met_by_the_next():
    """Nor does it start at a time of day that depends on the cluster."""
    spec = workload("nightly")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["timeZone"] == "Etc/UTC"
    assert 0 < spec["startingDeadlineSeconds"] < 86400


@needs_kubectl
@pytest.mark.parametrize("name", WORKLOADS)
def test_pods_keep_to_the_restricted_profile(name):
    """As the Pod Security Standards have it; and with a root that cannot be written."""
    pod, inside = job_spec(name)["template"]["spec"], container(name)["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False
    assert set(container(name)["resources"]) == {"requests", "limits"}
    assert job_spec(name)["ttlSecondsAfterFinished"] > 0


@needs_kubectl
@pytest.mark.parametrize("name", WORKLOADS)
def test_volumes_are_where_the_image_looks(name):
    """The input cannot be written; the output folder is below the output volume."""
    mounts = {each["mountPath"]: each.get("readOnly", False) for each in container(name)["volumeMounts"]}
    assert mounts == {"/input": True, "/output": False, "/tmp": False}  # noqa: S108  # a place in the container
    assert environment(name).get("DIGIT_JOB_OUTPUT", "/output/").startswith("/output/")
    assert {each["name"] for each in container(name)["volumeMounts"]} == {
        each["name"] for each in job_spec(name)["template"]["spec"]["volumes"]
    }


def output_of(job_name, tmp_path):
    """The output folder that a CronJob's pod names."""
    write_script(tmp_path / "digit-job", '#!/bin/sh\necho "$@"\n')
    command, (script,) = container("nightly")["command"], container("nightly")["args"]
    path = {"JOB_NAME": job_name, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run([*command, script], check=True, capture_output=True, text=True, env=path).stdout
    return re.fullmatch(r"score --output (\S+)\n", said)[1]


@needs_kubectl
def test_the_nightly_folder_is_that_of_the_day_it_was_due(tmp_path):
    """However late, or how often, its pod starts: a CronJob's Job is named for the minute at which it was due."""
    due = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    assert output_of(f"digit-job-nightly-{int(due.timestamp()) // 60}", tmp_path) == "/output/2026-01-31"
    assert output_of("by-hand", tmp_path) == "/output/by-hand"
    assert output_of("rerun-20260131", tmp_path) == "/output/rerun-20260131"


@needs_kubectl
def test_a_job_that_is_called_by_a_day_finishes_it(tmp_path):
    """`kubectl create job --from=cronjob/digit-job-nightly 2026-01-31`."""
    assert output_of("2026-01-31", tmp_path) == "/output/2026-01-31"


@needs_kubectl
@pytest.mark.parametrize("name", WORKLOADS)
def test_gates_are_on(name):
    """Nobody watches: a warning or a large drift fails the Job, which is not tried again."""
    assert environment(name)["DIGIT_JOB_MAX_WARNINGS"] == "0"
    assert environment(name)["DIGIT_JOB_MAX_DRIFT"] == "0.25"
    (rule,) = (
        rule
        for rule in job_spec(name)["podFailurePolicy"]["rules"]
        if 3 in rule.get("onExitCodes", {}).get("values", ())
    )
    assert rule["action"] == "FailJob"
