/* Locks keep threads apart and abort on misuse; conditions wake, and time out when nobody does.
 * Misuse is tried in child processes. */
#include "store/base/lock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/clock.h"

enum { THREADS = 4, ROUNDS = 5000, TSAN_EXIT_CODE = 66 };

struct shared {
    struct lock lock;
    struct condition changed;
    uint64_t count;
    int waiting;
    bool open;
};

static void
shared_init(struct shared *s)
{
    *s = (struct shared){0};
    lock_init(&s->lock);
    condition_init(&s->changed);
}

static void
shared_drop(struct shared *s)
{
    condition_drop(&s->changed);
    lock_drop(&s->lock);
}

static void *
count_up(void *argument)
{
    struct shared *s = argument;

    for (int i = 0; i < ROUNDS; i++) {
        lock_acquire(&s->lock);
        lock_check_held(&s->lock);
        s->count++;
        lock_release(&s->lock);
    }
    return NULL;
}

static void
threads_do_not_lose_counts(void **state)
{
    struct shared s;
    pthread_t threads[THREADS];

    (void)state;
    shared_init(&s);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &s), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(s.count, THREADS * ROUNDS);
    shared_drop(&s);
}

static void *
wait_until_open(void *argument)
{
    struct shared *s = argument;

    lock_acquire(&s->lock);
    s->waiting++;
    condition_broadcast(&s->changed);
    while (!s->open)
        condition_wait(&s->changed, &s->lock);
    lock_check_held(&s->lock);
    s->waiting--;
    lock_release(&s->lock);
    return NULL;
}

static void
a_broadcast_wakes_everybody(void **state)
{
    struct shared s;
    pthread_t threads[THREADS];

    (void)state;
    shared_init(&s);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_until_open, &s), 0);
    lock_acquire(&s.lock);
    while (s.waiting < THREADS)
        condition_wait(&s.changed, &s.lock);
    s.open = true;
    condition_broadcast(&s.changed);
    lock_release(&s.lock);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(s.waiting, 0);
    shared_drop(&s);
}

static void *
open_and_signal(void *argument)
{
    struct shared *s = argument;

    lock_acquire(&s->lock);
    s->open = true;
    condition_signal(&s->changed);
    lock_release(&s->lock);
    return NULL;
}

static void
a_signal_ends_a_wait_that_would_last_for_ever(void **state)
{
    struct shared s;
    pthread_t thread;

    (void)state;
    shared_init(&s);
    lock_acquire(&s.lock);
    assert_int_equal(pthread_create(&thread, NULL, open_and_signal, &s), 0);
    while (!s.open)
        (void)condition_wait_ms(&s.changed, &s.lock, UINT64_MAX);
    lock_release(&s.lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    shared_drop(&s);
}

static void
a_wait_without_a_signal_times_out_and_holds_the_lock_again(void **state)
{
    struct shared s;
    uint64_t before_us;

    (void)state;
    shared_init(&s);
    lock_acquire(&s.lock);
    before_us = clock_monotonic_us();
    while (condition_wait_ms(&s.changed, &s.lock, 5)) /* a wake without a cause is allowed */
        before_us = clock_monotonic_us();
    assert_true(clock_monotonic_us() - before_us >= 5000);
    lock_check_held(&s.lock);
    while (condition_wait_ms(&s.changed, &s.lock, 0))
        continue;
    lock_release(&s.lock);
    shared_drop(&s);
}

static void *
open_latch(void *argument)
{
    latch_open(argument);
    return NULL;
}

static void
a_latch_lets_through_who_waits_and_who_comes_later(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        struct latch latch;

        latch_init(&latch);
        assert_int_equal(pthread_create(&thread, NULL, open_latch, &latch), 0);
        if (i % 2 == 0)
            assert_int_equal(pthread_join(thread, NULL), 0);
        latch_wait(&latch);
        latch_drop(&latch);
        if (i % 2 != 0)
            assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

static void
the_clocks_agree_with_themselves(void **state)
{
    uint64_t last_us = clock_monotonic_us(), first_ms = clock_monotonic_ms();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now_us = clock_monotonic_us();

        assert_true(now_us >= last_us);
        last_us = now_us;
    }
    assert_true(clock_monotonic_ms() >= first_ms);
    assert_true(last_us / 1000 <= clock_monotonic_ms());
    assert_true(clock_wall_ms() > UINT64_C(1600000000000)); /* September 2020 */
}

/* --- misuse -------------------------------------------------------------------------------- */

static void
release_what_is_not_held(struct shared *s)
{
    lock_release(&s->lock);
}

static void
acquire_twice(struct shared *s)
{
    lock_acquire(&s->lock);
    lock_acquire(&s->lock);
}

static void
check_what_is_not_held(struct shared *s)
{
    lock_check_held(&s->lock);
}

static void
wait_without_the_lock(struct shared *s)
{
    (void)condition_wait_ms(&s->changed, &s->lock, 1);
}

static void
drop_while_held(struct shared *s)
{
    lock_acquire(&s->lock);
    lock_drop(&s->lock);
}

static void *
release_for_another(void *argument)
{
    release_what_is_not_held(argument);
    return NULL;
}

static void
release_from_another_thread(struct shared *s)
{
    pthread_t thread;

    lock_acquire(&s->lock);
    if (pthread_create(&thread, NULL, release_for_another, s) == 0)
        pthread_join(thread, NULL);
}

static void
assert_aborts(void (*misuse)(struct shared *))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct shared s;

        signal(SIGABRT, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(2);
        shared_init(&s);
        misuse(&s);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) /* ThreadSanitizer may see the misuse first and end the child its way */
        assert_int_equal(WEXITSTATUS(status), TSAN_EXIT_CODE);
    else
        assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
misuse_aborts(void **state)
{
    (void)state;
    assert_aborts(release_what_is_not_held);
    assert_aborts(acquire_twice);
    assert_aborts(check_what_is_not_held);
    assert_aborts(wait_without_the_lock);
    assert_aborts(drop_while_held);
    assert_aborts(release_from_another_thread);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misuse_aborts),
        cmocka_unit_test(threads_do_not_lose_counts),
        cmocka_unit_test(a_broadcast_wakes_everybody),
        cmocka_unit_test(a_signal_ends_a_wait_that_would_last_for_ever),
        cmocka_unit_test(a_wait_without_a_signal_times_out_and_holds_the_lock_again),
        cmocka_unit_test(a_latch_lets_through_who_waits_and_who_comes_later),
        cmocka_unit_test(the_clocks_agree_with_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
