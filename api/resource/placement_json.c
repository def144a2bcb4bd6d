#include "api/resource/placement_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/resource/cluster_json.h"
#include "api/resource/describe.h"
#include "api/resource/device_json.h"
#include "api/tensors/choice.h"
#include "store/base/scope.h"

/* --- requests ------------------------------------------------------------------------------ */

/* A device, canonical; null and "" are none. */
static enum err_code
take_device(struct api_object *o, const char *field, struct arena *arena,
            char out[static DEVICE_TEXT_BYTES_MAX + 1], bool *given, struct err *err)
{
    const struct device_scope *scopes = NULL;
    struct device_spec spec = {.has_job = false};
    struct api_value value;
    size_t count = 0;

    *given = api_object_has(o, field, &value);
    if (!*given)
        return OK;
    TRY(api_device_scopes(&value, arena, &scopes, &count, err));
    TRY(device_scopes_merge(scopes, count, &spec, err));
    (void)device_spec_print(&spec, out);
    return OK;
}

/* TensorFlow takes a function; here it has a name. */
static enum err_code
take_strategy(struct api_object *o, struct arena *arena, struct device_setter_args *args,
              struct err *err)
{
    const char *names[DEVICE_SETTER_STRATEGY_COUNT];
    unsigned chosen = 0;
    bool given = false;

    for (unsigned i = 0; i < DEVICE_SETTER_STRATEGY_COUNT; i++)
        names[i] = device_setter_strategy_name((enum device_setter_strategy)i);
    if (api_object_choice(o, "strategy", arena, names, DEVICE_SETTER_STRATEGY_COUNT, &chosen,
                          &given, err) != OK) {
        if (err->code == ERR_INVALID_ARGUMENT)
            err_prefix(err, "ps_strategy must be callable");
        return err->code;
    }
    if (given)
        args->strategy = (enum device_setter_strategy)chosen;
    return OK;
}

static enum err_code
take_choices(struct api_object *o, struct arena *arena, struct device_setter_args *args,
             struct err *err)
{
    const char *loads[DEVICE_SETTER_LOAD_COUNT], *versions[DEVICE_SETTER_VERSION_COUNT];
    unsigned chosen = 0;
    bool given = false;

    for (unsigned i = 0; i < DEVICE_SETTER_LOAD_COUNT; i++)
        loads[i] = device_setter_load_name((enum device_setter_load)i);
    for (unsigned i = 0; i < DEVICE_SETTER_VERSION_COUNT; i++)
        versions[i] = device_setter_version_name((enum device_setter_version)i);
    TRY(take_strategy(o, arena, args, err));
    TRY(api_object_choice(o, "load", arena, loads, DEVICE_SETTER_LOAD_COUNT, &chosen, &given, err));
    if (given)
        args->load = (enum device_setter_load)chosen;
    TRY(api_object_choice(o, "version", arena, versions, DEVICE_SETTER_VERSION_COUNT, &chosen,
                          &given, err));
    if (given)
        args->version = (enum device_setter_version)chosen;
    return OK;
}

static enum err_code
take_ps_tasks(struct api_object *o, struct device_setter_args *args, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    struct api_value value;
    int64_t tasks = 0;

    if (!api_object_has(o, "ps_tasks", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    TRY(api_value_i64(&value, &tasks, err));
    if (tasks < 0 || tasks > DEVICE_SETTER_TASKS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s must be 0 to %d, not %" PRId64,
                       api_value_where(&value, where), DEVICE_SETTER_TASKS_MAX, tasks);
    args->has_ps_tasks = true;
    args->ps_tasks = (uint32_t)tasks;
    return OK;
}

/* How many tasks each job has is all that the setter wants of it. */
static enum err_code
take_cluster(struct api_object *o, struct arena *arena, const struct service_limits *limits,
             struct device_setter_args *args, struct err *err)
{
    const struct cluster_limits allowed = {.jobs_max = limits->cluster_jobs_max,
                                           .tasks_max = limits->cluster_tasks_max};
    AUTO(cluster) cluster = {.jobs = NULL};
    struct api_value value;

    if (!api_object_has(o, "cluster", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    TRY(api_cluster_decode(&value, arena, &allowed, &cluster, err));
    args->has_cluster = true;
    for (size_t i = 0; i < cluster.job_count; i++)
        TRY(device_setter_add_job(args, bytes_of_text(cluster.jobs[i].name),
                                  cluster.jobs[i].task_count, err));
    return OK;
}

static enum err_code
take_ps_ops(struct api_object *o, struct arena *arena, struct device_setter_args *args,
            struct err *err)
{
    struct api_value value;
    const char **types = NULL;
    size_t count = 0;

    if (!api_object_has(o, "ps_ops", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    TRY(api_value_texts(&value, arena, &types, &count, err));
    args->has_ps_ops = true;
    for (size_t i = 0; i < count; i++)
        TRY(device_setter_add_op(args, bytes_of_text(types[i]), err));
    return OK;
}

static enum err_code
take_placement(const struct api_value *value, struct arena *arena,
               const struct service_limits *limits, const struct device_setter_args **out,
               struct err *err)
{
    struct device_setter_args *args;
    struct api_object o;
    bool given = false;

    *out = NULL;
    if (api_value_kind(value) == API_NULL)
        return OK;
    args = arena_alloc(arena, sizeof *args, err);
    if (args == NULL)
        return ERR_NO_MEMORY;
    *args = device_setter_args_default();
    TRY(api_object_of(value, &o, err));
    TRY(take_choices(&o, arena, args, err));
    TRY(take_ps_tasks(&o, args, err));
    TRY(take_cluster(&o, arena, limits, args, err));
    TRY(take_ps_ops(&o, arena, args, err));
    TRY(take_device(&o, "ps_device", arena, args->ps_device, &given, err));
    TRY(take_device(&o, "worker_device", arena, args->worker_device, &given, err));
    TRY(api_object_bool(&o, "merge_devices", &args->merge_devices, &given, err));
    TRY(api_object_end(&o, err));
    *out = args;
    return OK;
}

enum err_code
api_placement_take(struct api_object *body, struct arena *arena,
                   const struct service_limits *limits, struct model_spec *spec, struct err *err)
{
    struct api_value placement;
    char *device = arena_alloc(arena, DEVICE_TEXT_BYTES_MAX + 1, err);

    if (device == NULL)
        return ERR_NO_MEMORY;
    TRY(take_device(body, "device", arena, device, &spec->has_device, err));
    spec->device = device;
    TRY(api_object_bool(body, "allow_soft_placement", &spec->allow_soft_placement,
                        &spec->has_soft_placement, err));
    spec->has_placement = api_object_has(body, "placement", &placement);
    return spec->has_placement ? take_placement(&placement, arena, limits, &spec->placement, err)
                               : OK;
}

/* --- replies ------------------------------------------------------------------------------- */

static enum err_code
describe_cluster(const struct device_setter_args *args, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *jobs = NULL;
    const char *rest = args->cluster;
    struct bytes entry, name;

    if (!args->has_cluster)
        return api_json_made(json_null(), out, err);
    TRY(api_json_made(json_object(), &jobs, err));
    while (device_setter_next(&rest, &entry)) {
        uint32_t tasks = device_setter_job(entry, &name);

        if (json_object_setn_new(jobs, (const char *)name.data, name.size, json_integer(tasks)) !=
            0)
            return err_set(err, ERR_NO_MEMORY, "out of memory while writing the reply");
    }
    *out = TAKE(jobs);
    return OK;
}

static enum err_code
describe_ps_ops(const struct device_setter_args *args, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *types = NULL;
    const char *rest = device_setter_ps_ops(args);
    struct bytes entry;

    TRY(api_json_made(json_array(), &types, err));
    while (device_setter_next(&rest, &entry))
        TRY(api_json_push(types, json_stringn((const char *)entry.data, entry.size), err));
    *out = TAKE(types);
    return OK;
}

static enum err_code
describe_args(const struct device_setter_args *args, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "strategy", json_string(device_setter_strategy_name(args->strategy)),
                     err));
    TRY(api_json_set(json, "load", json_string(device_setter_load_name(args->load)), err));
    TRY(api_json_set(json, "ps_tasks",
                     args->has_ps_tasks ? json_integer(args->ps_tasks) : json_null(), err));
    TRY(describe_cluster(args, &part, err));
    TRY(api_json_set(json, "cluster", part, err));
    TRY(api_json_set(json, "ps_device", json_string(args->ps_device), err));
    TRY(api_json_set(json, "worker_device", json_string(args->worker_device), err));
    TRY(api_json_set(json, "merge_devices", json_boolean(args->merge_devices), err));
    TRY(describe_ps_ops(args, &part, err));
    TRY(api_json_set(json, "ps_ops", part, err));
    TRY(api_json_set(json, "version", json_string(device_setter_version_name(args->version)), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_placement_describe_state(const struct model_devices *devices, const struct model_drawn *drawn,
                             json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    const struct device_setter_state *state = &drawn->state;
    json_t *loads = NULL;

    if (!devices->has_placement)
        return api_json_made(json_null(), out, err);
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "tasks", json_integer(drawn->tasks), err));
    if (devices->placement.strategy == DEVICE_SETTER_ROUND_ROBIN) {
        uint32_t next = drawn->tasks > 0 ? state->next % drawn->tasks : 0;

        TRY(api_json_set(json, "next_task", json_integer(next), err));
        *out = TAKE(json);
        return OK;
    }
    TRY(api_json_made(json_array(), &loads, err));
    TRY(api_json_set(json, "loads", loads, err));
    for (uint32_t i = 0; i < drawn->tasks; i++)
        TRY(api_json_push(
            loads, json_integer(i < state->load_count ? (json_int_t)state->loads[i] : 0), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_placement_describe(const struct model_info *info, json_t *model, struct err *err)
{
    const struct model_devices *devices = &info->devices;
    json_t *placement = NULL, *state = NULL;

    TRY(api_json_set(model, "device", json_string(devices->device), err));
    TRY(api_json_set(model, "allow_soft_placement", json_boolean(devices->allow_soft_placement),
                     err));
    if (devices->has_placement)
        TRY(describe_args(&devices->placement, &placement, err));
    else
        placement = json_null();
    TRY(api_json_set(model, "placement", placement, err));
    TRY(api_placement_describe_state(devices, &info->drawn, &state, err));
    return api_json_set(model, "placement_state", state, err);
}
