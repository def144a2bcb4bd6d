/* Looking at moving averages: themselves, their sets, and what a saver restores by them. */
#include "service/training/average.h"

#include <stdio.h>

#include "service/model_kind.h"
#include "service/state.h"
#include "service/variable/variable.h"
#include "store/base/scope.h"

void
average_config_drop(struct average_config *config)
{
    expr_tree_drop(&config->num_updates);
    *config = (struct average_config){0};
}

void
average_member_drop(struct average_member *member)
{
    expr_tree_drop(&member->value);
    *member = (struct average_member){0};
}

enum err_code
average_config_load(const struct store_view *view, uint64_t model_id, const char *name,
                    struct average_config *out, struct err *err)
{
    bool found = false;

    TRY(record_get_average(view, model_id, name, &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there are no moving averages '%s'", name);
    err_about(err, "moving_averages", name);
    return ERR_NOT_FOUND;
}

enum err_code
average_shadow_name(const struct average_config *config, const char *variable,
                    char out[static NAME_BYTES_MAX + 1], struct err *err)
{
    size_t head = strlen(variable), tail = strlen(config->suffix);

    if (head + 1 + tail > NAME_BYTES_MAX) {
        err_about(err, "variable", variable);
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the shadow of '%s' would have a name of %zu bytes, at most %d are legal",
                       variable, head + 1 + tail, NAME_BYTES_MAX);
    }
    memcpy(out, variable, head);
    out[head] = '/';
    memcpy(out + head + 1, config->suffix, tail + 1);
    return OK;
}

static void
name_of_key(struct bytes key, char out[static NAME_BYTES_MAX + 1])
{
    struct bytes name = record_key_name(key);

    snprintf(out, NAME_BYTES_MAX + 1, "%.*s", (int)name.size, (const char *)name.data);
}

/* --- lists --------------------------------------------------------------------------------- */

const struct model_kind average_kind = {.noun = "moving average",
                                        .plural = "moving averages",
                                        .count_max = AVERAGES_MAX,
                                        .key = record_key_average};

struct listing {
    average_visit *visit;
    void *context;
};

static enum err_code
visit_config(void *context, const char *name, struct bytes record, struct err *err)
{
    const struct listing *listing = context;
    AUTO(average_config) config = {0};

    TRY(record_decode_average(record, &config, err));
    snprintf(config.name, sizeof config.name, "%s", name);
    return listing->visit(listing->context, &config, err);
}

enum err_code
average_list(struct service *service, const char *model, const char *after, size_t count_max,
             average_visit *visit, void *context, bool *more, uint64_t *revision, struct err *err)
{
    struct listing listing = {visit, context};

    return model_kind_page(service, model, &average_kind, after, count_max, visit_config, &listing,
                           more, revision, err);
}

static enum err_code
visit_member(struct bytes key, struct bytes record, average_visit_member *visit, void *context,
             struct err *err)
{
    AUTO(average_member) member = {0};

    TRY(record_decode_member(record, &member, err));
    name_of_key(key, member.name);
    return visit(context, &member, err);
}

enum err_code
average_each_member(const struct store_view *view, uint64_t average_id, average_visit_member *visit,
                    void *context, struct err *err)
{
    struct record_key prefix = record_key_member(average_id, "");
    AUTO_CURSOR cursor = NULL;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct bytes key, record;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        TRY(visit_member(key, record, visit, context, err));
    }
}

/* --- what a saver restores ----------------------------------------------------------------- */

struct look {
    const struct store_view *view;
    uint64_t model_id;
    const struct average_config *config;
    const struct average_looks *looks;
};

static enum err_code
look_at_member(void *context, const struct average_member *member, struct err *err)
{
    const struct look *look = context;
    char shadow[NAME_BYTES_MAX + 1];

    TRY(average_shadow_name(look->config, member->name, shadow, err));
    return look->looks->member(look->looks->context, member, shadow, err);
}

static bool
is_listed(const struct average_looks *looks, const char *name)
{
    for (size_t i = 0; i < looks->averaged_count; i++)
        if (strcmp(looks->averaged[i], name) == 0)
            return true;
    return false;
}

static bool
is_averaged(const struct average_looks *looks, const char *name,
            const struct variable_record *variable)
{
    if (looks->averaged != NULL)
        return is_listed(looks, name);
    return record_texts_hold(&variable->collections,
                             bytes_of_text(VARIABLE_COLLECTION_TRAINABLE)) ||
           record_texts_hold(&variable->collections, bytes_of_text(AVERAGE_COLLECTION_AVERAGED));
}

/* Whether `name` is the shadow of a variable that is restored from it: then it is told there. */
static enum err_code
is_shadow(const struct look *look, const char *name, bool *out, struct err *err)
{
    size_t length = strlen(name), tail = strlen(look->config->suffix);
    char primary[NAME_BYTES_MAX + 1];
    struct variable_record record;
    bool found = false;

    *out = false;
    if (length < tail + 2 || name[length - tail - 1] != '/' ||
        strcmp(name + length - tail, look->config->suffix) != 0)
        return OK;
    snprintf(primary, sizeof primary, "%.*s", (int)(length - tail - 1), name);
    if (look->looks->averaged != NULL) {
        *out = is_listed(look->looks, primary);
        return OK;
    }
    TRY(record_get_variable(look->view, look->model_id, primary, &found, &record, err));
    *out = found && is_averaged(look->looks, primary, &record);
    return OK;
}

static enum err_code
restore_variable(const struct look *look, const char *name, const struct variable_record *variable,
                 struct err *err)
{
    char shadow[NAME_BYTES_MAX + 1];
    bool told = false;

    if (is_averaged(look->looks, name, variable)) {
        TRY(average_shadow_name(look->config, name, shadow, err));
        return look->looks->restore(look->looks->context, shadow, name, err);
    }
    if (!record_texts_hold(&variable->collections, bytes_of_text(VARIABLE_COLLECTION_GLOBAL)))
        return OK;
    TRY(is_shadow(look, name, &told, err));
    return told ? OK : look->looks->restore(look->looks->context, name, name, err);
}

static enum err_code
restore_all(const struct look *look, struct err *err)
{
    struct record_key prefix = record_key_variable(look->model_id, "");
    AUTO_CURSOR cursor = NULL;
    char name[NAME_BYTES_MAX + 1];
    bool found = true;

    TRY(store_cursor_open(look->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct variable_record variable;
        struct bytes key, record;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(record, &variable, err));
        name_of_key(key, name);
        TRY(restore_variable(look, name, &variable, err));
    }
}

/* Names that are asked for and are no variables: tensors, which have averages too. */
static enum err_code
restore_tensors(const struct look *look, struct err *err)
{
    char shadow[NAME_BYTES_MAX + 1];
    struct variable_record record;
    bool found = false;

    for (size_t i = 0; look->looks->averaged != NULL && i < look->looks->averaged_count; i++) {
        const char *name = look->looks->averaged[i];

        TRY(name_check("variable", name, err));
        TRY(record_get_variable(look->view, look->model_id, name, &found, &record, err));
        if (found)
            continue;
        TRY(average_shadow_name(look->config, name, shadow, err));
        TRY(look->looks->restore(look->looks->context, shadow, name, err));
    }
    return OK;
}

enum err_code
average_get(struct service *service, const char *model, const char *name,
            const struct average_looks *looks, struct average_config *out, uint64_t *model_revision,
            struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(average_config) config = {0};
    struct model_record record;
    struct usage_record usage;
    struct look look = {.config = &config, .looks = looks};

    TRY(store_snapshot_open(service->store, &snapshot, err));
    look.view = store_snapshot_view(snapshot);
    TRY(service_find_model(look.view, model, &record, err));
    look.model_id = record.id;
    TRY(record_get_usage(look.view, record.id, &usage, err));
    TRY(average_config_load(look.view, record.id, name, &config, err));
    TRY(average_each_member(look.view, config.id, look_at_member, &look, err));
    TRY(restore_all(&look, err));
    TRY(restore_tensors(&look, err));
    *model_revision = usage.revision;
    *out = TAKE(config);
    return OK;
}
