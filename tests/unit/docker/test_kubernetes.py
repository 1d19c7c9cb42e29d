"""The Kubernetes files are what Kubernetes takes, and say what errors.py and the flags say."""

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from job.errors import DigitJobError, Stopped

FOLDER = Path(__file__).parents[3] / "docker/kubernetes"
VERSION = "1.34"
KUSTOMIZATIONS = ["base", "overlays/nightly"]
WORKLOADS = ["job", "indexed-job", "cronjob"]


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


def workload(name):
    """A file's Job, or CronJob."""
    (found,) = documents((FOLDER / f"base/{name}.yaml").read_text())
    return found


def job_spec(name):
    """The specification of a file's Job."""
    found = workload(name)
    return found["spec"]["jobTemplate"]["spec"] if found["kind"] == "CronJob" else found["spec"]


def container(name):
    """The one container of a file's pods."""
    (found,) = job_spec(name)["template"]["spec"]["containers"]
    return found


def environment(name):
    """A container's variables with their values."""
    return {each["name"]: each.get("value") for each in container(name).get("env", [])}


def kustomized(name):
    """What kubectl makes of a kustomization."""
    command = ["kubectl", "kustomize", str(FOLDER / name)]
    return documents(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def validate(each):
    """Hold a document to Kubernetes's schema, which knows no other fields."""
    kubernetes_validate.validate(each, VERSION, strict=True)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.name)
def test_each_file_fits_the_schema(path):
    """Strictly: a misspelt field is an error."""
    if path.name != "kustomization.yaml":
        for each in documents(path.read_text()):
            validate(each)


def test_a_misspelt_field_does_not_fit():
    """The test above can fail."""
    found = workload("job")
    found["spec"]["podFailurPolicy"] = found["spec"].pop("podFailurePolicy")
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(found)


@needs_kubectl
@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_kustomize_makes_what_fits_the_schema(name):
    """`kubectl kustomize` builds base and overlay."""
    found = kustomized(name)
    assert found
    for each in found:
        validate(each)


@needs_kubectl
def test_the_overlay_changes_what_it_says():
    """An image of one's own, a namespace that holds pods to the restricted profile, the nightly job alone."""
    found = kustomized("overlays/nightly")
    assert sorted(each["kind"] for each in found) == [
        "CronJob", "Namespace", "PersistentVolumeClaim", "PersistentVolumeClaim",
    ]  # fmt: skip
    (cron,) = (each for each in found if each["kind"] == "CronJob")
    (pod,) = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert pod["image"] == "registry.example.org/digits/digit-job:0.1.0-score"
    assert cron["metadata"]["namespace"] == "digits"


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


def test_what_is_wrong_with_the_data_fails_one_index():
    """And not the whole of an Indexed Job."""
    found = actions("indexed-job")
    assert {code for code, action in found.items() if action == "FailIndex"} == {65, 66} | CRASHES
    assert "backoffLimitPerIndex" in job_spec("indexed-job")


def test_there_are_as_many_pods_as_shards():
    """A number that stands three times."""
    spec = job_spec("indexed-job")
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(environment("indexed-job")["DIGIT_JOB_SHARD_COUNT"])


def test_a_nightly_run_is_not_met_by_the_next():
    """Nor does it start at a time of day that depends on the cluster."""
    spec = workload("cronjob")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["timeZone"] == "Etc/UTC"
    assert 0 < spec["startingDeadlineSeconds"] < 86400


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
    stub = tmp_path / "digit-job"
    stub.write_text('#!/bin/sh\necho "$@"\n')
    stub.chmod(0o755)
    command, (script,) = container("cronjob")["command"], container("cronjob")["args"]
    path = {"JOB_NAME": job_name, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run([*command, script], check=True, capture_output=True, text=True, env=path).stdout
    return re.fullmatch(r"score --output (\S+)\n", said)[1]


def test_the_nightly_folder_is_that_of_the_day_it_was_due(tmp_path):
    """However late, or how often, its pod starts: a CronJob's Job is named for the minute at which it was due."""
    due = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    assert output_of(f"digit-job-nightly-{int(due.timestamp()) // 60}", tmp_path) == "/output/2026-01-31"
    assert output_of("by-hand", tmp_path) == "/output/by-hand"


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
