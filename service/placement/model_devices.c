#include "service/placement/model_devices.h"

#include <stdio.h>

#include "service/placement/model_setter.h"

static enum err_code
differs(const char *model, const char *what, const char *theirs, const char *ours, struct err *err)
{
    return err_set(err, ERR_ALREADY_EXISTS, "model '%s' exists with %s %s, not %s", model, what,
                   theirs, ours);
}

static enum err_code
confirm_placement(const char *model, const struct device_setter_args *ours,
                  const struct model_devices *devices, struct err *err)
{
    char of_ours[DEVICE_SETTER_LIST_BYTES_MAX + 1], of_theirs[DEVICE_SETTER_LIST_BYTES_MAX + 1];
    const char *what;

    if ((ours != NULL) != devices->has_placement)
        return err_set(err, ERR_ALREADY_EXISTS, "model '%s' exists %s a placement, not %s one",
                       model, devices->has_placement ? "with" : "without",
                       ours != NULL ? "with" : "without");
    if (ours == NULL)
        return OK;
    what = device_setter_args_differ(ours, &devices->placement, of_ours, of_theirs);
    return what == NULL ? OK
                        : err_set(err, ERR_ALREADY_EXISTS,
                                  "model '%s' exists with a placement of %s '%.64s', not '%.64s'",
                                  model, what, of_theirs, of_ours);
}

enum err_code
model_devices_confirm(const char *model, const struct model_spec *spec,
                      const struct model_devices *devices, struct err *err)
{
    if (spec->has_device && strcmp(spec->device, devices->device) != 0)
        return err_set(err, ERR_ALREADY_EXISTS, "model '%s' exists with device '%s', not '%s'",
                       model, devices->device, spec->device);
    if (spec->has_soft_placement && spec->allow_soft_placement != devices->allow_soft_placement)
        return differs(model, "allow_soft_placement",
                       devices->allow_soft_placement ? "true" : "false",
                       spec->allow_soft_placement ? "true" : "false", err);
    return spec->has_placement ? confirm_placement(model, spec->placement, devices, err) : OK;
}

static enum err_code
set_placement(struct store_txn *txn, const struct device_setter_args *placement,
              struct model_record *record, struct err *err)
{
    char a[DEVICE_SETTER_LIST_BYTES_MAX + 1], b[DEVICE_SETTER_LIST_BYTES_MAX + 1];
    struct model_devices *devices = &record->devices;
    struct record_key key = record_key_setter(record->id);
    struct bytes drawn;
    uint32_t tasks = 0;

    if (placement != NULL) {
        TRY(device_setter_tasks(placement, 0, &tasks, err));
        if (devices->has_placement &&
            device_setter_args_differ(placement, &devices->placement, a, b) == NULL)
            return OK;
        devices->placement = *placement;
    }
    devices->has_placement = placement != NULL;
    TRY(store_get(store_txn_view(txn), record_key_bytes(&key), &drawn, err));
    return drawn.data == NULL ? OK : store_delete(txn, record_key_bytes(&key), err);
}

enum err_code
model_devices_set(struct store_txn *txn, const struct model_spec *spec, struct model_record *record,
                  struct err *err)
{
    struct model_devices *devices = &record->devices;

    if (spec->has_device)
        snprintf(devices->device, sizeof devices->device, "%s", spec->device);
    if (spec->has_soft_placement)
        devices->allow_soft_placement = spec->allow_soft_placement;
    return spec->has_placement ? set_placement(txn, spec->placement, record, err) : OK;
}

enum err_code
model_devices_drawn(const struct service *service, const struct store_view *view,
                    const struct model_record *record, struct model_drawn *out, struct err *err)
{
    out->tasks = out->state.next = out->state.load_count = 0;
    if (!record->devices.has_placement)
        return OK;
    TRY(model_setter_tasks(service, &record->devices.placement, &out->tasks, err));
    return record_get_setter(view, record->id, &out->state, err);
}
