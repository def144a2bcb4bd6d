/* Clusters as TensorFlow's ClusterSpec has them in JSON, and the setting that is either form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "api/resource/cluster_json.h"
#include "store/base/alloc.h"

static const struct cluster_limits limits = {32, 1024};

static void
lists_dictionaries_and_counts_are_tasks(void **state)
{
    struct cluster c;

    (void)state;
    assert_int_equal(api_cluster_parse("{\"worker\": {\"12\": \"w12:1\", \"7\": \"w7:1\"}, "
                                       "\"ps\": [\"h0:2222\", \"h1:2222\"], \"chief\": 1}",
                                       &limits, &c, NULL),
                     OK);
    assert_int_equal(c.job_count, 3);
    assert_int_equal(c.task_count, 5);
    assert_string_equal(c.jobs[0].name, "chief");
    assert_string_equal(c.jobs[0].tasks[0].address, "");
    assert_string_equal(c.jobs[1].name, "ps");
    assert_string_equal(c.jobs[1].tasks[1].address, "h1:2222");
    assert_string_equal(c.jobs[2].name, "worker");
    assert_int_equal(c.jobs[2].tasks[0].number, 7);
    assert_string_equal(c.jobs[2].tasks[1].address, "w12:1");
    cluster_drop(&c);
}

static void
a_setting_is_json_or_a_text(void **state)
{
    struct cluster c;

    (void)state;
    assert_int_equal(api_cluster_parse("ps=2,worker=1", &limits, &c, NULL), OK);
    assert_int_equal(c.task_count, 3);
    cluster_drop(&c);
    assert_int_equal(api_cluster_parse("\n {\"ps\": [], \"worker\": 1}\n", &limits, &c, NULL), OK);
    assert_int_equal(c.job_count, 2);
    assert_int_equal(c.task_count, 1);
    cluster_drop(&c);
}

static void
wrong_clusters_are_refused_and_say_where(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "'' is not job=tasks"},
        {"{}", "there is no task"},
        {"{\"ps\": []}", "there is no task"},
        {"{\"ps\": 0}", "there is no task"},
        {"{\"ps\": {}}", "there is no task"},
        {"{\"ps\"", "JSON"},
        {"{\"ps\": 1} x", "JSON"},
        {"{\"ps\": 1, \"ps\": 1}", "ps"},
        {"{\"p\\u0000s\": 1}", "NUL"},
        {"{\"/ps\": 1}", "a job's name is a letter"},
        {"{\"\": 1}", "a job's name is a letter"},
        {"{\"ps\": null}", "The tasks for job 'ps' must be a list or a dictionary"},
        {"{\"ps\": \"h:1\"}", "The tasks for job 'ps' must be a list or a dictionary"},
        {"{\"ps\": true}", "The tasks for job 'ps' must be a list or a dictionary"},
        {"{\"ps\": [1]}", "field 'ps[0]'"},
        {"{\"ps\": [\"h:1\", null]}", "field 'ps[1]'"},
        {"{\"ps\": [[\"h:1\"]]}", "field 'ps[0]'"},
        {"{\"ps\": [{\"a\": \"h:1\"}]}", "field 'ps[0]'"},
        {"{\"ps\": {\"0\": 1}}", "field 'ps.0'"},
        {"{\"ps\": [\"\"]}", "the address of task 0 is empty"},
        {"{\"ps\": [\"h 1\"]}", "not 'h 1'"},
        {"{\"ps\": [\"h\\u0000\"]}", "zero character"},
        {"{\"ps\": {\"a\": \"h:1\"}}", "not 'a'"},
        {"{\"ps\": {\"\": \"h:1\"}}", "not ''"},
        {"{\"ps\": {\"-1\": \"h:1\"}}", "not '-1'"},
        {"{\"ps\": {\"01\": \"h:1\"}}", "not '01'"},
        {"{\"ps\": {\"2147483648\": \"h:1\"}}", "not 2147483648"},
        {"{\"ps\": {\"99999999999\": \"h:1\"}}", "not '99999999999'"},
        {"{\"ps\": -1}", "not -1"},
        {"{\"ps\": 1.5}", "integer"},
        {"{\"ps\": 1025}", "not 1025"},
        {"{\"ps\": 9223372036854775808}", "ps"},
        {"{\"ps\": 1000, \"worker\": 1000}", "at most 1024 tasks in all its jobs"},
        {"[1]", "'[1]' is not job=tasks"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct cluster c = {0};

        if (api_cluster_parse(cases[i].text, &limits, &c, &err) != ERR_INVALID_ARGUMENT ||
            strstr(err.text, cases[i].words) == NULL)
            fail_msg("'%s': %s", cases[i].text, err.text);
        assert_null(c.jobs);
    }
}

static void
memory_that_is_short_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 24; nth++) {
        struct cluster c = {0};

        (void)mem_fail_at(nth, 0);
        if (api_cluster_parse("{\"ps\": [\"a:1\", \"b:1\"], \"w\": {\"3\": \"c:1\"}}", &limits, &c,
                              NULL) == OK)
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
        cmocka_unit_test(lists_dictionaries_and_counts_are_tasks),
        cmocka_unit_test(a_setting_is_json_or_a_text),
        cmocka_unit_test(wrong_clusters_are_refused_and_say_where),
        cmocka_unit_test(memory_that_is_short_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
