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
                       device_spec_print(&merged, text), device_spec_print(other, other_text));
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
                       device, device_spec_print(wanted, text));
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
                       "kernel for %s devices is available",
                       device, given->type);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "Could not satisfy explicit device specification '%s' because no device that "
                   "matches it has a kernel for %s",
                   device, dtype_name(request->dtype));
}

static enum err_code
place(const struct device_set *set, const struct device_place_request *request,
      const struct device **out, struct err *err)
{
    struct device_spec given, wanted, other, any = {0};

    if (find_best(set, &any, request->dtype) == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "No OpKernel was registered to support Op '%s' with these attrs: %s",
                       request->op, dtype_name(request->dtype));
    TRY(read_device(request->device == NULL ? "" : request->device, &given, err));
    wanted = given;
    for (size_t i = 0; i < request->colocated_count; i++) {
        TRY(read_device(request->colocated[i], &other, err));
        TRY(device_merge_names(&wanted, &other, request->allow_soft_placement, err));
    }
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
