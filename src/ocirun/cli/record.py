# SPDX-License-Identifier: Apache-2.0
"""One line of the log, in the two formats of logrus, a logging library of Go.

Text is `time="..." level=error msg="..."`; JSON has the same three keys, in alphabetical
order.  The time is RFC 3339 with the local offset and whole seconds.
With --debug a record also says where in our code it was made.
"""

import time
from _json import encode_basestring as _quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    Place = tuple[str, str]

BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+")


def json_record(level: str, message: str, place: "Place | None" = None) -> str:
    """Make a JSON object and a newline."""
    where = f'"file":{_quote(place[0])},"func":{_quote(place[1])},' if place else ""
    return f'{{{where}"level":"{level}","msg":{_quote(message)},"time":"{_now()}"}}\n'


def text_record(level: str, message: str, place: "Place | None" = None) -> str:
    """Make words of the form key=value and a newline."""
    text = message if BARE.issuperset(message) else _quote(message)
    where = f" func={_quote(place[1])} file={_quote(place[0])}" if place else ""
    return f'time="{_now()}" level={level} msg={text}{where}\n'


def place_of(frame: "FrameType") -> "Place":
    """Name the place that a frame is at: FILE:LINE, FUNCTION()."""
    code = frame.f_code
    file = "/".join(code.co_filename.rsplit("/", 2)[-2:])
    return f"{file}:{frame.f_lineno}", f"{code.co_name}()"


def _now() -> str:
    now = time.localtime()
    minutes = now.tm_gmtoff // 60
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "Z"
    return (
        f"{now.tm_year:04}-{now.tm_mon:02}-{now.tm_mday:02}"
        f"T{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}{zone}"
    )
