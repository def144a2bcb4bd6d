#include "service/device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/alloc.h"
#include "store/base/crc32c.h"

static bool
no_kernel(enum dtype dtype)
{
    (void)dtype;
    return false;
}

static const struct device_kind unknown_kind = {
    .type = "", .priority = 50, .has_kernel = no_kernel};

static const struct device_kind *const kinds[] = {
#define DEVICE_KIND(name) &device_kind_##name,
#include "service/device/kinds.def"
#undef DEVICE_KIND
};

const struct device_kind *
device_kind_at(size_t index)
{
    return index < sizeof kinds / sizeof kinds[0] ? kinds[index] : NULL;
}

const struct device_kind *
device_kind_of(const char *type)
{
    const struct device_kind *kind;

    for (size_t i = 0; (kind = device_kind_at(i)) != NULL; i++)
        if (strcmp(kind->type, type) == 0)
            return kind;
    return &unknown_kind;
}

/* Of jobs and types. */
static bool
is_word(const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && (i == 0 || (c != '_' && (c < '0' || c > '9'))))
            return false;
    }
    return text[0] != '\0';
}

bool
device_spec_to_runtime(const struct device_spec *spec, struct device_spec *out)
{
    *out = *spec;
    out->has_job = spec->has_job && strcmp(spec->job, "*") != 0;
    out->has_type = spec->has_type && strcmp(spec->type, "*") != 0;
    return (!out->has_job || is_word(out->job)) && (!out->has_type || is_word(out->type)) &&
           (!out->has_replica || out->replica >= 0) && (!out->has_task || out->task >= 0) &&
           (!out->has_index || out->index >= 0);
}

void
device_set_drop(struct device_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        device_close(&set->devices[i]);
    mem_free(set->devices);
    memset(set, 0, sizeof *set);
}

static enum err_code
add(struct device_set *set, const struct device_spec *spec, const char *name, struct err *err)
{
    char text[DEVICE_TEXT_BYTES_MAX + 1];
    struct device_spec complete;
    struct device *devices;

    if (!device_spec_to_runtime(spec, &complete) || !complete.has_job || !complete.has_replica ||
        !complete.has_task || !complete.has_type || !complete.has_index)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'%s' is not the name of a device, which has the form "
                       "/job:localhost/replica:0/task:0/cpu:0",
                       name != NULL ? name : device_spec_print(spec, text));
    devices = mem_grown(set->devices, set->count, &set->capacity, sizeof *set->devices, err);
    if (devices == NULL)
        return ERR_NO_MEMORY;
    set->devices = devices;
    devices += set->count++;
    memset(devices, 0, sizeof *devices);
    devices->spec = complete;
    devices->kind = device_kind_of(complete.type);
    if (name != NULL)
        memcpy(devices->name, name, strlen(name) + 1);
    return OK;
}

enum err_code
device_set_add(struct device_set *set, const struct device_spec *spec, struct err *err)
{
    struct device_spec task = *spec;
    char host[DEVICE_TEXT_BYTES_MAX + 1], *name;
    const char *form;

    TRY(device_spec_check(spec, err));
    TRY(add(set, spec, NULL, err));
    task.has_type = false;
    form = strcmp(spec->type, "CPU") == 0 ? "cpu" : strcmp(spec->type, "GPU") == 0 ? "gpu" : NULL;
    name = set->devices[set->count - 1].name;
    if (form == NULL)
        device_spec_print(spec, name);
    else
        snprintf(name, DEVICE_TEXT_BYTES_MAX + 1, "%.*s/%s:%d", DEVICE_TEXT_BYTES_MAX - 16,
                 device_spec_print(&task, host), form, spec->index);
    return OK;
}

enum err_code
device_set_add_name(struct device_set *set, const char *name, struct err *err)
{
    struct device_spec spec;

    TRY(device_spec_parse(name, &spec, err));
    return add(set, &spec, name, err);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const struct device *)a)->name, ((const struct device *)b)->name);
}

enum err_code
device_set_order(struct device_set *set, struct err *err)
{
    if (set->count > 1)
        qsort(set->devices, set->count, sizeof *set->devices, compare_names);
    set->checksum = 0;
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->devices[i].name;

        if (i > 0 && strcmp(set->devices[i - 1].name, name) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "there are two devices '%s'", name);
        set->checksum = crc32c(set->checksum, name, strlen(name) + 1);
    }
    return OK;
}
