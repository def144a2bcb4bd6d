/* A draft becomes part of a commit: expectations first, then new variables, checkpoints, and last
 * the variables' new values, because a value that is given up for a new one may be one that a
 * checkpoint of the same run keeps. May run again with its unit: everything it sets it sets anew.
 */
#include "service/run/draft_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "service/graph/graph_place.h"
#include "service/placement/partition_devices.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

static bool
is_changed(const struct draft_variable *variable)
{
    return variable->changes > 0;
}

/* --- what was taken for granted ------------------------------------------------------------ */

static enum err_code
changed_meanwhile(const struct draft_variable *variable, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "variable '%s' changed meanwhile", variable->name);
}

/* What the run makes for the variable is where it is. */
static enum err_code
expect_devices(const struct store_view *view, const struct draft_variable *variable,
               const struct variable_record *now, struct err *err)
{
    const char *device = variable->device == NULL ? "" : variable->device;
    AUTO(partition_devices) devices = {.count = 0};

    if (strcmp(now->device, device) != 0)
        return changed_meanwhile(variable, err);
    TRY(partition_devices_of(view, variable->name, now, &devices, err));
    if ((devices.count > 0) != (variable->part_devices != NULL))
        return changed_meanwhile(variable, err);
    for (uint32_t i = 0; i < devices.count; i++)
        if (strcmp(devices.each[i], variable->part_devices[i]) != 0)
            return changed_meanwhile(variable, err);
    return OK;
}

static enum err_code
expect_variable(const struct draft *draft, struct store_txn *txn,
                const struct draft_variable *variable, struct err *err)
{
    struct variable_record now;
    bool found = false;

    TRY(record_get_variable(store_txn_view(txn), draft->model.id, variable->name, &found, &now,
                            err));
    if (found != variable->found || (found && now.id != variable->id))
        return changed_meanwhile(variable, err);
    if (!found)
        return OK;
    if (variable->revision_relied_on && now.revision != variable->revision)
        return changed_meanwhile(variable, err);
    if (variable->relied_on && now.version != variable->version)
        return changed_meanwhile(variable, err);
    if (!shape_equal(&now.type.shape, &variable->before_shape) ||
        now.row_updates != variable->row_updates)
        return changed_meanwhile(variable, err);
    return expect_devices(store_txn_view(txn), variable, &now, err);
}

static enum err_code
check_expectations(const struct draft *draft, struct store_txn *txn, struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    struct usage_record usage;
    struct model_record model;

    if (!draft->ahead)
        return OK;
    TRY(service_find_model(view, draft->model_name, &model, err));
    TRY(record_get_usage(view, draft->model.id, &usage, err));
    if (model.id != draft->model.id ||
        (draft->model_relied_on && usage.revision != draft->model_revision))
        return err_set(err, ERR_CONFLICT, "model '%s' changed meanwhile", draft->model_name);
    if (draft->graph_relied_on && usage.graph_nodes != draft->graph_position)
        return err_set(err, ERR_CONFLICT, "the graph of model '%s' grew meanwhile",
                       draft->model_name);
    for (const struct draft_record *each = draft->records; each != NULL; each = each->next)
        if (each->publish == NULL)
            TRY(store_expect(txn, record_key_bytes(&each->key), each->value, err));
    for (size_t i = 0; i < draft->variable_count; i++)
        TRY(expect_variable(draft, txn, draft->variables[i], err));
    return OK;
}

/* --- values -------------------------------------------------------------------------------- */

static enum err_code
patch_block(struct value_patch *patch, const struct draft_value *value,
            const struct draft_block *block, struct err *err)
{
    uint64_t offset = block->index * DRAFT_BLOCK_BYTES, left = value->size - offset;

    if (left > DRAFT_BLOCK_BYTES)
        left = DRAFT_BLOCK_BYTES;
    return value_patch_write(patch, offset, bytes_of(block->bytes, (size_t)left), err);
}

/* Gives up the reference in *ref, which may be to a value that others hold too. */
static enum err_code
patch_value(struct store_txn *txn, const struct draft_value *value, struct value_ref *ref,
            struct err *err)
{
    AUTO_PATCH patch = NULL;
    AUTO_CALL(mem_free_scope) struct draft_block *blocks = NULL;

    TRY(value_patch_open(txn, ref, &patch, err));
    for (size_t i = 0; i < value->staged_count; i++)
        TRY(value_patch_staged(patch, &value->staged[i], err));
    if (value->staged_count == 0)
        TRY(draft_blocks_sorted(&value->blocks, &blocks, err));
    for (size_t i = 0; blocks != NULL && i < value->blocks.count; i++)
        TRY(patch_block(patch, value, &blocks[i], err));
    return value_patch_close(patch, ref, err);
}

/* The value that a variable has in the transaction: as it was in the view, wherever it lies now. */
static enum err_code
share_stored(const struct draft *draft, struct store_txn *txn, const struct draft_value *value,
             struct value_ref *out, struct err *err)
{
    struct variable_record record;

    TRY(service_find_variable(store_txn_view(txn), draft->model.id, value->owner->name, &record,
                              err));
    TRY(value_share(txn, &record.value, err));
    *out = record.value;
    return OK;
}

static bool
is_kept(const struct draft *draft, const struct draft_value *value)
{
    return draft->saves_again && value->holders > 1;
}

static enum err_code
make_value(const struct draft *draft, struct store_txn *txn, struct draft_value *value,
           struct err *err)
{
    switch (value->kind) {
    case DRAFT_STORED:
        return share_stored(draft, txn, value, &value->ref, err);
    case DRAFT_MEMORY:
        return value_write(txn, bytes_of(value->bytes, (size_t)value->size), value->class,
                           &value->ref, err);
    case DRAFT_BUILT:
        return value_builder_publish(value->builder, txn, &value->ref, err);
    case DRAFT_EDITED:
        TRY(draft_value_publish(draft, txn, value->base, &value->ref, err));
        return patch_value(txn, value, &value->ref, err);
    }
    return err_set(err, ERR_INTERNAL, "a drafted value of no kind");
}

enum err_code
draft_value_publish(const struct draft *draft, struct store_txn *txn, struct draft_value *value,
                    struct value_ref *out, struct err *err)
{
    if (value->kind == DRAFT_STORED)
        return share_stored(draft, txn, value, out, err);
    if (!value->published) {
        TRY(make_value(draft, txn, value, err));
        if (is_kept(draft, value))
            TRY(value_share(txn, &value->ref, err));
    } else {
        TRY(value_share(txn, &value->ref, err));
    }
    value->published = true;
    *out = value->ref;
    return OK;
}

enum err_code
draft_put_value(const struct draft *draft, struct store_txn *txn, struct draft_value *value,
                struct value_ref *out, struct err *err)
{
    return draft_value_publish(draft, txn, value, out, err);
}

/* What is staged and has got into no record would be in the store without a name. And what the
 * draft held itself, all others have by now. */
static enum err_code
release_unnamed(const struct draft *draft, struct store_txn *txn, struct err *err)
{
    for (struct draft_value *value = draft->values; value != NULL; value = value->next) {
        bool unnamed = value->kind == DRAFT_BUILT && !value->published;

        if (unnamed)
            TRY(value_builder_publish(value->builder, txn, &value->ref, err));
        if (unnamed || (value->published && is_kept(draft, value)))
            TRY(value_release(txn, &value->ref, err));
    }
    return OK;
}

/* --- variables ----------------------------------------------------------------------------- */

/* The usual case of an edit: nothing else holds the value, its chunks are replaced in place. */
static bool
edits_in_place(const struct draft_variable *variable)
{
    const struct draft_value *value = variable->value;

    return value->kind == DRAFT_EDITED && value->holders == 1 &&
           value->base->kind == DRAFT_STORED && value->base->owner == variable &&
           value->base->holders == 1;
}

static enum err_code
put_draws(struct store_txn *txn, const struct draft_variable *variable,
          struct variable_record *record, struct err *err)
{
    if (!variable->initialized_here)
        return OK;
    TRY(value_release(txn, &record->initialized_with, err));
    record->initialized_with = (struct value_ref){.kind = VALUE_NONE};
    if (variable->draws.size == 0)
        return OK;
    return value_write(txn, variable->draws, STORE_CLASS_ROWS, &record->initialized_with, err);
}

/* Of edits: the blocks and chunks that they rewrite. */
static uint64_t
written_bytes(const struct draft_value *value)
{
    uint64_t bytes = 0;

    for (; value->kind == DRAFT_EDITED; value = value->base) {
        if (value->staged_count == 0)
            bytes += (uint64_t)value->blocks.count * DRAFT_BLOCK_BYTES;
        for (size_t i = 0; i < value->staged_count; i++)
            bytes += value->staged[i].chunk.length;
    }
    return value->kind == DRAFT_STORED ? bytes : bytes + value->size;
}

static enum err_code
publish_variable(const struct draft *draft, struct store_txn *txn, struct draft_variable *variable,
                 struct usage_change *change, struct err *err)
{
    struct variable_record record;
    struct value_ref ref;

    TRY(service_find_variable(store_txn_view(txn), draft->model.id, variable->name, &record, err));
    if (edits_in_place(variable)) {
        ref = record.value;
        TRY(patch_value(txn, variable->value, &ref, err));
        record.value = ref;
        record.revision = store_txn_revision(txn);
        record.updated_ms = clock_wall_ms();
    } else {
        TRY(draft_value_publish(draft, txn, variable->value, &ref, err));
        TRY(service_set_value(txn, &record, &variable->form.type.shape, &ref, change, err));
        record.version--;
    }
    TRY(task_note_variable(&draft->service->tasks, store_txn_view(txn), &record,
                           written_bytes(variable->value), err));
    record.version += variable->changes;
    variable->published_version = record.version;
    TRY(put_draws(txn, variable, &record, err));
    return record_put_variable(txn, draft->model.id, variable->name, &record, err);
}

static enum err_code
make_record(const struct draft *draft, struct store_txn *txn, const struct draft_new *made,
            struct variable_record *record, struct err *err)
{
    const struct draft_variable *variable = made->variable;
    AUTO(buf) text;

    buf_init(&text, VALUE_WRITE_BYTES_MAX);
    *record = (struct variable_record){
        .id = store_new_id(draft->service->store),
        .type = variable->form.type,
        .shape_known = true,
        .validate_shape = true,
        .trainable = variable->trainable,
        .row_updates = variable->row_updates,
        .partition = variable->partition,
        .placed = variable->placed,
        .created_ms = clock_wall_ms(),
        .created_revision = store_txn_revision(txn),
        .revision = store_txn_revision(txn),
    };
    record->updated_ms = record->created_ms;
    record->serial = record->id;
    if (variable->device != NULL)
        memcpy(record->device, variable->device, strlen(variable->device) + 1);
    if (variable->part_devices != NULL)
        TRY(partition_devices_write(txn, variable->part_devices, variable->partition.count,
                                    record->device, &record->part_devices, err));
    TRY(record_texts_add(&record->collections, "collections",
                         bytes_of_text(VARIABLE_COLLECTION_GLOBAL), err));
    if (variable->trainable)
        TRY(record_texts_add(&record->collections, "collections",
                             bytes_of_text(VARIABLE_COLLECTION_TRAINABLE), err));
    if (made->collection != NULL)
        TRY(record_texts_add(&record->collections, "collections", bytes_of_text(made->collection),
                             err));
    if (!made->has_tree)
        return OK;
    TRY(expr_encode(&made->tree, &text, err));
    return value_write(txn, buf_bytes(&text), STORE_CLASS_ROWS, &record->initial_value, err);
}

/* Its value comes with the others'. */
static enum err_code
publish_new(const struct draft *draft, struct store_txn *txn, const struct draft_new *made,
            struct err *err)
{
    const struct usage_change change = {.variables = 1};
    struct usage_change place = {.graph_nodes = (int64_t)made->graph_nodes};
    const char *name = made->variable->name;
    struct variable_record record;

    TRY(make_record(draft, txn, made, &record, err));
    TRY(graph_place(txn, draft->model.id, name, made->has_tree ? &made->tree : NULL, &record,
                    &place, err));
    TRY(record_put_variable(txn, draft->model.id, name, &record, err));
    return service_change_usage(txn, draft->model.id, &change, err);
}

/* --- all of it ----------------------------------------------------------------------------- */

static enum err_code
publish_variables(const struct draft *draft, struct store_txn *txn, bool *changed, struct err *err)
{
    struct usage_change change = {.graph_nodes = (int64_t)draft->graph_nodes};

    for (size_t i = 0; i < draft->variable_count; i++) {
        struct draft_variable *variable = draft->variables[i];

        variable->published_version = variable->version;
        if (!is_changed(variable))
            continue;
        TRY(publish_variable(draft, txn, variable, &change, err));
        *changed = true;
    }
    return *changed ? service_change_usage(txn, draft->model.id, &change, err) : OK;
}

static enum err_code
publish_others(const struct draft *draft, struct store_txn *txn, bool *changed, struct err *err)
{
    for (const struct draft_record *each = draft->records; each != NULL; each = each->next) {
        if (each->publish == NULL)
            continue;
        TRY(each->publish(txn, draft, each->context, err));
        *changed = true;
    }
    return OK;
}

enum err_code
draft_publish(struct draft *draft, struct store_txn *txn, bool *changed, struct err *err)
{
    *changed = draft->made != NULL || draft->saves != NULL;
    for (struct draft_value *value = draft->values; value != NULL; value = value->next)
        value->published = false;
    TRY(check_expectations(draft, txn, err));
    for (const struct draft_new *made = draft->made; made != NULL; made = made->next)
        TRY(publish_new(draft, txn, made, err));
    for (struct draft_save *save = draft->saves; save != NULL; save = save->next)
        TRY(draft_save_publish(draft, txn, save, err));
    TRY(publish_variables(draft, txn, changed, err));
    TRY(publish_others(draft, txn, changed, err));
    return release_unnamed(draft, txn, err);
}
