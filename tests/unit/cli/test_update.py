# SPDX-License-Identifier: Apache-2.0
"""From the flags of `update` to the document that they stand for."""

import pytest

from ocirun.cli.commands import UPDATE
from ocirun.cli.flags import Options, parse
from ocirun.cli.update import from_flags
from ocirun.errors import UsageError


def document(*words: str) -> dict[str, object]:
    options = Options(UPDATE)
    assert parse(list(words), (options,), 0) == []
    return from_flags(options)


def test_nothing_given() -> None:
    assert document() == {}


def test_every_flag() -> None:
    words = (
        "--memory 1M --memory-reservation 512k --memory-swap -1 --kernel-memory 1"
        " --kernel-memory-tcp 2 --cpu-period 1000 --cpu-quota -1 --cpu-burst 0 --cpu-share 7"
        " --cpu-rt-period 3 --cpu-rt-runtime -4 --cpu-idle 1 --cpuset-cpus 0-1 --cpuset-mems 0"
        " --pids-limit 0 --blkio-weight 10"
    )
    assert document(*words.split()) == {
        "memory": {
            "limit": 1 << 20,
            "reservation": 512 << 10,
            "swap": -1,
            "kernel": 1,
            "kernelTCP": 2,
        },
        "cpu": {
            "period": 1000,
            "quota": -1,
            "burst": 0,
            "shares": 7,
            "realtimePeriod": 3,
            "realtimeRuntime": -4,
            "idle": 1,
            "cpus": "0-1",
            "mems": "0",
        },
        "pids": {"limit": 0},
        "blockIO": {"weight": 10},
    }


def test_an_empty_value_is_none() -> None:
    assert document("--memory=", "--cpu-share=", "--cpuset-cpus=", "--blkio-weight=0") == {}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--memory=x", "invalid value for memory: invalid size: 'x'"),
        ("--memory-swap=-2", "invalid value for memory-swap: invalid size"),
        ("--cpu-share=-1", 'invalid value for cpu-share: parsing "-1": invalid syntax'),
        ("--cpu-period=1ms", "invalid value for cpu-period"),
        ("--cpu-quota=1_0", "invalid value for cpu-quota"),
        ("--cpu-idle=0x1", "invalid value for cpu-idle"),
        ("--cpu-burst=99999999999999999999", "value out of range"),
        ("--cpu-quota=-99999999999999999999", "value out of range"),
        ("--cpu-share=" + "9" * 5000, "value out of range"),
    ],
)
def test_a_value_that_is_wrong(word: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        document(word)
    assert said in caught.value.message
