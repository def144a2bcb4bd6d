#include "service/model.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/placement/model_devices.h"
#include "service/state.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

static const char *const seed_modes[MODEL_SEED_MODE_COUNT] = {
    [MODEL_SEED_MODE_NAME] = "name",
    [MODEL_SEED_MODE_TF] = "tf",
};

const char *
model_seed_mode_name(enum model_seed_mode mode)
{
    return seed_modes[mode];
}

static enum err_code
fill_info(const struct service *service, const struct store_view *view, struct bytes name,
          const struct model_record *record, const struct usage_record *usage,
          struct model_info *out, struct err *err)
{
    struct bytes text;
    uint32_t offset = 0;
    size_t used = 0, texts = 0;

    *out = (struct model_info){
        .has_seed = record->has_seed,
        .seed = record->seed,
        .profile = record->profile,
        .seed_mode = record->seed_mode,
        .created_ms = record->created_ms,
        .created_revision = record->created_revision,
        .revision = usage->revision,
        .variables = usage->variables,
        .initialized = usage->initialized,
        .bytes = usage->bytes,
        .checkpoints = usage->checkpoints,
        .checkpoint_bytes = usage->checkpoint_bytes,
        .quota = usage->quota,
    };
    snprintf(out->name, sizeof out->name, "%.*s", (int)name.size, (const char *)name.data);
    while (record_texts_next(&record->labels, &offset, &text)) {
        memcpy(out->labels_text + used, text.data, text.size);
        out->labels_text[used + text.size] = '\0';
        used += text.size + 1;
        texts++;
    }
    out->label_count = texts / 2;
    out->devices = record->devices;
    return model_devices_drawn(service, view, record, &out->drawn, err);
}

struct create_unit {
    struct service *service;
    const char *model;
    const struct model_spec *spec;
    const struct write_options *options;
    bool create;   /* make it when missing (PUT); else it must exist (PATCH) */
    bool *created; /* out */
    struct model_info *info;
};

static struct model_quota
first_quota(const struct service *service, const struct model_spec *spec)
{
    const struct service_limits *limits = &service->limits;
    struct model_quota quota = {
        .bytes = {limits->model_quota_bytes > 0, limits->model_quota_bytes},
        .variables = {limits->model_quota_variables > 0, limits->model_quota_variables},
    };

    if (spec->has_quota_bytes)
        quota.bytes = spec->quota.bytes;
    if (spec->has_quota_variables)
        quota.variables = spec->quota.variables;
    return quota;
}

static enum err_code
create_new(struct store_txn *txn, struct create_unit *u, struct err *err)
{
    struct model_record record = {
        .id = store_new_id(u->service->store),
        .has_seed = u->spec->has_seed,
        .seed = u->spec->seed,
        .profile = u->spec->profile,
        .seed_mode = u->spec->seed_mode,
        .created_ms = clock_wall_ms(),
        .created_revision = store_txn_revision(txn),
    };
    struct usage_record usage = {.revision = store_txn_revision(txn),
                                 .quota = first_quota(u->service, u->spec)};

    TRY(record_labels_set(&record.labels, u->spec->labels, u->spec->label_count, err));
    TRY(model_devices_set(txn, u->spec, &record, err));
    TRY(record_put_model(txn, u->model, &record, err));
    TRY(record_put_usage(txn, record.id, &usage, err));
    *u->created = true;
    return fill_info(u->service, store_txn_view(txn), bytes_of_text(u->model), &record, &usage,
                     u->info, err);
}

/* What a model is created with does not change. */
static enum err_code
confirm(const struct create_unit *u, const struct model_record *record, struct err *err)
{
    const struct model_spec *spec = u->spec;
    char theirs[32] = "none";

    if (spec->has_seed && (!record->has_seed || record->seed != spec->seed)) {
        if (record->has_seed)
            snprintf(theirs, sizeof theirs, "%" PRId64, record->seed);
        return err_set(err, ERR_ALREADY_EXISTS, "model '%s' exists with seed %s, not %" PRId64,
                       u->model, theirs, spec->seed);
    }
    if (spec->has_profile && record->profile != spec->profile)
        return err_set(err, ERR_ALREADY_EXISTS, "model '%s' exists with profile %s, not %s",
                       u->model, random_profile_name(record->profile),
                       random_profile_name(spec->profile));
    if (spec->has_seed_mode && record->seed_mode != spec->seed_mode)
        return err_set(err, ERR_ALREADY_EXISTS, "model '%s' exists with seed_mode %s, not %s",
                       u->model, model_seed_mode_name(record->seed_mode),
                       model_seed_mode_name(spec->seed_mode));
    return u->create ? model_devices_confirm(u->model, spec, &record->devices, err) : OK;
}

static enum err_code
change_usage(struct store_txn *txn, const struct model_spec *spec, uint64_t model_id,
             struct usage_record *usage, struct err *err)
{
    usage->revision = store_txn_revision(txn);
    if (spec->has_quota_bytes)
        usage->quota.bytes = spec->quota.bytes;
    if (spec->has_quota_variables)
        usage->quota.variables = spec->quota.variables;
    return record_put_usage(txn, model_id, usage, err);
}

/* Of a model that is there. */
static bool
changes_record(const struct create_unit *u)
{
    const struct model_spec *spec = u->spec;

    return spec->has_labels ||
           (!u->create && (spec->has_device || spec->has_soft_placement || spec->has_placement));
}

static enum err_code
create_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct create_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct model_record record;
    struct usage_record usage = {0};
    bool found = false;

    *u->created = false;
    TRY(record_get_model(view, u->model, &found, &record, err));
    if (found)
        TRY(record_get_usage(view, record.id, &usage, err));
    TRY(service_check_conditions(u->options, "model", u->model, found, usage.revision, err));
    if (!found && u->create)
        return create_new(txn, u, err);
    if (!found)
        return service_find_model(view, u->model, &record, err);
    TRY(confirm(u, &record, err));
    if (u->spec->has_labels)
        TRY(record_labels_set(&record.labels, u->spec->labels, u->spec->label_count, err));
    if (!u->create)
        TRY(model_devices_set(txn, u->spec, &record, err));
    if (changes_record(u))
        TRY(record_put_model(txn, u->model, &record, err));
    if (changes_record(u) || u->spec->has_quota_bytes || u->spec->has_quota_variables)
        TRY(change_usage(txn, u->spec, record.id, &usage, err));
    return fill_info(u->service, view, bytes_of_text(u->model), &record, &usage, u->info, err);
}

static enum err_code
run_create(struct service *service, struct create_unit *u, uint64_t *revision, struct err *err)
{
    enum err_code code;

    TRY(name_check_model(u->model, err));
    code = service_commit(service, create_unit, u, u->options, NULL, revision, err);
    if (code != OK)
        err_about(err, "model", u->model);
    return code;
}

enum err_code
model_create(struct service *service, const char *model, const struct model_spec *spec,
             const struct write_options *options, bool *created, struct model_info *out,
             uint64_t *revision, struct err *err)
{
    struct create_unit u = {.service = service,
                            .model = model,
                            .spec = spec,
                            .options = options,
                            .create = true,
                            .created = created,
                            .info = out};

    return run_create(service, &u, revision, err);
}

enum err_code
model_patch(struct service *service, const char *model, const struct model_spec *spec,
            const struct write_options *options, struct model_info *out, uint64_t *revision,
            struct err *err)
{
    bool created = false;
    struct create_unit u = {.service = service,
                            .model = model,
                            .spec = spec,
                            .options = options,
                            .created = &created,
                            .info = out};

    return run_create(service, &u, revision, err);
}

enum err_code
model_get(struct service *service, const char *model, struct model_info *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record record;
    struct usage_record usage;
    const struct store_view *view;

    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &record, err));
    TRY(record_get_usage(view, record.id, &usage, err));
    return fill_info(service, view, bytes_of_text(model), &record, &usage, out, err);
}

enum err_code
model_list(struct service *service, const char *after, size_t count_max, model_choice *wanted,
           model_visit *visit, void *context, bool *more, uint64_t *revision, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_model(""), start;
    const struct store_view *view;
    struct model_info info;
    bool found = true;

    if (after != NULL && strlen(after) > NAME_MODEL_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a page token of %zu bytes, names have %d",
                       strlen(after), NAME_MODEL_BYTES_MAX);
    start = record_key_model(after ? after : "");
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    *revision = store_view_revision(view);
    *more = false;
    TRY(store_cursor_open(view, record_key_bytes(&prefix),
                          after ? record_key_bytes(&start) : bytes_of(NULL, 0), &cursor, err));
    for (size_t count = 0; true;) {
        char name_text[NAME_MODEL_BYTES_MAX + 1];
        struct bytes key, value, name;
        struct model_record record;
        struct usage_record usage;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        name = record_key_name(key);
        snprintf(name_text, sizeof name_text, "%.*s", (int)name.size, (const char *)name.data);
        if (wanted != NULL && !wanted(context, name_text))
            continue;
        if (count++ == count_max) {
            *more = true;
            return OK;
        }
        TRY(record_decode_model(value, &record, err));
        TRY(record_get_usage(view, record.id, &usage, err));
        TRY(fill_info(service, view, name, &record, &usage, &info, err));
        TRY(visit(context, &info, err));
    }
}
