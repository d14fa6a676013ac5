# SPDX-License-Identifier: Apache-2.0
from signal import (
    ITIMER_REAL as ITIMER_REAL,
    SIG_BLOCK as SIG_BLOCK,
    SIG_DFL as SIG_DFL,
    SIG_IGN as SIG_IGN,
    SIG_SETMASK as SIG_SETMASK,
    SIG_UNBLOCK as SIG_UNBLOCK,
    getsignal as getsignal,
    pidfd_send_signal as pidfd_send_signal,
    pthread_sigmask as pthread_sigmask,
    set_wakeup_fd as set_wakeup_fd,
    setitimer as setitimer,
    signal as signal,
    sigwait as sigwait,
    sigwaitinfo as sigwaitinfo,
    strsignal as strsignal,
    valid_signals as valid_signals,
)
