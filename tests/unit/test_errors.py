import importlib
import pickle
import re

import pytest

from job import errors
from job._version import __version__
from job.errors import DigitJobError, UsageError, requires_extra

EXIT_CODES = {
    "UsageError": 2,
    "ModelFellShort": 3,
    "RunFellShort": 3,
    "DataError": 65,
    "LayoutError": 65,
    "TooManyRejects": 65,
    "NoInput": 66,
    "InternalError": 70,
    "OutputOccupied": 73,
    "StorageError": 74,
    "InputChanged": 74,
    "PartDamaged": 74,
    "ResourceExhausted": 75,
    "ModelInvalid": 78,
    "PromiseRefused": 78,
    "SettingsInvalid": 78,
    "Interrupted": 130,
    "Terminated": 143,
}


def _below(error):
    return [error, *[each for child in error.__subclasses__() for each in _below(child)]]


def _drawn():
    """(name, parent's name, exit code or None, can retry) per line of the tree in the docstring."""
    stack, rows = {}, []
    for line in errors.__doc__.splitlines():
        found = re.fullmatch(r"(?P<lead>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<code>\d+)? .*)?", line)
        if not found or (not found["lead"] and found["name"] != "DigitJobError"):
            continue
        indent = len(found["lead"])
        stack = {depth: name for depth, name in stack.items() if depth < indent} | {indent: found["name"]}
        parents = [stack[depth] for depth in sorted(stack) if depth < indent]
        code = int(found["code"]) if found["code"] else None
        rows.append((found["name"], parents[-1] if parents else "Exception", code, "a retry can help" in line))
    return rows


ERRORS = [each for each in _below(DigitJobError) if each.__module__ == "job.errors"]


def test_the_drawn_tree_has_every_class_below_its_base():
    """The docstring shows all classes of the module, each below its base class."""
    assert {(name, parent) for name, parent, _, _ in _drawn()} == {
        (each.__name__, each.__base__.__name__) for each in ERRORS
    }


@pytest.mark.parametrize(("name", "parent", "code", "can_retry"), _drawn())
def test_the_drawn_tree_has_the_exit_codes_and_retries(name, parent, code, can_retry):
    """What the docstring says of a class is what the class has."""
    error = getattr(errors, name)
    assert issubclass(error, getattr(errors, parent, Exception))
    if code is not None:
        assert error.exit_code == code
    if name != "DigitJobError":
        assert error.can_retry == (can_retry or getattr(errors, parent).can_retry)


@pytest.mark.parametrize(("name", "code"), EXIT_CODES.items())
def test_exit_codes(name, code):
    """Exit codes are part of the interface: those of sysexits.h, and 128 + the signal's number."""
    assert getattr(errors, name).exit_code == code


def test_every_error_that_is_raised_has_a_documented_exit_code():
    """Only the two abstract classes, the base and `Stopped`, have no exit code of their own."""
    assert {each.__name__ for each in ERRORS} - {"DigitJobError", "Stopped"} == set(EXIT_CODES)


@pytest.mark.parametrize("error", [each for each in ERRORS if each.can_retry])
def test_a_retry_is_offered_only_if_it_can_help(error):
    """Storage, resources and signals may be better next time; data, models and command lines stay as they are."""
    assert error.exit_code in {70, 74, 75, 130, 143}
    assert issubclass(error, (errors.StorageError, errors.ResourceExhausted, errors.Stopped))


@pytest.mark.parametrize("error", ERRORS)
def test_errors_survive_pickling(error):
    """An error keeps its class, message and exit code on its way from a worker process."""
    copy = pickle.loads(pickle.dumps(error("a.csv line 3: 783 values")))  # noqa: S301  # our own bytes
    assert type(copy) is error
    assert str(copy) == "a.csv line 3: 783 values"
    assert (copy.exit_code, copy.can_retry) == (error.exit_code, error.can_retry)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_its_own_docstring(error):
    """It says when the error is raised."""
    assert error.__doc__
    assert error.__doc__ != error.__base__.__doc__


def test_a_missing_library_becomes_the_name_of_an_extra():
    """The message says how to install it in a checkout and from a wheel, and which image has it."""
    with pytest.raises(UsageError) as error, requires_extra("train"):
        importlib.import_module("nothing_there")
    assert str(error.value) == (
        "this needs the train extra (nothing_there is not installed): pip install '.[train]' in a checkout, "
        f"pip install 'digit_job-{__version__}-py3-none-any.whl[train]' of a wheel; of the images, digit-job has it"
    )
