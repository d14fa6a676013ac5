# SPDX-License-Identifier: Apache-2.0
"""One line of the log, in the two formats of logrus, a logging library of Go.

Text is `time="..." level=error msg="..."`; JSON has the same three keys, in alphabetical
order.  The time is RFC 3339 with the local offset and whole seconds.
"""

import time
from _json import encode_basestring

BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+")


def json_record(level: str, message: str) -> str:
    """Make a JSON object and a newline."""
    return f'{{"level":"{level}","msg":{encode_basestring(message)},"time":"{_now()}"}}\n'


def text_record(level: str, message: str) -> str:
    """Make words of the form key=value and a newline."""
    text = message if BARE.issuperset(message) else encode_basestring(message)
    return f'time="{_now()}" level={level} msg={text}\n'


def _now() -> str:
    now = time.localtime()
    minutes = now.tm_gmtoff // 60
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "Z"
    return (
        f"{now.tm_year:04}-{now.tm_mon:02}-{now.tm_mday:02}"
        f"T{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}{zone}"
    )
