/* Savers made, changed, looked at and deleted. */
#include "service/saving/saver.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/key_walk.h"
#include "service/model_kind.h"
#include "service/saving/saver_keep.h"
#include "service/state.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

enum { TEXTS_BYTES_MAX = 1 << 30 };

struct saver_settings
saver_settings_default(void)
{
    return (struct saver_settings){.max_to_keep = SAVER_KEEP_DEFAULT,
                                   .keep_every_hours = SAVER_KEEP_HOURS_DEFAULT};
}

void
saver_info_drop(struct saver_info *info)
{
    buf_drop(&info->variables);
    buf_drop(&info->last);
    buf_drop(&info->removed);
    *info = (struct saver_info){.whole = false};
}

enum err_code
saver_find(const struct store_view *view, uint64_t model_id, const char *name,
           struct saver_record *out, struct err *err)
{
    bool found = false;

    TRY(record_get_saver(view, model_id, name, &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no saver '%s'", name);
    err_about(err, "saver", name);
    return ERR_NOT_FOUND;
}

enum err_code
saver_find_built(const struct store_view *view, uint64_t model_id, const char *name,
                 struct saver_record *out, struct err *err)
{
    TRY(saver_find(view, model_id, name, out, err));
    if (out->built)
        return OK;
    err_about(err, "saver", name);
    return err_set(err, ERR_FAILED_PRECONDITION,
                   "saver '%s' is not built: `build()` should be called before save if "
                   "defer_build==True (POST …/savers/%s:build)",
                   name, name);
}

enum err_code
saver_release(struct store_txn *txn, uint64_t saver_id, struct err *err)
{
    const struct record_key prefixes[] = {record_key_saved(saver_id, bytes_of("", 0)),
                                          record_key_lasts(saver_id),
                                          record_key_listed(saver_id, "")};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        TRY(key_walk_delete(txn, &prefixes[i], NULL, err));
    return OK;
}

static const struct model_kind kind = {
    .noun = "saver", .plural = "savers", .count_max = SAVERS_MAX, .key = record_key_saver};

/* --- what is told -------------------------------------------------------------------------- */

static void
info_init(struct saver_info *info)
{
    *info = (struct saver_info){.whole = false};
    buf_init(&info->variables, TEXTS_BYTES_MAX);
    buf_init(&info->last, TEXTS_BYTES_MAX);
    buf_init(&info->removed, TEXTS_BYTES_MAX);
}

static enum err_code
add_variable(void *context, struct bytes tensor, const char *variable, struct err *err)
{
    TRY(buf_append_bytes(context, tensor, err));
    return buf_append_bytes(context, bytes_of_text(variable), err);
}

static enum err_code
add_last(void *context, const struct last_record *last, struct err *err)
{
    return buf_append_bytes(context, bytes_of_text(last->name), err);
}

/* `removed` stays as it is. */
static enum err_code
fill(const struct store_view *view, uint64_t model_id, const char *name, bool whole,
     const struct saver_record *record, struct saver_info *out, struct err *err)
{
    out->variables.size = 0;
    out->last.size = 0;
    out->record = *record;
    out->whole = whole;
    snprintf(out->name, sizeof out->name, "%s", name);
    TRY(saver_latest(view, model_id, record, out->latest, err));
    if (!whole)
        return OK;
    TRY(saver_each_variable(view, record->id, add_variable, &out->variables, err));
    return saver_each_last(view, record->id, add_last, &out->last, err);
}

/* --- making and changing ------------------------------------------------------------------- */

enum change { PUT, PATCH, BUILD };

struct write_unit {
    struct service *service;
    const char *model, *name;
    enum change change;
    const struct saver_spec *spec;
    const struct write_options *options;
    bool *created;
    struct saver_info *out;
};

static void
take_settings(const struct saver_spec *spec, struct saver_settings *out)
{
    const struct saver_settings *from = &spec->settings;

    if (spec->given & SAVER_MAX_TO_KEEP)
        out->max_to_keep = from->max_to_keep;
    if (spec->given & SAVER_KEEP_EVERY_HOURS)
        out->keep_every_hours = from->keep_every_hours;
    if (spec->given & SAVER_RESHAPE)
        out->reshape = from->reshape;
    if (spec->given & SAVER_RESTORE_SEQUENTIALLY)
        out->restore_sequentially = from->restore_sequentially;
    if (spec->given & SAVER_ALLOW_EMPTY)
        out->allow_empty = from->allow_empty;
    if (spec->given & SAVER_PAD_STEP_NUMBER)
        out->pad_step_number = from->pad_step_number;
    if (spec->given & SAVER_SHARDED)
        out->sharded = from->sharded;
}

static enum err_code
choose(struct store_txn *txn, uint64_t model_id, const struct write_unit *u,
       struct saver_record *record, struct err *err)
{
    struct record_key saved = record_key_saved(record->id, bytes_of("", 0));

    if (u->change == PATCH && u->spec->picks == NULL)
        return OK;
    if (!u->spec->defer_build)
        return saver_choose_variables(txn, model_id, record, u->spec, err);
    record->built = false;
    record->variables = 0;
    return key_walk_delete(txn, &saved, NULL, err);
}

static enum err_code
change(struct store_txn *txn, uint64_t model_id, struct write_unit *u, struct saver_record *record,
       struct err *err)
{
    const struct saver_settings before = record->settings;
    uint64_t now_ms = clock_wall_ms();
    bool was_built = record->built;

    if (u->change == PUT)
        record->settings = saver_settings_default();
    take_settings(u->spec, &record->settings);
    record->revision = store_txn_revision(txn);
    record->settings_revision = record->revision;
    record->updated_ms = now_ms;
    TRY(choose(txn, model_id, u, record, err));
    /* TensorFlow's: the first to stay is one that is saved so long after the building. */
    if (record->built &&
        (!was_built || record->settings.keep_every_hours < before.keep_every_hours ||
         record->settings.keep_every_hours > before.keep_every_hours))
        record->next_keep_ms = saver_keep_later(now_ms, record->settings.keep_every_hours);
    TRY(record_put_saver(txn, model_id, u->name, record, err)); /* what goes is to find it */
    if (record->settings.max_to_keep != before.max_to_keep)
        TRY(saver_keep_trim(txn, model_id, u->name, record, &u->out->removed, err));
    if (u->spec->last != NULL)
        TRY(saver_keep_set(txn, model_id, u->name, record, u->spec, err));
    TRY(record_put_saver(txn, model_id, u->name, record, err));
    return service_change_usage(txn, model_id, &(struct usage_change){0}, err);
}

static enum err_code
write_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct write_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct saver_record record;
    struct model_record model;
    bool found = false;

    u->out->removed.size = 0;
    TRY(service_find_model(view, u->model, &model, err));
    TRY(record_get_saver(view, model.id, u->name, &found, &record, err));
    TRY(service_check_conditions(u->options, "saver", u->name, found, found ? record.revision : 0,
                                 err));
    *u->created = !found;
    if (!found && u->change != PUT)
        return saver_find(view, model.id, u->name, &record, err);
    if (!found) {
        TRY(model_kind_check_count(view, model.id, &kind, err));
        record = (struct saver_record){.id = store_new_id(u->service->store),
                                       .settings = saver_settings_default(),
                                       .created_ms = clock_wall_ms(),
                                       .created_revision = store_txn_revision(txn),
                                       .next_place = 1};
    }
    if (u->change != BUILD || !record.built)
        TRY(change(txn, model.id, u, &record, err));
    return fill(view, model.id, u->name, true, &record, u->out, err);
}

static enum err_code
check_spec(struct service *service, const struct saver_spec *spec, struct err *err)
{
    uint32_t limit = service->limits.variables_per_request_max;

    if (spec->picks != NULL && spec->defer_build)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "If `var_list` is provided then build cannot be deferred. Either set "
                       "defer_build=False or var_list=None. (here var_list is 'variables')");
    if (spec->picks == NULL || spec->pick_count <= limit)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%zu variables in one request, the limit is %" PRIu32
                   " (variables_per_request_max)",
                   spec->pick_count, limit);
}

static enum err_code
write_saver(struct write_unit *u, uint64_t *revision, struct err *err)
{
    bool created = false;

    info_init(u->out);
    if (u->created == NULL)
        u->created = &created;
    TRY(name_check("saver", u->name, err));
    TRY(check_spec(u->service, u->spec, err));
    return service_commit(u->service, write_unit, u, u->options, NULL, revision, err);
}

enum err_code
saver_put(struct service *service, const char *model, const char *name,
          const struct saver_spec *spec, const struct write_options *options, bool *created,
          struct saver_info *out, uint64_t *revision, struct err *err)
{
    struct write_unit u = {.service = service,
                           .model = model,
                           .name = name,
                           .change = PUT,
                           .spec = spec,
                           .options = options,
                           .created = created,
                           .out = out};

    return write_saver(&u, revision, err);
}

enum err_code
saver_patch(struct service *service, const char *model, const char *name,
            const struct saver_spec *spec, const struct write_options *options,
            struct saver_info *out, uint64_t *revision, struct err *err)
{
    struct write_unit u = {.service = service,
                           .model = model,
                           .name = name,
                           .change = PATCH,
                           .spec = spec,
                           .options = options,
                           .out = out};

    return write_saver(&u, revision, err);
}

enum err_code
saver_build(struct service *service, const char *model, const char *name,
            const struct write_options *options, struct saver_info *out, uint64_t *revision,
            struct err *err)
{
    const struct saver_spec spec = {.given = 0};
    struct write_unit u = {.service = service,
                           .model = model,
                           .name = name,
                           .change = BUILD,
                           .spec = &spec,
                           .options = options,
                           .out = out};

    return write_saver(&u, revision, err);
}

/* --- deleting ------------------------------------------------------------------------------ */

static enum err_code
remove_saver(struct store_txn *txn, uint64_t model_id, const char *name,
             const struct write_options *options, struct err *err)
{
    struct saver_record record;

    TRY(saver_find(store_txn_view(txn), model_id, name, &record, err));
    TRY(service_check_conditions(options, "saver", name, true, record.revision, err));
    return saver_release(txn, record.id, err);
}

enum err_code
saver_delete(struct service *service, const char *model, const char *name,
             const struct write_options *options, uint64_t *revision, struct err *err)
{
    return model_kind_delete(service, model, &kind, name, remove_saver, options, revision, err);
}

/* --- looking ------------------------------------------------------------------------------- */

enum err_code
saver_get(struct service *service, const char *model, const char *name, struct saver_info *out,
          struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct saver_record record;
    struct model_record model_record;

    info_init(out);
    TRY(name_check("saver", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(saver_find(view, model_record.id, name, &record, err));
    return fill(view, model_record.id, name, true, &record, out, err);
}

struct listing {
    const struct store_view *view;
    uint64_t model_id;
    saver_visit *visit;
    void *context;
};

static enum err_code
visit_record(void *context, const char *name, struct bytes bytes, struct err *err)
{
    const struct listing *listing = context;
    AUTO(saver_info) info = {0};
    struct saver_record record;

    TRY(record_decode_saver(bytes, &record, err));
    TRY(fill(listing->view, listing->model_id, name, false, &record, &info, err));
    return listing->visit(listing->context, &info, err);
}

enum err_code
saver_list(struct service *service, const char *model, const char *after, size_t count_max,
           saver_visit *visit, void *context, bool *more, uint64_t *revision, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct listing listing = {.visit = visit, .context = context};
    struct model_record record;
    struct usage_record usage;

    TRY(model_kind_check_after(after, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    listing.view = store_snapshot_view(snapshot);
    TRY(service_find_model(listing.view, model, &record, err));
    TRY(record_get_usage(listing.view, record.id, &usage, err));
    *revision = usage.revision;
    listing.model_id = record.id;
    return model_kind_each(listing.view, record.id, &kind, after, count_max, visit_record, &listing,
                           more, err);
}
