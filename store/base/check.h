/* Assertions against our own mistakes; never against input.
 * CHECK stays on in release builds: it logs and aborts, and copy-on-write makes a restart safe.
 * CHECK_SLOW is compiled in debug and sanitizer builds only. */
#ifndef STORE_BASE_CHECK_H
#define STORE_BASE_CHECK_H

#include "store/base/err.h"

_Noreturn void check_failed(const char *condition, const char *where);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(#condition, ERR_WHERE);                                                   \
    } while (0)

#ifdef NDEBUG
#define CHECK_SLOW(condition) ((void)0)
#else
#define CHECK_SLOW(condition) CHECK(condition)
#endif

#endif
