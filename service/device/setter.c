#include "service/device/setter.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const strategies[DEVICE_SETTER_STRATEGY_COUNT] = {
    [DEVICE_SETTER_ROUND_ROBIN] = "round_robin",
    [DEVICE_SETTER_GREEDY] = "greedy",
};
static const char *const loads[DEVICE_SETTER_LOAD_COUNT] = {
    [DEVICE_SETTER_BYTES] = "bytes",
    [DEVICE_SETTER_OPS] = "ops",
};
static const char *const versions[DEVICE_SETTER_VERSION_COUNT] = {
    [DEVICE_SETTER_1_0] = "1.0",
    [DEVICE_SETTER_1_15] = "1.15",
};
/* 1.15 counts everything that keeps state among what parameter servers are for. */
static const char *const ps_ops[DEVICE_SETTER_VERSION_COUNT] = {
    [DEVICE_SETTER_1_0] = "Variable,VariableV2",
    [DEVICE_SETTER_1_15] =
        "Variable,VariableV2,AutoReloadVariable,MutableHashTable,MutableHashTableV2,"
        "MutableHashTableOfTensors,MutableHashTableOfTensorsV2,MutableDenseHashTable,"
        "MutableDenseHashTableV2,VarHandleOp,BoostedTreesEnsembleResourceHandleOp,"
        "BoostedTreesQuantileStreamResourceHandleOp,ResourceConditionalAccumulator,"
        "DecisionTreeResource",
};

/* What TensorFlow takes an element of a string tensor for: a pointer of NumPy's. */
enum { STRING_ELEMENT_BYTES = 8 };

const char *
device_setter_strategy_name(enum device_setter_strategy strategy)
{
    return strategies[strategy];
}

const char *
device_setter_load_name(enum device_setter_load load)
{
    return loads[load];
}

const char *
device_setter_version_name(enum device_setter_version version)
{
    return versions[version];
}

struct device_setter_args
device_setter_args_default(void)
{
    return (struct device_setter_args){
        .merge_devices = true,
        .ps_device = "/job:ps",
        .worker_device = "/job:worker",
    };
}

/* --- what differs -------------------------------------------------------------------------- */

enum argument { STRATEGY, LOAD, VERSION, MERGE, TASKS, CLUSTER, OPS, PS_DEVICE, WORKER, ARGUMENTS };

static const char *const arguments[ARGUMENTS] = {
    [STRATEGY] = "strategy",   [LOAD] = "load",           [VERSION] = "version",
    [MERGE] = "merge_devices", [TASKS] = "ps_tasks",      [CLUSTER] = "cluster",
    [OPS] = "ps_ops",          [PS_DEVICE] = "ps_device", [WORKER] = "worker_device",
};

static void
tell(const struct device_setter_args *args, enum argument argument,
     char out[static DEVICE_SETTER_LIST_BYTES_MAX + 1])
{
    const char *const texts[ARGUMENTS] = {
        [STRATEGY] = strategies[args->strategy],
        [LOAD] = loads[args->load],
        [VERSION] = versions[args->version],
        [MERGE] = args->merge_devices ? "true" : "false",
        [CLUSTER] = args->has_cluster ? args->cluster : "none",
        [OPS] = device_setter_ps_ops(args),
        [PS_DEVICE] = args->ps_device,
        [WORKER] = args->worker_device,
    };

    if (argument == TASKS && args->has_ps_tasks)
        snprintf(out, DEVICE_SETTER_LIST_BYTES_MAX + 1, "%" PRIu32, args->ps_tasks);
    else
        snprintf(out, DEVICE_SETTER_LIST_BYTES_MAX + 1, "%s",
                 argument == TASKS ? "none" : texts[argument]);
}

const char *
device_setter_args_differ(const struct device_setter_args *a, const struct device_setter_args *b,
                          char of_a[static DEVICE_SETTER_LIST_BYTES_MAX + 1],
                          char of_b[static DEVICE_SETTER_LIST_BYTES_MAX + 1])
{
    for (unsigned i = 0; i < ARGUMENTS; i++) {
        tell(a, (enum argument)i, of_a);
        tell(b, (enum argument)i, of_b);
        if (strcmp(of_a, of_b) != 0)
            return arguments[i];
    }
    return NULL;
}

/* --- lists --------------------------------------------------------------------------------- */

bool
device_setter_next(const char **rest, struct bytes *entry)
{
    const char *text = *rest;
    size_t size = strcspn(text, ",");

    if (*text == '\0')
        return false;
    *entry = bytes_of(text, size);
    *rest = text[size] == ',' ? text + size + 1 : text + size;
    return true;
}

uint32_t
device_setter_job(struct bytes entry, struct bytes *name)
{
    uint32_t tasks = 0;
    size_t at = 0;

    while (at < entry.size && entry.data[at] != '=')
        at++;
    *name = bytes_of(entry.data, at);
    for (at++; at < entry.size; at++)
        tasks = tasks * 10 + (uint32_t)(entry.data[at] - '0');
    return tasks;
}

static bool
is_word(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == '-'))
            return false;
    }
    return text.size > 0;
}

/* Puts an entry before the byte `at` of a list. */
static enum err_code
insert(char list[static DEVICE_SETTER_LIST_BYTES_MAX + 1], size_t at, const char *entry,
       const char *what, struct err *err)
{
    size_t size = strlen(list), more = strlen(entry);
    bool first = size == 0, last = at == size;

    if (size + more + 1 > DEVICE_SETTER_LIST_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s take more than %d bytes", what,
                       DEVICE_SETTER_LIST_BYTES_MAX);
    if (last && !first)
        list[at++] = ',';
    else
        memmove(list + at + more + !first, list + at, size - at);
    memcpy(list + at, entry, more);
    if (!last)
        list[at + more] = ',';
    list[size + more + !first] = '\0';
    return OK;
}

enum err_code
device_setter_add_job(struct device_setter_args *args, struct bytes name, uint64_t tasks,
                      struct err *err)
{
    char entry[DEVICE_TEXT_BYTES_MAX + 32];
    const char *rest = args->cluster;
    struct bytes other, there;
    size_t at = 0;

    if (!is_word(name) || name.size > DEVICE_TEXT_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%.*s' is not the name of a job",
                       (int)(name.size < 64 ? name.size : 64), (const char *)name.data);
    if (tasks > DEVICE_SETTER_TASKS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "job '%.*s' has %" PRIu64 " tasks, a placement chooses among %d at most",
                       (int)name.size, (const char *)name.data, tasks, DEVICE_SETTER_TASKS_MAX);
    while (device_setter_next(&rest, &other)) {
        (void)device_setter_job(other, &there);
        if (bytes_equal(there, name))
            return err_set(err, ERR_INVALID_ARGUMENT, "job '%.*s' is in the cluster twice",
                           (int)name.size, (const char *)name.data);
        if (bytes_compare(there, name) < 0)
            at = (size_t)(rest - args->cluster);
    }
    snprintf(entry, sizeof entry, "%.*s=%" PRIu64, (int)name.size, (const char *)name.data, tasks);
    args->has_cluster = true;
    return insert(args->cluster, at, entry, "the jobs of a cluster", err);
}

enum err_code
device_setter_add_op(struct device_setter_args *args, struct bytes type, struct err *err)
{
    char entry[DEVICE_SETTER_OP_BYTES_MAX + 1];

    if (!is_word(type) || type.size > DEVICE_SETTER_OP_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%.*s' is not the type of an op",
                       (int)(type.size < 64 ? type.size : 64), (const char *)type.data);
    snprintf(entry, sizeof entry, "%.*s", (int)type.size, (const char *)type.data);
    args->has_ps_ops = true;
    return insert(args->ps_ops, strlen(args->ps_ops), entry, "ps_ops", err);
}

const char *
device_setter_ps_ops(const struct device_setter_args *args)
{
    return args->has_ps_ops ? args->ps_ops : ps_ops[args->version];
}

static bool
is_ps_op(const struct device_setter_args *args, const char *type)
{
    const char *rest = device_setter_ps_ops(args);
    struct bytes entry;

    while (device_setter_next(&rest, &entry))
        if (bytes_equal(entry, bytes_of_text(type)))
            return true;
    return false;
}

/* --- tasks --------------------------------------------------------------------------------- */

enum err_code
device_setter_ps_job(const struct device_setter_args *args,
                     char out[static DEVICE_TEXT_BYTES_MAX + 1], struct err *err)
{
    struct device_spec spec;

    TRY(device_spec_parse(args->ps_device, &spec, err));
    snprintf(out, DEVICE_TEXT_BYTES_MAX + 1, "%s", spec.has_job ? spec.job : "");
    return OK;
}

static enum err_code
check_tasks(uint32_t tasks, struct err *err)
{
    if (tasks <= DEVICE_SETTER_TASKS_MAX)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "a placement chooses among %d tasks at most, not %u",
                   DEVICE_SETTER_TASKS_MAX, (unsigned)tasks);
}

enum err_code
device_setter_tasks(const struct device_setter_args *args, uint32_t here, uint32_t *out,
                    struct err *err)
{
    char job[DEVICE_TEXT_BYTES_MAX + 1];
    const char *rest = args->cluster;
    struct bytes entry, name;

    *out = args->has_ps_tasks ? args->ps_tasks : here;
    if (!args->has_cluster)
        return check_tasks(*out, err);
    *out = 0;
    TRY(device_setter_ps_job(args, job, err));
    while (device_setter_next(&rest, &entry)) {
        uint32_t tasks = device_setter_job(entry, &name);

        if (bytes_equal(name, bytes_of_text(job)))
            *out = tasks;
    }
    return check_tasks(*out, err);
}

/* --- strategies ---------------------------------------------------------------------------- */

static uint32_t
next_of_round(struct device_setter_state *state, uint32_t tasks)
{
    uint32_t task = state->next % tasks;

    state->next = (task + 1) % tasks;
    return task;
}

static enum err_code
load_of(const struct device_setter_args *args, const struct device_setter_op *op, uint64_t *out,
        struct err *err)
{
    const struct tensor_type *type = op->tensor;
    uint64_t each;

    *out = 1;
    if (args->load == DEVICE_SETTER_OPS)
        return OK;
    if (!op->shape_known)
        return err_set(err, ERR_INVALID_ARGUMENT, "Shape <unknown> is not fully defined");
    each = type->dtype == DTYPE_STRING ? STRING_ELEMENT_BYTES : dtype_size(type->dtype);
    *out = shape_count(&type->shape) * each;
    return OK;
}

/* Loads of tasks that are not there any more are remembered: they may come back. */
static enum err_code
least_loaded(const struct device_setter_args *args, struct device_setter_state *state,
             uint32_t tasks, const struct device_setter_op *op, uint32_t *out, struct err *err)
{
    uint64_t load = 0;
    uint32_t least = 0;

    TRY(load_of(args, op, &load, err));
    while (state->load_count < tasks)
        state->loads[state->load_count++] = 0;
    for (uint32_t i = 1; i < tasks; i++)
        if (state->loads[i] < state->loads[least])
            least = i;
    if (__builtin_add_overflow(state->loads[least], load, &state->loads[least]) ||
        state->loads[least] > INT64_MAX)
        state->loads[least] = INT64_MAX;
    *out = least;
    return OK;
}

static enum err_code
draw_task(const struct device_setter_args *args, struct device_setter_state *state, uint32_t tasks,
          const struct device_setter_op *op, struct device_spec *out, struct err *err)
{
    uint32_t task = 0;

    if (args->strategy == DEVICE_SETTER_ROUND_ROBIN)
        task = next_of_round(state, tasks);
    else
        TRY(least_loaded(args, state, tasks, op, &task, err));
    out->has_task = true;
    out->task = (int32_t)task;
    return OK;
}

/* --- choosing ------------------------------------------------------------------------------ */

/* 1.0 draws for every ps op, whether or not a scope inside says where it goes. To 1.15 a job
 * without a name is none. */
static bool
wants_task(const struct device_setter_args *args, const struct device_spec *ps,
           const struct device_spec *own)
{
    bool ps_job = ps->has_job && ps->job[0] != '\0', own_job = own->has_job && own->job[0] != '\0';

    if (args->version == DEVICE_SETTER_1_0)
        return true;
    return ps_job && (!own_job || strcmp(own->job, ps->job) == 0);
}

enum err_code
device_setter_choose(const struct device_setter_args *args, uint32_t tasks,
                     struct device_setter_state *state, const struct device_setter_op *op,
                     struct device_spec *out, bool *drawn, struct err *err)
{
    bool to_ps = args->ps_device[0] != '\0' && is_ps_op(args, op->type);

    *drawn = false;
    *out = *op->own;
    if (tasks == 0 || (!args->merge_devices && !device_spec_is_empty(op->own)))
        return OK;
    TRY(device_spec_parse(to_ps ? args->ps_device : args->worker_device, out, err));
    if (to_ps && wants_task(args, out, op->own)) {
        TRY(draw_task(args, state, tasks, op, out, err));
        *drawn = true;
    }
    return device_spec_merge(out, op->own, err);
}
