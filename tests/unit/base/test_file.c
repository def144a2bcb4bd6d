/* Writing all there is, whatever one call of the system takes. */
#include "store/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { ALL_BYTES = 1 << 20 };

static void *
write_pattern(void *context)
{
    uint8_t *bytes = malloc(ALL_BYTES);
    bool whole;

    for (size_t i = 0; i < ALL_BYTES; i++)
        bytes[i] = (uint8_t)(i % 251);
    whole = file_write_all(*(int *)context, bytes_of(bytes, ALL_BYTES));
    free(bytes);
    close(*(int *)context);
    return whole ? context : NULL;
}

static void
on_signal(int number)
{
    (void)number;
}

static void
signals_in_between_lose_nothing(void **state)
{
    const struct sigaction action = {.sa_handler = on_signal};
    int ends[2];
    size_t at = 0;
    pthread_t writer;
    void *whole;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_pattern, &ends[1]), 0);
    for (;;) {
        uint8_t piece[4099];
        ssize_t got = read(ends[0], piece, sizeof piece);

        assert_true(got >= 0);
        if (got == 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(piece[i], (at + (size_t)i) % 251);
        at += (size_t)got;
        (void)pthread_kill(writer, SIGUSR1);
    }
    assert_int_equal(pthread_join(writer, &whole), 0);
    assert_non_null(whole);
    assert_int_equal(at, ALL_BYTES);
    close(ends[0]);
}

static void
why_it_does_not_go_is_told(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(full >= 0);
    assert_true(file_write_all(full, bytes_of("", 0)));
    errno = 0;
    assert_false(file_write_all(full, bytes_of("x", 1)));
    assert_int_equal(errno, ENOSPC);
    close(full);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_in_between_lose_nothing),
        cmocka_unit_test(why_it_does_not_go_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
