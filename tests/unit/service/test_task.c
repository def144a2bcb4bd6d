/* Devices of a cluster, the places of its tasks, and what is counted for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "service/device/cluster_devices.h"
#include "service/placement/task.h"
#include "store/base/alloc.h"

enum { DEVICES_MAX = 4096 };

static const struct cluster_limits limits = {32, 1024};

struct world {
    struct cluster cluster;
    struct device_set devices;
    struct task_table table;
};

static void
world_open(struct world *w, const char *text, uint32_t cpus)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(cluster_parse(text, &limits, &w->cluster, NULL), OK);
    assert_int_equal(cluster_devices(&w->cluster, cpus, DEVICES_MAX, &w->devices, NULL), OK);
    assert_int_equal(task_table_open(&w->table, &w->cluster, &w->devices, NULL), OK);
}

static void
world_drop(struct world *w)
{
    task_table_drop(&w->table);
    device_set_drop(&w->devices);
    cluster_drop(&w->cluster);
}

static void
every_task_has_its_devices_by_name(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, "worker=1,ps=11", 2);
    assert_int_equal(w.devices.count, 24);
    assert_string_equal(w.devices.devices[0].name, "/job:ps/replica:0/task:0/cpu:0");
    assert_string_equal(w.devices.devices[1].name, "/job:ps/replica:0/task:0/cpu:1");
    assert_string_equal(w.devices.devices[4].name, "/job:ps/replica:0/task:10/cpu:0");
    assert_string_equal(w.devices.devices[23].name, "/job:worker/replica:0/task:0/cpu:1");
    assert_int_equal(w.table.of_devices[4], 10);
    assert_int_equal(w.table.of_devices[23], 11);
    world_drop(&w);
}

static void
there_are_so_many_devices_and_no_more(void **state)
{
    struct cluster cluster;
    struct device_set set = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(cluster_parse("ps=64", &limits, &cluster, NULL), OK);
    assert_int_equal(cluster_devices(&cluster, 64, DEVICES_MAX, &set, NULL), OK);
    assert_int_equal(set.count, DEVICES_MAX);
    device_set_drop(&set);
    cluster_drop(&cluster);
    assert_int_equal(cluster_parse("ps=65", &limits, &cluster, NULL), OK);
    assert_int_equal(cluster_devices(&cluster, 64, DEVICES_MAX, &set, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "4160 devices, at most 4096"));
    cluster_drop(&cluster);
}

static void
a_device_is_of_the_task_that_it_names_or_the_first_that_fits(void **state)
{
    static const struct {
        const char *device;
        uint32_t place;
    } cases[] = {
        {"", 0}, /* ps 0 to 11, worker 12 and 13, nowhere 14 */
        {"/job:ps/task:7", 7},
        {"/job:ps/task:7/device:CPU:0", 7},
        {"/job:ps/task:7/device:GPU:3", 7},
        {"/job:ps/replica:0/task:7/cpu:0", 7},
        {"/job:worker", 12},
        {"/job:worker/task:1", 13},
        {"/task:1", 1},
        {"/device:CPU:0", 0},
        {"/device:GPU:*", 0},
        {"/job:*/task:1", 1},
        {"/job:ps/task:12", 14},
        {"/job:ps/replica:1", 14},
        {"/job:ps/replica:1/task:0", 14},
        {"/job:moon", 14},
        {"/job:moon/task:0", 14},
        {"/task:99", 14},
        {"/job:ps/task:-1", 14},
        {"not a device", 14},
    };
    struct world w;
    struct task_memo memo = {0};

    (void)state;
    world_open(&w, "ps=12,worker=2", 1);
    assert_int_equal(task_memo_open(&memo, NULL), OK);
    for (int again = 0; again < 2; again++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            if (task_find(&w.table, &memo, cases[i].device)->place != cases[i].place)
                fail_msg("'%s' is at %u", cases[i].device,
                         (unsigned)task_find(&w.table, &memo, cases[i].device)->place);
    task_memo_drop(&memo);
    world_drop(&w);
}

static void
what_is_on_none_names_the_task(void **state)
{
    static const struct {
        const char *device, *missing;
    } cases[] = {
        {"/job:ps/task:1/device:CPU:0", ""},
        {"/job:ps/task:2/device:CPU:0", "/job:ps/task:2"},
        {"/job:ps/replica:1/device:GPU:*", "/job:ps/replica:1"},
        {"not a device", "not a device"},
    };
    char longest[RECORD_DEVICE_BYTES_MAX + 1] = {0};
    struct world w;

    (void)state;
    world_open(&w, "ps=2", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(task_find(&w.table, &w.table.memo, cases[i].device)->missing,
                            cases[i].missing);
    memset(longest, 'x', RECORD_DEVICE_BYTES_MAX);
    assert_string_equal(task_find(&w.table, &w.table.memo, longest)->missing, longest);
    world_drop(&w);
}

/* More texts than are remembered. */
static void
devices_drive_each_other_out_and_are_found_again(void **state)
{
    char device[64];
    struct world w;

    (void)state;
    world_open(&w, "ps=1000", 1);
    for (uint32_t i = 0; i < 3 * TASK_MEMO_SPOTS; i++) {
        snprintf(device, sizeof device, "/job:ps/task:%u/device:CPU:%u", (unsigned)(i % 1000),
                 (unsigned)i);
        assert_int_equal(task_find(&w.table, &w.table.memo, device)->place, i % 1000);
    }
    world_drop(&w);
}

static void
what_a_unit_does_is_counted_once_for_each_task(void **state)
{
    struct task_tally tally = {.count = 0}, nothing = {.count = 0};
    struct world w;
    size_t nowhere;

    (void)state;
    world_open(&w, "ps=300", 1);
    nowhere = w.cluster.task_count;
    task_begin(&w.table);
    task_note(&w.table, "/job:ps/task:2", 1000); /* of a unit that fails */
    task_begin(&w.table);
    task_note(&w.table, "/job:ps/task:2", 100);
    task_note(&w.table, "/job:ps/task:2", 0);
    task_note(&w.table, "/job:ps/task:1/cpu:0", 10);
    task_note(&w.table, "/job:moon", 7);
    assert_int_equal(task_take(&w.table, &tally, NULL), OK);
    assert_null(tally.many);
    task_begin(&w.table); /* another unit, before this one is committed */
    task_note(&w.table, "", 1);
    assert_int_equal(w.table.counters[2].commits, 0);
    task_count(&w.table, &tally);
    task_count(&w.table, &nothing);
    assert_int_equal(w.table.counters[0].commits, 0);
    assert_int_equal(w.table.counters[1].commits, 1);
    assert_int_equal(w.table.counters[2].commits, 1);
    assert_int_equal(w.table.counters[2].written_bytes, 100);
    assert_int_equal(w.table.counters[nowhere].commits, 1);
    assert_int_equal(w.table.counters[nowhere].written_bytes, 7);
    task_tally_drop(&tally);
    world_drop(&w);
}

static void
a_unit_may_touch_every_task_and_run_again(void **state)
{
    struct task_tally tally = {.count = 0};
    char device[64];
    struct world w;

    (void)state;
    world_open(&w, "ps=300", 1);
    for (int again = 0; again < 3; again++) {
        task_begin(&w.table);
        for (int i = 0; i < (again == 2 ? 2 : 300); i++) {
            snprintf(device, sizeof device, "/job:ps/task:%d", i);
            task_note(&w.table, device, 3);
        }
        if (again == 1)
            (void)mem_fail_at(1, 0);
        assert_int_equal(task_take(&w.table, &tally, NULL), again == 1 ? ERR_NO_MEMORY : OK);
        (void)mem_fail_at(0, 0);
    }
    assert_null(tally.many);
    task_count(&w.table, &tally);
    assert_int_equal(w.table.counters[1].written_bytes, 3);
    assert_int_equal(w.table.counters[2].commits, 0);
    task_tally_drop(&tally);
    task_tally_drop(&tally);
    world_drop(&w);
}

static void
memory_that_is_short_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 16; nth++) {
        struct world w = {0};

        assert_int_equal(cluster_parse("ps=40", &limits, &w.cluster, NULL), OK);
        (void)mem_fail_at(nth, 0);
        if (cluster_devices(&w.cluster, 1, DEVICES_MAX, &w.devices, NULL) == OK &&
            task_table_open(&w.table, &w.cluster, &w.devices, NULL) == OK)
            assert_int_equal(task_find(&w.table, &w.table.memo, "/job:ps/task:39")->place, 39);
        (void)mem_fail_at(0, 0);
        world_drop(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_has_its_devices_by_name),
        cmocka_unit_test(there_are_so_many_devices_and_no_more),
        cmocka_unit_test(a_device_is_of_the_task_that_it_names_or_the_first_that_fits),
        cmocka_unit_test(what_is_on_none_names_the_task),
        cmocka_unit_test(devices_drive_each_other_out_and_are_found_again),
        cmocka_unit_test(what_a_unit_does_is_counted_once_for_each_task),
        cmocka_unit_test(a_unit_may_touch_every_task_and_run_again),
        cmocka_unit_test(memory_that_is_short_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
