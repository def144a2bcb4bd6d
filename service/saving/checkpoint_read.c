/* Looking at checkpoints and handing out their tensors. */
#include <inttypes.h>
#include <stdio.h>

#include "service/saving/checkpoint.h"
#include "service/saving/saver_keep.h"
#include "service/state.h"
#include "service/usage/tally.h"
#include "store/base/scope.h"

static enum err_code
info_of(const struct store_view *view, uint64_t model_id, const char *name,
        struct checkpoint_info *out, struct err *err)
{
    snprintf(out->name, sizeof out->name, "%s", name);
    return service_open_checkpoint(view, model_id, name, &out->record, err);
}

/* A page of a model's checkpoints. */
struct page {
    const struct store_view *view;
    uint64_t model_id, before;
    size_t count_max;
    bool more;
    struct service_tally *tally; /* NULL: what they take is not wanted */
    uint32_t group, owner;       /* of the next checkpoint */
    checkpoint_visit *visit;
    void *context;
};

typedef enum err_code page_visit(struct page *page, struct checkpoint_info *info, struct err *err);

static enum err_code
walk_page(struct page *page, page_visit *visit, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_orders(page->model_id);
    struct record_key start = record_key_order(page->model_id, page->before);
    struct bytes key, value;
    bool found = false;

    TRY(store_cursor_open(page->view, record_key_bytes(&prefix),
                          page->before != 0 ? record_key_bytes(&start) : bytes_of(NULL, 0), &cursor,
                          err));
    for (size_t count = 0;; count++) {
        struct checkpoint_info info = {.replaced = false};
        char name[NAME_BYTES_MAX + 1];

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        page->more = found && count == page->count_max;
        if (!found || page->more)
            return OK;
        snprintf(name, sizeof name, "%.*s", (int)value.size, (const char *)value.data);
        TRY(info_of(page->view, page->model_id, name, &info, err));
        TRY(visit(page, &info, err));
    }
}

static enum err_code
add_to_tally(struct page *page, struct checkpoint_info *info, struct err *err)
{
    uint32_t owner = 0;

    TRY(service_tally_owner(page->tally, page->group, true, &owner, err));
    return service_tally_add_checkpoint(page->tally, owner, &info->record, err);
}

static enum err_code
show(struct page *page, struct checkpoint_info *info, struct err *err)
{
    info->has_usage = page->tally != NULL;
    if (info->has_usage) {
        info->unique_bytes = page->tally->owners[page->owner].unique_bytes;
        info->shared_bytes = page->tally->owners[page->owner++].shared_bytes;
    }
    return page->visit(page->context, info, err);
}

static enum err_code
tally_page(struct page *page, struct err *err)
{
    TRY(service_tally_group(page->tally, &page->group, err));
    TRY(walk_page(page, add_to_tally, err));
    return service_tally_run(page->tally, err);
}

enum err_code
checkpoint_list(struct service *service, const char *model, uint64_t before, size_t count_max,
                bool usage, checkpoint_visit *visit, void *context, bool *more, uint64_t *revision,
                struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(service_tally) tally = {.view = NULL};
    struct page page = {
        .before = before, .count_max = count_max, .visit = visit, .context = context};
    struct model_record model_record;
    struct usage_record usage_record;

    TRY(store_snapshot_open(service->store, &snapshot, err));
    page.view = store_snapshot_view(snapshot);
    TRY(service_find_model(page.view, model, &model_record, err));
    TRY(record_get_usage(page.view, model_record.id, &usage_record, err));
    *revision = usage_record.revision;
    page.model_id = model_record.id;
    if (usage) {
        *revision = store_view_revision(page.view); /* other models share, too */
        service_tally_init(&tally, service, page.view);
        page.tally = &tally;
        TRY(tally_page(&page, err));
    }
    TRY(walk_page(&page, show, err));
    *more = page.more;
    return OK;
}

static enum err_code
keep_info(void *context, const struct checkpoint_info *info, struct err *err)
{
    struct checkpoint_info *out = context;

    (void)err;
    *out = *info;
    return OK;
}

static enum err_code
latest_of_saver(struct service *service, const char *model, const char *saver,
                struct checkpoint_info *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct model_record model_record;
    struct saver_record record;
    char name[NAME_BYTES_MAX + 1];

    TRY(name_check("saver", saver, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(saver_find(view, model_record.id, saver, &record, err));
    TRY(saver_latest(view, model_record.id, &record, name, err));
    if (name[0] != '\0')
        return info_of(view, model_record.id, name, out, err);
    err_about(err, "saver", saver);
    return err_set(err, ERR_NOT_FOUND, "saver '%s' has no checkpoint", saver);
}

enum err_code
checkpoint_latest(struct service *service, const char *model, const char *saver,
                  struct checkpoint_info *out, struct err *err)
{
    uint64_t revision = 0;
    bool more = false;

    out->name[0] = '\0';
    if (saver != NULL)
        return latest_of_saver(service, model, saver, out, err);
    TRY(checkpoint_list(service, model, 0, 1, false, keep_info, out, &more, &revision, err));
    if (out->name[0] == '\0')
        return err_set(err, ERR_NOT_FOUND, "model '%s' has no checkpoint", model);
    return OK;
}

static enum err_code
read_metadata(const struct store_view *view, const struct checkpoint_record *record,
              struct buf *out, struct err *err)
{
    AUTO(value_reader) reader = {0};
    uint8_t *room = NULL;

    if (record->metadata.kind == VALUE_NONE)
        return OK;
    TRY(value_open(view, &record->metadata, &reader, err));
    TRY(buf_reserve(out, (size_t)record->metadata.size, &room, err));
    TRY(value_copy(&reader, 0, record->metadata.size, room, err));
    buf_commit(out, (size_t)record->metadata.size);
    return OK;
}

static enum err_code
inspect_tensor(const struct store_view *view, struct bytes name, const struct tensor_record *record,
               const struct tally_owner *owner, checkpoint_tensor_visit *visit, void *context,
               struct err *err)
{
    AUTO(value_reader) reader = {0};
    struct checkpoint_tensor tensor = {.name = name,
                                       .type = record->type,
                                       .size = record->value.size,
                                       .unique_bytes = owner->unique_bytes,
                                       .shared_bytes = owner->shared_bytes,
                                       .partition = record->partition};

    TRY(value_open(view, &record->value, &reader, err));
    tensor.has_crc32c = !reader.has_recipe;
    if (tensor.has_crc32c)
        TRY(value_crc32c(&reader, &tensor.crc32c, err));
    return visit(context, &tensor, err);
}

/* Each tensor owns what it names, the first owner what was imported beside them; together they are
 * the checkpoint. */
static enum err_code
tally_tensors(struct service_tally *tally, const struct checkpoint_record *checkpoint,
              struct err *err)
{
    struct record_key prefix = record_key_tensor(checkpoint->id, bytes_of("", 0));
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    uint32_t group = 0, owner = 0;
    bool found = true;

    TRY(service_tally_group(tally, &group, err));
    TRY(service_tally_owner(tally, group, true, &owner, err));
    TRY(service_tally_add(tally, owner, &checkpoint->metadata, err));
    TRY(store_cursor_open(tally->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct tensor_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return service_tally_run(tally, err);
        TRY(record_decode_tensor(value, &record, err));
        TRY(service_tally_owner(tally, group, true, &owner, err));
        TRY(service_tally_add(tally, owner, &record.value, err));
    }
}

enum err_code
checkpoint_inspect(struct service *service, const char *model, const char *name,
                   struct checkpoint_info *out, struct buf *metadata,
                   checkpoint_tensor_visit *visit, void *context, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_CURSOR cursor = NULL;
    AUTO(service_tally) tally = {.view = NULL};
    const struct store_view *view;
    struct model_record model_record;
    struct record_key prefix;
    struct bytes key, value;
    bool found = true;

    TRY(name_check("checkpoint", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(info_of(view, model_record.id, name, out, err));
    TRY(read_metadata(view, &out->record, metadata, err));
    service_tally_init(&tally, service, view);
    TRY(tally_tensors(&tally, &out->record, err));
    out->has_usage = true;
    out->unique_bytes = tally.groups[0].unique_bytes;
    out->shared_bytes = tally.groups[0].stored_bytes - tally.groups[0].unique_bytes;
    prefix = record_key_tensor(out->record.id, bytes_of("", 0));
    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (size_t i = 1;; i++) {
        struct tensor_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_tensor(value, &record, err));
        TRY(inspect_tensor(view, record_key_name(key), &record, &tally.owners[i], visit, context,
                           err));
    }
}

enum err_code
checkpoint_read(struct service *service, const char *model, const char *name, const char *tensor,
                struct bytes slice, enum dtype cast_to, bool brief, struct tensor_set *out,
                struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(tensor_set) set = {0};
    const struct store_view *view;
    struct model_record model_record;
    struct checkpoint_info info;
    struct tensor_record record;
    bool found = false;

    TRY(name_check("checkpoint", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(info_of(view, model_record.id, name, &info, err));
    TRY(record_get_tensor(view, info.record.id, bytes_of_text(tensor), &found, &record, err));
    if (!found) {
        (void)err_set(err, ERR_NOT_FOUND, "Key %s not found in checkpoint '%s'", tensor, name);
        err_about(err, "tensor", tensor);
        return ERR_NOT_FOUND;
    }
    TRY(tensor_set_open(service, snapshot, brief, &set, err));
    TRY(tensor_set_add(&set, snapshot, tensor, strlen(tensor), &record.type, &record.value, slice,
                       cast_to, err));
    set.entries[0].revision = info.record.revision;
    *out = TAKE(set);
    return OK;
}

enum err_code
checkpoint_read_all(struct service *service, const char *model, const char *name,
                    struct checkpoint_info *info, struct buf *metadata, struct tensor_set *out,
                    struct err *err)
{
    return checkpoint_read_some(service, model, name, false, info, metadata, out, err);
}

enum err_code
checkpoint_read_some(struct service *service, const char *model, const char *name, bool outline,
                     struct checkpoint_info *info, struct buf *metadata, struct tensor_set *out,
                     struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_CURSOR cursor = NULL;
    AUTO(tensor_set) set = {0};
    const struct store_view *view;
    struct model_record model_record;
    struct record_key prefix;
    struct bytes key, value, tensor;
    bool found = true;

    TRY(name_check("checkpoint", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(info_of(view, model_record.id, name, info, err));
    TRY(read_metadata(view, &info->record, metadata, err));
    TRY(tensor_set_open(service, snapshot, false, &set, err));
    if (outline)
        tensor_set_outline(&set);
    prefix = record_key_tensor(info->record.id, bytes_of("", 0));
    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct tensor_set_entry *entry;
        struct tensor_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            break;
        TRY(record_decode_tensor(value, &record, err));
        tensor = record_key_name(key);
        TRY(tensor_set_add(&set, snapshot, (const char *)tensor.data, tensor.size, &record.type,
                           &record.value, bytes_of(NULL, 0), DTYPE_UNSET, err));
        TRY(tensor_set_divide(&set, &record.partition, record.part_shards, err));
        entry = &set.entries[set.entry_count - 1];
        entry->revision = info->record.revision;
        entry->position = record.position;
        entry->shard = record.shard;
    }
    if (outline)
        tensor_set_keep_snapshot(&set, TAKE(snapshot));
    *out = TAKE(set);
    return OK;
}
