/* The life of a checkpoint's records: begun, filled, finished, deleted; and importing one. */
#include "service/saving/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/key_walk.h"
#include "service/saving/saver_keep.h"
#include "service/state.h"
#include "service/variable/incoming.h"
#include "store/base/clock.h"
#include "store/base/scope.h"
#include "store/key.h"

static enum err_code
release_tensor(struct store_txn *txn, struct bytes key, struct err *err)
{
    struct tensor_record tensor;
    struct bytes value;

    TRY(store_get(store_txn_view(txn), key, &value, err));
    TRY(record_decode_tensor(value, &tensor, err));
    return value_release(txn, &tensor.value, err);
}

enum err_code
checkpoint_release(struct store_txn *txn, const struct checkpoint_record *record, struct err *err)
{
    struct record_key prefix = record_key_tensor(record->id, bytes_of("", 0));

    TRY(key_walk_delete(txn, &prefix, release_tensor, err));
    return value_release(txn, &record->metadata, err);
}

enum err_code
checkpoint_remove(struct store_txn *txn, uint64_t model_id, const char *name,
                  const struct checkpoint_record *record, struct usage_change *change,
                  struct err *err)
{
    struct record_key key = record_key_checkpoint(model_id, name);
    struct record_key order = record_key_order(model_id, record->id);

    TRY(saver_keep_forget(txn, model_id, name, record, err));
    TRY(checkpoint_release(txn, record, err));
    TRY(store_delete(txn, record_key_bytes(&order), err));
    TRY(store_delete(txn, record_key_bytes(&key), err));
    change->checkpoints -= 1;
    change->checkpoint_bytes -= (int64_t)record->bytes;
    return OK;
}

enum err_code
checkpoint_exists(const char *name, struct err *err)
{
    err_about(err, "checkpoint", name);
    return err_set(err, ERR_ALREADY_EXISTS,
                   "checkpoint '%s' exists already: give another name or \"overwrite\": true",
                   name);
}

enum err_code
checkpoint_check_unpinned(const char *name, const struct checkpoint_record *record, struct err *err)
{
    if (!record->pinned)
        return OK;
    err_about(err, "checkpoint", name);
    return err_set(err, ERR_FAILED_PRECONDITION,
                   "checkpoint '%s' is pinned: it is neither deleted nor replaced until it is not "
                   "(PATCH …/checkpoints/%s {\"pinned\": false})",
                   name, name);
}

enum err_code
checkpoint_begin(struct store_txn *txn, uint64_t model_id, const char *name, bool overwrite,
                 struct checkpoint_record *out, struct usage_change *change, struct err *err)
{
    struct checkpoint_record existing;
    bool found = false;

    TRY(record_get_checkpoint(store_txn_view(txn), model_id, name, &found, &existing, err));
    if (found && !overwrite)
        return checkpoint_exists(name, err);
    if (found) {
        TRY(checkpoint_check_unpinned(name, &existing, err));
        TRY(checkpoint_remove(txn, model_id, name, &existing, change, err));
    }
    *out = (struct checkpoint_record){
        .id = store_new_id(store_of_txn(txn)),
        .created_ms = clock_wall_ms(),
        .revision = store_txn_revision(txn),
        .changed_revision = store_txn_revision(txn),
        .shards = 1,
    };
    return OK;
}

enum err_code
checkpoint_add(struct store_txn *txn, struct checkpoint_record *record, struct bytes tensor,
               struct tensor_record *value, struct err *err)
{
    struct record_key key = record_key_tensor(record->id, tensor);
    struct bytes existing;

    TRY(store_get(store_txn_view(txn), record_key_bytes(&key), &existing, err));
    if (existing.data != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "at least two tensors have the same name in the checkpoint: '%.*s'",
                       (int)tensor.size, (const char *)tensor.data);
    value->position = (uint32_t)record->tensors;
    for (uint32_t i = 0; i < (value->partition.count > 0 ? value->partition.count : 1); i++) {
        uint32_t shard = partition_part_shard(value->part_shards, i, value->shard);

        if (shard >= record->shards)
            record->shards = shard + 1;
    }
    record->tensors += 1;
    record->bytes += value->value.size;
    return record_put_tensor(txn, record->id, tensor, value, err);
}

enum err_code
checkpoint_finish(struct store_txn *txn, uint64_t model_id, const char *name,
                  struct checkpoint_record *record, struct usage_change *change, struct err *err)
{
    struct record_key order = record_key_order(model_id, record->id);

    change->checkpoints += 1;
    change->checkpoint_bytes += (int64_t)record->bytes;
    TRY(store_put(txn, record_key_bytes(&order), bytes_of_text(name), err));
    TRY(record_put_checkpoint(txn, model_id, name, record, err));
    return service_change_usage(txn, model_id, change, err);
}

/* --- deleting --- */

struct delete_unit {
    const char *model, *name;
    const struct write_options *options;
};

static enum err_code
delete_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct delete_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct usage_change change = {0};
    struct model_record model;
    struct checkpoint_record record;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_checkpoint(view, model.id, u->name, &record, err));
    TRY(service_check_conditions(u->options, "checkpoint", u->name, true, record.changed_revision,
                                 err));
    TRY(checkpoint_check_unpinned(u->name, &record, err));
    TRY(checkpoint_remove(txn, model.id, u->name, &record, &change, err));
    return service_change_usage(txn, model.id, &change, err);
}

enum err_code
checkpoint_delete(struct service *service, const char *model, const char *name,
                  const struct write_options *options, uint64_t *revision, struct err *err)
{
    struct delete_unit u = {.model = model, .name = name, .options = options};

    TRY(name_check("checkpoint", name, err));
    return service_commit(service, delete_unit, &u, options, NULL, revision, err);
}

/* --- importing --- */

enum { IMPORT_NAME_SHOWN_BYTES = 64 };

struct import_unit {
    const char *model, *name;
    const struct checkpoint_import *imports;
    size_t count;
    struct buf metadata_text; /* encoded as the record keeps it */
    bool overwrite;
    const struct write_options *options;
    struct incoming_list values;
    struct checkpoint_info *out;
};

static void
import_drop(struct import_unit *u)
{
    buf_drop(&u->metadata_text);
    incoming_list_drop(&u->values);
}

static enum err_code
import_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct import_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct usage_change change = {0};
    struct model_record model;
    struct checkpoint_record record = {0}, existing = {0};
    bool found = false;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(record_get_checkpoint(view, model.id, u->name, &found, &existing, err));
    TRY(service_check_conditions(u->options, "checkpoint", u->name, found,
                                 existing.changed_revision, err));
    TRY(checkpoint_begin(txn, model.id, u->name, u->overwrite, &record, &change, err));
    if (u->metadata_text.size > 0)
        TRY(value_write(txn, buf_bytes(&u->metadata_text), STORE_CLASS_ROWS, &record.metadata,
                        err));
    for (size_t i = 0; i < u->count; i++) {
        struct tensor_record tensor = {
            .type = u->imports[i].type,
            .trainable = true,
            .shard = u->imports[i].shard,
            .partition = u->imports[i].partition,
            .part_shards = u->imports[i].part_shards,
        };

        TRY(incoming_list_publish(&u->values, i, txn, &tensor.value, err));
        TRY(checkpoint_add(txn, &record, u->imports[i].name, &tensor, err));
    }
    TRY(checkpoint_finish(txn, model.id, u->name, &record, &change, err));
    snprintf(u->out->name, sizeof u->out->name, "%s", u->name);
    u->out->record = record;
    u->out->replaced = found;
    return OK;
}

/* A tensor's name for messages, cut. */
static const char *
import_name(const struct checkpoint_import *import, char out[static IMPORT_NAME_SHOWN_BYTES])
{
    snprintf(out, IMPORT_NAME_SHOWN_BYTES, "%.*s", (int)import->name.size,
             (const char *)import->name.data);
    return out;
}

static enum err_code
import_check_one(struct service *service, const struct checkpoint_import *import, struct err *err)
{
    char name[IMPORT_NAME_SHOWN_BYTES];
    enum err_code code;

    code = name_check_tensor(import->name, err);
    if (code != OK) {
        err_prefix(err, "tensor '%s'", import_name(import, name));
        return code;
    }
    for (uint32_t i = 0; i < (import->partition.count > 0 ? import->partition.count : 1); i++) {
        uint32_t shard = partition_part_shard(import->part_shards, i, import->shard);

        if (shard > CHECKPOINT_SHARD_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "tensor '%s' lies in shard %" PRIu32 ", at most %d are kept",
                           import_name(import, name), shard, CHECKPOINT_SHARD_MAX + 1);
    }
    TRY(incoming_check_size(import_name(import, name), &import->type, import->size, err));
    if (import->size > service->limits.tensor_bytes_max)
        return err_set(err, ERR_FULL,
                       "tensor '%s' has %" PRIu64 " bytes, over the limit of %" PRIu64
                       " bytes (tensor_max_bytes)",
                       name, import->size, service->limits.tensor_bytes_max);
    return OK;
}

static enum err_code
import_check_ahead(struct service *service, struct import_unit *u, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record model;
    struct checkpoint_record existing = {0};
    uint64_t total = 0;
    bool found = false;

    TRY(name_check("checkpoint", u->name, err));
    if (u->count > service->limits.variables_per_request_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%zu tensors in one file, the limit is %" PRIu32
                       " (variables_per_request_max)",
                       u->count, service->limits.variables_per_request_max);
    TRY(store_snapshot_open(service->store, &snapshot, err));
    TRY(service_find_model(store_snapshot_view(snapshot), u->model, &model, err));
    TRY(record_get_checkpoint(store_snapshot_view(snapshot), model.id, u->name, &found, &existing,
                              err));
    TRY(service_check_conditions(u->options, "checkpoint", u->name, found,
                                 existing.changed_revision, err));
    if (found && !u->overwrite)
        return checkpoint_exists(u->name, err);
    if (found)
        TRY(checkpoint_check_unpinned(u->name, &existing, err));
    TRY(incoming_list_init(&u->values, service, u->count, err));
    for (size_t i = 0; i < u->count; i++) {
        TRY(import_check_one(service, &u->imports[i], err));
        if (__builtin_add_overflow(total, u->imports[i].size, &total))
            return err_set(err, ERR_FULL, "the tensors of this file have over 2^64 bytes");
    }
    if (total > existing.bytes)
        TRY(model_quota_expect(store_snapshot_view(snapshot), model.id, total - existing.bytes,
                               err));
    return incoming_list_expect(&u->values, total, err);
}

enum err_code
checkpoint_import(struct service *service, const char *model, const char *name,
                  const struct checkpoint_import *imports, size_t count,
                  const struct bytes *metadata, size_t metadata_count,
                  const struct tensor_source *source, bool overwrite,
                  const struct write_options *options, struct checkpoint_info *out,
                  uint64_t *revision, struct err *err)
{
    AUTO_CALL(import_drop)
    struct import_unit u = {.model = model,
                            .name = name,
                            .imports = imports,
                            .count = count,
                            .overwrite = overwrite,
                            .options = options,
                            .out = out};

    buf_init(&u.metadata_text, CHECKPOINT_METADATA_BYTES_MAX);
    for (size_t i = 0; i < 2 * metadata_count; i++)
        TRY(buf_append_bytes(&u.metadata_text, metadata[i], err));
    TRY(import_check_ahead(service, &u, err));
    for (size_t i = 0; i < count; i++) {
        char text[IMPORT_NAME_SHOWN_BYTES];

        TRY(incoming_list_read(&u.values, import_name(&imports[i], text), &imports[i].type,
                               imports[i].size, source, err));
    }
    TRY(service_commit(service, import_unit, &u, options, u.values.stage, revision, err));
    u.values.stage = NULL; /* taken */
    return OK;
}

enum err_code
checkpoint_check_conditions(const struct checkpoint_info *info, const struct write_options *options,
                            struct err *err)
{
    return service_check_conditions(options, "checkpoint", info->name, true,
                                    info->record.changed_revision, err);
}
