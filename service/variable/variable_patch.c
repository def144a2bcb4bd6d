/* A variable is moved, or its read is, and what is kept for it goes along. */
#include "service/variable/variable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/commit.h"
#include "service/placement/model_follow.h"
#include "service/placement/model_setter.h"
#include "service/state.h"
#include "service/variable/variable_info.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

struct patch_unit {
    struct service *service;
    const char *model, *name;
    const struct variable_patch_spec *spec;
    const struct write_options *options;
    struct variable_info *out;
    bool done; /* out is filled */
    /* Of the variable. */
    char device[DEVICE_TEXT_BYTES_MAX + 1];
    uint8_t placed;
};

static enum err_code
write_variable(struct store_txn *txn, uint64_t model_id, const char *name,
               struct variable_record *record, struct err *err)
{
    record->revision = store_txn_revision(txn);
    record->updated_ms = clock_wall_ms();
    return record_put_variable(txn, model_id, name, record, err);
}

/* All of it, with its parts. */
static enum err_code
set_device(struct store_txn *txn, const struct patch_unit *u, struct variable_record *record,
           bool *moves, struct err *err)
{
    *moves = strcmp(record->device, u->device) != 0 || record->placed != u->placed ||
             record->part_devices.kind != VALUE_NONE;
    TRY(value_release(txn, &record->part_devices, err));
    record->part_devices = (struct value_ref){.kind = VALUE_NONE};
    memcpy(record->device, u->device, sizeof record->device);
    record->placed = u->placed;
    return OK;
}

/* Whose names begin with that of the moved one and a slash: no others are kept for it, but powers,
 * which are beside it. */
struct followers {
    const struct store_view *view;
    uint64_t model_id;
    const char *moved;
    struct model_follow follow;
    bool opened; /* follow is there, of these or lent: of powers there may be thousands */
    struct arena arena;
    const char **names;
    size_t count, capacity;
};

static void
followers_drop(struct followers *f)
{
    arena_drop(&f->arena);
}

static enum err_code
add_name(struct followers *f, struct bytes name, struct err *err)
{
    const char **grown =
        arena_grown(&f->arena, f->names, f->count, &f->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    f->names = grown;
    grown[f->count] = arena_text(&f->arena, name, err);
    return grown[f->count++] == NULL ? ERR_NO_MEMORY : OK;
}

/* Whether this name is to be listed, among those there are. */
typedef bool wanted(const struct followers *f, const char *name);

/* Those that begin so, in their order; NULL: any of them. */
static enum err_code
load_names(struct followers *f, const char *prefix, wanted *is_wanted, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key start = record_key_variable(f->model_id, prefix);
    struct bytes key, value;
    bool found = false;

    TRY(store_cursor_open(f->view, record_key_bytes(&start), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        char name[NAME_BYTES_MAX + 1];

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        snprintf(name, sizeof name, "%.*s", (int)record_key_name(key).size,
                 (const char *)record_key_name(key).data);
        if (is_wanted == NULL || is_wanted(f, name))
            TRY(add_name(f, bytes_of_text(name), err));
    }
}

static int
compare_name(const void *wanted_name, const void *name)
{
    return bytes_compare(*(const struct bytes *)wanted_name,
                         bytes_of_text(*(const char *const *)name));
}

static bool
is_among(const struct followers *f, struct bytes name)
{
    return f->count > 0 &&
           bsearch(&name, f->names, f->count, sizeof *f->names, compare_name) != NULL;
}

/* Whether it is kept for the moved variable, or for something that is. What a name is kept for is
 * the nearest that is there. */
static enum err_code
follows(struct followers *f, const char *name, bool *out, struct err *err)
{
    char text[NAME_BYTES_MAX + 1];
    size_t size = strlen(name), moved_size = strlen(f->moved);

    snprintf(text, sizeof text, "%s", name);
    while (size > moved_size) {
        bool found = false, sure = false;

        while (!found && model_follow_primary(&f->follow, text, &size, &sure)) {
            found = size == moved_size || is_among(f, bytes_of(text, size));
            if (found && !sure)
                TRY(model_follow_check(f->view, f->model_id, text, size, &found, err));
        }
        if (!found)
            break;
        text[size] = '\0';
    }
    *out = size == moved_size && bytes_start_with(bytes_of_text(name), bytes_of_text(f->moved));
    return OK;
}

static enum err_code
move(struct store_txn *txn, const struct patch_unit *u, uint64_t model_id, const char *name,
     struct err *err)
{
    struct variable_record record;
    bool moves = false;

    TRY(service_find_variable(store_txn_view(txn), model_id, name, &record, err));
    TRY(set_device(txn, u, &record, &moves, err));
    return moves ? write_variable(txn, model_id, name, &record, err) : OK;
}

/* What is kept for `f->moved`. *any: something is. */
static enum err_code
move_kept(struct followers *f, struct store_txn *txn, const struct patch_unit *u,
          const struct model_record *model, bool *any, struct err *err)
{
    char prefix[NAME_BYTES_MAX + 2];

    if (snprintf(prefix, sizeof prefix, "%s/", f->moved) > NAME_BYTES_MAX)
        return OK; /* nothing has a longer name */
    TRY(load_names(f, prefix, NULL, err));
    if (f->count == 0)
        return OK;
    if (!f->opened)
        TRY(model_follow_open(&f->follow, f->view, model, &f->arena, err));
    f->opened = true;
    for (size_t i = 0; i < f->count; i++) {
        bool is_one = false;

        TRY(follows(f, f->names[i], &is_one, err));
        *any |= is_one;
        if (is_one)
            TRY(move(txn, u, f->model_id, f->names[i], err));
    }
    return OK;
}

static struct followers
followers_of(struct store_txn *txn, const struct patch_unit *u, uint64_t model_id,
             const char *moved)
{
    struct followers f = {.moved = moved, .view = store_txn_view(txn), .model_id = model_id};

    arena_init(&f.arena, u->service->limits.expression_bytes_max);
    return f;
}

/* A power of which the first variable with slots is `f->moved`, or is kept for it; with what is
 * kept for the power. */
static enum err_code
move_power(struct followers *f, struct store_txn *txn, const struct patch_unit *u,
           const struct model_record *model, const char *name, struct err *err)
{
    AUTO(followers) own = followers_of(txn, u, model->id, name);
    struct variable_record record;
    struct follow_first first;
    bool is_one = false;

    TRY(service_find_variable(f->view, f->model_id, name, &record, err));
    (void)model_follow_power(&f->follow, name, &record.type, record.trainable, &first);
    if (first.name != NULL)
        TRY(follows(f, first.name, &is_one, err));
    if (!is_one)
        return OK;
    own.follow = f->follow;
    own.opened = true;
    TRY(move(txn, u, f->model_id, name, err));
    return move_kept(&own, txn, u, model, &is_one, err);
}

static bool
is_power(const struct followers *f, const char *name)
{
    return model_follow_may_be_power(&f->follow, name);
}

/* Several optimizers call theirs alike: whether those before this one do. */
static bool
is_listed(size_t before, const char *power)
{
    for (size_t i = 0; i < before; i++)
        for (uint32_t k = 0; k < optimizer_power_count(optimizer_at(i)); k++)
            if (strcmp(optimizer_at(i)->powers[k].name, power) == 0)
                return true;
    return false;
}

static enum err_code
move_powers(struct followers *f, struct store_txn *txn, const struct patch_unit *u,
            const struct model_record *model, struct err *err)
{
    AUTO(followers) powers = followers_of(txn, u, model->id, u->name);
    const struct optimizer *optimizer;

    powers.follow = f->follow;
    for (size_t i = 0; (optimizer = optimizer_at(i)) != NULL; i++)
        for (uint32_t k = 0; k < optimizer_power_count(optimizer); k++)
            if (!is_listed(i, optimizer->powers[k].name))
                TRY(load_names(&powers, optimizer->powers[k].name, is_power, err));
    if (powers.count == 0)
        return OK;
    TRY(model_follow_note_all(&f->follow, f->view, f->model_id, err));
    for (size_t i = 0; i < powers.count; i++)
        TRY(move_power(f, txn, u, model, powers.names[i], err));
    return OK;
}

static enum err_code
move_followers(struct store_txn *txn, const struct patch_unit *u, const struct model_record *model,
               struct err *err)
{
    AUTO(followers) f = followers_of(txn, u, model->id, u->name);
    bool any = false;
    enum err_code code = move_kept(&f, txn, u, model, &any, err);

    if (code == OK && any)
        code = move_powers(&f, txn, u, model, err);
    if (code != OK && err != NULL && err->code == ERR_PAYLOAD_TOO_LARGE)
        err_prefix(err, "moving what is kept for variable '%s' (expression_max_bytes)", u->name);
    return code;
}

static enum err_code
patch_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct patch_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    const struct variable_patch_spec *spec = u->spec;
    struct model_record model;
    struct variable_record record;
    struct device_spec caching;
    bool moves = false;

    if (u->done)
        variable_info_drop(u->out);
    u->done = false;
    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_variable(view, model.id, u->name, &record, err));
    TRY(service_check_conditions(u->options, "variable", u->name, true, record.revision, err));
    if (spec->has_device)
        TRY(set_device(txn, u, &record, &moves, err));
    if (spec->has_caching) {
        TRY(device_scopes_merge(spec->scopes.caching, spec->scopes.caching_count, &caching, err));
        (void)device_spec_print(&caching, record.caching_device);
    }
    TRY(write_variable(txn, model.id, u->name, &record, err));
    if (spec->has_device)
        TRY(move_followers(txn, u, &model, err));
    TRY(service_change_usage(txn, model.id, &(struct usage_change){0}, err));
    variable_info_begin(u->service, &model.devices, u->out);
    TRY(variable_info_fill(view, u->name, strlen(u->name), &record, u->out, err));
    u->done = true;
    return OK;
}

enum err_code
variable_patch(struct service *service, const char *model, const char *name,
               const struct variable_patch_spec *spec, const struct write_options *options,
               struct variable_info *out, uint64_t *revision, struct err *err)
{
    struct patch_unit u = {.service = service,
                           .model = model,
                           .name = name,
                           .spec = spec,
                           .options = options,
                           .out = out};
    struct device_spec device;
    bool hides = false;
    enum err_code code;

    TRY(name_check("variable", name, err));
    TRY(model_setter_scopes(spec->scopes.around, spec->scopes.count, &device, &hides, err));
    (void)device_spec_print(&device, u.device);
    u.placed = hides ? RECORD_PLACED_NEVER : 0;
    code = service_commit(service, patch_unit, &u, options, NULL, revision, err);
    if (code != OK && u.done)
        variable_info_drop(out);
    return code;
}
