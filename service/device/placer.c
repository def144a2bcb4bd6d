#include "service/device/placer.h"

#include <stdio.h>
#include <string.h>

/* What a message says beside the names of the node, of its device and of those that there are. */
enum { WORDS_BYTES_MAX = 256 };

/* The fields of a specification, in the order in which they are compared. */
enum field { JOB, REPLICA, TASK, TYPE, INDEX, FIELD_COUNT };

/* The first that both specify, and differently. */
static enum field
find_difference(const struct device_spec *a, const struct device_spec *b)
{
    if (a->has_job && b->has_job && strcmp(a->job, b->job) != 0)
        return JOB;
    if (a->has_replica && b->has_replica && a->replica != b->replica)
        return REPLICA;
    if (a->has_task && b->has_task && a->task != b->task)
        return TASK;
    if (a->has_type && b->has_type && strcmp(a->type, b->type) != 0)
        return TYPE;
    if (a->has_index && b->has_index && a->index != b->index)
        return INDEX;
    return FIELD_COUNT;
}

/* As the runtime prints what it has read: "/job:ps/GPU:1", where Python has "/job:ps/device:GPU:1".
 */
static const char *
print_runtime(const struct device_spec *spec, char out[static DEVICE_TEXT_BYTES_MAX + 1])
{
    char host[DEVICE_TEXT_BYTES_MAX + 1], index[16] = "*";
    struct device_spec task = *spec;

    task.has_type = false;
    if (!spec->has_type)
        return device_spec_print(&task, out);
    if (spec->has_index)
        snprintf(index, sizeof index, "%d", spec->index);
    if (snprintf(out, DEVICE_TEXT_BYTES_MAX + 1, "%s/%s:%s", device_spec_print(&task, host),
                 spec->type, index) < 0)
        out[0] = '\0';
    return out;
}

enum err_code
device_merge_names(struct device_spec *into, const struct device_spec *other,
                   bool allow_soft_placement, struct err *err)
{
    static const char *const names[] = {"jobs", "replicas", "tasks", "types", "ids"};
    enum field different = find_difference(into, other);
    struct device_spec merged = *into, taken = *other;
    char text[DEVICE_TEXT_BYTES_MAX + 1], other_text[DEVICE_TEXT_BYTES_MAX + 1];

    taken.has_job = other->has_job && different > JOB;
    taken.has_replica = other->has_replica && different > REPLICA;
    taken.has_task = other->has_task && different > TASK;
    taken.has_type = other->has_type && different > TYPE;
    taken.has_index = other->has_index && different > INDEX;
    TRY(device_spec_merge(&merged, &taken, err));
    if (different < TYPE || (different < FIELD_COUNT && !allow_soft_placement))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Cannot merge devices with incompatible %s: '%s' and '%s'", names[different],
                       print_runtime(&merged, text), print_runtime(other, other_text));
    if (different == TYPE)
        merged.has_type = false;
    if (different < FIELD_COUNT)
        merged.has_index = false;
    *into = merged;
    return OK;
}

/* A specification as the runtime reads it. */
static enum err_code
read_device(const char *text, struct device_spec *out, struct err *err)
{
    struct device_spec spec;

    if (device_spec_parse(text, &spec, NULL) != OK || !device_spec_to_runtime(&spec, out))
        return err_set(err, ERR_INVALID_ARGUMENT, "Malformed device specification '%.255s'", text);
    return OK;
}

/* The best of those that match and have kernels; NULL: there is none. The set is in the order of
 * names, so the first of a priority is the one. */
static const struct device *
find_best(const struct device_set *set, const struct device_spec *wanted, enum dtype dtype)
{
    const struct device *best = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const struct device *device = &set->devices[i];

        if (device_spec_covers(wanted, &device->spec) && device->kind->has_kernel(dtype) &&
            (best == NULL || device->kind->priority > best->kind->priority))
            best = device;
    }
    return best;
}

static bool
matches_any(const struct device_set *set, const struct device_spec *wanted)
{
    for (size_t i = 0; i < set->count; i++)
        if (device_spec_covers(wanted, &set->devices[i].spec))
            return true;
    return false;
}

/* "a, b, c", or as many as fit in room bytes, and how many more there are. */
static const char *
list_available(const struct device_set *set, char out[static ERR_TEXT_BYTES_MAX], size_t room)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->devices[i].name, *comma = i == 0 ? "" : ", ";

        if (at + strlen(comma) + strlen(name) > room) {
            snprintf(out + at, ERR_TEXT_BYTES_MAX - at, "%s… (%zu more)", comma, set->count - i);
            break;
        }
        at += (size_t)snprintf(out + at, ERR_TEXT_BYTES_MAX - at, "%s%s", comma, name);
    }
    return out;
}

/* Why there is no device for it. given: the node's own device; wanted: that of all that is
 * colocated. */
static enum err_code
refuse(const struct device_set *set, const struct device_place_request *request,
       const struct device_spec *given, const struct device_spec *wanted, struct err *err)
{
    const char *device = request->device == NULL ? "" : request->device;
    char text[DEVICE_TEXT_BYTES_MAX + 1], available[ERR_TEXT_BYTES_MAX];
    size_t used = strlen(request->node) + strlen(device) + WORDS_BYTES_MAX;

    if (!device_spec_equal(given, wanted))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Could not satisfy explicit device specification '%s' because the node was "
                       "colocated with a group of nodes that required incompatible device '%s'",
                       device, print_runtime(wanted, text));
    if (!matches_any(set, given))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Could not satisfy explicit device specification '%s' because no devices "
                       "matching that specification are registered in this process; available "
                       "devices: %s",
                       device,
                       list_available(set, available,
                                      used < ERR_TEXT_BYTES_MAX ? ERR_TEXT_BYTES_MAX - used : 0));
    if (given->has_type)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Could not satisfy explicit device specification '%s' because no supported "
                       "kernel for %s devices is available.",
                       device, given->type);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "Could not satisfy explicit device specification '%s' because no device that "
                   "matches it has a kernel for %s",
                   device, dtype_name(request->dtype));
}

/* The types of the set, each once, in order: "CPU,GPU". */
static const char *
list_types(const struct device_set *set, char out[static ERR_TEXT_BYTES_MAX])
{
    size_t at = 0;

    out[0] = '\0';
    for (const char *last = "", *next;; last = next) {
        next = NULL;
        for (size_t i = 0; i < set->count; i++) {
            const char *type = set->devices[i].spec.type;

            if (strcmp(type, last) > 0 && (next == NULL || strcmp(type, next) < 0))
                next = type;
        }
        if (next == NULL || at + strlen(next) >= WORDS_BYTES_MAX)
            break;
        at += (size_t)snprintf(out + at, ERR_TEXT_BYTES_MAX - at, "%s%s", at == 0 ? "" : ",", next);
    }
    return out;
}

/* " device='CPU'", of all kinds that there could be. */
static const char *
list_kernels(enum dtype dtype, char out[static WORDS_BYTES_MAX])
{
    const struct device_kind *kind;
    size_t at = 0;

    out[0] = '\0';
    for (size_t k = 0; (kind = device_kind_at(k)) != NULL; k++)
        if (kind->has_kernel(dtype) && at < WORDS_BYTES_MAX)
            at += (size_t)snprintf(out + at, WORDS_BYTES_MAX - at, " device='%s'", kind->type);
    return out;
}

static enum err_code
refuse_dtype(const struct device_set *set, const struct device_place_request *request,
             struct err *err)
{
    char types[ERR_TEXT_BYTES_MAX], kernels[WORDS_BYTES_MAX];

    return err_set(
        err, ERR_INVALID_ARGUMENT,
        "No OpKernel was registered to support Op '%.255s' with these attrs.  Registered "
        "devices: [%s], Registered kernels:%s for %s",
        request->op, list_types(set, types), list_kernels(request->dtype, kernels),
        dtype_name(request->dtype));
}

/* What all that has to be on one device wants together. */
static enum err_code
merge_colocated(const struct device_place_request *request, struct device_spec *wanted,
                struct err *err)
{
    struct device_spec other;

    for (size_t i = 0; i < request->colocated_count; i++) {
        enum err_code code;

        TRY(read_device(request->colocated[i], &other, err));
        code = device_merge_names(wanted, &other, request->allow_soft_placement, err);
        if (code == OK)
            continue;
        err_prefix(err, "Cannot colocate nodes '%.255s' and 'colocated_with[%zu]'", request->node,
                   i);
        return code;
    }
    return OK;
}

static enum err_code
place(const struct device_set *set, const struct device_place_request *request,
      const struct device **out, struct err *err)
{
    struct device_spec given, wanted, any = {0};

    if (find_best(set, &any, request->dtype) == NULL)
        return refuse_dtype(set, request, err);
    TRY(read_device(request->device == NULL ? "" : request->device, &given, err));
    wanted = given;
    TRY(merge_colocated(request, &wanted, err));
    *out = find_best(set, &wanted, request->dtype);
    if (*out != NULL)
        return OK;
    if (request->allow_soft_placement) {
        struct device_spec soft = wanted;

        soft.has_type = soft.has_index = false;
        *out = find_best(set, &soft, request->dtype);
        if (*out != NULL)
            return OK;
    }
    return refuse(set, request, &given, &wanted, err);
}

enum err_code
device_place(const struct device_set *set, const struct device_place_request *request,
             const struct device **out, struct err *err)
{
    struct device_place_request filled = *request;
    enum err_code code;

    if (set->count == 0)
        return err_set(err, ERR_FAILED_PRECONDITION, "No devices are registered");
    if (filled.op == NULL)
        filled.op = "VariableV2";
    code = place(set, &filled, out, err);
    if (code == ERR_INVALID_ARGUMENT)
        err_prefix(err, "Cannot assign a device to node '%.255s'", request->node);
    return code;
}
