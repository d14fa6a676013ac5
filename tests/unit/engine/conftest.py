# SPDX-License-Identifier: Apache-2.0
"""An empty plan, and a config to make one from."""

import pytest
from tests.unit.engine import planning

from ocirun.engine.wire import Plan
from ocirun.spec.model import Spec


@pytest.fixture
def plan() -> Plan:
    return Plan()


@pytest.fixture
def document() -> Spec:
    return planning.spec()
