/* The log, read back from standard error turned into a file. Repeats are held back by time, so
 * every test uses messages of its own. */
#include "store/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/clock.h"
#include "tests/support/unit.h"

enum { CAPTURED_BYTES_MAX = 1 << 20 };

static struct {
    int stderr_before, file;
    char text[CAPTURED_BYTES_MAX];
} captured;

static void
capture(void)
{
    char *directory = unit_temp_dir();
    char path[4096];

    snprintf(path, sizeof path, "%s/log", directory);
    captured.file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    captured.stderr_before = dup(STDERR_FILENO);
    unit_temp_dir_remove(directory);
    assert_true(captured.file >= 0 && captured.stderr_before >= 0);
    assert_int_equal(dup2(captured.file, STDERR_FILENO), STDERR_FILENO);
}

/* What was logged since capture(). Nothing is asserted while standard error is away. */
static const char *
release(void)
{
    ssize_t size = pread(captured.file, captured.text, sizeof captured.text - 1, 0);

    dup2(captured.stderr_before, STDERR_FILENO);
    close(captured.stderr_before);
    close(captured.file);
    captured.text[size < 0 ? 0 : size] = '\0';
    return captured.text;
}

static int
lines_of(const char *text)
{
    int lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void
assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text);
}

static void
a_message_is_one_json_line_with_time_and_level(void **state)
{
    const char *text;

    (void)state;
    capture();
    log_write(LOG_WARNING, "opened %s in %d ms", "store", 3);
    text = release();
    assert_int_equal(lines_of(text), 1);
    assert_holds(text, "{\"time\":\"20");
    assert_holds(text, "Z\",\"level\":\"warning\",\"message\":\"opened store in 3 ms\"}\n");
    assert_int_equal(strlen("{\"time\":\"2026-01-02T03:04:05.678Z\""), strcspn(text, ","));
}

static void
levels_below_the_wanted_one_are_dropped(void **state)
{
    const char *text;

    (void)state;
    capture();
    log_write(LOG_DEBUG, "level one");
    log_write(LOG_INFO, "level two");
    log_set_level(LOG_ERROR);
    log_write(LOG_WARNING, "level three");
    log_write(LOG_ERROR, "level four");
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, "level five");
    log_set_level(LOG_INFO);
    text = release();
    assert_int_equal(lines_of(text), 3);
    assert_holds(text, "\"info\",\"message\":\"level two\"");
    assert_holds(text, "\"error\",\"message\":\"level four\"");
    assert_holds(text, "\"debug\",\"message\":\"level five\"");
}

static void
control_characters_and_quotes_are_escaped(void **state)
{
    const char *text;

    (void)state;
    capture();
    log_write(LOG_INFO, "a\"b\\c\nd\re\tf\x1b[31mg\x7fh\xc2\x9bi");
    text = release();
    assert_int_equal(lines_of(text), 1);
    assert_holds(text, "a\\\"b\\\\c\\u000ad\\u000de\\u0009f\\u001b[31mg\\u007fh\\u009bi");
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\r'));
}

static void
good_utf8_passes_and_bad_bytes_are_replaced(void **state)
{
    const char *text;

    (void)state;
    capture();
    log_write(LOG_INFO, "good: \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80.");
    log_write(LOG_INFO, "lone: \x80 \xff \xc3.");
    log_write(LOG_INFO, "long: \xc0\xaf \xe0\x80\xaf.");
    log_write(LOG_INFO, "surrogate: \xed\xa0\x80.");
    log_write(LOG_INFO, "beyond: \xf4\x90\x80\x80 \xf5.");
    log_write(LOG_INFO, "cut: \xf0\x9f\x98");
    text = release();
    assert_int_equal(lines_of(text), 6);
    assert_holds(text, "good: \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80.");
    assert_holds(text, "lone: \\ufffd \\ufffd \\ufffd.");
    assert_holds(text, "long: \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd.");
    assert_holds(text, "surrogate: \\ufffd\\ufffd\\ufffd.");
    assert_holds(text, "beyond: \\ufffd\\ufffd\\ufffd\\ufffd \\ufffd.");
    assert_holds(text, "cut: \\ufffd\\ufffd\\ufffd\"");
}

static void
a_long_message_is_cut_to_a_whole_line(void **state)
{
    static char quotes[100001];
    const char *text;
    size_t size;

    (void)state;
    memset(quotes, '\x01', sizeof quotes - 1);
    capture();
    log_write(LOG_INFO, "%s", quotes);
    text = release();
    size = strlen(text);
    assert_int_equal(lines_of(text), 1);
    assert_true(size > 1000 && size < 16384);
    assert_string_equal(text + size - strlen("\\u0001...\"}\n"), "\\u0001...\"}\n");
}

static void
a_failure_at_its_longest_is_still_a_whole_line(void **state)
{
    static char name[2000];
    struct err err = ERR_INIT;
    const char *text;

    (void)state;
    memset(name, '\x02', sizeof name - 1);
    (void)err_set(&err, ERR_DATA_LOSS, "%s", name);
    err_about(&err, "variable", name);
    capture();
    log_failure(name, &err);
    text = release();
    assert_int_equal(lines_of(text), 1);
    assert_holds(text, "\"about_kind\":\"variable\",\"about\":\"\\u0002");
    assert_string_equal(text + strlen(text) - strlen("\\u0002\"}\n"), "\\u0002\"}\n");
}

static void
a_failure_tells_code_and_place(void **state)
{
    struct err err = ERR_INIT;
    const char *text;

    (void)state;
    (void)err_set(&err, ERR_FULL, "the disk is full");
    capture();
    log_failure("saving 'm'", &err);
    text = release();
    assert_int_equal(lines_of(text), 1);
    assert_holds(text, "\"level\":\"error\",\"message\":\"saving 'm': the disk is full\"");
    assert_holds(text, "\"code\":\"RESOURCE_EXHAUSTED\",\"where\":\"tests/unit/base/test_log.c:");
}

/* Twice a message within the second, and once after it. Begins anew when the machine was so slow
 * that the second was over before both were written. */
static void
a_repeated_message_is_held_back_and_counted(void **state)
{
    char message[64] = "";
    const char *text = "";
    uint64_t before_ms, after_ms;

    (void)state;
    for (int attempt = 0;; attempt++) {
        assert_true(attempt < 20);
        snprintf(message, sizeof message, "again, attempt %d", attempt);
        capture();
        before_ms = clock_monotonic_ms();
        for (int i = 0; i < 5; i++)
            log_write(LOG_INFO, "%s", message);
        after_ms = clock_monotonic_ms();
        text = release();
        if (after_ms - before_ms < 1000)
            break;
    }
    assert_int_equal(lines_of(text), 1);
    while (clock_monotonic_ms() - after_ms <= 1000)
        usleep(20000);
    capture();
    log_write(LOG_INFO, "%s", message);
    text = release();
    assert_int_equal(lines_of(text), 1);
    assert_holds(text, message);
    assert_holds(text, ",\"repeated\":4}\n");
}

static void
different_messages_and_levels_are_not_repeats(void **state)
{
    const char *text;

    (void)state;
    capture();
    log_write(LOG_INFO, "same words");
    log_write(LOG_WARNING, "same words");
    log_write(LOG_INFO, "same words.");
    text = release();
    assert_int_equal(lines_of(text), 3);
}

static void
a_ready_line_is_written_as_it_is_every_time(void **state)
{
    const char *text;

    (void)state;
    capture();
    log_line("{\"status\":200}");
    log_line("{\"status\":200}");
    text = release();
    assert_string_equal(text, "{\"status\":200}\n{\"status\":200}\n");
}

static void *
write_many(void *argument)
{
    for (int i = 0; i < 500; i++)
        log_line(argument);
    return NULL;
}

static void
lines_of_several_threads_stay_whole(void **state)
{
    static char a[3001], b[3001];
    pthread_t threads[2];
    const char *text, *end;
    int lines = 0;

    (void)state;
    memset(a, 'a', 100);
    memset(b, 'b', 400);
    capture();
    assert_int_equal(pthread_create(&threads[0], NULL, write_many, a), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, write_many, b), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    for (text = release(); (end = strchr(text, '\n')) != NULL; text = end + 1, lines++)
        assert_int_equal(strspn(text, *text == 'a' ? "a" : "b"), *text == 'a' ? 100 : 400);
    assert_int_equal(lines, 1000);
}

static void
a_closed_standard_error_is_survived(void **state)
{
    int before = dup(STDERR_FILENO);

    (void)state;
    close(STDERR_FILENO);
    log_write(LOG_ERROR, "into the void");
    log_line("{}");
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_json_line_with_time_and_level),
        cmocka_unit_test(levels_below_the_wanted_one_are_dropped),
        cmocka_unit_test(control_characters_and_quotes_are_escaped),
        cmocka_unit_test(good_utf8_passes_and_bad_bytes_are_replaced),
        cmocka_unit_test(a_long_message_is_cut_to_a_whole_line),
        cmocka_unit_test(a_failure_at_its_longest_is_still_a_whole_line),
        cmocka_unit_test(a_failure_tells_code_and_place),
        cmocka_unit_test(a_repeated_message_is_held_back_and_counted),
        cmocka_unit_test(different_messages_and_levels_are_not_repeats),
        cmocka_unit_test(a_ready_line_is_written_as_it_is_every_time),
        cmocka_unit_test(lines_of_several_threads_stay_whole),
        cmocka_unit_test(a_closed_standard_error_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
