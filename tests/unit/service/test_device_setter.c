/* The device setter: TensorFlow's own cases, and where its versions differ. */
#include "service/device/setter.h"
#include "store/base/scope.h"
#include "tests/unit/store/store_fixture.h"

static struct device_setter_args
args_of(const char *jobs)
{
    struct device_setter_args args = device_setter_args_default();
    struct err err = ERR_INIT;
    struct bytes entry, name;
    const char *rest = jobs;

    while (device_setter_next(&rest, &entry)) {
        uint32_t tasks = device_setter_job(entry, &name);

        WORKS(device_setter_add_job(&args, name, tasks, &err), &err);
    }
    args.has_cluster = jobs[0] != '\0';
    return args;
}

static struct device_setter_args
usual(void)
{
    return args_of("ps=2,worker=3");
}

static uint32_t
tasks_of(const struct device_setter_args *args)
{
    struct err err = ERR_INIT;
    uint32_t tasks = 0;

    WORKS(device_setter_tasks(args, 0, &tasks, &err), &err);
    return tasks;
}

static enum err_code
choose(const struct device_setter_args *args, struct device_setter_state *state, const char *type,
       const char *own, struct tensor_type tensor, char *out, struct err *err)
{
    struct device_spec inner, device;
    struct device_setter_op op = {type, &inner, &tensor, tensor.dtype != DTYPE_UNSET};
    bool drawn = false;

    TRY(device_spec_parse(own, &inner, err));
    TRY(device_setter_choose(args, tasks_of(args), state, &op, &device, &drawn, err));
    (void)device_spec_print(&device, out);
    return OK;
}

/* One row: the op, its own device, what comes out. */
struct row {
    const char *type, *own, *expected;
};

static void
run(const struct device_setter_args *args, const struct row *rows, size_t count)
{
    struct device_setter_state state = {.next = 0};
    struct tensor_type pair = {.dtype = DTYPE_INT32, .shape = {.rank = 1, .dims = {2}}};
    char text[DEVICE_TEXT_BYTES_MAX + 1];

    for (size_t i = 0; i < count; i++) {
        struct err err = ERR_INIT;

        WORKS(choose(args, &state, rows[i].type, rows[i].own, pair, text, &err), &err);
        if (strcmp(text, rows[i].expected) != 0)
            fail_msg("row %zu: %s in '%s' goes to '%s', not '%s'", i, rows[i].type, rows[i].own,
                     text, rows[i].expected);
    }
}
#define RUN(args, rows) run(args, rows, sizeof(rows) / sizeof *(rows))

static void
scopes_inside_win_by_field(void **state)
{
    const struct row rows[] = {
        {"VariableV2", "/cpu:0", "/job:ps/task:0/device:CPU:0"},
        {"VariableV2", "", "/job:ps/task:1"},
        {"Add", "/cpu:0", "/job:worker/device:CPU:0"},
        {"VariableV2", "/job:ps/task:7", "/job:ps/task:7"},
        {"Variable", "", "/job:ps/task:1"},
        {"Const", "/job:moon", "/job:moon"},
    };
    struct device_setter_args args = usual();

    (void)state;
    RUN(&args, rows);
}

static void
a_ps_device_may_say_more_and_its_task_is_drawn(void **state)
{
    const struct row rows[] = {
        {"VariableV2", "", "/job:moon/task:0/device:CPU:0"},
        {"VariableV2", "", "/job:moon/task:1/device:CPU:0"},
        {"Add", "", "/job:sun"},
    };
    struct device_setter_args args = args_of("sun=3,moon=2");

    (void)state;
    snprintf(args.ps_device, sizeof args.ps_device, "%s", "/job:moon/task:5/device:CPU:0");
    snprintf(args.worker_device, sizeof args.worker_device, "%s", "/job:sun");
    assert_int_equal(tasks_of(&args), 2);
    RUN(&args, rows);
}

static void
versions_differ_about_ops_of_another_job(void **state)
{
    const struct row first[] = {
        {"VariableV2", "", "/job:ps/task:0"},
        {"VariableV2", "/job:moon", "/job:moon/task:1"},
        {"VariableV2", "/job:ps", "/job:ps/task:0"},
        {"VarHandleOp", "", "/job:worker"},
    };
    const struct row later[] = {
        {"VariableV2", "", "/job:ps/task:0"},        {"VariableV2", "/job:moon", "/job:moon"},
        {"VariableV2", "/job:ps", "/job:ps/task:1"}, {"VarHandleOp", "", "/job:ps/task:0"},
        {"VariableV2", "/job:", "/job:/task:1"}, /* a job without a name is none */
        {"VariableV2", "", "/job:ps/task:0"},
    };
    const struct row nameless[] = {{"VariableV2", "", "/job:"}};
    struct device_setter_args args = usual();

    (void)state;
    RUN(&args, first);
    args.version = DEVICE_SETTER_1_15;
    RUN(&args, later);
    args.has_cluster = false;
    args.has_ps_tasks = true;
    args.ps_tasks = 2;
    snprintf(args.ps_device, sizeof args.ps_device, "%s", "/job:");
    RUN(&args, nameless);
}

static void
versions_differ_about_a_ps_device_without_a_job(void **state)
{
    const struct row first[] = {
        {"VariableV2", "", "/task:0/device:CPU:0"},
        {"VariableV2", "/job:moon", "/job:moon/task:0/device:CPU:0"},
    };
    const struct row later[] = {
        {"VariableV2", "", "/device:CPU:0"},
        {"VariableV2", "/job:moon", "/job:moon/device:CPU:0"},
        {"Add", "", "/job:worker"},
    };
    struct device_setter_args args = device_setter_args_default();

    (void)state;
    args.has_ps_tasks = true;
    args.ps_tasks = 1;
    snprintf(args.ps_device, sizeof args.ps_device, "%s", "/device:CPU:0");
    RUN(&args, first);
    args.version = DEVICE_SETTER_1_15;
    RUN(&args, later);
}

static void
without_merging_a_device_of_its_own_stays_and_draws_nothing(void **state)
{
    const struct row rows[] = {
        {"VariableV2", "", "/job:ps/task:0"}, {"VariableV2", "/job:ps", "/job:ps"},
        {"VariableV2", "", "/job:ps/task:1"}, {"Add", "", "/job:worker"},
        {"Add", "/cpu:0", "/device:CPU:0"},
    };
    struct device_setter_args args = usual();

    (void)state;
    args.merge_devices = false;
    RUN(&args, rows);
}

static void
without_tasks_nothing_is_placed(void **state)
{
    const struct row rows[] = {
        {"VariableV2", "", ""},
        {"VariableV2", "/cpu:1", "/device:CPU:1"},
        {"Add", "", ""},
    };
    struct device_setter_args none = device_setter_args_default(), other = args_of("worker=3");

    (void)state;
    none.has_ps_tasks = true;
    RUN(&none, rows);
    other.has_ps_tasks = true;
    other.ps_tasks = 4; /* the cluster says otherwise */
    RUN(&other, rows);
    other.ps_device[0] = '\0';
    RUN(&other, rows);
}

static void
devices_may_be_empty_and_ps_ops_others(void **state)
{
    const struct row rows[] = {
        {"VariableV2", "", ""},
        {"Queue", "", "/job:ps/task:0"},
        {"Queue", "/task:1", "/job:ps/task:1"},
        {"Barrier", "", "/job:ps/task:0"},
    };
    const struct row workers[] = {{"Queue", "", ""}, {"VariableV2", "/gpu:1", "/device:GPU:1"}};
    struct device_setter_args args = usual();
    struct err err = ERR_INIT;

    (void)state;
    WORKS(device_setter_add_op(&args, bytes_of_text("Queue"), &err), &err);
    WORKS(device_setter_add_op(&args, bytes_of_text("Barrier"), &err), &err);
    args.worker_device[0] = '\0';
    RUN(&args, rows);
    args.ps_device[0] = '\0';
    args.has_cluster = false;
    args.has_ps_tasks = true;
    args.ps_tasks = 2;
    RUN(&args, workers);
}

/* --- greedy -------------------------------------------------------------------------------- */

struct weight {
    enum dtype dtype;
    uint32_t rank;
    uint64_t dims[2];
    uint32_t task;
};

static void
weigh(const struct device_setter_args *args, const struct weight *weights, size_t count)
{
    struct device_setter_state state = {.next = 0};
    char text[DEVICE_TEXT_BYTES_MAX + 1], expected[64];

    for (size_t i = 0; i < count; i++) {
        const struct weight *w = &weights[i];
        struct tensor_type type = {.dtype = w->dtype,
                                   .shape = {.rank = w->rank, .dims = {w->dims[0], w->dims[1]}}};
        struct err err = ERR_INIT;

        snprintf(expected, sizeof expected, "/job:ps/task:%u", (unsigned)w->task);
        WORKS(choose(args, &state, "VariableV2", "", type, text, &err), &err);
        assert_string_equal(text, expected);
    }
}
#define WEIGH(args, weights) weigh(args, weights, sizeof(weights) / sizeof *(weights))

static void
the_least_loaded_task_is_next_and_the_first_of_several(void **state)
{
    const struct weight floats[] = {
        {DTYPE_FLOAT32, 2, {2, 2}, 0},
        {DTYPE_FLOAT32, 2, {2, 1}, 1},
        {DTYPE_FLOAT32, 2, {2, 2}, 1},
        {DTYPE_FLOAT32, 2, {1, 3}, 0},
    };
    const struct weight mixed[] = {
        {DTYPE_FLOAT64, 1, {3}, 0},  {DTYPE_FLOAT32, 1, {3}, 1},
        {DTYPE_BOOL, 1, {20}, 1},    {DTYPE_INT64, 1, {1}, 0}, /* 32 each */
        {DTYPE_STRING, 0, {0}, 0},                             /* 8 */
        {DTYPE_FLOAT32, 1, {0}, 1},                            /* nothing */
        {DTYPE_FLOAT32, 1, {3}, 1},                            /* 40 | 44 */
        {DTYPE_BFLOAT16, 0, {0}, 0},
    };
    const struct weight alike[] = {
        {DTYPE_FLOAT32, 2, {2, 2}, 0},
        {DTYPE_FLOAT32, 2, {2, 1}, 1},
        {DTYPE_FLOAT32, 2, {2, 2}, 0},
        {DTYPE_FLOAT32, 2, {1, 3}, 1},
    };
    struct device_setter_args args = usual();

    (void)state;
    args.strategy = DEVICE_SETTER_GREEDY;
    WEIGH(&args, floats);
    WEIGH(&args, mixed);
    args.load = DEVICE_SETTER_OPS;
    WEIGH(&args, alike);
}

static void
what_has_no_shape_has_no_weight(void **state)
{
    struct device_setter_args args = usual();
    struct device_setter_state drawn = {.next = 0};
    struct tensor_type open = {.dtype = DTYPE_UNSET};
    char text[DEVICE_TEXT_BYTES_MAX + 1];
    struct err err = ERR_INIT;

    (void)state;
    WORKS(choose(&args, &drawn, "VariableV2", "", open, text, &err), &err);
    args.strategy = DEVICE_SETTER_GREEDY;
    FAILS(choose(&args, &drawn, "VariableV2", "", open, text, &err), ERR_INVALID_ARGUMENT, &err);
    WORKS(choose(&args, &drawn, "Add", "", open, text, &err), &err);
    args.load = DEVICE_SETTER_OPS;
    WORKS(choose(&args, &drawn, "VariableV2", "", open, text, &err), &err);
    assert_int_equal(drawn.loads[0], 1);
}

static void
fewer_tasks_are_chosen_from_and_more_again(void **state)
{
    struct device_setter_args args = device_setter_args_default();
    struct device_setter_state drawn = {.next = 3, .load_count = 3, .loads = {5, 4, 1}};
    struct tensor_type scalar = {.dtype = DTYPE_UINT8};
    char text[DEVICE_TEXT_BYTES_MAX + 1];
    struct err err = ERR_INIT;

    (void)state;
    args.has_ps_tasks = true;
    args.ps_tasks = 2;
    WORKS(choose(&args, &drawn, "Variable", "", scalar, text, &err), &err);
    assert_string_equal(text, "/job:ps/task:1");
    assert_int_equal(drawn.next, 0);
    args.strategy = DEVICE_SETTER_GREEDY;
    WORKS(choose(&args, &drawn, "Variable", "", scalar, text, &err), &err);
    assert_string_equal(text, "/job:ps/task:1");
    args.ps_tasks = 4;
    WORKS(choose(&args, &drawn, "Variable", "", scalar, text, &err), &err);
    assert_string_equal(text, "/job:ps/task:3");
    assert_int_equal(drawn.load_count, 4);
    WORKS(choose(&args, &drawn, "Variable", "", scalar, text, &err), &err);
    assert_string_equal(text, "/job:ps/task:2");
    for (uint32_t i = 0; i < 4; i++)
        drawn.loads[i] = INT64_MAX;
    WORKS(choose(&args, &drawn, "Variable", "", scalar, text, &err), &err);
    assert_true(drawn.loads[0] == INT64_MAX);
    drawn.loads[2] = UINT64_MAX - 1;
    drawn.loads[0] = drawn.loads[1] = drawn.loads[3] = UINT64_MAX;
    WORKS(choose(&args, &drawn, "Variable", "", scalar, text, &err), &err);
    assert_true(drawn.loads[2] == INT64_MAX);
}

/* --- arguments ----------------------------------------------------------------------------- */

static void
jobs_are_kept_by_name_and_ops_in_order(void **state)
{
    struct device_setter_args args = device_setter_args_default();
    struct err err = ERR_INIT;
    char name[DEVICE_SETTER_LIST_BYTES_MAX + 1];

    (void)state;
    WORKS(device_setter_add_job(&args, bytes_of_text("ps"), 2, &err), &err);
    WORKS(device_setter_add_job(&args, bytes_of_text("worker"), 0, &err), &err);
    WORKS(device_setter_add_job(&args, bytes_of_text("chief"), 1, &err), &err);
    WORKS(device_setter_add_job(&args, bytes_of_text("sun"), 1024, &err), &err);
    assert_string_equal(args.cluster, "chief=1,ps=2,sun=1024,worker=0");
    FAILS(device_setter_add_job(&args, bytes_of_text("ps"), 1, &err), ERR_INVALID_ARGUMENT, &err);
    FAILS(device_setter_add_job(&args, bytes_of_text("a,b"), 1, &err), ERR_INVALID_ARGUMENT, &err);
    FAILS(device_setter_add_job(&args, bytes_of_text(""), 1, &err), ERR_INVALID_ARGUMENT, &err);
    FAILS(device_setter_add_job(&args, bytes_of_text("x"), 1025, &err), ERR_INVALID_ARGUMENT, &err);
    WORKS(device_setter_add_op(&args, bytes_of_text("B"), &err), &err);
    WORKS(device_setter_add_op(&args, bytes_of_text("A"), &err), &err);
    assert_string_equal(args.ps_ops, "B,A");
    FAILS(device_setter_add_op(&args, bytes_of_text("A="), &err), ERR_INVALID_ARGUMENT, &err);
    memset(name, 'o', DEVICE_SETTER_OP_BYTES_MAX + 1);
    name[DEVICE_SETTER_OP_BYTES_MAX + 1] = '\0';
    FAILS(device_setter_add_op(&args, bytes_of_text(name), &err), ERR_INVALID_ARGUMENT, &err);
    name[DEVICE_SETTER_OP_BYTES_MAX] = '\0';
    for (int i = 0; i < 15; i++)
        WORKS(device_setter_add_op(&args, bytes_of_text(name), &err), &err);
    FAILS(device_setter_add_op(&args, bytes_of_text(name), &err), ERR_INVALID_ARGUMENT, &err);
}

static void
arguments_differ_by_one_that_is_named(void **state)
{
    struct device_setter_args a = usual(), b = usual();
    char of_a[DEVICE_SETTER_LIST_BYTES_MAX + 1], of_b[DEVICE_SETTER_LIST_BYTES_MAX + 1];
    struct err err = ERR_INIT;

    (void)state;
    assert_null(device_setter_args_differ(&a, &b, of_a, of_b));
    WORKS(device_setter_add_op(&b, bytes_of_text("Variable"), &err), &err);
    WORKS(device_setter_add_op(&b, bytes_of_text("VariableV2"), &err), &err);
    assert_null(device_setter_args_differ(&a, &b, of_a, of_b)); /* that is the default */
    b.has_ps_tasks = true;
    assert_string_equal(device_setter_args_differ(&a, &b, of_a, of_b), "ps_tasks");
    assert_string_equal(of_a, "none");
    assert_string_equal(of_b, "0");
    b.strategy = DEVICE_SETTER_GREEDY;
    assert_string_equal(device_setter_args_differ(&a, &b, of_a, of_b), "strategy");
    b = a;
    b.worker_device[0] = '\0';
    assert_string_equal(device_setter_args_differ(&a, &b, of_a, of_b), "worker_device");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_inside_win_by_field),
        cmocka_unit_test(a_ps_device_may_say_more_and_its_task_is_drawn),
        cmocka_unit_test(versions_differ_about_ops_of_another_job),
        cmocka_unit_test(versions_differ_about_a_ps_device_without_a_job),
        cmocka_unit_test(without_merging_a_device_of_its_own_stays_and_draws_nothing),
        cmocka_unit_test(without_tasks_nothing_is_placed),
        cmocka_unit_test(devices_may_be_empty_and_ps_ops_others),
        cmocka_unit_test(the_least_loaded_task_is_next_and_the_first_of_several),
        cmocka_unit_test(what_has_no_shape_has_no_weight),
        cmocka_unit_test(fewer_tasks_are_chosen_from_and_more_again),
        cmocka_unit_test(jobs_are_kept_by_name_and_ops_in_order),
        cmocka_unit_test(arguments_differ_by_one_that_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
