/* Clusters as texts, and what neither text nor JSON may put into one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "service/device/cluster.h"

static const struct cluster_limits limits = {32, 1024};
#include "store/base/alloc.h"

static void
texts_name_jobs_and_how_many_tasks_they_have(void **state)
{
    struct cluster c;
    const struct cluster_job *ps;

    (void)state;
    assert_int_equal(cluster_parse(" worker = 2 ,ps=3", &limits, &c, NULL), OK);
    assert_int_equal(c.job_count, 2);
    assert_int_equal(c.task_count, 5);
    assert_string_equal(c.jobs[0].name, "ps");
    assert_string_equal(c.jobs[1].name, "worker");
    ps = cluster_find_job(&c, bytes_of_text("ps"));
    assert_ptr_equal(ps, &c.jobs[0]);
    assert_int_equal(ps->task_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ps->tasks[i].number, i);
        assert_string_equal(ps->tasks[i].address, "");
    }
    assert_ptr_equal(cluster_find_task(ps, 2), &ps->tasks[2]);
    assert_null(cluster_find_task(ps, 3));
    assert_null(cluster_find_task(ps, -1));
    assert_null(cluster_find_task(ps, INT64_C(1) << 32));
    assert_null(cluster_find_job(&c, bytes_of_text("p")));
    cluster_drop(&c);
    cluster_drop(&c);
    assert_int_equal(cluster_local(&c, NULL), OK);
    assert_string_equal(c.jobs[0].name, "localhost");
    assert_int_equal(c.task_count, 1);
    cluster_drop(&c);
}

static void
wrong_texts_are_refused_and_say_where(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "'' is not job=tasks"},
        {"ps", "'ps' is not job=tasks"},
        {"4", "'4' is not job=tasks"},
        {"ps=4,", "'' is not job=tasks"},
        {",ps=4", "'' is not job=tasks"},
        {"ps=4;worker=2", "'4;worker=2'"},
        {"=4", "a job's name is a letter"},
        {"4ps=4", "not '4ps'"},
        {"_ps=4", "not '_ps'"},
        {"p s=4", "not 'p s'"},
        {"p\xc3\xbc=4", "a job's name is a letter"},
        {"ps/task=4", "not 'ps/task'"},
        {"ps=", "job 'ps' has 1 to 1024 tasks (cluster_tasks_max), not ''"},
        {"ps=0", "not '0'"},
        {"ps=-1", "not '-1'"},
        {"ps=+1", "not '+1'"},
        {"ps=1.5", "not '1.5'"},
        {"ps=1025", "not '1025'"},
        {"ps=18446744073709551617", "not '18446744073709551617'"},
        {"ps=1000,worker=1000", "at most 1024 tasks in all its jobs"},
        {"ps=1,ps=1", "job 'ps' is named twice"},
        {"a123456789012345678901234567890123456789012345678901234567890123=1", "63 at most"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct cluster c = {0};

        if (cluster_parse(cases[i].text, &limits, &c, &err) != ERR_INVALID_ARGUMENT ||
            strstr(err.text, cases[i].words) == NULL)
            fail_msg("'%s': %s", cases[i].text, err.text);
        assert_null(c.jobs);
    }
}

static void
a_cluster_has_so_many_jobs_and_no_more(void **state)
{
    struct cluster c = {.limits = limits};
    struct cluster_job *job = NULL;
    char name[16];

    (void)state;
    for (int i = 0; i < (int)limits.jobs_max; i++) {
        snprintf(name, sizeof name, "job%d", i);
        assert_int_equal(cluster_add_job(&c, bytes_of_text(name), &job, NULL), OK);
    }
    assert_int_equal(cluster_add_job(&c, bytes_of_text("one_more"), &job, NULL),
                     ERR_INVALID_ARGUMENT);
    cluster_drop(&c);
}

static void
tasks_have_numbers_and_addresses(void **state)
{
    static const char *const bad[] = {"a b", "a\n", "\x7f", "\xff", "a\"b", "a\\b"};
    char longest[CLUSTER_ADDRESS_BYTES_MAX + 2];
    struct cluster c = {.limits = limits};
    struct cluster_job *job = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(cluster_add_job(&c, bytes_of_text("ps"), &job, NULL), OK);
    assert_int_equal(cluster_add_task(&c, job, INT32_MAX, bytes_of_text("h:1"), NULL), OK);
    assert_int_equal(cluster_add_task(&c, job, 7, bytes_of_text("[::1]:2222"), NULL), OK);
    assert_int_equal(cluster_add_task(&c, job, 7, bytes_of_text("h:2"), &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "job 'ps': task 7 is there twice");
    assert_int_equal(cluster_add_task(&c, job, -1, bytes_of_text("h:2"), NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(cluster_add_task(&c, job, INT64_C(1) << 31, bytes_of_text("h:2"), NULL),
                     ERR_INVALID_ARGUMENT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cluster_add_task(&c, job, 1, bytes_of_text(bad[i]), NULL),
                         ERR_INVALID_ARGUMENT);
    memset(longest, 'h', sizeof longest);
    assert_int_equal(cluster_add_task(&c, job, 1, bytes_of(longest, sizeof longest - 1), NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(cluster_add_task(&c, job, 1, bytes_of(longest, sizeof longest - 2), NULL), OK);
    cluster_sort(&c);
    assert_int_equal(c.task_count, 3);
    assert_int_equal(c.jobs[0].tasks[0].number, 1);
    assert_string_equal(cluster_find_task(&c.jobs[0], 7)->address, "[::1]:2222");
    assert_int_equal(c.jobs[0].tasks[2].number, INT32_MAX);
    cluster_drop(&c);
}

static void
memory_that_is_short_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 4; nth++) {
        struct cluster c = {0};

        (void)mem_fail_at(nth, 0);
        if (cluster_parse("ps=20,worker=1", &limits, &c, NULL) == OK)
            cluster_drop(&c);
        else
            assert_null(c.jobs);
        (void)mem_fail_at(0, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_name_jobs_and_how_many_tasks_they_have),
        cmocka_unit_test(wrong_texts_are_refused_and_say_where),
        cmocka_unit_test(a_cluster_has_so_many_jobs_and_no_more),
        cmocka_unit_test(tasks_have_numbers_and_addresses),
        cmocka_unit_test(memory_that_is_short_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
