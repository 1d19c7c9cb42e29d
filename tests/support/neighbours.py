"""Another user of the same machine, where the tests run as root and can become one."""

import os

import pytest

# Without an account: the number is enough.
OTHER_USER = 54_321

only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as a second user")
