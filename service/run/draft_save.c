/* Checkpoints of a draft: what they hold is remembered as it is when they are asked for, and
 * written by the publishing unit. */
#include "service/run/draft_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/expr/compute.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

/* What a save of this name replaces: one of this run, or what the view has. */
static enum err_code
check_replaced(struct draft *draft, struct draft_save *save, struct err *err)
{
    const struct draft_save_spec *spec = &save->spec;
    struct checkpoint_record existing = {0};
    bool found = false;

    for (const struct draft_save *each = draft->saves; each != NULL; each = each->next) {
        save->again |= strcmp(each->spec.name, spec->name) == 0;
        TRY(draft_work(draft, strlen(each->spec.name), err));
    }
    draft->saves_again |= save->again || (spec->saver != NULL && draft->saves != NULL);
    if (!save->again) {
        TRY(record_get_checkpoint(draft->view, draft->model.id, spec->name, &found, &existing,
                                  err));
        save->existing_id = existing.id;
        TRY(service_check_conditions(spec->options, "checkpoint", spec->name, found,
                                     existing.changed_revision, err));
    }
    if ((found || save->again) && !spec->overwrite)
        return checkpoint_exists(spec->name, err);
    return found ? checkpoint_check_unpinned(spec->name, &existing, err) : OK;
}

enum err_code
draft_save_open(struct draft *draft, const struct draft_save_spec *spec, struct draft_save **out,
                struct err *err)
{
    struct draft_save *save = arena_alloc(&draft->arena, sizeof *save, err);
    uint32_t limit = draft->service->limits.variables_per_request_max;

    if (save == NULL)
        return ERR_NO_MEMORY;
    if (draft->saved_count > limit) /* one checkpoint may hold any number */
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the checkpoints that the request has saved before this one hold %zu "
                       "tensors, the limit is %" PRIu32 " (variables_per_request_max)",
                       draft->saved_count, limit);
    save->spec = *spec;
    TRY(check_replaced(draft, save, err));
    save->spec.name = arena_text(&draft->arena, bytes_of_text(spec->name), err);
    if (save->spec.name == NULL)
        return ERR_NO_MEMORY;
    if (spec->saver != NULL) {
        save->spec.saver = arena_text(&draft->arena, bytes_of_text(spec->saver), err);
        if (save->spec.saver == NULL)
            return ERR_NO_MEMORY;
    }
    save->tensors_end = &save->tensors;
    *draft->saves_end = save;
    draft->saves_end = &save->next;
    *out = save;
    return OK;
}

enum err_code
draft_save_add(struct draft *draft, struct draft_save *save, struct bytes tensor,
               struct draft_variable *variable, struct err *err)
{
    struct draft_tensor *entry;
    const char *name;

    draft_rely(variable);
    if (variable->value == NULL)
        return compute_uninitialized(variable->name, err);
    TRY(draft_work(draft, DRAFT_STEP_WORK_BYTES, err));
    entry = arena_alloc(&draft->arena, sizeof *entry, err);
    name = arena_text(&draft->arena, tensor, err);
    if (entry == NULL || name == NULL)
        return ERR_NO_MEMORY;
    entry->name = bytes_of(name, tensor.size);
    entry->variable = variable;
    entry->value = variable->value;
    entry->value->holders++;
    entry->type = variable->form.type;
    *save->tensors_end = entry;
    save->tensors_end = &entry->next;
    save->tensor_count++;
    draft->saved_count++;
    return OK;
}

const struct checkpoint_record *
draft_saved(const struct draft_save *save, bool *replaced)
{
    *replaced = save->replaced;
    return &save->record;
}

const struct saver_dropped *
draft_save_dropped(const struct draft_save *save)
{
    return &save->dropped;
}

/* --- publishing --- */

/* Of one that may be replaced whatever it is, nothing was taken for granted. */
static enum err_code
expect_checkpoint(const struct draft_save *save, const struct checkpoint_record *existing,
                  struct err *err)
{
    bool any = save->again || (save->spec.overwrite && save->spec.options == NULL);

    if (any || existing->id == save->existing_id)
        return OK;
    return err_set(err, ERR_CONFLICT, "checkpoint '%s' changed meanwhile", save->spec.name);
}

static int
compare_tensors(const void *a, const void *b)
{
    const struct draft_tensor *x = *(const struct draft_tensor *const *)a;
    const struct draft_tensor *y = *(const struct draft_tensor *const *)b;

    return bytes_compare(x->name, y->name);
}

/* As many as are saved apart: parts, or the one whole. */
static uint32_t
part_count(const struct draft_tensor *tensor)
{
    return tensor->variable->partition.count > 0 ? tensor->variable->partition.count : 1;
}

static const char *
device_of(const struct draft_tensor *tensor, uint32_t part)
{
    const struct draft_variable *variable = tensor->variable;

    if (variable->part_devices != NULL)
        return variable->part_devices[part];
    return variable->device == NULL ? "" : variable->device;
}

static int
compare_devices(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Owned: the shards. */
struct devices {
    const char **each; /* by name; one shard for each */
    size_t count;
};

static void
devices_drop(struct devices *devices)
{
    mem_free(devices->each);
}

/* TensorFlow's: one shard for each device that a variable or a part of one is on, in the order of
 * their names. */
static enum err_code
list_devices(struct draft_tensor *const *tensors, size_t count, struct devices *out,
             struct err *err)
{
    size_t room = 0;

    for (size_t i = 0; i < count; i++)
        room += part_count(tensors[i]);
    out->each = mem_zeroed(room, sizeof *out->each, err);
    if (out->each == NULL)
        return ERR_NO_MEMORY;
    room = 0;
    for (size_t i = 0; i < count; i++)
        for (uint32_t part = 0; part < part_count(tensors[i]); part++)
            out->each[room++] = device_of(tensors[i], part);
    qsort(out->each, room, sizeof *out->each, compare_devices);
    for (size_t i = 0; i < room; i++)
        if (out->count == 0 || strcmp(out->each[out->count - 1], out->each[i]) != 0)
            out->each[out->count++] = out->each[i];
    return OK;
}

static uint32_t
shard_of(const struct draft_tensor *tensor, uint32_t part, const struct devices *devices)
{
    const char *device = device_of(tensor, part);
    const char **found = devices->count == 0 ? NULL
                                             : bsearch(&device, devices->each, devices->count,
                                                       sizeof *found, compare_devices);

    return found == NULL ? 0 : (uint32_t)(found - devices->each);
}

/* Of each part, when they are not all in the shard of the first. */
static void
list_shards(const struct draft_tensor *tensor, const struct devices *devices,
            uint8_t room[static PARTITION_PARTS_MAX * PARTITION_SHARD_BYTES],
            struct tensor_record *out)
{
    uint32_t count = part_count(tensor);
    bool apart = false;

    out->shard = shard_of(tensor, 0, devices);
    for (uint32_t part = 0; part < count; part++) {
        uint32_t shard = shard_of(tensor, part, devices);

        apart |= shard != out->shard;
        partition_put_shard(room, part, shard);
    }
    if (apart)
        out->part_shards = bytes_of(room, (size_t)count * PARTITION_SHARD_BYTES);
}

/* In the order of names, as TensorFlow's Saver writes them. */
static enum err_code
publish_tensors(const struct draft *draft, struct store_txn *txn, struct draft_save *save,
                struct err *err)
{
    AUTO(devices) devices = {.count = 0};
    AUTO_CALL(mem_free_scope)
    struct draft_tensor **sorted =
        mem_zeroed(save->tensor_count, sizeof(struct draft_tensor *), err);
    uint8_t shards[PARTITION_PARTS_MAX * PARTITION_SHARD_BYTES];
    size_t count = 0;

    if (sorted == NULL)
        return ERR_NO_MEMORY;
    for (struct draft_tensor *each = save->tensors; each != NULL; each = each->next)
        sorted[count++] = each;
    qsort(sorted, count, sizeof(struct draft_tensor *), compare_tensors);
    if (save->spec.sharded)
        TRY(list_devices(sorted, count, &devices, err));
    for (size_t i = 0; i < count; i++) {
        struct tensor_record tensor = {.type = sorted[i]->type,
                                       .trainable = sorted[i]->variable->trainable,
                                       .partition = sorted[i]->variable->partition};

        list_shards(sorted[i], &devices, shards, &tensor);
        TRY(draft_value_publish(draft, txn, sorted[i]->value, &tensor.value, err));
        TRY(checkpoint_add(txn, &save->record, sorted[i]->name, &tensor, err));
    }
    return OK;
}

/* Its list, and what goes for it. */
static enum err_code
tell_saver(const struct draft *draft, struct store_txn *txn, struct draft_save *save,
           struct err *err)
{
    const struct draft_save_spec *spec = &save->spec;
    struct saver_record saver;
    bool found = false;

    TRY(record_get_saver(store_txn_view(txn), draft->model.id, spec->saver, &found, &saver, err));
    if (!found || saver.id != spec->saver_id ||
        saver.settings_revision != spec->saver_settings_revision)
        return err_set(err, ERR_CONFLICT, "saver '%s' changed meanwhile", spec->saver);
    TRY(saver_keep_saved(txn, draft->model.id, spec->saver, &saver, spec->name, save->record.id,
                         save->record.created_ms, &save->dropped, err));
    return model_quota_expect(store_txn_view(txn), draft->model.id, 0, err);
}

enum err_code
draft_save_publish(const struct draft *draft, struct store_txn *txn, struct draft_save *save,
                   struct err *err)
{
    struct usage_change change = {0};
    struct checkpoint_record existing = {0};

    TRY(record_get_checkpoint(store_txn_view(txn), draft->model.id, save->spec.name,
                              &save->replaced, &existing, err));
    TRY(expect_checkpoint(save, &existing, err));
    TRY(checkpoint_begin(txn, draft->model.id, save->spec.name, save->spec.overwrite, &save->record,
                         &change, err));
    save->record.has_global_step = save->spec.has_global_step;
    save->record.global_step = save->spec.global_step;
    TRY(publish_tensors(draft, txn, save, err));
    if (save->spec.saver != NULL) {
        snprintf(save->record.saver, sizeof save->record.saver, "%s", save->spec.saver);
        save->record.saver_id = save->spec.saver_id;
    }
    change.is_not_all = save->spec.saver != NULL;
    TRY(checkpoint_finish(txn, draft->model.id, save->spec.name, &save->record, &change, err));
    return save->spec.saver != NULL ? tell_saver(draft, txn, save, err) : OK;
}
